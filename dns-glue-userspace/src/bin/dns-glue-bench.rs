//! Measures dns-glue beside reflectors and name servers: `cargo xtask bench`
//! builds and starts it.
//!
//! `dns_glue::bench::run` does the work.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use dns_glue::bench::report;
use dns_glue::bench::run::{self, Choices};
use dns_glue::bench::under_load::UnderLoad;
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
    let run = run::run(
        choices,
        &mut UnderLoad::new(&choices.binaries, choices.quick, &choices.contenders),
    )?;
    println!("{}", report::text(&run));
    Ok(())
}
