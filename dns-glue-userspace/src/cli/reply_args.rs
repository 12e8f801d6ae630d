//! The arguments that shape replies, the same for every subcommand.

use clap::Args;
use dns_glue_common::limits::{
    DEFAULT_UDP_OCTETS, MAX_NSID_OCTETS, MAX_UDP_OCTETS, MIN_UDP_OCTETS,
};
use dns_glue_common::nsid::Nsid;
use dns_glue_common::policy::Policy;

/// How replies look.
#[derive(Args, Clone, Debug)]
pub struct ReplyArgs {
    /// Octets of the longest reply, 512 to 1400
    #[arg(
        long,
        value_name = "OCTETS",
        default_value_t = DEFAULT_UDP_OCTETS as u16,
        value_parser = clap::value_parser!(u16).range(MIN_UDP_OCTETS as i64..=MAX_UDP_OCTETS as i64)
    )]
    max_udp: u16,

    /// The name server identifier (RFC 5001): text, or octets as 0x and
    /// hexadecimal digits, 1 to 64 octets; without it, queries that ask for an
    /// identifier pass
    #[arg(long, value_name = "TEXT", value_parser = parse_nsid)]
    nsid: Option<Nsid>,
}

impl ReplyArgs {
    /// The policy that they make, on the port of DNS.
    pub fn policy(&self) -> Policy {
        Policy {
            max_udp: self.max_udp,
            nsid: self.nsid.unwrap_or(Nsid::NONE),
            ..Policy::DEFAULT
        }
    }
}

/// Reads an identifier as Knot DNS does: text, or hexadecimal behind `0x`.
fn parse_nsid(text: &str) -> Result<Nsid, String> {
    let octets = match text.strip_prefix("0x") {
        None => text.as_bytes().to_vec(),
        Some(digits) => parse_hex(digits)?,
    };
    Nsid::new(&octets).ok_or_else(|| match octets.len() {
        0 => String::from("an empty identifier; leave --nsid out for none"),
        octets => format!("{octets} octets; an identifier has at most {MAX_NSID_OCTETS}"),
    })
}

fn parse_hex(digits: &str) -> Result<Vec<u8>, String> {
    let value = |digit: char| digit.to_digit(16).ok_or(digit);
    let values: Result<Vec<u32>, char> = digits.chars().map(value).collect();
    let values = values.map_err(|digit| format!("{digit:?} is no hexadecimal digit"))?;
    let (pairs, []) = values.as_chunks::<2>() else {
        return Err(String::from("an odd number of hexadecimal digits"));
    };
    let octets = pairs.iter().map(|[high, low]| (high << 4 | low) as u8);
    Ok(octets.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_read() {
        let longest = "x".repeat(64);
        let longest_hex = format!("0x{}", "fF".repeat(64));
        for (text, octets) in [
            ("ns1.example", &b"ns1.example"[..]),
            ("0x006eFf", b"\0n\xff"),
            ("0X00", b"0X00"),
            ("\u{e9}", b"\xc3\xa9"),
            (&longest, longest.as_bytes()),
            (&longest_hex, &[0xff; 64]),
        ] {
            let nsid = parse_nsid(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(nsid.as_slice(), octets);
        }
    }

    #[test]
    fn impossible_identifiers_are_refused() {
        let long = "x".repeat(65);
        let long_hex = format!("0x{}", "00".repeat(65));
        for (text, why) in [
            ("", "empty"),
            ("0x", "empty"),
            ("0x1", "odd number"),
            ("0x0g", "'g' is no hexadecimal digit"),
            ("0x\u{e9}\u{e9}", "is no hexadecimal digit"),
            (&long, "65 octets; an identifier has at most 64"),
            (&long_hex, "65 octets; an identifier has at most 64"),
        ] {
            let error = parse_nsid(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
