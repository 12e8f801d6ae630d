//! From a query to a referral, or to the reason why it passes.

use crate::index::{self, Index};
use crate::limits::{HEADER_OCTETS, MAX_DEPTHS, MIN_UDP_OCTETS, OPT_OCTETS};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::referral::{Extent, Piece, Pieces, Shift};
use crate::wire::header::flags;
use crate::wire::query::Query;
use crate::wire::{LabelStarts, Message};

/// QTYPEs that have a meaning of their own at a zone cut, or none as data.
mod qtype {
    pub const DS: u16 = 43;
    pub const NSEC: u16 = 47;
    /// OPT.
    pub const OPT: u16 = 41;
    /// The first of the meta types (RFC 6895 3.1).
    pub const META: u16 = 128;
    pub const ANY: u16 = 255;
    /// draft-ietf-deleg, as Knot DNS numbers it.
    pub const DELEG: u16 = 61440;
}

/// A compiled generation: an index and what its entries refer to.
pub trait Generation: Index + Pieces {}
impl<T: Index + Pieces> Generation for T {}

/// A part of a reply: a piece up to a cut point, at its place.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// The piece.
    pub piece: Piece<'a>,
    /// Octets of the records of the whole piece: the relocations lie behind.
    pub whole_octets: u16,
    /// Up to where it is sent.
    pub extent: Extent,
    /// Where it starts, octets from the end of the question.
    pub start: usize,
    /// How its pointers shift.
    pub shift: Shift,
}

/// A referral that is certain: all that is left is to write it.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// `Referral`, `ReferralPartial` or `ReferralTruncated`.
    pub outcome: Reason,
    /// The second word of the header.
    pub flags: u16,
    /// Records of the authority section.
    pub authority: u16,
    /// Records of the additional section, the OPT record not counted.
    pub additional: u16,
    /// NS records, proof, glue.
    pub parts: [Option<Part<'a>>; 3],
    /// Octets of all parts.
    pub body_octets: usize,
    /// Octets from the message's start to the end of the question.
    pub question_end: usize,
    /// Whether an OPT record ends the reply, and with DO.
    pub opt: Option<bool>,
}

impl Plan<'_> {
    /// Octets of the DNS message.
    #[inline(always)]
    pub const fn message_octets(&self) -> usize {
        self.question_end + self.body_octets + if self.opt.is_some() { OPT_OCTETS } else { 0 }
    }
}

/// Decides about a query that may take at most `path_octets` octets of reply
/// by the MTU.
///
/// # Errors
///
/// The reason why the query passes.
#[inline(always)]
pub fn decide<'a, G: Generation>(
    message: &Message<'_>,
    starts: &LabelStarts,
    query: &Query,
    generation: &'a G,
    policy: &Policy,
    path_octets: usize,
) -> Result<Plan<'a>, Reason> {
    if path_octets < MIN_UDP_OCTETS {
        return Err(Reason::SmallMtu);
    }
    refuse_meta_types(query.question.qtype)?;
    let entry = deepest_entry(message, starts, query, generation, policy)?;
    if entry.prefix_octets == 0 {
        refuse_parent_types(query.question.qtype)?;
    }
    let limit = query
        .udp_octets()
        .min(policy.max_udp as usize)
        .min(path_octets);
    compose(query, &entry, generation, policy, limit)
}

/// Types that are no data (RFC 6895 3.1), and ANY, which servers answer as
/// they are configured (RFC 8482).
#[inline(always)]
fn refuse_meta_types(qtype: u16) -> Result<(), Reason> {
    match qtype {
        qtype::ANY => Err(Reason::TypeAny),
        0 | qtype::OPT | qtype::META..qtype::ANY => Err(Reason::MetaType),
        _ => Ok(()),
    }
}

/// Types that the parent side of a cut owns: it may answer them itself.
#[inline(always)]
fn refuse_parent_types(qtype: u16) -> Result<(), Reason> {
    match qtype {
        qtype::DS => Err(Reason::TypeDs),
        qtype::NSEC => Err(Reason::TypeNsec),
        qtype::DELEG => Err(Reason::TypeDeleg),
        _ => Ok(()),
    }
}

/// The delegation that a query falls under.
struct Entry<'a> {
    slot: &'a index::Slot,
    /// Octets of QNAME in front of the cut name.
    prefix_octets: usize,
}

/// Looks up the entry nearest to QNAME: the longest suffix that is one.
#[inline(always)]
fn deepest_entry<'a, G: Generation>(
    message: &Message<'_>,
    starts: &LabelStarts,
    query: &Query,
    generation: &'a G,
    policy: &Policy,
) -> Result<Entry<'a>, Reason> {
    let question = &query.question;
    let mut labels = question.labels;
    for _ in 0..MAX_DEPTHS {
        let depth = generation.depth(labels) as usize;
        let Some(depth) = depth.checked_sub(1) else {
            break;
        };
        let prefix_octets = if depth == 0 {
            question.name_octets - 1
        } else {
            starts.get(question.labels.wrapping_sub(depth))
        };
        let octets = question.name_octets.saturating_sub(prefix_octets);
        let key = index::hash_suffix(message, prefix_octets, octets, generation);
        if let Some(slot) = index::find(generation, &key, octets)? {
            return match slot.stop_reason() {
                None => Ok(Entry {
                    slot,
                    prefix_octets,
                }),
                Some(reason) => Err(reason),
            };
        }
        let Some(shallower) = depth.checked_sub(1) else {
            break;
        };
        labels = shallower;
    }
    if policy.has(Policy::SERVES_ROOT) {
        Err(Reason::NoCut)
    } else {
        Err(Reason::OutsideZones)
    }
}

/// Chooses the parts that fit (RFC 9471 3, RFC 4035 3.1.1).
#[inline(always)]
fn compose<'a, G: Generation>(
    query: &Query,
    entry: &Entry<'_>,
    generation: &'a G,
    policy: &Policy,
    limit: usize,
) -> Result<Plan<'a>, Reason> {
    let slot = entry.slot;
    let signed = query.dnssec() && slot.has(index::Slot::SIGNED);
    if query.dnssec() && slot.has(index::Slot::DENIAL_PENDING) {
        return Err(Reason::DenialPending);
    }
    let opt_octets = if query.edns.is_some() { OPT_OCTETS } else { 0 };
    let room = limit
        .checked_sub(query.question_end() + opt_octets)
        .ok_or(Reason::Inconsistent)?;
    let mut body = Body {
        parts: [None; 3],
        octets: 0,
        room,
        outcome: Reason::Referral,
    };
    let place = Place {
        name_octets: query.question.name_octets,
        prefix_octets: entry.prefix_octets,
    };
    body.add_ns(generation, slot, &place)?;
    if signed {
        body.add_proof(generation, slot, &place)?;
    }
    body.add_glue(generation, slot, signed, &place)?;

    let [ns, proof, glue] = &body.parts;
    let (mut authority, mut additional) = (0, 0);
    for part in [ns, proof, glue].into_iter().flatten() {
        authority += part.extent.authority as u16;
        additional += part.extent.additional as u16;
    }
    let mut copied = flags::RD;
    if policy.has(Policy::COPY_CD) {
        copied |= flags::CD;
    }
    let truncated = if matches!(body.outcome, Reason::ReferralTruncated) {
        flags::TC
    } else {
        0
    };
    Ok(Plan {
        outcome: body.outcome,
        flags: flags::QR | truncated | query.header.flags & copied,
        authority,
        additional,
        parts: body.parts,
        body_octets: body.octets,
        question_end: query.question_end(),
        opt: query.edns.map(|edns| edns.dnssec),
    })
}

/// What the pointers of a piece shift by.
struct Place {
    name_octets: usize,
    prefix_octets: usize,
}

/// The parts chosen so far.
struct Body<'a> {
    parts: [Option<Part<'a>>; 3],
    octets: usize,
    /// Octets that are left.
    room: usize,
    outcome: Reason,
}

impl<'a> Body<'a> {
    /// Adds the NS records: all or none, and without them TC=1 and nothing
    /// else.
    #[inline(always)]
    fn add_ns<G: Generation>(
        &mut self,
        generation: &'a G,
        slot: &index::Slot,
        place: &Place,
    ) -> Result<(), Reason> {
        if slot.has(index::Slot::NS_TOO_LONG) {
            self.outcome = Reason::ReferralTruncated;
            return Ok(());
        }
        let piece = Piece::at(generation, slot.ns)?;
        let whole = piece.whole();
        if whole.octets as usize > self.room {
            self.outcome = Reason::ReferralTruncated;
            return Ok(());
        }
        let part = self.take(piece, &whole, whole, place);
        let [ns, _, _] = &mut self.parts;
        *ns = Some(part);
        Ok(())
    }

    /// Adds the proof; any record of it that is missing means TC=1.
    #[inline(always)]
    fn add_proof<G: Generation>(
        &mut self,
        generation: &'a G,
        slot: &index::Slot,
        place: &Place,
    ) -> Result<(), Reason> {
        if self.is_truncated() {
            return Ok(());
        }
        if slot.has(index::Slot::PROOF_TOO_LONG) {
            self.outcome = Reason::ReferralTruncated;
            return Ok(());
        }
        let piece = Piece::at(generation, slot.proof)?;
        let whole = piece.whole();
        let extent = self.fit(&piece, &whole);
        let part = self.take(piece, &whole, extent, place);
        let [_, proof, _] = &mut self.parts;
        *proof = Some(part);
        Ok(())
    }

    /// Adds the glue; what is missing means TC=1 only if it is in-domain.
    #[inline(always)]
    fn add_glue<G: Generation>(
        &mut self,
        generation: &'a G,
        slot: &index::Slot,
        signed: bool,
        place: &Place,
    ) -> Result<(), Reason> {
        if self.is_truncated() || slot.glue == 0 {
            return Ok(());
        }
        let mut piece = Piece::at(generation, slot.glue)?;
        if signed && slot.has(index::Slot::SIGNED_GLUE) {
            piece = Piece::at(generation, piece.with_signatures())?;
        }
        let whole = piece.whole();
        let extent = self.fit(&piece, &whole);
        let part = self.take(piece, &whole, extent, place);
        let [_, _, glue] = &mut self.parts;
        *glue = Some(part);
        Ok(())
    }

    #[inline(always)]
    const fn is_truncated(&self) -> bool {
        matches!(self.outcome, Reason::ReferralTruncated)
    }

    /// The most of a piece that fits, and what it means if that is not all.
    #[inline(always)]
    fn fit(&mut self, piece: &Piece<'a>, whole: &Extent) -> Extent {
        // A whole piece may still lack what the compiler had to leave out.
        let extent = if whole.octets as usize <= self.room {
            *whole
        } else {
            self.outcome = Reason::ReferralPartial;
            piece.longest_within(whole, self.room)
        };
        if extent.flags & Extent::TRUNCATED != 0 {
            self.outcome = Reason::ReferralTruncated;
        }
        extent
    }

    /// Puts a piece behind the others.
    #[inline(always)]
    fn take(
        &mut self,
        piece: Piece<'a>,
        whole: &Extent,
        extent: Extent,
        place: &Place,
    ) -> Part<'a> {
        let body = (place.name_octets as u16).wrapping_sub(piece.base());
        let part = Part {
            piece,
            whole_octets: whole.octets,
            extent,
            start: self.octets,
            shift: Shift {
                cut: place.prefix_octets as u16,
                body,
                own: body
                    .wrapping_add(self.octets as u16)
                    .wrapping_sub(piece.base_start()),
            },
        };
        self.octets += extent.octets as usize;
        self.room = self.room.saturating_sub(extent.octets as usize);
        part
    }
}

/// Octets of the smallest reply: a header and the question for the root.
const _: () = assert!(HEADER_OCTETS + 5 + OPT_OCTETS < MIN_UDP_OCTETS);
