//! The sources of `core`, which the BPF target compiles for itself: rustup
//! ships no compiled `core` for it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    command::{output, run, say, succeeds_within},
    debian::Suite,
    workspace,
};

/// Names a folder to use instead of all other ways: `library` of the Rust
/// repository at the pinned version. The build script of dns-glue-userspace
/// reads it too.
const VARIABLE: &str = "RUST_SRC_LIBRARY";

/// Cargo's own variable for the folder, in place of the sysroot's.
pub const CARGO_VARIABLE: &str = "__CARGO_TESTS_ONLY_SRC_ROOT";

/// rustup's download has 3 MB; where its server cannot be reached it may wait
/// for minutes.
const RUSTUP_LIMIT: Duration = Duration::from_secs(30);

/// Debian keeps some past versions of Rust here.
const DEBIAN_SUITE: &str = "trixie-backports";

/// Finds the sources of `core` or fetches them, and records the folder for the
/// build script of dns-glue-userspace.
///
/// # Errors
/// When no way leads to them; the message names the ways.
pub fn ensure() -> Result<()> {
    let version = workspace::rust_version()?;
    if let Some(library) = recorded() {
        say(&format!("rust-src {version}: in {}", shown(&library)));
        return Ok(());
    }
    let library = obtain(&version)?;
    say(&format!("rust-src {version}: in {}", shown(&library)));
    fetch_index(&library)?;
    record(&library)
}

/// The folder that [`ensure`] found.
///
/// # Errors
/// When setup has not run.
pub fn library() -> Result<PathBuf> {
    recorded().context("the sources of `core` were not found: run `cargo xtask setup`")
}

/// The folder of the environment, or else of the last setup, if it is still a
/// library.
fn recorded() -> Option<PathBuf> {
    // The first use of a folder must go through `obtain`.
    let library = PathBuf::from(fs::read_to_string(record_file()).ok()?.trim_end());
    let wanted = env::var_os(VARIABLE).is_none_or(|folder| Path::new(&folder) == library);
    (wanted && is_library(&library)).then_some(library)
}

fn record(library: &Path) -> Result<()> {
    let file = record_file();
    let text = library
        .to_str()
        .context("the path of the workspace is not UTF-8")?;
    fs::create_dir_all(workspace::tools())?;
    fs::write(&file, format!("{text}\n")).with_context(|| format!("write {}", file.display()))
}

fn record_file() -> PathBuf {
    workspace::tools().join("rust-src")
}

fn is_library(folder: &Path) -> bool {
    folder.join("core").join("Cargo.toml").is_file() && folder.join("Cargo.lock").is_file()
}

/// Tries the ways one after the other, the cheapest first.
fn obtain(version: &str) -> Result<PathBuf> {
    if let Some(folder) = env::var_os(VARIABLE) {
        return from_variable(Path::new(&folder));
    }
    if let Some(library) = from_sysroot()? {
        return Ok(library);
    }
    say(&format!(
        "rust-src {version}: asking rustup for the component"
    ));
    if let Some(library) = from_rustup(version)? {
        return Ok(library);
    }
    say(&format!(
        "rust-src {version}: rustup has no answer, taking Debian's package"
    ));
    let debian = match from_debian(version) {
        Ok(library) => return Ok(library),
        Err(error) => error,
    };
    if let Some(library) = from_copy(version)? {
        return Ok(library);
    }
    bail!(
        "the sources of `core` for Rust {version} are not to be had\n  \
         rustup: `rustup component add rust-src` did not succeed\n  \
         Debian: {debian:#}\n\
         Set {VARIABLE} to a folder that has them (`library` of the Rust repository at {version})"
    )
}

fn from_variable(folder: &Path) -> Result<PathBuf> {
    if !is_library(folder) {
        bail!(
            "{VARIABLE}={} is not the `library` folder of Rust",
            folder.display()
        );
    }
    fs::canonicalize(folder).with_context(|| format!("find {}", folder.display()))
}

/// The component that rustup installs, if it has.
fn from_sysroot() -> Result<Option<PathBuf>> {
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--print", "sysroot"])
        .current_dir(workspace::root());
    let sysroot = output(&mut rustc).context("ask rustc for its sysroot")?;
    let library = Path::new(sysroot.trim_end()).join("lib/rustlib/src/rust/library");
    Ok(is_library(&library).then_some(library))
}

fn from_rustup(version: &str) -> Result<Option<PathBuf>> {
    let mut rustup = Command::new("rustup");
    rustup.args(["component", "add", "rust-src", "--toolchain", version]);
    if succeeds_within(&mut rustup, RUSTUP_LIMIT) {
        from_sysroot()
    } else {
        Ok(None)
    }
}

/// Downloads Debian's package of exactly this version and unpacks it below
/// `target`; nothing is installed and no source list is changed.
fn from_debian(version: &str) -> Result<PathBuf> {
    let package = Suite::open(DEBIAN_SUITE)?.download("rust-src", &format!("{version}*"))?;
    let kept = fresh_folder()?;
    let unpacked = kept.join("package");
    package.unpack(&unpacked)?;
    let library = kept.join("library");
    let source = unpacked.join(format!("usr/src/rustc-{version}/library"));
    fs::rename(&source, &library).with_context(|| format!("find {}", source.display()))?;
    // The rest is the compiler's source, 350 MB.
    fs::remove_dir_all(&unpacked).context("remove the rest of the package")?;
    package.remove()?;
    Ok(library)
}

/// A copy of the folder kept beside the project, for the day when the package
/// is gone.
fn from_copy(version: &str) -> Result<Option<PathBuf>> {
    let beside = workspace::root().join("../shared/toolchain");
    let archive = beside.join(format!("rust-src-{version}-library.tar.xz"));
    if !archive.is_file() {
        return Ok(None);
    }
    say(&format!(
        "rust-src {version}: unpacking the copy beside the project"
    ));
    let kept = fresh_folder()?;
    let mut tar = Command::new("tar");
    tar.arg("-xJf").arg(&archive).arg("-C").arg(&kept);
    output(&mut tar).context("unpack the copy")?;
    let library = kept.join("library");
    Ok(is_library(&library).then_some(library))
}

fn fresh_folder() -> Result<PathBuf> {
    let folder = workspace::below_target("rust-src");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// Lets cargo see once what the library's lock file names: `-Z build-std`
/// resolves all of it even to build `core`, and could not offline.
fn fetch_index(library: &Path) -> Result<()> {
    let mut fetch = workspace::cargo();
    fetch.args(["fetch", "--quiet", "--locked", "--manifest-path"]);
    fetch.arg(library.join("sysroot").join("Cargo.toml"));
    fetch.env("RUSTC_BOOTSTRAP", "1");
    run(&mut fetch).context("fetch what the lock file of rust-src names")
}

/// The folder as a person would name it.
fn shown(library: &Path) -> String {
    let shown = library.strip_prefix(workspace::root()).unwrap_or(library);
    shown.display().to_string()
}
