//! What to answer: RFC 1034 section 4.3.2 over the records of a zone.
//!
//! A pure function from (zone, QNAME, QTYPE, DO) to an [`Answer`] that borrows
//! the zone's records. With it go negative answers (RFC 2308), denial by NSEC
//! (RFC 4035 section 3.1) or NSEC3 (RFC 5155 section 7.2), wildcards (RFC 4592)
//! and DNAME (RFC 6672). Where these leave a choice it does as Knot does; the
//! comparison is `tests/fallback_against_knot.rs`.
//!
//! ```text
//! place (where a name lies) -> Search (which sections follow) -> denial, addresses (what goes with them)
//! ```

mod addresses;
mod answer;
mod denial;
mod place;

use domain::base::iana::Rcode;
use domain::base::{Name, Rtype};

use super::message::split_name;
use super::parent;
use crate::zone::records::{Denial, NameRef, Node, Rrset, Zone};

use addresses::Bailiwick;
use answer::{holds, push_signed, records_of, signatures_of};
use denial::Denied;
use place::{Place, place};

pub use answer::{Answer, Data, Need, Owner, Part};

/// The longest chain of CNAMEs (synthesised ones included) that is followed;
/// the resolver goes on from there. Knot's bound.
const CHAIN_MAX: usize = 20;

/// Answers a question out of `zone`, which encloses `qname`.
#[must_use]
pub fn lookup<'a>(zone: &'a Zone, qname: &'a NameRef, qtype: Rtype, dnssec_ok: bool) -> Answer<'a> {
    let mut search = Search {
        zone,
        qtype,
        sign: dnssec_ok && zone.denial() != Denial::Unsigned,
        answer: Answer {
            rcode: Rcode::NOERROR,
            authoritative: true,
            answer: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
        },
    };
    search.run(Owner::Borrowed(qname));
    search.answer
}

/// The state of one lookup.
struct Search<'a> {
    /// The zone that answers.
    zone: &'a Zone,
    /// The type asked for.
    qtype: Rtype,
    /// Signatures go with the records, proofs with what is denied.
    sign: bool,
    /// The answer as far as it is known.
    answer: Answer<'a>,
}

impl<'a> Search<'a> {
    /// Answers for `name` and for what its CNAMEs and DNAMEs lead to, as long
    /// as they stay in this zone.
    fn run(&mut self, mut name: Owner<'a>) {
        for _ in 0..=CHAIN_MAX {
            match self.step(name) {
                Some(target) if target.name().ends_with(self.zone.apex()) => name = target,
                _ => return,
            }
        }
    }

    /// Answers for one name; the name to go on with if it is an alias.
    fn step(&mut self, name: Owner<'a>) -> Option<Owner<'a>> {
        let zone = self.zone;
        match place(zone, name.name()) {
            Place::Cut { node, at: true } if self.qtype == Rtype::DS => {
                self.data(name, Some(node), None)
            }
            Place::Cut { node, .. } => {
                self.referral(node);
                None
            }
            Place::Dname(node) => self.substitute(name, node),
            Place::Exact(node) => self.data(name, node, None),
            Place::Wildcard { node, wildcard } => self.data(name, node, Some(wildcard.for_slice())),
            Place::Missing { wildcard } => {
                self.answer.rcode = Rcode::NXDOMAIN;
                self.negative();
                self.prove(&Denied::Name {
                    name: name.name(),
                    wildcard: wildcard.for_slice(),
                });
                None
            }
        }
    }

    /// The name, or `wildcard` that stands in for it, exists.
    fn data(
        &mut self,
        name: Owner<'a>,
        node: Option<Node<'a>>,
        wildcard: Option<&NameRef>,
    ) -> Option<Owner<'a>> {
        let Some((rrset, only_signatures)) = node.and_then(|node| self.wanted(node)) else {
            self.negative();
            self.prove(&match wildcard {
                None => Denied::Types {
                    name: name.name(),
                    node,
                },
                Some(wildcard) => Denied::WildcardTypes {
                    name: name.name(),
                    wildcard,
                    node,
                },
            });
            return None;
        };
        if let Some(wildcard) = wildcard {
            self.prove(&Denied::CloserName {
                name: name.name(),
                wildcard,
            });
        }
        let owner = if wildcard.is_some() {
            name
        } else {
            Owner::Borrowed(rrset.owner())
        };
        if only_signatures {
            let part = signatures_of(owner, rrset, Need::Required);
            self.answer.answer.push(part);
            return None;
        }
        let alias =
            rrset.rtype() == Rtype::CNAME && !matches!(self.qtype, Rtype::CNAME | Rtype::ANY);
        if alias && self.has_alias(owner.name()) {
            return None;
        }
        let target = alias.then(|| rrset.records().next().and_then(|rdata| name_at(rdata, 0)));
        self.push_answer(owner, rrset);
        match target {
            Some(target) => target.map(Owner::Borrowed),
            None => {
                self.add_addresses(rrset);
                None
            }
        }
    }

    /// The RRset of a node that answers the question; `true` for its
    /// signatures alone.
    ///
    /// ANY and RRSIG get one RRset, not all (RFC 8482 section 4.1): the one
    /// with the lowest type, as Knot. NSEC3 records are those of no name: their
    /// owners are hashes (RFC 5155 section 7.2.8).
    fn wanted(&self, node: Node<'a>) -> Option<(Rrset<'a>, bool)> {
        let mut rrsets = node.rrsets().filter(|rrset| rrset.rtype() != Rtype::NSEC3);
        match self.qtype {
            Rtype::ANY => rrsets.next().map(|rrset| (rrset, false)),
            Rtype::RRSIG => rrsets.find(Rrset::is_signed).map(|rrset| (rrset, true)),
            Rtype::NSEC3 => node.rrset(Rtype::CNAME).map(|rrset| (rrset, false)),
            Rtype::NSEC => node.rrset(Rtype::NSEC).map(|rrset| (rrset, false)),
            qtype => node
                .rrset(Rtype::CNAME)
                .or_else(|| node.rrset(qtype))
                .map(|rrset| (rrset, false)),
        }
    }

    /// The name lies below the owner of a DNAME: RFC 6672 section 3.2, step 3C.
    fn substitute(&mut self, name: Owner<'a>, node: Node<'a>) -> Option<Owner<'a>> {
        let dname = node.rrset(Rtype::DNAME)?;
        if self
            .answer
            .answer
            .iter()
            .any(|part| part.data.rtype() == Rtype::DNAME && part.owner.name() == dname.owner())
        {
            // Seen before on this chain: the resolver goes on from here.
            return None;
        }
        let target = name_at(dname.records().next()?, 0)?;
        let ttl = dname.ttl();
        self.push_answer(Owner::Borrowed(dname.owner()), dname);

        let prefix = name.name().len() - node.name().len();
        let mut octets = name.name().as_slice()[..prefix].to_vec();
        octets.extend_from_slice(target.as_slice());
        let Ok(made) = Name::from_octets(octets) else {
            self.answer.rcode = Rcode::YXDOMAIN;
            return None;
        };
        if self.has_alias(name.name()) {
            return None;
        }
        let made = Owner::Made(made);
        self.answer.answer.push(Part {
            owner: name,
            ttl,
            data: Data::Synthesised {
                target: made.clone(),
            },
            need: Need::Required,
        });
        // The CNAME is itself what was asked for.
        (self.qtype != Rtype::CNAME).then_some(made)
    }

    /// Whether the answer has a CNAME of this owner already: a loop.
    fn has_alias(&self, owner: &NameRef) -> bool {
        self.answer
            .answer
            .iter()
            .any(|part| part.data.rtype() == Rtype::CNAME && part.owner.name() == owner)
    }

    /// A referral at `node`: NS, DS or its denial, then addresses in the order
    /// in which they may be left out from the end.
    fn referral(&mut self, node: Node<'a>) {
        if self.answer.answer.is_empty() {
            self.answer.authoritative = false;
        }
        let Some(ns) = node.rrset(Rtype::NS) else {
            return;
        };
        self.answer
            .authority
            .push(records_of(Owner::Borrowed(ns.owner()), ns, Need::Required));
        if self.sign {
            match node.rrset(Rtype::DS) {
                Some(ds) => self.push_authority(ds),
                None => self.prove(&Denied::Types {
                    name: node.name(),
                    node: Some(node),
                }),
            }
        }

        let mut targets: Vec<(Bailiwick, &'a NameRef)> = ns
            .records()
            .filter_map(|rdata| name_at(rdata, 0))
            .filter(|target| target.ends_with(self.zone.apex()))
            .map(|target| (self.bailiwick(target, node.name()), target))
            .collect();
        // Stable: within a kind the order of the NS records stays.
        targets.sort_by_key(|(kind, _)| *kind);
        for (kind, target) in targets {
            let need = match kind {
                Bailiwick::InDomain => Need::Required,
                Bailiwick::Sibling | Bailiwick::Authoritative => Need::Optional,
            };
            self.push_addresses(target, need, None);
        }
    }

    /// The SOA of a negative answer, with the TTL of RFC 2308 section 5.
    fn negative(&mut self) {
        let soa = self.zone.soa();
        let ttl = self.zone.negative_ttl();
        let owner = || Owner::Borrowed(soa.owner());
        self.answer.authority.push(Part {
            ttl,
            ..records_of(owner(), soa, Need::Required)
        });
        if self.sign && soa.is_signed() {
            self.answer.authority.push(Part {
                ttl,
                ..signatures_of(owner(), soa, Need::Required)
            });
        }
    }

    /// Adds the proof of a denial to the authority section, each record once.
    fn prove(&mut self, denied: &Denied<'_, 'a>) {
        if !self.sign {
            return;
        }
        for proof in denied.proof(self.zone) {
            if !holds(&self.answer.authority, proof) {
                self.push_authority(proof);
            }
        }
    }

    /// Adds an RRset and its signatures to the authority section.
    fn push_authority(&mut self, rrset: Rrset<'a>) {
        push_signed(
            &mut self.answer.authority,
            Owner::Borrowed(rrset.owner()),
            rrset,
            Need::Required,
            self.sign,
        );
    }

    /// Adds an RRset and its signatures to the answer section.
    fn push_answer(&mut self, owner: Owner<'a>, rrset: Rrset<'a>) {
        push_signed(
            &mut self.answer.answer,
            owner,
            rrset,
            Need::Required,
            self.sign,
        );
    }
}

/// The uncompressed name that starts at `offset` of `rdata`.
fn name_at(rdata: &[u8], offset: usize) -> Option<&NameRef> {
    split_name(rdata.get(offset..)?).map(|(name, _)| name)
}

#[cfg(test)]
mod tests;
