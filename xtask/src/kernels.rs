//! `cargo xtask kernels`: the program before the verifiers of other kernels,
//! and its answers there, in qemu without KVM.

mod boot;
mod debian_kernel;
mod initramfs;
mod modules;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{
    command::{run as run_command, say},
    packages, setup, workspace,
};
use boot::Verdict;
use debian_kernel::NEWEST;

/// The kernels of Debian's releases that have what the program needs, and the
/// newest: what is right on all of them is right in between.
const MATRIX: [&str; 3] = ["6.1", "6.12", NEWEST];

/// Which kernels.
#[derive(clap::Args)]
pub struct Arguments {
    /// Load the programs, and try nothing else
    #[arg(long)]
    load_only: bool,
    /// Debian's kernels by the start of their version, such as 6.1 or 6.12, or
    /// `newest` [default: 6.1 6.12 newest]
    #[arg(value_name = "VERSION")]
    versions: Vec<String>,
}

/// Boots each kernel with our own init, which tries the program, and prints a
/// table of what came of it.
///
/// # Errors
/// When a kernel cannot be had, refuses the program, or gets another answer
/// from it.
pub fn run(arguments: &Arguments) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the kernels are x86-64 ones, and the probe is built for this machine");
    }
    setup::run()?;
    packages::ensure(&packages::FOR_KERNELS)?;
    let probe = build_probe()?;
    let probe = fs::read(&probe).with_context(|| format!("read {}", probe.display()))?;
    fs::create_dir_all(workspace::below_target("kernels")).context("make target/kernels")?;

    let versions = match &arguments.versions[..] {
        [] => MATRIX.map(str::to_owned).into(),
        versions => versions.to_vec(),
    };
    // Before the first is booted: one that cannot be had is known at once.
    let kernels: Vec<_> = versions
        .iter()
        .map(|version| debian_kernel::obtain(version))
        .collect::<Result<_>>()?;
    let mut verdicts = Vec::new();
    for kernel in &kernels {
        say(&format!("booting {}", kernel.image().display()));
        verdicts.push(boot::verdict(kernel, &probe, arguments.load_only)?);
    }
    print!("{}", table(&verdicts));
    let is_good = |verdict: &Verdict| verdict.is_good(arguments.load_only);
    if verdicts.iter().all(is_good) {
        Ok(())
    } else {
        bail!("on a kernel the program does not do what it should");
    }
}

/// Builds the init of the machine: a static binary, since nothing else is in
/// it, and one of the release profile, since qemu interprets it.
fn build_probe() -> Result<PathBuf> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let mut build = workspace::cargo();
    build.args(["build", "--release", "--package", "dns-glue-userspace"]);
    build.args(["--bin", "kernel-probe"]);
    build.args(["--target", TARGET, "--target-dir", "target"]);
    // Of the probe only: with a target given, build scripts do not see it.
    build.env(
        "RUSTFLAGS",
        "-Ctarget-feature=+crt-static -Cdebuginfo=0 -Cstrip=symbols",
    );
    run_command(&mut build).context("build the probe")?;
    Ok(workspace::below_target(TARGET)
        .join("release")
        .join("kernel-probe"))
}

/// The columns of the table.
const HEAD: [&str; 8] = [
    "kernel",
    "loaded",
    "instructions",
    "JIT octets",
    "golden packets",
    "veth native",
    "veth generic",
    "VLANs",
];

fn table(verdicts: &[Verdict]) -> String {
    let head = HEAD.map(str::to_owned);
    let rows: Vec<_> = [head]
        .into_iter()
        .chain(verdicts.iter().map(cells))
        .collect();
    let width = rows.iter().map(|row| row[0].len()).max().unwrap_or(0);
    let mut table = String::new();
    for [kernel, cells @ ..] in &rows {
        table += &format!("{kernel:<width$}");
        for (cell, head) in cells.iter().zip(&HEAD[1..]) {
            table += &format!("  {cell:>width$}", width = head.len());
        }
        table.push('\n');
    }
    table
}

fn cells(verdict: &Verdict) -> [String; 8] {
    let number = |number: Option<u64>| number.map_or("?".to_owned(), |number| number.to_string());
    [
        verdict.release.clone(),
        if verdict.loaded { "yes" } else { "no" }.to_owned(),
        number(verdict.instructions),
        number(verdict.jited),
        verdict.golden.to_string(),
        verdict.veth_native.to_string(),
        verdict.veth_generic.to_string(),
        verdict.vlan.to_string(),
    ]
}
