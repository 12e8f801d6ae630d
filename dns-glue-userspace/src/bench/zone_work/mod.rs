//! What it takes to serve a zone: time and memory, of dns-glue and of name
//! servers, each as its users start it.
//!
//! ```text
//! server (a process that serves the zone, on a host of the testbed)
//!   probe (asks for a delegation until it is answered)
//!   processes (time and memory of a process and of those that it started)
//! check (`dns-glue check`), phases (the parts of the work, in this process)
//! ```

pub mod check;
pub mod phases;
pub mod probe;
pub mod processes;
pub mod server;

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use domain::base::Name;

use super::results::{Spread, ZoneWork};
use crate::testbed::hosts::Hosts;
use crate::zone::source::ZoneSource;
use probe::Probe;
use processes::Usage;
use server::Program;

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
    restart: Option<Duration>,
}

/// Serves the zone by each program in turn, as often as there are rounds, so
/// that what the machine does beside it meets all alike.
///
/// # Errors
///
/// There can be no namespaces, or a program does not serve the zone: its log
/// is told.
pub fn measure(
    programs: &[Program],
    zone: &ServedZone,
    setting: Setting<'_>,
) -> Result<Vec<ZoneWork>> {
    ensure!(setting.rounds != 0, "there must be a round");
    fs::create_dir_all(setting.folder)
        .with_context(|| format!("create {}", setting.folder.display()))?;
    let changed = zone.is_plain.then(|| Changed::new(zone, setting.folder));
    let changed = changed.transpose()?;
    let mut starts: Vec<Vec<Start>> = programs.iter().map(|_| Vec::new()).collect();
    for _ in 0..setting.rounds {
        for (program, starts) in programs.iter().zip(&mut starts) {
            let what = || format!("{}, {}", program.name(), zone.name);
            eprintln!("{}", what());
            let start = start(*program, zone, changed.as_ref(), setting);
            starts.push(start.with_context(what)?);
        }
    }
    let works = programs.iter().zip(&starts);
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
    let from = Instant::now();
    let mut process = program.start(&zone.source, &hosts, folder, setting.binaries)?;
    let probe = Probe::new(&zone.delegation);
    let ready = probe.wait(&mut process, &hosts, from, PATIENCE)?;
    let mut start = Start {
        ready,
        usage: Usage::of(process.id())?,
        map_octets: process.map_octets()?,
        restart: None,
    };
    if let Some(changed) = changed {
        let from = Instant::now();
        drop(process);
        let mut process = program.start(&changed.source, &hosts, folder, setting.binaries)?;
        let probe = Probe::new(&changed.delegation);
        start.restart = Some(probe.wait(&mut process, &hosts, from, PATIENCE)?);
    }
    Ok(start)
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
        restart_seconds: spread(&mut starts.iter().filter_map(|start| start.restart)),
    })
}

/// A zone with one delegation more; its file goes when dropped.
struct Changed {
    source: ZoneSource,
    delegation: Name<Vec<u8>>,
}

impl Changed {
    fn new(zone: &ServedZone, folder: &Path) -> Result<Self> {
        let path: PathBuf = folder.join("changed.zone");
        let apex = zone.source.apex.fmt_with_dot().to_string();
        // No label of the generator has two hyphens.
        let delegation = format!("added--later.{}", apex.trim_start_matches('.'));
        let write = || {
            fs::copy(&zone.source.path, &path)?;
            let file = OpenOptions::new().append(true).open(&path)?;
            let mut file = BufWriter::new(file);
            for server in ["ns1", "ns2"] {
                writeln!(file, "{delegation} 3600 IN NS {server}.dns.example.com.")?;
            }
            file.flush()
        };
        write().with_context(|| format!("write {}", path.display()))?;
        Ok(Self {
            source: ZoneSource {
                apex: zone.source.apex.clone(),
                path,
            },
            delegation: Name::vec_from_str(&delegation).context("a name")?,
        })
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.source.path) {
            eprintln!("{}: {error}", self.source.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_zone_has_one_delegation_more() {
        let folder = std::env::temp_dir().join(format!("dns-glue-changed-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("some.zone");
        fs::write(&path, "@ 60 SOA a. b. 1 2 3 4 5\n@ 60 NS a.\nx 60 NS a.\n").unwrap();
        let zone = ServedZone {
            name: "some".into(),
            source: ZoneSource {
                apex: Name::vec_from_str("test.").unwrap(),
                path,
            },
            delegations: 1,
            delegation: Name::vec_from_str("x.test.").unwrap(),
            is_plain: true,
        };
        let changed = Changed::new(&zone, &folder).unwrap();
        let read = crate::zone::source::load(&changed.source);
        let zones = [read.unwrap_or_else(|errors| panic!("{errors}"))];
        let cuts = crate::zone::cuts::find_cuts(&zones, &[]);
        let names: Vec<String> = cuts
            .delegations
            .iter()
            .map(|delegation| delegation.cut.fmt_with_dot().to_string())
            .collect();
        assert_eq!(names, ["added--later.test.", "x.test."]);
        assert_eq!(changed.delegation.fmt_with_dot().to_string(), names[0]);
        drop(changed);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
