//! The client's end of the veth pair of `cargo xtask run`: takes the name of
//! an interface, makes it behave like a wire, says `ready`, and holds the two
//! programs of dns-glue-ebpf's `dns-glue-lab` there until it is killed or its
//! standard input ends.
//!
//! Nothing of it is part of dns-glue: without it a veth pair, not dns-glue,
//! would decide which queries are answered in the kernel.

use std::io::{self, Read as _};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::{env, mem};

use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf, EbpfLoader,
    programs::{SchedClassifier, TcAttachType, Xdp, XdpMode, tc},
};

/// The object that the build script made.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/dns-glue-lab"));

/// From linux/sockios.h and linux/ethtool.h.
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_STXCSUM: u32 = 0x17;

fn main() -> Result<()> {
    let interface = env::args()
        .nth(1)
        .context("usage: dns-glue-lab INTERFACE (`cargo xtask run` starts it)")?;
    if OBJECT.is_empty() {
        bail!("built with AYA_BUILD_SKIP: there is no program inside");
    }
    finish_checksums(&interface).context("turn TX checksum offload off")?;
    let mut ebpf = EbpfLoader::new().load(OBJECT).context("load the object")?;
    pass_all(&mut ebpf, &interface).context("attach the XDP program")?;
    pad_queries(&mut ebpf, &interface).context("attach the classifier")?;
    println!("ready");
    // Whoever started us holds the other end: gone with it, however it ends.
    io::stdin()
        .read_to_end(&mut Vec::new())
        .context("wait for the end")?;
    Ok(())
}

fn pass_all(ebpf: &mut Ebpf, interface: &str) -> Result<()> {
    let program: &mut Xdp = ebpf
        .program_mut("pass_all")
        .context("it is not in the object")?
        .try_into()?;
    program.load()?;
    program.attach(interface, XdpMode::Driver)?;
    Ok(())
}

fn pad_queries(ebpf: &mut Ebpf, interface: &str) -> Result<()> {
    // Before Linux 6.6 classifiers attach to this. Later ones do without, and
    // either way it goes with the interface, which is new.
    tc::qdisc_add_clsact(interface).context("add the clsact queueing discipline")?;
    let program: &mut SchedClassifier = ebpf
        .program_mut("pad_queries")
        .context("it is not in the object")?
        .try_into()?;
    program.load()?;
    program.attach(interface, TcAttachType::Egress)?;
    Ok(())
}

/// Turns TX checksum offload off: what veth carries with it has partial
/// checksums, which are not valid on a wire.
fn finish_checksums(interface: &str) -> io::Result<()> {
    // `struct ethtool_value`: the command and the new state.
    let mut request = [ETHTOOL_STXCSUM, 0];
    // SAFETY: an ifreq is numbers and pointers, for which zeros are valid.
    let mut ifreq: libc::ifreq = unsafe { mem::zeroed() };
    if interface.len() >= ifreq.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in ifreq.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from.cast_signed() as libc::c_char;
    }
    ifreq.ifr_ifru.ifru_data = request.as_mut_ptr().cast();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // SAFETY: the name ends in a zero, and the request is as long as its
    // command defines; both live through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut ifreq) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
