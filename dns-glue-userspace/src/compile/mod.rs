//! The referral compiler: from zone cuts to a generation.
//!
//! ```text
//! zone::cuts -> delegation (encode: records, names) -> pieces (shared, packed)
//!           \-> stops -----------------------------------> table (index)      -> Generation
//! ```

pub mod delegation;
pub mod encode;
mod generation;
mod pieces;
mod table;

pub use delegation::{Loss, Octets};
pub use generation::Generation;

use crate::progress::Progress;
use crate::zone::cuts::{Cuts, Stop, StopReason};
use crate::zone::records::{NameRef, Zone};
use bytemuck::Zeroable;
use delegation::Compiled;
use dns_glue_common::index::{Depths, EntryKind, HashSecret, MAX_ENTRIES, Slot};
use dns_glue_common::limits::{MAX_DEPTHS, MAX_LABELS};
use dns_glue_common::policy::Policy;
use pieces::{PieceId, Pieces};
use std::collections::BTreeMap;
use table::NamedEntry;

/// How often another hash secret is drawn before the compiler gives up.
const MAX_SECRETS: usize = 16;

/// A generation and what became of each delegation.
pub struct Compilation<'z> {
    /// For the program.
    pub generation: Generation,
    /// Delegations in the order of the cuts.
    pub delegations: Vec<Report<'z>>,
    /// Pieces of referrals.
    pub pieces: usize,
    /// Pieces of them that more than one delegation uses.
    pub shared_pieces: usize,
    /// Pieces of them that are proofs, and how many of those are shared.
    pub proofs: ProofPieces,
}

/// Pieces that are DS or denial with signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofPieces {
    /// Different ones.
    pub stored: usize,
    /// Those that more than one delegation uses.
    pub shared: usize,
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

/// Why zones cannot be compiled together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
}

/// Delegations after which the one who watches is told.
const PROGRESS_STEP: usize = 1024;

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
    let entry_count = cuts.delegations.len() + cuts.stops.len();
    if entry_count > MAX_ENTRIES {
        return Err(Error::TooManyEntries(entry_count));
    }
    let depths = choose_depths(cuts)?;
    progress.begin("compiling referrals", cuts.delegations.len() as u64);
    let mut pieces = Pieces::default();
    let mut compiled = Vec::with_capacity(cuts.delegations.len());
    let mut reports = Vec::with_capacity(cuts.delegations.len());
    for (place, delegation) in cuts.delegations.iter().enumerate() {
        if place % PROGRESS_STEP == PROGRESS_STEP - 1 {
            progress.advance(PROGRESS_STEP as u64);
        }
        let too_deep = !depths.holds(delegation.cut);
        let one = delegation::compile(delegation, &mut pieces);
        reports.push(Report {
            cut: delegation.cut,
            octets: one.octets,
            loss: one.loss,
            too_deep,
        });
        if !too_deep {
            compiled.push((delegation.cut.as_slice(), one));
        }
    }
    let (slabs, references) = pieces.pack();
    let mut entries: Vec<NamedEntry<'_>> = cuts
        .stops
        .iter()
        .filter(|stop| depths.holds(stop.name))
        .filter_map(stop_entry)
        .collect();
    entries.extend(compiled.iter().map(|(name, one)| NamedEntry {
        name,
        slot: delegation_slot(one, &references),
    }));
    progress.begin("building the index", 0);
    let (buckets, secret) = build_table(&entries)?;
    Ok(Compilation {
        generation: Generation {
            buckets,
            slabs,
            secret,
            depths: depths.table(),
            policy_flags: policy_flags(zones, cuts),
        },
        delegations: reports,
        proofs: ProofPieces::of(&compiled, &pieces),
        pieces: pieces.len(),
        shared_pieces: pieces.shared(),
    })
}

impl ProofPieces {
    fn of(compiled: &[(&[u8], Compiled)], pieces: &Pieces) -> Self {
        let mut ids: Vec<PieceId> = compiled.iter().filter_map(|(_, one)| one.proof).collect();
        ids.sort_unstable();
        ids.dedup();
        Self {
            stored: ids.len(),
            shared: ids.iter().filter(|id| pieces.is_shared(**id)).count(),
        }
    }
}

fn delegation_slot(compiled: &Compiled, references: &[u32]) -> Slot {
    let reference = |id: Option<PieceId>| id.map_or(0, |id| id.reference(references));
    Slot {
        ns: reference(compiled.ns),
        proof: reference(compiled.proof),
        glue: reference(compiled.glue),
        ..compiled.slot
    }
}

/// The entry of a stop; none for the root, which every name is below.
fn stop_entry<'z>(stop: &Stop<'z>) -> Option<NamedEntry<'z>> {
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
    Some(NamedEntry {
        name: stop.name.as_slice(),
        slot: Slot {
            kind: kind as u8,
            ..Slot::EMPTY
        },
    })
}

fn policy_flags(zones: &[Zone], cuts: &Cuts<'_>) -> u32 {
    let mut flags = 0;
    if zones.iter().any(Zone::holds_deleg) {
        flags |= Policy::HOLDS_DELEG;
    }
    if zones.iter().any(|zone| zone.apex().is_root()) {
        flags |= Policy::SERVES_ROOT;
    }
    let is_root_behind =
        |stop: &Stop<'_>| stop.name.is_root() && stop.why == StopReason::AlsoServed;
    if cuts.stops.iter().any(is_root_behind) {
        flags |= Policy::ROOT_BEHIND;
    }
    flags
}

/// Draws secrets until the table can be built: nearly always the first does.
fn build_table(
    entries: &[NamedEntry<'_>],
) -> Result<(Vec<dns_glue_common::index::Bucket>, Box<HashSecret>), Error> {
    for _ in 0..MAX_SECRETS {
        let mut secret = Box::new(HashSecret::zeroed());
        getrandom::fill(bytemuck::bytes_of_mut(&mut *secret)).map_err(Error::Random)?;
        if let Some(buckets) = table::build(entries, &secret) {
            return Ok((buckets, secret));
        }
    }
    Err(Error::NoTable)
}

/// The numbers of labels that owner names in the index have.
struct ChosenDepths([bool; MAX_LABELS + 1]);

/// Chooses at most `MAX_DEPTHS` depths: those of all apexes, which must not be
/// missed, then those that most other entries have.
///
/// A delegation or another stop that is left out is not missed: the entry next
/// above is the apex of its own zone, so its queries pass all the same.
fn choose_depths(cuts: &Cuts<'_>) -> Result<ChosenDepths, Error> {
    let is_apex =
        |stop: &&Stop<'_>| matches!(stop.why, StopReason::ZoneApex | StopReason::AlsoServed);
    let mut chosen = [false; MAX_LABELS + 1];
    for stop in cuts.stops.iter().filter(is_apex) {
        let labels = label_count(stop.name);
        // The root is no entry: see `stop_entry`.
        chosen[labels] |= labels > 0;
    }
    let apexes = chosen.iter().filter(|chosen| **chosen).count();
    let Some(rest) = MAX_DEPTHS.checked_sub(apexes) else {
        return Err(Error::TooManyDepths(apexes));
    };
    let others = cuts.stops.iter().filter(|stop| !is_apex(stop));
    let names = others
        .map(|stop| stop.name)
        .chain(cuts.delegations.iter().map(|delegation| delegation.cut));
    let mut users: BTreeMap<usize, usize> = BTreeMap::new();
    for labels in names.map(label_count).filter(|labels| !chosen[*labels]) {
        *users.entry(labels).or_default() += 1;
    }
    let mut by_users: Vec<(usize, usize)> = users.into_iter().collect();
    by_users.sort_by_key(|(labels, users)| (std::cmp::Reverse(*users), *labels));
    for (labels, _) in by_users.into_iter().take(rest) {
        chosen[labels] = true;
    }
    Ok(ChosenDepths(chosen))
}

impl ChosenDepths {
    fn holds(&self, name: &NameRef) -> bool {
        self.0[label_count(name)]
    }

    fn table(&self) -> Depths {
        let mut table = Depths::zeroed();
        let mut deepest = 0;
        for (labels, chosen) in self.0.iter().enumerate() {
            if *chosen {
                deepest = u8::try_from(labels).expect("127 labels at most");
            }
            table.0[labels] = deepest;
        }
        table
    }
}

/// Labels of a name, the root not counted.
fn label_count(name: &NameRef) -> usize {
    name.label_count() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// For every number of labels, the deepest depth chosen that is not
        /// beyond it; the search for an entry goes down by this table.
        #[test]
        fn depths_are_the_nearest_below(chosen in prop::collection::vec(any::<bool>(), MAX_LABELS)) {
            let mut depths = ChosenDepths([false; MAX_LABELS + 1]);
            // The root is no entry.
            depths.0[1..].copy_from_slice(&chosen);
            let table = depths.table();
            for labels in 0..=MAX_LABELS {
                let nearest = (1..=labels).rev().find(|depth| depths.0[*depth]);
                prop_assert_eq!(usize::from(table.0[labels]), nearest.unwrap_or(0));
            }
        }
    }
}
