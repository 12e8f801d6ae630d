//! The Debian packages that tests, measurements and the kernel matrix use.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::command::{output, run, say};

/// What the tests run: name servers to compare with and to stand behind the
/// program, clients, signers, tools for interfaces, and xz for the data.
pub const FOR_TESTS: [&str; 13] = [
    "bind9",
    "bind9-dnsutils",
    "bind9-utils",
    "bpftool",
    "dnsperf",
    "ethtool",
    "iproute2",
    "knot",
    "knot-dnssecutils",
    "knot-dnsutils",
    "nsd",
    "tcpdump",
    "xz-utils",
];

/// What `cargo xtask run` uses: namespaces, and clients to ask more with.
pub const FOR_LAB: [&str; 3] = ["bind9-dnsutils", "dnsperf", "iproute2"];

/// What `cargo xtask bench` runs: name servers to measure beside dns-glue, a
/// signer for their zones, namespaces, ethtool for their interfaces, and xz for
/// the data.
pub const FOR_BENCH: [&str; 7] = [
    "bind9",
    "bind9-utils",
    "ethtool",
    "iproute2",
    "knot",
    "nsd",
    "xz-utils",
];

/// What `cargo xtask faults` runs: a name server to stand behind dns-glue,
/// namespaces, and xz for the data.
pub const FOR_FAULTS: [&str; 3] = ["iproute2", "knot", "xz-utils"];

/// What `cargo xtask tld` signs with, and unpacks names with.
pub const FOR_TLD: [&str; 2] = ["bind9-utils", "xz-utils"];

/// What `cargo xtask kernels` runs, and unpacks modules with.
pub const FOR_KERNELS: [&str; 2] = ["qemu-system-x86", "xz-utils"];

/// Services of [`FOR_TESTS`] and [`FOR_BENCH`], which Debian starts when it installs them and
/// again at the next start of the machine.
const SERVICES: [(&str, &str); 3] = [("bind9", "named"), ("knot", "knot"), ("nsd", "nsd")];

/// Installs those of the packages that are missing, without starting their
/// services; without root or apt it only says which they are.
///
/// # Errors
/// When apt fails.
pub fn ensure(wanted: &[&'static str]) -> Result<()> {
    let missing = missing(wanted);
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root()? || output(Command::new("apt-get").arg("--version")).is_err() {
        say(&format!("to be installed by root: {}", missing.join(" ")));
        return Ok(());
    }
    say(&format!(
        "installing {}; their services are not started",
        missing.join(" ")
    ));
    install(&missing)
}

/// Whether we may install packages, and make namespaces in tests.
///
/// # Errors
/// When `id` cannot be run.
pub fn is_root() -> Result<bool> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn missing(wanted: &[&'static str]) -> Vec<&'static str> {
    wanted
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect()
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]);
    output(&mut query).is_ok_and(|status| status == "installed")
}

fn install(packages: &[&'static str]) -> Result<()> {
    let _guard = NoServices::new()?;
    // A source of the machine that we do not need may be out of reach: whether
    // the packages are to be had shows the next step.
    if let Err(error) = run(&mut apt_get("update")) {
        say(&format!("{error:#}"));
    }
    let mut install = apt_get("install");
    install
        .args(["--yes", "--no-install-recommends"])
        .args(packages);
    run(&mut install)?;
    disable_services(packages)
}

fn apt_get(operation: &str) -> Command {
    let mut command = Command::new("apt-get");
    command
        .args(["--quiet=2", operation])
        .env("DEBIAN_FRONTEND", "noninteractive");
    // Nor may a new library restart what runs.
    command.env("NEEDRESTART_MODE", "l");
    command
}

/// Keeps the next start of the machine from starting what we have installed:
/// two of them would want port 53.
fn disable_services(packages: &[&'static str]) -> Result<()> {
    if !Path::new("/run/systemd/system").is_dir() {
        return Ok(());
    }
    for (package, service) in SERVICES {
        if packages.contains(&package) {
            output(Command::new("systemctl").args(["disable", service]))
                .context("keep a new service from starting with the machine")?;
        }
    }
    Ok(())
}

/// Denies every start of a service.
const POLICY: &str = "#!/bin/sh\n# Of cargo xtask, while it installs packages.\nexit 101\n";

/// Debian's way to install without starting services: invoke-rc.d asks
/// policy-rc.d, and 101 means no. Removed when dropped.
struct NoServices {
    file: PathBuf,
    is_ours: bool,
}

impl NoServices {
    fn new() -> Result<Self> {
        let file = PathBuf::from("/usr/sbin/policy-rc.d");
        // Someone may have a policy (container images do): theirs stays. Ours
        // may be left from an installation that was interrupted.
        let is_ours = fs::read_to_string(&file).map_or(!file.exists(), |text| text == POLICY);
        if is_ours {
            fs::write(&file, POLICY)
                .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o755)))
                .with_context(|| format!("write {}", file.display()))?;
        }
        Ok(Self { file, is_ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.is_ours
            && let Err(error) = fs::remove_file(&self.file)
        {
            say(&format!("remove {} by hand: {error}", self.file.display()));
        }
    }
}
