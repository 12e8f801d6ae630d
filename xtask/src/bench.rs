//! `cargo xtask bench`: dns-glue beside reflectors, Knot, NSD and BIND.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::{build, command, interrupt, packages, workspace};

/// The measurement, and what it starts, which lies beside it.
const BINARY: &str = "dns-glue-bench";
const STARTED: [&str; 2] = ["dns-glue", "dns-glue-lab"];
/// Real zones and names, below the folder of the workspace, where they are at
/// hand.
const DATA: &str = "../shared/data";

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// The largest synthetic zone too, of 10 million delegations
    #[arg(long)]
    full: bool,
    /// The largest synthetic zone signed too, which takes long to sign
    #[arg(long, requires = "full")]
    sign_largest: bool,
    /// Small zones and few rounds, for a first look
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Unsigned synthetic zones of so many delegations, instead of the usual
    /// ones
    #[arg(long = "tld", value_name = "NUMBER", num_args = 1..)]
    tlds: Vec<u64>,
    /// One part only: load, zone or cases
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Who takes part under load: reflector, growing-reflector,
    /// writing-reflector, dns-glue, reading-reflector-1, reading-reflector-2,
    /// reading-reflector-3, dns-glue+knot, pass+knot, knot-xdp, nsd, knot, bind
    /// [default: all]
    #[arg(long = "contender", value_name = "NAME", num_args = 1..)]
    contenders: Vec<String>,
    /// The zone beside the synthetic ones [default: the root zone if it is at
    /// hand, or the signed example zone]
    #[arg(long, value_name = "ORIGIN=FILE")]
    zone: Option<String>,
    /// What that zone is asked for: lines of `QNAME QTYPE`, as for dnsperf
    #[arg(long, value_name = "FILE")]
    queries: Option<String>,
    /// Where bench.json, bench.svg and bench.md are written [default:
    /// target/bench]
    #[arg(long, value_name = "FOLDER")]
    out: Option<String>,
}

/// Builds and starts the measurement, which needs root; installs the servers.
///
/// # Errors
/// When this is not root, or the build, apt or the measurement fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        packages::is_root()?,
        "it makes network namespaces and loads programs into the kernel: only root may"
    );
    packages::ensure(&packages::FOR_BENCH)?;
    let folder = build::release(&[BINARY, STARTED[0], STARTED[1]])?;
    let mut bench = Command::new(folder.join(BINARY));
    bench
        .arg("--binaries")
        .arg(&folder)
        .arg("--data")
        .arg(workspace::root().join(DATA))
        .arg("--cache")
        .arg(workspace::below_target("zones"));
    match &arguments.out {
        Some(out) => bench.args(["--out", out]),
        None => bench.arg("--out").arg(workspace::below_target("bench")),
    };
    for (flag, is_set) in [
        ("--full", arguments.full),
        ("--sign-largest", arguments.sign_largest),
        ("--quick", arguments.quick),
    ] {
        if is_set {
            bench.arg(flag);
        }
    }
    for (option, value) in [
        ("--only", &arguments.only),
        ("--zone", &arguments.zone),
        ("--queries", &arguments.queries),
    ] {
        if let Some(value) = value {
            bench.args([option, value]);
        }
    }
    for contender in &arguments.contenders {
        bench.args(["--contender", contender]);
    }
    for delegations in &arguments.tlds {
        bench.args(["--tld", &delegations.to_string()]);
    }
    if let Some(commit) = commit() {
        bench.args(["--commit", &commit]);
    }
    // The measurement takes down its namespaces itself.
    interrupt::catch()?;
    command::run_to_its_end(&mut bench)
}

/// The commit of these sources, if they are a clone of git.
fn commit() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12"])
        .current_dir(workspace::root());
    let told = command::output(&mut git).ok()?;
    Some(told.trim().to_owned())
}
