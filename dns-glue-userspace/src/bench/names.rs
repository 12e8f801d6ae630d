//! What zones and workloads are called, so that goals find them.

/// The root zone.
pub const ROOT: &str = "root";

/// A synthetic TLD of so many delegations: `TLD 10 k`, `TLD 1 M`.
#[must_use]
pub fn tld(delegations: u64) -> String {
    for (unit, octets) in [("M", 1_000_000), ("k", 1000)] {
        if delegations >= octets && delegations.is_multiple_of(octets) {
            return format!("TLD {} {unit}", delegations / octets);
        }
    }
    format!("TLD {delegations}")
}

/// The same zone, signed with opt-out (RFC 5155 section 6).
#[must_use]
pub fn opt_out_tld(delegations: u64) -> String {
    format!("{} opt-out", tld(delegations))
}

/// A workload, by the zone and by what is asked of it.
#[must_use]
pub fn workload(zone: &str, what: &str) -> String {
    format!("{zone}, {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (delegations, name) in [
            (10_000, "TLD 10 k"),
            (1_000_000, "TLD 1 M"),
            (10_000_000, "TLD 10 M"),
            (1_500_000, "TLD 1500 k"),
            (1234, "TLD 1234"),
            (0, "TLD 0"),
        ] {
            assert_eq!(tld(delegations), name);
        }
        assert_eq!(opt_out_tld(1_000_000), "TLD 1 M opt-out");
    }
}
