//! What a card is, and how it is set: its driver, link, queues, rings, and how
//! it spreads datagrams over its queues.
//!
//! All functions ask an interface of this thread's network namespace, and need
//! no privileges. Their errors are those of the kernel: `EOPNOTSUPP` where the
//! driver does not tell.

use std::{fmt, io};

use super::{ask, read_name, socket};

/// From linux/ethtool.h.
const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GLINK: u32 = 0x0a;
const ETHTOOL_GRINGPARAM: u32 = 0x10;
const ETHTOOL_GRXFH: u32 = 0x29;
const ETHTOOL_GCHANNELS: u32 = 0x3c;
const UDP_V4_FLOW: u32 = 0x02;
const UDP_V6_FLOW: u32 = 0x06;

/// Words of `struct ethtool_drvinfo`.
const DRIVER_WORDS: usize = 49;
/// Words of `struct ethtool_rxnfc`, more than any version of it has.
const FLOW_WORDS: usize = 64;

/// What a driver says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriverInfo {
    /// Its name.
    pub name: String,
    /// The card's firmware; empty if it has none.
    pub firmware: String,
    /// Where the card is: a PCI address such as `0000:01:00.0`; empty for what
    /// is on no bus.
    pub bus: String,
}

/// A number that can be set, and its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// What it is.
    pub now: u32,
    /// What it can be.
    pub max: u32,
}

/// Numbers of queues (`ethtool -l`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    /// Queues that only receive.
    pub rx: Count,
    /// Queues that only send.
    pub tx: Count,
    /// Pairs of a queue of each kind.
    pub combined: Count,
}

impl Channels {
    /// Queues that receive.
    pub fn receiving(&self) -> u32 {
        self.rx.now + self.combined.now
    }

    /// Queues that could receive.
    pub fn receiving_at_most(&self) -> u32 {
        self.rx.max.max(self.combined.max)
    }
}

/// Entries of the rings of each queue (`ethtool -g`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rings {
    /// For frames that come in.
    pub rx: Count,
    /// For frames that go out.
    pub tx: Count,
}

/// What a queue is chosen by (`ethtool -n IF rx-flow-hash udp4`): a set of
/// fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowHash(pub u64);

impl FlowHash {
    /// The fields, by the letters that `ethtool -N` takes for them.
    const FIELDS: [(u32, char); 8] = [
        (1, 'm'),
        (2, 'v'),
        (3, 't'),
        (4, 's'),
        (5, 'd'),
        (6, 'f'),
        (7, 'n'),
        (31, 'r'),
    ];
    const PORTS: u64 = 1 << 6 | 1 << 7;

    /// Whether both ports are among them.
    pub fn has_ports(self) -> bool {
        self.0 & Self::PORTS == Self::PORTS
    }
}

impl fmt::Display for FlowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chosen = Self::FIELDS
            .into_iter()
            .filter(|(bit, _)| self.0 & (1 << bit) != 0);
        f.write_str(&chosen.map(|(_, letter)| letter).collect::<String>())
    }
}

/// The driver of an interface.
///
/// # Errors
///
/// The kernel's.
pub fn driver(interface: &str) -> io::Result<DriverInfo> {
    let mut request = [0; DRIVER_WORDS];
    request[0] = ETHTOOL_GDRVINFO;
    ask(&socket()?, interface, &mut request)?;
    // cmd, driver[32], version[32], fw_version[32], bus_info[32], ...
    let texts: &[u8] = bytemuck::cast_slice(&request[1..]);
    let text = |number: usize| {
        let text = texts.chunks_exact(32).nth(number);
        text.map(read_name).unwrap_or_default()
    };
    // Some drivers have no firmware and say so in words.
    let told = |text: String| if text == "N/A" { String::new() } else { text };
    Ok(DriverInfo {
        name: text(0),
        firmware: told(text(2)),
        bus: told(text(3)),
    })
}

/// Whether the link is up.
///
/// # Errors
///
/// The kernel's.
pub fn carrier(interface: &str) -> io::Result<bool> {
    let mut request = [ETHTOOL_GLINK, 0];
    ask(&socket()?, interface, &mut request)?;
    Ok(request[1] != 0)
}

/// The numbers of queues.
///
/// # Errors
///
/// The kernel's.
pub fn channels(interface: &str) -> io::Result<Channels> {
    let mut request = [ETHTOOL_GCHANNELS, 0, 0, 0, 0, 0, 0, 0, 0];
    ask(&socket()?, interface, &mut request)?;
    let [_, max_rx, max_tx, _other, max_combined, rx, tx, _, combined] = request;
    let count = |now, max| Count { now, max };
    Ok(Channels {
        rx: count(rx, max_rx),
        tx: count(tx, max_tx),
        combined: count(combined, max_combined),
    })
}

/// The sizes of the rings.
///
/// # Errors
///
/// The kernel's.
pub fn rings(interface: &str) -> io::Result<Rings> {
    let mut request = [ETHTOOL_GRINGPARAM, 0, 0, 0, 0, 0, 0, 0, 0];
    ask(&socket()?, interface, &mut request)?;
    let [_, max_rx, _mini, _jumbo, max_tx, rx, _, _, tx] = request;
    Ok(Rings {
        rx: Count {
            now: rx,
            max: max_rx,
        },
        tx: Count {
            now: tx,
            max: max_tx,
        },
    })
}

/// By what the queue of a UDP datagram over IPv4 or IPv6 is chosen.
///
/// # Errors
///
/// The kernel's.
pub fn udp_flow_hash(interface: &str, is_ipv6: bool) -> io::Result<FlowHash> {
    let flow = if is_ipv6 { UDP_V6_FLOW } else { UDP_V4_FLOW };
    // cmd, flow_type, data of 64 bits, and what other commands take.
    let mut request = [0; FLOW_WORDS];
    request[..2].copy_from_slice(&[ETHTOOL_GRXFH, flow]);
    ask(&socket()?, interface, &mut request)?;
    let data: [u32; 2] = [request[2], request[3]];
    Ok(FlowHash(bytemuck::cast(data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_flow_hash() {
        let ports = FlowHash(1 << 4 | 1 << 5 | 1 << 6 | 1 << 7);
        assert_eq!(ports.to_string(), "sdfn");
        assert!(ports.has_ports());
        let addresses = FlowHash(1 << 4 | 1 << 5);
        assert_eq!(addresses.to_string(), "sd");
        assert!(!addresses.has_ports());
        assert!(!FlowHash(1 << 6).has_ports(), "one port is not both");
    }

    #[test]
    fn an_interface_that_is_not_there() {
        let error = driver("no-such-if").expect_err("it is not there");
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }
}
