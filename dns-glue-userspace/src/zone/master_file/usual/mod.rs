//! Records in the way that nearly all of a large zone are written in, straight
//! from text to wire format.
//!
//! *Invariant:* what is read here, the reader of all ways reads to the same
//! octets; whatever else stands in the text is left to it, every error before
//! all.

mod fields;
mod words;

use std::net::{Ipv4Addr, Ipv6Addr};

use domain::base::Name;
use domain::base::iana::Rtype;

use crate::zone::builder::MAX_TTL;
use words::{Unusual, Words};

/// What a record takes from the entries before it.
pub(super) struct Before<'s> {
    /// Completes relative names, in wire format.
    pub(super) origin: &'s [u8],
    /// Owner of records that name none, in wire format; empty if there is none.
    pub(super) owner: &'s [u8],
    /// What $TTL says.
    pub(super) default_ttl: Option<u32>,
    /// The last TTL given with a record.
    pub(super) last_ttl: Option<u32>,
}

/// Room for names and data of a record, kept to spare allocations.
#[derive(Default)]
pub(super) struct Room {
    /// The owner, if the record names one; else empty.
    pub(super) owner: Vec<u8>,
    /// The data.
    pub(super) rdata: Vec<u8>,
}

/// A record, but for what lies in the [`Room`].
pub(super) struct Record {
    pub(super) rtype: Rtype,
    /// Its TTL in seconds.
    pub(super) ttl: u32,
    /// The TTL that is written with it.
    pub(super) own_ttl: Option<u32>,
    /// Offset in the text of its first word.
    pub(super) start: usize,
    /// Offset in the text after it.
    pub(super) end: usize,
    /// Line ends in it.
    pub(super) lines: u32,
}

/// Reads the record that begins at offset `at` of the text; `None` if something
/// else stands there, or a record in another way.
pub(super) fn read(text: &[u8], at: usize, before: &Before<'_>, room: &mut Room) -> Option<Record> {
    try_read(text, at, before, room).ok()
}

/// Reads a name that is written in the usual way.
pub(super) fn name(word: &[u8], origin: &[u8]) -> Option<Name<Vec<u8>>> {
    let mut octets = Vec::new();
    fields::name(word, origin, &mut octets).ok()?;
    Name::from_octets(octets).ok()
}

fn try_read(
    text: &[u8],
    at: usize,
    before: &Before<'_>,
    room: &mut Room,
) -> Result<Record, Unusual> {
    room.owner.clear();
    room.rdata.clear();
    let mut words = Words::new(text, at);
    let mut start = at;
    let word = match text.get(at) {
        Some(b' ' | b'\t') if !before.owner.is_empty() => {
            let word = words.want()?;
            if words.end().1 != 0 {
                return Err(Unusual);
            }
            start = words.at() - word.len();
            word
        }
        // Not a directive, nor something that does not begin an entry.
        Some(b'!'..=b'~') if text[at] != b'$' => {
            let owner = words.want()?;
            if words.at() - owner.len() != at {
                return Err(Unusual);
            }
            fields::name(owner, before.origin, &mut room.owner)?;
            words.want()?
        }
        _ => return Err(Unusual),
    };
    let (own_ttl, rtype) = head(word, &mut words)?;
    let ttl = own_ttl.or(before.default_ttl).or(before.last_ttl);
    let ttl = ttl.ok_or(Unusual)?;
    data(rtype, &mut words, before.origin, &mut room.rdata)?;
    // Nothing may stand behind the data.
    if !words.next()?.is_empty() {
        return Err(Unusual);
    }
    let (end, lines) = words.end();
    Ok(Record {
        rtype,
        ttl,
        own_ttl,
        start,
        end,
        lines,
    })
}

/// Reads TTL and type of a record, with or without class IN.
#[inline]
fn head<'t>(first: &'t [u8], words: &mut Words<'t>) -> Result<(Option<u32>, Rtype), Unusual> {
    let (mut ttl, mut has_class) = (None, false);
    let mut word = first;
    loop {
        let rtype = match word {
            b"NS" => Rtype::NS,
            b"A" => Rtype::A,
            b"AAAA" => Rtype::AAAA,
            b"DS" => Rtype::DS,
            b"RRSIG" => Rtype::RRSIG,
            b"NSEC" => Rtype::NSEC,
            b"NSEC3" => Rtype::NSEC3,
            b"CNAME" => Rtype::CNAME,
            b"PTR" => Rtype::PTR,
            b"IN" if !has_class => {
                has_class = true;
                word = words.want()?;
                continue;
            }
            [b'0'..=b'9', ..] if ttl.is_none() => {
                ttl = Some(fields::number(word)?);
                word = words.want()?;
                continue;
            }
            _ => return Err(Unusual),
        };
        if ttl.is_some_and(|ttl| ttl > MAX_TTL) {
            return Err(Unusual);
        }
        return Ok((ttl, rtype));
    }
}

/// Reads the data of a record.
#[inline]
fn data(
    rtype: Rtype,
    words: &mut Words<'_>,
    origin: &[u8],
    rdata: &mut Vec<u8>,
) -> Result<(), Unusual> {
    match rtype {
        Rtype::A => rdata.extend(address::<Ipv4Addr>(words)?.octets()),
        Rtype::AAAA => rdata.extend(address::<Ipv6Addr>(words)?.octets()),
        Rtype::DS => {
            rdata.extend(fields::number::<u16>(words.want()?)?.to_be_bytes());
            rdata.push(fields::number(words.want()?)?);
            rdata.push(fields::number(words.want()?)?);
            fields::hex(words, rdata)?;
        }
        Rtype::RRSIG => signature(words, origin, rdata)?,
        Rtype::NSEC => {
            fields::name(words.want()?, origin, rdata)?;
            fields::type_bitmap(words, rdata)?;
        }
        Rtype::NSEC3 => {
            rdata.push(fields::number(words.want()?)?);
            rdata.push(fields::number(words.want()?)?);
            rdata.extend(fields::number::<u16>(words.want()?)?.to_be_bytes());
            fields::salt(words.want()?, rdata)?;
            fields::hash(words.want()?, rdata)?;
            fields::type_bitmap(words, rdata)?;
        }
        Rtype::NS | Rtype::CNAME | Rtype::PTR => fields::name(words.want()?, origin, rdata)?,
        _ => return Err(Unusual),
    }
    Ok(())
}

/// Reads the data of an RRSIG record (RFC 4034 section 3.1).
fn signature(words: &mut Words<'_>, origin: &[u8], rdata: &mut Vec<u8>) -> Result<(), Unusual> {
    rdata.extend(fields::rtype(words.want()?)?.to_int().to_be_bytes());
    rdata.push(fields::number(words.want()?)?);
    rdata.push(fields::number(words.want()?)?);
    rdata.extend(fields::number::<u32>(words.want()?)?.to_be_bytes());
    rdata.extend(fields::time(words.want()?)?.to_be_bytes());
    rdata.extend(fields::time(words.want()?)?.to_be_bytes());
    rdata.extend(fields::number::<u16>(words.want()?)?.to_be_bytes());
    fields::name(words.want()?, origin, rdata)?;
    fields::base64(words, rdata)
}

/// Reads an address as the standard library does.
#[inline]
fn address<A: std::str::FromStr>(words: &mut Words<'_>) -> Result<A, Unusual> {
    let text = std::str::from_utf8(words.want()?).map_err(|_| Unusual)?;
    text.parse().map_err(|_| Unusual)
}
