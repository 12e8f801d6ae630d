//! What is known of a card, and of the host that it is in.

use std::{fmt, io};

use crate::ethtool::{Channels, DriverInfo, Feature, FlowHash, Rings};
use crate::kernel::room_probe::Probed;
use crate::serve::network::{Link, Snapshot};

/// A fact, or why it is not known.
pub type Told<T> = Result<T, Untold>;

/// Why a fact is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold(pub String);

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Untold {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EOPNOTSUPP) => Self(String::from("the driver does not tell")),
            _ => Self(error.to_string()),
        }
    }
}

/// Everything that is judged.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The interface.
    pub link: Link,
    /// All interfaces and addresses of the host.
    pub snapshot: Snapshot,
    /// Its driver.
    pub driver: Told<DriverInfo>,
    /// Whether there is a link.
    pub carrier: Told<bool>,
    /// What XDP programs can do in its driver, as that says (Linux 6.3).
    pub xdp_features: Told<XdpFeatures>,
    /// The name of the XDP program that is on it, if there is one and its name
    /// may be asked for.
    pub program_name: Option<String>,
    /// Its queues.
    pub channels: Told<Channels>,
    /// Its rings.
    pub rings: Told<Rings>,
    /// How it spreads UDP over IPv4, and over IPv6, over its queues.
    pub udp_flow_hash: [Told<FlowHash>; 2],
    /// What can be turned on and off.
    pub features: Told<Vec<Feature>>,
    /// Where the interrupts of its queues go.
    pub interrupts: Told<Vec<Interrupt>>,
    /// The host.
    pub host: HostFacts,
    /// What a program found that was attached for a moment, or why the driver
    /// took none; nothing if none was tried.
    pub probed: Option<Result<Probed, String>>,
}

/// What is known of the host.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// The release of the kernel.
    pub release: String,
    /// Capabilities that `run` needs and this process has not.
    pub missing_capabilities: Told<Vec<&'static str>>,
    /// `net.core.bpf_jit_enable`.
    pub jit: Told<u32>,
    /// `net.core.bpf_jit_harden`.
    pub jit_harden: Told<u32>,
    /// Processors that are running.
    pub processors: u32,
    /// Whether irqbalance runs.
    pub has_irqbalance: bool,
}

/// `NETDEV_A_DEV_XDP_FEATURES` (linux/netdev.h): a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpFeatures(pub u64);

impl XdpFeatures {
    const BASIC: u64 = 1;
    const RX_SG: u64 = 1 << 5;

    /// Whether the driver takes programs that answer.
    pub fn is_native(self) -> bool {
        self.0 & Self::BASIC != 0
    }

    /// Whether it gives them frames in several buffers.
    pub fn has_several_buffers(self) -> bool {
        self.0 & Self::RX_SG != 0
    }
}

/// An interrupt of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Its number.
    pub number: u32,
    /// The processors that it goes to.
    pub processors: Vec<u32>,
}
