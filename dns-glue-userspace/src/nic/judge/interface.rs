//! The interface among the host's: what it is, who else uses it, its
//! addresses.

use dns_glue_common::maps::PROGRAM;

use super::{Check, Finding};
use crate::kernel::AttachError;
use crate::nic::facts::Facts;
use crate::serve::interfaces;
use crate::serve::status::mac_text;

/// The driver and the bus.
pub(super) fn driver(facts: &Facts) -> Finding {
    let info = match &facts.driver {
        Ok(info) => info,
        Err(why) => return Finding::yellow(Check::Driver, format!("not known: {why}")),
    };
    let bus = match info.bus.as_str() {
        "" => String::from("on no bus"),
        bus => format!("at {bus}"),
    };
    let firmware = match info.firmware.as_str() {
        "" => String::new(),
        firmware => format!(", firmware {firmware}"),
    };
    Finding::green(Check::Driver, format!("{}, {bus}{firmware}", info.name))
}

/// Whether it is an interface that can be served, by the words of `run`.
pub(super) fn kind(facts: &Facts) -> Finding {
    match interfaces::check_kind(&facts.link, &facts.snapshot) {
        Ok(()) => {
            let mac = facts.link.mac.map(mac_text).unwrap_or_default();
            let text = format!("Ethernet, {mac}; queries to another MAC address pass");
            Finding::green(Check::Interface, text)
        }
        Err(refusal) => Finding::red(Check::Interface, refusal.to_string()),
    }
}

/// Whether there is a link.
pub(super) fn link(facts: &Facts) -> Finding {
    match &facts.carrier {
        Ok(true) => Finding::green(Check::Link, "up"),
        Ok(false) => {
            let command = format!("ip link set dev {} up", facts.link.name);
            Finding::yellow(Check::Link, "down: no queries come in").with(command)
        }
        Err(why) => Finding::untold(Check::Link, facts, why),
    }
}

/// A program that is on it already.
pub(super) fn xdp_program(facts: &Facts) -> Finding {
    let (name, program) = (&facts.link.name, &facts.program_name);
    let Some(id) = facts.link.xdp_program else {
        return Finding::green(Check::XdpProgram, "none is on it");
    };
    if program.as_deref() == Some(PROGRAM) {
        let text = format!("dns-glue is on it already: number {id}");
        return Finding::yellow(Check::XdpProgram, text).with("dns-glue status");
    }
    let refusal = AttachError::Foreign {
        interface: name.clone(),
        id,
        name: program.clone(),
    };
    let command = format!("ip link set dev {name} xdp off");
    Finding::red(Check::XdpProgram, refusal.to_string()).with(command)
}

/// The bond, bridge or team that it is a port of, by the words of `run`.
pub(super) fn master(facts: &Facts) -> Vec<Finding> {
    let warnings = interfaces::port_warnings(&facts.link, &facts.snapshot, false);
    let finding = |warning| Finding::yellow(Check::Master, warning);
    warnings.into_iter().map(finding).collect()
}

/// What is served without `--address`.
pub(super) fn addresses(facts: &Facts) -> Finding {
    let addresses = facts
        .snapshot
        .default_service_addresses(&[facts.link.index]);
    if addresses.is_empty() {
        let text = "none of the interface, of VLANs on it or of lo: every query passes";
        return Finding::yellow(Check::Addresses, text)
            .with("name them: dns-glue run --address IP...");
    }
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    Finding::green(Check::Addresses, list.join(" "))
}
