//! `cargo xtask faults`: faults made on purpose under load, with every answer
//! looked at.

use std::process::Command;

use anyhow::Result;

use crate::{build, command, packages, workspace};

/// Who makes the faults, and what it starts, which lies beside it.
const BINARY: &str = "dns-glue-faults";
const STARTED: [&str; 2] = ["dns-glue", "dns-glue-lab"];
/// The real zones, below the folder of the workspace, where they are at hand.
const DATA: &str = "../shared/data";

/// What to do.
#[derive(clap::Args)]
pub struct Arguments {
    /// Faults to make: reload, kill, kill-in-reload, leave, broken, memory,
    /// descriptors, address, link-down, mtu, veth, behind, reload-root [default: all]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// How often to make each of them, in place of what CI does
    #[arg(long, value_name = "NUMBER")]
    rounds: Option<u64>,
    /// Begin no further round of a fault after so many seconds
    #[arg(long, value_name = "NUMBER")]
    seconds: Option<u64>,
    /// Queries in a second, of all clients together
    #[arg(long, value_name = "NUMBER")]
    rate: Option<u32>,
    /// Where to write the results as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
}

/// Builds and starts the harness, which needs root; installs Knot.
///
/// # Errors
/// When the build, apt or the harness fails, or something happened that may
/// not.
pub fn run(arguments: &Arguments) -> Result<()> {
    packages::ensure(&packages::FOR_FAULTS)?;
    let folder = build::release(&[BINARY, STARTED[0], STARTED[1]])?;
    let mut faults = Command::new(folder.join(BINARY));
    faults
        .arg("--binaries")
        .arg(&folder)
        .arg("--data")
        .arg(workspace::root().join(DATA));
    if !arguments.only.is_empty() {
        faults.arg("--only").args(&arguments.only);
    }
    for (option, value) in [
        ("--rounds", arguments.rounds.map(|value| value.to_string())),
        (
            "--seconds",
            arguments.seconds.map(|value| value.to_string()),
        ),
        ("--rate", arguments.rate.map(|value| value.to_string())),
        ("--out", arguments.out.clone()),
    ] {
        if let Some(value) = value {
            faults.args([option, &value]);
        }
    }
    command::run(&mut faults)
}
