//! Time and memory of a process and of all that it started, from /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

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
    /// That of a process and of its descendants.
    ///
    /// # Errors
    ///
    /// The process is gone, or /proc cannot be read.
    pub fn of(root: u32) -> Result<Self> {
        let ticks = clock_ticks()?;
        let mut usage = Self {
            cpu: Duration::ZERO,
            peak_octets: 0,
            octets: 0,
        };
        for process in family(root)? {
            let cpu = process.ticks as f64 / ticks;
            usage.cpu += Duration::from_secs_f64(cpu);
            let read = |file: &str| {
                let path = format!("/proc/{}/{file}", process.id);
                fs::read_to_string(&path).with_context(|| format!("read {path}"))
            };
            let status = read("status")?;
            let peak = octets(&status, "VmHWM:").context("no VmHWM in /proc")?;
            usage.peak_octets = usage.peak_octets.max(peak);
            let rollup = read("smaps_rollup")?;
            usage.octets += octets(&rollup, "Pss:").context("no Pss in /proc")?;
        }
        usage.peak_octets = usage.peak_octets.max(usage.octets);
        Ok(usage)
    }
}

/// Octets of a process at its peak so far (VmHWM); `None` if it has ended.
#[must_use]
pub fn peak_of(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    octets(&status, "VmHWM:")
}

/// What /proc/PID/stat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    id: u32,
    parent: u32,
    /// User and system time, and that of children waited for.
    ticks: u64,
}

/// A process and its descendants.
fn family(root: u32) -> Result<Vec<Stat>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").context("list /proc")? {
        let name = entry.context("list /proc")?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // It may have ended since.
        if let Ok(text) = fs::read_to_string(format!("/proc/{id}/stat")) {
            all.push(parse_stat(id, &text).with_context(|| format!("/proc/{id}/stat"))?);
        }
    }
    let first = all.iter().find(|stat| stat.id == root);
    let mut family = vec![*first.with_context(|| format!("process {root} is gone"))?];
    let mut place = 0;
    while let Some(parent) = family.get(place).map(|stat| stat.id) {
        family.extend(all.iter().filter(|stat| stat.parent == parent));
        place += 1;
    }
    Ok(family)
}

/// Fields 4 and 14 to 17 of proc_pid_stat(5), counted behind the name, which
/// may hold anything.
fn parse_stat(id: u32, text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = [14, 15, 16, 17].map(number);
    let [user, system, user_of_children, system_of_children] = ticks;
    Some(Stat {
        id,
        parent: u32::try_from(number(4)?).ok()?,
        ticks: user? + system? + user_of_children? + system_of_children?,
    })
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
    fn a_name_may_hold_anything() {
        let text = "42 (a) R 1 (x) S 7 1 1 0 -1 4 0 0 0 0 100 20 3 4 20 0 1 0 5";
        let stat = Stat {
            id: 42,
            parent: 7,
            ticks: 127,
        };
        assert_eq!(parse_stat(42, text), Some(stat));
        assert_eq!(parse_stat(42, "42 (a"), None);
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
        let found = family(child.id()).unwrap();
        let usage = Usage::of(child.id()).unwrap();
        for stat in found.iter().rev() {
            // SAFETY: our own child and its child.
            unsafe { libc::kill(stat.id.cast_signed(), libc::SIGKILL) };
        }
        child.wait().unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[1].parent, child.id());
        assert!(usage.octets > 0 && usage.peak_octets >= usage.octets);
    }
}
