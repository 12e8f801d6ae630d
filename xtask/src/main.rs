//! The tasks a person runs on this workspace, one module a command.
//!
//! *Invariant:* nothing of the product lives here, and no crate of the
//! workspace is a dependency: the tasks build those crates, so they must run
//! before the first of them compiles.

mod bench;
mod bpf_linker;
mod build;
mod check;
mod command;
mod conform;
mod debian;
mod faults;
mod fuzz;
mod interrupt;
mod kernels;
mod lab;
mod packages;
mod run;
mod rust_src;
mod setup;
mod test;
mod tidy;
mod tld;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The tasks of this workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Fetch bpf-linker and the sources of `core`; the other tasks do it first
    Setup,
    /// Build `dns-glue` with the program inside
    Build(build::Arguments),
    /// Bring up a lab that answers referrals from the kernel; with arguments
    /// behind `--`, run `dns-glue run` with them
    Run(run::Arguments),
    /// Run all tests; as root also those with namespaces and the kernel
    Test,
    /// Formatting, clippy, docs, house rules, and then the tests
    Check(check::Arguments),
    /// Measure time and memory beside reflectors, Knot, NSD and BIND
    Bench(bench::Arguments),
    /// Run the fuzz targets
    Fuzz(fuzz::Arguments),
    /// Write a zone in the shape of a TLD, of any size
    Tld(tld::Arguments),
    /// Compare with Knot, NSD and BIND, over whole zones
    Conform(conform::Arguments),
    /// Make faults under load, and look at every answer
    Faults(faults::Arguments),
    /// Load the program on other kernels, in qemu
    Kernels(kernels::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Setup => setup::run(),
        Task::Build(arguments) => build::run(&arguments),
        Task::Run(arguments) => run::run(&arguments),
        Task::Test => test::run(),
        Task::Check(arguments) => check::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Tld(arguments) => tld::run(&arguments),
        Task::Conform(arguments) => conform::run(&arguments),
        Task::Faults(arguments) => faults::run(&arguments),
        Task::Kernels(arguments) => kernels::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Not returned from main: a backtrace would bury what went wrong.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
