//! What of a zone lies below its zone cuts and DNAMEs, and so is not the
//! zone's own data.

use domain::base::iana::Rtype;

use super::name_order;
use super::records::{NameRef, Node, Zone};

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
    /// *Invariant:* no cover is at or below another.
    covers: Vec<Cover<'z>>,
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
            covers: Vec::new(),
            nested_cuts: 0,
            below_dname: 0,
        };
        for (index, node) in zone.nodes().enumerate() {
            let cut = index != 0 && node.rrset(Rtype::NS).is_some();
            if let Some(above) = found.covers.last()
                && name_order::is_below(node.name().as_slice(), above.node.name().as_slice())
            {
                found.nested_cuts += usize::from(cut);
                found.below_dname += usize::from(!cut && above.kind == CoverKind::Dname);
                continue;
            }
            let dname = node.rrset(Rtype::DNAME).is_some();
            let kind = match (cut, dname) {
                (false, false) => continue,
                (false, true) => CoverKind::Dname,
                (true, _) if name_order::is_wildcard(node.name().as_slice()) => {
                    CoverKind::WildcardCut
                }
                (true, false) => CoverKind::Cut,
                (true, true) => CoverKind::CutAndDname,
            };
            found.covers.push(Cover { node, kind });
        }
        found
    }

    /// All covers in canonical order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Cover<'z>> {
        self.covers.iter()
    }

    /// The index of the cover that `name` is at or below.
    ///
    pub(super) fn enclosing(&self, name: &NameRef) -> Option<usize> {
        // Names at or below a cover follow it without a gap, and covers do not
        // lie below each other: only the last one not after the name can be it.
        let after = self.covers.partition_point(|cover| {
            name_order::compare(cover.node.name().as_slice(), name.as_slice()).is_le()
        });
        let index = after.checked_sub(1)?;
        let owner = self.covers[index].node.name();
        name_order::is_at_or_below(name.as_slice(), owner.as_slice()).then_some(index)
    }

    /// The cover of that index.
    pub(super) fn get(&self, index: usize) -> Cover<'z> {
        self.covers[index]
    }

    /// Number of covers.
    pub(super) fn len(&self) -> usize {
        self.covers.len()
    }

    /// Where `name`, at or below the zone's apex, stands.
    pub(super) fn standing(&self, name: &NameRef) -> Standing {
        let Some(index) = self.enclosing(name) else {
            return Standing::Authoritative;
        };
        let cover = self.covers[index];
        match cover.kind {
            CoverKind::Cut => Standing::BelowCut(index),
            CoverKind::Dname if cover.node.name() == name => Standing::Authoritative,
            CoverKind::Dname | CoverKind::CutAndDname | CoverKind::WildcardCut => Standing::Hidden,
        }
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
