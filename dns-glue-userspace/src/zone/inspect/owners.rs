//! Owners that serve nothing, and RRsets with several TTLs.

use domain::base::iana::Rtype;

use super::{ZoneInspector, owns_address};
use crate::zone::cover::Standing;
use crate::zone::faults::{Fault, FaultKind};
use crate::zone::name_order;
use crate::zone::name_servers::{is_inside, targets};
use crate::zone::records::{NameRef, Node, Rrset};

impl<'z> ZoneInspector<'_, 'z> {
    /// Looks at every owner: for addresses that no referral can carry, for
    /// those that look left over, and for RRsets whose records differ in TTL.
    ///
    /// `named` are the owners that the NS records of so many delegations name.
    pub(super) fn look_at_owners(
        &self,
        mut named: Vec<u32>,
        delegations: usize,
        faults: &mut Vec<Fault<'z>>,
    ) {
        self.add_named_by_others(&mut named, delegations);
        named.sort_unstable();
        named.dedup();
        let is_named = |node: Node<'_>| named.binary_search(&node.index()).is_ok();
        let mut orphans = Vec::new();
        let mut mismatches = Vec::new();
        for node in self.zone.nodes() {
            for rrset in node.rrsets().filter(Rrset::ttl_mismatch) {
                let rtype = rrset.rtype();
                mismatches.push(self.fault(node.name(), FaultKind::TtlMismatch { rtype }));
            }
            if node.index() == 0 || !owns_address(node) || is_named(node) {
                continue;
            }
            let standing = self.covers.standing_of(node);
            if let Standing::BelowCut(cover) = standing {
                let cut = self.covers.get(cover).node.name();
                let owner = node.name();
                faults.push(self.fault(cut, FaultKind::StrayGlue { owner }));
            } else if standing == Standing::Authoritative && self.may_be_orphan(node) {
                orphans.push(self.fault(node.name(), FaultKind::OrphanGlue));
            }
        }
        faults.append(&mut orphans);
        faults.append(&mut mismatches);
    }

    /// Adds the owners that other NS records in force name: those of the apex,
    /// and of cuts that are no delegations here.
    fn add_named_by_others(&self, named: &mut Vec<u32>, delegations: usize) {
        let apex = self.zone.nodes().next();
        let covers = if delegations == self.covers.len() {
            0
        } else {
            self.covers.len()
        };
        let covers = (0..covers).map(|cover| self.covers.get(cover).node);
        for ns in apex
            .into_iter()
            .chain(covers)
            .filter_map(|node| node.rrset(Rtype::NS))
        {
            let inside = targets(ns).filter(|target| is_inside(self.zone, target));
            let owners = inside.filter_map(|target| self.zone.find(target));
            named.extend(owners.map(|node| node.index()));
        }
    }

    /// Whether an owner of addresses, which is the zone's own, looks like the
    /// name server of a delegation that is gone: see [`FaultKind::OrphanGlue`].
    fn may_be_orphan(&self, node: Node<'z>) -> bool {
        let only_addresses = node.rrsets().all(|rrset| {
            matches!(
                rrset.rtype(),
                Rtype::A | Rtype::AAAA | Rtype::NSEC | Rtype::NSEC3
            )
        });
        let name = node.name().as_slice();
        if !only_addresses || name_order::is_wildcard(name) {
            return false;
        }
        let parent = name_order::parent(name).expect("only the root has none");
        if parent.len() <= self.zone.apex().len() {
            return false;
        }
        let parent = NameRef::from_slice(parent).expect("the tail of a name is a name");
        self.zone.find(parent).is_none()
    }
}
