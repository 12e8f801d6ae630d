//! A whole run: which zones, which workloads, in which order, and what is
//! written of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::contender::Contender;
use super::report::{self, goals, plot};
use super::results::{Measurement, Run, contender};
use super::workload::zone::Names;
use super::workload::{Edns, Extent, Popularity, Tld, Workload, zone};
use super::zone_work::server::Program;
use super::zone_work::{self, ServedZone, check, phases};
use super::zones::Stock;
use super::{cases, machine, names};
use crate::synthetic::Signing;
use crate::testbed::interrupt;
use crate::zone::source::ZoneSource;

/// What the choice of queries depends on.
const SEED: u64 = 1;
/// Queries of a workload that is drawn.
const QUERIES: usize = 1_000_000;
const QUICK_QUERIES: usize = 100_000;
/// Delegations of synthetic zones.
const SMALL: u64 = 10_000;
const LARGE: u64 = 1_000_000;
const LARGEST: u64 = 10_000_000;
/// How often processes are started for a zone, unless it is the largest.
const ROUNDS: usize = 3;
/// Shares of absent names, in percent. None at all is Zipf's law alone.
const MISS_PERCENTS: [u64; 3] = [10, 50, 100];

/// Asks all contenders.
pub trait Measure {
    /// Measures all contenders, each serving the zone, under each of the
    /// workloads. What is compared should be measured close together in time.
    ///
    /// # Errors
    ///
    /// A contender cannot be started or asked.
    fn measure(&mut self, zone: &ServedZone, workloads: &[Workload]) -> Result<Vec<Measurement>>;
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Contenders under load
    Load,
    /// What it takes to serve a zone
    Zone,
    /// The program alone, on frames in memory
    Cases,
}

/// What to measure, and where things are.
#[derive(Clone, Debug, clap::Args)]
pub struct Choices {
    /// The largest synthetic zone too, of 10 million delegations
    #[arg(long)]
    pub full: bool,
    /// The largest synthetic zone signed too, which takes long to sign
    #[arg(long, requires = "full")]
    pub sign_largest: bool,
    /// Small zones and few rounds, for a first look
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Unsigned synthetic zones of so many delegations, instead of the usual
    /// ones
    #[arg(long = "tld", value_name = "NUMBER", num_args = 1..)]
    pub tlds: Vec<u64>,
    /// One part only
    #[arg(long, value_enum)]
    pub only: Option<Part>,
    /// Who takes part under load; all who are installed if nobody is named
    #[arg(long = "contender", value_name = "NAME", num_args = 1..)]
    pub contenders: Vec<Contender>,
    /// The zone beside the synthetic ones; without it the root zone if it is
    /// at hand
    #[arg(long, value_name = "ORIGIN=FILE")]
    pub zone: Option<ZoneSource>,
    /// What that zone is asked for: lines of `QNAME QTYPE`, as for dnsperf
    #[arg(long, value_name = "FILE")]
    pub queries: Option<PathBuf>,
    /// Where bench.json, bench.svg and bench.md are written
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// The folder of real zones and names
    #[arg(long, value_name = "FOLDER")]
    pub data: PathBuf,
    /// Where zones are unpacked and made, once
    #[arg(long, value_name = "FOLDER")]
    pub cache: PathBuf,
    /// The folder of the programs that are started
    #[arg(long, value_name = "FOLDER")]
    pub binaries: PathBuf,
}

impl Choices {
    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    fn extent(&self) -> Extent {
        Extent {
            queries: if self.quick { QUICK_QUERIES } else { QUERIES },
            seed: SEED,
        }
    }

    /// The synthetic zones: delegations and how they are signed.
    fn synthetic(&self) -> Vec<(u64, Signing)> {
        if !self.tlds.is_empty() {
            let plain = |delegations: &u64| (*delegations, Signing::None);
            return self.tlds.iter().map(plain).collect();
        }
        let mut zones = vec![(SMALL, Signing::None)];
        if !self.quick {
            zones.push((LARGE, Signing::None));
            zones.push((LARGE, Signing::OptOut));
        }
        if self.full {
            zones.push((LARGEST, Signing::None));
        }
        if self.sign_largest {
            zones.push((LARGEST, Signing::OptOut));
        }
        zones
    }

    /// The size at which mixes and floods are asked for.
    fn size_of_mixes(&self) -> u64 {
        if self.quick { SMALL } else { LARGE }
    }

    fn rounds(&self, zone: &ServedZone) -> usize {
        match self.quick || zone.delegations > LARGE {
            true => 1,
            false => ROUNDS,
        }
    }
}

/// Measures what is chosen. The files are written anew after each zone, so
/// that a run which is ended leaves what it has; the tables come at its end.
///
/// # Errors
///
/// A zone, a query file or a folder is not what it must be, or a measurement
/// fails.
pub fn run(choices: &Choices, measure: &mut dyn Measure) -> Result<Run> {
    let stock = Stock::open(&choices.data, &choices.cache)?;
    fs::create_dir_all(&choices.out)
        .with_context(|| format!("create {}", choices.out.display()))?;
    let mut run = Run {
        machine: machine::describe()?,
        measurements: Vec::new(),
        zone_work: Vec::new(),
        cases: Vec::new(),
        goals: Vec::new(),
    };
    let (real, real_names) = stock.real(choices.zone.as_ref())?;
    if choices.wants(Part::Cases) {
        tell("the program alone", &real);
        run.cases = cases::measure(&real.source, &real.delegation)?;
    }
    let names = choices.queries.as_ref().or(real_names.as_ref());
    let workloads = || real_workloads(choices, &real, names.map(PathBuf::as_path));
    zone(choices, &real, workloads, measure, &mut run)?;
    for (delegations, signing) in choices.synthetic() {
        interrupt::check()?;
        eprintln!("{}: made unless it is there", names::tld(delegations));
        let tld = stock.tld(delegations, signing)?;
        let workloads = || tld_workloads(choices, &stock, &tld, signing);
        zone(choices, &tld, workloads, measure, &mut run)?;
    }
    Ok(run)
}

fn tell(what: &str, zone: &ServedZone) {
    eprintln!("{}: {what}", zone.name);
}

/// All that is chosen of one zone.
fn zone(
    choices: &Choices,
    zone: &ServedZone,
    workloads: impl FnOnce() -> Result<Vec<Workload>>,
    measure: &mut dyn Measure,
    run: &mut Run,
) -> Result<()> {
    if choices.wants(Part::Load) {
        tell("load", zone);
        run.measurements
            .extend(measure.measure(zone, &workloads()?)?);
    }
    if choices.wants(Part::Zone) {
        zone_parts(choices, zone, run)?;
    }
    judge(run);
    write(run, &choices.out)
}

fn zone_parts(choices: &Choices, zone: &ServedZone, run: &mut Run) -> Result<()> {
    let folder = fs::canonicalize(&choices.out)?.join("zone-work");
    let setting = zone_work::Setting {
        rounds: choices.rounds(zone),
        folder: &folder,
        binaries: &choices.binaries,
    };
    let (programs, missing): (Vec<_>, Vec<_>) = Program::ALL
        .into_iter()
        .partition(|program| program.is_installed());
    for program in missing {
        eprintln!("{} is not installed: it is left out", program.name());
    }
    let mut works = zone_work::measure(&programs, zone, setting)?;
    tell("the parts of the work", zone);
    let parts = phases::measure(zone)?;
    if let Some(ours) = works
        .iter_mut()
        .find(|one| one.contender == contender::DNS_GLUE)
    {
        ours.phases = parts;
    }
    run.zone_work.extend(works);
    tell("checked", zone);
    run.zone_work.push(check::measure(zone, setting)?);
    Ok(())
}

/// The queries of the real zone.
fn real_workloads(
    choices: &Choices,
    real: &ServedZone,
    names: Option<&Path>,
) -> Result<Vec<Workload>> {
    let names = match names {
        Some(path) => Names::Of(path),
        None => Names::Drawn(choices.extent()),
    };
    zone::workloads(&real.name, &real.source, names)
}

/// The queries of a synthetic zone.
fn tld_workloads(
    choices: &Choices,
    stock: &Stock,
    zone: &ServedZone,
    signing: Signing,
) -> Result<Vec<Workload>> {
    let edns = match signing {
        Signing::None => Edns::PLAIN,
        _ => Edns::DNSSEC,
    };
    let parameters = stock.parameters(zone.delegations, signing)?;
    let extent = choices.extent();
    let tld = Tld::new(&zone.name, &parameters, stock.labels(), extent, edns);
    let mut workloads = vec![tld.referrals(Popularity::Uniform)];
    if signing == Signing::None {
        workloads.push(tld.referrals(Popularity::Zipf));
        if zone.delegations == choices.size_of_mixes() {
            workloads.extend(MISS_PERCENTS.map(|percent| tld.mix(percent)));
            workloads.extend(tld.floods());
        }
    }
    Ok(workloads)
}

fn judge(run: &mut Run) {
    run.goals = goals::judge(goals::Evidence {
        measurements: &run.measurements,
        zone_work: &run.zone_work,
        cases: &run.cases,
    });
}

/// Writes what there is so far into the folder.
fn write(run: &Run, folder: &Path) -> Result<()> {
    let put = |name: &str, content: String| {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))
    };
    put("bench.json", serde_json::to_string_pretty(run)? + "\n")?;
    put("bench.md", report::markdown(run))?;
    if let Some(picture) = plot::svg(run) {
        put("bench.svg", picture)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::example;

    /// Says of every workload the same.
    struct Same(Vec<String>);

    impl Measure for Same {
        fn measure(
            &mut self,
            zone: &ServedZone,
            workloads: &[Workload],
        ) -> Result<Vec<Measurement>> {
            assert!(zone.source.path.is_absolute());
            let mut measurements = Vec::new();
            for workload in workloads {
                assert!(!workload.messages.is_empty());
                self.0.push(workload.name.clone());
                let measurement = example::measurement("dns-glue", &workload.name, 400.0);
                measurements.push(measurement);
            }
            Ok(measurements)
        }
    }

    fn choices(folder: &Path) -> Choices {
        Choices {
            full: false,
            sign_largest: false,
            quick: true,
            tlds: Vec::new(),
            only: Some(Part::Load),
            contenders: Vec::new(),
            zone: None,
            queries: None,
            out: folder.join("out"),
            data: folder.join("nothing"),
            cache: folder.join("zones"),
            binaries: folder.join("nothing"),
        }
    }

    #[test]
    fn a_run_asks_everything_and_leaves_its_files() {
        let folder = std::env::temp_dir().join(format!("dns-glue-run-{}", std::process::id()));
        let choices = choices(&folder);
        let mut same = Same(Vec::new());
        let run = run(&choices, &mut same);
        let read = |name: &str| fs::read_to_string(choices.out.join(name)).unwrap();
        let files = ["bench.json", "bench.md", "bench.svg"].map(read);
        fs::remove_dir_all(&folder).unwrap();
        let run = run.unwrap();
        assert_eq!(
            same.0,
            [
                "signed.example., all names",
                "signed.example., all names, DO",
                "signed.example., referrals",
                "signed.example., referrals, DO",
                "signed.example., misses",
                "TLD 10 k, uniform",
                "TLD 10 k, Zipf",
                "TLD 10 k, 10 % misses",
                "TLD 10 k, 50 % misses",
                "TLD 10 k, 100 % misses",
                "TLD 10 k, random subdomains",
                "TLD 10 k, random subdomains of absent names",
            ]
        );
        let [json, markdown, picture] = files;
        assert_eq!(serde_json::from_str::<Run>(&json).unwrap(), run);
        assert!(markdown.contains("**Load: TLD 10 k, Zipf**"));
        assert!(picture.starts_with("<svg "));
    }

    #[test]
    fn sizes_follow_the_choices() {
        let choices = choices(Path::new("/nowhere"));
        let sizes = |choices: &Choices| choices.synthetic();
        assert_eq!(sizes(&choices), [(SMALL, Signing::None)]);
        let usual = Choices {
            quick: false,
            ..choices
        };
        let (plain, opt_out) = (Signing::None, Signing::OptOut);
        let expected = [(SMALL, plain), (LARGE, plain), (LARGE, opt_out)];
        assert_eq!(sizes(&usual), expected);
        let full = Choices {
            full: true,
            ..usual
        };
        assert_eq!(sizes(&full).last(), Some(&(LARGEST, plain)));
        let signed = Choices {
            sign_largest: true,
            ..full
        };
        assert_eq!(sizes(&signed).last(), Some(&(LARGEST, opt_out)));
        let chosen = Choices {
            tlds: vec![5000, LARGEST],
            ..signed
        };
        assert_eq!(sizes(&chosen), [(5000, plain), (LARGEST, plain)]);
    }
}
