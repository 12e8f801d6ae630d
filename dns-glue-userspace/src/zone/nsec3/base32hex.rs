//! Hashes as owner labels: base32 with the extended hex alphabet, without
//! padding (RFC 4648 section 7; RFC 5155 section 3.3).

use super::parameters::{HASH_OCTETS, Hash};

/// Symbols of a hash.
const SYMBOLS: usize = HASH_OCTETS * 8 / 5;
/// Reads a label in either case; `None` if it is not the text of a hash.
pub(super) fn decode(label: &[u8]) -> Option<Hash> {
    if label.len() != SYMBOLS {
        return None;
    }
    let mut hash = [0; HASH_OCTETS];
    for (symbols, octets) in label.chunks_exact(8).zip(hash.chunks_exact_mut(5)) {
        let mut bits = 0_u64;
        for symbol in symbols {
            let value = match symbol.to_ascii_lowercase() {
                digit @ b'0'..=b'9' => digit - b'0',
                letter @ b'a'..=b'v' => letter - b'a' + 10,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        octets.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::utils::base32::encode_string_hex;
    use proptest::prelude::*;

    #[test]
    fn only_hashes_decode() {
        let label = b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom";
        assert!(decode(label).is_some());
        assert!(decode(&label[1..]).is_none());
        assert!(decode(b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tow").is_none());
        assert!(decode(b"0p9mhaveqvm6t7vbl5lop2u3t2rp3to=").is_none());
    }

    proptest! {
        #[test]
        fn decodes_what_the_domain_crate_encodes(hash: Hash) {
            let text = encode_string_hex(&hash);
            prop_assert_eq!(decode(text.to_ascii_lowercase().as_bytes()), Some(hash));
            prop_assert_eq!(decode(text.to_ascii_uppercase().as_bytes()), Some(hash));
        }

        #[test]
        fn labels_sort_as_hashes(left: Hash, right: Hash) {
            let [left_text, right_text] = [left, right].map(|hash| encode_string_hex(&hash));
            prop_assert_eq!(left_text.cmp(&right_text), left.cmp(&right));
        }
    }
}
