//! One query: what the program answers, and why so much and no more.

use std::fmt;

use dns_glue_common::limits::{DEFAULT_UDP_OCTETS, HEADER_OCTETS, MIN_UDP_OCTETS};
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;
use domain::base::iana::Rtype;
use domain::base::{Message, Name, ToName as _};
use domain::rdata::Rrsig;

use super::query::{Edns, write_query};
use crate::compile::{Compilation, Loss, Report};
use crate::host::Runner;
use crate::zone::cuts::{Cuts, Delegation, GlueKind, Stop};
use crate::zone::proof::Proof;
use crate::zone::records::NameRef;

/// A question and how it is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// QNAME.
    pub name: Name<Vec<u8>>,
    /// QTYPE.
    pub rtype: Rtype,
    /// The OPT record; `None` without EDNS.
    pub edns: Option<Edns>,
}

impl Ask {
    /// The size that clients tell unless they are told otherwise, octets.
    pub const USUAL_UDP_OCTETS: u16 = DEFAULT_UDP_OCTETS as u16;

    /// The query as a DNS message.
    pub fn message(&self) -> Vec<u8> {
        let mut message = Vec::new();
        write_query(&mut message, self.name.for_slice(), self.rtype, self.edns);
        message
    }

    fn dnssec(&self) -> bool {
        self.edns.is_some_and(|edns| edns.dnssec)
    }
}

/// What becomes of a query; its `Display` says it in words.
#[derive(Clone, Debug)]
pub struct Explanation<'c, 'z> {
    /// The question.
    pub ask: Ask,
    /// Where QNAME stands.
    pub standing: Standing<'c, 'z>,
    /// What the program does.
    pub verdict: Verdict,
}

/// What the program does with a query.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It sends a referral.
    Refers(Referral),
    /// It leaves the query to the server behind.
    Passes(Reason),
}

/// Where a name stands among the entries of the index: the nearest at or above
/// it.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'c, 'z> {
    /// At or below a delegation.
    Delegation(&'c Delegation<'z>, &'c Report<'z>),
    /// At or below a name at which the search for a delegation stops.
    Stop(&'c Stop<'z>),
    /// In no zone that is served.
    Outside,
}

/// A referral.
#[derive(Clone, Debug)]
pub struct Referral {
    /// The reply as a DNS message.
    pub message: Vec<u8>,
    /// Which outcome is counted.
    pub outcome: Reason,
    /// The arithmetic of its length.
    pub room: Room,
    /// What the zone has for it and the reply does not.
    pub left_out: Vec<LeftOut>,
}

/// The octets of a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The most that the client takes.
    pub client_octets: usize,
    /// The most that the server sends.
    pub server_octets: usize,
    /// The question.
    pub question_octets: usize,
    /// The OPT record, or 0.
    pub opt_octets: usize,
    /// NS records: sent, and how many there are.
    pub ns: Sent,
    /// DS or denial with signatures.
    pub proof: Sent,
    /// Glue and authoritative addresses.
    pub glue: Sent,
}

/// Octets sent, of all that were compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Octets in the reply.
    pub octets: usize,
    /// Octets that there are.
    pub of: usize,
}

impl Room {
    /// Octets of the longest reply to this query.
    pub fn limit(&self) -> usize {
        self.client_octets.min(self.server_octets)
    }

    /// Octets that are left for records.
    pub fn for_records(&self) -> usize {
        self.limit() - HEADER_OCTETS - self.question_octets - self.opt_octets
    }

    /// Octets of the whole reply.
    pub fn message_octets(&self) -> usize {
        HEADER_OCTETS
            + self.question_octets
            + self.ns.octets
            + self.proof.octets
            + self.glue.octets
            + self.opt_octets
    }
}

/// An RRset that did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What it is to the referral.
    pub part: Part,
    /// Its owner.
    pub owner: Name<Vec<u8>>,
    /// Its type.
    pub rtype: Rtype,
}

/// What an RRset is to a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The NS RRset.
    NameServers,
    /// The DS RRset or the denial, with signatures.
    Proof,
    /// The address of a name server at or below the cut.
    InDomainGlue,
    /// The address of a name server below another cut.
    SiblingGlue,
    /// The address of a name server that is the zone's own.
    AuthoritativeAddress,
    /// The signatures of such an address.
    AddressSignatures,
}

impl Part {
    /// Whether a reply without it must say TC=1.
    pub fn is_needed(self) -> bool {
        match self {
            Self::NameServers | Self::Proof | Self::InDomainGlue => true,
            Self::SiblingGlue | Self::AuthoritativeAddress | Self::AddressSignatures => false,
        }
    }
}

impl From<GlueKind> for Part {
    fn from(kind: GlueKind) -> Self {
        match kind {
            GlueKind::InDomain => Self::InDomainGlue,
            GlueKind::Sibling => Self::SiblingGlue,
            GlueKind::Authoritative => Self::AuthoritativeAddress,
        }
    }
}

/// Runs a query through the program and looks at what comes out. `compilation`
/// is that of `cuts`.
pub fn explain<'c, 'z>(
    cuts: &'c Cuts<'z>,
    compilation: &'c Compilation<'z>,
    policy: &Policy,
    ask: Ask,
) -> Explanation<'c, 'z> {
    let standing = find_standing(cuts, compilation, ask.name.for_slice());
    let mut runner = Runner::new(&compilation.generation, *policy);
    let query = ask.message();
    let verdict = match runner.answer(&query) {
        Err(reason) => Verdict::Passes(reason),
        Ok((reply, outcome)) => {
            let message = reply.to_vec();
            let Standing::Delegation(delegation, report) = standing else {
                unreachable!("a referral is given at or below a delegation only");
            };
            Verdict::Refers(Referral {
                room: room(&runner, policy, &ask, report),
                left_out: left_out(&message, delegation, ask.dnssec()),
                message,
                outcome,
            })
        }
    };
    Explanation {
        ask,
        standing,
        verdict,
    }
}

/// The longest entry that `name` ends with. A name is a delegation or a stop,
/// never both.
fn find_standing<'c, 'z>(
    cuts: &'c Cuts<'z>,
    compilation: &'c Compilation<'z>,
    name: &NameRef,
) -> Standing<'c, 'z> {
    let delegations = cuts.delegations.iter().zip(&compilation.delegations);
    let delegations = delegations
        .map(|(delegation, report)| (delegation.cut, Standing::Delegation(delegation, report)));
    let stops = cuts
        .stops
        .iter()
        .map(|stop| (stop.name, Standing::Stop(stop)));
    delegations
        .chain(stops)
        .filter(|(entry, _)| name.ends_with(entry))
        .max_by_key(|(entry, _)| entry.len())
        .map_or(Standing::Outside, |(_, standing)| standing)
}

/// The arithmetic of the last reply.
fn room(runner: &Runner<'_>, policy: &Policy, ask: &Ask, report: &Report<'_>) -> Room {
    let plan = runner.plan();
    let [ns, proof, glue] = plan.parts.map(|part| usize::from(part.octets));
    let octets = &report.octets;
    let (all_proof, all_glue) = if ask.dnssec() {
        (octets.proof, octets.signed_glue)
    } else {
        (0, octets.glue)
    };
    let sent = |octets, of| Sent { octets, of };
    Room {
        client_octets: ask.edns.map_or(MIN_UDP_OCTETS, |edns| {
            usize::from(edns.udp_octets).max(MIN_UDP_OCTETS)
        }),
        server_octets: policy.max_udp.into(),
        question_octets: usize::from(plan.question_end) - HEADER_OCTETS,
        opt_octets: plan.opt_octets.into(),
        ns: sent(ns, octets.ns),
        proof: sent(proof, all_proof),
        glue: sent(glue, all_glue),
    }
}

/// The RRsets of a delegation that are not in a reply to it, found by reading
/// the reply.
fn left_out(message: &[u8], delegation: &Delegation<'_>, dnssec: bool) -> Vec<LeftOut> {
    let sent = Contents::of(message);
    let mut missing = Vec::new();
    let mut want = |part, owner: &NameRef, rtype, covered| {
        if !sent.hold(owner, rtype, covered) {
            missing.push(LeftOut {
                part,
                owner: owner.to_vec(),
                rtype,
            });
        }
    };
    want(Part::NameServers, delegation.cut, Rtype::NS, None);
    for rrset in delegation.proof.rrsets().filter(|_| dnssec) {
        want(Part::Proof, rrset.owner(), rrset.rtype(), None);
    }
    let signed = dnssec && delegation.proof != Proof::Unsigned;
    for glue in &delegation.glue {
        let (owner, rtype) = (glue.rrset.owner(), glue.rrset.rtype());
        want(glue.kind.into(), owner, rtype, None);
        if signed && glue.kind == GlueKind::Authoritative && glue.rrset.is_signed() {
            want(Part::AddressSignatures, owner, Rtype::RRSIG, Some(rtype));
        }
    }
    missing
}

/// The RRsets of a message: owner, type, and for RRSIG the type covered.
struct Contents(Vec<(Name<Vec<u8>>, Rtype, Option<Rtype>)>);

impl Contents {
    /// Those of a reply that the program wrote.
    fn of(message: &[u8]) -> Self {
        const WHOLE: &str = "the program writes whole records";
        let message = Message::from_slice(message).expect(WHOLE);
        let (_, _, authority, additional) = message.sections().expect(WHOLE);
        let records = authority.chain(additional).map(|record| {
            let record = record.expect(WHOLE);
            let signature = record.to_record::<Rrsig<_, _>>().ok().flatten();
            let covered = signature.map(|signature| signature.data().type_covered());
            (record.owner().to_vec(), record.rtype(), covered)
        });
        Self(records.collect())
    }

    fn hold(&self, owner: &NameRef, rtype: Rtype, covered: Option<Rtype>) -> bool {
        self.0.iter().any(|(name, found, covers)| {
            *found == rtype && *covers == covered && name.name_eq(owner)
        })
    }
}

/// What was lost before any query came.
pub(super) fn loss_text(loss: Loss) -> &'static str {
    match loss {
        Loss::NameServers => "the NS records fit into no reply of any size",
        Loss::Proof => "the proof fits into no reply of any size",
        Loss::InDomainGlue => "the in-domain glue fits into no reply of any size",
        Loss::OptionalGlue => "not all optional addresses fit into a reply of any size",
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameServers => "name servers",
            Self::Proof => "proof with signatures",
            Self::InDomainGlue => "in-domain glue",
            Self::SiblingGlue => "sibling glue",
            Self::AuthoritativeAddress => "authoritative address",
            Self::AddressSignatures => "signatures of an address",
        })
    }
}
