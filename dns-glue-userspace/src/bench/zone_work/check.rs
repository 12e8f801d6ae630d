//! `dns-glue check`, from its start to its end.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::{ServedZone, Setting, processes};
use crate::bench::results::{Spread, ZoneWork};
use crate::testbed::interrupt;

/// How often a running process is looked at.
const LOOK: Duration = Duration::from_millis(2);

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
        reload_seconds: None,
        reload_peak_octets: None,
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
    /// As wait(2) has it.
    status: libc::c_int,
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
    let run = wait(child, from).context("wait for dns-glue check")?;
    ensure!(
        run.status == 0,
        "dns-glue check ended with status {:#x}",
        run.status
    );
    Ok(run)
}

/// Waits for a child that was started at `from`, and learns what it takes. The
/// peak is looked at while it runs: what wait4(2) tells of it (ru_maxrss)
/// counts this process too, as it was when it forked.
fn wait(child: Child, from: Instant) -> io::Result<Run> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    let mut peak_octets = 0;
    let id = child.id();
    loop {
        // SAFETY: our own child, and places for what is told of it.
        let waited = unsafe {
            libc::wait4(
                id.cast_signed(),
                &raw mut status,
                libc::WNOHANG,
                usage.as_mut_ptr(),
            )
        };
        match waited {
            0 => peak_octets = processes::peak_of(id).unwrap_or(0).max(peak_octets),
            1.. => break,
            _ => return Err(io::Error::last_os_error()),
        }
        interrupt::check()?;
        std::thread::sleep(LOOK);
    }
    // SAFETY: wait4 has filled it in.
    let usage = unsafe { usage.assume_init() };
    Ok(Run {
        wall: from.elapsed(),
        cpu: duration(usage.ru_utime) + duration(usage.ru_stime),
        peak_octets,
        status,
    })
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.unsigned_abs())
        + Duration::from_micros(time.tv_usec.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_waited_for_with_what_it_takes() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 0.05; exit 3"]);
        let child = command.spawn().unwrap();
        let run = wait(child, Instant::now()).unwrap();
        assert_eq!(libc::WEXITSTATUS(run.status), 3);
        // A shell takes less than this test.
        let ours = processes::peak_of(std::process::id()).unwrap();
        assert!((1..ours).contains(&run.peak_octets), "{}", run.peak_octets);
    }
}
