//! `dns-glue status`: the state of the daemon.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::slice;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::{ControlArgs, PinsArgs, behind_status, print, unattended};
use crate::kernel::requirements::Octets;
use crate::serve::control::{Client, ClientError, Reply, Request};
use crate::serve::status::{
    CounterStatus, GenerationStatus, InterfaceStatus, ReloadStatus, ReloadUnderWay, Signatures,
    Status, ZoneStatus, unix_seconds,
};

/// Show interfaces, zones and counters of the running daemon
///
/// Without a daemon: what the program that one has left still answers; then the
/// exit status is 1.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    control: ControlArgs,
    #[command(flatten)]
    pins: PinsArgs,
    /// Print JSON, with every counter
    #[arg(long)]
    json: bool,
    /// Show counters that are zero too
    #[arg(long)]
    all: bool,
}

pub fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let (reply, _client) = match Client::call(&args.control.control, Request::Status) {
        Err(error @ ClientError::NotRunning { .. }) => {
            unattended::status(&args.pins.pins, args.json, args.all, error)?;
            return Ok(ExitCode::FAILURE);
        }
        answer => answer?,
    };
    let Reply::Status(status) = reply else {
        bail!("the daemon answered something else");
    };
    let text = if args.json {
        serde_json::to_string_pretty(&status)? + "\n"
    } else {
        describe(&status, args.all)
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The state in words.
pub(super) fn describe(status: &Status, all: bool) -> String {
    let Status {
        version,
        pid,
        uptime_seconds,
        interfaces,
        addresses,
        zones,
        settings,
        program,
        generation,
        last_reload,
        reload_under_way,
        behind,
        counters,
    } = status;
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let flags = [
        (settings.pass_ecs, ", client subnets pass"),
        (settings.copy_cd, ", CD copied"),
        (
            settings.reply_via == "fib",
            ", replies by the routing table",
        ),
    ]
    .map(|(chosen, words)| if chosen { words } else { "" });
    let nsid = settings
        .nsid
        .as_ref()
        .map_or(String::new(), |nsid| format!(", NSID \"{nsid}\""));
    let verified = program
        .verified_instructions
        .map_or(String::new(), |count| {
            format!(", {count} instructions verified")
        });
    let mut text = format!(
        "dns-glue {version}, process {pid}, up {}\n\
         program {}{verified}, {} octets of machine code, {} of maps\n\
         {}port {}, replies up to {} octets, cookies {}{}{}{}{nsid}, fallback {}\n\
         addresses {}\n",
        duration(*uptime_seconds),
        program.id,
        program.jited_octets,
        Octets(program.map_octets),
        generations(generation, settings.watch)
            + &reloads(last_reload.as_ref(), reload_under_way.as_ref()),
        settings.port,
        settings.max_udp,
        settings.cookies,
        flags[0],
        flags[1],
        flags[2],
        settings.fallback,
        if addresses.is_empty() {
            String::from("none: everything passes")
        } else {
            addresses.join(" ")
        },
    );
    text.push('\n');
    text.push_str(&table(
        ["INTERFACE", "INDEX", "MODE", "MTU", "MAC ADDRESS"],
        interfaces.iter().map(interface_row),
    ));
    text.push('\n');
    text.push_str(&table(
        [
            "ZONE",
            "SERIAL",
            "DENIAL",
            "DELEGATIONS",
            "REFUSED",
            "TOO DEEP",
            "SIGNATURES",
            "FILE",
        ],
        zones.iter().map(zone_row),
    ));
    text.push('\n');
    if let Some(behind) = behind {
        text.push_str(&behind_status::describe(behind));
        text.push('\n');
    }
    let shown: Vec<&CounterStatus> = counters
        .iter()
        .filter(|counter| all || counter.packets != 0)
        .collect();
    if shown.is_empty() {
        text.push_str("no packets yet\n");
    } else {
        let rows = shown.into_iter().map(counter_row);
        text.push_str(&table(["COUNTER", "PACKETS", "", "MEANING"], rows));
    }
    text
}

/// Which generation of the zones answers: a line.
fn generations(generation: &GenerationStatus, watch: bool) -> String {
    let GenerationStatus { number, since } = generation;
    let watched = if watch { ", files watched" } else { "" };
    format!(
        "generation {number} of the zones, from {}{watched}\n",
        ago(*since)
    )
}

/// What became of the last reload, and what is under way: a line each.
fn reloads(last_reload: Option<&ReloadStatus>, under_way: Option<&ReloadUnderWay>) -> String {
    let mut text = String::new();
    if let Some(reload) = last_reload {
        let ReloadStatus {
            at,
            asked_by,
            ok,
            outcome,
        } = reload;
        let failed = if *ok { "" } else { "FAILED: " };
        let at = ago(*at);
        writeln!(text, "last reload {at} ({asked_by}): {failed}{outcome}")
            .expect("a String takes everything");
    }
    if let Some(ReloadUnderWay { since, asked_by }) = under_way {
        let began = ago(*since);
        writeln!(text, "a reload is under way, begun {began} ({asked_by})")
            .expect("a String takes everything");
    }
    text
}

/// How long ago a moment of Unix time was.
pub(super) fn ago(seconds: u64) -> String {
    duration(unix_seconds().saturating_sub(seconds)) + " ago"
}

fn interface_row(interface: &InterfaceStatus) -> [String; 5] {
    let InterfaceStatus {
        name,
        index,
        mode,
        attached,
        mtu,
        mac,
        virtual_macs,
    } = interface;
    let mode = if *attached {
        mode.clone()
    } else {
        String::from("DETACHED")
    };
    [
        name.clone(),
        index.to_string(),
        mode,
        mtu.to_string(),
        [slice::from_ref(mac), virtual_macs].concat().join(" "),
    ]
}

fn zone_row(zone: &ZoneStatus) -> [String; 8] {
    let ZoneStatus {
        apex,
        serial,
        denial,
        delegations,
        proofs: _,
        refused,
        too_deep,
        signatures_from: _,
        signatures_until: _,
        file,
    } = zone;
    [
        apex.clone(),
        serial.to_string(),
        denial.clone(),
        delegations.to_string(),
        refused.to_string(),
        too_deep.to_string(),
        signatures(zone.signatures_at(unix_seconds())),
        file.display().to_string(),
    ]
}

/// How long signatures are valid yet.
fn signatures(signatures: Signatures) -> String {
    match signatures {
        Signatures::None => String::from("none"),
        Signatures::NotYetValid { seconds } => format!("NOT VALID for {}", duration(seconds)),
        Signatures::Valid { seconds } => duration(seconds),
        Signatures::Expired => String::from("EXPIRED"),
    }
}

fn counter_row(counter: &CounterStatus) -> [String; 4] {
    let CounterStatus {
        name,
        action,
        packets,
        meaning,
    } = counter;
    [
        name.clone(),
        packets.to_string(),
        action.clone(),
        meaning.clone(),
    ]
}

/// Columns as wide as their widest cell; numbers are not aligned apart.
pub(super) fn table<const N: usize>(
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> String {
    let mut lines = vec![heads.map(String::from)];
    lines.extend(rows);
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(widths) {
            write!(row, "{cell:<width$}  ").expect("a String takes everything");
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// `3days 4h`, `5m`: the two largest units, in the form in which durations are
/// given to `dns-glue run`.
pub(super) fn duration(seconds: u64) -> String {
    let text = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    let largest: Vec<&str> = text.split(' ').take(2).collect();
    largest.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_their_two_largest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m 59s"),
            (7261, "2h 1m"),
            (86_400 + 7205, "1day 2h"),
            (100 * 86_400, "3months 8days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn tables_line_up() {
        let rows = [
            ["a", "1", "", "x", ""].map(String::from),
            ["longer", "22", "", "y", ""].map(String::from),
        ];
        let text = table(["N", "COUNT", "", "M", ""], rows.into_iter());
        let columns: Vec<Option<usize>> = text
            .lines()
            .map(|line| line.find(['M', 'x', 'y']))
            .collect();
        assert_eq!(columns[0], columns[1]);
        assert_eq!(columns[1], columns[2]);
        assert!(text.lines().all(|line| line.trim_end() == line));
    }
}
