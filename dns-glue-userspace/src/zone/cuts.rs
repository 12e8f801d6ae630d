//! From zones to what is compiled: delegations, and the names at which the
//! search for one stops.
//!
//! *Invariant:* no delegation of a zone is at or below another one of the same
//! zone, none is at a stop, and for every delegation the closest zone served
//! that encloses it is its own. So the deepest match over delegations and
//! stops decides a query (RFC 1034 section 4.3.2 steps 2 and 3b).

use std::collections::HashSet;

use domain::base::Name;
use domain::base::iana::Rtype;

use super::cover::{Cover, CoverKind, Covers, Standing};
use super::faults::{Fault, FaultKind};
use super::name_order;
use super::records::{DELEG, Denial, NameRef, Node, Rrset, Zone};

/// What several zones served together come to.
#[derive(Debug, Default)]
pub struct Cuts<'z> {
    /// The delegations to answer, zone by zone, in canonical order within each.
    pub delegations: Vec<Delegation<'z>>,
    /// Names at which the search stops, each once: queries at or below them,
    /// unless below a deeper delegation, pass.
    pub stops: Vec<Stop<'z>>,
    /// What has no effect.
    pub pruned: Pruned,
    /// Faults of delegations, those for which they became stops among them.
    pub faults: Vec<Fault<'z>>,
}

/// A zone cut and all that a referral to it may say.
#[derive(Clone, Debug)]
pub struct Delegation<'z> {
    /// The zone that delegates.
    pub zone: &'z Zone,
    /// The name delegated.
    pub cut: &'z NameRef,
    /// Its name servers.
    pub ns: Rrset<'z>,
    /// What a query with the DO flag gets beside them.
    pub proof: Proof<'z>,
    /// Addresses of the name servers: in-domain, then sibling, then
    /// authoritative; within each in the order of the NS records, A before
    /// AAAA. Each RRset once.
    pub glue: Vec<Glue<'z>>,
}

/// What shows a validator whether the child zone is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof<'z> {
    /// Nothing: the zone is not signed. DO is echoed all the same.
    Unsigned,
    /// The DS RRset with its signatures (RFC 4035 section 3.1.4).
    Ds(Rrset<'z>),
    /// No DS: the NSEC at the cut with its signatures.
    Nsec(Rrset<'z>),
    /// No DS in a zone with NSEC3; queries with DO pass.
    Nsec3,
}

/// An address RRset of a name server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Glue<'z> {
    /// How it relates to the delegation.
    pub kind: GlueKind,
    /// The addresses, A or AAAA.
    pub rrset: Rrset<'z>,
}

/// How the address of a name server relates to a delegation (RFC 9471
/// section 2; RFC 9499 section 7).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum GlueKind {
    /// At or below this cut: needed, or the delegation cannot be followed.
    InDomain,
    /// Below another cut of the same zone.
    Sibling,
    /// The zone's own data, not below any cut.
    Authoritative,
}

/// A name at which the search for a delegation stops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stop<'z> {
    /// The name.
    pub name: &'z NameRef,
    /// Why.
    pub why: StopReason,
}

/// Why the search for a delegation stops at a name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StopReason {
    /// The apex of a compiled zone.
    ZoneApex,
    /// The apex of a zone that the server behind serves too.
    AlsoServed,
    /// A DNAME; answers below it are synthesised (RFC 6672).
    Dname,
    /// NS at a wildcard.
    WildcardNs,
    /// A delegation with a fault; [`Cuts::faults`] says which.
    BrokenDelegation,
    /// DELEG records without NS records.
    DelegOnly,
}

/// Counts of what has no effect on any referral.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pruned {
    /// NS RRsets below another cut or a DNAME.
    pub nested_cuts: usize,
    /// Owners without NS below a DNAME.
    pub below_dname: usize,
    /// Cuts at or below the apex of another zone served: that zone answers.
    pub in_other_zone: usize,
}

/// Finds the delegations of `zones`, served together on one host with zones of
/// the names `also_served`, which are not at hand.
///
/// If two zones have the same name the first counts.
#[must_use]
pub fn find_cuts<'z>(zones: &'z [Zone], also_served: &'z [Name<Vec<u8>>]) -> Cuts<'z> {
    let mut cuts = Cuts::default();
    let mut apexes = HashSet::new();
    let mut first_of_name = Vec::new();
    for zone in zones {
        if apexes.insert(folded(zone.apex())) {
            cuts.stops.push(Stop {
                name: zone.apex(),
                why: StopReason::ZoneApex,
            });
            first_of_name.push(zone);
        }
    }
    for name in also_served {
        if apexes.insert(folded(name.for_slice())) {
            cuts.stops.push(Stop {
                name: name.for_slice(),
                why: StopReason::AlsoServed,
            });
        }
    }
    let apexes: Vec<&NameRef> = cuts.stops.iter().map(|stop| stop.name).collect();
    for zone in first_of_name {
        let covers = Covers::of(zone);
        cuts.pruned.nested_cuts += covers.nested_cuts;
        cuts.pruned.below_dname += covers.below_dname;
        let inner = InnerZones::below(zone.apex(), &apexes);
        for cover in covers.iter() {
            if inner.hold(cover.node.name()) {
                cuts.pruned.in_other_zone += usize::from(cover.kind != CoverKind::Dname);
            } else {
                cuts.add_cover(zone, &covers, cover);
            }
        }
        cuts.add_deleg_only(zone, &covers, &inner);
    }
    cuts
}

impl<'z> Cuts<'z> {
    /// Adds a cut or another cover as a delegation or a stop.
    fn add_cover(&mut self, zone: &'z Zone, covers: &Covers<'z>, cover: &Cover<'z>) {
        let node = cover.node;
        let name = node.name();
        match cover.kind {
            // That of the apex is a stop already.
            CoverKind::Dname if name == zone.apex() => {}
            CoverKind::Dname => self.stops.push(Stop {
                name,
                why: StopReason::Dname,
            }),
            CoverKind::CutAndDname => {
                self.stop_for(zone, name, StopReason::Dname, FaultKind::DnameBesideNs);
            }
            CoverKind::WildcardCut => {
                self.stop_for(zone, name, StopReason::WildcardNs, FaultKind::WildcardNs);
            }
            CoverKind::Cut => match find_proof(zone, node) {
                Err(kind) => self.stop_for(zone, name, StopReason::BrokenDelegation, kind),
                Ok(proof) => {
                    let ns = node.rrset(Rtype::NS).expect("a cut owns NS");
                    let glue = find_glue(zone, covers, name, ns);
                    self.delegations.push(Delegation {
                        zone,
                        cut: name,
                        ns,
                        proof,
                        glue,
                    });
                }
            },
        }
    }

    /// Makes a name a stop because of a fault.
    fn stop_for(
        &mut self,
        zone: &'z Zone,
        name: &'z NameRef,
        why: StopReason,
        kind: FaultKind<'z>,
    ) {
        self.stops.push(Stop { name, why });
        self.faults.push(Fault { zone, name, kind });
    }

    /// Makes names with DELEG but without NS, which are not below any cover,
    /// stops.
    fn add_deleg_only(&mut self, zone: &'z Zone, covers: &Covers<'z>, inner: &InnerZones<'_>) {
        if !zone.holds_deleg() {
            return;
        }
        for node in zone.nodes().skip(1) {
            if let Some(rrset) = node.rrset(DELEG)
                && covers.enclosing(node.name()).is_none()
                && !inner.hold(node.name())
            {
                let kind = FaultKind::DelegWithoutNs(rrset);
                self.stop_for(zone, node.name(), StopReason::DelegOnly, kind);
            }
        }
    }
}

/// Names of zones served that lie below the apex of one.
struct InnerZones<'a> {
    /// In canonical order, and of those below each other only the nearest to
    /// that apex.
    apexes: Vec<&'a NameRef>,
}

impl<'a> InnerZones<'a> {
    /// Those of `all` below `apex`.
    fn below(apex: &NameRef, all: &[&'a NameRef]) -> Self {
        let mut apexes: Vec<_> = all
            .iter()
            .copied()
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

/// What a query with DO gets for a cut, or what is wrong with it.
fn find_proof<'z>(zone: &'z Zone, node: Node<'z>) -> Result<Proof<'z>, FaultKind<'z>> {
    if zone.denial() == Denial::Unsigned {
        return Ok(Proof::Unsigned);
    }
    if let Some(ds) = node.rrset(Rtype::DS) {
        return if ds.is_signed() {
            Ok(Proof::Ds(ds))
        } else {
            Err(FaultKind::UnsignedDs)
        };
    }
    if zone.denial() == Denial::Nsec3 {
        return Ok(Proof::Nsec3);
    }
    let nsec = node.rrset(Rtype::NSEC).ok_or(FaultKind::MissingNsec)?;
    if !nsec.is_signed() {
        return Err(FaultKind::UnsignedNsec);
    }
    // Several NSEC records at one owner prove nothing.
    let proves = nsec.len() == 1 && nsec.records().all(proves_insecure_delegation);
    if proves {
        Ok(Proof::Nsec(nsec))
    } else {
        Err(FaultKind::WrongNsec)
    }
}

/// Whether NSEC RDATA shows an NS RRset without DS and SOA (RFC 4035
/// section 5.2).
fn proves_insecure_delegation(rdata: &[u8]) -> bool {
    let types = skip_name(rdata);
    has_type(types, Rtype::NS) && !has_type(types, Rtype::DS) && !has_type(types, Rtype::SOA)
}

/// What follows the name at the start of `octets`.
fn skip_name(mut octets: &[u8]) -> &[u8] {
    while let Some((&length, rest)) = octets.split_first() {
        octets = rest.get(usize::from(length)..).unwrap_or_default();
        if length == 0 {
            break;
        }
    }
    octets
}

/// Whether a type bitmap (RFC 4034 section 4.1.2) has the bit of a type below
/// 256; these stand in its first window.
fn has_type(bitmap: &[u8], rtype: Rtype) -> bool {
    let [0, length, first_window @ ..] = bitmap else {
        return false;
    };
    let bits = &first_window[..first_window.len().min(usize::from(*length))];
    let number = usize::from(rtype.to_int());
    bits.get(number / 8)
        .is_some_and(|octet| octet & (0x80 >> (number % 8)) != 0)
}

/// The addresses in the zone of the name servers of a cut.
fn find_glue<'z>(
    zone: &'z Zone,
    covers: &Covers<'z>,
    cut: &NameRef,
    ns: Rrset<'z>,
) -> Vec<Glue<'z>> {
    let mut glue = Vec::new();
    for target in targets(ns) {
        let Some(kind) = glue_kind(zone, covers, cut, target) else {
            continue;
        };
        let Some(node) = zone.find(target) else {
            continue;
        };
        for rtype in [Rtype::A, Rtype::AAAA] {
            if let Some(rrset) = node.rrset(rtype) {
                glue.push(Glue { kind, rrset });
            }
        }
    }
    // Stable: within a kind the order of the NS records stays.
    glue.sort_by_key(|glue| glue.kind);
    glue
}

/// What the zone's addresses of a name server are to a delegation; `None` if
/// they have no place in its referral.
pub(super) fn glue_kind(
    zone: &Zone,
    covers: &Covers<'_>,
    cut: &NameRef,
    target: &NameRef,
) -> Option<GlueKind> {
    if name_order::is_at_or_below(target.as_slice(), cut.as_slice()) {
        return Some(GlueKind::InDomain);
    }
    if !name_order::is_at_or_below(target.as_slice(), zone.apex().as_slice()) {
        return None;
    }
    match covers.standing(target) {
        Standing::BelowCut(_) => Some(GlueKind::Sibling),
        Standing::Authoritative => Some(GlueKind::Authoritative),
        Standing::Hidden => None,
    }
}

/// The names in an NS RRset.
pub(super) fn targets(ns: Rrset<'_>) -> impl Iterator<Item = &NameRef> {
    ns.records().map(|rdata| {
        NameRef::from_slice(rdata).expect("the builder takes NS RDATA that is a name only")
    })
}

/// A name in lower case, to compare by octets.
fn folded(name: &NameRef) -> Vec<u8> {
    name.as_slice().to_ascii_lowercase()
}
