//! What it takes to serve a zone: time and memory, of dns-glue and of name
//! servers, each as its users start it.
//!
//! ```text
//! server (a process that serves the zone, on a host of the testbed)
//!   probe (asks for a delegation until it is answered)
//!   processes (time and memory of a process and of those that it started)
//!   changed (the next version of the zone), remote (how a program is told)
//! check (`dns-glue check`), phases (the parts of the work, in this process)
//! ```

pub mod changed;
pub mod check;
pub mod phases;
pub mod probe;
pub mod processes;
pub mod remote;
pub mod server;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use changed::Changed;
use domain::base::Name;

use super::failures::Failures;
use super::results::{Spread, ZoneWork};
use crate::testbed::hosts::Hosts;
use crate::zone::source::ZoneSource;
use probe::Probe;
use processes::Usage;
use server::{Program, Serving};

/// A process that takes longer to serve a zone has failed.
const PATIENCE: Duration = Duration::from_secs(1800);

/// A zone that is to be served.
#[derive(Clone, Debug)]
pub struct ServedZone {
    /// What the tables call it.
    pub name: String,
    /// Its apex and its file, by an absolute path.
    pub source: ZoneSource,
    /// How many delegations it has.
    pub delegations: u64,
    /// One of them, whose referral shows that the zone is served.
    pub delegation: Name<Vec<u8>>,
    /// Whether another delegation can be added to it by a line of text: not so
    /// to a signed zone.
    pub is_plain: bool,
}

/// How and with what it is measured.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'p> {
    /// How often each process is started.
    pub rounds: usize,
    /// A folder for configurations and changed zones, by an absolute path.
    pub folder: &'p Path,
    /// The folder of `dns-glue` and `dns-glue-lab`.
    pub binaries: &'p Path,
}

/// One start.
struct Start {
    ready: Duration,
    usage: Usage,
    map_octets: Option<u64>,
    reload: Option<Reload>,
    restart: Option<Duration>,
}

/// What it took to answer from a changed zone, without a new start.
struct Reload {
    duration: Duration,
    /// Octets of memory at the peak since the start.
    peak_octets: u64,
}

/// Serves the zone by each program in turn, as often as there are rounds, so
/// that what the machine does beside it meets all alike. A program that does
/// not serve the zone is noted, with its log, and left out.
///
/// # Errors
///
/// The zone cannot be changed, or a signal has come.
pub fn measure(
    programs: &[Program],
    zone: &ServedZone,
    setting: Setting<'_>,
    failures: &mut Failures,
) -> Result<Vec<ZoneWork>> {
    ensure!(setting.rounds != 0, "there must be a round");
    fs::create_dir_all(setting.folder)
        .with_context(|| format!("create {}", setting.folder.display()))?;
    let changed = zone.is_plain.then(|| Changed::new(zone, setting.folder));
    let changed = changed.transpose()?;
    let mut serving: Vec<(Program, Vec<Start>)> = Vec::new();
    serving.extend(programs.iter().map(|program| (*program, Vec::new())));
    for _ in 0..setting.rounds {
        let mut left = Vec::new();
        for (program, mut starts) in serving {
            eprintln!("{}, {}", program.name(), zone.name);
            let start = start(program, zone, changed.as_ref(), setting);
            if let Some(start) = failures.or_note(&program.name(), &zone.name, start)? {
                starts.push(start);
                left.push((program, starts));
            }
        }
        serving = left;
    }
    let works = serving.iter();
    works
        .map(|(program, starts)| summary(*program, zone, starts))
        .collect()
}

fn start(
    program: Program,
    zone: &ServedZone,
    changed: Option<&Changed>,
    setting: Setting<'_>,
) -> Result<Start> {
    let folder = &setting.folder.join(program.name());
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let hosts = Hosts::new("zonework")?;
    let _wire = hosts.make_wire(setting.binaries)?;
    let served = ZoneSource {
        apex: zone.source.apex.clone(),
        path: folder.join("served.zone"),
    };
    put(&zone.source.path, &served.path)?;
    let from = Instant::now();
    let mut process = program.start(&served, &hosts, folder, setting.binaries)?;
    let probe = Probe::new(&zone.delegation);
    let ready = probe.wait(&mut process, &hosts, from, PATIENCE)?;
    let mut start = Start {
        ready,
        usage: Usage::of(process.id())?,
        map_octets: process.map_octets()?,
        reload: None,
        restart: None,
    };
    if let Some(changed) = changed {
        start.reload = Some(reload(&mut process, &hosts, &served.path, changed)?);
        let from = Instant::now();
        drop(process);
        let mut process = program.start(&changed.source, &hosts, folder, setting.binaries)?;
        let probe = Probe::new(&changed.delegation);
        start.restart = Some(probe.wait(&mut process, &hosts, from, PATIENCE)?);
    }
    fs::remove_file(&served.path).with_context(|| format!("remove {}", served.path.display()))?;
    Ok(start)
}

/// Puts the changed zone in the place of the one that is served, and waits until
/// it is answered from.
fn reload(
    process: &mut Serving,
    hosts: &Hosts,
    served: &Path,
    changed: &Changed,
) -> Result<Reload> {
    // A file that is older than what was loaded is taken for the same.
    let file = File::options().append(true).open(&changed.source.path)?;
    file.set_modified(SystemTime::now())?;
    put(&changed.source.path, served)?;
    let from = Instant::now();
    process.reload(hosts).context("reload")?;
    let probe = Probe::new(&changed.delegation);
    let duration = probe
        .wait(process, hosts, from, PATIENCE)
        .context("reload")?;
    Ok(Reload {
        duration,
        peak_octets: Usage::of(process.id())?.peak_octets,
    })
}

/// Puts a file in another's place, all at once: as another name of it, or as a
/// copy on another file system.
fn put(file: &Path, place: &Path) -> Result<()> {
    let next: PathBuf = place.with_extension("next");
    let put = || -> io::Result<()> {
        if next.exists() {
            fs::remove_file(&next)?;
        }
        fs::hard_link(file, &next).or_else(|_| fs::copy(file, &next).map(|_| ()))?;
        fs::rename(&next, place)?;
        // It is still there if both were names of one file.
        if next.exists() {
            fs::remove_file(&next)?;
        }
        Ok(())
    };
    put().with_context(|| format!("put {} in the place of {}", file.display(), place.display()))
}

/// Memory is that of the median round: it hardly differs.
fn summary(program: Program, zone: &ServedZone, starts: &[Start]) -> Result<ZoneWork> {
    let spread = |seconds: &mut dyn Iterator<Item = Duration>| {
        let mut seconds: Vec<f64> = seconds.map(|one| one.as_secs_f64()).collect();
        Spread::of(&mut seconds)
    };
    let middle = |octets: &mut dyn Iterator<Item = u64>| {
        let mut octets: Vec<u64> = octets.collect();
        octets.sort_unstable();
        octets.get(octets.len() / 2).copied()
    };
    let usages = || starts.iter().map(|start| start.usage);
    let reloads = || starts.iter().filter_map(|start| start.reload.as_ref());
    let file = fs::metadata(&zone.source.path);
    let file = file.with_context(|| format!("find {}", zone.source.path.display()))?;
    let none = "there is a round";
    Ok(ZoneWork {
        contender: program.name(),
        zone: zone.name.clone(),
        delegations: zone.delegations,
        file_octets: file.len(),
        ready_seconds: spread(&mut starts.iter().map(|start| start.ready)).context(none)?,
        cpu_seconds: spread(&mut usages().map(|usage| usage.cpu)).context(none)?,
        peak_octets: middle(&mut usages().map(|usage| usage.peak_octets)).context(none)?,
        served_octets: middle(&mut usages().map(|usage| usage.octets)),
        map_octets: middle(&mut starts.iter().filter_map(|start| start.map_octets)),
        phases: Vec::new(),
        reload_seconds: spread(&mut reloads().map(|reload| reload.duration)),
        reload_peak_octets: middle(&mut reloads().map(|reload| reload.peak_octets)),
        restart_seconds: spread(&mut starts.iter().filter_map(|start| start.restart)),
    })
}
