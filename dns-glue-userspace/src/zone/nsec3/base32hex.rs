//! Hashes as owner labels: base32 with the extended hex alphabet, without
//! padding (RFC 4648 section 7; RFC 5155 section 3.3).

use super::parameters::{HASH_OCTETS, Hash};

/// Symbols of a hash.
const SYMBOLS: usize = HASH_OCTETS * 8 / 5;
/// In the order of their values, which is that of their octets.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Writes a hash as a label in lower case.
pub(super) fn encode(hash: &Hash) -> [u8; SYMBOLS] {
    let mut label = [0; SYMBOLS];
    for (octets, symbols) in hash.chunks_exact(5).zip(label.chunks_exact_mut(8)) {
        let mut bits = octets
            .iter()
            .fold(0_u64, |bits, octet| bits << 8 | u64::from(*octet));
        for symbol in symbols.iter_mut().rev() {
            *symbol = ALPHABET[(bits & 0x1f) as usize];
            bits >>= 5;
        }
    }
    label
}

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
        fn encodes_as_the_domain_crate_and_decodes_again(hash: Hash) {
            let label = encode(&hash);
            let text = domain::utils::base32::encode_string_hex(&hash);
            prop_assert!(label.eq_ignore_ascii_case(text.as_bytes()));
            prop_assert_eq!(decode(&label), Some(hash));
            prop_assert_eq!(decode(&label.to_ascii_uppercase()), Some(hash));
        }

        #[test]
        fn labels_sort_as_hashes(left: Hash, right: Hash) {
            prop_assert_eq!(encode(&left).cmp(&encode(&right)), left.cmp(&right));
        }
    }
}
