//! `dns-glue check`, from its start to its end.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::{ServedZone, Setting};
use crate::bench::results::{Spread, ZoneWork};

/// What the tables call it.
pub const NAME: &str = "dns-glue check";

/// Checks the zone, as often as there are rounds.
///
/// # Errors
///
/// It cannot be started, or fails.
pub fn measure(zone: &ServedZone, setting: Setting<'_>) -> Result<ZoneWork> {
    let mut runs = Vec::with_capacity(setting.rounds);
    let output = setting.folder.join("check.json");
    for _ in 0..setting.rounds {
        runs.push(run(zone, setting.binaries, &output)?);
    }
    let spread = |take: fn(&Run) -> Duration| {
        let mut seconds: Vec<f64> = runs.iter().map(|run| take(run).as_secs_f64()).collect();
        Spread::of(&mut seconds).context("there is a round")
    };
    let report = File::open(&output).context("open the report of dns-glue check")?;
    let report: Report = serde_json::from_reader(io::BufReader::new(report))?;
    Ok(ZoneWork {
        contender: NAME.to_owned(),
        zone: zone.name.clone(),
        delegations: zone.delegations,
        file_octets: zone.source.path.metadata()?.len(),
        ready_seconds: spread(|run| run.wall)?,
        cpu_seconds: spread(|run| run.cpu)?,
        peak_octets: runs.iter().map(|run| run.peak_octets).max().unwrap_or(0),
        served_octets: None,
        map_octets: Some(report.memory.total),
        phases: Vec::new(),
        restart_seconds: None,
    })
}

/// What is wanted of the report.
#[derive(Deserialize)]
struct Report {
    memory: Memory,
}

#[derive(Deserialize)]
struct Memory {
    total: u64,
}

struct Run {
    wall: Duration,
    cpu: Duration,
    peak_octets: u64,
}

fn run(zone: &ServedZone, binaries: &Path, output: &Path) -> Result<Run> {
    let report = File::create(output).with_context(|| format!("create {}", output.display()))?;
    let mut command = Command::new(binaries.join("dns-glue"));
    command
        .args(["check", "--json", "--zone", &zone.source.to_string()])
        .stdin(Stdio::null())
        .stdout(report)
        .stderr(Stdio::inherit());
    let from = Instant::now();
    let child = command.spawn().context("start dns-glue check")?;
    let (status, usage) = wait(child).context("wait for dns-glue check")?;
    ensure!(status == 0, "dns-glue check ended with status {status:#x}");
    let seconds = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs())
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    Ok(Run {
        wall: from.elapsed(),
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        // In units of 1024 octets (getrusage(2)).
        peak_octets: usage.ru_maxrss.unsigned_abs() * 1024,
    })
}

/// Waits for a child, and learns what it has taken.
fn wait(child: Child) -> io::Result<(libc::c_int, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    let id = child.id().cast_signed();
    // SAFETY: our own child, and places for what is told of it.
    let waited = unsafe { libc::wait4(id, &raw mut status, 0, usage.as_mut_ptr()) };
    if waited < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: wait4 has filled it in.
    Ok((status, unsafe { usage.assume_init() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_waited_for_with_what_it_has_taken() {
        let child = Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap();
        let (status, usage) = wait(child).unwrap();
        assert_eq!(libc::WEXITSTATUS(status), 3);
        assert!(usage.ru_maxrss > 0);
    }
}
