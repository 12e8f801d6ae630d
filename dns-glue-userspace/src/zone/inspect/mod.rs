//! Looks for what an operator should know of zones that can be served: glue
//! that is missing or serves nothing, name servers that cannot be reached,
//! signatures that expire.
//!
//! Each delegation is looked at once, perhaps on several threads, and then the
//! owners of each zone.

mod cycles;
mod owners;
mod signatures;

use std::time::{SystemTime, UNIX_EPOCH};

use domain::base::iana::Rtype;

use super::cover::Covers;
use super::cuts::{Cuts, Delegation, GlueKind};
use super::faults::{Fault, FaultKind};
use super::name_servers::targets;
use super::records::{Denial, NameRef, Node, Zone};
use super::survey::Survey;
use cycles::Siblings;
use signatures::Signatures;

pub use signatures::{EXPIRES_SOON, Validity};

/// Iterations of NSEC3 beyond which validators in wide use take a zone for
/// insecure, or fail: RFC 9276 section 3.2 lets each choose, and the strictest
/// chose this number.
const MAX_ITERATIONS: u16 = 50;

/// The time as RRSIG tells it: seconds since 1970 modulo 2^32.
#[must_use]
pub fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 is no clock; 0 makes every signature invalid.
    since.map_or(0, |since| since.as_secs() as u32)
}

/// Everything worth a warning in `zones`, the faults that `cuts` knows already
/// first. `cuts` comes from [`super::cuts::find_cuts`] for the same zones;
/// `now` is in seconds since 1970 modulo 2^32, as in RRSIG (RFC 4034
/// section 3.1.5).
#[must_use]
pub fn inspect<'z>(zones: &'z [Zone], cuts: &Cuts<'z>, now: u32) -> Vec<Fault<'z>> {
    let mut faults = cuts.faults.clone();
    // Delegations stand zone by zone, in the order of the zones.
    let mut rest = &cuts.delegations[..];
    for zone in zones {
        let end = rest.partition_point(|found| std::ptr::eq(found.zone, zone));
        let (delegations, others) = rest.split_at(end);
        rest = others;
        let covers = Covers::of(zone);
        let covers = &covers;
        let inspector = ZoneInspector { zone, covers, now };
        let mut notes = Notes::default();
        for delegation in delegations {
            inspector.look_at(&mut notes, delegation);
        }
        inspector.finish(notes, &mut faults);
    }
    faults
}

/// Looks at the delegations of a survey, part by part.
#[derive(Clone, Copy)]
pub struct Inspector<'s, 'z> {
    survey: &'s Survey<'z>,
    now: u32,
}

/// What is noted of the delegations of a part.
pub struct PartNotes<'z> {
    zone: usize,
    notes: Notes<'z>,
}

impl PartNotes<'_> {
    /// The place of the part's zone among those of the survey.
    #[must_use]
    pub fn zone(&self) -> usize {
        self.zone
    }
}

/// What is noted of all delegations.
pub struct Inspection<'s, 'z> {
    inspector: Inspector<'s, 'z>,
    /// Of each zone.
    notes: Vec<Notes<'z>>,
}

impl<'s, 'z> Inspector<'s, 'z> {
    /// Begins; `now` is as for [`inspect`].
    #[must_use]
    pub fn new(survey: &'s Survey<'z>, now: u32) -> Self {
        Self { survey, now }
    }

    /// Begins with a part of the survey.
    #[must_use]
    pub fn begin(&self, part: usize) -> PartNotes<'z> {
        let (zone, _) = self.survey.zone_of(part);
        let notes = Notes::default();
        PartNotes { zone, notes }
    }

    /// Looks at a delegation of that part.
    pub fn look_at(&self, notes: &mut PartNotes<'z>, delegation: &Delegation<'z>) {
        self.zone(notes.zone).look_at(&mut notes.notes, delegation);
    }

    fn zone(&self, number: usize) -> ZoneInspector<'s, 'z> {
        let surveyed = &self.survey.zones()[number];
        ZoneInspector {
            zone: surveyed.zone,
            covers: &surveyed.covers,
            now: self.now,
        }
    }
}

impl<'s, 'z> Inspection<'s, 'z> {
    /// Nothing noted yet.
    #[must_use]
    pub fn new(inspector: Inspector<'s, 'z>) -> Self {
        let zones = inspector.survey.zones().iter();
        let notes = zones.map(|_| Notes::default()).collect();
        Self { inspector, notes }
    }

    /// Adds the notes of a part; parts come in their order.
    pub fn add(&mut self, notes: PartNotes<'z>) {
        self.notes[notes.zone].append(notes.notes);
    }

    /// When each RRset of a proof in a zone has a valid signature; `None` if the
    /// zone proves nothing.
    pub fn validity(&self, zone: usize) -> Option<Validity> {
        self.notes[zone].signatures.validity()
    }

    /// Adds everything worth a warning to `faults`, zone by zone.
    pub fn finish(self, faults: &mut Vec<Fault<'z>>) {
        for (number, notes) in self.notes.into_iter().enumerate() {
            self.inspector.zone(number).finish(notes, faults);
        }
    }
}

/// What is noted of delegations of one zone.
#[derive(Default)]
struct Notes<'z> {
    delegations: usize,
    faults: Vec<Fault<'z>>,
    /// Indices of the owners that their NS records name.
    named: Vec<u32>,
    siblings: Siblings<'z>,
    signatures: Signatures<'z>,
}

impl Notes<'_> {
    /// Adds those of delegations behind all of these.
    fn append(&mut self, mut later: Self) {
        self.delegations += later.delegations;
        self.faults.append(&mut later.faults);
        self.named.append(&mut later.named);
        self.siblings.append(later.siblings);
        self.signatures.append(later.signatures);
    }
}

/// One zone while it is looked at.
#[derive(Clone, Copy)]
struct ZoneInspector<'s, 'z> {
    zone: &'z Zone,
    covers: &'s Covers<'z>,
    now: u32,
}

impl<'z> ZoneInspector<'_, 'z> {
    fn fault(&self, name: &'z NameRef, kind: FaultKind<'z>) -> Fault<'z> {
        let zone = self.zone;
        Fault { zone, name, kind }
    }

    /// Looks at one delegation.
    fn look_at(&self, notes: &mut Notes<'z>, delegation: &Delegation<'z>) {
        let cut = delegation.cut;
        notes.delegations += 1;
        if delegation.ns.len() == 1 {
            let fault = self.fault(cut, FaultKind::OneNameServer);
            notes.faults.push(fault);
        }
        if self.zone.denial() == Denial::Unsigned && delegation.node.rrset(Rtype::DS).is_some() {
            let fault = self.fault(cut, FaultKind::DsInUnsignedZone);
            notes.faults.push(fault);
        }
        if delegation.outside.is_none() {
            self.look_at_servers(notes, delegation);
        }
        if delegation.proof_is_new {
            notes.signatures.look_at(delegation.proof, self.now);
        }
    }

    /// Looks at the name servers of a delegation, some of which lie in the
    /// zone.
    fn look_at_servers(&self, notes: &mut Notes<'z>, delegation: &Delegation<'z>) {
        let cut = delegation.cut;
        // Siblings without which the delegation cannot be followed.
        let mut needed = Some(Vec::new());
        for (target, place) in targets(delegation.ns).zip(&delegation.places) {
            let Some(place) = place else {
                needed = None;
                continue;
            };
            notes.named.extend(place.owner.map(|owner| owner.index()));
            let has_address = place.owner.is_some_and(owns_address);
            if place.kind == GlueKind::InDomain && !has_address {
                let fault = self.fault(cut, FaultKind::MissingGlue { target });
                notes.faults.push(fault);
            }
            let cname = place.owner.and_then(|owner| owner.rrset(Rtype::CNAME));
            if cname.is_some() {
                let fault = self.fault(cut, FaultKind::TargetIsCname { target });
                notes.faults.push(fault);
            }
            match (place.sibling, &mut needed) {
                (Some(sibling), Some(siblings)) => siblings.push(sibling),
                (None, _) if has_address => needed = None,
                _ => {}
            }
        }
        if let Some(siblings) = needed.filter(|siblings| !siblings.is_empty()) {
            let cover = self.covers.of_owner(delegation.node);
            let cover = cover.expect("a cut is a cover");
            notes.siblings.add(cover, cut, &siblings);
        }
    }

    /// Looks at the zone as a whole, once all its delegations are noted.
    fn finish(&self, mut notes: Notes<'z>, faults: &mut Vec<Fault<'z>>) {
        faults.append(&mut notes.faults);
        self.look_at_denial(faults);
        let in_cycles = notes.siblings.in_cycles(self.covers.len());
        faults.extend(in_cycles.map(|cut| self.fault(cut, FaultKind::SiblingCycle)));
        self.look_at_owners(notes.named, notes.delegations, faults);
        let signatures = notes.signatures.faults();
        faults.extend(signatures.map(|(name, kind)| self.fault(name, kind)));
    }

    /// Looks at what the whole zone is signed with.
    fn look_at_denial(&self, faults: &mut Vec<Fault<'z>>) {
        let apex = self.zone.apex();
        if let Some(chain) = self.zone.nsec3() {
            if !chain.is_complete() {
                faults.push(self.fault(apex, FaultKind::ChainWithGaps));
            }
            let iterations = chain.parameters().iterations;
            if iterations > MAX_ITERATIONS {
                faults.push(self.fault(apex, FaultKind::ManyIterations { iterations }));
            }
        }
        let keys = self
            .zone
            .find(apex)
            .and_then(|node| node.rrset(Rtype::DNSKEY));
        if self.zone.denial() == Denial::Unsigned && keys.is_some() {
            faults.push(self.fault(apex, FaultKind::KeysWithoutSignatures));
        }
    }
}

/// Whether an owner has A or AAAA records.
fn owns_address(node: Node<'_>) -> bool {
    node.rrset(Rtype::A).is_some() || node.rrset(Rtype::AAAA).is_some()
}

#[cfg(test)]
mod tests;
