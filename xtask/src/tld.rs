//! `cargo xtask tld`: a zone in the shape of a TLD.

use std::process::Command;

use anyhow::Result;

use crate::{build, command, packages, workspace};

const BINARY: &str = "dns-glue-tld";

/// The names to take labels from if they are at hand, below the folder of the
/// workspace.
const NAMES: &str = "../shared/data/nu-delegation-names-20260822.txt.xz";

/// What to make.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many delegations
    #[arg(long, value_name = "NUMBER")]
    delegations: u64,
    /// Kinds of glue: plain (as TLDs are) or in-domain (the hard case)
    #[arg(long, default_value = "plain")]
    profile: String,
    /// What everything that is drawn depends on
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Names to take labels from, one a line; `.xz` is unpacked [default: the
    /// names of .nu if they are at hand, or labels are made up]
    #[arg(long, value_name = "FILE")]
    names: Option<String>,
    /// none, nsec, nsec3 or opt-out
    #[arg(long, default_value = "none")]
    sign: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: String,
    /// The name of the zone
    #[arg(long, value_name = "NAME", default_value = "example.")]
    apex: String,
}

/// Builds and starts the generator; installs what it runs (as root).
///
/// # Errors
/// When the build, apt or the generator fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    packages::ensure(&packages::FOR_TLD)?;
    let mut tld = Command::new(build::release(&[BINARY])?.join(BINARY));
    tld.args(["--delegations", &arguments.delegations.to_string()])
        .args(["--profile", &arguments.profile])
        .args(["--seed", &arguments.seed.to_string()])
        .args(["--sign", &arguments.sign])
        .args(["--out", &arguments.out])
        .args(["--apex", &arguments.apex]);
    let at_hand = workspace::root().join(NAMES);
    if let Some(names) = &arguments.names {
        tld.args(["--names", names]);
    } else if at_hand.exists() {
        tld.arg("--names").arg(at_hand);
    } else {
        command::say("no list of names at hand: labels are made up");
    }
    command::run(&mut tld)
}
