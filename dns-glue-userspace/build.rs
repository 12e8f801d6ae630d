//! Builds the XDP program for the BPF target and leaves the object in
//! `OUT_DIR/dns-glue-ebpf`, from where it is embedded; and beside it the probe
//! of `dns-glue check-nic` and the programs of the lab and of the measurements.
//!
//! The tools come from `cargo xtask setup`: bpf-linker in `target/tools/bin`,
//! and the folder of the `core` sources named in `target/tools/rust-src`.
//!
//! With `AYA_BUILD_SKIP=1` nothing is built: the objects are empty and the cfg
//! `dns_glue_no_program` is set, so that loading can say why it cannot.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use aya_build::{Package, Toolchain};

/// The crate of the program, and the file name of its object.
const PROGRAM: &str = "dns-glue-ebpf";
/// The crate's other objects: the probe of `dns-glue check-nic`, and programs
/// of the lab and of the measurements.
const OTHER_PROGRAMS: [&str; 4] = [
    "dns-glue-bench",
    "dns-glue-lab",
    "dns-glue-load",
    "dns-glue-room",
];
const LINKER: &str = "bpf-linker";
/// A folder with the sources of `core` (`library` of the Rust repository).
const RUST_SRC_LIBRARY: &str = "RUST_SRC_LIBRARY";
const AYA_BUILD_SKIP: &str = "AYA_BUILD_SKIP";

fn main() -> ExitCode {
    match build_program() {
        Ok(()) => ExitCode::SUCCESS,
        // Not returned from main: a backtrace would bury what to do.
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build_program() -> Result<()> {
    println!("cargo::rustc-check-cfg=cfg(dns_glue_no_program)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={AYA_BUILD_SKIP}");
    println!("cargo::rerun-if-env-changed={RUST_SRC_LIBRARY}");

    if is_skipped() {
        println!("cargo::rustc-cfg=dns_glue_no_program");
        for name in OTHER_PROGRAMS.into_iter().chain([PROGRAM]) {
            let object = variable("OUT_DIR")?.join(name);
            fs::write(&object, []).with_context(|| format!("write {}", object.display()))?;
        }
        return Ok(());
    }

    let workspace = workspace_root()?;
    let tools = workspace.join("target").join("tools");
    put_linker_on_path(&tools)?;
    point_cargo_at_rust_src(&tools)?;
    let toolchain = pinned_toolchain(&workspace)?;
    // `core` and the program's dependencies are compiled once for all profiles,
    // clippy and docs; aya-build would do it in each `OUT_DIR`.
    let build_dir = workspace.join("target").join("bpf");
    // SAFETY: a build script has one thread until it spawns another, and
    // nothing before this line does.
    unsafe {
        env::set_var("RUSTC_BOOTSTRAP", "1");
        env::set_var("CARGO_BUILD_BUILD_DIR", build_dir);
        // Instruction set v3. Otherwise rustc asks for "generic", which has no
        // 32-bit jumps, and then LLVM compares 32-bit numbers with constants
        // from 2^31 on as if these were negative. aya-build leaves no other
        // way to pass flags to rustc.
        env::set_var("CARGO_UNSTABLE_PROFILE_RUSTFLAGS", "true");
        env::set_var("CARGO_PROFILE_RELEASE_RUSTFLAGS", "-Ctarget-cpu=v3");
        // Build scripts and macros run here and know nothing of v3.
        env::set_var(
            "CARGO_PROFILE_RELEASE_BUILD_OVERRIDE_RUSTFLAGS",
            "-Ctarget-cpu=generic",
        );
    }

    let root_dir = workspace.join(PROGRAM);
    let root_dir = root_dir
        .to_str()
        .context("the path of the workspace is not UTF-8")?;
    let package = Package {
        name: PROGRAM,
        root_dir,
        ..Package::default()
    };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
        .context("build the XDP program (if a tool is missing: `cargo xtask setup`)")
}

/// Whether the caller wants no program; the condition is aya-build's own.
fn is_skipped() -> bool {
    env::var_os(AYA_BUILD_SKIP)
        .is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}

fn workspace_root() -> Result<PathBuf> {
    let manifest = variable("CARGO_MANIFEST_DIR")?;
    let root = manifest
        .parent()
        .context("the crate is not in a workspace")?;
    Ok(root.to_owned())
}

fn variable(name: &str) -> Result<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .with_context(|| format!("{name} is not set"))
}

/// Puts the folder of our bpf-linker first on `PATH`; a plain `PATH` does when
/// it has one.
fn put_linker_on_path(tools: &Path) -> Result<()> {
    let ours = tools.join("bin");
    println!("cargo::rerun-if-changed={}", ours.join(LINKER).display());

    let path = env::var_os("PATH").unwrap_or_default();
    if ours.join(LINKER).is_file() {
        let folders = std::iter::once(ours).chain(env::split_paths(&path));
        let path = env::join_paths(folders).context("put bpf-linker on PATH")?;
        // SAFETY: as in `build_program`: no other thread exists yet.
        unsafe { env::set_var("PATH", path) };
        return Ok(());
    }
    println!("cargo::rerun-if-env-changed=PATH");
    if env::split_paths(&path).any(|folder| folder.join(LINKER).is_file()) {
        return Ok(());
    }
    bail!("{LINKER} was not found: run `cargo xtask setup` once")
}

/// Tells cargo where the sources of `core` are, unless the toolchain has them.
fn point_cargo_at_rust_src(tools: &Path) -> Result<()> {
    let record = tools.join("rust-src");
    println!("cargo::rerun-if-changed={}", record.display());

    let library = match env::var_os(RUST_SRC_LIBRARY) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => fs::read_to_string(&record)
            .ok()
            .map(|path| PathBuf::from(path.trim_end())),
    };
    match library {
        Some(library) if library.join("core").is_dir() => {
            // SAFETY: as in `build_program`: no other thread exists yet.
            unsafe { env::set_var("__CARGO_TESTS_ONLY_SRC_ROOT", library) };
            Ok(())
        }
        Some(library) => bail!(
            "no sources of `core` in {}: run `cargo xtask setup`, or set {RUST_SRC_LIBRARY}",
            library.display()
        ),
        None => bail!("the sources of `core` were not found: run `cargo xtask setup` once"),
    }
}

/// The channel that rust-toolchain.toml pins: the host and the BPF target are
/// built by one compiler.
fn pinned_toolchain(workspace: &Path) -> Result<String> {
    let file = workspace.join("rust-toolchain.toml");
    println!("cargo::rerun-if-changed={}", file.display());
    let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    text.lines()
        .find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .with_context(|| format!("no channel in {}", file.display()))
}
