//! Measures dns-glue beside reflectors and name servers: `cargo xtask bench`
//! builds and starts it.
//!
//! `dns_glue::bench::run` does the work.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use dns_glue::bench::report;
use dns_glue::bench::results::Measurement;
use dns_glue::bench::run::{self, Choices, Measure};
use dns_glue::bench::workload::Workload;
use dns_glue::bench::zone_work::ServedZone;
use dns_glue::testbed::interrupt;

/// Measure dns-glue beside reflectors and name servers
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    choices: Choices,
}

fn main() -> ExitCode {
    match measure(&Arguments::parse().choices) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(choices: &Choices) -> Result<()> {
    interrupt::catch().context("handle signals")?;
    let run = run::run(choices, &mut NoContenders)?;
    println!("{}", report::text(&run));
    Ok(())
}

/// Nobody is put under load.
struct NoContenders;

impl Measure for NoContenders {
    fn measure(&mut self, zone: &ServedZone, workloads: &[Workload]) -> Result<Vec<Measurement>> {
        for workload in workloads {
            let queries = workload.messages.len();
            eprintln!(
                "{}: {}: {queries} queries, no contender",
                zone.name, workload.name
            );
        }
        Ok(Vec::new())
    }
}
