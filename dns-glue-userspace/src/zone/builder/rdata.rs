//! RDATA as the builder looks at it: its shape, and the canonical order in
//! which the records of an RRset stand.

use std::cmp::Ordering;
use std::ops::Range;

use domain::base::iana::Rtype;

/// Types of queries and of the protocol itself (RFC 6895 section 3.1).
pub(super) fn is_meta(rtype: Rtype) -> bool {
    matches!(rtype.to_int(), 0 | 41 | 128..=255)
}

/// The type that an RRSIG record covers: its first field (RFC 4034 3.1.1).
pub(super) fn type_covered(rdata: &[u8]) -> Rtype {
    Rtype::from_int(u16::from_be_bytes([rdata[0], rdata[1]]))
}

/// Whether RDATA has the shape that this crate relies on later. RDATA given in
/// the form of RFC 3597 passes no other check.
pub(super) fn is_well_formed(rtype: Rtype, rdata: &[u8]) -> bool {
    match rtype {
        Rtype::A => rdata.len() == 4,
        Rtype::AAAA => rdata.len() == 16,
        Rtype::NS | Rtype::CNAME | Rtype::DNAME => names_length(rdata, 1) == Some(rdata.len()),
        Rtype::SOA => names_length(rdata, 2) == rdata.len().checked_sub(20),
        Rtype::RRSIG => {
            rdata.len() > 18
                && names_length(&rdata[18..], 1).is_some_and(|name| rdata.len() > 18 + name)
        }
        Rtype::NSEC => names_length(rdata, 1).is_some(),
        Rtype::DS => rdata.len() > 4,
        Rtype::NSEC3 => nsec3_types(rdata).is_some(),
        Rtype::NSEC3PARAM => rdata.len() >= 5 && rdata.len() == 5 + usize::from(rdata[4]),
        _ => true,
    }
}

/// The type bitmap of NSEC3 RDATA of any algorithm; `None` if a field in front
/// of it is cut short (RFC 5155 section 3.2).
fn nsec3_types(rdata: &[u8]) -> Option<&[u8]> {
    let (salt_length, rest) = rdata.get(4..)?.split_first()?;
    let (hash_length, rest) = rest.get(usize::from(*salt_length)..)?.split_first()?;
    rest.get(usize::from(*hash_length)..)
}

/// Octets that `count` uncompressed names at the start of `rdata` take, or
/// `None` if they are not there.
fn names_length(rdata: &[u8], count: usize) -> Option<usize> {
    let mut end = 0;
    for _ in 0..count {
        let start = end;
        loop {
            let length = usize::from(*rdata.get(end)?);
            if length > 63 {
                return None;
            }
            end += 1 + length;
            if length == 0 {
                break;
            }
        }
        if end - start > 255 {
            return None;
        }
    }
    Some(end)
}

/// What the records of an owner are sorted by: the type that a record has or, if
/// it is a signature, covers; signatures after what they cover.
pub(super) fn slot(rtype: Rtype, rdata: &[u8]) -> (u16, bool) {
    if rtype == Rtype::RRSIG {
        (type_covered(rdata).to_int(), true)
    } else {
        (rtype.to_int(), false)
    }
}

/// Whether an owner may have one record of that type at most: CNAME, DNAME and
/// SOA.
pub(super) fn stands_alone(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::CNAME | Rtype::DNAME | Rtype::SOA)
}

/// The part of RDATA that consists of names, which compare without case
/// (RFC 4034 section 6.2; RFC 6840 section 5.1). Empty for all other types.
fn names_in_rdata(rtype: Rtype, length: usize) -> Range<usize> {
    let range = match rtype {
        Rtype::NS
        | Rtype::MD
        | Rtype::MF
        | Rtype::CNAME
        | Rtype::MB
        | Rtype::MG
        | Rtype::MR
        | Rtype::PTR
        | Rtype::DNAME
        | Rtype::MINFO
        | Rtype::RP => 0..length,
        Rtype::SOA => 0..length.saturating_sub(20),
        Rtype::MX | Rtype::AFSDB | Rtype::RT | Rtype::KX | Rtype::PX => 2..length,
        Rtype::SRV => 6..length,
        _ => 0..0,
    };
    range.start.min(length)..range.end
}

/// Compares RDATA of one type in canonical form (RFC 4034 section 6.3).
pub(super) fn compare_rdata(rtype: Rtype, left: &[u8], right: &[u8]) -> Ordering {
    if names_in_rdata(rtype, left.len()).is_empty() && names_in_rdata(rtype, right.len()).is_empty()
    {
        return left.cmp(right);
    }
    canonical_octets(rtype, left).cmp(canonical_octets(rtype, right))
}

/// RDATA with the letters of its names in lower case. Folding the length
/// octets of labels too changes nothing: they are at most 63, below any letter.
fn canonical_octets(rtype: Rtype, rdata: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let names = names_in_rdata(rtype, rdata.len());
    rdata.iter().enumerate().map(move |(index, octet)| {
        if names.contains(&index) {
            octet.to_ascii_lowercase()
        } else {
            *octet
        }
    })
}
