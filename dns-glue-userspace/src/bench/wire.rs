//! The way between the client and a contender: a veth pair with a network
//! namespace of its own at the contender's end.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::load::queries::Ends;
use super::socket_drops;
use super::threads::{self, Schedule};
use crate::conform::frame::{CLIENT_MAC, SERVER_MAC, SERVER_V4, SERVER_V6};
use crate::ethtool;
use crate::serve::status::mac_text;
use crate::testbed::network::Namespace;

/// Where queries come from.
const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100);

/// How the thread that polls the client's end is scheduled: it takes away what
/// was sent back before there is more, so that nothing gets lost there.
const CLIENT_POLLER: Schedule = Schedule::First(11);

/// So often an end is looked at in vain before it waits for being woken.
const ALWAYS: u32 = i32::MAX as u32;

/// The wires of one process, which have different names.
static WIRES: AtomicU32 = AtomicU32::new(0);

/// The two ends of a wire.
#[derive(Debug)]
pub struct Wire {
    host: Namespace,
    server_end: String,
    client_end: String,
}

/// What the drivers of both ends have counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireCounts {
    /// Frames that the client's end took to send.
    pub sent: u64,
    /// Frames that found no place on the way to the server.
    pub lost_before: u64,
    /// Frames that the server's end handed on.
    pub received: u64,
    /// Frames that the server's program sent back.
    pub replied: u64,
    /// Frames that it sent back, and that found no place on the way.
    pub lost_behind: u64,
}

/// How long packets gather before they are looked at.
///
/// An end holds 256 packets: what comes in the meantime must not be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moderation {
    /// At the server's end.
    pub server: Duration,
    /// At the client's end.
    pub client: Duration,
}

impl Moderation {
    /// Every packet is looked at when it comes.
    pub const NONE: Self = Self {
        server: Duration::ZERO,
        client: Duration::ZERO,
    };
}

/// The threads that poll the two ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pollers {
    /// The contender's end: its number.
    pub server: u32,
    /// The client's end, where replies are counted: its number.
    pub client: u32,
}

impl WireCounts {
    /// What was counted after `then`.
    #[must_use]
    pub fn since(&self, then: &Self) -> Self {
        Self {
            sent: self.sent - then.sent,
            lost_before: self.lost_before - then.lost_before,
            received: self.received - then.received,
            replied: self.replied - then.replied,
            lost_behind: self.lost_behind - then.lost_behind,
        }
    }
}

impl Wire {
    /// Lays one from `client`. Both ends are polled by threads of their own, as
    /// a network card's interrupts would be handled by one processor.
    ///
    /// # Errors
    ///
    /// There can be no namespace, or no such pair.
    pub fn lay(client: &Namespace) -> Result<Self> {
        let number = WIRES.fetch_add(1, Ordering::Relaxed);
        let name = format!("dgb{}", std::process::id());
        // Kernel threads are found by the name of the interface, so no two of
        // a machine may be the same. 15 octets are the limit.
        let (server_end, client_end) = (format!("{name}s{number}"), format!("{name}c{number}"));
        let host = Namespace::new(format!("{name}-host{number}"))?;
        host.ip(&format!(
            "link add {server_end} numrxqueues 1 numtxqueues 1 type veth \
             peer name {client_end} numrxqueues 1 numtxqueues 1 netns {}",
            client.name()
        ))?;
        let [client_mac, server_mac] = [CLIENT_MAC, SERVER_MAC].map(mac_text);
        for arguments in [
            format!("link set {server_end} address {server_mac}"),
            "link set lo up".to_owned(),
            format!("addr add {SERVER_V4}/24 dev {server_end}"),
            format!("addr add {SERVER_V6}/64 dev {server_end} nodad"),
            format!("link set {server_end} up"),
            format!("neigh add {CLIENT_V4} lladdr {client_mac} dev {server_end} nud permanent"),
            format!("neigh add {CLIENT_V6} lladdr {client_mac} dev {server_end} nud permanent"),
        ] {
            host.ip(&arguments)?;
        }
        // The client's end speaks for itself in no way.
        client.ip(&format!("link set {client_end} addrgenmode none"))?;
        client.ip(&format!("link set {client_end} address {client_mac}"))?;
        client.ip(&format!("link set {client_end} up"))?;
        poll_in_threads(&host, &server_end)?;
        poll_in_threads(client, &client_end)?;
        Ok(Self {
            host,
            server_end,
            client_end,
        })
    }

    /// Where the contender is.
    pub fn host(&self) -> &Namespace {
        &self.host
    }

    /// The contender's interface.
    pub fn server_end(&self) -> &str {
        &self.server_end
    }

    /// The client's interface, in the client's namespace.
    pub fn client_end(&self) -> &str {
        &self.client_end
    }

    /// Lets both ends be polled on one processor.
    ///
    /// # Errors
    ///
    /// They are not polled by threads.
    pub fn pin_pollers(&self, processor: usize) -> Result<Pollers> {
        let client = threads::poller(&self.client_end)?;
        threads::set_schedule(client, CLIENT_POLLER).context("schedule a poller")?;
        let server = threads::poller(&self.server_end)?;
        for poller in [client, server] {
            threads::pin(poller, processor).context("pin a poller")?;
        }
        Ok(Pollers { server, client })
    }

    /// Lets packets gather at both ends before they are looked at, as the
    /// interrupts of network cards are moderated, or not.
    ///
    /// # Errors
    ///
    /// The kernel does not.
    pub fn moderate(&self, client: &Namespace, moderation: Moderation) -> Result<()> {
        for (namespace, end, delay) in [
            (&self.host, &self.server_end, moderation.server),
            (client, &self.client_end, moderation.client),
        ] {
            let settings = [
                (
                    "napi_defer_hard_irqs",
                    if delay.is_zero() { 0 } else { ALWAYS },
                ),
                ("gro_flush_timeout", delay.subsec_nanos()),
            ];
            for (setting, value) in settings {
                set(namespace, end, setting, value)?;
            }
        }
        Ok(())
    }

    /// Queries so far for which a socket of the contender had no room.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn socket_drops(&self) -> Result<u64> {
        socket_drops::in_namespace(&self.host)
    }

    /// The counts so far.
    ///
    /// # Errors
    ///
    /// The driver is not that of veth.
    pub fn counts(&self, client: &Namespace) -> Result<WireCounts> {
        let server = self
            .host
            .within(|| ethtool::statistics(&self.server_end))??;
        let client = client.within(|| ethtool::statistics(&self.client_end))??;
        let of = |statistics: &[(String, u64)], name: &str| {
            let found = statistics.iter().find(|(other, _)| other == name);
            found
                .map(|(_, count)| *count)
                .with_context(|| format!("veth does not count {name}"))
        };
        Ok(WireCounts {
            sent: of(&client, "tx_queue_0_xdp_xmit")?,
            lost_before: of(&client, "tx_queue_0_xdp_xmit_errors")?,
            received: of(&server, "rx_queue_0_xdp_packets")?,
            replied: of(&server, "rx_queue_0_xdp_tx")?,
            lost_behind: of(&server, "rx_queue_0_xdp_tx_errors")?,
        })
    }
}

/// Between whom queries go on any wire.
pub fn ends() -> Ends {
    Ends {
        macs: [CLIENT_MAC, SERVER_MAC],
        ipv4: [CLIENT_V4, SERVER_V4],
        ipv6: [CLIENT_V6, SERVER_V6],
    }
}

fn poll_in_threads(namespace: &Namespace, interface: &str) -> Result<()> {
    // With GRO an end polls at all, whether it has a program of its own or not.
    execute(namespace, &["ethtool", "-K", interface, "gro", "on"])?;
    set(namespace, interface, "threaded", 1)
}

/// Sets what an interface has in /sys.
fn set(namespace: &Namespace, interface: &str, setting: &str, value: u32) -> Result<()> {
    let line = format!("echo {value} > /sys/class/net/{interface}/{setting}");
    execute(namespace, &["sh", "-c", &line])
}

/// Runs a command inside, with the /sys of that namespace.
fn execute(namespace: &Namespace, command: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(["netns", "exec", namespace.name()])
        .args(command)
        .output()
        .context("run ip (Debian package iproute2)")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", errors.trim());
    Ok(())
}
