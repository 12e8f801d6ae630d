//! Why records do not make a zone.

use domain::base::Name;
use domain::base::iana::{Class, Rtype};
use thiserror::Error;

use super::MAX_TTL;
use crate::zone::position::Position;

/// Why records do not make a zone, or one record does not belong to it.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{kind}")]
pub struct BuildError {
    /// Where the record stands; not known when the fault is an absence.
    pub position: Position,
    /// What is wrong.
    pub kind: BuildErrorKind,
}

/// What is wrong with a zone or with a record in it.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BuildErrorKind {
    /// No SOA record at the apex (RFC 1035 section 5.2).
    #[error("the zone {} has no SOA record at its apex", .apex.fmt_with_dot())]
    MissingSoa {
        /// The apex.
        apex: Name<Vec<u8>>,
    },
    /// Two SOA records that differ (RFC 1035 section 5.2).
    #[error("a second SOA record, not equal to the first")]
    SecondSoa,
    /// An SOA record elsewhere than at the apex.
    #[error("an SOA record at {}, which is not the apex of the zone", .owner.fmt_with_dot())]
    SoaBelowApex {
        /// Its owner.
        owner: Name<Vec<u8>>,
    },
    /// The apex has no NS record (RFC 1035 section 5.2).
    #[error("the zone {} has no NS record at its apex", .apex.fmt_with_dot())]
    MissingApexNs {
        /// The apex.
        apex: Name<Vec<u8>>,
    },
    /// A record whose owner is not at or below the apex.
    #[error("{} lies outside the zone {}", .owner.fmt_with_dot(), .apex.fmt_with_dot())]
    OutsideZone {
        /// The record's owner.
        owner: Name<Vec<u8>>,
        /// The zone's apex.
        apex: Name<Vec<u8>>,
    },
    /// A record of another class than IN.
    #[error("class {found}: only class IN is served")]
    NotInternet {
        /// The class found.
        found: Class,
    },
    /// A TTL above 2^31 - 1 (RFC 2181 section 8).
    #[error("TTL {ttl} is out of range: the highest is {MAX_TTL}")]
    TtlOutOfRange {
        /// The TTL found, in seconds.
        ttl: u64,
    },
    /// A CNAME record beside other data (RFC 2181 section 10.1).
    #[error("{} owns a CNAME record beside other data ({other})", .owner.fmt_with_dot())]
    CnameAndOther {
        /// The owner.
        owner: Name<Vec<u8>>,
        /// The type of the first other RRset.
        other: Rtype,
    },
    /// Several CNAME (RFC 2181 section 10.1) or DNAME (RFC 6672 section 2.4)
    /// records at one owner.
    #[error("{} owns more than one {rtype} record", .owner.fmt_with_dot())]
    NotSingle {
        /// The owner.
        owner: Name<Vec<u8>>,
        /// CNAME or DNAME.
        rtype: Rtype,
    },
    /// A meta type (RFC 6895 section 3.1), which no zone may hold.
    #[error("{rtype} is not a type of records that a zone may hold")]
    MetaType {
        /// The type.
        rtype: Rtype,
    },
    /// RDATA that does not have the shape its type demands.
    #[error("the data of this {rtype} record is malformed")]
    BadRdata {
        /// The type.
        rtype: Rtype,
    },
    /// More records in an RRset than any message could carry.
    #[error("the {rtype} RRset of {} holds more than 65535 records", .owner.fmt_with_dot())]
    TooManyRecords {
        /// The owner.
        owner: Name<Vec<u8>>,
        /// The type.
        rtype: Rtype,
    },
    /// The zone is signed, but not a single record proves absence.
    #[error(
        "the zone {} is signed, but has neither NSEC nor NSEC3 records to prove what it does \
         not have", .apex.fmt_with_dot()
    )]
    NoDenial {
        /// The apex.
        apex: Name<Vec<u8>>,
    },
    /// The zone is signed with NSEC3, but no chain can be used.
    #[error(
        "the zone {} is signed with NSEC3, but has no chain: no NSEC3 record belongs to an \
         NSEC3PARAM record at the apex with flags 0 and hash algorithm 1 (RFC 5155 section 4.1.2)",
        .apex.fmt_with_dot()
    )]
    NoNsec3Chain {
        /// The apex.
        apex: Name<Vec<u8>>,
    },
    /// More than 2^32 - 1 owners or RRsets.
    #[error("the zone is too large: more than 4294967295 RRsets")]
    TooLarge,
}
