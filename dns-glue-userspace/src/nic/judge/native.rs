//! Whether the driver takes the program, and what keeps it from that.

use super::{Check, Finding, Purpose};
use crate::kernel::attach::{AttachMode, ModeChoice};
use crate::kernel::requirements::is_release_before;
use crate::kernel::room_probe::Probed;
use crate::nic::drivers::{Driver, Need};
use crate::nic::facts::Facts;

/// Whether the driver takes programs, and how that is known.
enum Native {
    /// It does.
    Yes(String),
    /// It does not.
    No(String),
    /// Nobody tells.
    Unknown(String),
}

/// The way of attaching that is to be expected; native if it is not known.
pub(super) fn expected_mode(facts: &Facts, purpose: Purpose) -> AttachMode {
    if purpose.mode == ModeChoice::Only(AttachMode::Generic) {
        return AttachMode::Generic;
    }
    match support(facts) {
        Native::Yes(_) | Native::Unknown(_) => AttachMode::Native,
        Native::No(_) => AttachMode::Generic,
    }
}

/// Whether the program can be attached natively.
pub(super) fn native_xdp(facts: &Facts, purpose: Purpose) -> Finding {
    let name = &facts.link.name;
    if purpose.mode == ModeChoice::Only(AttachMode::Generic) {
        return Finding::green(Check::NativeXdp, "not asked for");
    }
    match support(facts) {
        Native::Yes(how) => {
            let note = Driver::of(facts).and_then(|driver| driver.note);
            let note = note.map_or(String::new(), |note| format!("; {note}"));
            Finding::green(Check::NativeXdp, format!("yes: {how}{note}"))
        }
        Native::No(why) => {
            let text = format!("no: {why}. Generic mode works, more slowly");
            Finding::against_native(Check::NativeXdp, purpose, text)
                .with("dns-glue run --mode generic, or another card")
        }
        Native::Unknown(why) => Finding::yellow(Check::NativeXdp, format!("not known: {why}"))
            .with(format!("dns-glue check-nic {name} --probe tries it")),
    }
}

/// What was tried tells best, then what the driver says, then what is known of
/// it.
fn support(facts: &Facts) -> Native {
    match &facts.probed {
        Some(Ok(Probed {
            mode: AttachMode::Native,
            ..
        })) => return Native::Yes(String::from("a program was attached for a moment")),
        Some(Ok(Probed {
            fallback_cause: Some(cause),
            ..
        })) => return Native::No(cause.clone()),
        Some(Err(error)) => return Native::No(error.clone()),
        Some(Ok(_)) | None => {}
    }
    let driver = Driver::of(facts);
    match (&facts.xdp_features, driver) {
        (Ok(features), _) if features.is_native() => {
            Native::Yes(String::from("its driver says so"))
        }
        (
            Ok(_),
            Some(Driver {
                name,
                native_since: Some(_),
                ..
            }),
        ) => Native::No(format!(
            "{name} could, but says that it cannot with queues, rings and offloads as they are"
        )),
        (Ok(_), _) => Native::No(String::from("its driver says so")),
        (Err(_), Some(driver)) => of_driver(driver, &facts.host.release),
        (Err(why), None) => Native::Unknown(format!("{why}, and the driver is not a known one")),
    }
}

fn of_driver(driver: &Driver, release: &str) -> Native {
    let name = driver.name;
    match driver.native_since {
        Some(since) if is_release_before(release, since) => {
            Native::No(format!("{name} does from Linux {}.{} on", since.0, since.1))
        }
        Some((major, minor)) => Native::Yes(format!("{name} does from Linux {major}.{minor} on")),
        None => Native::No(format!("{name} does not")),
    }
}

/// Offloads that merge frames into larger ones: the kernel's names, what
/// `ethtool -K` calls them, and what some drivers need.
const MERGING: [(&str, &str, Need); 2] = [
    ("rx-lro", "lro", Need::LroOff),
    ("rx-gro-hw", "rx-gro-hw", Need::GroHwOff),
];

/// Offloads with which drivers refuse programs.
pub(super) fn merging(facts: &Facts, purpose: Purpose) -> Vec<Finding> {
    let features = match &facts.features {
        Ok(features) => features,
        Err(why) => return vec![Finding::untold(Check::Merging, facts, why)],
    };
    let on = |(name, short, need)| {
        let found = features.iter().find(|other| other.name == name)?;
        let finding = merging_is_on(facts, purpose, short, need, found.changeable);
        found.active.then_some(finding)
    };
    let findings: Vec<_> = MERGING.into_iter().filter_map(on).collect();
    if findings.is_empty() {
        return vec![Finding::green(Check::Merging, "LRO and GRO-HW are off")];
    }
    findings
}

fn merging_is_on(
    facts: &Facts,
    purpose: Purpose,
    name: &str,
    need: Need,
    is_changeable: bool,
) -> Finding {
    let green = |text: &str| Finding::green(Check::Merging, format!("{name} is on; {text}"));
    if purpose.mode == ModeChoice::Only(AttachMode::Generic) {
        return green("the kernel turns it off for generic mode");
    }
    if matches!(&facts.probed, Some(Ok(_))) {
        return green("a program was attached all the same");
    }
    let command = format!("ethtool -K {} {name} off", facts.link.name);
    let Some(driver) = Driver::of(facts) else {
        let text = format!("{name} is on, with which some drivers take no program");
        return Finding::yellow(Check::Merging, text).with(command);
    };
    let text = format!("{name} is on, and {} takes no program with it", driver.name);
    let refused = Finding::against_native(Check::Merging, purpose, text);
    if driver.needs.contains(&need) {
        return refused.with(command);
    }
    let is_fixed = need == Need::GroHwOff && !is_changeable;
    if is_fixed && driver.needs.contains(&Need::GroHwNotFixed) {
        return refused.with("turn it off in the host of the machine (qemu: guest_tso4=off, ...)");
    }
    green("the driver copes with it")
}
