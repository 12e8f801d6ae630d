//! Faults of zones, by kind.

use std::collections::BTreeMap;

use serde::Serialize;

use super::listing::Listing;
use crate::zone::faults::{Fault, FaultKind};

/// The faults of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultGroup {
    /// The kind, in a word that does not change.
    pub kind: &'static str,
    /// Whether `--strict` refuses the zones for it.
    pub fatal_if_strict: bool,
    /// The faults.
    pub faults: Listing<FaultLine>,
}

/// A fault in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultLine {
    /// The apex of the zone.
    pub zone: String,
    /// The delegation, or the owner of the records at fault.
    pub name: String,
    /// What is wrong, with the name.
    pub message: String,
}

/// Groups faults by kind, those that `--strict` refuses first; within a kind
/// their order stays, and at most `bound` are listed.
pub fn group(faults: &[Fault<'_>], bound: usize) -> Vec<FaultGroup> {
    let mut by_kind: BTreeMap<(bool, &str), Vec<&Fault<'_>>> = BTreeMap::new();
    for fault in faults {
        let key = (!fault.fatal_if_strict(), kind_name(&fault.kind));
        by_kind.entry(key).or_default().push(fault);
    }
    by_kind
        .into_iter()
        .map(|((not_fatal, kind), faults)| FaultGroup {
            kind,
            fatal_if_strict: !not_fatal,
            faults: Listing::of(faults, bound, |fault| FaultLine {
                zone: fault.zone.apex().fmt_with_dot().to_string(),
                name: fault.name.fmt_with_dot().to_string(),
                message: fault.to_string(),
            }),
        })
        .collect()
}

/// Adds the groups of a later zone, of which at most `bound` faults are listed
/// too.
pub fn append(groups: &mut Vec<FaultGroup>, later: &[FaultGroup], bound: usize) {
    for group in later {
        match groups.iter_mut().find(|other| other.kind == group.kind) {
            Some(other) => other.faults.append(group.faults.clone(), bound),
            None => groups.push(group.clone()),
        }
    }
    groups.sort_by_key(|group| (!group.fatal_if_strict, group.kind));
}

/// The name of a kind of fault.
fn kind_name(kind: &FaultKind<'_>) -> &'static str {
    match kind {
        FaultKind::WildcardNs => "wildcard-ns",
        FaultKind::DnameBesideNs => "dname-beside-ns",
        FaultKind::UnsignedDs => "unsigned-ds",
        FaultKind::MissingNsec => "missing-nsec",
        FaultKind::UnsignedNsec => "unsigned-nsec",
        FaultKind::WrongNsec => "wrong-nsec",
        FaultKind::MissingNsec3 => "missing-nsec3",
        FaultKind::MissingEncloser => "missing-encloser",
        FaultKind::UnsignedNsec3 { .. } => "unsigned-nsec3",
        FaultKind::WrongNsec3 { .. } => "wrong-nsec3",
        FaultKind::NoOptOut { .. } => "no-opt-out",
        FaultKind::DsInUnsignedZone => "ds-in-unsigned-zone",
        FaultKind::OneNameServer => "one-name-server",
        FaultKind::MissingGlue { .. } => "missing-glue",
        FaultKind::TargetIsCname { .. } => "name-server-is-alias",
        FaultKind::SiblingCycle => "sibling-cycle",
        FaultKind::StrayGlue { .. } => "stray-glue",
        FaultKind::OrphanGlue => "orphan-glue",
        FaultKind::ChainWithGaps => "nsec3-chain-with-gaps",
        FaultKind::ManyIterations { .. } => "many-iterations",
        FaultKind::KeysWithoutSignatures => "keys-without-signatures",
        FaultKind::TtlMismatch { .. } => "ttl-mismatch",
        FaultKind::InvalidSignatures { .. } => "invalid-signatures",
        FaultKind::ExpiringSignatures { .. } => "expiring-signatures",
        FaultKind::DelegWithoutNs(_) => "deleg-without-ns",
    }
}
