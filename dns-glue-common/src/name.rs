//! Names in wire form: folding case, four octets at a time.

/// Folds the ASCII capitals among four octets to lower case.
///
/// Labels are binary; only A to Z have case (RFC 4343 2). Length octets (0 to
/// 63) lie below the letters and come out as they went in.
#[inline(always)]
pub const fn fold_case(octets: u32) -> u32 {
    let low_seven = octets & 0x7f7f_7f7f;
    // Bit 7 of each octet: at least 'A', beyond 'Z', not ASCII. No carry
    // leaves an octet: 0x7f + 0x3f < 0x100.
    let from_a = low_seven.wrapping_add(0x3f3f_3f3f);
    let beyond_z = low_seven.wrapping_add(0x2525_2525);
    let capital = from_a & !beyond_z & !octets & 0x8080_8080;
    octets | (capital >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_every_octet_in_every_place() {
        for octet in 0..=u8::MAX {
            for place in 0..4 {
                for others in [0x00, 0x40, 0x5b, 0x7f, 0x80, 0xff, b'A', b'z'] {
                    let mut octets = [others; 4];
                    octets.as_mut_slice()[place] = octet;
                    let expected = octets.map(|octet| octet.to_ascii_lowercase());
                    let folded = fold_case(u32::from_le_bytes(octets)).to_le_bytes();
                    assert_eq!(folded, expected, "{octets:x?}");
                }
            }
        }
    }
}
