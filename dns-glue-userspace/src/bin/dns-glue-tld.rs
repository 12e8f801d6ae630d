//! Writes a synthetic TLD (`dns_glue::synthetic`); `cargo xtask tld` builds
//! and starts it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use dns_glue::synthetic::{self, Labels, Parameters, Profile, Signing};
use domain::base::Name;

/// Write a zone in the shape of a TLD
#[derive(Parser)]
struct Arguments {
    /// How many delegations
    #[arg(long, value_name = "NUMBER")]
    delegations: u64,
    /// The kinds of glue
    #[arg(long, value_enum, default_value = "plain")]
    profile: Profile,
    /// What everything that is drawn depends on
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Names to take labels from, one a line; `.xz` is unpacked. Without it,
    /// and after its end, labels are made up
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// How to sign it, by dnssec-signzone
    #[arg(long, value_enum, default_value = "none")]
    sign: Signing,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The name of the zone
    #[arg(long, value_name = "NAME", default_value = "example.")]
    apex: Name<Vec<u8>>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let started = Instant::now();
    let labels = match &arguments.names {
        Some(path) => Labels::read(path)?,
        None => Labels::made_up(),
    };
    let parameters = Parameters {
        apex: arguments.apex.clone(),
        delegations: arguments.delegations,
        profile: arguments.profile,
        seed: arguments.seed,
        signing: arguments.sign,
    };
    synthetic::make(&parameters, &labels, &arguments.out)?;
    eprintln!(
        "{}: {} delegations, {} labels of a list, in {:.1} s",
        arguments.out.display(),
        arguments.delegations,
        arguments.delegations.min(labels.listed() as u64),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}
