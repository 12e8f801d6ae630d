//! `cargo xtask setup`: what rustup's toolchain lacks to build for BPF.

use anyhow::Result;

use crate::{bpf_linker, rust_src};

/// Makes bpf-linker and the sources of `core` available; does nothing but say
/// so where they are.
///
/// # Errors
/// When one of the two cannot be had; the message says by which ways.
pub fn run() -> Result<()> {
    bpf_linker::ensure()?;
    rust_src::ensure()
}
