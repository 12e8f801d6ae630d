//! Queries of a file in the form of dnsperf: a line each, `QNAME QTYPE`.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use domain::base::Name;
use domain::base::iana::Rtype;

use super::messages::{Edns, MAX_QUERIES, Messages};
use crate::packed;

/// Reads the queries of a file, unpacked if it ends in `.xz`. Empty lines and
/// those that begin with a semicolon mean nothing. Names are absolute with and
/// without a final dot, with the escapes of master files (RFC 1035 section
/// 5.1); types have names or are written as `TYPE65280` (RFC 3597 section 5).
///
/// # Errors
///
/// The file cannot be read, has no query, or too many; or a line is not of
/// that form: named with its number.
pub fn read(path: &Path, edns: Option<Edns>) -> Result<Messages> {
    let text = packed::read_to_string(path);
    let text = text.with_context(|| format!("read {}", path.display()))?;
    parse(&text, path, edns)
}

fn parse(text: &str, path: &Path, edns: Option<Edns>) -> Result<Messages> {
    let mut messages = Messages::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        let place = || format!("{}:{number}", path.display());
        let (name, rtype) = parse_line(line).with_context(place)?;
        ensure!(
            messages.len() < MAX_QUERIES,
            "{}: more than {MAX_QUERIES} queries",
            place()
        );
        messages.push(name.as_slice(), rtype, edns);
    }
    ensure!(!messages.is_empty(), "{}: no query", path.display());
    Ok(messages)
}

fn parse_line(line: &str) -> Result<(Name<Vec<u8>>, Rtype)> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(rtype), None) = (words.next(), words.next(), words.next()) else {
        anyhow::bail!("'{line}' is not of the form 'QNAME QTYPE', for example 'www.example. A'");
    };
    let parsed = Name::vec_from_str(name);
    let name = parsed.with_context(|| format!("'{name}' is not a domain name"))?;
    let parsed = rtype.parse();
    let rtype = parsed
        .ok()
        .with_context(|| format!("'{rtype}' is not a type"))?;
    Ok((name, rtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Messages> {
        parse(text, Path::new("some.queries"), Some(Edns::PLAIN))
    }

    #[test]
    fn lines_are_queries() {
        let messages = parsed("; a remark\na.example A\n\n b.example. TYPE65280 \r\n\\065. NS\n");
        let mut expected = Messages::new();
        for (name, rtype) in [
            (&b"\x01a\x07example\0"[..], Rtype::A),
            (b"\x01b\x07example\0", Rtype::from_int(65280)),
            (b"\x01A\0", Rtype::NS),
        ] {
            expected.push(name, rtype, Some(Edns::PLAIN));
        }
        assert_eq!(messages.unwrap(), expected);
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, told) in [
            ("a. A\nb.\n", "some.queries:2: 'b.' is not of the form"),
            ("a. A IN\n", "some.queries:1: 'a. A IN' is not of the form"),
            ("a..b A\n", "some.queries:1: 'a..b' is not a domain name"),
            ("\na. WHAT\n", "some.queries:2: 'WHAT' is not a type"),
            ("; nothing\n", "some.queries: no query"),
        ] {
            let error = format!("{:#}", parsed(text).unwrap_err());
            assert!(error.starts_with(told), "{error}");
        }
        let error = read(Path::new("/nowhere/some.queries"), None).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.starts_with("read /nowhere/some.queries: "), "{error}");
    }
}
