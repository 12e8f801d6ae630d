//! Cards that nobody has here, and what is said of them.

mod attaching;
mod serving;

use super::*;
use crate::ethtool::{Channels, Count, DriverInfo, Feature, FlowHash, Rings};
use crate::nic::facts::{HostFacts, Interrupt, XdpFeatures};
use crate::serve::network::{Link, LinkKind, Snapshot};

const NAME: &str = "eth7";
const INDEX: u32 = 7;
/// `NETDEV_XDP_ACT_BASIC` alone, and with `NETDEV_XDP_ACT_RX_SG`.
const BASIC: XdpFeatures = XdpFeatures(1);
const WITH_FRAGMENTS: XdpFeatures = XdpFeatures(1 | 1 << 5);

const AUTO: Purpose = Purpose {
    mode: ModeChoice::Auto,
    max_udp: 1232,
};
const NATIVE: Purpose = Purpose {
    mode: ModeChoice::Only(AttachMode::Native),
    ..AUTO
};
const GENERIC: Purpose = Purpose {
    mode: ModeChoice::Only(AttachMode::Generic),
    ..AUTO
};

fn link(index: u32, name: &str, kind: LinkKind) -> Link {
    Link {
        index,
        name: name.to_owned(),
        mac: Some([2, 0, 0, 0, 0, 1]),
        mtu: 1500,
        kind,
        lower: None,
        master: None,
        xdp_program: None,
        xdp_is_generic: false,
        tag: None,
    }
}

fn count(now: u32, max: u32) -> Count {
    Count { now, max }
}

fn feature(name: &str, active: bool) -> Feature {
    Feature {
        name: name.to_owned(),
        active,
        changeable: true,
    }
}

fn untold<T>() -> Result<T, Untold> {
    Err(Untold(String::from("the driver does not tell")))
}

/// A card of that driver with nothing wrong, in a host of eight processors.
fn card(driver: &str) -> Facts {
    let own = link(INDEX, NAME, LinkKind::Other);
    let address = (INDEX, "192.0.2.53".parse().expect("an address"));
    Facts {
        link: own.clone(),
        snapshot: Snapshot {
            links: vec![own],
            addresses: [address].into(),
        },
        driver: Ok(DriverInfo {
            name: driver.to_owned(),
            firmware: String::from("1.2"),
            bus: String::from("0000:01:00.0"),
        }),
        carrier: Ok(true),
        xdp_features: Ok(BASIC),
        program_name: None,
        channels: Ok(Channels {
            combined: count(8, 32),
            ..Channels::default()
        }),
        rings: Ok(Rings {
            rx: count(1024, 8192),
            tx: count(1024, 8192),
        }),
        udp_flow_hash: [Ok(FlowHash(0xf0)), Ok(FlowHash(0xf0))],
        features: Ok(vec![
            feature("rx-lro", false),
            feature("rx-gro-hw", false),
            feature("rx-vlan-hw-parse", false),
        ]),
        interrupts: Ok((0..8)
            .map(|number| Interrupt {
                number: 40 + number,
                processors: vec![number],
            })
            .collect()),
        host: HostFacts {
            release: String::from("6.12.0"),
            missing_capabilities: Ok(Vec::new()),
            jit: Ok(1),
            jit_harden: Ok(0),
            processors: 8,
            has_irqbalance: false,
        },
        probed: None,
    }
}

/// A virtual interface, which tells next to nothing.
fn virtual_interface(driver: &str, kind: LinkKind) -> Facts {
    let mut facts = card(driver);
    facts.link.kind = kind;
    facts.snapshot.links[0].kind = kind;
    facts.driver = Ok(DriverInfo {
        name: driver.to_owned(),
        ..DriverInfo::default()
    });
    facts.channels = untold();
    facts.rings = untold();
    facts.udp_flow_hash = [untold(), untold()];
    facts.interrupts = untold();
    facts
}

fn turn_on(facts: &mut Facts, name: &str) {
    let features = facts.features.as_mut().expect("it has features");
    features.retain(|feature| feature.name != name);
    features.push(feature(name, true));
}

/// All that is not green, one line each: check, verdict, text, advice.
fn complaints(facts: &Facts, purpose: Purpose) -> Vec<String> {
    let findings = judge(facts, purpose).into_iter();
    findings
        .filter(|finding| finding.verdict != Verdict::Green)
        .map(|finding| {
            let advice = finding.advice.unwrap_or_default();
            format!(
                "{} {}: {} -> {advice}",
                finding.verdict, finding.check, finding.text
            )
        })
        .collect()
}

/// The text of the findings of a check.
fn text(facts: &Facts, purpose: Purpose, check: Check) -> String {
    let findings = judge(facts, purpose).into_iter();
    let of_check = findings.filter(|finding| finding.check == check);
    of_check.map(|finding| finding.text).collect()
}

/// A card, what is changed on it, for what, and what is told: each complaint by
/// its parts, in order.
type Case = (
    &'static str,
    fn(&mut Facts),
    Purpose,
    &'static [&'static [&'static str]],
);

/// Judges each card, and looks for the parts in the complaints.
fn check_cases(cases: &[Case]) {
    for (driver, change, purpose, expected) in cases {
        let mut facts = card(driver);
        change(&mut facts);
        check_complaints(driver, &complaints(&facts, *purpose), expected);
    }
}

fn check_complaints(card: &str, complaints: &[String], expected: &[&[&str]]) {
    assert_eq!(complaints.len(), expected.len(), "{card}: {complaints:#?}");
    for (complaint, parts) in complaints.iter().zip(expected) {
        for part in *parts {
            assert!(complaint.contains(part), "{card}: {part:?} in {complaint}");
        }
    }
}
