//! Time and memory of a process and of all that it started, from /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::bench::threads;

/// What processes have taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// User and system time, of children that have ended too.
    pub cpu: Duration,
    /// Octets at the peak: of the process whose own peak was the highest
    /// (VmHWM), and no less than all of them have now. Peaks are not added up:
    /// those of a parent and of its fork are the same memory.
    pub peak_octets: u64,
    /// Octets now, what several share counted once (PSS).
    pub octets: u64,
}

impl Usage {
    /// That of a process and of its descendants that do not end meanwhile.
    ///
    /// # Errors
    ///
    /// The process is gone, or /proc cannot be read.
    pub fn of(root: u32) -> Result<Self> {
        let ticks_of_a_second = clock_ticks()?;
        let mut usage = Self {
            cpu: Duration::ZERO,
            peak_octets: 0,
            octets: 0,
        };
        for id in threads::family(root)? {
            let one = match Self::of_one(id, ticks_of_a_second) {
                // A server that has reloaded ends those of before.
                Err(_) if id != root => continue,
                one => one?,
            };
            usage.cpu += one.cpu;
            usage.peak_octets = usage.peak_octets.max(one.peak_octets);
            usage.octets += one.octets;
        }
        usage.peak_octets = usage.peak_octets.max(usage.octets);
        Ok(usage)
    }

    /// That of a process alone.
    fn of_one(id: u32, ticks_of_a_second: f64) -> Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{id}/{file}");
            fs::read_to_string(&path).with_context(|| format!("read {path}"))
        };
        let ticks = ticks(&read("stat")?).context("no times in /proc")?;
        Ok(Self {
            cpu: Duration::from_secs_f64(ticks as f64 / ticks_of_a_second),
            peak_octets: octets(&read("status")?, "VmHWM:").context("no VmHWM in /proc")?,
            octets: octets(&read("smaps_rollup")?, "Pss:").context("no Pss in /proc")?,
        })
    }
}

/// Octets of a process at its peak so far (VmHWM); `None` if it has ended.
#[must_use]
pub fn peak_of(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    octets(&status, "VmHWM:")
}

/// User and system time of a process, and of its children that it has waited
/// for, by its /proc/PID/stat.
fn ticks(stat: &str) -> Option<u64> {
    let numbers = [14, 15, 16, 17].map(|field| threads::stat_number(stat, field));
    numbers.into_iter().sum()
}

/// The value of a line such as `VmHWM:     1234 kB`.
fn octets(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibioctets: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibioctets * 1024)
}

/// Ticks of a second.
fn clock_ticks() -> Result<f64> {
    // SAFETY: reads a number.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    anyhow::ensure!(ticks > 0, "the system does not tell its clock ticks");
    Ok(ticks as f64)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn times_are_added_up() {
        let stat = "42 (a) S 7 1 1 0 -1 4 0 0 0 0 100 20 3 4 20 0 1 0 5";
        assert_eq!(ticks(stat), Some(127));
        assert_eq!(ticks("42 (a) S 7 1 1 0 -1 4 0 0 0 0 100 20 3"), None);
    }

    #[test]
    fn memory_is_read_in_octets() {
        let text = "Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 12 kB\n";
        assert_eq!(octets(text, "VmHWM:"), Some(1234 * 1024));
        assert_eq!(octets(text, "Pss:"), None);
    }

    #[test]
    fn descendants_are_counted() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 60 & echo; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The line comes when the grandchild is there.
        let mut line = [0];
        let mut stdout = child.stdout.take().unwrap();
        std::io::Read::read_exact(&mut stdout, &mut line).unwrap();
        let found = threads::family(child.id()).unwrap();
        let usage = Usage::of(child.id()).unwrap();
        for id in found.iter().rev() {
            // SAFETY: our own child and its child.
            unsafe { libc::kill(id.cast_signed(), libc::SIGKILL) };
        }
        child.wait().unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0], child.id());
        assert!(usage.octets > 0 && usage.peak_octets >= usage.octets);
    }
}
