//! The name server identifier (RFC 5001), as an option ready to be sent.

use crate::frame::checksum::fold;
use crate::limits::{MAX_NSID_OCTETS, OPTION_HEAD_OCTETS};
use bytemuck::{Pod, Zeroable};

/// The option code of NSID.
pub const CODE: u16 = 3;

/// An identifier, or none. Host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Nsid {
    /// Octets of the identifier; 0 for none.
    octets: u16,
    /// The sum of the whole option as if it began at an even offset; a number.
    sum: u16,
    /// The identifier and zeros.
    identifier: [u8; MAX_NSID_OCTETS],
}
const _: () = assert!(size_of::<Nsid>() == 4 + MAX_NSID_OCTETS);

impl Nsid {
    /// No identifier: the server behind answers those who ask for one.
    pub const NONE: Self = Self {
        octets: 0,
        sum: 0,
        identifier: [0; MAX_NSID_OCTETS],
    };

    /// The identifier with these octets; nothing unless they are
    /// `1..=MAX_NSID_OCTETS`.
    pub fn new(identifier: &[u8]) -> Option<Self> {
        if identifier.is_empty() {
            return None;
        }
        let mut nsid = Self::NONE;
        nsid.octets = identifier.len() as u16;
        nsid.identifier
            .get_mut(..identifier.len())?
            .copy_from_slice(identifier);
        let (words, _) = nsid.identifier.as_chunks::<2>();
        let words = words.iter().map(|word| u16::from_be_bytes(*word) as u64);
        nsid.sum = fold(CODE as u64 + nsid.octets as u64 + words.sum::<u64>());
        Some(nsid)
    }

    /// Whether there is one.
    #[inline(always)]
    pub const fn is_some(&self) -> bool {
        self.octets != 0
    }

    /// Its octets; none if there is no identifier.
    pub fn as_slice(&self) -> &[u8] {
        self.identifier
            .get(..self.octets as usize)
            .unwrap_or_default()
    }

    /// Octets of the identifier.
    #[inline(always)]
    pub const fn octets(&self) -> usize {
        self.octets as usize
    }

    /// Octets of the option.
    #[inline(always)]
    pub const fn option_octets(&self) -> usize {
        OPTION_HEAD_OCTETS + self.octets as usize
    }

    /// The option's code and length.
    #[inline(always)]
    pub const fn option_head(&self) -> [u8; OPTION_HEAD_OCTETS] {
        let [code_high, code_low] = CODE.to_be_bytes();
        let [high, low] = self.octets.to_be_bytes();
        [code_high, code_low, high, low]
    }

    /// See the field.
    #[inline(always)]
    pub const fn sum(&self) -> u16 {
        self.sum
    }

    /// The identifier, zeros behind it.
    #[inline(always)]
    pub const fn padded(&self) -> &[u8; MAX_NSID_OCTETS] {
        &self.identifier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn every_length() {
        for octets in 0..=MAX_NSID_OCTETS + 1 {
            let identifier: Vec<u8> = (0..octets).map(|octet| 0xff - octet as u8).collect();
            let Some(nsid) = Nsid::new(&identifier) else {
                assert!(octets == 0 || octets > MAX_NSID_OCTETS);
                continue;
            };
            assert_eq!(nsid.as_slice(), identifier);
            let mut option = Vec::from([0, 3, 0, octets as u8]);
            option.extend(&identifier);
            assert_eq!(nsid.option_octets(), option.len());
            assert_eq!(nsid.option_head(), option[..4]);
            let words = option.chunks(2).map(|pair| {
                let low = pair.get(1).copied().unwrap_or(0);
                u64::from(u16::from_be_bytes([pair[0], low]))
            });
            assert_eq!(u64::from(nsid.sum()) % 0xffff, words.sum::<u64>() % 0xffff);
        }
    }
}
