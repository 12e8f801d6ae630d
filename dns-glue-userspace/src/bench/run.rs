//! A whole run: which zones, which workloads, in which order, and what is
//! written of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::choices::{Choices, Part};
use super::circumstances::Watch;
use super::failures::Failures;
use super::report::evidence::Evidence;
use super::report::{self, goals, plot};
use super::results::{Measurement, Run, contender};
use super::workload::zone::Names;
use super::workload::{Edns, Popularity, Tld, Workload, zone};
use super::zone_work::server::Program;
use super::zone_work::{self, ServedZone, check, phases};
use super::zones::Stock;
use super::{cases, machine, names};
use crate::synthetic::Signing;
use crate::testbed::interrupt;

/// Shares of absent names, in percent. None at all is Zipf's law alone.
const MISS_PERCENTS: [u64; 3] = [10, 50, 100];

/// Asks all contenders.
pub trait Measure {
    /// Measures all contenders, each serving the zone, under each of the
    /// workloads. What is compared should be measured close together in time.
    /// A contender that fails is noted and left out.
    ///
    /// # Errors
    ///
    /// Nobody can be asked, or a signal has come.
    fn measure(
        &mut self,
        zone: &ServedZone,
        workloads: &[Workload],
        failures: &mut Failures,
    ) -> Result<Vec<Measurement>>;
}

/// A run that has come to its end, or to an error.
#[derive(Debug)]
pub struct Ended {
    /// What was measured until then.
    pub run: Run,
    /// Why it ended early, or was not written.
    pub error: Option<anyhow::Error>,
}

/// Measures what is chosen. The files are written anew after each zone, so
/// that a run which is ended leaves what it has.
///
/// # Errors
///
/// The machine does not tell what it is. Other errors come with what was
/// measured before them.
pub fn run(choices: &Choices, measure: &mut dyn Measure) -> Result<Ended> {
    let watch = Watch::begin(choices.chosen())?;
    let run = Run {
        machine: machine::describe()?,
        circumstances: watch.so_far()?,
        measurements: Vec::new(),
        zone_work: Vec::new(),
        cases: Vec::new(),
        goals: Vec::new(),
        failures: Vec::new(),
        left_out: Vec::new(),
    };
    let mut course = Course {
        choices,
        watch,
        failures: Failures::default(),
        run,
        unwritten: None,
    };
    let measured = course.measure(measure);
    let measured = measured.and_then(|()| course.note_who_was_not_measured());
    let closed = course.close();
    Ok(Ended {
        run: course.run,
        error: measured.and(closed).err().or(course.unwritten),
    })
}

/// A run under way.
struct Course<'c> {
    choices: &'c Choices,
    watch: Watch,
    failures: Failures,
    run: Run,
    /// The first error of writing: the measurement goes on, for the tables.
    unwritten: Option<anyhow::Error>,
}

impl Course<'_> {
    fn measure(&mut self, measure: &mut dyn Measure) -> Result<()> {
        let choices = self.choices;
        let stock = Stock::open(&choices.data, &choices.cache)?;
        fs::create_dir_all(&choices.out)
            .with_context(|| format!("create {}", choices.out.display()))?;
        if choices.wants(Part::Load) && choices.size_of_mixes().is_none() {
            self.failures.leave_out(
                String::from("mixes and floods"),
                String::from("every synthetic zone is too large for servers side by side"),
            );
        }
        let (real, real_names) = stock.real(choices.zone.as_ref())?;
        if choices.wants(Part::Cases) {
            tell("the program alone", &real);
            let cases = cases::measure(&real.source, &real.delegation);
            let cases = self
                .failures
                .or_note(contender::DNS_GLUE, "the program alone", cases)?;
            self.run.cases = cases.unwrap_or_default();
        }
        let names = choices.queries.as_ref().or(real_names.as_ref());
        let workloads = || real_workloads(choices, &real, names.map(PathBuf::as_path));
        self.zone(&real, workloads, measure)?;
        for (delegations, signing) in choices.synthetic() {
            interrupt::check()?;
            eprintln!("{}: made unless it is there", names::tld(delegations));
            let tld = stock.tld(delegations, signing)?;
            let workloads = || tld_workloads(choices, &stock, &tld, signing);
            self.zone(&tld, workloads, measure)?;
        }
        Ok(())
    }

    /// All that is chosen of one zone.
    fn zone(
        &mut self,
        zone: &ServedZone,
        workloads: impl FnOnce() -> Result<Vec<Workload>>,
        measure: &mut dyn Measure,
    ) -> Result<()> {
        if self.choices.wants(Part::Load) {
            tell("load", zone);
            let measured = measure.measure(zone, &workloads()?, &mut self.failures)?;
            self.run.measurements.extend(measured);
        }
        if self.choices.wants(Part::Zone) {
            self.zone_parts(zone)?;
        }
        self.close()
    }

    fn zone_parts(&mut self, zone: &ServedZone) -> Result<()> {
        let folder = fs::canonicalize(&self.choices.out)?.join("zone-work");
        let setting = zone_work::Setting {
            rounds: self.choices.rounds(zone),
            folder: &folder,
            binaries: &self.choices.binaries,
        };
        let (programs, missing): (Vec<_>, Vec<_>) = Program::ALL
            .into_iter()
            .partition(|program| program.is_installed());
        for program in missing {
            let what = format!("{}, what a zone takes", program.name());
            let why = String::from("it is not installed");
            self.failures.leave_out(what, why);
        }
        let failures = &mut self.failures;
        let mut works = zone_work::measure(&programs, zone, setting, failures)?;
        tell("the parts of the work", zone);
        let parts = failures.or_note(
            contender::DNS_GLUE,
            &format!("{}, the parts of the work", zone.name),
            phases::measure(zone),
        )?;
        let ours = works
            .iter_mut()
            .find(|one| one.contender == contender::DNS_GLUE);
        if let (Some(ours), Some(parts)) = (ours, parts) {
            ours.phases = parts;
        }
        self.run.zone_work.extend(works);
        tell("checked", zone);
        let checked = check::measure(zone, setting);
        let checked = self.failures.or_note(check::NAME, &zone.name, checked)?;
        self.run.zone_work.extend(checked);
        Ok(())
    }

    /// Whoever was named must be in the results, or with the failures.
    fn note_who_was_not_measured(&mut self) -> Result<()> {
        if !self.choices.wants(Part::Load) {
            return Ok(());
        }
        for contender in &self.choices.contenders {
            let name = contender.to_string();
            let is_measured = self
                .run
                .measurements
                .iter()
                .any(|one| one.contender == name);
            if !is_measured && self.failures.all().iter().all(|one| one.contender != name) {
                let error = anyhow::anyhow!("it takes part in no workload of this run");
                self.failures.note(&name, "under load", &error)?;
            }
        }
        Ok(())
    }

    /// Judges what there is so far, and writes it; that it cannot be written is
    /// kept for the end.
    fn close(&mut self) -> Result<()> {
        self.run.circumstances = self.watch.so_far()?;
        self.run.failures = self.failures.all().to_vec();
        self.run.left_out = self.failures.left_out().to_vec();
        judge(&mut self.run);
        if let Err(error) = write(&self.run, &self.choices.out) {
            eprintln!("{error:#}");
            self.unwritten.get_or_insert(error);
        }
        Ok(())
    }
}

fn tell(what: &str, zone: &ServedZone) {
    eprintln!("{}: {what}", zone.name);
}

/// The queries of the real zone.
fn real_workloads(
    choices: &Choices,
    real: &ServedZone,
    names: Option<&Path>,
) -> Result<Vec<Workload>> {
    let names = match names {
        Some(path) => Names::Of(path),
        None => Names::Drawn(choices.extent(real.delegations)),
    };
    let extent = choices.extent(real.delegations);
    zone::workloads(&real.name, &real.source, names, extent)
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
    let extent = choices.extent(zone.delegations);
    let tld = Tld::new(&zone.name, &parameters, stock.labels(), extent, edns);
    let mut workloads = vec![tld.referrals(Popularity::Uniform)];
    if signing == Signing::None {
        workloads.push(tld.referrals(Popularity::Zipf));
        if choices.size_of_mixes() == Some(zone.delegations) {
            workloads.extend(MISS_PERCENTS.map(|percent| tld.mix(percent)));
            workloads.extend(tld.floods());
        }
    }
    Ok(workloads)
}

fn judge(run: &mut Run) {
    run.goals = goals::judge(Evidence {
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
    use crate::bench::choices::tests::choices;
    use crate::bench::report::example;

    /// Says of every workload the same.
    struct Same(Vec<String>);

    impl Measure for Same {
        fn measure(
            &mut self,
            zone: &ServedZone,
            workloads: &[Workload],
            failures: &mut Failures,
        ) -> Result<Vec<Measurement>> {
            assert!(zone.source.path.is_absolute());
            let mut measurements = Vec::new();
            for workload in workloads {
                assert!(!workload.messages.is_empty());
                self.0.push(workload.name.clone());
                let measurement = example::measurement("dns-glue", &workload.name, 400.0);
                measurements.push(measurement);
            }
            failures.note("nsd", &zone.name, &anyhow::anyhow!("gone"))?;
            Ok(measurements)
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
        let Ended { run, error } = run.unwrap();
        assert!(error.is_none(), "{error:?}");
        let failures = run.failures.iter();
        let left_out: Vec<&str> = failures.map(|one| one.what.as_str()).collect();
        assert_eq!(left_out, ["signed.example.", "TLD 10 k"]);
        assert_eq!(
            same.0,
            [
                "signed.example., all names",
                "signed.example., all names, DO",
                "signed.example., referrals",
                "signed.example., referrals, DO",
                "signed.example., random names",
                "signed.example., random names, DO",
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
    fn mixes_are_of_the_largest_zone_that_was_named_or_left_out() {
        let folder = std::env::temp_dir().join(format!("dns-glue-left-{}", std::process::id()));
        let mut choices = choices(&folder);
        choices.tlds = vec![40, 50];
        let stock = Stock::open(&choices.data, &choices.cache).unwrap();
        let workloads = |choices: &Choices, delegations| {
            let tld = stock.tld(delegations, Signing::None).unwrap();
            let workloads = tld_workloads(choices, &stock, &tld, Signing::None);
            workloads.unwrap().len()
        };
        assert_eq!([40, 50].map(|size| workloads(&choices, size)), [2, 7]);
        // It ends before a zone of that size is made.
        choices.tlds = vec![2_000_000];
        choices.zone = Some("own.=/nowhere/own.zone".parse().unwrap());
        let Ended { run, error } = run(&choices, &mut Same(Vec::new())).unwrap();
        assert!(error.unwrap().to_string().contains("/nowhere/own.zone"));
        let left_out: Vec<&str> = run.left_out.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(left_out, ["mixes and floods"]);
        let markdown = fs::read_to_string(choices.out.join("bench.md")).unwrap();
        assert!(markdown.contains("**Left out**"), "{markdown}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_run_that_cannot_be_written_has_its_results() {
        let folder = std::env::temp_dir().join(format!("dns-glue-kept-{}", std::process::id()));
        let mut choices = choices(&folder);
        choices.contenders = vec!["knot-xdp".parse().unwrap()];
        // No file can be written where a folder is.
        fs::create_dir_all(choices.out.join("bench.json")).unwrap();
        let ended = run(&choices, &mut Same(Vec::new()));
        fs::remove_dir_all(&folder).unwrap();
        let Ended { run, error } = ended.unwrap();
        let error = format!("{:#}", error.unwrap());
        assert!(error.contains("bench.json"), "{error}");
        assert!(!run.measurements.is_empty());
        // Named, and not measured.
        assert!(run.failures.iter().any(|one| one.contender == "knot-xdp"));
    }
}
