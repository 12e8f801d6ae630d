//! Which records prove that something does not exist.
//!
//! One question, [`Denied`], with one answer for each kind of chain: [`nsec`]
//! (RFC 4035 section 3.1.3) and [`nsec3`] (RFC 5155 section 7.2). A record may
//! be named twice where it proves two things. Where the chain of a zone is
//! broken the records that are missing are left out.

mod nsec;
mod nsec3;

use domain::base::Rtype;

use crate::zone::records::{NameRef, Node, Rrset, Zone};

/// What a reply says that there is not.
pub(super) enum Denied<'n, 'z> {
    /// A name: neither it nor a wildcard for it exists.
    Name {
        /// The name, whose closest encloser is the parent of `wildcard`.
        name: &'n NameRef,
        /// `*` below the closest encloser.
        wildcard: &'n NameRef,
    },
    /// A type at a name that exists, DS at a zone cut among them.
    Types {
        /// The name.
        name: &'n NameRef,
        /// Its node; none for an empty non-terminal.
        node: Option<Node<'z>>,
    },
    /// A type at the wildcard that stands in for a name.
    WildcardTypes {
        /// The name.
        name: &'n NameRef,
        /// The wildcard.
        wildcard: &'n NameRef,
        /// The wildcard's node; none for an empty non-terminal.
        node: Option<Node<'z>>,
    },
    /// A closer match for a name than the wildcard that gave the answer.
    CloserName {
        /// The name.
        name: &'n NameRef,
        /// The wildcard.
        wildcard: &'n NameRef,
    },
}

impl<'z> Denied<'_, 'z> {
    /// The NSEC or NSEC3 RRsets that prove it; none in an unsigned zone.
    pub(super) fn proof(&self, zone: &'z Zone) -> Vec<Rrset<'z>> {
        match zone.nsec3() {
            Some(chain) => nsec3::proof(chain, self),
            None => nsec::proof(zone, self),
        }
    }
}

/// The NSEC or NSEC3 RRset that says which types an owner has; none if it has
/// no such record, as glue.
pub(super) fn types_of<'z>(zone: &'z Zone, node: Node<'z>) -> Option<Rrset<'z>> {
    match zone.nsec3() {
        Some(chain) => chain.matching(node.name()),
        None => node.rrset(Rtype::NSEC),
    }
}
