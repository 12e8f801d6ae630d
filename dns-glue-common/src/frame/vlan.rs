//! The VLANs that a frame is in.

use super::Frame;
use bytemuck::{Pod, Zeroable};
use network_types::eth::EthHdr;

/// EtherType of an 802.1Q tag.
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// EtherType of an 802.1ad service tag.
pub const ETHERTYPE_SERVICE_VLAN: u16 = 0x88a8;
/// Octets of a VLAN tag.
pub const TAG_OCTETS: usize = 4;

/// Offset of the outermost tag: its EtherType stands where an untagged frame
/// has its own.
const FIRST_TAG: usize = EthHdr::LEN - 2;
/// What tells VLANs apart in a tag: its EtherType and its number. Priority and
/// drop eligibility do not (IEEE 802.1Q 9.6).
const TAG_MASK: u32 = 0xffff_0fff;

/// The VLANs of a frame, outermost first; 0 where there is no tag. Host byte
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Vlans([u32; 2]);

impl Vlans {
    /// An untagged frame's.
    pub const NONE: Self = Self([0; 2]);

    /// The VLAN that a tag with this EtherType and this number puts frames of
    /// `self` into; `None` if they have two tags already.
    pub const fn inside(self, ether_type: u16, number: u16) -> Option<Self> {
        let tag = ((ether_type as u32) << 16 | number as u32) & TAG_MASK;
        match self.0 {
            [0, 0] => Some(Self([tag, 0])),
            [outer, 0] => Some(Self([outer, tag])),
            _ => None,
        }
    }

    /// The VLANs of a frame whose IP header lies at `ip_start`.
    #[inline(always)]
    pub fn of<F: Frame>(frame: &F, ip_start: usize) -> Option<Self> {
        let mut tags = [0; 2];
        let [outer, inner] = &mut tags;
        if ip_start >= EthHdr::LEN + TAG_OCTETS {
            *outer = tag(frame, FIRST_TAG)?;
        }
        if ip_start >= EthHdr::LEN + 2 * TAG_OCTETS {
            *inner = tag(frame, FIRST_TAG + TAG_OCTETS)?;
        }
        Some(Self(tags))
    }
}

/// What tells the VLAN of the tag at `offset`.
#[inline(always)]
fn tag<F: Frame>(frame: &F, offset: usize) -> Option<u32> {
    let octets = frame.header::<[u8; TAG_OCTETS]>(offset)?;
    Some(u32::from_be_bytes(*octets) & TAG_MASK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_memory::Asked;

    #[test]
    fn vlans_of_frames_are_those_that_tags_make() {
        let message = [0; 17];
        let q7 = [0x81, 0x00, 0x00, 0x07];
        // The same VLAN with the highest priority, and drop eligible.
        let q7_urgent = [0x81, 0x00, 0xf0, 0x07];
        let service = [0x88, 0xa8, 0x1f, 0xff];
        let of = |tags: &[[u8; 4]]| {
            let asked = Asked::new(true, tags, &message);
            Vlans::of(&asked.frame(0), asked.ip).expect("a whole frame")
        };
        let seven = Vlans::NONE.inside(ETHERTYPE_VLAN, 7).expect("one tag");
        assert_eq!(of(&[]), Vlans::NONE);
        assert_eq!(of(&[q7]), seven);
        assert_eq!(of(&[q7_urgent]), seven);
        let in_service = Vlans::NONE
            .inside(ETHERTYPE_SERVICE_VLAN, 0xfff)
            .expect("one tag");
        assert_eq!(of(&[service]), in_service);
        let both = in_service.inside(ETHERTYPE_VLAN, 7).expect("two tags");
        assert_eq!(of(&[service, q7]), both);
        assert_ne!(of(&[q7, service]), both);
        assert_eq!(both.inside(ETHERTYPE_VLAN, 1), None);
    }
}
