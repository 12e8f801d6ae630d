//! `dns-glue check`: what compiling the zones comes to.

use std::io::IsTerminal as _;

use anyhow::bail;
use clap::Args;

use super::progress_bar::ProgressBar;
use super::{ReplyArgs, ZoneArgs, print};
use crate::compile;
use crate::kernel::memory::possible_cpus;
use crate::progress::Progress;
use crate::report::check::{Check, Choices};
use crate::serve::compiled::read_zones;
use crate::zone::cuts::find_cuts;
use crate::zone::inspect::{inspect, now};

/// How many names and faults of a kind are shown without `--all`.
const SHOWN: usize = 10;

/// Compile zones without loading anything, and report
///
/// Needs no privileges. Every delegation is asked for by the program's own
/// code, at its bare name, in each size class; with --nsid by clients that ask
/// for the identifier. Warnings leave the exit status
/// at 0; it is 1 for a zone that cannot be read, and with --strict for a fault
/// that makes queries of a delegation pass.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    zones: ZoneArgs,

    #[command(flatten)]
    replies: ReplyArgs,

    /// Show every name and every fault, not only the first of each list
    #[arg(long)]
    all: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &CheckArgs) -> anyhow::Result<()> {
    let bar = std::io::stderr().is_terminal().then(ProgressBar::new);
    let progress: &dyn Progress = bar.as_ref().map_or(&(), |bar| bar);
    let choice = args.zones.choice();
    let zones = read_zones(&choice, progress)?;
    progress.begin("finding zone cuts", 0);
    let cuts = find_cuts(&zones, &choice.also_served);
    let compilation = compile::compile(&zones, &cuts, progress)?;
    progress.begin("asking for every delegation", 0);
    let faults = inspect(&zones, &cuts, now());
    let choices = Choices {
        policy: args.replies.policy(),
        cpus: possible_cpus(),
        bound: if args.all { usize::MAX } else { SHOWN },
    };
    let check = Check::of(&zones, &cuts, &compilation, &faults, choices);
    drop(bar);
    let text = if args.json {
        serde_json::to_string_pretty(&check)? + "\n"
    } else {
        check.to_string()
    };
    print(&text)?;
    let fatal = faults
        .iter()
        .filter(|fault| fault.fatal_if_strict())
        .count();
    if choice.strict && fatal != 0 {
        let noun = if fatal == 1 { "fault" } else { "faults" };
        bail!("--strict: {fatal} {noun} of delegations, listed above: their queries would pass");
    }
    Ok(())
}
