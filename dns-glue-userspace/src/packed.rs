//! Text files that may be packed by xz.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

/// The text of a file, unpacked by `xz` (Debian package xz-utils) if its name
/// ends in `.xz`.
///
/// # Errors
///
/// The file cannot be read, `xz` is missing or fails, or it is no UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    if path.extension().is_none_or(|ending| ending != "xz") {
        return fs::read_to_string(path);
    }
    let output = Command::new("xz").arg("-dc").arg(path).output();
    let output = output.map_err(|error| {
        let told = format!("run xz (Debian package xz-utils): {error}");
        io::Error::new(error.kind(), told)
    })?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(told.trim().to_owned()));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}
