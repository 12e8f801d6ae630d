//! A whole query: header, question, and the OPT record if there is one.

use super::edns::{self, Edns};
use super::header::{self, Header};
use super::question::{self, Question};
use super::{LabelStarts, Message};
use crate::limits::{HEADER_OCTETS, MIN_UDP_OCTETS, QUESTION_FIXED_OCTETS};
use crate::policy::Policy;
use crate::reason::Reason;

/// A query that may be answered by a referral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Of the header.
    pub header: Header,
    /// Of the question.
    pub question: Question,
    /// Of the OPT record, which the reply has if the query has.
    pub edns: Option<Edns>,
}

impl Query {
    /// Octets from the message's start to the end of the question.
    #[inline(always)]
    pub const fn question_end(&self) -> usize {
        HEADER_OCTETS + self.question.name_octets + QUESTION_FIXED_OCTETS
    }

    /// Octets that the client takes over UDP.
    #[inline(always)]
    pub const fn udp_octets(&self) -> usize {
        match self.edns {
            Some(edns) => edns.udp_octets,
            None => MIN_UDP_OCTETS,
        }
    }

    /// Whether the client wants DNSSEC records.
    #[inline(always)]
    pub const fn dnssec(&self) -> bool {
        match self.edns {
            Some(edns) => edns.dnssec,
            None => false,
        }
    }
}

/// Parses a query down to its last octet.
///
/// # Errors
///
/// Whatever keeps it from being a plain query of one question: it passes.
#[inline(always)]
pub fn parse_query(
    message: &Message<'_>,
    starts: &mut LabelStarts,
    policy: &Policy,
) -> Result<Query, Reason> {
    let header = header::parse_header(message)?;
    let question = question::parse_question(message, starts)?;
    let end = HEADER_OCTETS + question.name_octets + QUESTION_FIXED_OCTETS;
    let edns = if header.has_additional {
        let edns = edns::parse_opt(message, end, policy)?;
        if edns.deleg && policy.has(Policy::HOLDS_DELEG) {
            return Err(Reason::DelegAware);
        }
        Some(edns)
    } else if message.octets() > end {
        return Err(Reason::TrailingOctets);
    } else {
        None
    };
    Ok(Query {
        header,
        question,
        edns,
    })
}
