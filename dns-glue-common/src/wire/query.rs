//! A whole query: header, question, and the OPT record if there is one.

use super::question::{self, Question};
use super::{LabelStarts, Message, edns, header};
use crate::limits::{HEADER_OCTETS, MIN_UDP_OCTETS, QUESTION_FIXED_OCTETS};
use crate::policy::Policy;
use crate::reason::Reason;

/// A query that may be answered by a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Query {
    /// Of the question.
    pub question: Question,
    /// The second word of the header: QR is clear, OPCODE and RCODE are 0.
    pub flags: u16,
    /// Octets that the client takes over UDP. Valid values: 512 and above.
    pub udp_octets: u16,
    /// Whether the query has an OPT record, and so the reply.
    pub has_opt: bool,
    /// DO: the client wants DNSSEC records.
    pub dnssec: bool,
    /// NSID options: 1 if the client asks for the identifier, 0 if not.
    pub nsids: u16,
}

impl Query {
    /// All zeros: nothing is asked.
    pub const EMPTY: Self = Self {
        question: Question::EMPTY,
        flags: 0,
        udp_octets: 0,
        has_opt: false,
        dnssec: false,
        nsids: 0,
    };

    /// Octets from the message's start to the end of the question.
    #[inline(always)]
    pub const fn question_end(&self) -> usize {
        HEADER_OCTETS + self.question.name_octets + QUESTION_FIXED_OCTETS
    }
}

/// Parses a query down to its last octet into `query`.
///
/// # Errors
///
/// Whatever keeps it from being a plain query of one question: it passes.
///
/// # Verifier
///
/// See [`read_back`](crate::frame::read_back) for why the question is read
/// back from memory.
#[inline(always)]
pub fn parse_query(
    message: &Message<'_>,
    starts: &mut LabelStarts,
    policy: &Policy,
    query: &mut Query,
) -> Result<(), Reason> {
    let header = header::parse_header(message)?;
    query.flags = header.flags;
    query.nsids = 0;
    query.question = question::parse_question(message, starts)?;
    let name_octets = crate::frame::read_back(&query.question.name_octets);
    let end = HEADER_OCTETS + name_octets + QUESTION_FIXED_OCTETS;
    if header.has_additional {
        let edns = edns::parse_opt(message, end, policy, &mut query.nsids)?;
        if edns.deleg && policy.has(Policy::HOLDS_DELEG) {
            return Err(Reason::DelegAware);
        }
        query.udp_octets = edns.udp_octets as u16;
        query.has_opt = true;
        query.dnssec = edns.dnssec;
    } else if message.octets() > end {
        return Err(Reason::TrailingOctets);
    } else {
        query.udp_octets = MIN_UDP_OCTETS as u16;
        query.has_opt = false;
        query.dnssec = false;
    }
    Ok(())
}
