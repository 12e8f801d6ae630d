//! Where a name lies in a zone: RFC 1034 section 4.3.2, step 3.
//!
//! Owners of NSEC3 records alone are no names of the zone: they are hashes, and
//! answers are made as if they were not there (RFC 5155 section 7.2.8).

use domain::base::{Name, Rtype};

use super::parent;
use crate::zone::records::{NameRef, Node, Zone};

/// Where the labels of a name lead, from the apex down.
pub(super) enum Place<'a> {
    /// The name exists; without a node it is an empty non-terminal.
    Exact(Option<Node<'a>>),
    /// The name lies at or below a zone cut.
    Cut {
        /// The topmost owner of NS records on the way.
        node: Node<'a>,
        /// The name is the cut itself.
        at: bool,
    },
    /// The name lies below the owner of a DNAME.
    Dname(Node<'a>),
    /// The name does not exist, but `*` below its closest encloser does.
    Wildcard {
        /// Without a node the wildcard is an empty non-terminal.
        node: Option<Node<'a>>,
        /// `*` below the closest encloser.
        wildcard: Name<Vec<u8>>,
    },
    /// Neither the name nor a wildcard for it exists.
    Missing {
        /// `*` below the closest encloser.
        wildcard: Name<Vec<u8>>,
    },
}

/// Walks the labels of `name`, which is at or below the apex, downwards.
pub(super) fn place<'a>(zone: &'a Zone, name: &NameRef) -> Place<'a> {
    let below_apex = name.label_count() - zone.apex().label_count();
    let mut path: Vec<&NameRef> = Vec::with_capacity(below_apex);
    let mut suffix = Some(name);
    while let Some(name) = suffix.filter(|_| path.len() < below_apex) {
        path.push(name);
        suffix = parent(name);
    }

    let apex = find(zone, zone.apex());
    if below_apex > 0
        && let Some(node) = &apex
        && node.rrset(Rtype::DNAME).is_some()
    {
        return Place::Dname(*node);
    }
    let mut encloser = zone.apex();
    let mut last = apex;
    for (below, name) in path.iter().enumerate().rev() {
        last = find(zone, name);
        match &last {
            Some(node) if node.rrset(Rtype::NS).is_some() => {
                return Place::Cut {
                    node: *node,
                    at: below == 0,
                };
            }
            Some(node) if below > 0 && node.rrset(Rtype::DNAME).is_some() => {
                return Place::Dname(*node);
            }
            Some(_) => {}
            None if has_descendants(zone, name) => {}
            None => return wildcard_place(zone, encloser),
        }
        encloser = name;
    }
    Place::Exact(last)
}

/// What stands in for a name that does not exist (RFC 4592 section 3.3.1).
fn wildcard_place<'a>(zone: &'a Zone, encloser: &NameRef) -> Place<'a> {
    let mut octets = Vec::with_capacity(2 + encloser.len());
    octets.extend_from_slice(&[1, b'*']);
    octets.extend_from_slice(encloser.as_slice());
    // An encloser of 254 octets or more has no room for a label below it, so
    // there was no longer name that could have led here.
    let wildcard = Name::from_octets(octets).expect("shorter than the name that does not exist");
    match find(zone, wildcard.for_slice()) {
        Some(node) => Place::Wildcard {
            node: Some(node),
            wildcard,
        },
        None if has_descendants(zone, wildcard.for_slice()) => Place::Wildcard {
            node: None,
            wildcard,
        },
        None => Place::Missing { wildcard },
    }
}

/// The owner of that name.
pub(super) fn find<'z>(zone: &'z Zone, name: &NameRef) -> Option<Node<'z>> {
    zone.find(name).filter(|node| !is_hashed(*node))
}

/// Whether a name of the zone lies at or below `name`.
fn has_descendants(zone: &Zone, name: &NameRef) -> bool {
    zone.below(name).any(|node| !is_hashed(node))
}

/// Whether all that an owner has is NSEC3.
pub(super) fn is_hashed(node: Node<'_>) -> bool {
    let mut rrsets = node.rrsets().peekable();
    rrsets.peek().is_some() && rrsets.all(|rrset| rrset.rtype() == Rtype::NSEC3)
}
