//! Options of the BPF linker, which is also the code generator of this target.

use std::{env, path::PathBuf};

/// Passed to bpf-linker when it links the program.
///
/// Packets have no alignment: without `allows-misaligned-mem-access` each
/// 32-bit field costs four loads and six shifts and ors. The processor is not
/// named here, because rustc passes its own `--cpu` and bpf-linker takes one
/// only: the build script of dns-glue-userspace tells rustc.
const LINK_ARGS: [&str; 1] = ["--cpu-features=+alu32,+allows-misaligned-mem-access"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");

    // Cargo does not know that the linker is an input: without this, another
    // bpf-linker would leave the old object in place.
    if let Some(linker) = on_path("bpf-linker") {
        println!("cargo::rerun-if-changed={}", linker.display());
    }

    for arg in LINK_ARGS {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}

/// The first file of that name in the folders of `PATH`.
fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}
