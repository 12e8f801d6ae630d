//! Addresses that go with an answer: glue, and those that save a query.

use domain::base::Rtype;

use super::answer::{Need, Owner, holds, records_of, signatures_of};
use super::denial::types_of;
use super::place::{Place, find, place};
use super::{Search, name_at};
use crate::zone::records::{NameRef, Rrset};

impl<'a> Search<'a> {
    /// What kind of name server `target` is for the cut (RFC 9499 section 7).
    pub(super) fn bailiwick(&self, target: &NameRef, cut: &NameRef) -> Bailiwick {
        if target.ends_with(cut) {
            Bailiwick::InDomain
        } else if matches!(place(self.zone, target), Place::Cut { .. }) {
            Bailiwick::Sibling
        } else {
            Bailiwick::Authoritative
        }
    }

    /// Adds the addresses of the names that an answer's records point to.
    pub(super) fn add_addresses(&mut self, rrset: Rrset<'a>) {
        let Some(offset) = target_offset(rrset.rtype()) else {
            return;
        };
        let service = matches!(rrset.rtype(), Rtype::SVCB | Rtype::HTTPS).then(|| rrset.rtype());
        for rdata in rrset.records() {
            if let Some(target) = name_at(rdata, offset)
                && target.ends_with(self.zone.apex())
            {
                self.push_addresses(target, Need::Optional, service);
            }
        }
    }

    /// Adds the A and AAAA RRsets of `target`, a name in this zone: its own,
    /// below a cut too, or a wildcard's. For a service binding also the RRset
    /// of that type, and the proof of those that do not exist (RFC 9460
    /// section 4.1).
    pub(super) fn push_addresses(
        &mut self,
        target: &'a NameRef,
        need: Need,
        service: Option<Rtype>,
    ) {
        if self
            .answer
            .additional
            .iter()
            .any(|part| part.owner.name() == target)
        {
            return;
        }
        let (node, owner) = match find(self.zone, target) {
            Some(node) => (node, Owner::Borrowed(node.name())),
            None => match place(self.zone, target) {
                Place::Wildcard {
                    node: Some(node), ..
                } => (node, Owner::Borrowed(target)),
                _ => return,
            },
        };
        let wanted = || [Rtype::A, Rtype::AAAA].into_iter().chain(service);
        let rrsets: Vec<Rrset<'a>> = wanted().filter_map(|rtype| node.rrset(rtype)).collect();
        // What a wildcard has says nothing about the name.
        let proves = self.sign && service.is_some() && node.name() == target;
        let proof = Some(node)
            .filter(|_| proves && rrsets.len() < wanted().count())
            .and_then(|node| types_of(self.zone, node))
            .filter(|proof| !holds(&self.answer.authority, *proof));
        let proof = proof.map(|proof| (Owner::Borrowed(proof.owner()), proof));
        let parts = || {
            let rrsets = rrsets.iter().map(|rrset| (owner.clone(), *rrset));
            rrsets.chain(proof.clone())
        };
        let section = &mut self.answer.additional;
        section.extend(parts().map(|(owner, rrset)| records_of(owner, rrset, need)));
        section.extend(
            parts()
                .filter(|(_, rrset)| self.sign && rrset.is_signed())
                .map(|(owner, rrset)| signatures_of(owner, rrset, Need::Optional)),
        );
    }
}

/// How a name server's name lies to the cut, in the order of the additional
/// section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bailiwick {
    /// At or below the cut.
    InDomain,
    /// Below another cut of the zone.
    Sibling,
    /// In the zone's own data.
    Authoritative,
}

/// Where in its data a type names a host whose addresses go into the
/// additional section, octets (RFC 1035 section 3.3, RFC 2782, RFC 9460).
fn target_offset(rtype: Rtype) -> Option<usize> {
    match rtype {
        Rtype::NS => Some(0),
        Rtype::MX | Rtype::SVCB | Rtype::HTTPS => Some(2),
        Rtype::SRV => Some(6),
        _ => None,
    }
}
