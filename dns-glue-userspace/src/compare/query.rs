//! What a query asks for, as far as its reply depends on it.

use domain::base::Message;
use domain::base::iana::Rtype;

/// Octets of a reply to a query without OPT record (RFC 1035 section 2.3.4).
const PLAIN_OCTETS: usize = 512;
/// Octets of the header.
pub const HEADER_OCTETS: usize = 12;
/// Octets of an OPT record without options.
pub const OPT_OCTETS: usize = 11;

/// A query with one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The ID.
    pub id: u16,
    /// The second word of the header.
    pub flags: u16,
    /// The question section, octet by octet: name, type, class.
    pub question: Box<[u8]>,
    /// The UDP size of its OPT record.
    pub size: Option<u16>,
    /// DO.
    pub dnssec: bool,
}

impl Query {
    /// Reads a query; `None` if it is not one that a referral can answer.
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let message = Message::from_slice(octets).ok()?;
        if message.header_counts().qdcount() != 1 {
            return None;
        }
        let answer = message.answer().ok()?;
        let question = octets.get(HEADER_OCTETS..answer.pos())?.into();
        let opt = message.opt();
        // Nothing but an OPT record may follow.
        let additional = message.additional().ok()?;
        let mut rtypes = additional.flatten().map(|record| record.rtype());
        if rtypes.any(|rtype| rtype != Rtype::OPT) {
            return None;
        }
        let number = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        Some(Self {
            id: number(0),
            flags: number(2),
            question,
            size: opt.as_ref().map(|opt| opt.udp_payload_size()),
            dnssec: opt.as_ref().is_some_and(|opt| opt.dnssec_ok()),
        })
    }

    /// QNAME in wire form, as it was asked.
    pub fn name(&self) -> &[u8] {
        &self.question[..self.question.len() - 4]
    }

    /// Octets of the longest reply from a server that sends at most `max_udp`
    /// (RFC 6891 section 6.2.3).
    pub fn limit(&self, max_udp: usize) -> usize {
        self.size
            .map_or(PLAIN_OCTETS, |size| PLAIN_OCTETS.max(size.into()))
            .min(max_udp)
    }

    /// Octets of a reply that do not depend on the records in it.
    pub fn front_octets(&self) -> usize {
        let opt_octets = if self.size.is_some() { OPT_OCTETS } else { 0 };
        HEADER_OCTETS + self.question.len() + opt_octets
    }
}
