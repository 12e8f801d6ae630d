//! Domain names from their text (RFC 1035 section 5.1).

use domain::base::Name;
use domain::base::scan::Symbol;

use super::lexer::Token;
use super::records::NameRef;

/// Octets of a name, its root label included (RFC 1035 section 2.3.4).
const MAX_NAME_OCTETS: usize = 255;

/// Octets of a label (RFC 1035 section 2.3.4).
const MAX_LABEL_OCTETS: usize = 63;

/// Reads the name that a token holds; a relative one is completed by `origin`,
/// which an unquoted `@` stands for.
///
/// # Errors
///
/// What is wrong with the name.
pub(super) fn read_name(
    token: &Token,
    text: &[u8],
    origin: &NameRef,
) -> Result<Name<Vec<u8>>, &'static str> {
    if token.raw(text) == b"@" && !token.quoted {
        return Ok(own(origin.as_slice().to_vec()));
    }
    if token.raw(text) == b"." {
        return Ok(Name::root_vec());
    }
    let mut octets = Vec::with_capacity(64);
    // Where the length octet of the label being read stands.
    let mut length_at = 0;
    octets.push(0);
    for symbol in token.symbols(text) {
        let symbol = symbol?;
        if symbol == Symbol::Char('.') {
            end_label(&mut octets, length_at)?;
            length_at = octets.len();
            octets.push(0);
        } else {
            octets.push(symbol.into_octet().map_err(|_| "bad character in a name")?);
        }
        if octets.len() > MAX_NAME_OCTETS {
            return Err("name is longer than 255 octets");
        }
    }
    if octets.len() == 1 {
        return Err("empty name");
    }
    // After a final dot stands the zero octet of the root label already.
    if length_at + 1 != octets.len() {
        end_label(&mut octets, length_at)?;
        octets.extend_from_slice(origin.as_slice());
    }
    if octets.len() > MAX_NAME_OCTETS {
        return Err("name is longer than 255 octets");
    }
    Ok(own(octets))
}

/// Writes the length of the label that began at `length_at`.
fn end_label(octets: &mut [u8], length_at: usize) -> Result<(), &'static str> {
    let length = octets.len() - length_at - 1;
    if length == 0 {
        return Err("empty label in a name");
    }
    if length > MAX_LABEL_OCTETS {
        return Err("label is longer than 63 octets");
    }
    octets[length_at] = u8::try_from(length).expect("at most 63");
    Ok(())
}

/// Octets known to be a valid name.
fn own(octets: Vec<u8>) -> Name<Vec<u8>> {
    Name::from_octets(octets).expect("labels and length were checked")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::lexer::{Lexer, Place};

    fn read(text: &str) -> Result<String, &'static str> {
        let mut tokens = Vec::new();
        let mut lexer = Lexer::new(text.as_bytes(), 0, Place::START, false);
        lexer
            .next_entry(&mut tokens)
            .expect("an entry")
            .expect("well formed");
        let origin = Name::<Vec<u8>>::vec_from_str("Example.").expect("valid");
        read_name(&tokens[0], text.as_bytes(), origin.for_slice())
            .map(|name| name.fmt_with_dot().to_string())
    }

    #[test]
    fn relative_absolute_and_escaped() {
        assert_eq!(read("@").as_deref(), Ok("Example."));
        assert_eq!(read(".").as_deref(), Ok("."));
        assert_eq!(read("a.b").as_deref(), Ok("a.b.Example."));
        assert_eq!(read("A.b.").as_deref(), Ok("A.b."));
        assert_eq!(read("a\\.b.").as_deref(), Ok("a\\.b."));
        assert_eq!(read("\\000\\255.").as_deref(), Ok("\\000\\255."));
        assert_eq!(read("\\@").as_deref(), Ok("@.Example."));
        assert_eq!(read("*").as_deref(), Ok("*.Example."));
        assert_eq!(read("\u{e9}.").as_deref(), Ok("\\195\\169."));
    }

    #[test]
    fn lengths() {
        let label = "a".repeat(63);
        assert!(read(&format!("{label}.")).is_ok());
        assert_eq!(
            read(&format!("{label}a.")),
            Err("label is longer than 63 octets")
        );
        let most = format!("{label}.{label}.{label}.{}.", "b".repeat(61));
        assert!(read(&most).is_ok());
        assert_eq!(
            read(&format!("b{most}")),
            Err("label is longer than 63 octets")
        );
        let over = format!("{label}.{label}.{label}.{}.", "b".repeat(62));
        assert_eq!(read(&over), Err("name is longer than 255 octets"));
        // 247 octets of its own and 9 of the origin.
        let relative = format!("{label}.{label}.{label}.{}", "b".repeat(54));
        assert_eq!(read(&relative), Err("name is longer than 255 octets"));
        assert!(read(&relative[1..]).is_ok());
    }

    #[test]
    fn faults() {
        assert_eq!(read("a..b."), Err("empty label in a name"));
        assert_eq!(read(".a."), Err("empty label in a name"));
        assert_eq!(read("\"\""), Err("empty name"));
        assert!(read("\\256.").is_err());
        assert!(read("\\25").is_err());
        assert!(read("a\u{1}").is_err());
    }
}
