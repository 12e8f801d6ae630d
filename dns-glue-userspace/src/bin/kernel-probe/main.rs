//! The first process of the machines of `cargo xtask kernels`: tries the
//! program on the machine's kernel, says what came of it, and switches the
//! machine off.
//!
//! ```text
//! golden: every setup through the verifier, every case of tests/program.rs by BPF_PROG_TEST_RUN
//! wire:   attached to a veth pair, native and generic; queries of the table cross it
//! vlan:   the same with VLANs on the pair, which the program knows of as the daemon tells it
//! ```
//!
//! In this order, and with programs that are attached nowhere for the first:
//! before Linux 6.3 a test run can meet a packet on the way.
//!
//! It is linked statically, and nothing is beside it in the machine but modules
//! of the kernel. Its lines on the console begin with `kernel-probe: `, which is
//! what xtask looks for.

mod golden;
mod machine;
mod packet_socket;
mod pair;
mod score;
mod vlan;
mod wire;

#[path = "../../../tests/program/cases.rs"]
mod cases;
#[path = "../../../tests/program/check.rs"]
mod check;
#[path = "../../../tests/program_support/mod.rs"]
mod program_support;

use std::{env, fs, process};

use anyhow::{Context as _, Result};
use machine::tell;
use pair::Pair;

fn main() {
    // On a developer's machine it would switch that off.
    if process::id() != 1 {
        eprintln!("kernel-probe is the init of a machine of `cargo xtask kernels`");
        process::exit(2);
    }
    let load_only = env::args().any(|argument| argument == "load-only");
    if let Err(error) = probe(load_only) {
        println!("{error:#}");
    }
    tell("end", "of the probe");
    machine::switch_off();
}

fn probe(load_only: bool) -> Result<()> {
    machine::mount_file_systems()?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").context("read the release")?;
    tell("release", release.trim_end());
    if load_only {
        golden::load()
    } else {
        golden::run()?;
        machine::insert_modules()?;
        let mut pair = Pair::lay()?;
        wire::run(&mut pair)?;
        vlan::run(&mut pair)
    }
}
