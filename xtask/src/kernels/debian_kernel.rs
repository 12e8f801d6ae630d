//! Debian's kernels, downloaded and unpacked but not installed: of each the
//! image, and the modules that the probe loads.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::modules::{self, Module};
use crate::{
    command::{output, say},
    debian::Suite,
    workspace,
};

/// The word for the newest kernel of all.
pub const NEWEST: &str = "newest";

/// The suites that have kernels from 6.1 on, the oldest first. A kernel is
/// taken from the first that has one of its version.
const SUITES: [&str; 5] = [
    "bookworm",
    "bookworm-backports",
    "trixie",
    "trixie-backports",
    "sid",
];

/// The suites that new kernels come to.
const SUITES_OF_NEWEST: [&str; 2] = ["trixie-backports", "sid"];

/// The flavour for virtual machines: it starts fastest.
const FLAVOUR: &str = "-cloud-amd64";

/// What a kernel comes in: all in one package up to 6.16, the three later.
const PARTS: [&str; 3] = ["linux-image-", "linux-binary-", "linux-modules-"];

const IMAGE: &str = "vmlinuz";
const MODULES: &str = "modules";

/// The files of a kernel.
pub struct Kernel {
    /// Below `target/kernels`, for whatever belongs to this kernel.
    pub folder: PathBuf,
}

impl Kernel {
    /// What qemu starts.
    pub fn image(&self) -> PathBuf {
        self.folder.join(IMAGE)
    }

    /// What the probe loads, in this order.
    ///
    /// # Errors
    /// When a module cannot be read.
    pub fn modules(&self) -> Result<Vec<Module>> {
        modules::in_order(|name| {
            let file = self.folder.join(MODULES).join(format!("{name}.ko"));
            fs::read(&file).with_context(|| format!("read {}", file.display()))
        })
    }

    fn is_kept(&self) -> bool {
        self.image().is_file() && self.modules().is_ok()
    }
}

/// The newest kernel whose version begins so, from `target/kernels` or Debian;
/// for [`NEWEST`] Debian is always asked.
///
/// # Errors
/// When no suite has such a kernel, or one cannot be reached.
pub fn obtain(version: &str) -> Result<Kernel> {
    let kernel = if version == NEWEST {
        newest_of_all()
    } else {
        of_version(version)
    };
    kernel.with_context(|| format!("get Debian's kernel {version}"))
}

fn of_version(wanted: &str) -> Result<Kernel> {
    let is_wanted = |version: &str| begins_with(version, wanted);
    let kept = kept()?;
    if let Some(version) = newest(kept.iter().map(String::as_str), is_wanted) {
        return Ok(Kernel {
            folder: folder(version),
        });
    }
    for suite in SUITES {
        let suite = Suite::open(suite)?;
        let names = suite.names("linux-")?;
        if let Some(version) = newest(versions(&names), is_wanted) {
            return fetch(&suite, &names, version);
        }
    }
    bail!("no suite has one (searched: {})", SUITES.join(", "))
}

fn newest_of_all() -> Result<Kernel> {
    let mut suites = Vec::new();
    for suite in SUITES_OF_NEWEST {
        let suite = Suite::open(suite)?;
        let names = suite.names("linux-")?;
        suites.push((suite, names));
    }
    let (suite, names, version) = suites
        .iter()
        .filter_map(|(suite, names)| Some((suite, names, newest(versions(names), |_| true)?)))
        .max_by_key(|(_, _, version)| numbers(version))
        .with_context(|| format!("no kernel in any of {}", SUITES_OF_NEWEST.join(", ")))?;
    let kernel = Kernel {
        folder: folder(version),
    };
    if kernel.is_kept() {
        return Ok(kernel);
    }
    fetch(suite, names, version)
}

/// Keeps the image and a few modules alone: the others are a hundred times
/// their size.
fn fetch(suite: &Suite, names: &[String], version: &str) -> Result<Kernel> {
    let kernel = Kernel {
        folder: folder(version),
    };
    let whole = kernel.folder.join("packages");
    fs::create_dir_all(&whole).with_context(|| format!("make {}", whole.display()))?;
    for part in PARTS {
        let name = format!("{part}{version}{FLAVOUR}");
        if names.contains(&name) {
            let package = suite.download(&name, "*")?;
            package.unpack(&whole)?;
            package.remove()?;
        }
    }
    keep_modules(&kernel, &whole)?;
    let image = find(&whole, IMAGE)?.with_context(|| format!("{version} has no image"))?;
    fs::rename(image, kernel.image()).context("keep the image")?;
    fs::remove_dir_all(&whole).context("remove the rest of the packages")?;
    say(&format!("kept Linux {version}"));
    Ok(kernel)
}

/// Keeps what the probe loads of the modules below `whole`.
fn keep_modules(kernel: &Kernel, whole: &Path) -> Result<()> {
    let modules = modules::in_order(|name| {
        let file = find(whole, &format!("{name}.ko"))?.context("the kernel has none")?;
        let file = uncompressed(file)?;
        fs::read(&file).with_context(|| format!("read {}", file.display()))
    })?;
    let folder = kernel.folder.join(MODULES);
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    for Module { name, octets } in modules {
        let file = folder.join(format!("{name}.ko"));
        fs::write(&file, octets).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

/// Unpacks a module where it lies if it is compressed, which not every kernel
/// does by itself.
fn uncompressed(module: PathBuf) -> Result<PathBuf> {
    match module.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => Ok(module),
        Some("xz") => {
            output(Command::new("xz").arg("-d").arg(&module)).context("(package xz-utils)")?;
            Ok(module.with_extension(""))
        }
        _ => bail!("{} is compressed in an unknown way", module.display()),
    }
}

/// A file below a folder whose name begins so.
fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("list {}", folder.display()))?;
        let kind = entry.file_type().context("look at a file of a package")?;
        if kind.is_dir() {
            if let Some(found) = find(&entry.path(), name)? {
                return Ok(Some(found));
            }
        } else if kind.is_file() && entry.file_name().to_string_lossy().starts_with(name) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

fn folder(version: &str) -> PathBuf {
    workspace::below_target("kernels").join(version)
}

/// The versions of the kernels whose files are there.
fn kept() -> Result<Vec<String>> {
    let all = workspace::below_target("kernels");
    let entries = fs::read_dir(&all).with_context(|| format!("list {}", all.display()))?;
    Ok(entries
        .filter_map(Result::ok)
        .filter(|entry| {
            let folder = entry.path();
            Kernel { folder }.is_kept()
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect())
}

/// The versions of all kernels for virtual machines: `6.1.0-37` of
/// `linux-image-6.1.0-37-cloud-amd64`, `6.12.9+deb13` of
/// `linux-image-6.12.9+deb13-cloud-amd64`. Packages without a number only
/// depend on others.
fn versions(names: &[String]) -> impl Iterator<Item = &str> {
    names
        .iter()
        .filter_map(|name| name.strip_prefix(PARTS[0])?.strip_suffix(FLAVOUR))
        .filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
}

fn newest<'a>(
    versions: impl Iterator<Item = &'a str>,
    is_wanted: impl Fn(&str) -> bool,
) -> Option<&'a str> {
    versions
        .filter(|version| is_wanted(version))
        .max_by_key(|version| numbers(version))
}

/// Whether the version is the wanted one or continues it: 6.1 is not 6.12.
fn begins_with(version: &str, wanted: &str) -> bool {
    version
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

    fn newest_like(wanted: &str) -> Option<&'static str> {
        let names = [
            "linux-image-cloud-amd64",
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-37-cloud-amd64",
            "linux-image-6.1.0-38-amd64",
            "linux-image-6.1.0-38-cloud-amd64-unsigned",
            "linux-image-6.12.9+bpo-cloud-amd64",
            "linux-modules-6.13.1-cloud-amd64",
        ]
        .map(str::to_owned);
        let names: &'static [String] = Vec::from(names).leak();
        newest(versions(names), |version| begins_with(version, wanted))
    }

    #[test]
    fn the_newest_by_number_is_taken() {
        assert_eq!(newest_like("6.1"), Some("6.1.0-37"));
    }

    #[test]
    fn a_version_ends_where_a_number_ends() {
        assert_eq!(newest_like("6.12"), Some("6.12.9+bpo"));
        assert_eq!(newest_like("6.1.0-9"), Some("6.1.0-9"));
        assert_eq!(newest_like("6"), Some("6.12.9+bpo"));
        assert_eq!(newest_like("5.10"), None);
    }

    #[test]
    fn a_later_patch_is_newer_than_the_release() {
        let versions = ["7.3", "7.3.4+deb13", "7.2.13+deb14"];
        assert_eq!(newest(versions.into_iter(), |_| true), Some("7.3.4+deb13"));
    }
}
