//! `dns-glue interfaces`: on which ones the running daemon answers.

use anyhow::bail;
use clap::{Args, Subcommand};

use super::{ControlArgs, print};
use crate::serve::control::{Client, Reply, Request};

/// Answer on more interfaces, or on fewer, until the daemon ends
///
/// The next `run` serves those that its command line names.
#[derive(Debug, Args)]
pub struct InterfacesArgs {
    #[command(subcommand)]
    change: Change,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// Attach the program to an interface
    Add(InterfaceArgs),
    /// Take the program off an interface
    Remove(InterfaceArgs),
}

#[derive(Debug, Args)]
struct InterfaceArgs {
    /// The name of the interface
    #[arg(value_name = "IF")]
    name: String,
    #[command(flatten)]
    control: ControlArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: InterfacesArgs) -> anyhow::Result<()> {
    let (request, control, json) = match args.change {
        Change::Add(one) => (
            Request::AddInterface { name: one.name },
            one.control,
            one.json,
        ),
        Change::Remove(one) => (
            Request::RemoveInterface { name: one.name },
            one.control,
            one.json,
        ),
    };
    let (reply, _client) = Client::call(&control.control, request)?;
    let Reply::Interfaces { names } = reply else {
        bail!("the daemon answered something else");
    };
    let text = if json {
        format!("{}\n", serde_json::json!({ "interfaces": names }))
    } else {
        format!("served: {}\n", names.join(" "))
    };
    print(&text)?;
    Ok(())
}
