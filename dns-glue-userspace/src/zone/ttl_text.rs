//! Spans of time from their text: seconds, or numbers with units.

/// Seconds that a text such as `3600` or `1h30m` stands for; the units are w,
/// d, h, m and s in either case, a number at the end without one is seconds.
/// `None` if it is no such text. What exceeds 64 bits stays at the maximum.
pub(super) fn read_seconds(text: &[u8]) -> Option<u64> {
    let mut seconds = 0_u64;
    let mut number: Option<u64> = None;
    for octet in text {
        let unit = match octet.to_ascii_lowercase() {
            digit @ b'0'..=b'9' => {
                let digit = u64::from(digit - b'0');
                number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit));
                continue;
            }
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        seconds = seconds.saturating_add(number.take()?.saturating_mul(unit));
    }
    if text.is_empty() {
        return None;
    }
    Some(seconds.saturating_add(number.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_units() {
        assert_eq!(read_seconds(b"0"), Some(0));
        assert_eq!(read_seconds(b"1w2D3h4M5s"), Some(788_645));
        assert_eq!(read_seconds(b"1h30"), Some(3630));
        assert_eq!(read_seconds(b"99999999999999999999999999w"), Some(u64::MAX));
        for bad in [&b""[..], b"h", b"1hh", b"-1", b"1.5", b"1 "] {
            assert_eq!(read_seconds(bad), None);
        }
    }
}
