//! Bodies of replies that were sent, kept to be sent again.
//!
//! A few delegations get most of a zone's queries, for names of a few dozen
//! lengths, and all that depends on the name in the body of a referral is the
//! length. So what was put together once, from pieces whose pointers were
//! shifted one by one, is kept: the next time it is a copy.
//!
//! *Invariant:* a kept body is, octet for octet, what would be put together
//! for its key. The key holds everything that the body depends on within one
//! generation; each generation has bodies of its own, each CPU too.
//!
//! A body is kept when it comes up twice at its place, and no other that is not
//! kept there comes up between: names drawn at random (a flood, say) seldom push
//! out what is asked often.

use crate::frame::checksum::Sum;
use crate::limits::{KEPT_BODIES, MAX_UDP_OCTETS};
use bytemuck::{Pod, Zeroable};

/// Everything that a body depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct BodyKey {
    /// The NS records: a piece, never 0.
    pub ns: u32,
    /// The glue: a piece.
    pub glue: u32,
    /// DS or denial: a piece; 0 if the reply has none.
    pub proof: u32,
    /// Octets of QNAME, octets of it in front of the cut name, and bits: a
    /// signed reply, an OPT record, DO in it.
    pub question: u32,
}

impl BodyKey {
    /// The key of no body.
    pub const NONE: Self = Self {
        ns: 0,
        glue: 0,
        proof: 0,
        question: 0,
    };

    /// A number that tells keys apart nearly always; its uppermost bits are the
    /// place.
    #[inline(always)]
    const fn spread(&self) -> u64 {
        let Self {
            ns,
            glue,
            proof,
            question,
        } = *self;
        let pieces = (ns as u64 | (proof as u64) << 32) ^ (glue as u64) << 16;
        // Odd numbers without a pattern: nobody gains by keys that meet.
        pieces
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add((question as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f))
    }
}

/// A place for a body.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(8))]
pub struct KeptBody {
    /// Of the body that is kept.
    key: BodyKey,
    /// The key, spread, that came up here last.
    candidate: u64,
    /// The sum of the body as it stands in the message.
    sum: u16,
    octets: u16,
    authority: u16,
    additional: u16,
    /// Everything behind the question, the OPT record included.
    pub body: [u8; MAX_UDP_OCTETS],
}
const _: () = assert!(size_of::<KeptBody>() == 32 + MAX_UDP_OCTETS);

/// What a kept body is.
#[derive(Clone, Copy)]
pub struct Found {
    /// The sum of the body as it stands in the message.
    pub sum: Sum,
    /// Octets. Valid values: `1..=MAX_UDP_OCTETS`.
    pub octets: u16,
    /// Records of the authority section.
    pub authority: u16,
    /// Records of the additional section, the OPT record included.
    pub additional: u16,
}

impl KeptBody {
    /// No body.
    pub const EMPTY: Self = Self {
        key: BodyKey::NONE,
        candidate: 0,
        sum: 0,
        octets: 0,
        authority: 0,
        additional: 0,
        body: [0; MAX_UDP_OCTETS],
    };

    /// The body of that key, if it is the one that is kept.
    #[inline(always)]
    pub const fn find(&self, key: &BodyKey) -> Option<Found> {
        // By fields, which are compared as numbers.
        let is_same = self.key.ns == key.ns
            && self.key.question == key.question
            && self.key.glue == key.glue
            && self.key.proof == key.proof;
        if !is_same {
            return None;
        }
        Some(Found {
            sum: Sum::ZERO.words(self.sum as u32),
            octets: self.octets,
            authority: self.authority,
            additional: self.additional,
        })
    }

    /// Notes that a key came up that has no body here; whether it should have
    /// one now.
    #[inline(always)]
    pub const fn is_due(&mut self, key: &BodyKey) -> bool {
        let spread = key.spread();
        let is_due = self.candidate == spread;
        self.candidate = spread;
        is_due
    }

    /// Forgets the body: it is about to be written over.
    #[inline(always)]
    pub const fn clear(&mut self) {
        self.key.ns = 0;
    }

    /// Says what `body` holds now.
    #[inline(always)]
    pub const fn set(&mut self, key: &BodyKey, found: &Found) {
        self.sum = found.sum.folded();
        self.octets = found.octets;
        self.authority = found.authority;
        self.additional = found.additional;
        self.key = *key;
    }
}

/// The places of one CPU, in a map or in memory.
pub trait KeptBodies {
    /// Place `place`. Valid values: below [`KEPT_BODIES`].
    fn place(&mut self, place: u32) -> Option<&mut KeptBody>;
}

/// The place of a key.
#[inline(always)]
pub const fn place_of(key: &BodyKey) -> u32 {
    const BITS: u32 = KEPT_BODIES.trailing_zeros();
    (key.spread() >> (u64::BITS - BITS)) as u32
}
