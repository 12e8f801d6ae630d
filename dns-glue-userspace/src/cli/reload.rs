//! `dns-glue reload`: the daemon reads the zones' files again.

use std::fmt::Write as _;

use anyhow::bail;
use clap::Args;

use super::{ControlArgs, print};
use crate::report::listing::Listing;
use crate::serve::changes::ZoneChanges;
use crate::serve::control::{Client, ReloadOptions, Reloaded, Reply, Request};

/// Make the running daemon answer from the zones' files as they are now
///
/// The zones are compiled beside those that answer, and take over as a whole. If
/// that fails, those of before answer on, and the exit status is 1. A zone whose
/// files hold the same text is not compiled again.
#[derive(Debug, Args)]
pub struct ReloadArgs {
    #[command(flatten)]
    control: ControlArgs,
    /// Even if a serial goes backwards, or nothing seems to have changed
    ///
    /// Every zone is compiled anew then.
    #[arg(long)]
    force: bool,
    /// Print the delegations that change
    ///
    /// Those whose NS, DS or glue records change, the first 10000 of each zone.
    #[arg(long)]
    diff: bool,
    /// Compile and compare, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &ReloadArgs) -> anyhow::Result<()> {
    let options = ReloadOptions {
        force: args.force,
        diff: args.diff,
        dry_run: args.dry_run,
    };
    let (reply, _client) = Client::call(&args.control.control, Request::Reload(options))?;
    let text = if args.json {
        serde_json::to_string_pretty(&reply)? + "\n"
    } else {
        let Reply::Reload {
            outcome,
            generation,
            warnings,
            zones,
        } = reply
        else {
            bail!("the daemon answered something else");
        };
        describe(outcome, generation, &warnings, &zones, args.diff)
    };
    print(&text)?;
    Ok(())
}

fn describe(
    outcome: Reloaded,
    generation: u64,
    warnings: &[String],
    zones: &[ZoneChanges],
    diff: bool,
) -> String {
    let mut text = String::new();
    for warning in warnings {
        writeln!(text, "warning: {warning}").expect("a String takes everything");
    }
    for zone in zones {
        describe_zone(zone, diff, &mut text);
    }
    let last = match outcome {
        Reloaded::Done => format!("generation {generation} answers"),
        Reloaded::Unchanged => {
            format!("nothing has changed; generation {generation} answers on (--force reloads)")
        }
        Reloaded::DryRun => format!("a dry run; generation {generation} answers on"),
    };
    text + &last + "\n"
}

fn describe_zone(zone: &ZoneChanges, diff: bool, text: &mut String) {
    let ZoneChanges {
        apex,
        serial_before,
        serial,
        unchanged,
        added,
        removed,
        changed,
    } = zone;
    if *unchanged {
        writeln!(text, "{apex} serial {serial}: unchanged").expect("a String takes everything");
        return;
    }
    writeln!(
        text,
        "{apex} serial {serial_before} -> {serial}: {}",
        zone.counts()
    )
    .expect("a String takes everything");
    for (sign, names) in [('+', added), ('-', removed), ('~', changed)] {
        list(sign, names, diff, text);
    }
}

fn list(sign: char, names: &Listing<String>, diff: bool, text: &mut String) {
    if !diff {
        return;
    }
    for name in &names.listed {
        writeln!(text, "{sign} {name}").expect("a String takes everything");
    }
    if names.total > names.listed.len() {
        let more = names.total - names.listed.len();
        writeln!(text, "{sign} and {more} more").expect("a String takes everything");
    }
}
