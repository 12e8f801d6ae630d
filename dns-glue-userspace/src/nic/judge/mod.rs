//! What the facts mean for dns-glue.
//!
//! Red is what makes `dns-glue run` refuse, or what makes replies wrong or
//! impossible; yellow is what makes fewer or slower ones, and what is not
//! known; all else is green. With `--mode native`, what leaves only generic
//! mode is red too.

mod frames;
mod host;
mod interface;
mod native;
mod queues;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

use super::facts::{Facts, Untold};
use crate::kernel::attach::{AttachMode, ModeChoice};

/// What the operator means to do with the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// How the program is to be attached.
    pub mode: ModeChoice,
    /// Octets of the longest reply (`--max-udp`).
    pub max_udp: u16,
}

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Green,
    /// Served, but with fewer or slower answers, or not known.
    Yellow,
    /// Not to be served as it is.
    Red,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        })
    }
}

/// What was looked at. Names are never given to another matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Whether it is an interface that can be served.
    Interface,
    /// The driver and the bus.
    Driver,
    /// Whether there is a link.
    Link,
    /// The version of the kernel.
    Kernel,
    /// What this process may do.
    Privileges,
    /// Machine code for the program.
    Jit,
    /// A program that is on the interface.
    XdpProgram,
    /// Native XDP.
    NativeXdp,
    /// Offloads that merge frames.
    Merging,
    /// The MTU.
    Mtu,
    /// Room in a frame for its reply.
    Room,
    /// Offloads that take VLAN tags out of frames.
    VlanTags,
    /// Queues.
    Queues,
    /// Rings.
    Rings,
    /// How UDP is spread over the queues.
    UdpHash,
    /// Where interrupts go.
    Interrupts,
    /// The bond, bridge or team that it is a port of.
    Master,
    /// Addresses.
    Addresses,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Interface => "interface",
            Self::Driver => "driver",
            Self::Link => "link",
            Self::Kernel => "kernel",
            Self::Privileges => "privileges",
            Self::Jit => "JIT",
            Self::XdpProgram => "XDP program",
            Self::NativeXdp => "native XDP",
            Self::Merging => "merging",
            Self::Mtu => "MTU",
            Self::Room => "room",
            Self::VlanTags => "VLAN tags",
            Self::Queues => "queues",
            Self::Rings => "rings",
            Self::UdpHash => "UDP hash",
            Self::Interrupts => "interrupts",
            Self::Master => "master",
            Self::Addresses => "addresses",
        })
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// How it is to be taken.
    pub verdict: Verdict,
    /// What it is.
    pub text: String,
    /// What to do about it: a command where there is one.
    pub advice: Option<String>,
}

impl Finding {
    fn green(check: Check, text: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Green,
            text: text.into(),
            advice: None,
        }
    }

    fn yellow(check: Check, text: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Yellow,
            ..Self::green(check, text)
        }
    }

    fn red(check: Check, text: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Red,
            ..Self::green(check, text)
        }
    }

    /// What keeps a program from native mode: red if no other will do.
    fn against_native(check: Check, purpose: Purpose, text: impl Into<String>) -> Self {
        if purpose.mode == ModeChoice::Only(AttachMode::Native) {
            Self::red(check, text)
        } else {
            Self::yellow(check, text)
        }
    }

    /// What is not known: of an interface that is on no bus it matters little.
    fn untold(check: Check, facts: &Facts, why: &Untold) -> Self {
        let text = format!("not known: {why}");
        match &facts.driver {
            Ok(driver) if driver.bus.is_empty() => Self::green(check, text),
            _ => Self::yellow(check, text),
        }
    }

    fn with(self, advice: impl Into<String>) -> Self {
        Self {
            advice: Some(advice.into()),
            ..self
        }
    }
}

/// Judges a card for a purpose.
///
/// Of an interface that cannot be served only that is told, and what holds for
/// any.
pub fn judge(facts: &Facts, purpose: Purpose) -> Vec<Finding> {
    let mut findings = vec![interface::driver(facts)];
    let kind = interface::kind(facts);
    let can_be_served = kind.verdict != Verdict::Red;
    findings.push(kind);
    findings.extend(host::kernel(facts));
    if !can_be_served {
        return findings;
    }
    findings.extend([interface::link(facts), interface::xdp_program(facts)]);
    findings.push(native::native_xdp(facts, purpose));
    findings.extend(native::merging(facts, purpose));
    findings.push(frames::mtu(facts, purpose));
    findings.push(frames::room(facts, purpose));
    findings.push(frames::vlan_tags(facts));
    findings.extend(queues::queues(facts, purpose));
    findings.push(queues::rings(facts));
    findings.extend(queues::udp_hash(facts));
    findings.push(queues::interrupts(facts));
    findings.extend(interface::master(facts));
    findings.push(interface::addresses(facts));
    findings
}
