//! Queries, octet by octet, and replies, read by another library than the one
//! that wrote them.

use std::collections::BTreeSet;

use domain::base::{Message, Rtype};
use domain::rdata::AllRecordData;

/// A reply.
pub type Reply = Message<Vec<u8>>;

/// QTYPEs.
pub const A: u16 = 1;
pub const SOA: u16 = 6;
pub const DS: u16 = 43;

/// EDNS options.
pub const NSID: u16 = 3;
pub const CLIENT_SUBNET: u16 = 8;
pub const COOKIE: u16 = 10;

/// Bits of the header's second word.
pub const RD: u16 = 0x0100;
pub const CD: u16 = 0x0010;

/// The UDP size that resolvers tell.
const UDP_OCTETS: u16 = 1232;

/// A query of class IN without EDNS.
pub fn query(name: &str, qtype: u16) -> Vec<u8> {
    let mut octets = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).expect("a short label"));
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets.extend(qtype.to_be_bytes());
    octets.extend(1u16.to_be_bytes());
    octets
}

/// The query with flags of the header.
pub fn with_flags(mut query: Vec<u8>, flags: u16) -> Vec<u8> {
    query[2..4].copy_from_slice(&flags.to_be_bytes());
    query
}

/// The query with an OPT record.
pub fn with_options(mut query: Vec<u8>, dnssec: bool, options: &[(u16, &[u8])]) -> Vec<u8> {
    query[11] = 1; // ARCOUNT
    query.extend([0, 0, 41]);
    query.extend(UDP_OCTETS.to_be_bytes());
    query.extend([0, 0, if dnssec { 0x80 } else { 0 }, 0]);
    let mut rdata = Vec::new();
    for (code, data) in options {
        rdata.extend(code.to_be_bytes());
        rdata.extend(u16::try_from(data.len()).expect("short data").to_be_bytes());
        rdata.extend(*data);
    }
    query.extend(u16::try_from(rdata.len()).expect("short").to_be_bytes());
    query.extend(rdata);
    query
}

/// Reads a reply, which must be one to the query.
pub fn read(query: &[u8], octets: Vec<u8>) -> Reply {
    assert_eq!(octets.get(..2), query.get(..2), "the ID");
    let reply = Message::from_octets(octets).expect("at least a header");
    assert!(reply.header().qr());
    reply
}

/// What two servers must agree on: the header without its ID and the counts,
/// each section as a set of records, and the OPT record without its options.
#[derive(Debug, PartialEq, Eq)]
pub struct Content {
    pub flags: u16,
    pub answer: BTreeSet<String>,
    pub authority: BTreeSet<String>,
    pub additional: BTreeSet<String>,
    /// UDP size, DO.
    pub opt: Option<(u16, bool)>,
}

pub fn content(reply: &Reply) -> Content {
    let octets = reply.as_slice();
    let (_, answer, authority, additional) = reply.sections().expect("sections");
    Content {
        flags: u16::from_be_bytes([octets[2], octets[3]]),
        answer: records(answer),
        authority: records(authority),
        additional: records(additional),
        opt: reply
            .opt()
            .map(|opt| (opt.udp_payload_size(), opt.dnssec_ok())),
    }
}

/// The records but OPT, in lower case: servers may take the case of owner
/// names from the question.
fn records(section: domain::base::RecordSection<'_, Vec<u8>>) -> BTreeSet<String> {
    section
        .map(|record| record.expect("a record"))
        .filter(|record| record.rtype() != Rtype::OPT)
        .map(|record| {
            let record = record
                .to_any_record::<AllRecordData<_, _>>()
                .expect("its data");
            record.to_string().to_lowercase()
        })
        .collect()
}

/// The data of an EDNS option of a reply.
pub fn option(reply: &Reply, code: u16) -> Option<Vec<u8>> {
    let opt = reply.opt()?;
    let options = opt.opt().iter::<domain::base::opt::UnknownOptData<_>>();
    options
        .map(|option| option.expect("an option"))
        .find(|option| option.code().to_int() == code)
        .map(|option| option.as_slice().to_vec())
}
