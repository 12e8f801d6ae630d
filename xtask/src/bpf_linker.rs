//! bpf-linker, which links and generates code for the BPF target.

use std::{ffi::OsStr, path::Path, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    command::{output, run, say},
    workspace,
};

/// The newest version that loads rustc's own LLVM; later ones want a system
/// LLVM of the same version.
const VERSION: &str = "0.10.3";
const NAME: &str = "bpf-linker";

/// Builds bpf-linker into `target/tools`, unless it is there or on `PATH` in
/// exactly this version.
///
/// # Errors
/// When `cargo install` fails.
pub fn ensure() -> Result<()> {
    let tools = workspace::tools();
    let ours = tools.join("bin").join(NAME);
    if version_of(ours.as_os_str()).as_deref() == Some(VERSION) {
        say(&format!("{NAME} {VERSION}: in target/tools"));
        return Ok(());
    }
    // The build takes target/tools first: another version there would win.
    if !ours.exists() && version_of(OsStr::new(NAME)).as_deref() == Some(VERSION) {
        say(&format!("{NAME} {VERSION}: on PATH"));
        return Ok(());
    }
    say(&format!(
        "{NAME} {VERSION}: building it into target/tools (about two minutes, once)"
    ));
    install(&tools)
}

fn install(tools: &Path) -> Result<()> {
    // Forced: whether it is needed has been decided above, by what runs.
    let mut install = workspace::cargo();
    install.args([
        "install",
        NAME,
        "--version",
        VERSION,
        "--locked",
        "--force",
        "--root",
    ]);
    install.arg(tools);
    run(&mut install).with_context(|| format!("build {NAME} {VERSION}"))
}

/// The version that a program says it is; `None` when it does not run.
fn version_of(program: &OsStr) -> Option<String> {
    let text = output(Command::new(program).arg("--version")).ok()?;
    Some(text.trim().strip_prefix(NAME)?.trim_start().to_owned())
}
