//! Makes faults under load, and looks at every answer: `cargo xtask faults`
//! builds and starts it.
//!
//! `dns_glue::faults::run` does the work.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use dns_glue::faults::report::{self, Row};
use dns_glue::faults::run::{self, Choices, Results};
use dns_glue::testbed::interrupt;

/// Make faults under load, and look at every answer
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    choices: Choices,
}

fn main() -> ExitCode {
    match make_faults(&Arguments::parse().choices) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("error: something happened that may not");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all was well.
fn make_faults(choices: &Choices) -> Result<bool> {
    // What is started and made is taken down by its drop.
    interrupt::catch().context("handle signals")?;
    let mut results = Results::default();
    let done = run::run(choices, &mut results);
    // What was found before an error is told all the same.
    print!("{}", report::text(&results.rows));
    for what in &results.left_out {
        println!("LEFT OUT: {what}");
    }
    done?;
    let is_bad = |row: &Row| !row.all_complaints().is_empty();
    Ok(!results.rows.iter().any(is_bad))
}
