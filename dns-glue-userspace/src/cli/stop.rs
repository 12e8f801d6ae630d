//! `dns-glue stop`: the end of the daemon.

use anyhow::{Context as _, bail};
use clap::Args;

use super::{ControlArgs, print};
use crate::serve::control::{Client, Reply, Request};

/// Make the running daemon detach and exit, and wait for it
#[derive(Debug, Args)]
pub struct StopArgs {
    #[command(flatten)]
    control: ControlArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &StopArgs) -> anyhow::Result<()> {
    let (reply, client) = Client::call(&args.control.control, Request::Stop)?;
    let Reply::Stopping { pid } = reply else {
        bail!("the daemon answered something else");
    };
    client
        .wait_for_end()
        .with_context(|| format!("process {pid} was asked to stop, but still runs"))?;
    let text = if args.json {
        format!("{}\n", serde_json::json!({ "stopped": pid }))
    } else {
        format!("stopped (process {pid})\n")
    };
    print(&text)?;
    Ok(())
}
