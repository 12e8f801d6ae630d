//! The offloads of an interface that take VLAN tags out of frames.
//!
//! With them on, a native XDP program does not see the tag, and what it sends
//! back has none: the reply would go to the wrong network.

use std::{io, os::fd::OwnedFd};

use crate::ethtool::{self, ETH_SS_FEATURES};

/// From linux/ethtool.h.
const ETHTOOL_GFEATURES: u32 = 0x3a;
const ETHTOOL_SFEATURES: u32 = 0x3b;

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
    let socket = ethtool::socket()?;
    let Some(names) = ethtool::names(&socket, interface, ETH_SS_FEATURES)? else {
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
    let socket = ethtool::socket()?;
    let names =
        ethtool::names(&socket, interface, ETH_SS_FEATURES)?.ok_or(io::ErrorKind::Unsupported)?;
    let mut request = vec![ETHTOOL_SFEATURES, names.len().div_ceil(32) as u32];
    for block in 0..names.len().div_ceil(32) {
        let valid = offloads
            .iter()
            .filter(|offload| offload.bit / 32 == block)
            .fold(0, |mask, offload| mask | 1 << (offload.bit % 32));
        request.extend([valid, if on { valid } else { 0 }]);
    }
    ethtool::ask(&socket, interface, &mut request)
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
    ethtool::ask(socket, interface, &mut request)?;
    let (blocks, _) = request[2..].as_chunks();
    let read = |&[available, _requested, active, never_changed]: &[u32; 4]| FeatureBlock {
        available,
        active,
        never_changed,
    };
    Ok(blocks.iter().map(read).collect())
}
