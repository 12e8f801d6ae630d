//! Type bitmaps of NSEC and NSEC3 records (RFC 4034 section 4.1.2; RFC 5155
//! section 3.2.1).

use domain::base::iana::Rtype;

/// Whether a bitmap has the bit of a type below 256; these stand in its first
/// window.
pub(super) fn has_type(bitmap: &[u8], rtype: Rtype) -> bool {
    let [0, length, first_window @ ..] = bitmap else {
        return false;
    };
    let bits = &first_window[..first_window.len().min(usize::from(*length))];
    let number = usize::from(rtype.to_int());
    bits.get(number / 8)
        .is_some_and(|octet| octet & (0x80 >> (number % 8)) != 0)
}

/// Whether a bitmap shows an NS RRset without DS and SOA (RFC 4035 section
/// 5.2).
pub(super) fn proves_insecure_delegation(bitmap: &[u8]) -> bool {
    has_type(bitmap, Rtype::NS) && !has_type(bitmap, Rtype::DS) && !has_type(bitmap, Rtype::SOA)
}
