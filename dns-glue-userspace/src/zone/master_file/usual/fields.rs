//! Words as fields of records, appended in wire format.

use data_encoding::{BASE32_DNSSEC, BASE64, Encoding, HEXLOWER_PERMISSIVE};
use domain::base::iana::Rtype;

use super::words::{Unusual, Words};

/// Octets of a name (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 255;

/// Octets of a label (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// Appends a name; a relative one is completed by `origin`.
#[inline]
pub(super) fn name(word: &[u8], origin: &[u8], octets: &mut Vec<u8>) -> Result<(), Unusual> {
    match word {
        b"@" => {
            octets.extend_from_slice(origin);
            return Ok(());
        }
        b"." => {
            octets.push(0);
            return Ok(());
        }
        _ => {}
    }
    let start = octets.len();
    // Each dot makes place for the length of the label behind it.
    octets.push(0);
    octets.extend_from_slice(word);
    let name = &mut octets[start..];
    let mut length_at = 0;
    for at in 1..name.len() {
        if name[at] == b'.' {
            name[length_at] = label_length(at - length_at - 1)?;
            length_at = at;
        }
    }
    match name.len() - length_at - 1 {
        0 => name[length_at] = 0,
        length => {
            name[length_at] = label_length(length)?;
            octets.extend_from_slice(origin);
        }
    }
    if octets.len() - start > MAX_NAME {
        return Err(Unusual);
    }
    Ok(())
}

/// The length octet of a label.
#[inline]
fn label_length(length: usize) -> Result<u8, Unusual> {
    match u8::try_from(length) {
        Ok(octet) if (1..=MAX_LABEL).contains(&length) => Ok(octet),
        _ => Err(Unusual),
    }
}

/// A decimal number that fits.
#[inline]
pub(super) fn number<N: TryFrom<u64>>(word: &[u8]) -> Result<N, Unusual> {
    if word.is_empty() || word.len() > 10 || !word.iter().all(u8::is_ascii_digit) {
        return Err(Unusual);
    }
    let number = word
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    N::try_from(number).map_err(|_| Unusual)
}

/// A type, by its name in capitals or whatever the reader of all ways takes.
#[inline]
pub(super) fn rtype(word: &[u8]) -> Result<Rtype, Unusual> {
    Ok(match word {
        b"A" => Rtype::A,
        b"NS" => Rtype::NS,
        b"SOA" => Rtype::SOA,
        b"TXT" => Rtype::TXT,
        b"AAAA" => Rtype::AAAA,
        b"DS" => Rtype::DS,
        b"RRSIG" => Rtype::RRSIG,
        b"NSEC" => Rtype::NSEC,
        b"DNSKEY" => Rtype::DNSKEY,
        b"NSEC3" => Rtype::NSEC3,
        b"NSEC3PARAM" => Rtype::NSEC3PARAM,
        _ => std::str::from_utf8(word)
            .ok()
            .and_then(|word| word.parse().ok())
            .ok_or(Unusual)?,
    })
}

/// Appends a bitmap of the types that the remaining words name (RFC 4034
/// section 4.1.2); only types below 256, which share one window.
pub(super) fn type_bitmap(words: &mut Words<'_>, octets: &mut Vec<u8>) -> Result<(), Unusual> {
    let mut window = [0_u8; 32];
    let mut used = 0;
    loop {
        let word = words.next()?;
        if word.is_empty() {
            break;
        }
        let bit = usize::from(u8::try_from(rtype(word)?.to_int()).map_err(|_| Unusual)?);
        window[bit / 8] |= 0x80 >> (bit % 8);
        used = used.max(bit / 8 + 1);
    }
    if used != 0 {
        octets.extend([0, u8::try_from(used).map_err(|_| Unusual)?]);
        octets.extend_from_slice(&window[..used]);
    }
    Ok(())
}

/// The time of a signature: seconds, or YYYYMMDDHHmmSS (RFC 4034 section 3.2).
pub(super) fn time(word: &[u8]) -> Result<u32, Unusual> {
    if word.len() != 14 {
        return number(word);
    }
    let date: u32 = number(&word[..8])?;
    let clock: u32 = number(&word[8..])?;
    let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
    let (hour, minute, second) = (clock / 10_000, clock / 100 % 100, clock % 100);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap),
        1..=12 => 31,
        _ => return Err(Unusual),
    };
    let is_date = (1970..2106).contains(&year) && (1..=days).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return Err(Unusual);
    }
    Ok((days_before(year, month, is_leap) + day - 1) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from the start of 1970 to that of a month.
fn days_before(year: u32, month: u32, is_leap: bool) -> u32 {
    const IN_YEAR: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let past = year - 1;
    // Leap years from year 1 on, less those before 1970.
    let leap_days = past / 4 - past / 100 + past / 400 - 477;
    let leap_day = u32::from(is_leap && month > 2);
    (year - 1970) * 365 + leap_days + IN_YEAR[month as usize - 1] + leap_day
}

/// Appends what all the remaining words say in hexadecimal.
pub(super) fn hex(words: &mut Words<'_>, octets: &mut Vec<u8>) -> Result<(), Unusual> {
    let mut digits = [0; MAX_DIGITS];
    decode(&HEXLOWER_PERMISSIVE, rest(words, &mut digits)?, octets)
}

/// Appends what all the remaining words say in base64 (RFC 4648 section 4).
pub(super) fn base64(words: &mut Words<'_>, octets: &mut Vec<u8>) -> Result<(), Unusual> {
    let mut digits = [0; MAX_DIGITS];
    let digits = rest(words, &mut digits)?;
    // Nothing may follow after the padding.
    let padding = digits.iter().position(|digit| *digit == b'=');
    if padding.is_some_and(|padding| padding + 2 < digits.len()) {
        return Err(Unusual);
    }
    decode(&BASE64, digits, octets)
}

/// Appends a salt behind its length, both as one word; `-` has none (RFC 5155
/// section 3.3).
pub(super) fn salt(word: &[u8], octets: &mut Vec<u8>) -> Result<(), Unusual> {
    match word {
        b"-" => {
            octets.push(0);
            Ok(())
        }
        _ => with_length(&HEXLOWER_PERMISSIVE, word, octets),
    }
}

/// Appends a hash behind its length, in base32 with the extended hex alphabet
/// and without padding (RFC 5155 section 3.3).
pub(super) fn hash(word: &[u8], octets: &mut Vec<u8>) -> Result<(), Unusual> {
    with_length(&BASE32_DNSSEC, word, octets)
}

/// Digits of one field at most: those of a signature of 4096 bits have room.
const MAX_DIGITS: usize = 1024;

/// All remaining words as one.
fn rest<'d>(words: &mut Words<'_>, digits: &'d mut [u8; MAX_DIGITS]) -> Result<&'d [u8], Unusual> {
    let mut end = 0;
    loop {
        let word = words.next()?;
        if word.is_empty() {
            break;
        }
        let room = digits.get_mut(end..end + word.len()).ok_or(Unusual)?;
        room.copy_from_slice(word);
        end += word.len();
    }
    if end == 0 {
        return Err(Unusual);
    }
    Ok(&digits[..end])
}

/// Appends the octets that some digits stand for.
fn decode(encoding: &Encoding, digits: &[u8], octets: &mut Vec<u8>) -> Result<(), Unusual> {
    let start = octets.len();
    let most = encoding.decode_len(digits.len()).map_err(|_| Unusual)?;
    octets.resize(start + most, 0);
    let written = encoding
        .decode_mut(digits, &mut octets[start..])
        .map_err(|_| Unusual)?;
    octets.truncate(start + written);
    Ok(())
}

/// As [`decode`], behind the number of octets.
fn with_length(encoding: &Encoding, digits: &[u8], octets: &mut Vec<u8>) -> Result<(), Unusual> {
    let start = octets.len();
    octets.push(0);
    decode(encoding, digits, octets)?;
    octets[start] = u8::try_from(octets.len() - start - 1).map_err(|_| Unusual)?;
    Ok(())
}
