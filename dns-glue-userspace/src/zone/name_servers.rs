//! The name servers of a delegation: where their names stand in the zone, and
//! which delegations share them.

use hashbrown::HashMap;

use domain::base::iana::Rtype;

use super::cover::{Covers, Standing};
use super::cuts::{Glue, GlueKind};
use super::name_order;
use super::records::{NameRef, Node, Rrset, Zone};

/// What a zone says of a name server that its data can be glue for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'z> {
    /// How its addresses relate to the delegation.
    pub(super) kind: GlueKind,
    /// For a sibling, the index of the cover that it is below.
    pub(super) sibling: Option<usize>,
    /// Its records, if it owns any.
    pub(super) owner: Option<Node<'z>>,
}

impl<'z> Place<'z> {
    /// Finds the place of a name server of the cut `cut`; `None` if the zone's
    /// addresses for it, if any, have no place in a referral.
    pub(super) fn of(
        zone: &'z Zone,
        covers: &Covers<'z>,
        cut: Node<'z>,
        target: &NameRef,
    ) -> Option<Self> {
        if name_order::is_at_or_below(target.as_slice(), cut.name().as_slice()) {
            return Some(Self {
                kind: GlueKind::InDomain,
                sibling: None,
                owner: covers.find_below(cut, target),
            });
        }
        if !is_inside(zone, target) {
            return None;
        }
        let (standing, owner) = covers.look_up(target);
        let (kind, sibling) = match standing {
            Standing::BelowCut(cover) => (GlueKind::Sibling, Some(cover)),
            Standing::Authoritative => (GlueKind::Authoritative, None),
            Standing::Hidden => return None,
        };
        Some(Self {
            kind,
            sibling,
            owner,
        })
    }
}

/// The names in an NS RRset.
pub(super) fn targets(ns: Rrset<'_>) -> impl Iterator<Item = &NameRef> {
    ns.records().map(|rdata| {
        NameRef::from_slice(rdata).expect("the builder takes NS RDATA that is a name only")
    })
}

/// Whether a name is at or below the apex of the zone.
pub(super) fn is_inside(zone: &Zone, name: &NameRef) -> bool {
    name_order::is_at_or_below(name.as_slice(), zone.apex().as_slice())
}

/// The place of each name server of a cut.
pub(super) fn find_places<'z>(
    zone: &'z Zone,
    covers: &Covers<'z>,
    cut: Node<'z>,
    ns: Rrset<'z>,
) -> Vec<Option<Place<'z>>> {
    targets(ns)
        .map(|target| Place::of(zone, covers, cut, target))
        .collect()
}

/// The addresses at those places.
pub(super) fn find_glue<'z>(places: &[Option<Place<'z>>]) -> Vec<Glue<'z>> {
    let mut glue = Vec::new();
    for place in places.iter().flatten() {
        let Some(owner) = place.owner else {
            continue;
        };
        for rtype in [Rtype::A, Rtype::AAAA] {
            if let Some(rrset) = owner.rrset(rtype) {
                let kind = place.kind;
                glue.push(Glue { kind, rrset });
            }
        }
    }
    // Stable: within a kind the order of the NS records stays.
    glue.sort_by_key(|glue| glue.kind);
    glue
}

/// The number of a set of name servers that all lie outside the zone.
///
/// Delegations of one zone with the same number have NS RRsets of the same
/// octets and TTL, none of them names anything at or below the apex, and no
/// address of the zone belongs to them: their referrals without the proof
/// differ in the name delegated alone. In a TLD nearly every delegation has
/// such a set, and shares it with others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutsideSet(u32);

impl OutsideSet {
    /// The number: sets are numbered from 0 by whoever looks at delegations.
    #[must_use]
    pub const fn number(self) -> usize {
        self.0 as usize
    }
}

/// The sets of name servers met so far.
///
/// A zone holds equal NS RRsets once, so the address of their data tells a set,
/// and each set's names are looked at once.
#[derive(Default)]
pub(super) struct ServerSets {
    /// By address of the first record's data, number of records, and TTL.
    known: HashMap<(*const u8, usize, u32), Option<OutsideSet>>,
    numbered: u32,
}

impl ServerSets {
    /// The set of an NS RRset of `zone`, if all of it lies outside the zone.
    pub(super) fn outside(&mut self, zone: &Zone, ns: Rrset<'_>) -> Option<OutsideSet> {
        let first = ns.records().next()?;
        let Self { known, numbered } = self;
        *known
            .entry((first.as_ptr(), ns.len(), ns.ttl()))
            .or_insert_with(|| {
                if targets(ns).any(|target| is_inside(zone, target)) {
                    return None;
                }
                let set = OutsideSet(*numbered);
                *numbered += 1;
                Some(set)
            })
    }
}
