//! The header of a query (RFC 1035 4.1.1).

use super::Message;
use crate::limits::HEADER_OCTETS;
use crate::reason::Reason;

/// Bits of the header's second 16-bit word.
pub mod flags {
    /// Response.
    pub const QR: u16 = 0x8000;
    /// OPCODE, four bits.
    pub const OPCODE: u16 = 0x7800;
    /// Truncation.
    pub const TC: u16 = 0x0200;
    /// Recursion desired.
    pub const RD: u16 = 0x0100;
    /// Checking disabled (RFC 4035 3.1.6).
    pub const CD: u16 = 0x0010;
    /// RCODE, four bits.
    pub const RCODE: u16 = 0x000f;
}

/// What a reply needs of a query's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The second word as it came: OPCODE and RCODE are 0, QR is clear.
    pub flags: u16,
    /// Whether one additional record follows the question.
    pub has_additional: bool,
}

/// Parses the header of a plain query: one question, at most one additional
/// record.
///
/// # Errors
///
/// `ShortQuery`, `Response`, `Opcode`, `Rcode`, `Counts`.
#[inline(always)]
pub fn parse_header(message: &Message<'_>) -> Result<Header, Reason> {
    if message.octets() < HEADER_OCTETS {
        return Err(Reason::ShortQuery);
    }
    let [flags, _] = message.numbers(2);
    // Questions, answers, authority and additional records as one number.
    let counts = message.long_number(4);
    if flags & flags::QR != 0 {
        return Err(Reason::Response);
    }
    if flags & flags::OPCODE != 0 {
        return Err(Reason::Opcode);
    }
    if flags & flags::RCODE != 0 {
        return Err(Reason::Rcode);
    }
    let has_additional = counts & 1 != 0;
    if counts & !1 != 1 << 48 {
        return Err(Reason::Counts);
    }
    Ok(Header {
        flags,
        has_additional,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::buffer;
    use super::*;

    fn parse(octets: &[u8]) -> Result<Header, Reason> {
        parse_header(&Message::new(&buffer(octets), octets.len()))
    }

    #[test]
    fn every_flags_word() {
        for flags in 0..=u16::MAX {
            let [high, low] = flags.to_be_bytes();
            let parsed = parse(&[0x12, 0x34, high, low, 0, 1, 0, 0, 0, 0, 0, 1]);
            let expected = if high & 0x80 != 0 {
                Err(Reason::Response)
            } else if high & 0x78 != 0 {
                Err(Reason::Opcode)
            } else if low & 0x0f != 0 {
                Err(Reason::Rcode)
            } else {
                Ok(Header {
                    flags,
                    has_additional: true,
                })
            };
            assert_eq!(parsed, expected, "{flags:#06x}");
        }
    }

    #[test]
    fn every_count_of_each_section() {
        for section in 0..4usize {
            for count in 0..=u16::MAX {
                let mut octets = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
                let at = 4 + 2 * section;
                octets.as_mut_slice()[at..at + 2].copy_from_slice(&count.to_be_bytes());
                let plain = match section {
                    0 => count == 1,
                    3 => count <= 1,
                    _ => count == 0,
                };
                assert_eq!(parse(&octets).is_ok(), plain, "{section} {count}");
            }
        }
    }

    #[test]
    fn a_short_header() {
        for octets in 0..12 {
            assert_eq!(parse(&[0; 12][..octets]), Err(Reason::ShortQuery));
        }
    }
}
