//! `cargo xtask build`: the `dns-glue` binary with the program inside.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{command, setup, workspace};

/// What to build.
#[derive(clap::Args)]
pub struct Arguments {
    /// Build for a debugger, without optimisation (the program in the kernel
    /// always has it)
    #[arg(long)]
    debug: bool,
}

/// Builds the binary, in the release profile unless told otherwise.
///
/// # Errors
/// When setup or cargo fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    setup::run()?;
    let mut build = cargo_build(&["dns-glue"]);
    if !arguments.debug {
        build.arg("--release");
    }
    command::run(&mut build)
}

/// Builds binaries of dns-glue-userspace in the release profile; returns the
/// folder in which they lie.
///
/// # Errors
/// When setup or cargo fails.
pub fn release(binaries: &[&str]) -> Result<PathBuf> {
    setup::run()?;
    command::run(cargo_build(binaries).arg("--release"))?;
    // We lie in the target folder's `debug` ourselves, wherever that folder is.
    let ours = env::current_exe().context("find the target folder")?;
    let target = ours.ancestors().nth(2).context("find the target folder")?;
    Ok(target.join("release"))
}

fn cargo_build(binaries: &[&str]) -> Command {
    let mut build = workspace::cargo();
    build.args(["build", "--package", "dns-glue-userspace"]);
    for binary in binaries {
        build.args(["--bin", binary]);
    }
    build
}
