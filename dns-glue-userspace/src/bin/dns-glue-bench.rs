//! Measures dns-glue beside reflectors and name servers: `cargo xtask bench`
//! builds and starts it.
//!
//! `dns_glue::bench::run` does the work.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use dns_glue::bench::choices::Choices;
use dns_glue::bench::run::{self, Ended};
use dns_glue::bench::under_load::UnderLoad;
use dns_glue::bench::{readiness, report};
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
    let _alone = readiness::ensure_ready(choices)?;
    let mut under_load = UnderLoad::new(
        &choices.binaries,
        choices.load_rounds(),
        &choices.contenders,
    );
    let Ended { run, error } = run::run(choices, &mut under_load)?;
    println!("{}", report::text(&run));
    match error {
        Some(error) => Err(error),
        None if !run.failures.is_empty() => bail!("not all was measured: see 'Failed'"),
        None => Ok(()),
    }
}
