//! `cargo xtask run`: the lab, or `dns-glue run` on a real interface.

use std::{ffi::OsString, os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context as _, Result};

use crate::{build, command::say, lab};

/// The lab, unless there are arguments for `dns-glue run`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The lab: ask, print, take everything down, and fail if an answer was
    /// wrong or came from the wrong side
    #[arg(long, conflicts_with = "arguments")]
    once: bool,
    /// Arguments of `dns-glue run`, such as `--iface eth0 --zone .=root.zone`
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Runs the lab, or becomes `dns-glue run`.
///
/// # Errors
/// When the build fails; see [`lab::run`].
pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.arguments.is_empty() {
        return lab::run(arguments.once);
    }
    let dns_glue = build::release(&["dns-glue"])?.join("dns-glue");
    say("running dns-glue");
    // In our place, so that signals and the exit status are its own; and in
    // our folder, in which the names of the zone files are meant.
    let error = Command::new(&dns_glue)
        .arg("run")
        .args(&arguments.arguments)
        .exec();
    Err(error).with_context(|| format!("start {}", dns_glue.display()))
}
