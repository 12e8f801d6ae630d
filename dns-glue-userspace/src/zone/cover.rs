//! What of a zone lies below its zone cuts and DNAMEs, and so is not the
//! zone's own data.

use domain::base::iana::Rtype;

use super::name_order;
use super::records::{NameRef, Node, Zone};

/// Owners behind a cut that are looked at one by one for a name below it: there
/// are mostly none, or a few name servers.
const NEAR_OWNERS: u32 = 8;

/// Why names at or below an owner are not the zone's own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CoverKind {
    /// A zone cut: NS at a name other than the apex.
    Cut,
    /// A DNAME, which hides what lies below it (RFC 6672 section 2.4).
    Dname,
    /// Both NS and DNAME: RFC 6672 section 2.3 allows them together at an apex
    /// only.
    CutAndDname,
    /// NS at a wildcard, which has no defined meaning (RFC 4592 section 4.2).
    WildcardCut,
}

impl CoverKind {
    /// What an owner is; `None` if names below it are the zone's own.
    fn of(node: Node<'_>) -> Option<Self> {
        let cut = node.index() != 0 && node.rrset(Rtype::NS).is_some();
        let dname = node.rrset(Rtype::DNAME).is_some();
        match (cut, dname) {
            (false, false) => None,
            (false, true) => Some(Self::Dname),
            (true, _) if name_order::is_wildcard(node.name().as_slice()) => Some(Self::WildcardCut),
            (true, false) => Some(Self::Cut),
            (true, true) => Some(Self::CutAndDname),
        }
    }
}

/// An owner and why names below it are not the zone's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cover<'z> {
    /// The owner.
    pub(super) node: Node<'z>,
    /// Why.
    pub(super) kind: CoverKind,
}

/// The covers of a zone: of those that lie below each other only the nearest
/// to the apex, in canonical order.
pub(super) struct Covers<'z> {
    zone: &'z Zone,
    /// Indices of their owners in the zone, ascending: a large zone has
    /// millions, so no more than that is kept.
    ///
    /// *Invariant:* no cover is at or below another.
    owners: Vec<u32>,
    /// Cuts that lie below another cover, the only effect of which is to be
    /// counted.
    pub(super) nested_cuts: usize,
    /// Owners without NS below a DNAME.
    pub(super) below_dname: usize,
}

impl<'z> Covers<'z> {
    /// Finds the covers of a zone.
    pub(super) fn of(zone: &'z Zone) -> Self {
        let mut found = Self {
            zone,
            owners: Vec::new(),
            nested_cuts: 0,
            below_dname: 0,
        };
        let mut above: Option<Cover<'z>> = None;
        for node in zone.nodes() {
            if let Some(above) = above
                && name_order::is_below(node.name().as_slice(), above.node.name().as_slice())
            {
                let cut = node.rrset(Rtype::NS).is_some();
                found.nested_cuts += usize::from(cut);
                found.below_dname += usize::from(!cut && above.kind == CoverKind::Dname);
            } else if let Some(kind) = CoverKind::of(node) {
                found.owners.push(node.index());
                above = Some(Cover { node, kind });
            }
        }
        found.owners.shrink_to_fit();
        found
    }

    /// The cover of that index.
    pub(super) fn get(&self, index: usize) -> Cover<'z> {
        let node = self.zone.owner(self.owners[index]);
        let kind = CoverKind::of(node).expect("a cover does not change");
        Cover { node, kind }
    }

    /// Number of covers.
    pub(super) fn len(&self) -> usize {
        self.owners.len()
    }

    /// The index of the cover that `name` is at or below.
    pub(super) fn enclosing(&self, name: &NameRef) -> Option<usize> {
        let last = self.zone.up_to(name).next_back()?;
        self.enclosing_after(name, last.index())
    }

    /// The index of the cover whose owner has that index.
    pub(super) fn of_owner(&self, node: Node<'z>) -> Option<usize> {
        self.owners.binary_search(&node.index()).ok()
    }

    /// As [`Covers::enclosing`], for a name of which the last owner that is not
    /// after it is known.
    fn enclosing_after(&self, name: &NameRef, last_owner: u32) -> Option<usize> {
        // Names at or below a cover follow it without a gap, and covers do not
        // lie below each other: only the last one not after the name can be it.
        let after = self.owners.partition_point(|owner| *owner <= last_owner);
        let index = after.checked_sub(1)?;
        let owner = self.zone.owner(self.owners[index]).name();
        name_order::is_at_or_below(name.as_slice(), owner.as_slice()).then_some(index)
    }

    /// Where `name`, at or below the zone's apex, stands, and what it owns.
    pub(super) fn look_up(&self, name: &NameRef) -> (Standing, Option<Node<'z>>) {
        let last = self.zone.up_to(name).next_back();
        let last = last.expect("no name of the zone is before its apex");
        let owner = (last.name() == name).then_some(last);
        let standing = match self.enclosing_after(name, last.index()) {
            None => Standing::Authoritative,
            Some(index) => self.standing_at(index, name),
        };
        (standing, owner)
    }

    /// Where an owner stands.
    pub(super) fn standing_of(&self, owner: Node<'z>) -> Standing {
        match self.enclosing_after(owner.name(), owner.index()) {
            None => Standing::Authoritative,
            Some(index) => self.standing_at(index, owner.name()),
        }
    }

    /// What a name at or below the cover of that index is.
    fn standing_at(&self, index: usize, name: &NameRef) -> Standing {
        let Cover { node, kind } = self.get(index);
        match kind {
            CoverKind::Cut => Standing::BelowCut(index),
            CoverKind::Dname if node.name() == name => Standing::Authoritative,
            CoverKind::Dname | CoverKind::CutAndDname | CoverKind::WildcardCut => Standing::Hidden,
        }
    }

    /// The owner of `name`, which is at or below the owner `cut`.
    pub(super) fn find_below(&self, cut: Node<'z>, name: &NameRef) -> Option<Node<'z>> {
        let owners = u32::try_from(self.zone.nodes().len()).expect("the builder bounds the owners");
        let near = cut.index()..owners.min(cut.index().saturating_add(NEAR_OWNERS));
        for node in near.map(|index| self.zone.owner(index)) {
            if node.name() == name {
                return Some(node);
            }
            if !name_order::is_at_or_below(node.name().as_slice(), cut.name().as_slice()) {
                return None;
            }
        }
        self.zone.find(name)
    }
}

/// Where a name stands in a zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Its data, if any, are the zone's own.
    Authoritative,
    /// At or below the cut of that index.
    BelowCut(usize),
    /// Below a DNAME or another cover whose data are used for nothing.
    Hidden,
}
