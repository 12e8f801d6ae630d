//! One delegation: its NS records, its proof, its glue, as pieces.

use super::encode::{Encoded, Names, Section};
use super::pieces::{PieceId, Pieces};
use crate::zone::cuts::{Delegation, Glue, GlueKind};
use crate::zone::proof::Proof;
use crate::zone::records::Rrset;
use dns_glue_common::index::{EntryKind, Slot};
use dns_glue_common::limits::{
    HEADER_OCTETS, MAX_CUT_POINTS, MAX_RELOCATIONS, MAX_UDP_OCTETS, OPT_OCTETS,
    QUESTION_FIXED_OCTETS, WORTH_RELOCATIONS,
};
use domain::base::iana::Rtype;

/// Octets of pieces for which a reply has room at the most: to a query for a
/// name of one label of one octet. Who takes more than 512 octets has sent an
/// OPT record, and gets one.
const MAX_BODY_OCTETS: usize =
    MAX_UDP_OCTETS - HEADER_OCTETS - 3 - QUESTION_FIXED_OCTETS - OPT_OCTETS;

/// A delegation as pieces that are not laid out yet.
#[derive(Clone, Copy)]
pub struct Compiled {
    /// All but key, length and references.
    pub slot: Slot,
    /// NS records.
    pub ns: Option<PieceId>,
    /// DS or denial.
    pub proof: Option<PieceId>,
    /// Glue.
    pub glue: Option<PieceId>,
    /// Octets of the NS records, of the proof, and of the glue without and
    /// with signatures.
    pub octets: Octets,
    /// What had to be left out for want of room in any reply.
    pub loss: Option<Loss>,
}

/// Octets of the parts of a referral.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Octets {
    /// NS records.
    pub ns: usize,
    /// DS or denial with signatures.
    pub proof: usize,
    /// Glue and authoritative addresses.
    pub glue: usize,
    /// The same with signatures.
    pub signed_glue: usize,
}

impl Octets {
    /// The longest body: with DNSSEC records, where there are any.
    pub const fn largest(&self) -> usize {
        self.ns + self.proof + self.signed_glue
    }
}

/// What fits into no reply of any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The NS records: every answer is TC=1.
    NameServers,
    /// The proof: every answer with DO is TC=1.
    Proof,
    /// In-domain glue: every answer is TC=1.
    InDomainGlue,
    /// Some sibling or authoritative addresses, which are optional.
    OptionalGlue,
}

/// Encodes a delegation.
pub fn compile(delegation: &Delegation<'_>, pieces: &mut Pieces) -> Compiled {
    let cut = delegation.cut.as_slice();
    let base = u8::try_from(cut.len()).expect("a name has at most 255 octets");
    let mut names = Names::in_question(cut);
    let mut slot = Slot {
        kind: EntryKind::Delegation as u8,
        ..Slot::EMPTY
    };
    let mut octets = Octets::default();

    let ns = encode_ns(delegation, &mut names);
    octets.ns = ns.octets();
    if ns.octets() > MAX_BODY_OCTETS || ns.relocations.len() > MAX_RELOCATIONS {
        slot.flags |= Slot::NS_TOO_LONG;
        return Compiled {
            slot,
            ns: None,
            proof: None,
            glue: None,
            octets,
            loss: Some(Loss::NameServers),
        };
    }
    names.fix_piece();
    let mut relocations = ns.relocations.len();
    let ns_octets = u16::try_from(ns.octets()).expect("below MAX_BODY_OCTETS");

    let mut loss = None;
    let mut proof_id = None;
    if let Some(proof) = encode_proof(delegation, &mut names) {
        slot.flags |= Slot::SIGNED;
        octets.proof = proof.octets();
        if proof.octets() > MAX_BODY_OCTETS {
            slot.flags |= Slot::PROOF_TOO_LONG;
            loss = Some(Loss::Proof);
        } else {
            proof_id = Some(pieces.intern(proof, None, base, ns_octets));
        }
    }
    names.forget_piece();

    let room = MAX_BODY_OCTETS - usize::from(ns_octets);
    let glue = encode_glue(&delegation.glue, &mut names, false, room);
    names.forget_piece();
    let mut glue_id = None;
    if let Some((glue, glue_loss)) = glue {
        loss = loss.or(glue_loss);
        relocations += glue.relocations.len();
        octets.glue = glue.octets();
        octets.signed_glue = glue.octets();
        let mut with_signatures = None;
        if slot.has(Slot::SIGNED) && delegation.glue.iter().any(has_signed_address) {
            let (signed, _) = encode_glue(&delegation.glue, &mut names, true, room)
                .expect("there is glue, or there would be none without signatures");
            octets.signed_glue = signed.octets();
            slot.flags |= Slot::SIGNED_GLUE;
            with_signatures = Some(pieces.intern(signed, None, base, ns_octets));
        }
        glue_id = Some(pieces.intern(glue, with_signatures, base, ns_octets));
    }
    if relocations >= WORTH_RELOCATIONS {
        slot.flags |= Slot::WORTH_KEEPING;
    }
    Compiled {
        slot,
        ns: Some(pieces.intern(ns, None, base, 0)),
        proof: proof_id,
        glue: glue_id,
        octets,
        loss,
    }
}

/// Whether an address is authoritative data with signatures. Glue has none
/// (RFC 4035 2.2), and if a zone file has it all the same it is not sent.
fn has_signed_address(glue: &Glue<'_>) -> bool {
    glue.kind == GlueKind::Authoritative && glue.rrset.is_signed()
}

fn encode_ns(delegation: &Delegation<'_>, names: &mut Names) -> Encoded {
    let mut piece = Encoded::default();
    // Sorted, so that zones which list the same name servers in another order
    // share the piece.
    let mut targets: Vec<&[u8]> = delegation.ns.records().collect();
    targets.sort_by_cached_key(|target| target.to_ascii_lowercase());
    for target in targets {
        piece.add_record(
            names,
            Section::Authority,
            delegation.cut.as_slice(),
            Rtype::NS,
            delegation.ns.ttl(),
            target,
        );
    }
    piece.end(false);
    piece
}

/// Encodes the proof; `None` if the zone is not signed.
fn encode_proof(delegation: &Delegation<'_>, names: &mut Names) -> Option<Encoded> {
    let mut of_zone;
    let names = match delegation.proof {
        Proof::Unsigned => return None,
        Proof::Ds(_) | Proof::Nsec(_) => names,
        // Their owners are hashes below the apex, and nothing in them tells
        // the cut: all cuts that they are the proof of share the piece.
        Proof::Nsec3(_) | Proof::OptOut(_) => {
            of_zone = Names::of_zone(delegation.zone.apex().as_slice());
            &mut of_zone
        }
    };
    let mut piece = Encoded::default();
    // Less than all of it proves nothing, so it never ends between.
    piece.end(true);
    for rrset in delegation.proof.rrsets() {
        add_rrset(&mut piece, names, Section::Authority, &rrset);
        add_signatures(&mut piece, names, Section::Authority, &rrset);
    }
    piece.end(false);
    Some(piece)
}

/// Encodes addresses in their order, as many as `room` octets hold; `None` if
/// there are none.
fn encode_glue(
    glue: &[Glue<'_>],
    names: &mut Names,
    signatures: bool,
    room: usize,
) -> Option<(Encoded, Option<Loss>)> {
    if glue.is_empty() {
        return None;
    }
    let in_domain = glue
        .iter()
        .filter(|glue| glue.kind == GlueKind::InDomain)
        .count();
    let mut piece = Encoded::default();
    piece.end(in_domain > 0);
    for (place, entry) in glue.iter().enumerate() {
        let truncated = place + 1 < in_domain;
        let fits = add_while_it_fits(&mut piece, room, truncated, |piece| {
            add_rrset(piece, names, Section::Additional, &entry.rrset);
        });
        if !fits && place < in_domain {
            piece.truncate_all();
            return Some((piece, Some(Loss::InDomainGlue)));
        }
        if !fits {
            piece.mark_partial();
            return Some((piece, Some(Loss::OptionalGlue)));
        }
    }
    // Signatures of additional data may be missing (RFC 4035 3.1.1): they come
    // behind every address, so that none of those has to give way to one.
    let signed = glue.iter().filter(|entry| has_signed_address(entry));
    for entry in signed.filter(|_| signatures) {
        let fits = add_while_it_fits(&mut piece, room, false, |piece| {
            add_signatures(piece, names, Section::Additional, &entry.rrset);
        });
        if !fits {
            piece.mark_partial();
            return Some((piece, Some(Loss::OptionalGlue)));
        }
    }
    Some((piece, None))
}

/// Adds records and an end behind them, or leaves the piece as it was.
fn add_while_it_fits(
    piece: &mut Encoded,
    room: usize,
    truncated: bool,
    add: impl FnOnce(&mut Encoded),
) -> bool {
    add(piece);
    let fits = piece.octets() <= room
        && piece.relocations.len() <= MAX_RELOCATIONS
        && piece.ends.len() < MAX_CUT_POINTS;
    if fits {
        piece.end(truncated);
    } else {
        piece.back_to_end();
    }
    fits
}

fn add_rrset(piece: &mut Encoded, names: &mut Names, section: Section, rrset: &Rrset<'_>) {
    for rdata in rrset.records() {
        let owner = rrset.owner().as_slice();
        piece.add_record(names, section, owner, rrset.rtype(), rrset.ttl(), rdata);
    }
}

fn add_signatures(piece: &mut Encoded, names: &mut Names, section: Section, rrset: &Rrset<'_>) {
    for rdata in rrset.signatures() {
        let owner = rrset.owner().as_slice();
        let ttl = rrset.signature_ttl();
        piece.add_record(names, section, owner, Rtype::RRSIG, ttl, rdata);
    }
}
