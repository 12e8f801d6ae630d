//! Debian's kernel images, downloaded and unpacked but not installed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{command::say, debian::Suite, workspace};

/// The suites that have kernels from 6.1 on, the oldest first. A kernel is
/// taken from the first that has one of its version.
const SUITES: [&str; 5] = [
    "bookworm",
    "bookworm-backports",
    "trixie",
    "trixie-backports",
    "sid",
];

/// The image of the newest kernel whose version begins so, from
/// `target/kernels` or Debian.
///
/// # Errors
/// When no suite has such a kernel, or one cannot be reached.
pub fn obtain(version: &str) -> Result<PathBuf> {
    let folder = workspace::below_target("kernels").join(version);
    if let Some(image) = image_in(&folder) {
        return Ok(image);
    }
    for suite in SUITES {
        let suite = Suite::open(suite)?;
        let packages = suite.names("linux-image-")?;
        if let Some(package) = newest(&packages, version) {
            unpack(&suite, package, &folder)?;
            return image_in(&folder).with_context(|| format!("{package} has no image"));
        }
    }
    bail!(
        "no suite of Debian has a kernel {version} (searched: {})",
        SUITES.join(", ")
    )
}

/// Keeps the image alone: the modules are a hundred times its size.
fn unpack(suite: &Suite, package: &str, folder: &Path) -> Result<()> {
    let package = suite.download(package, "*")?;
    let whole = folder.join("package");
    fs::create_dir_all(&whole).with_context(|| format!("make {}", whole.display()))?;
    package.unpack(&whole)?;
    let image = image_in(&whole.join("boot")).context("the package has no image")?;
    let name = image.file_name().context("the image has no name")?;
    fs::rename(&image, folder.join(name)).context("keep the image")?;
    fs::remove_dir_all(&whole).context("remove the rest of the package")?;
    package.remove()?;
    say(&format!("kept {}", name.display()));
    Ok(())
}

fn image_in(folder: &Path) -> Option<PathBuf> {
    fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
        })
}

/// The package of the newest kernel for virtual machines whose version begins
/// so: `linux-image-6.1.0-37-cloud-amd64`, `linux-image-6.12.9+deb13-cloud-amd64`.
fn newest<'a>(packages: &'a [String], version: &str) -> Option<&'a str> {
    packages
        .iter()
        .filter_map(|package| Some((kernel_version(package)?, package.as_str())))
        .filter(|(kernel, _)| begins_with(kernel, version))
        .max_by_key(|(kernel, _)| numbers(kernel))
        .map(|(_, package)| package)
}

/// What stands between prefix and suffix; `None` for packages of other
/// flavours and for those without a number, which only depend on others.
fn kernel_version(package: &str) -> Option<&str> {
    package
        .strip_prefix("linux-image-")?
        .strip_suffix("-cloud-amd64")
        .filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

/// Whether the version is the wanted one or continues it: 6.1 is not 6.12.
fn begins_with(kernel: &str, wanted: &str) -> bool {
    kernel
        .strip_prefix(wanted)
        .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}

/// The numbers in a version, by which versions compare.
fn numbers(version: &str) -> Vec<u64> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages() -> Vec<String> {
        [
            "linux-image-cloud-amd64",
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-37-cloud-amd64",
            "linux-image-6.1.0-38-amd64",
            "linux-image-6.1.0-38-cloud-amd64-unsigned",
            "linux-image-6.12.9+bpo-cloud-amd64",
        ]
        .map(str::to_owned)
        .into()
    }

    #[test]
    fn the_newest_by_number_is_taken() {
        assert_eq!(
            newest(&packages(), "6.1"),
            Some("linux-image-6.1.0-37-cloud-amd64")
        );
    }

    #[test]
    fn a_version_ends_where_a_number_ends() {
        assert_eq!(
            newest(&packages(), "6.12"),
            Some("linux-image-6.12.9+bpo-cloud-amd64")
        );
        assert_eq!(
            newest(&packages(), "6.1.0-9"),
            Some("linux-image-6.1.0-9-cloud-amd64")
        );
        assert_eq!(
            newest(&packages(), "6"),
            Some("linux-image-6.12.9+bpo-cloud-amd64")
        );
        assert_eq!(newest(&packages(), "5.10"), None);
    }
}
