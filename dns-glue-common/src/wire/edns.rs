//! The OPT record of a query (RFC 6891 6.1).

use super::Message;
use crate::limits::{MAX_OPTIONS, MIN_UDP_OCTETS, OPT_OCTETS};
use crate::policy::Policy;
use crate::reason::Reason;

/// The type of an OPT record.
const TYPE_OPT: u16 = 41;
/// DNSSEC OK (RFC 3225 3), in the low half of the OPT record's TTL field.
pub const FLAG_DO: u16 = 0x8000;
/// DELEG aware (draft-ietf-deleg), in the same place.
const FLAG_DE: u16 = 0x2000;

/// What a client's OPT record asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// Octets that the client takes over UDP. Valid values: 512 and above;
    /// less in the query means 512 (RFC 6891 6.2.3).
    pub udp_octets: usize,
    /// DO: the client wants DNSSEC records.
    pub dnssec: bool,
    /// DE: the client understands DELEG.
    pub deleg: bool,
}

/// Option codes that change what is answered.
mod option {
    /// RFC 5001.
    pub const NSID: u16 = 3;
    /// RFC 7871.
    pub const ECS: u16 = 8;
    /// RFC 7314.
    pub const EXPIRE: u16 = 9;
    /// RFC 7873.
    pub const COOKIE: u16 = 10;
    /// RFC 9660.
    pub const ZONEVERSION: u16 = 19;
}

/// Parses the one additional record at `start`, which must be an OPT record
/// that ends with the message.
///
/// # Errors
///
/// `NotOpt` for any other record, `EdnsVersion`, `CutShort`, `TrailingOctets`,
/// and what the options lead to.
#[inline(always)]
pub fn parse_opt(message: &Message<'_>, start: usize, policy: &Policy) -> Result<Edns, Reason> {
    let (Some(owner), Some(rtype)) = (message.octet(start), message.u16(start + 1)) else {
        return Err(Reason::CutShort);
    };
    if owner != 0 || rtype != TYPE_OPT {
        return Err(Reason::NotOpt);
    }
    let (Some(class), Some(extended), Some(flags), Some(rdata_octets)) = (
        message.u16(start + 3),
        message.u16(start + 5),
        message.u16(start + 7),
        message.u16(start + 9),
    ) else {
        return Err(Reason::CutShort);
    };
    let version = extended & 0xff;
    if version != 0 {
        return Err(Reason::EdnsVersion);
    }
    let options = start + OPT_OCTETS;
    let end = options + rdata_octets as usize;
    if end > message.octets() {
        return Err(Reason::CutShort);
    }
    if end < message.octets() {
        return Err(Reason::TrailingOctets);
    }
    parse_options(message, options, end, policy)?;
    let udp_octets = if (class as usize) < MIN_UDP_OCTETS {
        MIN_UDP_OCTETS
    } else {
        class as usize
    };
    Ok(Edns {
        udp_octets,
        dnssec: flags & FLAG_DO != 0,
        deleg: flags & FLAG_DE != 0,
    })
}

/// Walks the options; any that the normal server may answer by itself passes
/// (referral policy of each: the spec of the option, named beside its code).
#[inline(always)]
fn parse_options(
    message: &Message<'_>,
    start: usize,
    end: usize,
    policy: &Policy,
) -> Result<(), Reason> {
    let mut offset = start;
    for _ in 0..MAX_OPTIONS {
        if offset >= end {
            break;
        }
        let (Some(code), Some(octets)) = (message.u16(offset), message.u16(offset + 2)) else {
            return Err(Reason::OptionLength);
        };
        offset = offset + 4 + octets as usize;
        if offset > end {
            return Err(Reason::OptionLength);
        }
        match code {
            option::NSID => return Err(Reason::OptionNsid),
            option::EXPIRE => return Err(Reason::OptionExpire),
            option::ZONEVERSION => return Err(Reason::OptionZoneVersion),
            option::COOKIE if policy.has(Policy::COOKIES_PASS) => {
                return Err(Reason::OptionCookie);
            }
            option::ECS if policy.has(Policy::ECS_PASS) => return Err(Reason::OptionEcs),
            _ => {}
        }
    }
    if offset < end {
        return Err(Reason::ManyOptions);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::buffer;
    use super::*;
    use crate::limits::DEFAULT_UDP_OCTETS;
    use std::vec::Vec;

    const POLICY: Policy = Policy {
        port: 53,
        max_udp: DEFAULT_UDP_OCTETS as u16,
        flags: 0,
    };

    fn opt(class: u16, ttl: u32, options: &[u8]) -> Vec<u8> {
        let mut octets = std::vec![0, 0, 41];
        octets.extend(class.to_be_bytes());
        octets.extend(ttl.to_be_bytes());
        octets.extend((options.len() as u16).to_be_bytes());
        octets.extend(options);
        octets
    }

    fn parse(octets: &[u8], flags: u32) -> Result<Edns, Reason> {
        let policy = Policy { flags, ..POLICY };
        parse_opt(&Message::new(&buffer(octets), octets.len()), 0, &policy)
    }

    #[test]
    fn every_size() {
        for class in 0..=u16::MAX {
            let edns = parse(&opt(class, 0, &[]), 0).expect("a plain OPT record");
            assert_eq!(edns.udp_octets, (class as usize).max(512));
            assert!(!edns.dnssec);
        }
    }

    #[test]
    fn every_flag_and_version() {
        for bit in 0..32 {
            let parsed = parse(&opt(1232, 1 << bit, &[]), 0);
            match bit {
                16..=23 => assert_eq!(parsed, Err(Reason::EdnsVersion)),
                // The extended RCODE of a query means nothing.
                _ => {
                    let edns = parsed.expect("a plain OPT record");
                    assert_eq!(edns.dnssec, bit == 15);
                    assert_eq!(edns.deleg, bit == 13);
                }
            }
        }
    }

    #[test]
    fn every_option() {
        for code in 0..=u16::MAX {
            let [high, low] = code.to_be_bytes();
            let octets = opt(1232, 0, &[high, low, 0, 2, 0xaa, 0xbb]);
            let expected = match code {
                3 => Some(Reason::OptionNsid),
                9 => Some(Reason::OptionExpire),
                19 => Some(Reason::OptionZoneVersion),
                _ => None,
            };
            assert_eq!(parse(&octets, 0).err(), expected, "{code}");
        }
        let cookie = opt(1232, 0, &[0, 10, 0, 0]);
        assert_eq!(
            parse(&cookie, Policy::COOKIES_PASS),
            Err(Reason::OptionCookie)
        );
        let subnet = opt(1232, 0, &[0, 8, 0, 0]);
        assert_eq!(parse(&subnet, Policy::ECS_PASS), Err(Reason::OptionEcs));
    }

    #[test]
    fn lengths_that_lie() {
        for stated in 0..=20u16 {
            let [high, low] = stated.to_be_bytes();
            let octets = opt(1232, 0, &[0, 12, high, low, 1, 2, 3, 4]);
            // 4 fits; 0 leaves an option of code 0x0102 and length 0x0304.
            let expected = (stated != 4).then_some(Reason::OptionLength);
            assert_eq!(parse(&octets, 0).err(), expected, "{stated}");
        }
        for length in 0..=20u16 {
            let mut octets = opt(1232, 0, &[0, 12, 0, 4, 1, 2, 3, 4]);
            octets.as_mut_slice()[9..11].copy_from_slice(&length.to_be_bytes());
            let expected = match length {
                0..8 => Some(Reason::TrailingOctets),
                8 => None,
                _ => Some(Reason::CutShort),
            };
            assert_eq!(parse(&octets, 0).err(), expected, "{length}");
        }
    }

    #[test]
    fn more_options_than_are_looked_at() {
        for options in 0..=MAX_OPTIONS + 1 {
            let padding: Vec<u8> = std::iter::repeat_n([0, 12, 0, 0], options)
                .flatten()
                .collect();
            let expected = (options > MAX_OPTIONS).then_some(Reason::ManyOptions);
            assert_eq!(parse(&opt(1232, 0, &padding), 0).err(), expected);
        }
    }

    #[test]
    fn other_records_and_owners() {
        let mut tsig = opt(1232, 0, &[]);
        tsig.as_mut_slice()[2] = 250;
        assert_eq!(parse(&tsig, 0), Err(Reason::NotOpt));
        let mut owner = opt(1232, 0, &[]);
        owner.as_mut_slice()[0] = 1;
        assert_eq!(parse(&owner, 0), Err(Reason::NotOpt));
        let whole = opt(1232, 0, &[]);
        for octets in 0..whole.len() {
            assert_eq!(parse(&whole[..octets], 0), Err(Reason::CutShort));
        }
    }
}
