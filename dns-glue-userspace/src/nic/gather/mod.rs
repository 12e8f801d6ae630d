//! Asks the kernel for the facts.

mod host;
mod interrupts;
mod xdp_features;

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::facts::{Facts, Untold};
use crate::ethtool;
use crate::kernel::AttachError;
use crate::kernel::attach::{ModeChoice, program_name};
use crate::kernel::room_probe::{self, ProbeError, Probed};
use crate::serve::interfaces;
use crate::serve::network::{Link, Network, Snapshot};

/// How long a probe stays on the interface.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// Gathers what is known of the interface of that name in this thread's
/// network namespace. Nothing is changed; but with `probe`, a program that
/// passes everything is on it for two seconds, attached in that mode.
///
/// # Errors
///
/// There is no such interface, the kernel does not tell which there are, or the
/// probe may not be tried.
pub fn gather(name: &str, probe: Option<ModeChoice>) -> Result<Facts> {
    let snapshot = snapshot()?;
    let link = snapshot.link(name).cloned().with_context(|| {
        let existing = snapshot.links.iter().map(|link| link.name.as_str());
        let existing: Vec<&str> = existing.collect();
        format!(
            "{name}: no such interface; there are {}",
            existing.join(", ")
        )
    })?;
    // Before anything else is asked: a probe may change queues and offloads,
    // and leaves them as they were.
    let probed = match probe {
        Some(choice) => try_program(&link, choice)?,
        None => None,
    };
    let driver = ethtool::driver(name).map_err(Untold::from);
    let bus = driver.as_ref().map_or("", |driver| driver.bus.as_str());
    Ok(Facts {
        carrier: ethtool::carrier(name).map_err(Untold::from),
        xdp_features: xdp_features::ask(link.index).map_err(xdp_features::explain),
        program_name: link.xdp_program.and_then(program_name),
        channels: ethtool::channels(name).map_err(Untold::from),
        rings: ethtool::rings(name).map_err(Untold::from),
        udp_flow_hash: [false, true]
            .map(|is_ipv6| ethtool::udp_flow_hash(name, is_ipv6).map_err(Untold::from)),
        features: ethtool::features(name).map_err(Untold::from),
        interrupts: interrupts::of_device(bus),
        host: host::gather(),
        driver,
        link,
        snapshot,
        probed,
    })
}

/// Attaches a program for a while: what it found, or why the driver did not
/// take it. Nothing, if there is a program of somebody else, which is a finding
/// of its own.
fn try_program(link: &Link, choice: ModeChoice) -> Result<Option<Result<Probed, String>>> {
    match room_probe::probe(&interfaces::target(link), choice, PROBE_TIME) {
        Ok(probed) => Ok(Some(Ok(probed))),
        Err(ProbeError::Attach(AttachError::Foreign { .. })) => Ok(None),
        Err(ProbeError::Attach(refusal)) => Ok(Some(Err(refusal.to_string()))),
        Err(error) => Err(error).context("--probe"),
    }
}

fn snapshot() -> Result<Snapshot> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async { Ok(Network::connect()?.snapshot().await?) })
}
