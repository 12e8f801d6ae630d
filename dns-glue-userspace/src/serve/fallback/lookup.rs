//! What to answer: RFC 1034 section 4.3.2 over the records of a zone.
//!
//! A pure function from (zone, QNAME, QTYPE, DO) to an [`Answer`] that borrows
//! the zone's records. With it go negative answers (RFC 2308), denial by NSEC
//! (RFC 4035 section 3.1), wildcards (RFC 4592) and DNAME (RFC 6672). Where
//! these leave a choice it does as Knot does; the comparison is
//! `tests/fallback_against_knot.rs`.

use domain::base::iana::Rcode;
use domain::base::{Name, Rtype};

use super::message::split_name;
use super::parent;
use crate::zone::records::{Denial, NameRef, Node, Rrset, Zone};

/// The longest chain of CNAMEs (synthesised ones included) that is followed;
/// the resolver goes on from there. Knot's bound.
const CHAIN_MAX: usize = 20;

/// An answer: its code and its sections, in the order in which they are sent.
#[derive(Debug)]
pub struct Answer<'a> {
    /// NOERROR, NXDOMAIN or YXDOMAIN.
    pub rcode: Rcode,
    /// The AA flag.
    pub authoritative: bool,
    /// The answer section.
    pub answer: Vec<Part<'a>>,
    /// The authority section.
    pub authority: Vec<Part<'a>>,
    /// The additional section, without OPT.
    pub additional: Vec<Part<'a>>,
}

/// One RRset of an answer, or the signatures of one.
#[derive(Debug)]
pub struct Part<'a> {
    /// The owner name as it is sent.
    pub owner: Owner<'a>,
    /// The TTL as it is sent, seconds.
    pub ttl: u32,
    /// The records.
    pub data: Data<'a>,
    /// What is to be done when it does not fit.
    pub need: Need,
}

/// The records of a [`Part`].
#[derive(Debug)]
pub enum Data<'a> {
    /// An RRset of the zone.
    Records(Rrset<'a>),
    /// The RRSIG records that cover an RRset of the zone.
    Signatures(Rrset<'a>),
    /// A CNAME made from a DNAME (RFC 6672 section 3.1).
    Synthesised {
        /// Where it points.
        target: Owner<'a>,
    },
}

impl Data<'_> {
    /// The type of the records as they are sent.
    #[must_use]
    pub fn rtype(&self) -> Rtype {
        match self {
            Self::Records(rrset) => rrset.rtype(),
            Self::Signatures(_) => Rtype::RRSIG,
            Self::Synthesised { .. } => Rtype::CNAME,
        }
    }
}

/// Whether a part may be left out of a reply that is too short for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Left out, it sets TC (RFC 2181 section 9, RFC 9471 section 3.1).
    Required,
    /// Left out without a sign: addresses that only save a query.
    Optional,
}

/// A name that comes from the question or the zone, or was made for this
/// answer.
#[derive(Clone, Debug)]
pub enum Owner<'a> {
    /// From the question or the zone.
    Borrowed(&'a NameRef),
    /// Substituted by a DNAME.
    Made(Name<Vec<u8>>),
}

impl Owner<'_> {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &NameRef {
        match self {
            Self::Borrowed(name) => name,
            Self::Made(name) => name.for_slice(),
        }
    }
}

/// Answers a question out of `zone`, which encloses `qname`.
#[must_use]
pub fn lookup<'a>(zone: &'a Zone, qname: &'a NameRef, qtype: Rtype, dnssec_ok: bool) -> Answer<'a> {
    let mut search = Search {
        zone,
        qtype,
        sign: dnssec_ok && zone.denial() != Denial::Unsigned,
        prove: dnssec_ok && zone.denial() == Denial::Nsec,
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

/// Where the labels of a name lead, from the apex down.
enum Place<'a> {
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
fn place<'a>(zone: &'a Zone, name: &NameRef) -> Place<'a> {
    let below_apex = name.label_count() - zone.apex().label_count();
    let mut path: Vec<&NameRef> = Vec::with_capacity(below_apex);
    let mut suffix = Some(name);
    while let Some(name) = suffix.filter(|_| path.len() < below_apex) {
        path.push(name);
        suffix = parent(name);
    }

    let apex = zone.find(zone.apex());
    if below_apex > 0
        && let Some(node) = &apex
        && node.rrset(Rtype::DNAME).is_some()
    {
        return Place::Dname(*node);
    }
    let mut encloser = zone.apex();
    let mut last = apex;
    for (below, name) in path.iter().enumerate().rev() {
        last = zone.find(name);
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
    match zone.find(wildcard.for_slice()) {
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

/// Whether an owner lies at or below `name`.
fn has_descendants(zone: &Zone, name: &NameRef) -> bool {
    zone.below(name).next().is_some()
}

/// The state of one lookup.
struct Search<'a> {
    /// The zone that answers.
    zone: &'a Zone,
    /// The type asked for.
    qtype: Rtype,
    /// Signatures go with the records.
    sign: bool,
    /// Denials are proved.
    prove: bool,
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
                self.prove_none(name.name());
                self.prove_none(wildcard.for_slice());
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
            match node {
                Some(node) => self.prove_types(node),
                // An empty non-terminal has no NSEC of its own: the one
                // before it shows that the next owner lies below.
                None => self.prove_none(wildcard.unwrap_or(name.name())),
            }
            if wildcard.is_some() {
                self.prove_none(name.name());
            }
            return None;
        };
        if wildcard.is_some() {
            // The signature alone proves the wildcard, not that the name
            // itself is missing (RFC 4035 section 3.1.3.3).
            self.prove_none(name.name());
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
    /// with the lowest type, as Knot.
    fn wanted(&self, node: Node<'a>) -> Option<(Rrset<'a>, bool)> {
        match self.qtype {
            Rtype::ANY => node.rrsets().next().map(|rrset| (rrset, false)),
            Rtype::RRSIG => node
                .rrsets()
                .find(Rrset::is_signed)
                .map(|rrset| (rrset, true)),
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
                None => self.prove_types(node),
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

    /// What kind of name server `target` is for the cut (RFC 9499 section 7).
    fn bailiwick(&self, target: &NameRef, cut: &NameRef) -> Bailiwick {
        if target.ends_with(cut) {
            Bailiwick::InDomain
        } else if matches!(place(self.zone, target), Place::Cut { .. }) {
            Bailiwick::Sibling
        } else {
            Bailiwick::Authoritative
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

    /// The NSEC of an owner: which types it has.
    fn prove_types(&mut self, node: Node<'a>) {
        if self.prove
            && let Some(nsec) = node.rrset(Rtype::NSEC)
        {
            self.push_proof(nsec);
        }
    }

    /// The NSEC that covers `name`: no such owner.
    fn prove_none(&mut self, name: &NameRef) {
        if self.prove
            && let Some(nsec) = covering(self.zone, name)
        {
            self.push_proof(nsec);
        }
    }

    /// Adds an NSEC and its signatures to the authority section, once.
    fn push_proof(&mut self, nsec: Rrset<'a>) {
        let present = self
            .answer
            .authority
            .iter()
            .any(|part| part.data.rtype() == Rtype::NSEC && part.owner.name() == nsec.owner());
        if !present {
            self.push_authority(nsec);
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

    /// Adds the addresses of the names that an answer's records point to.
    fn add_addresses(&mut self, rrset: Rrset<'a>) {
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
    fn push_addresses(&mut self, target: &'a NameRef, need: Need, service: Option<Rtype>) {
        if self
            .answer
            .additional
            .iter()
            .any(|part| part.owner.name() == target)
        {
            return;
        }
        let (node, owner) = match self.zone.find(target) {
            Some(node) => (node, Owner::Borrowed(node.name())),
            None => match place(self.zone, target) {
                Place::Wildcard {
                    node: Some(node), ..
                } => (node, Owner::Borrowed(target)),
                _ => return,
            },
        };
        let wanted = || [Rtype::A, Rtype::AAAA].into_iter().chain(service);
        let mut rrsets: Vec<Rrset<'a>> = wanted().filter_map(|rtype| node.rrset(rtype)).collect();
        // A wildcard's own NSEC would say nothing about the name.
        let proves = self.prove && node.name() == target;
        if service.is_some() && proves && rrsets.len() < wanted().count() {
            rrsets.extend(node.rrset(Rtype::NSEC));
        }
        for rrset in &rrsets {
            self.answer
                .additional
                .push(records_of(owner.clone(), *rrset, need));
        }
        for rrset in rrsets.iter().filter(|rrset| self.sign && rrset.is_signed()) {
            let part = signatures_of(owner.clone(), *rrset, Need::Optional);
            self.answer.additional.push(part);
        }
    }
}

/// How a name server's name lies to the cut, in the order of the additional
/// section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bailiwick {
    /// At or below the cut.
    InDomain,
    /// Below another cut of the zone.
    Sibling,
    /// In the zone's own data.
    Authoritative,
}

/// The NSEC of the last authoritative owner before or at `name`.
fn covering<'a>(zone: &'a Zone, name: &NameRef) -> Option<Rrset<'a>> {
    let mut node = zone.at_or_before(name)?;
    loop {
        if let Some(nsec) = node.rrset(Rtype::NSEC) {
            return Some(nsec);
        }
        // Glue. In canonical order a name follows its ancestors directly
        // after everything below its elder siblings, and those are occluded
        // with it: the next owner that can have an NSEC is at or before its
        // parent.
        node = zone.at_or_before(parent(node.name())?)?;
    }
}

/// Adds an RRset and, if wanted, its signatures to a section.
fn push_signed<'a>(
    section: &mut Vec<Part<'a>>,
    owner: Owner<'a>,
    rrset: Rrset<'a>,
    need: Need,
    sign: bool,
) {
    if sign && rrset.is_signed() {
        section.push(records_of(owner.clone(), rrset, need));
        section.push(signatures_of(owner, rrset, need));
    } else {
        section.push(records_of(owner, rrset, need));
    }
}

/// The part of an RRset's records.
fn records_of<'a>(owner: Owner<'a>, rrset: Rrset<'a>, need: Need) -> Part<'a> {
    Part {
        owner,
        ttl: rrset.ttl(),
        data: Data::Records(rrset),
        need,
    }
}

/// The part of an RRset's signatures.
fn signatures_of<'a>(owner: Owner<'a>, rrset: Rrset<'a>, need: Need) -> Part<'a> {
    Part {
        owner,
        ttl: rrset.signature_ttl(),
        data: Data::Signatures(rrset),
        need,
    }
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

/// The uncompressed name that starts at `offset` of `rdata`.
fn name_at(rdata: &[u8], offset: usize) -> Option<&NameRef> {
    split_name(rdata.get(offset..)?).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::zone::master_file;

    /// The contents of body.inc, signed or not.
    fn zone(apex: &str, file: &str) -> Zone {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata/fallback")
            .join(file);
        let apex = Name::vec_from_str(apex).expect("a name");
        master_file::read_file(&apex, &path).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// A part in one line: section, owner without the zone's name, type (that
    /// covered, with `sig:`), records, and a `?` if it is optional.
    fn line(section: &str, part: &Part<'_>, apex: &str) -> String {
        let owner = part.owner.name().to_string();
        let owner = owner.strip_suffix(apex).unwrap_or(&owner);
        let (what, count) = match &part.data {
            Data::Records(rrset) => (rrset.rtype().to_string(), rrset.len()),
            Data::Signatures(rrset) => {
                (format!("sig:{}", rrset.rtype()), rrset.signatures().count())
            }
            Data::Synthesised { target } => (format!("CNAME={}", target.name()), 1),
        };
        let optional = if part.need == Need::Optional { "?" } else { "" };
        format!(
            "{section} {} {what} {count}{optional}",
            owner.strip_suffix('.').unwrap_or(owner)
        )
    }

    /// What a lookup gives, as lines; the first has code and AA.
    fn found(zone: &Zone, qname: &str, qtype: Rtype, dnssec_ok: bool) -> Vec<String> {
        let apex = zone.apex().to_string();
        let qname = if qname.is_empty() {
            apex.clone()
        } else {
            format!("{qname}.{apex}")
        };
        let qname = Name::vec_from_str(&qname).expect("a name");
        let answer = lookup(zone, qname.for_slice(), qtype, dnssec_ok);
        let aa = if answer.authoritative { " aa" } else { "" };
        let mut lines = vec![format!("{}{aa}", answer.rcode)];
        for (section, parts) in [
            ("an", &answer.answer),
            ("ns", &answer.authority),
            ("ar", &answer.additional),
        ] {
            lines.extend(parts.iter().map(|part| line(section, part, &apex)));
        }
        lines
    }

    fn plain() -> Zone {
        zone("plain.example.", "plain.zone")
    }

    fn signed() -> Zone {
        zone("signed.example.", "signed.zone")
    }

    #[test]
    fn an_existing_rrset_is_answered() {
        assert_eq!(
            found(&plain(), "host", Rtype::A, true),
            ["NOERROR aa", "an host A 2"]
        );
        assert_eq!(
            found(&signed(), "host", Rtype::A, true),
            ["NOERROR aa", "an host A 2", "an host sig:A 1"]
        );
        assert_eq!(
            found(&signed(), "host", Rtype::A, false),
            ["NOERROR aa", "an host A 2"]
        );
    }

    #[test]
    fn addresses_of_targets_go_with_the_answer() {
        assert_eq!(
            found(&plain(), "", Rtype::NS, false),
            [
                "NOERROR aa",
                "an  NS 3",
                "ar ns1.deleg A 1?",
                "ar ns1.deleg AAAA 1?",
                "ar ns1 A 1?",
                "ar ns1 AAAA 1?",
            ]
        );
        // Glue, and the address that a wildcard has for the target; none for
        // an alias (RFC 2181 section 10.3) or another zone's name.
        assert_eq!(
            found(&plain(), "", Rtype::MX, false),
            [
                "NOERROR aa",
                "an  MX 5",
                "ar mail A 1?",
                "ar mx.deleg A 1?",
                "ar any.wild A 1?"
            ]
        );
    }

    #[test]
    fn a_referral_has_its_glue_in_order() {
        let referral = [
            "NOERROR",
            "ns deleg NS 5",
            "ar ns1.deleg A 1",
            "ar ns1.deleg AAAA 1",
            "ar ns2.deleg A 1",
            "ar ns.sib A 1?",
            "ar ns.sib AAAA 1?",
            "ar ns1 A 1?",
            "ar ns1 AAAA 1?",
        ];
        assert_eq!(found(&plain(), "deleg", Rtype::A, true), referral);
        assert_eq!(found(&plain(), "mx.deleg", Rtype::A, true), referral);
        // A cut below the cut is occluded.
        assert_eq!(found(&plain(), "ns.sub.deleg", Rtype::NS, true), referral);
        let signed = found(&signed(), "x.deleg", Rtype::DS, true);
        assert_eq!(
            signed[1..4],
            ["ns deleg NS 5", "ns deleg NSEC 1", "ns deleg sig:NSEC 1"]
        );
        assert_eq!(
            signed[9..],
            [
                "ar ns1 A 1?",
                "ar ns1 AAAA 1?",
                "ar ns1 sig:A 1?",
                "ar ns1 sig:AAAA 1?"
            ]
        );
    }

    #[test]
    fn ds_at_a_cut_is_the_parents() {
        assert_eq!(
            found(&signed(), "secure", Rtype::DS, true),
            ["NOERROR aa", "an secure DS 1", "an secure sig:DS 1"]
        );
        assert_eq!(
            found(&signed(), "deleg", Rtype::DS, true),
            [
                "NOERROR aa",
                "ns  SOA 1",
                "ns  sig:SOA 1",
                "ns deleg NSEC 1",
                "ns deleg sig:NSEC 1"
            ]
        );
    }

    #[test]
    fn negative_answers_have_soa_and_proof() {
        let zone = signed();
        let soa = ["ns  SOA 1", "ns  sig:SOA 1"];
        let missing = found(&zone, "nosuch", Rtype::A, true);
        assert_eq!(missing[0], "NXDOMAIN aa");
        assert_eq!(missing[1..3], soa);
        assert_eq!(
            missing[3..],
            [
                "ns noglue NSEC 1",
                "ns noglue sig:NSEC 1",
                "ns  NSEC 1",
                "ns  sig:NSEC 1"
            ]
        );
        // The encloser is an owner below an empty non-terminal; the proof of
        // both names is one record.
        let missing = found(&zone, "x.a.ent", Rtype::A, true);
        assert_eq!(missing[3..], ["ns a.ent NSEC 1", "ns a.ent sig:NSEC 1"]);
        let no_data = found(&zone, "host", Rtype::MX, true);
        assert_eq!(no_data[0], "NOERROR aa");
        assert_eq!(no_data[3..], ["ns host NSEC 1", "ns host sig:NSEC 1"]);
        let empty = found(&zone, "ent.ents", Rtype::A, true);
        assert_eq!(empty[0], "NOERROR aa");
        assert_eq!(empty[3..], ["ns a.ent NSEC 1", "ns a.ent sig:NSEC 1"]);
        // Without DO, and in an unsigned zone, only the SOA.
        assert_eq!(
            found(&zone, "nosuch", Rtype::A, false),
            ["NXDOMAIN aa", "ns  SOA 1"]
        );
        assert_eq!(
            found(&plain(), "nosuch", Rtype::A, true),
            ["NXDOMAIN aa", "ns  SOA 1"]
        );
    }

    #[test]
    fn the_negative_ttl_is_the_lower_one() {
        let zone = signed();
        let qname = Name::vec_from_str("nosuch.signed.example").expect("a name");
        let answer = lookup(&zone, qname.for_slice(), Rtype::A, true);
        // SOA: TTL 3600, MINIMUM 300.
        assert_eq!(
            [answer.authority[0].ttl, answer.authority[1].ttl],
            [300, 300]
        );
    }

    #[test]
    fn glue_in_front_of_a_name_does_not_spoil_its_proof() {
        // Before this name in canonical order stands glue, without an NSEC.
        let proof = &found(&signed(), "bigger", Rtype::A, true)[3..];
        assert_eq!(proof[0], "ns big NSEC 1");
    }

    #[test]
    fn wildcards_stand_in_for_missing_names() {
        assert_eq!(
            found(&signed(), "foo.bar.wild", Rtype::A, true),
            [
                "NOERROR aa",
                "an foo.bar.wild A 1",
                "an foo.bar.wild sig:A 1",
                "ns b.wild NSEC 1",
                "ns b.wild sig:NSEC 1",
            ]
        );
        let no_data = found(&signed(), "foo.wild", Rtype::AAAA, true);
        assert_eq!(
            no_data[3..],
            [
                "ns *.wild NSEC 1",
                "ns *.wild sig:NSEC 1",
                "ns b.wild NSEC 1",
                "ns b.wild sig:NSEC 1"
            ]
        );
        // An owner below the wildcard's parent takes its own descendants out.
        assert_eq!(
            found(&plain(), "foo.b.wild", Rtype::A, true)[0],
            "NXDOMAIN aa"
        );
        // The wildcard itself is an ordinary name.
        assert_eq!(
            found(&plain(), "*.wild", Rtype::A, true),
            ["NOERROR aa", "an *.wild A 1"]
        );
        // An empty non-terminal: the NSEC before `*.we` shows that it has no
        // types, that before `foo.we` that no closer name exists.
        let empty = found(&signed(), "foo.we", Rtype::A, true);
        assert_eq!(empty[0], "NOERROR aa");
        assert_eq!(
            empty[3..],
            [
                "ns *.wc NSEC 1",
                "ns *.wc sig:NSEC 1",
                "ns deep.*.we NSEC 1",
                "ns deep.*.we sig:NSEC 1"
            ]
        );
    }

    #[test]
    fn aliases_are_followed_in_the_zone() {
        let zone = plain();
        assert_eq!(
            found(&zone, "alias1", Rtype::A, false),
            [
                "NOERROR aa",
                "an alias1 CNAME 1",
                "an alias2 CNAME 1",
                "an alias3 CNAME 1",
                "an host A 2"
            ]
        );
        assert_eq!(
            found(&zone, "alias1", Rtype::CNAME, false),
            ["NOERROR aa", "an alias1 CNAME 1"]
        );
        assert_eq!(
            found(&zone, "alias1", Rtype::ANY, false),
            ["NOERROR aa", "an alias1 CNAME 1"]
        );
        assert_eq!(
            found(&zone, "to-none", Rtype::A, false),
            ["NXDOMAIN aa", "an to-none CNAME 1", "ns  SOA 1"]
        );
        assert_eq!(
            found(&zone, "to-ent", Rtype::A, false),
            ["NOERROR aa", "an to-ent CNAME 1", "ns  SOA 1"]
        );
        assert_eq!(
            found(&zone, "to-out", Rtype::A, false),
            ["NOERROR aa", "an to-out CNAME 1"]
        );
        // Below a cut: AA for the alias, and the referral.
        let below = found(&zone, "to-below", Rtype::A, false);
        assert_eq!(
            below[..3],
            ["NOERROR aa", "an to-below CNAME 1", "ns deleg NS 5"]
        );
    }

    #[test]
    fn alias_loops_end() {
        let zone = plain();
        let loop1 = ["NOERROR aa", "an loop1 CNAME 1", "an loop2 CNAME 1"];
        assert_eq!(found(&zone, "loop1", Rtype::A, false), loop1);
        assert_eq!(
            found(&zone, "self", Rtype::A, false),
            ["NOERROR aa", "an self CNAME 1"]
        );
        assert_eq!(
            found(&zone, "q.wl", Rtype::A, false),
            ["NOERROR aa", "an q.wl CNAME 1", "an a.wl CNAME 1"]
        );
    }

    #[test]
    fn names_below_a_dname_are_substituted() {
        let zone = plain();
        assert_eq!(
            found(&zone, "x.dn", Rtype::A, false),
            [
                "NOERROR aa",
                "an dn DNAME 1",
                "an x.dn CNAME=x.target.plain.example 1",
                "an x.target A 1",
            ]
        );
        // Not its owner.
        assert_eq!(
            found(&zone, "dn", Rtype::A, false),
            ["NOERROR aa", "an dn A 1"]
        );
        let long = "y".repeat(60);
        assert_eq!(
            found(&zone, &format!("{long}.dn-long"), Rtype::A, false),
            ["YXDOMAIN aa", "an dn-long DNAME 1"]
        );
    }

    #[test]
    fn any_and_rrsig_get_one_rrset() {
        assert_eq!(
            found(&signed(), "host", Rtype::ANY, true),
            ["NOERROR aa", "an host A 2", "an host sig:A 1"]
        );
        assert_eq!(
            found(&signed(), "host", Rtype::RRSIG, false),
            ["NOERROR aa", "an host sig:A 1"]
        );
        assert_eq!(
            found(&plain(), "host", Rtype::RRSIG, false),
            ["NOERROR aa", "ns  SOA 1"]
        );
    }
}
