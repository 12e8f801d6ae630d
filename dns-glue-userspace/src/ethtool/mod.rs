//! Requests of ethtool(8): SIOCETHTOOL, with a command and its data.
//!
//! Here is how one is made, and the sets of names; `card` has the fixed
//! settings of a card, `features` what can be turned on and off.

mod card;
mod features;

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::{io, mem};

pub use card::{
    Channels, Count, DriverInfo, FlowHash, Rings, carrier, channels, driver, rings, udp_flow_hash,
};
pub use features::{Feature, features, set_features};

/// From linux/sockios.h and linux/ethtool.h.
const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSTATS: u32 = 0x1d;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
/// The set of the names of statistics.
const ETH_SS_STATS: u32 = 1;
/// The set of the names of features.
const ETH_SS_FEATURES: u32 = 4;
/// Octets of a name (`ETH_GSTRING_LEN`).
const NAME_OCTETS: usize = 32;
/// More names than any set has, so that no answer is too long.
const MAX_NAMES: usize = 1024;

/// A way to the interfaces of this thread's network namespace: any socket is.
fn socket() -> io::Result<OwnedFd> {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map(OwnedFd::from)
}

/// One request; `request` starts with the command and holds the answer
/// afterwards. It must have the length that its command defines.
fn ask(socket: &OwnedFd, interface: &str, request: &mut [u32]) -> io::Result<()> {
    // SAFETY: an ifreq is numbers and pointers, for which zeros are valid.
    let mut ifreq: libc::ifreq = unsafe { mem::zeroed() };
    let name = interface.as_bytes();
    if name.len() >= ifreq.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in ifreq.ifr_name.iter_mut().zip(name) {
        *to = from.cast_signed() as libc::c_char;
    }
    ifreq.ifr_ifru.ifru_data = request.as_mut_ptr().cast();
    // SAFETY: the kernel reads and writes behind the pointer what the command
    // at its start defines: the callers size the request for their command.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut ifreq) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The names of a set, in their order; nothing if the driver has no such set.
fn names(socket: &OwnedFd, interface: &str, set: u32) -> io::Result<Option<Vec<String>>> {
    // cmd, reserved, sset_mask (64 bits), one count.
    let mut info = [ETHTOOL_GSSET_INFO, 0, 0, 0, 0];
    let mask: [u32; 2] = bytemuck::cast(1u64 << set);
    info[2..4].copy_from_slice(&mask);
    match ask(socket, interface, &mut info) {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(None),
        other => other?,
    }
    let count = info[4] as usize;
    if count > MAX_NAMES {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // cmd, string_set, len, the names.
    let mut request = vec![0u32; 3 + MAX_NAMES * NAME_OCTETS / 4];
    request[..3].copy_from_slice(&[ETHTOOL_GSTRINGS, set, count as u32]);
    ask(socket, interface, &mut request)?;
    let names: &[u8] = bytemuck::cast_slice(&request[3..]);
    let (names, _) = names.as_chunks::<NAME_OCTETS>();
    Ok(Some(
        names
            .iter()
            .take(count)
            .map(|name| read_name(name))
            .collect(),
    ))
}

/// The statistics of an interface of this thread's network namespace, as its
/// driver counts them.
///
/// # Errors
///
/// There is no such interface, or its driver has no statistics.
pub fn statistics(interface: &str) -> io::Result<Vec<(String, u64)>> {
    let socket = socket()?;
    let names = names(&socket, interface, ETH_SS_STATS)?.ok_or(io::ErrorKind::Unsupported)?;
    // cmd, number of statistics, the statistics of 64 bits.
    let mut request = vec![0u32; 2 + 2 * MAX_NAMES];
    request[..2].copy_from_slice(&[ETHTOOL_GSTATS, names.len() as u32]);
    ask(&socket, interface, &mut request)?;
    let (numbers, _) = request[2..].as_chunks::<2>();
    let numbers = numbers.iter().map(|&halves| bytemuck::cast(halves));
    Ok(names.into_iter().zip(numbers).collect())
}

/// The text in front of the first zero.
fn read_name(octets: &[u8]) -> String {
    let name = octets.split(|octet| *octet == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}
