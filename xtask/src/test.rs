//! `cargo xtask test`: all tests, with all that they need.

use std::env;

use anyhow::Result;

use crate::{command, packages, setup, workspace};

/// Makes a test that needs root fail without it, instead of being skipped.
const REQUIRE_ROOT: &str = "DNS_GLUE_REQUIRE_ROOT";

/// Makes a test that needs another name server fail without it.
const REQUIRE_PEERS: &str = "DNS_GLUE_REQUIRE_PEERS";

/// Installs what the tests run (as root), and runs them. In CI as root no
/// privileged test may be skipped.
///
/// # Errors
/// When setup or apt fails, or a test does.
pub fn run() -> Result<()> {
    setup::run()?;
    packages::ensure(&packages::FOR_TESTS)?;
    let mut test = workspace::cargo();
    // dns-glue-ebpf builds for the BPF target only.
    test.args(["test", "--workspace", "--exclude", "dns-glue-ebpf"]);
    if is_ci() && packages::is_root()? {
        test.env(REQUIRE_ROOT, "1").env(REQUIRE_PEERS, "1");
    }
    command::run(&mut test)
}

/// Whether a continuous integration runs us: then nothing may be skipped.
fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}
