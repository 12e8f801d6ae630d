//! The referral compiler: from zone cuts to a generation.
//!
//! ```text
//! delegations, part by part (source)
//!     -> workers: delegation (encode: records, names), keys of names -> batch
//!     -> in the order of the parts: pieces (shared, in slabs), table (index) -> Generation
//! an earlier Generation (earlier: zones that have not changed) --/
//! ```

mod batch;
pub mod delegation;
mod depths;
mod earlier;
pub mod encode;
mod generation;
mod merger;
mod pieces;
mod source;
mod table;
mod worker;

pub use delegation::{Loss, Octets};
pub use earlier::{Damage, Earlier, Share, Tables};
pub use generation::Generation;
pub use pieces::PieceCounts;
pub use source::{Looked, Source};

use crate::progress::Progress;
use crate::zone::cuts::{Cuts, Delegation, Stop, StopReason};
use crate::zone::faults::Fault;
use crate::zone::records::{NameRef, Zone};
use bytemuck::Zeroable;
use depths::{ChosenDepths, LabelCounts, is_apex};
use dns_glue_common::index::{EntryKind, HashSecret, MAX_ENTRIES, Slot};
use dns_glue_common::limits::{MAX_DEPTHS, MAX_ZONES};
use dns_glue_common::policy::Policy;
use merger::Merger;
use table::NameHasher;

/// How often another hash secret is drawn before the compiler gives up.
const MAX_SECRETS: usize = 16;

/// Entries for which a table has more room than the last that could not be
/// built, beside a quarter of all: places in tables of nearly the same size lie
/// nearly alike.
const SPARE_ENTRIES: usize = 4;
/// A generation and what became of each delegation.
pub struct Compilation<'z> {
    /// For the program.
    pub generation: Generation,
    /// Delegations in the order of the cuts.
    pub delegations: Vec<Report<'z>>,
    /// Pieces of referrals.
    pub pieces: PieceCounts,
    /// Pieces of them that are proofs: DS or denial with signatures.
    pub proofs: PieceCounts,
}

/// A generation and the stops that were found on the way.
pub struct Compiled<'z> {
    /// For the program.
    pub generation: Generation,
    /// What each zone has in it, by its number.
    pub shares: Vec<Share>,
    /// Faults of delegations.
    pub faults: Vec<Fault<'z>>,
    /// Pieces of referrals, but for those that were taken over.
    pub pieces: PieceCounts,
    /// Pieces of them that are proofs: DS or denial with signatures.
    pub proofs: PieceCounts,
}

/// What became of a delegation.
#[derive(Clone, Copy, Debug)]
pub struct Report<'z> {
    /// The name delegated.
    pub cut: &'z NameRef,
    /// What it takes.
    pub octets: Octets,
    /// What was left out, if anything.
    pub loss: Option<Loss>,
    /// Left out of the index, because names of that many labels would be one
    /// more depth than the program looks at: queries pass.
    pub too_deep: bool,
}

/// Who wants to know what becomes of each delegation.
pub trait Watch<'z>: Sync {
    /// What is noted of the delegations of a part.
    type Notes: Send;

    /// Begins with a part.
    fn begin(&self, part: usize) -> Self::Notes;

    /// Notes a delegation. Those of a part come in their order, those of
    /// different parts at the same time.
    fn note(&self, notes: &mut Self::Notes, delegation: &Delegation<'z>, report: &Report<'z>);
}

/// Keeps all reports.
struct Reports;

impl<'z> Watch<'z> for Reports {
    type Notes = Vec<Report<'z>>;

    fn begin(&self, _part: usize) -> Self::Notes {
        Vec::new()
    }

    fn note(&self, notes: &mut Self::Notes, _: &Delegation<'z>, report: &Report<'z>) {
        notes.push(*report);
    }
}

/// Why zones cannot be compiled together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More zones than there are deadlines for.
    #[error("--zone: {0} zones are more than one program can serve ({MAX_ZONES})")]
    TooManyZones(usize),
    /// More entries than the hash is proven for.
    #[error("{0} delegations and apexes are more than the index can hold ({MAX_ENTRIES})")]
    TooManyEntries(usize),
    /// Apexes of too many different depths.
    #[error(
        "the zones served have apexes of {0} different numbers of labels; {MAX_DEPTHS} is the \
         most that can be told apart"
    )]
    TooManyDepths(usize),
    /// No secret keys.
    #[error("no random numbers from the operating system: {0}")]
    Random(getrandom::Error),
    /// The table could not be built with any of the secrets that were drawn.
    #[error("the index could not be built with {MAX_SECRETS} different secrets")]
    NoTable,
    /// What was to be taken over does not go together with the rest: the names
    /// that are looked for are others, or the table cannot be built with the
    /// earlier secret. All zones have to be compiled anew.
    #[error("zones of the earlier generation do not go together with the others")]
    NotTakenOver,
    /// What was to be taken over is not what was made. All zones have to be
    /// compiled anew.
    #[error("the maps of the earlier generation were written to: {0}")]
    Damaged(#[from] Damage),
}

/// Compiles the cuts of `zones`.
///
/// # Errors
///
/// [`Error`]: nothing is compiled by halves.
pub fn compile<'z>(
    zones: &[Zone],
    cuts: &Cuts<'z>,
    progress: &dyn Progress,
) -> Result<Compilation<'z>, Error> {
    let mut delegations = Vec::with_capacity(cuts.delegations.len());
    let compiled = compile_from(zones, cuts, None, progress, &Reports, |mut reports| {
        delegations.append(&mut reports);
    })?;
    Ok(Compilation {
        generation: compiled.generation,
        delegations,
        pieces: compiled.pieces,
        proofs: compiled.proofs,
    })
}

/// Compiles the delegations that `source` finds in `zones`, beside the zones that
/// are taken over from an `earlier` generation; their names are among
/// [`Source::stops`]. What `watch` notes of each part goes to `collect`, part by
/// part.
///
/// # Errors
///
/// [`Error`]: nothing is compiled by halves.
pub fn compile_from<'z, S: Source<'z>, W: Watch<'z>>(
    zones: &[Zone],
    source: &S,
    earlier: Option<&Earlier<'_>>,
    progress: &dyn Progress,
    watch: &W,
    mut collect: impl FnMut(W::Notes),
) -> Result<Compiled<'z>, Error> {
    let zone_count = zones.len() + earlier.map_or(0, Earlier::zones);
    if zone_count > MAX_ZONES {
        return Err(Error::TooManyZones(zone_count));
    }
    let labels = label_counts(source, earlier);
    let apexes = source.stops().iter().filter(|stop| is_apex(stop)).count();
    let entries = apexes + labels.iter().map(LabelCounts::sum).sum::<usize>();
    if entries > MAX_ENTRIES {
        return Err(Error::TooManyEntries(entries));
    }
    let depths = ChosenDepths::of(source.stops(), &labels)?;
    if earlier.is_some_and(|earlier| !earlier.fits(&depths)) {
        return Err(Error::NotTakenOver);
    }
    let mut notes_wanted = true;
    // Nearly always the first secret does. One that has to stay does with more
    // buckets, unless two names have the same key.
    for attempt in 0..MAX_SECRETS {
        let spare = earlier.map_or(0, |_| (entries / 4 + SPARE_ENTRIES) * attempt);
        progress.begin("compiling referrals", source.names() as u64);
        let secret = secret(earlier)?;
        let mut merger = Merger::new(entries + spare);
        merger.add_stops(source.stops(), &depths, &secret);
        if let Some(earlier) = earlier {
            merger.take_over(earlier)?;
        }
        worker::run(source, &depths, &secret, watch, |worker, batch| {
            progress.advance(batch.slots.len() as u64);
            let notes = merger.add(worker, batch);
            if notes_wanted {
                collect(notes);
            }
        });
        notes_wanted = false;
        if let Some(merged) = merger.finish() {
            let holds_deleg = zones.iter().any(Zone::holds_deleg)
                || earlier.is_some_and(|earlier| earlier.holds_deleg);
            return Ok(Compiled {
                shares: merged.shares(labels),
                generation: Generation {
                    buckets: merged.buckets,
                    slabs: merged.slabs,
                    secret,
                    depths: depths.table(),
                    policy_flags: policy_flags(holds_deleg, source.stops()),
                },
                faults: merged.faults,
                pieces: merged.counts,
                proofs: merged.proof_counts,
            });
        }
    }
    Err(match earlier {
        Some(_) => Error::NotTakenOver,
        None => Error::NoTable,
    })
}

/// Of each zone, by its number.
fn label_counts<'z>(source: &impl Source<'z>, earlier: Option<&Earlier<'_>>) -> Vec<LabelCounts> {
    let zones = source.stops().iter().filter_map(|stop| stop.zone_number);
    let mut counts = LabelCounts::of_zones(source, zones.max().map_or(0, |last| last + 1));
    let taken = earlier.map_or(&[][..], |earlier| &earlier.shares);
    for (counts, share) in counts.iter_mut().zip(taken) {
        if let Some(share) = share {
            *counts = share.labels.clone();
        }
    }
    counts
}

/// That of the earlier generation, whose keys are taken over, or a new one.
fn secret(earlier: Option<&Earlier<'_>>) -> Result<Box<HashSecret>, Error> {
    if let Some(earlier) = earlier {
        return Ok(Box::new(*earlier.tables.secret));
    }
    let mut secret = Box::new(HashSecret::zeroed());
    getrandom::fill(bytemuck::bytes_of_mut(&mut *secret)).map_err(Error::Random)?;
    Ok(secret)
}

/// The entry of a stop; none for the root, which every name is below.
fn stop_entry(stop: &Stop<'_>, hasher: &mut NameHasher<'_>) -> Option<Slot> {
    if stop.name.is_root() {
        return None;
    }
    let kind = match stop.why {
        StopReason::ZoneApex => EntryKind::Apex,
        StopReason::AlsoServed => EntryKind::Served,
        StopReason::Dname => EntryKind::Dname,
        StopReason::WildcardNs | StopReason::BrokenDelegation | StopReason::DelegOnly => {
            EntryKind::Refused
        }
    };
    let slot = Slot {
        kind: kind as u8,
        zone: stop.zone_number.map_or(0, slot_zone),
        ..Slot::EMPTY
    };
    Some(hasher.entry(stop.name.as_slice(), slot))
}

/// The number of a zone as an entry has it.
fn slot_zone(number: usize) -> u8 {
    u8::try_from(number).expect("the compiler bounds the zones")
}

fn policy_flags(holds_deleg: bool, stops: &[Stop<'_>]) -> u32 {
    let mut flags = 0;
    if holds_deleg {
        flags |= Policy::HOLDS_DELEG;
    }
    let root_is = |why| {
        let mut stops = stops.iter();
        stops.any(|stop| stop.name.is_root() && stop.why == why)
    };
    if root_is(StopReason::ZoneApex) {
        flags |= Policy::SERVES_ROOT;
    }
    if root_is(StopReason::AlsoServed) {
        flags |= Policy::ROOT_BEHIND;
    }
    flags
}
