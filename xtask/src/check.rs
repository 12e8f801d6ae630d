//! `cargo xtask check`: what must hold before a change is merged.

use anyhow::Result;

use crate::{
    command::{self, say},
    rust_src, setup, test, tidy, workspace,
};

/// What to leave out.
#[derive(clap::Args)]
pub struct Arguments {
    /// Everything but the tests
    #[arg(long)]
    no_test: bool,
}

/// Checks formatting, both halves of the workspace with clippy, the docs, the
/// house rules, and runs the tests; the quick ones first.
///
/// # Errors
/// At the first that fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    command::run(workspace::cargo().args(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    setup::run()?;
    clippy_host()?;
    clippy_bpf()?;
    docs()?;
    if arguments.no_test {
        say("all checks passed; the tests were left out");
        return Ok(());
    }
    test::run()?;
    say("all checks passed");
    Ok(())
}

/// Everything but the program, tests and build scripts included.
fn clippy_host() -> Result<()> {
    command::run(workspace::cargo().args([
        "clippy",
        "--workspace",
        "--exclude",
        "dns-glue-ebpf",
        "--all-targets",
        "--",
        "--deny=warnings",
    ]))
}

/// The program, for its own target: what it compiles for the host is empty.
fn clippy_bpf() -> Result<()> {
    let mut clippy = workspace::cargo();
    clippy.args([
        "clippy",
        "--package",
        "dns-glue-ebpf",
        "--release",
        "--target",
        "bpfel-unknown-none",
        "-Zbuild-std=core",
        "--",
        "--deny=warnings",
    ]);
    clippy
        .env("RUSTC_BOOTSTRAP", "1")
        // Macros and build scripts are there from the build of the program.
        .env("CARGO_BUILD_BUILD_DIR", workspace::below_target("bpf"))
        .env(rust_src::CARGO_VARIABLE, rust_src::library()?);
    command::run(&mut clippy)
}

fn docs() -> Result<()> {
    let mut doc = workspace::cargo();
    doc.args([
        "doc",
        "--workspace",
        "--exclude",
        "dns-glue-ebpf",
        "--no-deps",
    ]);
    doc.arg("--document-private-items");
    doc.env("RUSTDOCFLAGS", "--deny=warnings");
    command::run(&mut doc)
}
