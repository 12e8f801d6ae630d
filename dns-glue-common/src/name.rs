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

    /// An octet could disturb only the next, by a carry: so every pair of
    /// neighbours in every place is every case.
    #[test]
    fn folds_every_pair_of_octets_in_every_place() {
        for pair in 0..=u16::MAX {
            for place in 0..3 {
                for others in [0x00, 0xff] {
                    let mut octets = [others; 4];
                    octets.as_mut_slice()[place..place + 2].copy_from_slice(&pair.to_le_bytes());
                    let expected = octets.map(|octet| octet.to_ascii_lowercase());
                    let folded = fold_case(u32::from_le_bytes(octets)).to_le_bytes();
                    assert_eq!(folded, expected, "{octets:x?}");
                }
            }
        }
    }
}
