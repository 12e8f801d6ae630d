//! What is asked of our referral beside the records: the cut, and in which
//! order optional records give way.

use domain::base::Name;
use domain::base::iana::Rtype;

use crate::zone::cuts::{Delegation, GlueKind};
use crate::zone::records::{NameRef, Zone};

/// An address RRset of a name server, by its name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The owner in wire form, lower case.
    pub owner: Box<[u8]>,
    /// A or AAAA.
    pub rtype: u16,
    /// How it relates to the delegation.
    pub kind: GlueKind,
}

/// One delegation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// The cut in wire form, lower case.
    pub cut: Box<[u8]>,
    /// The addresses in the order in which they stand in a referral: those
    /// behind give way first.
    pub addresses: Vec<Address>,
    /// Name servers (wire form, lower case) that only a wildcard of the zone
    /// has addresses for.
    pub wildcards: Vec<Box<[u8]>>,
}

impl Ground {
    /// That of a delegation.
    pub fn of(delegation: &Delegation<'_>) -> Self {
        let addresses = delegation.glue.iter().map(|glue| Address {
            owner: lower(glue.rrset.owner()),
            rtype: glue.rrset.rtype().to_int(),
            kind: glue.kind,
        });
        let targets = delegation.ns.records().filter_map(|target| {
            let target = NameRef::from_slice(target).ok()?;
            is_by_wildcard(delegation.zone, target).then(|| lower(target))
        });
        Self {
            cut: lower(delegation.cut),
            addresses: addresses.collect(),
            wildcards: targets.collect(),
        }
    }

    /// Whether a name (wire form) is at or below the cut, so that its addresses
    /// are in-domain (RFC 9471 section 2).
    pub fn is_in_domain(&self, name: &[u8]) -> bool {
        match (Name::from_slice(name), Name::from_slice(&self.cut)) {
            (Ok(name), Ok(cut)) => name.ends_with(&cut),
            _ => false,
        }
    }

    /// Whether the owner of addresses (wire form, lower case) is the zone's own
    /// data.
    pub fn is_authoritative(&self, owner: &[u8]) -> bool {
        self.addresses
            .iter()
            .any(|address| address.kind == GlueKind::Authoritative && *address.owner == *owner)
    }
}

fn lower(name: &NameRef) -> Box<[u8]> {
    name.as_slice().to_ascii_lowercase().into()
}

/// Whether the zone has no such name, but a wildcard with addresses above it
/// (RFC 4592).
fn is_by_wildcard(zone: &Zone, name: &NameRef) -> bool {
    if !name.ends_with(zone.apex()) || zone.find(name).is_some() {
        return false;
    }
    name.iter_suffixes()
        .skip(1)
        .take_while(|above| above.ends_with(zone.apex()))
        .any(|above| {
            let wildcard = [b"\x01*", above.as_slice()].concat();
            let Ok(wildcard) = NameRef::from_slice(&wildcard) else {
                return false;
            };
            let node = zone.find(wildcard);
            node.is_some_and(|node| {
                [Rtype::A, Rtype::AAAA]
                    .iter()
                    .any(|rtype| node.rrset(*rtype).is_some())
            })
        })
}
