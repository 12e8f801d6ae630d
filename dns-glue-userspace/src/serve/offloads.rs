//! The offloads of an interface that take VLAN tags out of frames.
//!
//! With them on, a native XDP program does not see the tag, and what it sends
//! back has none: the reply would go to the wrong network.

use std::io;

use super::network::LinkKind;
use crate::ethtool::{self, Feature};

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
    /// The kernel's name of it.
    feature: &'static str,
}

/// Which of the offloads are on among these features.
pub fn among(features: &[Feature]) -> Vec<TagOffload> {
    let find = |(feature, name)| {
        let found = features.iter().find(|other| other.name == feature)?;
        found.active.then_some(TagOffload {
            name,
            changeable: found.changeable,
            feature,
        })
    };
    TAG_FEATURES.into_iter().filter_map(find).collect()
}

/// Asks which of the offloads are on.
///
/// An interface that knows no features has none.
///
/// # Errors
///
/// The interface is gone, or the kernel does not answer.
pub fn tag_offloads(interface: &str) -> io::Result<Vec<TagOffload>> {
    Ok(among(&ethtool::features(interface)?))
}

/// Turns offloads on or off.
///
/// # Errors
///
/// The driver does not.
pub fn set_tag_offloads(interface: &str, offloads: &[TagOffload], on: bool) -> io::Result<()> {
    let features: Vec<&str> = offloads.iter().map(|offload| offload.feature).collect();
    ethtool::set_features(interface, &features, on)
}

/// Whether the program will see the tags of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// It will.
    Seen,
    /// There are VLANs on this end of a veth pair, and its peer decides.
    PeerDecides,
    /// Some are taken out.
    Hidden {
        /// By these, which can be turned off.
        changeable: Vec<TagOffload>,
        /// And by others, which cannot.
        for_good: bool,
    },
}

/// Judges it by the offloads that are on, and by whether there are VLANs.
pub fn tags(kind: LinkKind, has_vlans: bool, offloads: Vec<TagOffload>) -> Tags {
    // A veth has the feature and ignores it: a tag is hidden when the *sending*
    // end left it out of the frame, whatever this end is set to.
    if kind == LinkKind::Veth {
        return if has_vlans {
            Tags::PeerDecides
        } else {
            Tags::Seen
        };
    }
    if offloads.is_empty() {
        return Tags::Seen;
    }
    let (changeable, fixed): (Vec<_>, Vec<_>) =
        offloads.into_iter().partition(|offload| offload.changeable);
    Tags::Hidden {
        changeable,
        for_good: !fixed.is_empty(),
    }
}
