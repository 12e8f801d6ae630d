//! What a driver can turn on and off: `ethtool -k` and `-K`.

use std::{io, os::fd::OwnedFd};

use super::{ETH_SS_FEATURES, ask, names, socket};

/// From linux/ethtool.h.
const ETHTOOL_GFEATURES: u32 = 0x3a;
const ETHTOOL_SFEATURES: u32 = 0x3b;

/// A feature of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The kernel's name of it, which `ethtool -K` takes too.
    pub name: String,
    /// Whether it is on.
    pub active: bool,
    /// Whether it can be turned on and off.
    pub changeable: bool,
}

/// The features of an interface of this thread's network namespace.
///
/// An interface that knows no features has none.
///
/// # Errors
///
/// The interface is gone, or the kernel does not answer.
pub fn features(interface: &str) -> io::Result<Vec<Feature>> {
    let socket = socket()?;
    let Some(names) = names(&socket, interface, ETH_SS_FEATURES)? else {
        return Ok(Vec::new());
    };
    let blocks = blocks(&socket, interface, names.len())?;
    let read = |(bit, name): (usize, String)| {
        let block = blocks.get(bit / 32)?;
        let mask = 1 << (bit % 32);
        Some(Feature {
            name,
            active: block.active & mask != 0,
            changeable: block.available & mask != 0 && block.never_changed & mask == 0,
        })
    };
    Ok(names.into_iter().enumerate().filter_map(read).collect())
}

/// Turns the features of these names on or off.
///
/// # Errors
///
/// The driver does not.
pub fn set_features(interface: &str, chosen: &[&str], on: bool) -> io::Result<()> {
    let socket = socket()?;
    let names = names(&socket, interface, ETH_SS_FEATURES)?.ok_or(io::ErrorKind::Unsupported)?;
    let mut request = vec![ETHTOOL_SFEATURES, names.len().div_ceil(32) as u32];
    for block in names.chunks(32) {
        let valid = (0..)
            .zip(block)
            .filter(|(_, name)| chosen.contains(&name.as_str()))
            .fold(0, |mask, (bit, _)| mask | 1 << bit);
        request.extend([valid, if on { valid } else { 0 }]);
    }
    ask(&socket, interface, &mut request)
}

/// What the kernel tells of 32 features (`struct ethtool_get_features_block`).
struct FeatureBlock {
    available: u32,
    active: u32,
    never_changed: u32,
}

fn blocks(socket: &OwnedFd, interface: &str, count: usize) -> io::Result<Vec<FeatureBlock>> {
    let blocks = count.div_ceil(32);
    let mut request = vec![0; 2 + 4 * blocks];
    request[..2].copy_from_slice(&[ETHTOOL_GFEATURES, blocks as u32]);
    ask(socket, interface, &mut request)?;
    let (blocks, _) = request[2..].as_chunks();
    let read = |&[available, _requested, active, never_changed]: &[u32; 4]| FeatureBlock {
        available,
        active,
        never_changed,
    };
    Ok(blocks.iter().map(read).collect())
}
