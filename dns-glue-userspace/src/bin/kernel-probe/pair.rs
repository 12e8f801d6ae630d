//! The veth pair that queries cross.
//!
//! ```text
//! packet socket ---------> dgclient ===veth=== dgserver -> XDP program
//!               <- pass_all <-                          <- referral
//! ```
//!
//! Nothing else is said on it: IPv6 is off on both ends until a part of the
//! probe turns it on.

use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context as _, Result, ensure};
use aya::programs::{Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};
use dns_glue::kernel::Target;
use rtnetlink::{Handle, LinkUnspec, LinkVeth};

use super::packet_socket::PacketSocket;
use super::program_support::frame::{CLIENT_MAC, ETHERNET, SERVER_MAC};

/// The object that the build script made for the lab.
static LAB: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/dns-glue-lab"));
/// The end that the program is attached to.
pub const SERVER_END: &str = "dgserver";
/// The end that queries are sent from.
pub const CLIENT_END: &str = "dgclient";
pub const MTU: u16 = 1500;
/// Octets of a frame that the interfaces carry.
pub const LONGEST_FRAME: usize = ETHERNET + MTU as usize;
/// How long a reply or an interface may take where qemu interprets.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Both ends, up.
pub struct Pair {
    /// The number of the server's end.
    pub server: u32,
    /// Sends from the client's end, and receives what comes there.
    pub client: PacketSocket,
    _passing: Ebpf,
}

impl Pair {
    /// Makes it and waits until it carries frames.
    ///
    /// # Errors
    ///
    /// There can be no such pair.
    pub fn lay() -> Result<Self> {
        fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
            .context("keep IPv6 silent")?;
        netlink(make_pair).context("make a veth pair")?;
        for end in [SERVER_END, CLIENT_END] {
            wait_until_up(end)?;
        }
        let passing = pass_all().context("make the client's end take what XDP sends")?;
        Ok(Self {
            server: index(SERVER_END)?,
            client: PacketSocket::open(index(CLIENT_END)?, PATIENCE)?,
            _passing: passing,
        })
    }

    /// What attaching to the server's end needs to know of it.
    pub fn target(&self) -> Target {
        Target {
            name: SERVER_END.to_owned(),
            index: self.server,
            mtu: MTU.into(),
            occupied_by: None,
        }
    }
}

/// Asks the kernel for changes of its network.
///
/// # Errors
///
/// Those of `changes`, or there is no socket.
pub fn netlink<T>(changes: impl AsyncFnOnce(Handle) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        changes(handle).await
    })
}

async fn make_pair(handle: Handle) -> Result<()> {
    let pair = LinkVeth::new(SERVER_END, CLIENT_END).build();
    handle.link().add(pair).execute().await?;
    for (end, mac) in [(SERVER_END, SERVER_MAC), (CLIENT_END, CLIENT_MAC)] {
        let change = LinkUnspec::new_with_name(end).address(mac.to_vec()).up();
        handle.link().set(change.build()).execute().await?;
    }
    Ok(())
}

/// Waits until an interface carries frames, which are thrown away before.
///
/// # Errors
///
/// There is none, or it takes too long.
pub fn wait_until_up(interface: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let state = format!("/sys/class/net/{interface}/operstate");
    while fs::read_to_string(&state).with_context(|| state.clone())? != "up\n" {
        ensure!(Instant::now() < deadline, "{interface} does not come up");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Attaches a program that passes everything to the client's end: before it
/// has one, and whatever its GRO is, Linux 6.1 delivers nothing to it that XDP
/// sends.
fn pass_all() -> Result<Ebpf> {
    let mut ebpf = EbpfLoader::new().load(LAB)?;
    let program = ebpf.program_mut("pass_all").context("there is none")?;
    let program: &mut Xdp = program.try_into()?;
    program.load()?;
    program.attach(CLIENT_END, XdpMode::Driver)?;
    Ok(ebpf)
}

/// The number of an interface.
///
/// # Errors
///
/// There is none of that name.
pub fn index(interface: &str) -> io::Result<u32> {
    let number = fs::read_to_string(format!("/sys/class/net/{interface}/ifindex"))?;
    number.trim_end().parse().map_err(io::Error::other)
}
