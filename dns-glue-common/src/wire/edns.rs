//! The OPT record of a query (RFC 6891 6.1).

use super::Message;
use crate::frame::read_back;
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
    pub use crate::nsid::CODE as NSID;
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
/// that ends with the message. Counts NSID options in `nsids`, which is 0.
///
/// # Errors
///
/// `NotOpt` for any other record, `EdnsVersion`, `CutShort`, `TrailingOctets`,
/// and what the options lead to.
#[inline(always)]
pub fn parse_opt(
    message: &Message<'_>,
    start: usize,
    policy: &Policy,
    nsids: &mut u16,
) -> Result<Edns, Reason> {
    let (Some(owner), Some(rtype)) = (message.octet(start), message.u16(start + 1)) else {
        return Err(Reason::CutShort);
    };
    if owner != 0 || rtype != TYPE_OPT {
        return Err(Reason::NotOpt);
    }
    let options = start + OPT_OCTETS;
    if options > message.octets() {
        return Err(Reason::CutShort);
    }
    let [class, extended] = message.numbers(start + 3);
    let [flags, rdata_octets] = message.numbers(start + 7);
    let version = extended & 0xff;
    if version != 0 {
        return Err(Reason::EdnsVersion);
    }
    let end = options + rdata_octets as usize;
    if end > message.octets() {
        return Err(Reason::CutShort);
    }
    if end < message.octets() {
        return Err(Reason::TrailingOctets);
    }
    parse_options(message, options, end, policy, nsids)?;
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

/// Lengths that the specification of an option allows: bit n for n octets, the
/// last bit for 63 and more. BIND answers FORMERR to any other, Knot and NSD do
/// not look.
///
/// # Verifier
///
/// A table, because a branch for each code would be a way for each; of a power
/// of two, so that a mask bounds the place.
static LENGTHS: [u64; 32] = {
    const fn range(first: u32, last: u32) -> u64 {
        (u64::MAX >> (63 - (last - first))) << first
    }
    let mut lengths = [u64::MAX; 32];
    // LLQ (RFC 8764).
    lengths[1] = range(18, 18);
    // Client subnet (RFC 7871 6): a family, two lengths and an address.
    lengths[8] = range(4, 20);
    // COOKIE (RFC 7873 4).
    lengths[10] = range(8, 8) | range(16, 40);
    // KEY-TAG (RFC 8145 4.1): numbers of two octets, at least one.
    lengths[14] = 0x5555_5555_5555_5554;
    // EDE (RFC 8914 2).
    lengths[15] = range(2, 63);
    // Client and server tag (draft-bellis-dnsop-edns-tags).
    lengths[16] = range(2, 2);
    lengths[17] = range(2, 2);
    lengths
};

/// Whether an option may have so many octets.
#[inline(always)]
fn is_length_allowed(code: u16, octets: u16) -> bool {
    let last_bit = u64::BITS as u16 - 1;
    let bit = if octets < last_bit { octets } else { last_bit };
    // Read back, or the mask would be taken for needless and left out.
    let place = read_back(&code) as usize & (LENGTHS.len() - 1);
    match LENGTHS.get(place) {
        Some(lengths) if (code as usize) < LENGTHS.len() => lengths >> bit & 1 == 1,
        _ => true,
    }
}

/// Walks the options; any that servers treat differently passes (the spec of
/// each is named beside its code).
///
/// An NSID option in a query must be empty, and servers must not look at what
/// it holds (RFC 5001 2.1, 2.2). Two of them lead to one identifier in the reply
/// of Knot and BIND and to a broken OPT record in that of NSD.
#[inline(always)]
fn parse_options(
    message: &Message<'_>,
    start: usize,
    end: usize,
    policy: &Policy,
    nsids: &mut u16,
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
            option::NSID if !policy.nsid.is_some() => return Err(Reason::OptionNsid),
            option::NSID => *nsids = read_back(nsids).wrapping_add(1),
            option::EXPIRE => return Err(Reason::OptionExpire),
            option::ZONEVERSION => return Err(Reason::OptionZoneVersion),
            option::COOKIE if policy.has(Policy::COOKIES_PASS) => {
                return Err(Reason::OptionCookie);
            }
            option::ECS if policy.has(Policy::ECS_PASS) => return Err(Reason::OptionEcs),
            _ => {}
        }
        if !is_length_allowed(code, octets) {
            return Err(Reason::OptionMalformed);
        }
    }
    if offset < end {
        return Err(Reason::ManyOptions);
    }
    if read_back(nsids) > 1 {
        return Err(Reason::OptionNsid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::buffer;
    use super::*;
    use crate::limits::MAX_QUERY_OCTETS;
    use crate::nsid::Nsid;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn opt(class: u16, ttl: u32, options: &[u8]) -> Vec<u8> {
        let mut octets = std::vec![0, 0, 41];
        octets.extend(class.to_be_bytes());
        octets.extend(ttl.to_be_bytes());
        octets.extend((options.len() as u16).to_be_bytes());
        octets.extend(options);
        octets
    }

    fn parse(octets: &[u8], flags: u32) -> Result<Edns, Reason> {
        let policy = Policy {
            flags,
            ..Policy::DEFAULT
        };
        let message = buffer(octets);
        parse_opt(&Message::new(&message, octets.len()), 0, &policy, &mut 0)
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
                1 | 8 | 10 => Some(Reason::OptionMalformed),
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

    /// What a list of options leads to, and how many NSID options it has, by
    /// the list instead of the octets.
    fn reference(options: &[(u16, Vec<u8>)], policy: &Policy) -> Result<u16, Reason> {
        let mut nsids = 0;
        for (place, (code, data)) in options.iter().enumerate() {
            if place == MAX_OPTIONS {
                return Err(Reason::ManyOptions);
            }
            let octets = data.len();
            match code {
                3 if policy.nsid.is_some() => nsids += 1,
                3 => return Err(Reason::OptionNsid),
                9 => return Err(Reason::OptionExpire),
                19 => return Err(Reason::OptionZoneVersion),
                10 if policy.has(Policy::COOKIES_PASS) => return Err(Reason::OptionCookie),
                8 if policy.has(Policy::ECS_PASS) => return Err(Reason::OptionEcs),
                _ => {}
            }
            let allowed = match code {
                1 => octets == 18,
                8 => (4..=20).contains(&octets),
                10 => octets == 8 || (16..=40).contains(&octets),
                // What is longer than 62 octets is left to the server behind.
                14 => octets.is_multiple_of(2) && (2..=62).contains(&octets),
                15 => octets >= 2,
                16 | 17 => octets == 2,
                _ => true,
            };
            if !allowed {
                return Err(Reason::OptionMalformed);
            }
        }
        match nsids {
            0 | 1 => Ok(nsids),
            _ => Err(Reason::OptionNsid),
        }
    }

    fn agrees(options: &[(u16, Vec<u8>)], flags: u32, nsid: Nsid) {
        let mut rdata = Vec::new();
        for (code, data) in options {
            rdata.extend(code.to_be_bytes());
            rdata.extend((data.len() as u16).to_be_bytes());
            rdata.extend(data);
        }
        let octets = opt(1232, 0, &rdata);
        assert!(octets.len() <= MAX_QUERY_OCTETS, "a test of its own");
        let policy = Policy {
            flags,
            nsid,
            ..Policy::DEFAULT
        };
        let message = buffer(&octets);
        let message = Message::new(&message, octets.len());
        let mut nsids = 0;
        let parsed = parse_opt(&message, 0, &policy, &mut nsids).map(|_| nsids);
        assert_eq!(parsed, reference(options, &policy), "{options:?}");
    }

    fn identifier() -> Nsid {
        Nsid::new(b"ns7").expect("three octets")
    }

    #[test]
    fn every_length_of_every_known_option() {
        for code in 0..=20 {
            for octets in 0..=400 {
                for nsid in [Nsid::NONE, identifier()] {
                    agrees(&[(code, std::vec![0xff; octets])], 0, nsid);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_options_in_any_order(
            options in vec((prop_oneof![4 => 0..20u16, 1 => any::<u16>()], 0..4usize), 0..18),
            flags in 0..4u32,
            nsid in any::<bool>(),
        ) {
            // Lengths that are allowed most often: a wrong one ends the walk.
            let lengths = |code| match code {
                1 => [18, 18, 18, 17],
                8 => [4, 7, 20, 3],
                10 => [8, 16, 24, 9],
                _ => [2, 4, 2, 0],
            };
            let options: Vec<(u16, Vec<u8>)> = options
                .into_iter()
                .map(|(code, place)| (code, std::vec![code as u8; lengths(code)[place]]))
                .collect();
            agrees(&options, flags, if nsid { identifier() } else { Nsid::NONE });
        }
    }
}
