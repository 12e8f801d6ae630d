//! An answer before it is encoded: sections of RRsets, none of them copied.

use domain::base::iana::Rcode;
use domain::base::{Name, Rtype};

use crate::zone::records::{NameRef, Rrset};

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

/// Adds an RRset and, if wanted, its signatures to a section.
pub(super) fn push_signed<'a>(
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

/// Whether a section has the records of that RRset, with its own owner.
pub(super) fn holds(section: &[Part<'_>], rrset: Rrset<'_>) -> bool {
    section
        .iter()
        .any(|part| part.data.rtype() == rrset.rtype() && part.owner.name() == rrset.owner())
}

/// The part of an RRset's records.
pub(super) fn records_of<'a>(owner: Owner<'a>, rrset: Rrset<'a>, need: Need) -> Part<'a> {
    Part {
        owner,
        ttl: rrset.ttl(),
        data: Data::Records(rrset),
        need,
    }
}

/// The part of an RRset's signatures.
pub(super) fn signatures_of<'a>(owner: Owner<'a>, rrset: Rrset<'a>, need: Need) -> Part<'a> {
    Part {
        owner,
        ttl: rrset.signature_ttl(),
        data: Data::Signatures(rrset),
        need,
    }
}
