//! One's-complement sums (RFC 1071), in the octet order of memory.
//!
//! The Internet checksum does not depend on byte order: summing words as the
//! machine loads them and storing the result as it stores it gives the same
//! octets. So nothing here swaps octets, except where a number is added.

/// A sum under way: 16-bit words in memory order, not yet folded.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Sum(u64);

impl Sum {
    /// Nothing summed.
    pub const ZERO: Self = Self(0);

    /// Adds two words as they lie in memory, the first at an even offset of
    /// what is summed.
    #[inline(always)]
    pub const fn words(self, words: u32) -> Self {
        // Up to 2^32 such additions cannot overflow 64 bits.
        Self(self.0.wrapping_add(words as u64))
    }

    /// Adds four words as they lie in memory, the first at an even offset.
    #[inline(always)]
    pub const fn double_words(self, words: u64) -> Self {
        self.words(words as u32).words((words >> 32) as u32)
    }

    /// Adds another sum of words at even offsets.
    #[inline(always)]
    pub const fn sum(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// Takes a part of what was summed away again: the sum of octets that start
    /// at an offset that is even or odd.
    #[inline(always)]
    pub const fn without(self, part: Self, odd: bool) -> Self {
        // Memory order or not: at an odd offset the octets of a word change
        // places.
        let part = part.folded();
        let part = if odd { part.swap_bytes() } else { part };
        // The complement is what completes it to 65535.
        self.words(!part as u32)
    }

    /// Adds a number that stands at an even offset in network byte order.
    #[inline(always)]
    pub const fn number(self, number: u16) -> Self {
        Self(self.0.wrapping_add(number.to_be() as u64))
    }

    /// Adds a sum of numbers (see [`fold`]) whose octets start at an offset
    /// that is even or odd.
    ///
    /// At an odd offset every octet changes its place in its word, which in
    /// one's-complement arithmetic is a multiplication by 256.
    #[inline(always)]
    pub const fn block(self, sum: u16, odd: bool) -> Self {
        let sum = if odd { sum.swap_bytes() } else { sum };
        self.number(sum)
    }

    /// The sum modulo 65535, in memory order; 0 only if nothing but zeros was
    /// summed.
    #[inline(always)]
    pub const fn folded(self) -> u16 {
        fold(self.0)
    }

    /// The checksum field, ready to be stored as it is.
    #[inline(always)]
    pub const fn finish(self) -> u16 {
        !self.folded()
    }

    /// The UDP checksum field: 0 would mean "none", so its other form is sent
    /// (RFC 768, RFC 8200 8.1).
    #[inline(always)]
    pub const fn finish_udp(self) -> u16 {
        match self.finish() {
            0 => 0xffff,
            checksum => checksum,
        }
    }

    /// Whether a message that was summed with its checksum is intact.
    #[inline(always)]
    pub const fn is_intact(self) -> bool {
        self.folded() == 0xffff
    }
}

/// Folds a sum into 16 bits; the result is 0 only for 0.
#[inline(always)]
pub const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    // At most 0x1_0000_0000 >> 16 and two carries are left.
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The sum as RFC 1071 defines it: big-endian words, carries added back.
    fn reference(octets: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in octets.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([*pair.first().unwrap_or(&0), low]));
            if sum > 0xffff {
                sum -= 0xffff;
            }
        }
        sum as u16
    }

    fn sum(octets: &[u8]) -> Sum {
        octets.chunks(4).fold(Sum::ZERO, |sum, chunk| {
            let mut word = [0; 4];
            word.as_mut_slice()[..chunk.len()].copy_from_slice(chunk);
            sum.words(u32::from_ne_bytes(word))
        })
    }

    #[test]
    fn the_example_of_rfc_1071() {
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(sum(&octets).folded().to_be(), 0xddf2);
    }

    #[test]
    fn fold_is_the_remainder_modulo_65535() {
        for sum in (0..0x3_0000u64).chain(u64::MAX - 0x3_0000..=u64::MAX) {
            let folded = fold(sum);
            assert_eq!(u64::from(folded) % 0xffff, sum % 0xffff, "{sum:#x}");
            assert_eq!(folded == 0, sum == 0, "{sum:#x}");
        }
    }

    /// Folding moves whole words of 16 bits, so what matters is how they carry.
    #[test]
    fn fold_takes_every_carry() {
        let words = [0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff_u64];
        for (a, b) in words.iter().flat_map(|a| words.map(|b| (a, b))) {
            for (c, d) in words.iter().flat_map(|c| words.map(|d| (c, d))) {
                let sum = a << 48 | b << 32 | c << 16 | d;
                assert_eq!(u64::from(fold(sum)) % 0xffff, sum % 0xffff, "{sum:#x}");
                assert_eq!(fold(sum) == 0, sum == 0, "{sum:#x}");
            }
        }
    }

    #[test]
    fn a_udp_checksum_is_never_zero() {
        assert_eq!(Sum::ZERO.words(0xffff).finish(), 0);
        for word in 0..=0xffffu32 {
            assert_ne!(Sum::ZERO.words(word).finish_udp(), 0);
        }
    }

    proptest! {
        #[test]
        fn fold_is_the_remainder_of_any_sum(sum: u64) {
            prop_assert_eq!(u64::from(fold(sum)) % 0xffff, sum % 0xffff);
        }

        #[test]
        fn equals_the_reference(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
            let folded = sum(&octets).folded().to_be();
            prop_assert_eq!(u32::from(folded) % 0xffff, u32::from(reference(&octets)) % 0xffff);
        }

        /// Octets, and a part of them that begins anywhere: what is left is the
        /// sum of the others where they are.
        #[test]
        fn a_part_may_be_taken_away(
            octets in proptest::collection::vec(any::<u8>(), 2..300),
            start: proptest::sample::Index,
        ) {
            let start = start.index(octets.len());
            let (front, part) = octets.split_at(start);
            let left = sum(&octets).without(sum(part), start % 2 == 1);
            prop_assert_eq!(
                u32::from(left.folded()) % 0xffff,
                u32::from(sum(front).folded()) % 0xffff
            );
        }

        #[test]
        fn a_block_may_start_anywhere(
            front in proptest::collection::vec(any::<u8>(), 0..40),
            block in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut padded = front.clone();
            padded.resize(front.len() + front.len() % 2, 0);
            let whole: Vec<u8> = front.iter().chain(&block).copied().collect();
            let composed = sum(&padded).block(reference(&block), front.len() % 2 == 1);
            prop_assert_eq!(
                u32::from(composed.folded().to_be()) % 0xffff,
                u32::from(reference(&whole)) % 0xffff
            );
        }
    }
}
