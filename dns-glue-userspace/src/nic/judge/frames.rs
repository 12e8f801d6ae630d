//! What fits into frames: MTU, room for replies, VLAN tags.

use dns_glue_common::limits::MIN_UDP_OCTETS;
use dns_glue_common::room::FrameRoom;

use super::native::expected_mode;
use super::{Check, Finding, Purpose, Verdict};
use crate::kernel::attach::{AttachMode, LINEAR_MTU};
use crate::kernel::room_probe::Probed;
use crate::nic::drivers::Driver;
use crate::nic::facts::Facts;
use crate::serve::interfaces::{HEAD_ROOM_OCTETS, has_little_room, tag_refusal};
use crate::serve::offloads::{self, TagOffload, Tags};

const ETHERNET_OCTETS: usize = 14;
const TAG_OCTETS: usize = 4;
const IPV4_AND_UDP_OCTETS: usize = 20 + 8;
const IPV6_AND_UDP_OCTETS: usize = 40 + 8;

/// What the MTU means for replies, and for native mode.
pub(super) fn mtu(facts: &Facts, purpose: Purpose) -> Finding {
    let (name, mtu) = (&facts.link.name, facts.link.mtu as usize);
    let raise = format!("ip link set dev {name} mtu 1500");
    if mtu < MIN_UDP_OCTETS + IPV4_AND_UDP_OCTETS {
        let text = format!("{mtu}: below what DNS needs, so every query passes");
        return Finding::red(Check::Mtu, text).with(raise);
    }
    if mtu < MIN_UDP_OCTETS + IPV6_AND_UDP_OCTETS {
        let text = format!("{mtu}: below what DNS over IPv6 needs, so its queries pass");
        return Finding::yellow(Check::Mtu, text).with(raise);
    }
    let longest = mtu - IPV6_AND_UDP_OCTETS;
    let wanted = usize::from(purpose.max_udp);
    if longest < wanted {
        let text = format!("{mtu}: replies over IPv6 end at {longest} octets, not at {wanted}");
        return Finding::yellow(Check::Mtu, text).with(raise);
    }
    if let Some(finding) = large_mtu(facts, purpose) {
        return finding;
    }
    let text = format!("{mtu}: carries replies of {wanted} octets");
    Finding::green(Check::Mtu, text)
}

/// An MTU with which the driver may take no program.
fn large_mtu(facts: &Facts, purpose: Purpose) -> Option<Finding> {
    let (name, mtu) = (&facts.link.name, facts.link.mtu);
    let takes_any = matches!(facts.xdp_features, Ok(features) if features.has_several_buffers());
    if takes_any || expected_mode(facts, purpose) == AttachMode::Generic {
        return None;
    }
    if matches!(&facts.probed, Some(Ok(_))) {
        return None;
    }
    let lower = |to: u32| format!("ip link set dev {name} mtu {to}");
    match Driver::of(facts).map(|driver| (driver.name, driver.max_mtu)) {
        Some((driver, Some(max))) if mtu > max => {
            let text = format!("{mtu}: {driver} takes programs up to an MTU of about {max}");
            Some(Finding::against_native(Check::Mtu, purpose, text).with(lower(max)))
        }
        Some((_, Some(_))) => None,
        _ if mtu > LINEAR_MTU => {
            let text =
                format!("{mtu}: many drivers take programs up to an MTU of {LINEAR_MTU} only");
            Some(Finding::yellow(Check::Mtu, text).with(lower(LINEAR_MTU)))
        }
        _ => None,
    }
}

/// Whether the longest reply finds room in the frame of its query.
pub(super) fn room(facts: &Facts, purpose: Purpose) -> Finding {
    let needed = longest_frame(facts, purpose);
    let mut finding = match &facts.probed {
        Some(Ok(probed)) if probed.room.frames != 0 => return measured_room(probed, needed),
        _ => unmeasured_room(facts, purpose, needed),
    };
    if let Some(Ok(_)) = &facts.probed {
        finding.text += " (no frame came in while the probe was there)";
    }
    if finding.verdict == Verdict::Green {
        return finding;
    }
    finding.with(format!(
        "dns-glue check-nic {} --probe measures it, while queries come in",
        facts.link.name
    ))
}

/// What is known without measuring.
fn unmeasured_room(facts: &Facts, purpose: Purpose, needed: usize) -> Finding {
    if has_little_room(expected_mode(facts, purpose), facts.link.kind) {
        let text = format!(
            "frames are socket buffers of others, with room for as little as {HEAD_ROOM_OCTETS} \
             octets more: queries without room pass (counter no-room)"
        );
        return Finding::yellow(Check::Room, text);
    }
    let Some((driver, grown)) = Driver::of(facts).and_then(|driver| Some((driver, driver.grown?)))
    else {
        let text =
            format!("not known of this driver; the longest reply makes a frame of {needed} octets");
        return Finding::yellow(Check::Room, text);
    };
    let text = format!(
        "frames of {} can grow to {grown} octets (known of the driver, not measured); the longest \
         reply makes one of {needed}",
        driver.name
    );
    if grown >= needed {
        return Finding::green(Check::Room, text);
    }
    let text = format!("{text}: queries without room pass (counter no-room)");
    Finding::yellow(Check::Room, text)
}

/// Octets of the frame of the longest reply: over IPv6, tagged if there are
/// VLANs, and no longer than the MTU carries.
fn longest_frame(facts: &Facts, purpose: Purpose) -> usize {
    let has_vlans = facts
        .snapshot
        .vlans_above(facts.link.index)
        .next()
        .is_some();
    let tags = if has_vlans { TAG_OCTETS } else { 0 };
    let packet = IPV6_AND_UDP_OCTETS + usize::from(purpose.max_udp);
    ETHERNET_OCTETS + tags + packet.min(facts.link.mtu as usize)
}

fn measured_room(probed: &Probed, needed: usize) -> Finding {
    let FrameRoom {
        frames,
        least_grown,
        least_head,
    } = probed.room;
    let text = format!(
        "measured on {frames} frames: each could grow to {least_grown} octets at its tail, or by \
         {least_head} at its head"
    );
    if least_grown >= needed as u64 {
        let text = format!("{text}; the longest reply makes a frame of {needed}");
        return Finding::green(Check::Room, text);
    }
    let text = format!(
        "{text}, but the longest reply makes a frame of {needed}: queries without room pass \
         (counter no-room)"
    );
    let native = match probed.mode {
        AttachMode::Native => "",
        AttachMode::Generic => ", native mode",
    };
    let advice = format!("shorter replies (--max-udp){native}, or another card");
    Finding::yellow(Check::Room, text).with(advice)
}

/// Whether the program sees VLAN tags, by the words of `run`.
pub(super) fn vlan_tags(facts: &Facts) -> Finding {
    let features = match &facts.features {
        Ok(features) => features,
        Err(why) => return Finding::untold(Check::VlanTags, facts, why),
    };
    let (link, snapshot) = (&facts.link, &facts.snapshot);
    let has_vlans = snapshot.vlans_above(link.index).next().is_some();
    match offloads::tags(link.kind, has_vlans, offloads::among(features)) {
        Tags::Seen => Finding::green(Check::VlanTags, "stay in the frames"),
        Tags::PeerDecides => {
            let text = "the peer of a veth decides whether they stay in the frames";
            Finding::yellow(Check::VlanTags, text).with("ethtool -K PEER txvlan off")
        }
        Tags::Hidden {
            changeable,
            for_good,
        } => hidden_tags(facts, &changeable, for_good),
    }
}

fn hidden_tags(facts: &Facts, changeable: &[TagOffload], for_good: bool) -> Finding {
    match tag_refusal(&facts.link, &facts.snapshot, changeable, for_good) {
        Some(refusal) => {
            let finding = Finding::red(Check::VlanTags, refusal.to_string());
            if changeable.is_empty() {
                return finding;
            }
            let off = changeable.iter();
            let off = off.map(|offload| format!(" {} off", offload.name));
            let off: String = off.collect();
            finding.with(format!("ethtool -K {}{off}", facts.link.name))
        }
        // Nothing can be turned off, and there are no VLANs.
        None => {
            let text = "taken out of frames, which the driver cannot be told not to do";
            Finding::yellow(Check::VlanTags, text).with("keep tagged queries off it")
        }
    }
}
