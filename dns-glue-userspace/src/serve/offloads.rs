//! The offloads of an interface that take VLAN tags out of frames.
//!
//! With them on, a native XDP program does not see the tag, and what it sends
//! back has none: the reply would go to the wrong network.

use std::{io, mem, os::fd::AsRawFd as _, os::fd::OwnedFd};

/// From linux/sockios.h and linux/ethtool.h.
const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETHTOOL_GFEATURES: u32 = 0x3a;
const ETHTOOL_SFEATURES: u32 = 0x3b;
const ETH_SS_FEATURES: u32 = 4;
/// Octets of a feature's name (`ETH_GSTRING_LEN`).
const NAME_OCTETS: usize = 32;
/// More features than any kernel has, so that no answer is too long.
const MAX_FEATURES: usize = 256;

/// The kernel's names of the two features, and what `ethtool -K` calls them.
const TAG_FEATURES: [(&str, &str); 2] = [
    ("rx-vlan-hw-parse", "rxvlan"),
    ("rx-vlan-stag-hw-parse", "rx-vlan-stag-hw-parse"),
];

/// One of the features, on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagOffload {
    /// What `ethtool -K` calls it.
    pub name: &'static str,
    /// Whether it can be turned off.
    pub changeable: bool,
    /// Its number in the kernel's set of features.
    bit: usize,
}

/// Asks which of the offloads are on.
///
/// An interface that knows no features has none.
///
/// # Errors
///
/// The interface is gone, or the kernel does not answer.
pub fn tag_offloads(interface: &str) -> io::Result<Vec<TagOffload>> {
    let socket = socket()?;
    let Some(names) = feature_names(&socket, interface)? else {
        return Ok(Vec::new());
    };
    let blocks = features(&socket, interface, names.len())?;
    let mut found = Vec::new();
    for (kernel_name, name) in TAG_FEATURES {
        let Some(bit) = names.iter().position(|name| name == kernel_name) else {
            continue;
        };
        let (Some(block), mask) = (blocks.get(bit / 32), 1 << (bit % 32)) else {
            continue;
        };
        if block.active & mask != 0 {
            found.push(TagOffload {
                name,
                changeable: block.available & mask != 0 && block.never_changed & mask == 0,
                bit,
            });
        }
    }
    Ok(found)
}

/// Turns offloads on or off.
///
/// # Errors
///
/// The driver does not.
pub fn set_tag_offloads(interface: &str, offloads: &[TagOffload], on: bool) -> io::Result<()> {
    let socket = socket()?;
    let names = feature_names(&socket, interface)?.ok_or(io::ErrorKind::Unsupported)?;
    let mut request = vec![ETHTOOL_SFEATURES, names.len().div_ceil(32) as u32];
    for block in 0..names.len().div_ceil(32) {
        let valid = offloads
            .iter()
            .filter(|offload| offload.bit / 32 == block)
            .fold(0, |mask, offload| mask | 1 << (offload.bit % 32));
        request.extend([valid, if on { valid } else { 0 }]);
    }
    ethtool(&socket, interface, &mut request)
}

/// What the kernel tells of 32 features (`struct ethtool_get_features_block`).
struct FeatureBlock {
    available: u32,
    active: u32,
    never_changed: u32,
}

fn features(socket: &OwnedFd, interface: &str, count: usize) -> io::Result<Vec<FeatureBlock>> {
    let blocks = count.div_ceil(32);
    let mut request = vec![0; 2 + 4 * blocks];
    request[..2].copy_from_slice(&[ETHTOOL_GFEATURES, blocks as u32]);
    ethtool(socket, interface, &mut request)?;
    let (blocks, _) = request[2..].as_chunks();
    let read = |&[available, _requested, active, never_changed]: &[u32; 4]| FeatureBlock {
        available,
        active,
        never_changed,
    };
    Ok(blocks.iter().map(read).collect())
}

/// The names of all features, in the order of their bits.
fn feature_names(socket: &OwnedFd, interface: &str) -> io::Result<Option<Vec<String>>> {
    // cmd, reserved, sset_mask (64 bits), one count.
    let mut info = [ETHTOOL_GSSET_INFO, 0, 0, 0, 0];
    let mask: [u32; 2] = bytemuck::cast(1u64 << ETH_SS_FEATURES);
    info[2..4].copy_from_slice(&mask);
    match ethtool(socket, interface, &mut info) {
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(None),
        other => other?,
    }
    let count = info[4] as usize;
    if count > MAX_FEATURES {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // cmd, string_set, len, the names.
    let mut request = vec![0u32; 3 + MAX_FEATURES * NAME_OCTETS / 4];
    request[..3].copy_from_slice(&[ETHTOOL_GSTRINGS, ETH_SS_FEATURES, count as u32]);
    ethtool(socket, interface, &mut request)?;
    let names: &[u8] = bytemuck::cast_slice(&request[3..]);
    let (names, _) = names.as_chunks::<NAME_OCTETS>();
    Ok(Some(names.iter().take(count).map(read_name).collect()))
}

fn read_name(octets: &[u8; NAME_OCTETS]) -> String {
    let name = octets.split(|octet| *octet == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

fn socket() -> io::Result<OwnedFd> {
    // Any socket serves as the way to the interfaces of this namespace.
    std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0)).map(OwnedFd::from)
}

/// One ethtool request; `request` starts with the command and holds the
/// answer afterwards.
fn ethtool(socket: &OwnedFd, interface: &str, request: &mut [u32]) -> io::Result<()> {
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
