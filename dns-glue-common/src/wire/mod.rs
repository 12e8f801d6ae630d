//! DNS messages: a bounded buffer of octets, and the parsers over it.

pub mod edns;
pub mod header;
pub mod query;
pub mod question;

use crate::frame::checksum::Sum;
use crate::limits::{MAX_LABELS, MAX_QUERY_OCTETS};

/// Octets behind the longest query, so that an eight-octet load at any offset
/// of the query stays inside the buffer.
const SLACK_OCTETS: usize = 8;

/// A DNS message as it came, in a buffer of fixed size.
///
/// Octets behind `octets` are whatever an earlier message left there: nothing
/// may be read from them except through the functions here, which know the
/// length.
///
/// # Verifier
///
/// Each access masks its offset to the buffer's size, on the very register
/// that is used; the comparison with the length is for correctness alone. The
/// verifier before 6.8 learns nothing from comparing two variables.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    buffer: &'a MessageBuffer,
    octets: usize,
}

/// Room for a message, aligned for four-octet loads.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(8))]
pub struct MessageBuffer(pub [u8; MAX_QUERY_OCTETS + SLACK_OCTETS]);

impl MessageBuffer {
    /// All octets zero.
    pub const EMPTY: Self = Self([0; MAX_QUERY_OCTETS + SLACK_OCTETS]);
}

/// The offset at which each label of a QNAME starts, from the name's start.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct LabelStarts([u8; MAX_LABELS + 1]);

impl LabelStarts {
    /// No label yet.
    pub const EMPTY: Self = Self([0; MAX_LABELS + 1]);

    /// The offset of label `label`, counted from the left, from 0.
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "masked to the array's 128 entries: no panic is left"
    )]
    pub const fn get(&self, label: usize) -> usize {
        self.0[label & MAX_LABELS] as usize
    }

    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "masked to the array's 128 entries: no panic is left"
    )]
    const fn set(&mut self, label: usize, start: usize) {
        self.0[label & MAX_LABELS] = start as u8;
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "every offset is masked below the buffer's length: no panic is left"
)]
impl<'a> Message<'a> {
    /// The first `octets` octets of `buffer`: at most [`MAX_QUERY_OCTETS`].
    ///
    /// # Verifier
    ///
    /// The length must come from memory ([`read_back`]) and is not compared
    /// here: a compiler that knew it for less than the buffer's size would see
    /// that the masks below change nothing, and leave them out.
    ///
    /// [`read_back`]: crate::frame::read_back
    #[inline(always)]
    pub const fn new(buffer: &'a MessageBuffer, octets: usize) -> Self {
        debug_assert!(octets <= MAX_QUERY_OCTETS);
        Self { buffer, octets }
    }

    /// Octets of the message.
    #[inline(always)]
    pub const fn octets(&self) -> usize {
        self.octets
    }

    /// The octet at `offset`, or `None` at the message's end and beyond.
    #[inline(always)]
    pub const fn octet(&self, offset: usize) -> Option<u8> {
        if offset < self.octets {
            Some(self.buffer.0[offset & (MAX_QUERY_OCTETS - 1)])
        } else {
            None
        }
    }

    /// The 16-bit number at `offset`, network byte order, if it is inside.
    #[inline(always)]
    pub const fn u16(&self, offset: usize) -> Option<u16> {
        if offset.saturating_add(2) <= self.octets {
            let at = offset & (MAX_QUERY_OCTETS - 1);
            Some(u16::from_be_bytes([
                self.buffer.0[at],
                self.buffer.0[at + 1],
            ]))
        } else {
            None
        }
    }

    /// Two 16-bit numbers from `offset`, network byte order; they must be
    /// inside.
    #[inline(always)]
    pub(super) const fn numbers(&self, offset: usize) -> [u16; 2] {
        let word = u32::from_be(self.word(offset));
        [(word >> 16) as u16, word as u16]
    }

    /// The 64-bit number at `offset`, network byte order; it must be inside.
    #[inline(always)]
    pub(super) const fn long_number(&self, offset: usize) -> u64 {
        u64::from_be(self.double_word(offset))
    }

    /// Four octets from `offset`, native byte order; they must be inside.
    #[inline(always)]
    const fn word(&self, offset: usize) -> u32 {
        let at = offset & (MAX_QUERY_OCTETS - 1);
        u32::from_ne_bytes([
            self.buffer.0[at],
            self.buffer.0[at + 1],
            self.buffer.0[at + 2],
            self.buffer.0[at + 3],
        ])
    }

    /// Eight octets from `offset`, native byte order; they must be inside, or
    /// behind the last octet.
    #[inline(always)]
    const fn double_word(&self, offset: usize) -> u64 {
        let at = offset & (MAX_QUERY_OCTETS - 1);
        u64::from_ne_bytes([
            self.buffer.0[at],
            self.buffer.0[at + 1],
            self.buffer.0[at + 2],
            self.buffer.0[at + 3],
            self.buffer.0[at + 4],
            self.buffer.0[at + 5],
            self.buffer.0[at + 6],
            self.buffer.0[at + 7],
        ])
    }

    /// Sums the octets from `start` to `end`, as if they began at an even
    /// offset. They must be inside the message, and at most
    /// `8 * MAX_DOUBLE_WORDS`.
    ///
    /// # Verifier
    ///
    /// As [`Message::for_words`].
    #[inline(always)]
    pub fn sum<const MAX_DOUBLE_WORDS: usize>(&self, start: usize, end: usize) -> Sum {
        let octets = end.saturating_sub(start);
        let whole = octets / 8;
        let last = self.double_word(start + 8 * whole);
        // The first octets in memory stay, seven at most.
        let mask = (1u64 << (8 * (octets % 8))).wrapping_sub(1);
        let mut sum = Sum::ZERO.double_words(last & u64::from_le(mask));
        for word in 0..MAX_DOUBLE_WORDS {
            if word >= whole {
                break;
            }
            sum = sum.double_words(self.double_word(start + 8 * word));
        }
        sum
    }

    /// Calls `each` with every four octets of the `octets` from `start` and
    /// their number, counted from 0: first with the last, which are zero from
    /// the end on, then with the others from the left.
    ///
    /// The octets must be inside the message, and at most `4 * MAX_WORDS`.
    ///
    /// # Verifier
    ///
    /// The last come first, and whole or not they are masked: a branch on it
    /// inside the loop would start a way of its own at every turn, and what is
    /// computed from the turn behind the loop would end in one for each.
    #[inline(always)]
    pub fn for_words<const MAX_WORDS: usize>(
        &self,
        start: usize,
        octets: usize,
        mut each: impl FnMut(usize, u32),
    ) {
        let whole = octets / 4;
        let last = self.word(start + 4 * whole);
        // The first octets in memory stay, three at most.
        let mask = (1u32 << (8 * (octets % 4))).wrapping_sub(1);
        each(whole, last & u32::from_le(mask));
        for word in 0..MAX_WORDS {
            if word >= whole {
                break;
            }
            each(word, self.word(start + 4 * word));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A buffer that holds `octets`, and behind them what must not be read.
    pub(crate) fn buffer(octets: &[u8]) -> MessageBuffer {
        let mut buffer = MessageBuffer([0xa5; MAX_QUERY_OCTETS + SLACK_OCTETS]);
        buffer.0.as_mut_slice()[..octets.len()].copy_from_slice(octets);
        buffer
    }

    #[test]
    fn nothing_behind_the_end_is_read() {
        for octets in 0..=MAX_QUERY_OCTETS {
            let content: std::vec::Vec<u8> = (0..octets).map(|at| at as u8).collect();
            let buffer = buffer(&content);
            let message = Message::new(&buffer, octets);
            for offset in 0..=octets + 4 {
                let expected = content.get(offset).copied();
                assert_eq!(message.octet(offset), expected);
                let next = content.get(offset + 1).copied();
                let pair = expected.zip(next).map(|(a, b)| u16::from_be_bytes([a, b]));
                assert_eq!(message.u16(offset), pair);
            }
        }
    }

    #[test]
    fn words_are_zero_from_the_end_on() {
        let content: std::vec::Vec<u8> = (1..=200).collect();
        let buffer = buffer(&content);
        let message = Message::new(&buffer, content.len());
        for start in 0..content.len() {
            for end in start..=content.len() {
                let octets = end - start;
                let mut found = std::vec![0; 4 * (octets / 4 + 1)];
                message.for_words::<128>(start, octets, |word, value| {
                    let place = &mut found.as_mut_slice()[4 * word..4 * word + 4];
                    assert_eq!(*place, [0; 4], "each word once");
                    place.copy_from_slice(&value.to_ne_bytes());
                });
                let mut expected = content[start..end].to_vec();
                expected.resize(found.len(), 0);
                assert_eq!(found, expected);
            }
        }
    }
}
