//! `cargo xtask build`: the `dns-glue` binary with the program inside.

use anyhow::Result;

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
    let mut build = workspace::cargo();
    build.args([
        "build",
        "--package",
        "dns-glue-userspace",
        "--bin",
        "dns-glue",
    ]);
    if !arguments.debug {
        build.arg("--release");
    }
    command::run(&mut build)
}
