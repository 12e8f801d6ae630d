//! How queries reach the processors: queues, rings, hashes, interrupts.

use std::collections::BTreeSet;

use super::native::expected_mode;
use super::{Check, Finding, Purpose};
use crate::ethtool::{Channels, FlowHash};
use crate::kernel::attach::AttachMode;
use crate::nic::drivers::{Driver, Need};
use crate::nic::facts::{Facts, Told};

/// Fewer entries lose frames of short bursts at the rates that one processor
/// answers.
const FEW_ENTRIES: u32 = 512;
/// What to make of them.
const ENOUGH_ENTRIES: u32 = 1024;

/// Whether there are queues for the processors, and as few as the driver needs
/// for native mode.
pub(super) fn queues(facts: &Facts, purpose: Purpose) -> Vec<Finding> {
    let channels = match &facts.channels {
        Ok(channels) => channels,
        Err(why) => return vec![Finding::untold(Check::Queues, facts, why)],
    };
    let (now, max) = (channels.receiving(), channels.receiving_at_most());
    let driver = Driver::of(facts);
    let is_native = expected_mode(facts, purpose) == AttachMode::Native;
    let needs = |need| is_native && driver.is_some_and(|driver| driver.needs.contains(&need));
    // A program that was attached shows that there were enough.
    let is_tried = matches!(&facts.probed, Some(Ok(_)));
    let limit = if needs(Need::HalfOfQueues) && !is_tried {
        (max / 2).max(1)
    } else {
        max
    };
    let mut findings = Vec::new();
    if now > limit {
        let name = driver.map_or("the driver", |driver| driver.name);
        let text = format!(
            "{now} of {max}: {name} needs as many again for sending, so at most {limit} in native \
             mode"
        );
        findings.push(
            Finding::against_native(Check::Queues, purpose, text).with(set(facts, channels, limit)),
        );
    } else {
        findings.push(spread(facts, channels, limit));
    }
    if needs(Need::SpareQueues) && now + facts.host.processors > max {
        findings.push(no_spare(facts, channels));
    }
    findings
}

/// Processors that have no queue of their own for sending.
fn no_spare(facts: &Facts, channels: &Channels) -> Finding {
    let (max, processors) = (channels.receiving_at_most(), facts.host.processors);
    let text = format!(
        "{} of {max}: none to spare for each of {processors} processors to send by, so they take \
         turns",
        channels.receiving()
    );
    let advice = match max.checked_sub(processors) {
        Some(fewer) if fewer != 0 => set(facts, channels, fewer),
        _ => format!(
            "give the machine {} queues (qemu: queues=N)",
            2 * processors
        ),
    };
    Finding::yellow(Check::Queues, text).with(advice)
}

/// Whether every processor can get queries.
fn spread(facts: &Facts, channels: &Channels, limit: u32) -> Finding {
    let (now, processors) = (channels.receiving(), facts.host.processors);
    let wanted = processors.min(limit);
    let text = format!("{now} for {processors} processors");
    if now >= wanted {
        let text = if now < processors {
            format!("{text}, all that the driver can have")
        } else {
            text
        };
        return Finding::green(Check::Queues, text);
    }
    let text = format!("{text}: the others answer no queries");
    Finding::yellow(Check::Queues, text).with(set(facts, channels, wanted))
}

/// The command that makes so many queues.
fn set(facts: &Facts, channels: &Channels, number: u32) -> String {
    let name = &facts.link.name;
    if channels.combined.max != 0 {
        return format!("ethtool -L {name} combined {number}");
    }
    format!("ethtool -L {name} rx {number} tx {number}")
}

/// Whether the rings hold a burst.
pub(super) fn rings(facts: &Facts) -> Finding {
    let rings = match &facts.rings {
        Ok(rings) => rings,
        Err(why) => return Finding::untold(Check::Rings, facts, why),
    };
    let (rx, tx) = (rings.rx, rings.tx);
    let text = format!(
        "{} of {} for receiving, {} of {} for sending",
        rx.now, rx.max, tx.now, tx.max
    );
    if rx.now < FEW_ENTRIES && rx.max > rx.now {
        let more = ENOUGH_ENTRIES.min(rx.max);
        let text = format!("{text}: bursts are lost");
        let command = format!("ethtool -G {} rx {more}", facts.link.name);
        return Finding::yellow(Check::Rings, text).with(command);
    }
    Finding::green(Check::Rings, text)
}

/// Whether queries of one resolver come to more than one queue.
pub(super) fn udp_hash(facts: &Facts) -> Vec<Finding> {
    if matches!(&facts.channels, Ok(channels) if channels.receiving() <= 1) {
        let text = "one queue: there is nothing to choose";
        return vec![Finding::green(Check::UdpHash, text)];
    }
    let families = ["udp4", "udp6"].into_iter().zip(&facts.udp_flow_hash);
    families
        .map(|(family, hash)| of_family(facts, family, hash))
        .collect()
}

fn of_family(facts: &Facts, family: &str, hash: &Told<FlowHash>) -> Finding {
    match hash {
        Ok(hash) if hash.has_ports() => {
            Finding::green(Check::UdpHash, format!("{family}: {hash}, ports included"))
        }
        Ok(hash) => {
            let text =
                format!("{family}: {hash}, no ports: all queries of a resolver come to one queue");
            let command = format!("ethtool -N {} rx-flow-hash {family} sdfn", facts.link.name);
            Finding::yellow(Check::UdpHash, text).with(command)
        }
        Err(why) => {
            let mut finding = Finding::untold(Check::UdpHash, facts, why);
            finding.text = format!("{family}: {}", finding.text);
            finding
        }
    }
}

/// Whether interrupts of the queues go to as many processors as they could.
pub(super) fn interrupts(facts: &Facts) -> Finding {
    let interrupts = match &facts.interrupts {
        Ok(interrupts) => interrupts,
        Err(why) => return Finding::untold(Check::Interrupts, facts, why),
    };
    let reached: BTreeSet<u32> = interrupts
        .iter()
        .flat_map(|interrupt| interrupt.processors.iter().copied())
        .collect();
    let queues = facts.channels.as_ref().map_or(1, Channels::receiving);
    let wanted = queues
        .min(facts.host.processors)
        .min(interrupts.len() as u32);
    let balanced = if facts.host.has_irqbalance {
        ", moved by irqbalance"
    } else {
        ""
    };
    let text = format!(
        "{} go to {} of {} processors{balanced}",
        interrupts.len(),
        reached.len(),
        facts.host.processors
    );
    if (reached.len() as u32) < wanted {
        let numbers = interrupts.iter().map(|interrupt| interrupt.number);
        let [first, last] = [numbers.clone().min(), numbers.max()].map(Option::unwrap_or_default);
        return Finding::yellow(Check::Interrupts, text).with(format!(
            "systemctl start irqbalance, or set /proc/irq/N/smp_affinity_list for {first} to {last}"
        ));
    }
    Finding::green(Check::Interrupts, text)
}
