//! `dns-glue explain`: the answer to one query, and why.

use clap::Args;
use domain::base::Name;

use super::ZoneArgs;

/// Show the answer to a query, or why it passes
#[derive(Debug, Args)]
// One value a flag: what follows would else be taken for a zone, not the name.
#[command(mut_arg("zones", |arg| arg.num_args(1)), mut_arg("serves", |arg| arg.num_args(1)))]
pub struct ExplainArgs {
    #[command(flatten)]
    zones: ZoneArgs,
    /// The name asked for
    #[arg(value_name = "NAME")]
    name: Name<Vec<u8>>,
    /// The type asked for
    #[arg(long = "type", value_name = "TYPE", default_value = "A")]
    rtype: domain::base::iana::Rtype,
    /// The client's UDP size; without it, a query without EDNS
    #[arg(long, value_name = "OCTETS")]
    bufsize: Option<u16>,
    /// Ask for DNSSEC records (DO)
    #[arg(long)]
    dnssec: bool,
}

pub fn run(_args: &ExplainArgs) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
