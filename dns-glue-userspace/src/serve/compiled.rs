//! From the zones of the command line to what is loaded and served.

use std::sync::Arc;

use domain::base::Name;

use super::status::ZoneStatus;
use crate::compile::{self, Generation};
use crate::progress::Progress;
use crate::zone::cuts::{Cuts, find_cuts};
use crate::zone::errors::ZoneErrors;
use crate::zone::records::Zone;
use crate::zone::source::{self, ZoneSource};

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
    /// Octets of the longest referral body.
    pub largest_body: usize,
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
    progress.begin("finding zone cuts", 0);
    let cuts = find_cuts(&zones, &choice.also_served);
    if choice.strict {
        refuse_faults(&cuts)?;
    }
    let summaries = summaries(choice, &zones, &cuts);
    let compilation = compile::compile(&zones, &cuts, progress)?;
    let bodies = compilation.delegations.iter();
    let largest_body = bodies.map(|report| report.octets.largest()).max();
    let generation = compilation.generation;
    Ok(Compiled {
        generation,
        zones: zones.into_iter().map(Arc::new).collect(),
        summaries,
        largest_body: largest_body.unwrap_or(0),
    })
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

fn refuse_faults(cuts: &Cuts<'_>) -> Result<(), CompileError> {
    let fatal = cuts.faults.iter().filter(|fault| fault.fatal_if_strict());
    let faults: Vec<String> = fatal.map(ToString::to_string).collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(CompileError::Faults(faults))
    }
}

fn summaries(choice: &ZoneChoice, zones: &[Zone], cuts: &Cuts<'_>) -> Vec<ZoneStatus> {
    let delegations = |zone: &Zone| {
        let of_zone = cuts
            .delegations
            .iter()
            .filter(|delegation| std::ptr::eq(delegation.zone, zone));
        of_zone.count() as u64
    };
    zones
        .iter()
        .zip(&choice.sources)
        .map(|(zone, source)| ZoneStatus {
            apex: zone.apex().fmt_with_dot().to_string(),
            serial: zone.serial(),
            delegations: delegations(zone),
            file: source.path.clone(),
        })
        .collect()
}
