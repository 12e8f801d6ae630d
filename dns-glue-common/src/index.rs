//! The delegation index: from an owner name to what is said about it.
//!
//! One flat table of buckets, each a cache line of two slots. An entry lies in
//! one of two buckets that its key tells (a cuckoo table), so a lookup touches
//! at most two cache lines, and a miss mostly one.
//!
//! # Why a hash is as good as the name
//!
//! A slot holds 128 bits of hash instead of up to 255 octets of name. The hash
//! is four independent multilinear functions (Lemire and Kaser, "Strongly
//! universal string hashing is fast", 2014): with words w of 32 bits and
//! secret keys k of 64 bits drawn uniformly,
//!
//! ```text
//! h = (k[0] + k[1] w[0] + k[2] w[1] + ... mod 2^64) / 2^32
//! ```
//!
//! For two different sequences of the same length the pair of hashes is
//! uniformly distributed, so they are equal with probability 2^-32, and all
//! four with 2^-128. Names are only compared with names of the same number of
//! octets, which the slot holds too. So a name that no entry has meets one
//! of n entries with probability at most n 2^-128: below 2^-100 for up to
//! 2^28 entries, more than the largest zone. The secret never leaves the host; a
//! referral tells nothing of it, unless a name has met an entry that is not its
//! own. So whoever chooses names and zones chooses them as if it were drawn
//! afterwards, and the bound holds for each generation, whether it has a secret
//! of its own or the one of the generation from which it takes zones over: for
//! the names asked of several generations the bounds add up in either case. Two
//! entries with the same key make the compiler draw another, and compile every
//! zone anew.

use crate::limits::{HEADER_OCTETS, MAX_LABELS, MAX_NAME_OCTETS};
use crate::name::fold_case;
use crate::reason::Reason;
use crate::wire::Message;
use bytemuck::{Pod, Zeroable};

/// Words of 32 bits of the longest name.
const MAX_WORDS: usize = MAX_NAME_OCTETS.div_ceil(4);
/// Independent hashes.
const LANES: usize = 4;
/// Slots of a bucket.
pub const BUCKET_SLOTS: usize = 2;
/// The most entries for which the bound of 2^-100 holds.
pub const MAX_ENTRIES: usize = 1 << 28;

/// The secret keys, one a lane: the constant terms, then those of each word of
/// a name.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct HashSecret(pub [[u64; LANES]; MAX_WORDS + 1]);
const _: () = assert!(size_of::<HashSecret>() == 65 * 32);

/// The hash of a name, in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct NameKey(pub [u32; LANES]);

impl NameKey {
    /// The two buckets, of `buckets`, in which an entry with this key can be.
    #[inline(always)]
    pub const fn places(&self, buckets: u32) -> (u32, u32) {
        let [first, second, ..] = self.0;
        (scale(first, buckets), scale(second, buckets))
    }
}

/// Maps a uniform 32-bit number to a uniform number below `range`.
#[inline(always)]
const fn scale(uniform: u32, range: u32) -> u32 {
    ((uniform as u64).wrapping_mul(range as u64) >> 32) as u32
}

/// Where the secret keys come from.
pub trait Secret {
    /// The constant terms.
    fn constant_terms(&self) -> [u64; LANES];

    /// The keys of word `word`. Valid values: 0..=63.
    fn keys(&self, word: usize) -> [u64; LANES];
}

impl Secret for HashSecret {
    #[inline(always)]
    fn constant_terms(&self) -> [u64; LANES] {
        let [constant_terms, ..] = self.0;
        constant_terms
    }

    #[inline(always)]
    fn keys(&self, word: usize) -> [u64; LANES] {
        self.0.get(1 + word).copied().unwrap_or_default()
    }
}

/// Hashes `octets` octets of a name that start at `start` of the QNAME.
#[inline(always)]
pub fn hash_suffix<S: Secret + ?Sized>(
    message: &Message<'_>,
    start: usize,
    octets: usize,
    secret: &S,
) -> NameKey {
    let [mut a, mut b, mut c, mut d] = secret.constant_terms();
    message.for_words::<MAX_WORDS>(HEADER_OCTETS + start, octets, |word, value| {
        let value = fold_case(value) as u64;
        let [ka, kb, kc, kd] = secret.keys(word);
        a = a.wrapping_add(ka.wrapping_mul(value));
        b = b.wrapping_add(kb.wrapping_mul(value));
        c = c.wrapping_add(kc.wrapping_mul(value));
        d = d.wrapping_add(kd.wrapping_mul(value));
    });
    NameKey([
        (a >> 32) as u32,
        (b >> 32) as u32,
        (c >> 32) as u32,
        (d >> 32) as u32,
    ])
}

/// What an entry of the index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryKind {
    /// A delegation: a referral is due.
    Delegation = 1,
    /// The apex of a compiled zone: what is below no cut passes.
    Apex = 2,
    /// The apex of a zone that the server behind also serves.
    Served = 3,
    /// The owner of a DNAME.
    Dname = 4,
    /// A delegation that cannot be answered here.
    Refused = 5,
}

/// An entry of the index. Host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Slot {
    /// Hash of the owner name.
    pub key: NameKey,
    /// Octets of the owner name, root label included; 0 in an empty slot.
    pub name_octets: u8,
    /// An [`EntryKind`].
    pub kind: u8,
    /// Bits, below: `Slot::SIGNED` and so on.
    pub flags: u8,
    /// The number of the zone that holds the name; 0 for the apex of a zone that
    /// is not compiled. By that of a delegation its deadline is looked up
    /// ([`deadlines`](crate::deadlines)), and by all of them a later generation
    /// takes over the zone. Valid values: below
    /// [`MAX_ZONES`](crate::limits::MAX_ZONES).
    pub zone: u8,
    /// The NS records: a piece, or 0 with `NS_TOO_LONG`.
    pub ns: u32,
    /// DS or the denial with their signatures: a piece, or 0.
    pub proof: u32,
    /// Glue and addresses from the zone: a piece, or 0.
    pub glue: u32,
}
const _: () = assert!(size_of::<Slot>() == 32);

impl Slot {
    /// The zone is signed: with DO the proof follows the NS records.
    pub const SIGNED: u8 = 1 << 0;
    /// The NS records fit into no reply: always TC=1, with an empty body.
    pub const NS_TOO_LONG: u8 = 1 << 1;
    /// The proof fits into no reply: with DO always TC=1 after the NS records.
    pub const PROOF_TOO_LONG: u8 = 1 << 2;
    /// With DO the glue is another piece, with signatures, that the plain one
    /// names.
    pub const SIGNED_GLUE: u8 = 1 << 3;
    /// Replies have so many pointers that a body is worth keeping
    /// ([`kept`](crate::kept)).
    pub const WORTH_KEEPING: u8 = 1 << 4;
    /// Of the first slot: an entry of which this bucket is the first place
    /// lies in its second.
    pub const OVERFLOWED: u8 = 1 << 7;

    /// Nothing.
    pub const EMPTY: Self = Self {
        key: NameKey([0; LANES]),
        name_octets: 0,
        kind: 0,
        flags: 0,
        zone: 0,
        ns: 0,
        proof: 0,
        glue: 0,
    };

    /// Whether a flag is set.
    #[inline(always)]
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether this is the entry of a name.
    #[inline(always)]
    fn is(&self, key: &NameKey, name_octets: usize) -> bool {
        self.key.0 == key.0 && self.name_octets as usize == name_octets
    }

    /// Why a query at or below this entry passes; `None` for a delegation.
    #[inline(always)]
    pub const fn stop_reason(&self) -> Option<Reason> {
        const DELEGATION: u8 = EntryKind::Delegation as u8;
        const APEX: u8 = EntryKind::Apex as u8;
        const SERVED: u8 = EntryKind::Served as u8;
        const DNAME: u8 = EntryKind::Dname as u8;
        const REFUSED: u8 = EntryKind::Refused as u8;
        match self.kind {
            DELEGATION => None,
            APEX => Some(Reason::NoCut),
            SERVED => Some(Reason::Served),
            DNAME => Some(Reason::Dname),
            REFUSED => Some(Reason::Refused),
            _ => Some(Reason::Inconsistent),
        }
    }
}

/// A cache line of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(8))]
pub struct Bucket(pub [Slot; BUCKET_SLOTS]);
const _: () = assert!(size_of::<Bucket>() == 64);

/// For each number of labels, the largest number of labels up to it that an
/// entry's owner name has; 0 if there is none. The root is no entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Depths(pub [u8; MAX_LABELS + 1]);

/// The index, in maps or in memory.
pub trait Index: Secret {
    /// How many buckets there are.
    fn buckets(&self) -> u32;

    /// The bucket of that number.
    fn bucket(&self, number: u32) -> Option<&Bucket>;

    /// See [`Depths`].
    fn depth(&self, labels: usize) -> u8;
}

/// Looks up the entry of a name.
///
/// # Errors
///
/// `Inconsistent` if the index has fewer buckets than it says.
#[inline(always)]
pub fn find<'a, I: Index>(
    index: &'a I,
    key: &NameKey,
    name_octets: usize,
) -> Result<Option<&'a Slot>, Reason> {
    let (first, second) = key.places(index.buckets());
    let Bucket([left, right]) = index.bucket(first).ok_or(Reason::Inconsistent)?;
    if left.is(key, name_octets) {
        return Ok(Some(left));
    }
    if right.is(key, name_octets) {
        return Ok(Some(right));
    }
    if !left.has(Slot::OVERFLOWED) {
        return Ok(None);
    }
    let Bucket([left, right]) = index.bucket(second).ok_or(Reason::Inconsistent)?;
    if left.is(key, name_octets) {
        return Ok(Some(left));
    }
    if right.is(key, name_octets) {
        return Ok(Some(right));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests::buffer;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The hash as the module states it, in numbers that do not overflow.
    fn reference(name: &[u8], secret: &HashSecret) -> [u32; LANES] {
        let mut octets = name.to_ascii_lowercase();
        // A name that ends with a word has a word of zeros behind it.
        octets.resize(4 * (name.len() / 4 + 1), 0);
        let mut hash = [0; LANES];
        for (lane, hash) in hash.iter_mut().enumerate() {
            let key = |word: usize| u128::from(secret.0.as_slice()[word].as_slice()[lane]);
            let sum = (1..)
                .zip(octets.chunks(4))
                .fold(key(0), |sum, (word, chunk)| {
                    let chunk: [u8; 4] = chunk.try_into().expect("four octets");
                    sum + key(word) * u128::from(u32::from_ne_bytes(chunk))
                });
            *hash = ((sum % (1 << 64)) >> 32) as u32;
        }
        hash
    }

    proptest! {
        #[test]
        fn the_hash_is_the_one_that_the_bound_is_proven_for(
            front in proptest::collection::vec(any::<u8>(), 0..60),
            name in proptest::collection::vec(any::<u8>(), 1..=255),
            behind in proptest::collection::vec(any::<u8>(), 0..20),
            seed: u64,
        ) {
            let mut secret = HashSecret([[0; LANES]; MAX_WORDS + 1]);
            let mut next = seed;
            for key in secret.0.as_flattened_mut() {
                next = next.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                *key = next ^ (next >> 29);
            }
            let octets: Vec<u8> = [&[0; HEADER_OCTETS], &front[..], &name, &behind].concat();
            let octets_buffer = buffer(&octets);
            let message = Message::new(&octets_buffer, octets.len());
            let hash = hash_suffix(&message, front.len(), name.len(), &secret);
            prop_assert_eq!(hash.0, reference(&name, &secret));
        }

        /// Lemire's reduction: floor(uniform * range / 2^32), below the range,
        /// each place as likely as the next but for one number in 2^32 / range.
        #[test]
        fn places_are_in_the_table(uniform: u32, range in 1_u32..) {
            let place = u64::from(scale(uniform, range));
            prop_assert!(place < u64::from(range));
            let product = u64::from(uniform) * u64::from(range);
            prop_assert!(place << 32 <= product && product < (place + 1) << 32);
        }
    }

    #[test]
    fn the_ends_of_a_table() {
        for range in [1, 2, 3, 0x8000_0000, u32::MAX] {
            assert_eq!(scale(0, range), 0);
            assert_eq!(scale(u32::MAX, range), range - 1);
        }
    }

    #[test]
    fn every_kind_of_entry_but_a_delegation_stops() {
        for kind in 0..=u8::MAX {
            let slot = Slot {
                kind,
                ..Slot::EMPTY
            };
            let expected = match kind {
                1 => None,
                2 => Some(Reason::NoCut),
                3 => Some(Reason::Served),
                4 => Some(Reason::Dname),
                5 => Some(Reason::Refused),
                _ => Some(Reason::Inconsistent),
            };
            assert_eq!(slot.stop_reason(), expected);
        }
    }
}
