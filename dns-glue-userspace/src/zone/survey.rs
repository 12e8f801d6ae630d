//! Zones served together, looked at delegation by delegation.
//!
//! A zone has millions of delegations, and what is known of each is mostly
//! needed once. So a survey keeps only where they are; a walk over it finds
//! one after the other, and several walks may look at different parts at the
//! same time.

use std::collections::HashSet;
use std::ops::Range;

use domain::base::Name;
use domain::base::iana::Rtype;

use super::cover::{Cover, CoverKind, Covers};
use super::cuts::{Delegation, Pruned, Stop, StopReason};
use super::faults::{Fault, FaultKind};
use super::name_order;
use super::name_servers::{ServerSets, find_glue, find_places};
use super::proof::{FoundProof, Proofs};
use super::records::{DELEG, NameRef, Zone};

/// Covers of a part: enough that a part is worth handing over, few enough that
/// all that comes of it stays in the processor's caches.
const PART_COVERS: usize = 4096;

/// Where the delegations of zones served together are.
pub struct Survey<'z> {
    zones: Vec<Surveyed<'z>>,
    apexes: Vec<Stop<'z>>,
    parts: Vec<Part>,
    pruned: Pruned,
}

/// A zone served.
#[derive(Clone, Copy, Debug)]
pub enum Served<'z> {
    /// One to look at.
    Read(&'z Zone),
    /// One of this name that is not looked at: another generation holds what
    /// would be found.
    Named(&'z NameRef),
}

impl<'z> Served<'z> {
    fn apex(self) -> &'z NameRef {
        match self {
            Self::Read(zone) => zone.apex(),
            Self::Named(name) => name,
        }
    }
}

/// What is known of one zone.
pub(super) struct Surveyed<'z> {
    pub(super) zone: &'z Zone,
    /// Its place among the zones that count.
    number: usize,
    pub(super) covers: Covers<'z>,
    inner: InnerZones<'z>,
}

/// Covers of one zone that lie side by side.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Part {
    zone: usize,
    covers: Range<usize>,
}

/// What is found at a zone cut or at another name below which the zone has no
/// data of its own.
#[derive(Clone, Debug)]
pub enum Found<'z> {
    /// A delegation to answer.
    Delegation(Delegation<'z>),
    /// A name at which the search stops, and the fault that makes it one.
    Stop(Stop<'z>, Option<Fault<'z>>),
}

impl<'z> Survey<'z> {
    /// Surveys `zones`, served together on one host with zones of the names
    /// `also_served`, which are not at hand.
    ///
    /// If two zones have the same name the first counts.
    #[must_use]
    pub fn of(zones: &'z [Zone], also_served: &'z [Name<Vec<u8>>]) -> Self {
        Self::of_served(zones.iter().map(Served::Read), also_served)
    }

    /// As [`Survey::of`], and not all zones are to be looked at.
    #[must_use]
    pub fn of_served(
        zones: impl IntoIterator<Item = Served<'z>>,
        also_served: &'z [Name<Vec<u8>>],
    ) -> Self {
        let mut survey = Self {
            zones: Vec::new(),
            apexes: Vec::new(),
            parts: Vec::new(),
            pruned: Pruned::default(),
        };
        let mut names = HashSet::new();
        let mut first_of_name = Vec::new();
        for zone in zones {
            if names.insert(folded(zone.apex())) {
                let number = Some(first_of_name.len());
                survey.add_apex(zone.apex(), StopReason::ZoneApex, number);
                first_of_name.push(zone);
            }
        }
        for name in also_served {
            if names.insert(folded(name.for_slice())) {
                survey.add_apex(name.for_slice(), StopReason::AlsoServed, None);
            }
        }
        for (number, zone) in first_of_name.into_iter().enumerate() {
            if let Served::Read(zone) = zone {
                survey.add_zone(zone, number);
            }
        }
        survey
    }

    fn add_apex(&mut self, name: &'z NameRef, why: StopReason, zone_number: Option<usize>) {
        self.apexes.push(Stop {
            name,
            why,
            zone_number,
        });
    }

    fn add_zone(&mut self, zone: &'z Zone, number: usize) {
        let surveyed = Surveyed {
            zone,
            number,
            covers: Covers::of(zone),
            inner: InnerZones::below(zone.apex(), &self.apexes),
        };
        let covers = &surveyed.covers;
        self.pruned.nested_cuts += covers.nested_cuts;
        self.pruned.below_dname += covers.below_dname;
        self.pruned.in_other_zone += surveyed.cuts_in_inner_zones();
        // One at least, because the names with DELEG alone come with the last.
        for part in 0..covers.len().div_ceil(PART_COVERS).max(1) {
            let start = part * PART_COVERS;
            self.parts.push(Part {
                zone: self.zones.len(),
                covers: start..covers.len().min(start + PART_COVERS),
            });
        }
        self.zones.push(surveyed);
    }

    /// The apexes of all zones served, each once.
    #[must_use]
    pub fn apexes(&self) -> &[Stop<'z>] {
        &self.apexes
    }

    /// What has no effect.
    #[must_use]
    pub fn pruned(&self) -> Pruned {
        self.pruned
    }

    /// The zones to look at, in their order.
    pub(super) fn zones(&self) -> &[Surveyed<'z>] {
        &self.zones
    }

    /// Number of parts: one after the other they hold everything, zone by
    /// zone, in canonical order within each.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// The most delegations and other names that a walk can find.
    #[must_use]
    pub fn names(&self) -> usize {
        self.zones.iter().map(|zone| zone.covers.len()).sum()
    }

    /// Begins to look.
    #[must_use]
    pub fn walk(&self) -> Walk<'_, 'z> {
        Walk {
            survey: self,
            sets: ServerSets::default(),
            proofs: None,
        }
    }

    /// The zone of a part, by its place among those to look at, and whether it
    /// is the zone's last.
    pub(super) fn zone_of(&self, part: usize) -> (usize, bool) {
        let zone = self.parts[part].zone;
        let last = self
            .parts
            .get(part + 1)
            .is_none_or(|next| next.zone != zone);
        (zone, last)
    }

    /// Calls `each` with the name of everything that a walk finds, and the place
    /// of its zone among those that count. Cheaper than a walk.
    pub fn each_name(&self, mut each: impl FnMut(usize, &'z NameRef)) {
        for zone in &self.zones {
            for place in 0..zone.covers.len() {
                let cover = zone.covers.get(place);
                if !zone.is_passed_over(&cover) {
                    each(zone.number, cover.node.name());
                }
            }
            zone.each_deleg_only(|stop, _| each(zone.number, stop.name));
        }
    }
}

/// Looks at parts of a survey.
pub struct Walk<'s, 'z> {
    survey: &'s Survey<'z>,
    sets: ServerSets,
    /// Of the zone of the last part.
    proofs: Option<(usize, Proofs<'z>)>,
}

impl<'z> Walk<'_, 'z> {
    /// Looks at everything in a part. Sets of name servers have the same number
    /// in all parts that this walk looks at.
    pub fn look_at(&mut self, part: usize, mut each: impl FnMut(Found<'z>)) {
        let survey = self.survey;
        let (number, last) = survey.zone_of(part);
        let surveyed = &survey.zones[number];
        let (_, proofs) = match &mut self.proofs {
            Some(known) if known.0 == number => known,
            other => other.insert((number, Proofs::of(surveyed.zone))),
        };
        for place in survey.parts[part].covers.clone() {
            let cover = surveyed.covers.get(place);
            if !surveyed.is_passed_over(&cover) {
                each(surveyed.look_at(&cover, proofs, &mut self.sets));
            }
        }
        if last {
            surveyed.each_deleg_only(|stop, fault| each(Found::Stop(stop, Some(fault))));
        }
    }
}

impl<'z> Surveyed<'z> {
    /// Whether a cover says nothing here: another zone served answers, or it is
    /// the apex, which is a stop already.
    fn is_passed_over(&self, cover: &Cover<'z>) -> bool {
        cover.node.name() == self.zone.apex() || self.inner.hold(cover.node.name())
    }

    fn cuts_in_inner_zones(&self) -> usize {
        if self.inner.apexes.is_empty() {
            return 0;
        }
        let covers = (0..self.covers.len()).map(|place| self.covers.get(place));
        covers
            .filter(|cover| cover.kind != CoverKind::Dname && self.inner.hold(cover.node.name()))
            .count()
    }

    fn look_at(
        &self,
        cover: &Cover<'z>,
        proofs: &mut Proofs<'z>,
        sets: &mut ServerSets,
    ) -> Found<'z> {
        let Cover { node, kind } = *cover;
        let name = node.name();
        match kind {
            CoverKind::Dname => {
                let why = StopReason::Dname;
                Found::Stop(self.stop(name, why), None)
            }
            CoverKind::CutAndDname => {
                self.stop_for(name, StopReason::Dname, FaultKind::DnameBesideNs)
            }
            CoverKind::WildcardCut => {
                self.stop_for(name, StopReason::WildcardNs, FaultKind::WildcardNs)
            }
            CoverKind::Cut => match proofs.find(node) {
                Err(kind) => self.stop_for(name, StopReason::BrokenDelegation, kind),
                Ok(FoundProof { proof, is_new }) => {
                    let ns = node.rrset(Rtype::NS).expect("a cut owns NS");
                    let outside = sets.outside(self.zone, ns);
                    let places = match outside {
                        Some(_) => Vec::new(),
                        None => find_places(self.zone, &self.covers, node, ns),
                    };
                    Found::Delegation(Delegation {
                        zone: self.zone,
                        zone_number: self.number,
                        cut: name,
                        node,
                        ns,
                        outside,
                        proof,
                        proof_is_new: is_new,
                        glue: find_glue(&places),
                        places,
                    })
                }
            },
        }
    }

    /// Makes a name a stop because of a fault.
    fn stop_for(&self, name: &'z NameRef, why: StopReason, kind: FaultKind<'z>) -> Found<'z> {
        let zone = self.zone;
        Found::Stop(self.stop(name, why), Some(Fault { zone, name, kind }))
    }

    fn stop(&self, name: &'z NameRef, why: StopReason) -> Stop<'z> {
        Stop {
            name,
            why,
            zone_number: Some(self.number),
        }
    }

    /// Calls `each` for names with DELEG but without NS, which are not below
    /// any cover: they are stops.
    fn each_deleg_only(&self, mut each: impl FnMut(Stop<'z>, Fault<'z>)) {
        if !self.zone.holds_deleg() {
            return;
        }
        for node in self.zone.nodes().skip(1) {
            let name = node.name();
            if let Some(rrset) = node.rrset(DELEG)
                && self.covers.enclosing(name).is_none()
                && !self.inner.hold(name)
            {
                let why = StopReason::DelegOnly;
                let (zone, kind) = (self.zone, FaultKind::DelegWithoutNs(rrset));
                each(self.stop(name, why), Fault { zone, name, kind });
            }
        }
    }
}

/// Names of zones served that lie below the apex of one.
struct InnerZones<'z> {
    /// In canonical order, and of those below each other only the nearest to
    /// that apex.
    apexes: Vec<&'z NameRef>,
}

impl<'z> InnerZones<'z> {
    /// Those of `all` below `apex`.
    fn below(apex: &NameRef, all: &[Stop<'z>]) -> Self {
        let mut apexes: Vec<_> = all
            .iter()
            .map(|stop| stop.name)
            .filter(|name| name_order::is_below(name.as_slice(), apex.as_slice()))
            .collect();
        apexes.sort_by(|left, right| name_order::compare(left.as_slice(), right.as_slice()));
        apexes
            .dedup_by(|name, above| name_order::is_at_or_below(name.as_slice(), above.as_slice()));
        Self { apexes }
    }

    /// Whether `name` is at or below one of them.
    fn hold(&self, name: &NameRef) -> bool {
        let after = self
            .apexes
            .partition_point(|apex| name_order::compare(apex.as_slice(), name.as_slice()).is_le());
        after.checked_sub(1).is_some_and(|index| {
            name_order::is_at_or_below(name.as_slice(), self.apexes[index].as_slice())
        })
    }
}

/// A name in lower case, to compare by octets.
fn folded(name: &NameRef) -> Vec<u8> {
    name.as_slice().to_ascii_lowercase()
}
