//! Choices out of a fuzzer's octets.

use crate::program_support::random::Draw;

/// Octets that are used up choice by choice; when they are, every choice is
/// the first, and nothing that is rare happens.
pub(crate) struct Octets<'a>(pub(crate) &'a [u8]);

impl Octets<'_> {
    /// So many octets as a number; those that are missing are zero.
    fn number(&mut self, octets: usize) -> u64 {
        let (taken, rest) = self.0.split_at(octets.min(self.0.len()));
        self.0 = rest;
        taken
            .iter()
            .fold(0, |number, octet| number << 8 | u64::from(*octet))
    }
}

impl Draw for Octets<'_> {
    fn next(&mut self) -> u64 {
        self.number(8)
    }

    /// Takes no more octets than the choice is worth, so that a changed octet
    /// changes one choice.
    fn below(&mut self, bound: usize) -> usize {
        let octets = match bound {
            0..=1 => 0,
            2..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 8,
        };
        (self.number(octets) % bound as u64) as usize
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }
}
