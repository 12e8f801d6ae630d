//! What `dns-glue status` tells of the server behind.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The server behind, as it was seen until now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BehindStatus {
    /// Whether the server behind answers for no zone at any service address,
    /// and `--require-fallback` is given: everything passes.
    pub nothing_answered: bool,
    /// The zones, in the order of the command line.
    pub zones: Vec<ZoneBehind>,
}

/// A zone at the server behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneBehind {
    /// Its name, with the final dot.
    pub apex: String,
    /// The serial that the program answers from.
    pub serial: u32,
    /// How that compares with the server behind.
    pub agreement: Agreement,
    /// For how many seconds the two have differed.
    pub differs_seconds: Option<u64>,
    /// Why the referrals of the zone are withheld, if they are: `lag`,
    /// `unanswered`, or `unproven` until the server behind was asked for the
    /// first time.
    pub withheld: Option<String>,
    /// The service addresses.
    pub addresses: Vec<AddressBehind>,
}

/// How the serial of the program compares with those of the server behind
/// (RFC 1982).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Agreement {
    /// It is the same.
    Agrees,
    /// It is older, or neither is newer.
    Lags,
    /// It is newer.
    Leads,
    /// The server behind tells none just now.
    Unknown,
}

/// A zone at one address of the server behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBehind {
    /// The service address.
    pub address: IpAddr,
    /// The serial that was told last.
    pub serial: Option<u32>,
    /// The SOA record, asked for over UDP.
    pub udp: QuestionStatus,
    /// The SOA record, asked for over TCP.
    pub tcp: QuestionStatus,
    /// A name that is not below a delegation.
    pub miss: QuestionStatus,
    /// A delegated name.
    pub referral: QuestionStatus,
}

/// Whether a question is answered as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionStatus {
    /// Whether it is; `None` if it was not asked yet.
    pub answered: Option<bool>,
    /// What is wrong, if it is not.
    pub problem: Option<String>,
    /// For how many seconds it has been so.
    pub seconds: u64,
}
