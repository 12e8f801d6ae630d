//! What must hold before anything is loaded: privileges and the kernel.
//!
//! Asked first, so that a long compile does not end in `EPERM`.

use std::{ffi::CStr, fmt, fs, io, mem::MaybeUninit};

/// The oldest kernel: `bpf_xdp_load_bytes` and `bpf_xdp_store_bytes` came with
/// it.
pub const MIN_KERNEL: (u32, u32) = (5, 18);

/// The oldest kernel on which a program that serves may be run on a frame.
///
/// Before, the kernel lets packets in between: they would share the memory of
/// that run.
pub const MIN_KERNEL_FOR_TEST_RUNS: (u32, u32) = (6, 3);

/// Capabilities, by their number in linux/capability.h.
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Why the program cannot run here.
#[derive(Debug, thiserror::Error)]
pub enum RequirementError {
    /// Effective capabilities are missing.
    #[error(
        "missing {}: dns-glue needs CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON (run it as root, or \
         give them to its service)", .0.join(" and ")
    )]
    Capabilities(Vec<&'static str>),
    /// The kernel lacks what the program is made of.
    #[error("kernel {0} is too old: dns-glue needs Linux {major}.{minor} or later",
            major = MIN_KERNEL.0, minor = MIN_KERNEL.1)]
    KernelTooOld(String),
    /// The process cannot be asked for its capabilities.
    #[error("cannot read the capabilities of this process from /proc/self/status")]
    Unknown(#[source] io::Error),
}

/// Checks the capabilities and the version of the kernel.
///
/// # Errors
///
/// The first requirement that does not hold.
pub fn check() -> Result<(), RequirementError> {
    let release = kernel_release();
    check_release(&release)?;
    let missing = missing()?;
    if missing.is_empty() {
        Ok(())
    } else {
        Err(RequirementError::Capabilities(missing))
    }
}

/// The capabilities that `run` needs and this process has not.
///
/// # Errors
///
/// They are not known.
pub fn missing() -> Result<Vec<&'static str>, RequirementError> {
    let status = fs::read_to_string("/proc/self/status").map_err(RequirementError::Unknown)?;
    let effective = effective_capabilities(&status).ok_or_else(|| {
        RequirementError::Unknown(io::Error::new(io::ErrorKind::InvalidData, "no CapEff"))
    })?;
    Ok(missing_capabilities(effective))
}

/// The release of the running kernel, as `uname -r` prints it.
pub fn kernel_release() -> String {
    let mut name = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: uname writes a utsname, to which the pointer leads.
    let result = unsafe { libc::uname(name.as_mut_ptr()) };
    if result != 0 {
        return String::from("unknown");
    }
    // SAFETY: initialised by uname, and all zero octets are a valid utsname.
    let name = unsafe { name.assume_init() };
    // SAFETY: the kernel ends each field with a NUL octet.
    let release = unsafe { CStr::from_ptr(name.release.as_ptr()) };
    release.to_string_lossy().into_owned()
}

/// Checks the version of the kernel. A release that is not understood is let
/// through: the verifier decides then.
///
/// # Errors
///
/// It is too old.
pub fn check_release(release: &str) -> Result<(), RequirementError> {
    if is_release_before(release, MIN_KERNEL) {
        return Err(RequirementError::KernelTooOld(release.to_owned()));
    }
    Ok(())
}

/// Whether the running kernel is older than that; not if it does not tell.
pub fn is_kernel_before(version: (u32, u32)) -> bool {
    is_release_before(&kernel_release(), version)
}

/// Whether a release is older than that; not if it is not understood.
pub fn is_release_before(release: &str, version: (u32, u32)) -> bool {
    parse_release(release).is_some_and(|release| release < version)
}

/// The first two numbers of a release such as `6.1.0-18-amd64`.
fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.parse().ok()?;
    Some((major, minor))
}

/// The set of effective capabilities in the text of /proc/self/status.
fn effective_capabilities(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Which of the three are missing; CAP_SYS_ADMIN stands for the two younger.
fn missing_capabilities(effective: u64) -> Vec<&'static str> {
    let has = |number: u32| effective & (1 << number) != 0;
    let admin = has(CAP_SYS_ADMIN);
    [
        ("CAP_NET_ADMIN", has(CAP_NET_ADMIN)),
        ("CAP_BPF", has(CAP_BPF) || admin),
        ("CAP_PERFMON", has(CAP_PERFMON) || admin),
    ]
    .into_iter()
    .filter_map(|(name, present)| (!present).then_some(name))
    .collect()
}

/// The verifier's words for a helper that the kernel does not know, if `log`
/// has them.
pub(super) fn unknown_helper(log: &str) -> Option<&str> {
    log.lines()
        .find(|line| line.contains("unknown func") || line.contains("invalid func"))
}

/// A number of octets as a person reads it.
pub struct Octets(pub u64);

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        for (unit, shift) in UNITS {
            if self.0 >= 1 << shift {
                // One decimal, in integers: exact for any size.
                let tenths = (u128::from(self.0) * 10) >> shift;
                return write!(f, "{}.{} {unit}", tenths / 10, tenths % 10);
            }
        }
        write!(f, "{} octets", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases() {
        assert_eq!(parse_release("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(parse_release("5.18-rc3"), Some((5, 18)));
        assert_eq!(parse_release("unknown"), None);
        for old in ["5.17.99", "5.4.0-200-generic", "4.19.0"] {
            let error = check_release(old).expect_err(old).to_string();
            assert!(error.contains(old) && error.contains("5.18"), "{error}");
        }
        for good in ["5.18.0", "6.1.0-18-amd64", "10.0"] {
            check_release(good).expect(good);
        }
    }

    #[test]
    fn capabilities_are_named_one_by_one() {
        let all = (1 << CAP_NET_ADMIN) | (1 << CAP_BPF) | (1 << CAP_PERFMON);
        assert!(missing_capabilities(all).is_empty());
        assert_eq!(missing_capabilities(all & !(1 << CAP_BPF)), ["CAP_BPF"]);
        assert_eq!(
            missing_capabilities(1 << CAP_SYS_ADMIN),
            ["CAP_NET_ADMIN"],
            "CAP_SYS_ADMIN includes the two others"
        );
        let error = RequirementError::Capabilities(missing_capabilities(0)).to_string();
        assert!(error.starts_with("missing CAP_NET_ADMIN and CAP_BPF and CAP_PERFMON"));
    }

    #[test]
    fn capabilities_of_a_status_file() {
        let status = "Name:\tx\nCapPrm:\t0000000000000001\nCapEff:\t000001fffeffffff\n";
        assert_eq!(effective_capabilities(status), Some(0x1ff_feff_ffff));
        assert_eq!(effective_capabilities("Name:\tx\n"), None);
    }

    #[test]
    fn octets_in_words() {
        for (octets, text) in [
            (0, "0 octets"),
            (1023, "1023 octets"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (5 << 20, "5.0 MiB"),
            (u64::MAX, "17179869183.9 GiB"),
        ] {
            assert_eq!(Octets(octets).to_string(), text);
        }
    }
}
