//! Numbers as a person reads them: three digits that count.

use crate::kernel::requirements::Octets;

/// A rate or a count: `412`, `51.3 k`, `1.24 M`.
#[must_use]
pub fn count(value: f64) -> String {
    for (unit, size) in [("G", 1e9), ("M", 1e6), ("k", 1e3)] {
        // Not 1000 k for what is nearly a million.
        if value >= size * 0.9995 {
            return format!("{} {unit}", three_digits(value / size));
        }
    }
    format!("{value:.0}")
}

/// Three digits, or as many as are in front of the point.
#[must_use]
pub fn three_digits(value: f64) -> String {
    match value.abs() {
        0.0..9.995 => format!("{value:.2}"),
        9.995..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Octets in binary units.
#[must_use]
pub fn octets(octets: u64) -> String {
    Octets(octets).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        for (value, text) in [
            (0.0, "0"),
            (412.4, "412"),
            (999.4, "999"),
            (999.9, "1.00 k"),
            (51_300.0, "51.3 k"),
            (999_700.0, "1.00 M"),
            (1_240_000.0, "1.24 M"),
            (2.5e9, "2.50 G"),
        ] {
            assert_eq!(count(value), text);
        }
        for (value, text) in [
            (0.1234, "0.12"),
            (9.999, "10.0"),
            (99.99, "100"),
            (1234.5, "1234"),
        ] {
            assert_eq!(three_digits(value), text);
        }
    }
}
