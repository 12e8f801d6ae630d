//! Denial by NSEC3 (RFC 5155 section 7.2), with opt-out.

use domain::base::Name;

use super::super::parent;
use super::Denied;
use crate::zone::nsec3::ChainRef;
use crate::zone::records::{NameRef, Rrset};

/// The NSEC3 RRsets that prove a denial.
pub(super) fn proof<'z>(chain: ChainRef<'z>, denied: &Denied<'_, 'z>) -> Vec<Rrset<'z>> {
    let proofs = match *denied {
        // Section 7.2.2.
        Denied::Name { name, wildcard } => {
            let encloser = ClosestEncloser::find(chain, name, parent(wildcard));
            let wildcard = encloser.name.and_then(wildcard_below);
            let no_wildcard = wildcard.and_then(|name| chain.covering(name.for_slice()));
            [encloser.matching, encloser.no_closer(chain), no_wildcard]
        }
        // Sections 7.2.3, 7.2.4 and 7.2.7.
        Denied::Types { name, .. } => match chain.matching(name) {
            matching @ Some(_) => [matching, None, None],
            // Opted out: an insecure delegation, or an empty non-terminal that
            // is there for such delegations only.
            None => {
                let encloser = ClosestEncloser::find(chain, name, parent(name));
                [encloser.matching, encloser.no_closer(chain), None]
            }
        },
        // Section 7.2.5.
        Denied::WildcardTypes { name, wildcard, .. } => {
            let encloser = ClosestEncloser::find(chain, name, parent(wildcard));
            let types = chain
                .matching(wildcard)
                .or_else(|| chain.covering(wildcard));
            [encloser.matching, encloser.no_closer(chain), types]
        }
        // Section 7.2.6. The signature of the answer tells the encloser.
        Denied::CloserName { name, wildcard } => {
            let next_closer = parent(wildcard).map(|encloser| next_closer(name, encloser));
            [
                next_closer.and_then(|name| chain.covering(name)),
                None,
                None,
            ]
        }
    };
    proofs.into_iter().flatten().collect()
}

/// The closest provable encloser of a name: its closest ancestor that has an
/// NSEC3 record (section 1.3).
struct ClosestEncloser<'n, 'z> {
    /// Its name; none if not even the apex has a record, in a broken chain.
    name: Option<&'n NameRef>,
    /// Its record.
    matching: Option<Rrset<'z>>,
    /// The ancestor of the name, or the name, that is one label longer.
    next_closer: &'n NameRef,
}

impl<'n, 'z> ClosestEncloser<'n, 'z> {
    /// Looks for it from `encloser` upwards. The closest ancestor that exists
    /// is mostly the one; only opted out delegations, and empty non-terminals
    /// above such, exist without a record.
    fn find(chain: ChainRef<'z>, name: &'n NameRef, encloser: Option<&NameRef>) -> Self {
        let mut next_closer = encloser.map_or(name, |encloser| next_closer(name, encloser));
        let apex_labels = chain.apex().label_count();
        while let Some(encloser) =
            parent(next_closer).filter(|name| name.label_count() >= apex_labels)
        {
            let matching = chain.matching(encloser);
            if matching.is_some() {
                return Self {
                    name: Some(encloser),
                    matching,
                    next_closer,
                };
            }
            next_closer = encloser;
        }
        Self {
            name: None,
            matching: None,
            next_closer,
        }
    }

    /// The record that covers the next closer name.
    fn no_closer(&self, chain: ChainRef<'z>) -> Option<Rrset<'z>> {
        chain.covering(self.next_closer)
    }
}

/// The ancestor of `name`, or `name`, that has one label more than `encloser`.
fn next_closer<'n>(name: &'n NameRef, encloser: &NameRef) -> &'n NameRef {
    let mut closer = name;
    while let Some(above) = parent(closer).filter(|above| above.len() > encloser.len()) {
        closer = above;
    }
    closer
}

/// `*` below a name; `None` if that is too long.
fn wildcard_below(encloser: &NameRef) -> Option<Name<Vec<u8>>> {
    let octets = [b"\x01*", encloser.as_slice()].concat();
    Name::from_octets(octets).ok()
}
