//! `cargo xtask conform`: dns-glue against Knot, NSD and BIND, over whole
//! zones.

use std::process::Command;

use anyhow::Result;

use crate::{build, command, packages, workspace};

/// The comparison, and what it starts, which lies beside it.
const BINARY: &str = "dns-glue-conform";
const STARTED: [&str; 2] = ["dns-glue", "dns-glue-lab"];
/// The real zones, below the folder of the workspace, where they are at hand.
const DATA: &str = "../shared/data";

/// What to compare.
#[derive(clap::Args)]
pub struct Arguments {
    /// All zones and many queries, instead of the slice that CI runs
    #[arg(long)]
    all: bool,
    /// Another server to compare with, beside Knot: nsd, bind
    #[arg(long, value_name = "SERVER")]
    with: Vec<String>,
    /// What the choice of queries and the synthetic zones depend on
    #[arg(long)]
    seed: Option<u64>,
    /// Zones to serve together and to ask for, in place of the usual ones
    #[arg(long, value_name = "ORIGIN=FILE")]
    zone: Vec<String>,
    /// Queries for each group of zones; each delegation gets its least
    #[arg(long, value_name = "NUMBER")]
    cases: Option<usize>,
    /// Delegations of each synthetic zone
    #[arg(long, value_name = "NUMBER")]
    delegations: Option<u64>,
    /// One query of an earlier run, as it was reported
    #[arg(long, value_name = "CASE")]
    case: Option<String>,
}

/// Builds and starts the comparison, which needs root; installs the servers.
///
/// # Errors
/// When the build, apt or the comparison fails, or there is a difference.
pub fn run(arguments: &Arguments) -> Result<()> {
    packages::ensure(&packages::FOR_TESTS)?;
    let folder = build::release(&[BINARY, STARTED[0], STARTED[1]])?;
    let mut conform = Command::new(folder.join(BINARY));
    conform
        .arg("--data")
        .arg(workspace::root().join(DATA))
        .arg("--cache")
        .arg(workspace::below_target("conform"));
    if arguments.all {
        conform.arg("--all");
    }
    let mut pass_on = |option: &str, value: Option<String>| {
        if let Some(value) = value {
            conform.args([option, &value]);
        }
    };
    for server in &arguments.with {
        pass_on("--with", Some(server.clone()));
    }
    for zone in &arguments.zone {
        pass_on("--zone", Some(zone.clone()));
    }
    pass_on("--seed", arguments.seed.map(|seed| seed.to_string()));
    pass_on("--cases", arguments.cases.map(|cases| cases.to_string()));
    let delegations = arguments.delegations.map(|number| number.to_string());
    pass_on("--delegations", delegations);
    pass_on("--case", arguments.case.clone());
    command::run(&mut conform)
}
