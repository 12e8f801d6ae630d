//! Where things lie in the workspace, and the toolchain it pins.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

/// The folder of the workspace's Cargo.toml.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
}

/// What setup leaves for the build script of dns-glue-userspace, which looks
/// for it here whatever `CARGO_TARGET_DIR` says.
pub fn tools() -> PathBuf {
    root().join("target").join("tools")
}

/// A folder of builds, downloads and what is made of them.
pub fn below_target(name: &str) -> PathBuf {
    root().join("target").join(name)
}

/// The cargo that runs us, in the workspace's root.
pub fn cargo() -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(root());
    command
}

/// The Rust version that rust-toolchain.toml pins, such as `1.95.0`.
///
/// # Errors
/// When the file is missing or names no channel.
pub fn rust_version() -> Result<String> {
    let file = root().join("rust-toolchain.toml");
    let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    channel(&text)
        .map(str::to_owned)
        .with_context(|| format!("no channel in {}", file.display()))
}

fn channel(toolchain_file: &str) -> Option<&str> {
    toolchain_file
        .lines()
        .find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_is_the_quoted_value() {
        assert_eq!(
            channel("# c\n[toolchain]\nchannel = \"1.95.0\"\n"),
            Some("1.95.0")
        );
        assert_eq!(channel("[toolchain]\n"), None);
    }
}
