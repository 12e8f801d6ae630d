//! What a zone holds, as far as referrals are concerned.

use std::collections::HashSet;

use domain::base::iana::Rtype;
use serde::{Deserialize, Serialize};

use crate::zone::cuts::{Delegation, GlueKind};
use crate::zone::proof::Proof;
use crate::zone::records::NameRef;

/// Counts over the delegations of one zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// Delegations.
    pub delegations: usize,
    /// NS records of all delegations.
    pub ns_records: usize,
    /// Different names among them.
    pub name_servers: usize,
    /// What shows whether the child zones are signed.
    pub proofs: ProofCounts,
    /// Addresses at or below the cut.
    pub in_domain: GlueCounts,
    /// Addresses below another cut of the zone.
    pub sibling: GlueCounts,
    /// Addresses that are the zone's own data.
    pub authoritative: GlueCounts,
}

/// Delegations by what a query with DO gets beside the NS records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofCounts {
    /// DS with its signatures.
    pub ds: usize,
    /// NSEC with its signatures.
    pub nsec: usize,
    /// NSEC3 of the cut with its signatures.
    pub nsec3: usize,
    /// Two NSEC3 with their signatures, for a cut that opt-out leaves without;
    /// or one, if it is both.
    pub opt_out: usize,
    /// Nothing: the zone is not signed.
    pub unsigned: usize,
}

/// The addresses of one kind. The same RRset can be of one kind for one
/// delegation and of another for the next; it counts for both then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GlueCounts {
    /// Delegations whose referrals carry such addresses.
    pub delegations: usize,
    /// Different RRsets, A and AAAA apart.
    pub rrsets: usize,
    /// Addresses in them.
    pub addresses: usize,
}

/// Counts what the delegations of a zone hold.
pub fn count<'c, 'z: 'c>(delegations: impl Iterator<Item = &'c Delegation<'z>>) -> Holdings {
    let mut holdings = Holdings::default();
    let mut name_servers: HashSet<&NameRef> = HashSet::new();
    let mut seen: HashSet<(GlueKind, &NameRef, Rtype)> = HashSet::new();
    for delegation in delegations {
        holdings.delegations += 1;
        holdings.ns_records += delegation.ns.len();
        name_servers.extend(delegation.ns.records().map(|rdata| {
            NameRef::from_slice(rdata).expect("the builder takes NS RDATA that is a name only")
        }));
        holdings.proofs.add(delegation.proof);
        let mut last = None;
        // Sorted by kind.
        for glue in &delegation.glue {
            let counts = holdings.glue(glue.kind);
            counts.delegations += usize::from(last != Some(glue.kind));
            last = Some(glue.kind);
            if seen.insert((glue.kind, glue.rrset.owner(), glue.rrset.rtype())) {
                counts.rrsets += 1;
                counts.addresses += glue.rrset.len();
            }
        }
    }
    holdings.name_servers = name_servers.len();
    holdings
}

impl Holdings {
    fn glue(&mut self, kind: GlueKind) -> &mut GlueCounts {
        match kind {
            GlueKind::InDomain => &mut self.in_domain,
            GlueKind::Sibling => &mut self.sibling,
            GlueKind::Authoritative => &mut self.authoritative,
        }
    }
}

impl ProofCounts {
    /// Counts one more.
    pub fn add(&mut self, proof: Proof<'_>) {
        *match proof {
            Proof::Ds(_) => &mut self.ds,
            Proof::Nsec(_) => &mut self.nsec,
            Proof::Nsec3(_) => &mut self.nsec3,
            Proof::OptOut(_) => &mut self.opt_out,
            Proof::Unsigned => &mut self.unsigned,
        } += 1;
    }

    /// Adds the counts of other delegations.
    pub fn append(&mut self, other: &Self) {
        let Self {
            ds,
            nsec,
            nsec3,
            opt_out,
            unsigned,
        } = other;
        self.ds += ds;
        self.nsec += nsec;
        self.nsec3 += nsec3;
        self.opt_out += opt_out;
        self.unsigned += unsigned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::cuts::find_cuts;
    use crate::zone::master_file::read_text;
    use domain::base::Name;
    use std::path::Path;

    #[test]
    fn shared_addresses_count_once_a_kind() {
        let text = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n\
                    a NS ns.a\na NS ns\nns.a A 192.0.2.2\nns.a A 192.0.2.3\nns.a AAAA 2001:db8::1\n\
                    b NS NS.A\nb NS ns.void.\nc NS ns.a\n";
        let apex = Name::vec_from_str("test.").expect("a name");
        let zone = read_text(&apex, Path::new("test.zone"), text.as_bytes());
        let zones = [zone.unwrap_or_else(|errors| panic!("{errors}"))];
        let cuts = find_cuts(&zones, &[]);
        let glue = |delegations, rrsets, addresses| GlueCounts {
            delegations,
            rrsets,
            addresses,
        };
        assert_eq!(
            count(cuts.delegations.iter()),
            Holdings {
                delegations: 3,
                ns_records: 5,
                name_servers: 3,
                proofs: ProofCounts {
                    unsigned: 3,
                    ..ProofCounts::default()
                },
                in_domain: glue(1, 2, 3),
                sibling: glue(2, 2, 3),
                authoritative: glue(1, 1, 1),
            }
        );
    }
}
