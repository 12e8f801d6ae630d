//! From the zones of the command line to what is loaded and served.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::base::Name;

use super::changes::{Roll, ZoneRoll};
use super::status::{ZoneStatus, unix_seconds};
use crate::compile::{self, Generation, Loss, Report, Watch};
use crate::progress::Progress;
use crate::report::fault_groups::{self, FaultGroup};
use crate::report::holdings::ProofCounts;
use crate::report::listing::Listing;
use crate::zone::cuts::Delegation;
use crate::zone::errors::ZoneErrors;
use crate::zone::faults::{Fault, FaultKind};
use crate::zone::inspect::{Inspection, Inspector, PartNotes, now};
use crate::zone::records::{NameRef, Zone};
use crate::zone::source::{self, ZoneSource};
use crate::zone::survey::Survey;

/// Names that a warning gives; `check --all` lists the others.
const NAMES_SHOWN: usize = 5;

/// The zones as the operator names them.
#[derive(Clone, Debug)]
pub struct ZoneChoice {
    /// The zones to compile.
    pub sources: Vec<ZoneSource>,
    /// Zones that the server behind serves too.
    pub also_served: Vec<Name<Vec<u8>>>,
    /// Whether a fault of a delegation refuses the zone.
    pub strict: bool,
}

/// What is loaded and served.
pub struct Compiled {
    /// The maps.
    pub generation: Generation,
    /// The records, for the fallback.
    pub zones: Vec<Arc<Zone>>,
    /// What `status` says of each zone.
    pub summaries: Vec<ZoneStatus>,
    /// What the operator should know of the zones: a line for each kind of
    /// fault, with how many there are and the first names.
    pub warnings: Vec<String>,
    /// Octets of the longest referral body.
    pub largest_body: usize,
    /// What the next generation is compared with, zone by zone.
    pub rolls: Vec<ZoneRoll>,
}

impl Compiled {
    /// The files that the zones were read from.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let files = self.zones.iter().flat_map(|zone| zone.files());
        files.cloned().collect()
    }
}

/// Why the zones are not served.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Zones cannot be read.
    #[error("{}", join(.0))]
    Zones(Vec<ZoneErrors>),
    /// The same zone twice.
    #[error("--zone: {0} is given twice")]
    Twice(String),
    /// Zones that cannot be compiled together.
    #[error(transparent)]
    Compile(#[from] compile::Error),
    /// Faults of delegations, with `--strict`.
    #[error("--strict: {} faults of delegations:\n{}", .0.len(), .0.join("\n"))]
    Faults(Vec<String>),
}

fn join(errors: &[ZoneErrors]) -> String {
    let errors: Vec<String> = errors.iter().map(|e| e.to_string()).collect();
    errors.join("\n")
}

/// Reads and compiles the zones.
///
/// # Errors
///
/// Everything that is wrong with any of them.
pub fn compile_zones(
    choice: &ZoneChoice,
    progress: &dyn Progress,
) -> Result<Compiled, CompileError> {
    let zones = read_zones(choice, progress)?;
    let Made {
        generation,
        summaries,
        warnings,
        largest_body,
        rolls,
    } = compile_read(choice, &zones, progress)?;
    Ok(Compiled {
        generation,
        zones: zones.into_iter().map(Arc::new).collect(),
        summaries,
        warnings,
        largest_body,
        rolls,
    })
}

/// The files that a failed compile has read; none if it got so far.
pub fn files_of(error: &CompileError) -> Vec<PathBuf> {
    match error {
        CompileError::Zones(zones) => zones
            .iter()
            .flat_map(|errors| errors.files().map(Path::to_path_buf))
            .collect(),
        _ => Vec::new(),
    }
}

/// Gives memory that was freed back to the system.
///
/// What the compiler used goes in large and in small parts; the C library keeps
/// the small ones for the next who asks, and a daemon asks for little.
pub fn give_back_memory() {
    // SAFETY: it takes no memory that is in use, and may be called at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// As [`Compiled`], without the records.
struct Made {
    generation: Generation,
    summaries: Vec<ZoneStatus>,
    warnings: Vec<String>,
    largest_body: usize,
    rolls: Vec<ZoneRoll>,
}

/// Compiles the zones that were read from the sources of `choice`.
fn compile_read(
    choice: &ZoneChoice,
    zones: &[Zone],
    progress: &dyn Progress,
) -> Result<Made, CompileError> {
    progress.begin("finding zone cuts", 0);
    let survey = Survey::of(zones, &choice.also_served);
    let inspector = Inspector::new(&survey, now());
    let mut inspection = Inspection::new(inspector);
    let mut tallies: Vec<Tally<'_>> = zones.iter().map(|_| Tally::default()).collect();
    let compiled = compile::compile_from(zones, &survey, progress, &Watcher(inspector), |notes| {
        tallies[notes.inspected.zone()].append(notes.tally);
        inspection.add(notes.inspected);
    })?;
    let mut faults = compiled.faults;
    if choice.strict {
        refuse_faults(&faults)?;
    }
    let mut summaries = summaries(choice, zones, &tallies, &faults);
    let unix = unix_seconds();
    for (number, summary) in summaries.iter_mut().enumerate() {
        let left = inspection.signatures_left(number);
        summary.signatures_until = left.map(|seconds| unix + u64::from(seconds));
    }
    let rolls = zones
        .iter()
        .zip(&mut tallies)
        .map(|(zone, tally)| ZoneRoll {
            apex: Name::from_octets(zone.apex().as_slice().to_vec()).expect("it is a name"),
            serial: zone.serial(),
            delegations: std::mem::take(&mut tally.roll),
        });
    let rolls = rolls.collect();
    progress.begin("looking for faults", 0);
    inspection.finish(&mut faults);
    let total = tallies.into_iter().reduce(|mut total, tally| {
        total.append(tally);
        total
    });
    let total = total.unwrap_or_default();
    Ok(Made {
        generation: compiled.generation,
        summaries,
        warnings: warnings(&faults, &total),
        largest_body: total.largest_body,
        rolls,
    })
}

/// Looks at each delegation that is compiled.
struct Watcher<'s, 'z>(Inspector<'s, 'z>);

/// What is noted of the delegations of a part.
struct Notes<'z> {
    tally: Tally<'z>,
    inspected: PartNotes<'z>,
}

impl<'z> Watch<'z> for Watcher<'_, 'z> {
    type Notes = Notes<'z>;

    fn begin(&self, part: usize) -> Notes<'z> {
        let Self(inspector) = self;
        Notes {
            tally: Tally::default(),
            inspected: inspector.begin(part),
        }
    }

    fn note(&self, notes: &mut Notes<'z>, delegation: &Delegation<'z>, report: &Report<'z>) {
        let Self(inspector) = self;
        notes.tally.add(delegation, report);
        inspector.look_at(&mut notes.inspected, delegation);
    }
}

/// What delegations come to.
#[derive(Default)]
struct Tally<'z> {
    delegations: u64,
    proofs: ProofCounts,
    too_deep: Listing<&'z NameRef>,
    /// By [`Loss`].
    losses: BTreeMap<Loss, Listing<&'z NameRef>>,
    /// Octets of the longest referral body.
    largest_body: usize,
    roll: Roll,
}

impl<'z> Tally<'z> {
    fn add(&mut self, delegation: &Delegation<'z>, report: &Report<'z>) {
        self.delegations += 1;
        self.roll.add(delegation);
        self.proofs.add(delegation.proof);
        self.largest_body = self.largest_body.max(report.octets.largest());
        if report.too_deep {
            self.too_deep.push(report.cut, NAMES_SHOWN);
        }
        if let Some(loss) = report.loss {
            let names = self.losses.entry(loss).or_default();
            names.push(report.cut, NAMES_SHOWN);
        }
    }

    /// Adds that of delegations behind all of these.
    fn append(&mut self, later: Self) {
        self.delegations += later.delegations;
        self.proofs.append(&later.proofs);
        self.roll.append(&later.roll);
        self.largest_body = self.largest_body.max(later.largest_body);
        self.too_deep.append(later.too_deep, NAMES_SHOWN);
        for (loss, names) in later.losses {
            self.losses
                .entry(loss)
                .or_default()
                .append(names, NAMES_SHOWN);
        }
    }
}

/// Reads every zone, to tell of the errors of all of them at once.
///
/// # Errors
///
/// Everything that is wrong with any of them, or a zone that is given twice.
pub fn read_zones(choice: &ZoneChoice, progress: &dyn Progress) -> Result<Vec<Zone>, CompileError> {
    progress.begin("reading zones", choice.sources.len() as u64);
    let mut zones: Vec<Zone> = Vec::with_capacity(choice.sources.len());
    let mut errors = Vec::new();
    for source in &choice.sources {
        match source::load(source) {
            Ok(zone) if zones.iter().any(|other| other.apex() == zone.apex()) => {
                let name = source.apex.fmt_with_dot().to_string();
                return Err(CompileError::Twice(name));
            }
            Ok(zone) => zones.push(zone),
            Err(error) => errors.push(error),
        }
        progress.advance(1);
    }
    if errors.is_empty() {
        Ok(zones)
    } else {
        Err(CompileError::Zones(errors))
    }
}

fn refuse_faults(faults: &[Fault<'_>]) -> Result<(), CompileError> {
    let fatal = faults.iter().filter(|fault| fault.fatal_if_strict());
    let faults: Vec<String> = fatal.map(ToString::to_string).collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(CompileError::Faults(faults))
    }
}

/// `tallies` are of the delegations of each zone, and `faults` those that the
/// compiler met.
fn summaries(
    choice: &ZoneChoice,
    zones: &[Zone],
    tallies: &[Tally<'_>],
    faults: &[Fault<'_>],
) -> Vec<ZoneStatus> {
    let summary = |((zone, source), tally): ((&Zone, &ZoneSource), &Tally<'_>)| {
        let refused = faults.iter().filter(|fault| {
            let refuses = fault.is_stop() || matches!(fault.kind, FaultKind::DelegWithoutNs(_));
            refuses && std::ptr::eq(fault.zone, zone)
        });
        ZoneStatus {
            apex: zone.apex().fmt_with_dot().to_string(),
            serial: zone.serial(),
            denial: zone.denial().name().to_owned(),
            delegations: tally.delegations,
            proofs: tally.proofs.clone(),
            refused: refused.count() as u64,
            too_deep: tally.too_deep.total as u64,
            signatures_until: None,
            // Whoever asks for the status may stand in another folder.
            file: std::path::absolute(&source.path).unwrap_or_else(|_| source.path.clone()),
        }
    };
    let of_sources = zones.iter().zip(&choice.sources);
    of_sources.zip(tallies).map(summary).collect()
}

/// A line for each kind of fault, those that refuse delegations first, and for
/// each other thing that delegations came to.
fn warnings(faults: &[Fault<'_>], tally: &Tally<'_>) -> Vec<String> {
    let groups = fault_groups::group(faults, NAMES_SHOWN);
    let mut warnings: Vec<String> = groups.iter().map(fault_warning).collect();
    let too_deep = "names of a number of labels that is not looked for; queries for them pass";
    warnings.extend(delegations_warning(&tally.too_deep, too_deep));
    for (loss, names) in &tally.losses {
        let what = match loss {
            Loss::NameServers => "too many NS records; replies have TC=1",
            Loss::Proof => "too long a proof; replies with DO have TC=1",
            Loss::InDomainGlue => "too much in-domain glue; replies have TC=1",
            Loss::OptionalGlue => "too much sibling glue; replies lack some of it",
        };
        warnings.extend(delegations_warning(names, what));
    }
    warnings
}

/// `wildcard-ns: *.a.: NS at a wildcard ...` or, of several,
/// `wildcard-ns: 2 (*.a. *.b.), first *.a.: NS at a wildcard ...`.
fn fault_warning(group: &FaultGroup) -> String {
    let FaultGroup { kind, faults, .. } = group;
    let first = &faults.listed[0].message;
    if faults.total == 1 {
        return format!("{kind}: {first}");
    }
    let names = faults.listed.iter().map(|fault| fault.name.as_str());
    let names = list(names, faults.more());
    format!("{kind}: {} ({names}), first {first}", faults.total)
}

/// What delegations, if any, came to.
fn delegations_warning(delegations: &Listing<&NameRef>, what: &str) -> Option<String> {
    let names: Vec<String> = delegations
        .listed
        .iter()
        .map(|cut| cut.fmt_with_dot().to_string())
        .collect();
    let names = list(names.iter().map(String::as_str), delegations.more());
    (delegations.total != 0).then(|| format!("{} delegations ({names}): {what}", delegations.total))
}

/// `a. b. and 3 more`.
fn list<'n>(names: impl Iterator<Item = &'n str>, more: usize) -> String {
    let mut text = names.collect::<Vec<_>>().join(" ");
    if more != 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::master_file::read_text;
    use std::path::{Path, PathBuf};

    /// The warnings and the summary of a zone `test.`.
    fn compiled(records: &str) -> (Vec<String>, ZoneStatus) {
        let apex = Name::vec_from_str("test.").expect("a valid name");
        let text = format!("$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n{records}");
        let zone = match read_text(&apex, Path::new("test.zone"), text.as_bytes()) {
            Ok(zone) => zone,
            Err(errors) => panic!("{errors}"),
        };
        let choice = ZoneChoice {
            sources: vec![ZoneSource {
                apex,
                path: PathBuf::from("test.zone"),
            }],
            also_served: Vec::new(),
            strict: false,
        };
        match compile_read(&choice, &[zone], &()) {
            Ok(mut made) => (made.warnings, made.summaries.remove(0)),
            Err(error) => panic!("{error}"),
        }
    }

    fn delegated(owner: &str) -> String {
        format!("{owner} NS ns.void.\n{owner} NS ns2.void.\n")
    }

    #[test]
    fn a_sound_zone_has_no_warnings() {
        let (warnings, status) = compiled(&delegated("a"));
        assert_eq!(warnings, [""; 0]);
        let counts = (status.delegations, status.refused, status.too_deep);
        assert_eq!(counts, (1, 0, 0));
    }

    #[test]
    fn one_line_for_each_kind() {
        let wildcards: String = (1..=7).map(|n| delegated(&format!("*.w{n}"))).collect();
        let (warnings, status) = compiled(&(wildcards + "a NS ns.void.\n"));
        assert_eq!(
            warnings,
            [
                "wildcard-ns: 7 (*.w1.test. *.w2.test. *.w3.test. *.w4.test. *.w5.test. and 2 \
                 more), first *.w1.test.: NS at a wildcard has no meaning; it passes",
                "one-name-server: a.test.: only one name server",
            ]
        );
        assert_eq!((status.delegations, status.refused), (1, 7));
    }

    #[test]
    fn expired_signatures_are_told() {
        let past = "20200101000000";
        let sign = |owner: &str, covered: &str, expires: &str| {
            format!("{owner} RRSIG {covered} 13 2 60 {expires} {past} 1 test. AAAA\n")
        };
        let records = [
            String::from("@ DNSKEY 257 3 13 AAAA\n@ NSEC a NS SOA RRSIG NSEC DNSKEY\n"),
            sign("@", "SOA", past),
            delegated("a") + "a DS 1 13 2 00112233\n" + &sign("a", "DS", "20200102000000"),
        ];
        let (warnings, _) = compiled(&records.concat());
        assert_eq!(
            warnings,
            [
                "invalid-signatures: a.test.: signatures expired or not yet valid, here first, in \
              1 RRsets"
            ]
        );
    }

    #[test]
    fn what_is_left_out_of_the_index_and_of_replies_is_told() {
        // More numbers of labels than the program looks for.
        let depths = dns_glue_common::limits::MAX_DEPTHS + 1;
        let deep: String = (1..=depths)
            .map(|labels| delegated(&vec![format!("d{labels}"); labels].join(".")))
            .collect();
        let long = "x".repeat(60);
        let many: String = (0..40)
            .map(|n| format!("m NS {n}.{n}{long}.void.\n"))
            .collect();
        let (warnings, status) = compiled(&(deep + &many));
        // The apex is one of those that are looked for.
        assert_eq!(status.too_deep, 2, "{status:?}");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("2 delegations (d"), "{warnings:?}");
        assert_eq!(
            warnings[1],
            "1 delegations (m.test.): too many NS records; replies have TC=1"
        );
    }
}
