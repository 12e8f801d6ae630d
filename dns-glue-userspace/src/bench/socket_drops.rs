//! Queries that sockets had no room for.

use std::fs;

use anyhow::{Context as _, Result};

use crate::testbed::network::Namespace;

/// How many there were in a network namespace so far (`RcvbufErrors`), over
/// IPv4 and IPv6.
///
/// # Errors
///
/// The kernel does not tell.
pub fn in_namespace(namespace: &Namespace) -> Result<u64> {
    let read = |file: &str| {
        let path = format!("/proc/thread-self/net/{file}");
        fs::read_to_string(&path).with_context(|| format!("read {path}"))
    };
    let [v4, v6] = namespace.within(|| ["snmp", "snmp6"].map(read))?;
    let v4 = of_snmp(&v4?).context("no RcvbufErrors in /proc/net/snmp")?;
    let v6 = of_snmp6(&v6?).context("no Udp6RcvbufErrors in /proc/net/snmp6")?;
    Ok(v4 + v6)
}

/// From two lines, of which the first has the names: `Udp: NAME ...` and
/// `Udp: NUMBER ...`.
fn of_snmp(text: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let mut pairs = names.split_whitespace().zip(numbers.split_whitespace());
    let (_, number) = pairs.find(|(name, _)| *name == "RcvbufErrors")?;
    number.parse().ok()
}

/// From lines `NAME NUMBER`.
fn of_snmp6(text: &str) -> Option<u64> {
    let mut pairs = text
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace));
    let (_, number) = pairs.find(|(name, _)| *name == "Udp6RcvbufErrors")?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_names() {
        let snmp = "Tcp: RcvbufErrors\nTcp: 1\n\
                    Udp: InDatagrams RcvbufErrors SndbufErrors\nUdp: 7 8 9\n\
                    UdpLite: InDatagrams RcvbufErrors\nUdpLite: 2 3\n";
        assert_eq!(of_snmp(snmp), Some(8));
        assert_eq!(of_snmp("Udp: InDatagrams\nUdp: 7\n"), None);
        let snmp6 = "Udp6InDatagrams   \t5\nUdp6RcvbufErrors   \t6\n";
        assert_eq!(of_snmp6(snmp6), Some(6));
        assert_eq!(of_snmp6("Udp6InDatagrams 5\n"), None);
    }
}
