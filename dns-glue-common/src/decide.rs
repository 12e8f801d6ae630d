//! From a query to a referral, or to the reason why it passes.

use crate::deadlines::{self, Deadlines};
use crate::frame::checksum::Sum;
use crate::frame::read_back;
use crate::host::Host;
use crate::index::{self, Index, Slot};
use crate::kept::{self, BodyKey, KeptBodies};
use crate::limits::{
    HEADER_OCTETS, MAX_DEPTHS, MAX_NAME_OCTETS, MAX_NSID_OCTETS, MIN_UDP_OCTETS, OPT_OCTETS,
    OPTION_HEAD_OCTETS, QUESTION_FIXED_OCTETS,
};
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
#[repr(C)]
pub struct Part {
    /// The piece, as [`Piece::at`] takes it; 0 if the reply has no such part,
    /// and then the rest means nothing.
    pub piece: u32,
    /// Where it starts, octets from the end of the question.
    pub start: u16,
    /// Octets of its records that are sent. Valid values:
    /// `0..=MAX_UDP_OCTETS`.
    pub octets: u16,
    /// Octets of the records of the whole piece: the relocations lie behind.
    pub whole_octets: u16,
    /// Relocations among the octets that are sent. Valid values:
    /// `0..=MAX_RELOCATIONS`.
    pub relocations: u16,
    /// How its pointers shift.
    pub shift: Shift,
}

impl Part {
    const NONE: Self = Self {
        piece: 0,
        start: 0,
        octets: 0,
        whole_octets: 0,
        relocations: 0,
        shift: Shift::NONE,
    };
}

/// What a reply has to do with a kept body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Keeping {
    /// Nothing.
    None = 0,
    /// It is sent: there are no parts, and no OPT record beside it.
    Send = 1,
    /// Once written, the reply's body is to be kept.
    Keep = 2,
}

/// A referral that is certain: all that is left is to write it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Plan {
    /// The sum of the question.
    pub question_sum: Sum,
    /// The sum of the parts, or of the kept body, as they stand in the message.
    pub sum: Sum,
    /// `Referral`, `ReferralPartial` or `ReferralTruncated`.
    pub outcome: Reason,
    /// The second word of the header.
    pub flags: u16,
    /// Records of the authority section.
    pub authority: u16,
    /// Records of the additional section, the OPT record not counted.
    pub additional: u16,
    /// Octets of all parts.
    pub body_octets: u16,
    /// Octets from the message's start to the end of the question.
    pub question_end: u16,
    /// Where the search for a cut point stands.
    pub cut_point: u16,
    /// Octets of the OPT record that ends the reply, its option included; 0 if
    /// the reply has none.
    pub opt_octets: u16,
    /// Whether that record has DO.
    pub dnssec: bool,
    /// What becomes of the kept body at `place`.
    pub keeping: Keeping,
    /// A place for kept bodies.
    pub place: u32,
    /// The key of the body, if it is one that may be kept.
    pub key: BodyKey,
    /// NS records, proof, glue.
    pub parts: [Part; 3],
}

impl Plan {
    /// Nothing.
    pub const EMPTY: Self = Self {
        question_sum: Sum::ZERO,
        sum: Sum::ZERO,
        outcome: Reason::Referral,
        flags: 0,
        authority: 0,
        additional: 0,
        body_octets: 0,
        question_end: 0,
        cut_point: 0,
        opt_octets: 0,
        dnssec: false,
        keeping: Keeping::None,
        place: 0,
        key: BodyKey::NONE,
        parts: [Part::NONE; 3],
    };

    /// Makes it the plan of a reply without a body.
    ///
    /// # Verifier
    ///
    /// Field by field: all of it at once would be a call of a function that
    /// writes octet by octet.
    #[inline(always)]
    const fn begin(&mut self, query: &Query) {
        self.sum = Sum::ZERO;
        self.outcome = Reason::Referral;
        self.authority = 0;
        self.additional = 0;
        self.body_octets = 0;
        self.question_end = query.question_end() as u16;
        self.dnssec = query.dnssec;
        self.keeping = Keeping::None;
        let [ns, proof, glue] = &mut self.parts;
        ns.piece = 0;
        proof.piece = 0;
        glue.piece = 0;
    }

    /// The outcome, one of the three that transmit.
    ///
    /// # Verifier
    ///
    /// In map memory it may be any number for all that the verifier knows, and
    /// the compiler leads numbers that are no outcome anywhere.
    #[inline(always)]
    pub const fn outcome(&self) -> Reason {
        match self.outcome {
            Reason::ReferralPartial => Reason::ReferralPartial,
            Reason::ReferralTruncated => Reason::ReferralTruncated,
            _ => Reason::Referral,
        }
    }

    /// Octets of the DNS message.
    #[inline(always)]
    pub const fn message_octets(&self) -> usize {
        self.question_end as usize + self.body_octets as usize + self.opt_octets as usize
    }
}

/// Decides about a query, whose reply may have at most `path_octets` octets by
/// the MTU, and notes in `plan` what to send.
///
/// # Errors
///
/// The reason why the query passes.
#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "a struct of references would lie on the stack, of which there are 512 octets"
)]
pub fn decide<H: Host, G: Generation, D: Deadlines, K: KeptBodies>(
    message: &Message<'_>,
    starts: &LabelStarts,
    query: &Query,
    host: &H,
    generation: &G,
    deadlines: &D,
    kept: &mut K,
    policy: &Policy,
    path_octets: usize,
    plan: &mut Plan,
) -> Result<(), Reason> {
    if path_octets < MIN_UDP_OCTETS {
        return Err(Reason::SmallMtu);
    }
    refuse_meta_types(query.question.qtype)?;
    let entry = deepest_entry(message, starts, query, generation, policy)?;
    if entry.prefix_octets == 0 {
        refuse_parent_types(query.question.qtype)?;
    }
    deadlines::check(entry.zone, host, deadlines)?;
    let limit = (query.udp_octets as usize)
        .min(policy.max_udp as usize)
        .min(path_octets);
    plan.begin(query);
    plan.flags = flags::QR | query.flags & policy.copied_flags();
    if entry.has(Slot::WORTH_KEEPING) && find_kept(query, &entry, kept, limit, plan) {
        return Ok(());
    }
    compose(query, &entry, generation, policy, limit, plan)
}

/// Looks for a kept body that is the reply's. Without one it notes in `plan`
/// whether there should be one from now on.
#[inline(always)]
fn find_kept<K: KeptBodies>(
    query: &Query,
    entry: &Entry,
    kept: &mut K,
    limit: usize,
    plan: &mut Plan,
) -> bool {
    if query.nsids != 0 {
        return false;
    }
    let signed = entry.is_signed_for(query);
    plan.key = BodyKey {
        ns: entry.ns,
        glue: entry.glue,
        proof: if signed { entry.proof } else { 0 },
        question: query.question.name_octets as u32
            | (entry.prefix_octets as u32) << 8
            | (signed as u32) << 16
            | (query.has_opt as u32) << 17
            | (query.dnssec as u32) << 18,
    };
    plan.place = kept::place_of(&plan.key);
    let Some(body) = kept.place(plan.place) else {
        return false;
    };
    let Some(found) = body.find(&plan.key) else {
        if body.is_due(&plan.key) {
            plan.keeping = Keeping::Keep;
        }
        return false;
    };
    if plan.question_end as usize + found.octets as usize > limit {
        return false;
    }
    plan.keeping = Keeping::Send;
    plan.sum = found.sum;
    plan.body_octets = found.octets;
    plan.authority = found.authority;
    plan.additional = found.additional;
    plan.opt_octets = 0;
    true
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

/// The delegation that a query falls under: what its slot says.
struct Entry {
    flags: u8,
    zone: u8,
    ns: u32,
    proof: u32,
    glue: u32,
    /// Octets of QNAME in front of the cut name.
    prefix_octets: usize,
}

impl Entry {
    /// # Verifier
    ///
    /// The fields are read here and nowhere else: afterwards it does not
    /// matter any more which slot of which bucket they came from.
    #[inline(always)]
    fn of(slot: &Slot, prefix_octets: usize) -> Self {
        Self {
            flags: read_back(&slot.flags),
            zone: read_back(&slot.zone),
            ns: read_back(&slot.ns),
            proof: read_back(&slot.proof),
            glue: read_back(&slot.glue),
            prefix_octets,
        }
    }

    #[inline(always)]
    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether the reply to a query has what DNSSEC adds (RFC 4035 3.1.4).
    #[inline(always)]
    const fn is_signed_for(&self, query: &Query) -> bool {
        query.dnssec && self.has(Slot::SIGNED)
    }
}

/// Looks up the entry nearest to QNAME: the longest suffix that is one.
#[inline(always)]
fn deepest_entry<G: Generation>(
    message: &Message<'_>,
    starts: &LabelStarts,
    query: &Query,
    generation: &G,
    policy: &Policy,
) -> Result<Entry, Reason> {
    let question = &query.question;
    let mut labels = question.labels;
    for _ in 0..MAX_DEPTHS {
        let depth = generation.depth(labels) as usize;
        if depth == 0 {
            break;
        }
        let prefix_octets = starts.get(question.labels.wrapping_sub(depth));
        let octets = question.name_octets.saturating_sub(prefix_octets);
        let key = index::hash_suffix(message, prefix_octets, octets, generation);
        if let Some(slot) = index::find(generation, &key, octets)? {
            return match slot.stop_reason() {
                None => Ok(Entry::of(slot, prefix_octets)),
                Some(reason) => Err(reason),
            };
        }
        labels = depth - 1;
    }
    if policy.has(Policy::SERVES_ROOT) {
        Err(Reason::NoCut)
    } else if policy.has(Policy::ROOT_BEHIND) {
        Err(Reason::Served)
    } else {
        Err(Reason::OutsideZones)
    }
}

/// Chooses the parts that fit (RFC 9471 3, RFC 4035 3.1.1).
#[inline(always)]
fn compose<G: Generation>(
    query: &Query,
    entry: &Entry,
    generation: &G,
    policy: &Policy,
    limit: usize,
    plan: &mut Plan,
) -> Result<(), Reason> {
    plan.opt_octets = opt_octets(query, policy);
    // Read back: any number is as good as another from here on.
    let opt_octets = read_back(&plan.opt_octets) as usize;
    let room = limit
        .checked_sub(query.question_end() + opt_octets)
        .ok_or(Reason::Inconsistent)?;

    let signed = entry.is_signed_for(query);
    let mut body = Body {
        plan,
        room,
        place: Place {
            name_octets: query.question.name_octets as u16,
            prefix_octets: entry.prefix_octets as u16,
        },
    };
    body.add_ns(generation, entry)?;
    if signed {
        body.add_proof(generation, entry)?;
    }
    body.add_glue(generation, entry, signed)?;

    if body.is_truncated() {
        plan.flags |= flags::TC;
    }
    Ok(())
}

/// Octets of the OPT record of a reply, with the identifier for a client that
/// asks for it.
#[inline(always)]
const fn opt_octets(query: &Query, policy: &Policy) -> u16 {
    let octets = match (query.has_opt, query.nsids) {
        (false, _) => 0,
        (true, 0) => OPT_OCTETS,
        (true, _) => OPT_OCTETS + policy.nsid.option_octets(),
    };
    octets as u16
}

/// What the pointers of a piece shift by.
struct Place {
    name_octets: u16,
    prefix_octets: u16,
}

/// A plan under way.
struct Body<'p> {
    plan: &'p mut Plan,
    /// Octets that are left.
    room: usize,
    place: Place,
}

impl Body<'_> {
    /// Adds the NS records: all or none, and without them TC=1 and nothing
    /// else.
    #[inline(always)]
    fn add_ns<G: Generation>(&mut self, generation: &G, entry: &Entry) -> Result<(), Reason> {
        if entry.has(Slot::NS_TOO_LONG) {
            self.plan.outcome = Reason::ReferralTruncated;
            return Ok(());
        }
        let piece = Piece::at(generation, entry.ns)?;
        let whole = piece.whole();
        if whole.octets as usize > self.room {
            self.plan.outcome = Reason::ReferralTruncated;
            return Ok(());
        }
        self.take::<0>(entry.ns, &piece, &whole, &whole);
        Ok(())
    }

    /// Adds the proof; any record of it that is missing means TC=1.
    #[inline(always)]
    fn add_proof<G: Generation>(&mut self, generation: &G, entry: &Entry) -> Result<(), Reason> {
        if self.is_truncated() {
            return Ok(());
        }
        if entry.has(Slot::PROOF_TOO_LONG) {
            self.plan.outcome = Reason::ReferralTruncated;
            return Ok(());
        }
        let piece = Piece::at(generation, entry.proof)?;
        let whole = piece.whole();
        let extent = self.fit(&piece, &whole);
        self.take::<1>(entry.proof, &piece, &whole, &extent);
        Ok(())
    }

    /// Adds the glue; what is missing means TC=1 only if it is in-domain.
    #[inline(always)]
    fn add_glue<G: Generation>(
        &mut self,
        generation: &G,
        entry: &Entry,
        signed: bool,
    ) -> Result<(), Reason> {
        if self.is_truncated() || entry.glue == 0 {
            return Ok(());
        }
        let mut reference = entry.glue;
        let mut piece = Piece::at(generation, reference)?;
        if signed && entry.has(Slot::SIGNED_GLUE) {
            reference = piece.with_signatures();
            piece = Piece::at(generation, reference)?;
        }
        let whole = piece.whole();
        let extent = self.fit(&piece, &whole);
        self.take::<2>(reference, &piece, &whole, &extent);
        Ok(())
    }

    #[inline(always)]
    const fn is_truncated(&self) -> bool {
        matches!(self.plan.outcome, Reason::ReferralTruncated)
    }

    /// The most of a piece that fits, and what it means if that is not all.
    #[inline(always)]
    fn fit(&mut self, piece: &Piece<'_>, whole: &Extent) -> Extent {
        let extent = if whole.octets as usize <= self.room {
            *whole
        } else {
            self.plan.outcome = Reason::ReferralPartial;
            piece.longest_within(whole, self.room, &mut self.plan.cut_point)
        };
        // Even a whole piece may lack what the compiler had to leave out.
        if extent.flags & Extent::PARTIAL != 0 {
            self.plan.outcome = Reason::ReferralPartial;
        }
        if extent.flags & Extent::TRUNCATED != 0 {
            self.plan.outcome = Reason::ReferralTruncated;
        }
        extent
    }

    /// Puts a piece behind the others, as part `PART`.
    #[inline(always)]
    fn take<const PART: usize>(
        &mut self,
        reference: u32,
        piece: &Piece<'_>,
        whole: &Extent,
        extent: &Extent,
    ) {
        let plan = &mut *self.plan;
        let start = plan.body_octets;
        let body = self.place.name_octets.wrapping_sub(piece.base());
        let shift = Shift::new(
            self.place.prefix_octets,
            body,
            body.wrapping_add(start).wrapping_sub(piece.base_start()),
        );
        plan.body_octets += extent.octets;
        plan.authority += extent.authority as u16;
        plan.additional += extent.additional as u16;
        let odd = (plan.question_end + start) % 2 == 1;
        plan.sum = plan.sum.block(shift.sum(extent), odd);
        self.room = self.room.saturating_sub(extent.octets as usize);
        if let Some(part) = plan.parts.get_mut(PART) {
            part.piece = reference;
            part.start = start;
            part.octets = extent.octets;
            part.whole_octets = whole.octets;
            part.relocations = extent.relocations as u16;
            part.shift = shift;
        }
    }
}

/// The longest question and the longest OPT record leave room in every reply.
const _: () = assert!(
    HEADER_OCTETS
        + MAX_NAME_OCTETS
        + QUESTION_FIXED_OCTETS
        + OPT_OCTETS
        + OPTION_HEAD_OCTETS
        + MAX_NSID_OCTETS
        < MIN_UDP_OCTETS
);
