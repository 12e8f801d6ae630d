//! From the zones of the command line to what is loaded and served.

mod read;
mod settled;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::base::Name;

use super::changes::ZoneRoll;
use super::findings::Findings;
use super::status::{ZoneStatus, unix_seconds};
use crate::compile::{self, Generation, Share, Tables};
use crate::progress::Progress;
use crate::zone::errors::ZoneErrors;
use crate::zone::records::Zone;
use crate::zone::source::ZoneSource;
use crate::zone::texts::Texts;

pub use read::{ReadZones, read_zones};

/// The zones as the operator names them.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The zones.
    pub zones: CompiledZones,
}

/// What is known of the zones of a generation, in the order of the choice.
pub struct CompiledZones {
    /// What does not depend on the place in the maps.
    each: Vec<Arc<CompiledZone>>,
    /// What each has in the maps.
    shares: Vec<Share>,
    /// The records of each, for the fallback; none of a zone that was taken over
    /// from a generation of which they were forgotten.
    records: Vec<Option<Arc<Zone>>>,
}

/// What is known of a zone once it is compiled, to tell of it and to take it
/// over into the next generation.
pub struct CompiledZone {
    status: ZoneStatus,
    roll: ZoneRoll,
    findings: Findings,
    /// The files that it was read from.
    files: Vec<PathBuf>,
    /// What they held, if there were any.
    texts: Option<Texts>,
    holds_deleg: bool,
    /// When that was, in seconds of Unix time.
    read_at: u64,
}

impl CompiledZone {
    /// Whether compiling it anew would come to the same: its text is what it
    /// was, and of signatures, which are judged by the clock, nothing was to be
    /// said when it was read, and nothing is now.
    fn is_up_to_date(&self) -> bool {
        let is_silent = |time| self.status.signatures_at(time).are_valid_for_long();
        is_silent(self.read_at)
            && is_silent(unix_seconds())
            && self.texts.as_ref().is_some_and(Texts::are_unchanged)
    }
}

/// The generation that answers, whose zones may be taken over into the next.
#[derive(Clone, Copy)]
pub struct Answering<'a> {
    /// What it was made of.
    pub choice: &'a ZoneChoice,
    /// Its zones.
    pub zones: &'a CompiledZones,
    /// Its tables.
    pub tables: Tables<'a>,
}

impl CompiledZones {
    /// What `status` says of the zones.
    pub fn statuses(&self) -> impl Iterator<Item = &ZoneStatus> {
        self.each.iter().map(|zone| &zone.status)
    }

    /// What the next generation is compared with, zone by zone.
    pub fn rolls(&self) -> impl Iterator<Item = &ZoneRoll> {
        self.each.iter().map(|zone| &zone.roll)
    }

    /// The records of the zones, as far as they are there.
    pub fn records(&self) -> impl Iterator<Item = Arc<Zone>> {
        self.records.iter().flatten().cloned()
    }

    /// Forgets the records: only the fallback needs them.
    pub fn forget_records(&mut self) {
        self.records.fill(None);
    }

    /// These zones, with what was found in them when they were read again: with
    /// the same texts, at another time. Their places in the maps stay those of
    /// the generation that answers.
    pub fn found_anew(&self, again: &Self) -> Self {
        Self {
            each: again.each.clone(),
            shares: self.shares.clone(),
            records: self.records.clone(),
        }
    }

    /// Whether these zones are those, whatever a text can say: where one cannot be
    /// compared they are not. Signatures may differ under the same serial, with
    /// the same delegations.
    pub fn are_the_same_texts_as(&self, others: &Self) -> bool {
        let mut zones = self.each.iter().zip(&others.each);
        zones.all(|(zone, other)| match (&zone.texts, &other.texts) {
            (Some(texts), Some(others)) => texts.are_the_same_as(others),
            _ => false,
        })
    }

    /// A zone that was read out of a pipe, with the final dot, and that pipe.
    pub fn pipe(&self) -> Option<(&str, &Path)> {
        self.each.iter().find_map(|zone| {
            let pipe = zone.texts.as_ref()?.pipes().first()?;
            Some((&zone.status.apex[..], pipe.as_path()))
        })
    }

    /// The files that the zones were read from.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let files = self.each.iter().flat_map(|zone| &zone.files);
        files.cloned().collect()
    }

    /// What the operator should know of the zones: a line for each kind of
    /// fault, with how many there are and the first names.
    pub fn warnings(&self) -> Vec<String> {
        self.findings().warnings()
    }

    /// Octets of the longest referral body.
    pub fn largest_body(&self) -> usize {
        self.findings().largest_body
    }

    fn findings(&self) -> Findings {
        let mut all = Findings::default();
        self.each.iter().for_each(|zone| all.append(&zone.findings));
        all
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
    /// Files that change while they are read.
    #[error(
        "zone {0}: its files change while they are read (write them beside, and rename them when \
         they are whole)"
    )]
    Unsettled(String),
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
    ReadZones::read(choice, None, progress)?.compile(progress)
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
