//! `dns-glue check`: what compiling the zones comes to.

use clap::Args;

use super::ZoneArgs;

/// Compile zones without loading anything, and report
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    zones: ZoneArgs,
}

pub fn run(args: &CheckArgs) -> anyhow::Result<()> {
    let compiled = crate::serve::compiled::compile_zones(&args.zones.choice(), &())?;
    for zone in &compiled.summaries {
        println!(
            "{} serial {}: {} delegations",
            zone.apex, zone.serial, zone.delegations
        );
    }
    Ok(())
}
