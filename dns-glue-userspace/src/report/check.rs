//! Everything that `check` tells of zones that were compiled.

use std::collections::BTreeMap;

use dns_glue_common::policy::Policy;
use serde::Serialize;

use super::fault_groups::{self, FaultGroup};
use super::holdings::{self, Holdings};
use super::listing::Listing;
use super::replies::{self, Replies};
use crate::compile::{Compilation, Loss, Report};
use crate::kernel::memory::MapMemory;
use crate::zone::cuts::{Cuts, StopReason};
use crate::zone::faults::Fault;
use crate::zone::records::{NameRef, Zone};

/// What compiling zones comes to; its `Display` is the text for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Octets of the longest reply that was allowed (`--max-udp`).
    pub max_udp: u16,
    /// Each zone, in the order of the command line.
    pub zones: Vec<ZoneCheck>,
    /// Names at which the search for a delegation stops, by reason.
    pub stops: BTreeMap<&'static str, usize>,
    /// What has no effect.
    pub pruned: PrunedCounts,
    /// The stored parts of referrals.
    pub pieces: PieceCounts,
    /// Octets of map memory.
    pub memory: MemoryCheck,
    /// Delegations that fit into no reply of any size, by what is lost.
    pub losses: BTreeMap<&'static str, Listing<String>>,
    /// Delegations whose queries pass, because their names have a number of
    /// labels that the program does not look for.
    pub too_deep: Listing<String>,
    /// Faults of the zones, by kind.
    pub faults: Vec<FaultGroup>,
}

/// One zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ZoneCheck {
    /// Its name, with the final dot.
    pub apex: String,
    /// The serial of its SOA record.
    pub serial: u32,
    /// Records, RRSIG included.
    pub records: usize,
    /// `unsigned`, `NSEC` or `NSEC3`.
    pub denial: &'static str,
    /// Counts over its delegations.
    #[serde(flatten)]
    pub holdings: Holdings,
    /// The replies for the bare names of its delegations, by size class.
    pub replies: Vec<ReplyCheck>,
}

/// The replies of one size class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplyCheck {
    /// The client's EDNS size; `null` without EDNS.
    pub edns_udp_octets: Option<u16>,
    /// DO.
    pub dnssec: bool,
    /// Referrals.
    pub referrals: usize,
    /// Octets of the DNS message; `null` where there is none.
    pub octets: Option<OctetsRange>,
    /// Delegations whose reply has TC=1.
    pub truncated: Listing<String>,
    /// Replies with TC=0 that lack some sibling or authoritative addresses.
    pub without_optional_glue: usize,
    /// Queries that pass, by outcome.
    pub passing: BTreeMap<&'static str, usize>,
}

/// Octets of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OctetsRange {
    /// The shortest.
    pub min: usize,
    /// The one in the middle; of two the longer.
    pub median: usize,
    /// The longest.
    pub max: usize,
}

/// Counts of what has no effect on any referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PrunedCounts {
    /// NS RRsets below another cut or a DNAME.
    pub nested_cuts: usize,
    /// Owners without NS below a DNAME.
    pub below_dname: usize,
    /// Cuts at or below the apex of another zone served.
    pub in_other_zone: usize,
}

/// Counts of the parts of referrals (NS records, proofs, glue).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PieceCounts {
    /// Different pieces, each stored once.
    pub stored: usize,
    /// Those that more than one delegation uses.
    pub shared: usize,
    /// Those that are proofs: DS or denial with signatures.
    pub proofs: usize,
    /// Proofs that more than one delegation uses.
    pub shared_proofs: usize,
}

/// Octets of map memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MemoryCheck {
    /// Processors that it was worked out for.
    pub cpus: u64,
    /// The index.
    pub index: u64,
    /// The pieces.
    pub pieces: u64,
    /// What does not grow with the zones.
    pub fixed: u64,
    /// All of it.
    pub total: u64,
    /// All of it, for each delegation; `null` without delegations.
    pub octets_per_delegation: Option<f64>,
}

/// What `check` goes by.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    /// How replies look.
    pub policy: Policy,
    /// Processors of the host that will hold the maps.
    pub cpus: u64,
    /// How many names and faults each list shows.
    pub bound: usize,
}

impl Check {
    /// Asks for every delegation and counts the rest. `compilation` is of
    /// `zones` and `cuts`, and `faults` are theirs.
    pub fn of(
        zones: &[Zone],
        cuts: &Cuts<'_>,
        compilation: &Compilation<'_>,
        faults: &[Fault<'_>],
        choices: Choices,
    ) -> Self {
        let Choices {
            policy,
            cpus,
            bound,
        } = choices;
        let policy = Policy {
            flags: compilation.generation.policy_flags,
            ..policy
        };
        let check_zone = |zone: &Zone| {
            let delegations = of_zone(cuts, zone);
            let reports = &compilation.delegations[delegations.clone()];
            let replies = replies::ask_all(&compilation.generation, &policy, reports);
            let replies = replies.iter().map(|of_class| {
                let show = |place: usize| text(reports[place].cut);
                ReplyCheck::of(of_class, bound, show)
            });
            ZoneCheck {
                apex: text(zone.apex()),
                serial: zone.serial(),
                records: zone.record_count(),
                denial: zone.denial().name(),
                holdings: holdings::count(cuts.delegations[delegations].iter()),
                replies: replies.collect(),
            }
        };
        let mut stops = BTreeMap::new();
        for stop in &cuts.stops {
            *stops.entry(stop_name(stop.why)).or_default() += 1;
        }
        let too_deep = compilation.delegations.iter().filter(|one| one.too_deep);
        Self {
            max_udp: policy.max_udp,
            zones: zones.iter().map(check_zone).collect(),
            stops,
            pruned: PrunedCounts {
                nested_cuts: cuts.pruned.nested_cuts,
                below_dname: cuts.pruned.below_dname,
                in_other_zone: cuts.pruned.in_other_zone,
            },
            pieces: PieceCounts {
                stored: compilation.pieces.stored,
                shared: compilation.pieces.shared,
                proofs: compilation.proofs.stored,
                shared_proofs: compilation.proofs.shared,
            },
            memory: MemoryCheck::of(compilation, cpus),
            losses: losses(&compilation.delegations, bound),
            too_deep: Listing::of(too_deep, bound, |one| text(one.cut)),
            faults: fault_groups::group(faults, bound),
        }
    }
}

/// The places of a zone's delegations, which stand together.
fn of_zone(cuts: &Cuts<'_>, zone: &Zone) -> std::ops::Range<usize> {
    let is_of_zone = |place: &usize| std::ptr::eq(cuts.delegations[*place].zone, zone);
    let mut places = (0..cuts.delegations.len()).filter(is_of_zone);
    let Some(first) = places.next() else {
        return 0..0;
    };
    first..first + 1 + places.count()
}

fn text(name: &NameRef) -> String {
    name.fmt_with_dot().to_string()
}

/// Why the search stops, in a word that does not change.
fn stop_name(why: StopReason) -> &'static str {
    match why {
        StopReason::ZoneApex => "zone-apex",
        StopReason::AlsoServed => "also-served",
        StopReason::Dname => "dname",
        StopReason::WildcardNs => "wildcard-ns",
        StopReason::BrokenDelegation => "broken-delegation",
        StopReason::DelegOnly => "deleg-only",
    }
}

fn losses(reports: &[Report<'_>], bound: usize) -> BTreeMap<&'static str, Listing<String>> {
    let all = [
        (Loss::NameServers, "name-servers"),
        (Loss::Proof, "proof"),
        (Loss::InDomainGlue, "in-domain-glue"),
        (Loss::OptionalGlue, "optional-glue"),
    ];
    let listings = all.map(|(loss, name)| {
        let lossy = reports.iter().filter(|one| one.loss == Some(loss));
        (name, Listing::of(lossy, bound, |one| text(one.cut)))
    });
    listings
        .into_iter()
        .filter(|(_, listing)| listing.total != 0)
        .collect()
}

impl ReplyCheck {
    fn of(replies: &Replies, bound: usize, show: impl Fn(usize) -> String) -> Self {
        let referrals = replies.count();
        let mut passing = BTreeMap::new();
        for (_, reason) in &replies.passing {
            *passing.entry(reason.name()).or_default() += 1;
        }
        let at = |place: usize| replies.octets_at(place);
        let range = || {
            Some(OctetsRange {
                min: at(0)?,
                median: at(referrals / 2)?,
                max: at(referrals.checked_sub(1)?)?,
            })
        };
        Self {
            edns_udp_octets: replies.class.udp_octets,
            dnssec: replies.class.dnssec,
            referrals,
            octets: range(),
            truncated: Listing::of(replies.truncated.iter().copied(), bound, show),
            without_optional_glue: replies.partial.len(),
            passing,
        }
    }
}

impl MemoryCheck {
    fn of(compilation: &Compilation<'_>, cpus: u64) -> Self {
        let memory = MapMemory::of(&compilation.generation, cpus);
        let total = memory.total();
        let delegations = compilation.delegations.len();
        Self {
            cpus,
            index: memory.index,
            pieces: memory.pieces,
            fixed: memory.fixed,
            total,
            octets_per_delegation: (delegations != 0).then(|| total as f64 / delegations as f64),
        }
    }
}
