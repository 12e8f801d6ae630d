//! Denial by NSEC (RFC 4035 section 3.1.3).

use domain::base::Rtype;

use super::super::parent;
use super::super::place::is_hashed;
use super::Denied;
use crate::zone::records::{NameRef, Node, Rrset, Zone};

/// The NSEC RRsets that prove a denial.
pub(super) fn proof<'z>(zone: &'z Zone, denied: &Denied<'_, 'z>) -> Vec<Rrset<'z>> {
    let proofs = match *denied {
        Denied::Name { name, wildcard } => [covering(zone, name), covering(zone, wildcard)],
        Denied::Types { name, node } => [of_types(zone, name, node), None],
        Denied::WildcardTypes {
            name,
            wildcard,
            node,
        } => [of_types(zone, wildcard, node), covering(zone, name)],
        Denied::CloserName { name, .. } => [covering(zone, name), None],
    };
    proofs.into_iter().flatten().collect()
}

/// The NSEC that says which types a name has.
fn of_types<'z>(zone: &'z Zone, name: &NameRef, node: Option<Node<'z>>) -> Option<Rrset<'z>> {
    match node {
        Some(node) => node.rrset(Rtype::NSEC),
        // An empty non-terminal has no NSEC of its own: the one before it
        // shows that the next owner lies below.
        None => covering(zone, name),
    }
}

/// The NSEC of the last authoritative owner before or at `name`.
fn covering<'z>(zone: &'z Zone, name: &NameRef) -> Option<Rrset<'z>> {
    let mut before = name;
    loop {
        // A zone that moves to NSEC3 may have owners of a chain that does not
        // count yet.
        let node = zone.up_to(before).rev().find(|node| !is_hashed(*node))?;
        if let Some(nsec) = node.rrset(Rtype::NSEC) {
            return Some(nsec);
        }
        // Glue. In canonical order a name follows its ancestors directly
        // after everything below its elder siblings, and those are occluded
        // with it: the next owner that can have an NSEC is at or before its
        // parent.
        before = parent(node.name())?;
    }
}
