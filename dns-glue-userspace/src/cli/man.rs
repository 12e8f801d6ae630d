//! `dns-glue man`: for packages, the manual pages.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

/// Write the manual pages into a folder
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder; it must exist
    folder: PathBuf,
}

pub fn run(args: &ManArgs) -> anyhow::Result<()> {
    clap_mangen::generate_to(super::Cli::command(), &args.folder)
        .with_context(|| format!("write manual pages into {}", args.folder.display()))
}
