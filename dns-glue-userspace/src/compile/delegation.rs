//! One delegation: its NS records, its proof, its glue, as pieces.

use super::batch::PieceRun;
use super::encode::{Base, Encoded, Names, Section};
use super::slot_zone;
use crate::zone::cuts::{Delegation, Glue, GlueKind};
use crate::zone::proof::Proof;
use crate::zone::records::Rrset;
use dns_glue_common::index::{EntryKind, Slot};
use dns_glue_common::limits::{
    HEADER_OCTETS, MAX_CUT_POINTS, MAX_RELOCATIONS, MAX_UDP_OCTETS, OPT_OCTETS,
    QUESTION_FIXED_OCTETS, WORTH_RELOCATIONS,
};
use domain::base::iana::Rtype;
use hashbrown::HashMap;
use std::num::NonZero;

/// Octets of pieces for which a reply has room at the most: to a query for a
/// name of one label of one octet. Who takes more than 512 octets has sent an
/// OPT record, and gets one.
const MAX_BODY_OCTETS: usize =
    MAX_UDP_OCTETS - HEADER_OCTETS - 3 - QUESTION_FIXED_OCTETS - OPT_OCTETS;

/// A delegation as pieces that are not stored yet.
#[derive(Clone, Copy)]
pub struct Compiled {
    /// All but key and length; instead of a reference, the number of a piece
    /// plus one, or 0 for none. Pieces are numbered in the order in which the
    /// encoder makes them.
    pub slot: Slot,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// Encodes delegations, one after the other.
///
/// What many of them have in common is encoded once: the NS records of a set of
/// name servers outside the zone, and proofs by NSEC3.
#[derive(Default)]
pub struct Encoder<'z> {
    /// Of the delegation under way.
    names: Names<'z>,
    ns: Encoded,
    proof: Encoded,
    glue: Encoded,
    signed_glue: Encoded,
    /// By the number of the set.
    sets: Vec<Option<SharedNs>>,
    proofs: HashMap<Proof<'z>, SharedProof>,
    /// The zone that those are of: zones share no pieces.
    zone: Option<usize>,
}

/// The NS records of delegations with the same set of name servers.
#[derive(Clone, Copy)]
struct SharedNs {
    /// The number of the piece plus one, or 0 if no reply has room for it.
    piece: u32,
    octets: u32,
    relocations: u32,
}

/// The proof of several delegations.
#[derive(Clone, Copy)]
struct SharedProof {
    /// The number of the piece plus one, or 0 if no reply has room for it.
    piece: u32,
    octets: u32,
}

impl<'z> Encoder<'z> {
    /// Encodes a delegation; its pieces that are new go to `made`. It has to be
    /// the run that all earlier ones went to.
    pub fn encode(&mut self, delegation: &Delegation<'z>, made: &mut PieceRun) -> Compiled {
        self.go_to_zone(delegation.zone_number);
        made.go_to_zone(delegation.zone_number);
        if let Some(set) = delegation.outside
            && let Some(Some(ns)) = self.sets.get(set.number()).copied()
        {
            return self.encode_with(ns, delegation, made);
        }
        let cut = delegation.cut.as_slice();
        self.names.begin_question(cut);
        encode_ns(&mut self.ns, delegation, &mut self.names);
        let fits =
            self.ns.octets() <= MAX_BODY_OCTETS && self.ns.relocations.len() <= MAX_RELOCATIONS;
        let mut ns = SharedNs {
            piece: 0,
            octets: octets_of(&self.ns),
            relocations: relocations_of(&self.ns),
        };
        let compiled = if fits {
            self.names.fix_piece();
            let mut compiled = self.add_proof(ns, delegation, made);
            self.names.forget_piece();
            self.add_glue(&mut compiled, ns, delegation, made);
            ns.piece = made.push(&self.ns, None, base(delegation, 0));
            compiled.slot.ns = ns.piece;
            compiled
        } else {
            without_room(ns, delegation)
        };
        self.remember(delegation, ns);
        compiled
    }

    /// Forgets what the delegations of another zone have in common.
    fn go_to_zone(&mut self, zone: usize) {
        if self.zone.replace(zone) != Some(zone) {
            self.sets.clear();
            self.proofs.clear();
        }
    }

    /// Encodes a delegation with a set of name servers that was met before.
    fn encode_with(
        &mut self,
        ns: SharedNs,
        delegation: &Delegation<'z>,
        made: &mut PieceRun,
    ) -> Compiled {
        if ns.piece == 0 {
            return without_room(ns, delegation);
        }
        if matches!(delegation.proof, Proof::Ds(_) | Proof::Nsec(_)) {
            // Their owner is the cut. They share no other name with the NS
            // records: those are outside the zone, and RDATA is as it is.
            self.names.begin_question(delegation.cut.as_slice());
        }
        let mut compiled = self.add_proof(ns, delegation, made);
        compiled.slot.ns = ns.piece;
        compiled.slot.flags |= keeping(ns.relocations);
        compiled
    }

    /// Keeps the NS records of a set for the next delegation that has it.
    fn remember(&mut self, delegation: &Delegation<'z>, ns: SharedNs) {
        if let Some(set) = delegation.outside {
            if self.sets.len() <= set.number() {
                self.sets.resize(set.number() + 1, None);
            }
            self.sets[set.number()] = Some(ns);
        }
    }

    /// Encodes the proof. `names` are those in front of it, unless it is by
    /// NSEC3.
    fn add_proof(
        &mut self,
        ns: SharedNs,
        delegation: &Delegation<'z>,
        made: &mut PieceRun,
    ) -> Compiled {
        let mut compiled = Compiled {
            slot: slot(delegation),
            octets: Octets {
                ns: ns.octets as usize,
                ..Octets::default()
            },
            loss: None,
        };
        let proof = match delegation.proof {
            Proof::Unsigned => return compiled,
            Proof::Ds(_) | Proof::Nsec(_) => {
                encode_proof(&mut self.proof, delegation.proof, &mut self.names);
                store_proof(&self.proof, ns, delegation, made)
            }
            Proof::Nsec3(_) | Proof::OptOut(_) => self.find_nsec3(ns, delegation, made),
        };
        compiled.slot.flags |= Slot::SIGNED;
        compiled.octets.proof = proof.octets as usize;
        compiled.slot.proof = proof.piece;
        if proof.piece == 0 {
            compiled.slot.flags |= Slot::PROOF_TOO_LONG;
            compiled.loss = Some(Loss::Proof);
        }
        compiled
    }

    /// The proof by NSEC3, which other delegations may have too.
    fn find_nsec3(
        &mut self,
        ns: SharedNs,
        delegation: &Delegation<'z>,
        made: &mut PieceRun,
    ) -> SharedProof {
        if let Some(known) = self.proofs.get(&delegation.proof) {
            return *known;
        }
        // The owners are hashes below the apex, and nothing in them tells the
        // cut: all cuts that they are the proof of share the piece.
        let mut names = Names::default();
        names.begin_zone(delegation.zone.apex().as_slice());
        encode_proof(&mut self.proof, delegation.proof, &mut names);
        let proof = store_proof(&self.proof, ns, delegation, made);
        self.proofs.insert(delegation.proof, proof);
        proof
    }

    /// Encodes the glue. `names` are those of the question and the NS records.
    fn add_glue(
        &mut self,
        compiled: &mut Compiled,
        ns: SharedNs,
        delegation: &Delegation<'z>,
        made: &mut PieceRun,
    ) {
        compiled.slot.flags |= keeping(ns.relocations);
        if delegation.glue.is_empty() {
            return;
        }
        let Self {
            names,
            glue,
            signed_glue,
            ..
        } = self;
        let room = MAX_BODY_OCTETS - ns.octets as usize;
        let base = base(delegation, ns.octets);
        let loss = encode_glue(glue, &delegation.glue, names, false, room);
        names.forget_piece();
        compiled.slot.flags |= keeping(ns.relocations + relocations_of(glue));
        compiled.loss = compiled.loss.or(loss);
        compiled.octets.glue = glue.octets();
        compiled.octets.signed_glue = glue.octets();
        let mut with_signatures = None;
        if compiled.slot.has(Slot::SIGNED) && delegation.glue.iter().any(has_signed_address) {
            encode_glue(signed_glue, &delegation.glue, names, true, room);
            names.forget_piece();
            compiled.octets.signed_glue = signed_glue.octets();
            compiled.slot.flags |= Slot::SIGNED_GLUE;
            with_signatures = NonZero::new(made.push(signed_glue, None, base));
        }
        compiled.slot.glue = made.push(glue, with_signatures, base);
    }
}

/// The entry of a delegation of which nothing is said yet.
fn slot(delegation: &Delegation<'_>) -> Slot {
    Slot {
        kind: EntryKind::Delegation as u8,
        zone: slot_zone(delegation.zone_number),
        ..Slot::EMPTY
    }
}

/// A delegation whose NS records no reply has room for.
fn without_room(ns: SharedNs, delegation: &Delegation<'_>) -> Compiled {
    Compiled {
        slot: Slot {
            flags: Slot::NS_TOO_LONG,
            ..slot(delegation)
        },
        octets: Octets {
            ns: ns.octets as usize,
            ..Octets::default()
        },
        loss: Some(Loss::NameServers),
    }
}

/// Stores a proof, if a reply has room for it.
fn store_proof(
    proof: &Encoded,
    ns: SharedNs,
    delegation: &Delegation<'_>,
    made: &mut PieceRun,
) -> SharedProof {
    let fits = proof.octets() <= MAX_BODY_OCTETS;
    SharedProof {
        piece: if fits {
            made.push(proof, None, base(delegation, ns.octets))
        } else {
            0
        },
        octets: octets_of(proof),
    }
}

fn octets_of(piece: &Encoded) -> u32 {
    u32::try_from(piece.octets()).expect("a piece is below 2^15, with one record too many 2^17")
}

/// Pointers of a piece.
fn relocations_of(piece: &Encoded) -> u32 {
    u32::try_from(piece.relocations.len()).expect("fewer than octets")
}

/// The flag of a delegation whose replies have so many pointers without the
/// proof.
const fn keeping(relocations: u32) -> u8 {
    if relocations as usize >= WORTH_RELOCATIONS {
        Slot::WORTH_KEEPING
    } else {
        0
    }
}

/// Where a piece of a delegation stands behind `octets` of other pieces.
fn base(delegation: &Delegation<'_>, octets: u32) -> Base {
    Base {
        qname: u8::try_from(delegation.cut.len()).expect("a name has at most 255 octets"),
        start: u16::try_from(octets).expect("below MAX_BODY_OCTETS"),
    }
}

/// Whether an address is authoritative data with signatures. Glue has none
/// (RFC 4035 2.2), and if a zone file has it all the same it is not sent.
fn has_signed_address(glue: &Glue<'_>) -> bool {
    glue.kind == GlueKind::Authoritative && glue.rrset.is_signed()
}

/// Encodes the NS records in their canonical order, so that zones which list
/// the same name servers in another order share the piece.
fn encode_ns<'z>(piece: &mut Encoded, delegation: &Delegation<'z>, names: &mut Names<'z>) {
    piece.clear();
    let ttl = delegation.ns.ttl();
    for target in delegation.ns.records() {
        let owner = delegation.cut.as_slice();
        piece.add_record(names, Section::Authority, owner, Rtype::NS, ttl, target);
    }
    piece.end(false);
}

/// Encodes a proof with its signatures.
fn encode_proof<'z>(piece: &mut Encoded, proof: Proof<'z>, names: &mut Names<'z>) {
    piece.clear();
    // Less than all of it proves nothing, so it never ends between.
    piece.end(true);
    for rrset in proof.rrsets() {
        add_rrset(piece, names, Section::Authority, &rrset);
        add_signatures(piece, names, Section::Authority, &rrset);
    }
    piece.end(false);
}

/// Encodes addresses in their order, as many as `room` octets hold; says what
/// is lost.
fn encode_glue<'z>(
    piece: &mut Encoded,
    glue: &[Glue<'z>],
    names: &mut Names<'z>,
    signatures: bool,
    room: usize,
) -> Option<Loss> {
    piece.clear();
    let in_domain = glue
        .iter()
        .filter(|glue| glue.kind == GlueKind::InDomain)
        .count();
    piece.end(in_domain > 0);
    for (place, entry) in glue.iter().enumerate() {
        let truncated = place + 1 < in_domain;
        let fits = add_while_it_fits(piece, room, truncated, |piece| {
            add_rrset(piece, names, Section::Additional, &entry.rrset);
        });
        if !fits && place < in_domain {
            piece.truncate_all();
            return Some(Loss::InDomainGlue);
        }
        if !fits {
            piece.mark_partial();
            return Some(Loss::OptionalGlue);
        }
    }
    // Signatures of additional data may be missing (RFC 4035 3.1.1): they come
    // behind every address, so that none of those has to give way to one.
    let signed = glue.iter().filter(|entry| has_signed_address(entry));
    for entry in signed.filter(|_| signatures) {
        let fits = add_while_it_fits(piece, room, false, |piece| {
            add_signatures(piece, names, Section::Additional, &entry.rrset);
        });
        if !fits {
            piece.mark_partial();
            return Some(Loss::OptionalGlue);
        }
    }
    None
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

fn add_rrset<'z>(piece: &mut Encoded, names: &mut Names<'z>, section: Section, rrset: &Rrset<'z>) {
    for rdata in rrset.records() {
        let owner = rrset.owner().as_slice();
        piece.add_record(names, section, owner, rrset.rtype(), rrset.ttl(), rdata);
    }
}

fn add_signatures<'z>(
    piece: &mut Encoded,
    names: &mut Names<'z>,
    section: Section,
    rrset: &Rrset<'z>,
) {
    for rdata in rrset.signatures() {
        let owner = rrset.owner().as_slice();
        let ttl = rrset.signature_ttl();
        piece.add_record(names, section, owner, Rtype::RRSIG, ttl, rdata);
    }
}
