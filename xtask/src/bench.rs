//! `cargo xtask bench`: nanoseconds a packet, against bare reflectors.

use std::process::Command;

use anyhow::Result;

use crate::{build, command, workspace};

const BINARY: &str = "dns-glue-bench";
/// The zone measured when none is given, below the root of the workspace, and
/// one of its delegations.
const EXAMPLE_ZONE: &str = "dns-glue-userspace/testdata/example-signed.zone";
const EXAMPLE_APEX: &str = "signed.example";
const EXAMPLE_DELEGATION: &str = "in-domain.signed.example";

/// What to measure with.
#[derive(clap::Args)]
pub struct Arguments {
    /// The zone to compile; the signed example zone if none is given
    #[arg(long, value_name = "ORIGIN=FILE", requires = "delegation")]
    zone: Option<String>,
    /// A delegation of it to ask for
    #[arg(long, value_name = "NAME", requires = "zone")]
    delegation: Option<String>,
}

/// Builds and starts the measurement, which needs root.
///
/// # Errors
/// When the build or the measurement fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    let binary = build::release(&[BINARY])?.join(BINARY);
    let example = || {
        let file = workspace::root().join(EXAMPLE_ZONE);
        format!("{EXAMPLE_APEX}={}", file.display())
    };
    let zone = arguments.zone.clone().unwrap_or_else(example);
    let delegation = arguments.delegation.as_deref();
    let mut bench = Command::new(binary);
    bench
        .args(["cases", "--zone", &zone])
        .args(["--delegation", delegation.unwrap_or(EXAMPLE_DELEGATION)]);
    command::run(&mut bench)
}
