//! What the clients ask.

use super::versions::Knowledge;

/// The size of clients with EDNS, and of the longest reply (`--max-udp`).
pub const MAX_UDP: u16 = 1232;
/// The size of clients without EDNS (RFC 1035 section 2.3.4).
const PLAIN: usize = 512;

const A: u16 = 1;
const SOA: u16 = 6;
const TXT: u16 = 16;
const AAAA: u16 = 28;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A referral to the delegation at this place of [`Knowledge`].
    Referral(usize),
    /// The SOA record, from the server behind.
    Apex,
}

/// A query, and what is due.
#[derive(Clone, Debug)]
pub struct Query {
    /// The message, with ID 0.
    pub message: Vec<u8>,
    /// Octets of the message up to the end of the question.
    pub question_end: usize,
    /// Octets that a reply may have.
    pub limit: usize,
    /// Whether it has an OPT record.
    pub edns: bool,
    /// Whether it has DO.
    pub dnssec: bool,
    /// What is due.
    pub due: Due,
}

/// How a delegation is asked for.
struct Form {
    /// Labels in front of the cut, in wire form.
    prefix: &'static [u8],
    rtype: u16,
    /// The size and DO.
    edns: Option<(u16, bool)>,
    mixed_case: bool,
}

const FORMS: [Form; 4] = [
    Form {
        prefix: b"",
        rtype: A,
        edns: Some((MAX_UDP, true)),
        mixed_case: false,
    },
    Form {
        prefix: b"\x03www",
        rtype: AAAA,
        edns: None,
        mixed_case: false,
    },
    Form {
        prefix: b"\x13a-rather-long-label\x03www",
        rtype: TXT,
        edns: Some((MAX_UDP, false)),
        mixed_case: false,
    },
    Form {
        prefix: b"\x01w",
        rtype: A,
        edns: Some((4096, true)),
        mixed_case: true,
    },
];

/// Every delegation in every form.
#[must_use]
pub fn referrals(knowledge: &Knowledge) -> Vec<Query> {
    let cuts = knowledge.delegations.iter().enumerate();
    cuts.flat_map(|(place, known)| {
        FORMS.iter().map(move |form| {
            let mut name = [form.prefix, &*known.cut].concat();
            if form.mixed_case {
                name.iter_mut()
                    .step_by(2)
                    .for_each(u8::make_ascii_uppercase);
            }
            Query::new(&name, form.rtype, form.edns, Due::Referral(place))
        })
    })
    .collect()
}

/// What the server behind is asked for.
#[must_use]
pub fn apex(knowledge: &Knowledge) -> Vec<Query> {
    vec![Query::new(
        &knowledge.apex,
        SOA,
        Some((MAX_UDP, false)),
        Due::Apex,
    )]
}

impl Query {
    fn new(name: &[u8], rtype: u16, edns: Option<(u16, bool)>, due: Due) -> Self {
        let mut message = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())];
        message.extend(name);
        message.extend(rtype.to_be_bytes());
        message.extend([0, 1]);
        let question_end = message.len();
        if let Some((size, dnssec)) = edns {
            message.extend([0, 0, 41]);
            message.extend(size.to_be_bytes());
            message.extend([0, 0, if dnssec { 0x80 } else { 0 }, 0, 0, 0]);
        }
        Self {
            message,
            question_end,
            limit: edns.map_or(PLAIN, |(size, _)| usize::from(size.min(MAX_UDP))),
            edns: edns.is_some(),
            dnssec: edns.is_some_and(|(_, dnssec)| dnssec),
            due,
        }
    }
}
