//! `dns-glue stop`: the end of the daemon, or of the program that it left.

use anyhow::{Context as _, bail};
use clap::Args;

use super::{ControlArgs, PinsArgs, print, unattended};
use crate::serve::control::{Client, ClientError, Reply, Request};

/// Make the running daemon detach and exit, and wait for it
///
/// Without a daemon: detach the program that one has left.
#[derive(Debug, Args)]
pub struct StopArgs {
    #[command(flatten)]
    control: ControlArgs,
    #[command(flatten)]
    pins: PinsArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &StopArgs) -> anyhow::Result<()> {
    let (reply, client) = match Client::call(&args.control.control, Request::Stop) {
        Err(error @ ClientError::NotRunning { .. }) => {
            return unattended::stop(&args.pins.pins, args.json, error);
        }
        answer => answer?,
    };
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
