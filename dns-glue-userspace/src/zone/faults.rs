//! What is wrong with single delegations, or worth a look in a zone that is
//! otherwise served.

use std::fmt;

use domain::base::iana::Rtype;

use super::records::{NameRef, Rrset, Zone};

/// A fault of a zone that is served nevertheless.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'z> {
    /// The zone.
    pub zone: &'z Zone,
    /// The delegation at fault, or the owner of the records at fault where
    /// there is no delegation.
    pub name: &'z NameRef,
    /// What is wrong.
    pub kind: FaultKind<'z>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug)]
pub enum FaultKind<'z> {
    /// NS at a wildcard, which has no defined meaning (RFC 4592 section 4.2).
    /// The name becomes a stop.
    WildcardNs,
    /// NS and DNAME at one name other than the apex (RFC 6672 section 2.3).
    /// The name becomes a stop.
    DnameBesideNs,
    /// A DS RRset without signature in a signed zone. The delegation becomes a
    /// stop.
    UnsignedDs,
    /// Neither DS nor NSEC at a cut of a zone signed with NSEC (RFC 4035
    /// section 2.3). The delegation becomes a stop.
    MissingNsec,
    /// The NSEC at the cut has no signature. The delegation becomes a stop.
    UnsignedNsec,
    /// The NSEC at the cut denies the NS RRset, or does not deny DS and SOA
    /// (RFC 4035 section 5.2). The delegation becomes a stop.
    WrongNsec,
    /// No DS at a cut of a zone signed with NSEC3, no NSEC3 that matches the
    /// cut, and none that covers the next closer name (RFC 5155 section
    /// 7.2.7): the chain has a gap. The delegation becomes a stop.
    MissingNsec3,
    /// No NSEC3 matches any name above the cut, not even the apex (RFC 5155
    /// section 7.2.1). The delegation becomes a stop.
    MissingEncloser,
    /// An NSEC3 that the proof needs has no signature. The delegation becomes
    /// a stop.
    UnsignedNsec3 {
        /// The owner of the NSEC3.
        owner: &'z NameRef,
    },
    /// An NSEC3 that the proof needs does not prove it (RFC 5155 sections 8.3
    /// and 8.9): the bitmap of the one that matches the cut denies NS or does
    /// not deny DS and SOA, that of the closest encloser has DNAME, or NS
    /// without SOA, or an owner has several records. The delegation becomes a
    /// stop.
    WrongNsec3 {
        /// The owner of the NSEC3.
        owner: &'z NameRef,
    },
    /// The NSEC3 that covers the next closer name says by its flags that there
    /// is no unsigned delegation (RFC 5155 section 6). The delegation becomes
    /// a stop.
    NoOptOut {
        /// The owner of the NSEC3.
        owner: &'z NameRef,
    },
    /// A DS RRset in a zone that is not signed; it is left out of referrals.
    DsInUnsignedZone,
    /// Only one name server (RFC 1034 section 4.1 wants two).
    OneNameServer,
    /// A name server at or below the cut without any address in the zone: who
    /// does not know it already cannot reach it.
    MissingGlue {
        /// The name server.
        target: &'z NameRef,
    },
    /// A name server whose name is an alias (RFC 2181 section 10.3).
    TargetIsCname {
        /// The name server.
        target: &'z NameRef,
    },
    /// The addresses of all name servers can only be had from servers of
    /// delegations that depend on this one: without the sibling glue in the
    /// referral nothing below it could be resolved (RFC 9471 section 2.3).
    SiblingCycle,
    /// Addresses below a cut that no delegation names as a name server's; they
    /// are in no answer.
    StrayGlue {
        /// The owner of the addresses.
        owner: &'z NameRef,
    },
    /// Addresses that may be the glue of a delegation that is gone (SSAC
    /// SAC048): an owner of nothing but addresses, not below any cut, two or
    /// more labels below the apex, whose parent owns no records.
    OrphanGlue,
    /// The NSEC3 chain of the zone does not close; noted at the apex. What none
    /// of its records covers cannot be proved absent (RFC 5155 section 7.1).
    ChainWithGaps,
    /// More iterations than validators go along with (RFC 9276 section 3.2);
    /// noted at the apex.
    ManyIterations {
        /// How many.
        iterations: u16,
    },
    /// A DNSKEY RRset at the apex, but no signature of the SOA record: the zone
    /// counts as not signed. Noted at the apex.
    KeysWithoutSignatures,
    /// Records of one RRset, or its signatures, have different TTLs (RFC 2181
    /// section 5.2); the lowest counts.
    TtlMismatch {
        /// The RRset's type.
        rtype: Rtype,
    },
    /// Signatures that referrals need have expired, or are not valid yet.
    InvalidSignatures {
        /// RRsets without any valid signature; [`Fault::name`] owns the first.
        rrsets: usize,
    },
    /// Signatures that referrals need expire soon.
    ExpiringSignatures {
        /// RRsets whose last signature expires within the time asked for.
        rrsets: usize,
        /// Seconds until the first of them; [`Fault::name`] owns it.
        seconds: u32,
    },
    /// A name that DELEG records delegate without NS records beside them:
    /// queries for it pass.
    DelegWithoutNs(Rrset<'z>),
}

impl Fault<'_> {
    /// Whether the delegation is left to the server behind: its name is a stop.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        matches!(
            self.kind,
            FaultKind::WildcardNs
                | FaultKind::DnameBesideNs
                | FaultKind::UnsignedDs
                | FaultKind::MissingNsec
                | FaultKind::UnsignedNsec
                | FaultKind::WrongNsec
                | FaultKind::MissingNsec3
                | FaultKind::MissingEncloser
                | FaultKind::UnsignedNsec3 { .. }
                | FaultKind::WrongNsec3 { .. }
                | FaultKind::NoOptOut { .. }
        )
    }

    /// Whether `--strict` refuses the zone for it. It does for what could not
    /// be served as the zone's data ask for, not for what is only unusual.
    #[must_use]
    pub fn fatal_if_strict(&self) -> bool {
        self.is_stop()
    }
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name.fmt_with_dot())?;
        match self.kind {
            FaultKind::WildcardNs => f.write_str("NS at a wildcard has no meaning; it passes"),
            FaultKind::DnameBesideNs => f.write_str("NS beside DNAME below the apex; it passes"),
            FaultKind::UnsignedDs => f.write_str("DS without RRSIG in a signed zone; it passes"),
            FaultKind::MissingNsec => f.write_str("neither DS nor NSEC at the cut; it passes"),
            FaultKind::UnsignedNsec => f.write_str("NSEC without RRSIG at the cut; it passes"),
            FaultKind::WrongNsec => {
                f.write_str("the NSEC does not prove an insecure delegation; it passes")
            }
            FaultKind::MissingNsec3 => f.write_str(
                "neither DS nor NSEC3 at the cut, and the NSEC3 chain has a gap there; it passes",
            ),
            FaultKind::MissingEncloser => f.write_str(
                "neither DS nor NSEC3 at the cut, and no NSEC3 for any name above it; it passes",
            ),
            FaultKind::UnsignedNsec3 { owner } => {
                write!(
                    f,
                    "NSEC3 without RRSIG: {}; it passes",
                    owner.fmt_with_dot()
                )
            }
            FaultKind::WrongNsec3 { owner } => write!(
                f,
                "the NSEC3 {} does not prove an insecure delegation; it passes",
                owner.fmt_with_dot()
            ),
            FaultKind::NoOptOut { owner } => write!(
                f,
                "neither DS nor NSEC3 at the cut, and the NSEC3 {} that covers it has no opt-out; \
                 it passes",
                owner.fmt_with_dot()
            ),
            FaultKind::DsInUnsignedZone => {
                f.write_str("DS in a zone that is not signed is left out of referrals")
            }
            FaultKind::OneNameServer => f.write_str("only one name server"),
            FaultKind::MissingGlue { target } => {
                write!(
                    f,
                    "in-domain name server {} has no glue",
                    target.fmt_with_dot()
                )
            }
            FaultKind::TargetIsCname { target } => {
                write!(
                    f,
                    "name server {} is an alias (CNAME)",
                    target.fmt_with_dot()
                )
            }
            FaultKind::SiblingCycle => {
                f.write_str("all name servers depend on siblings that depend on this delegation")
            }
            FaultKind::StrayGlue { owner } => {
                write!(
                    f,
                    "addresses of {} belong to no name server",
                    owner.fmt_with_dot()
                )
            }
            FaultKind::OrphanGlue => f.write_str("may be glue of a delegation that is gone"),
            FaultKind::ChainWithGaps => f.write_str(
                "the NSEC3 chain has gaps: answers that names in them do not exist have no proof",
            ),
            FaultKind::ManyIterations { iterations } => write!(
                f,
                "{iterations} iterations of NSEC3: validators take the proofs for none, or fail"
            ),
            FaultKind::KeysWithoutSignatures => f.write_str(
                "DNSKEY, but no RRSIG of the SOA record: taken for a zone without DNSSEC",
            ),
            FaultKind::TtlMismatch { rtype } => {
                write!(
                    f,
                    "records of the {rtype} RRset differ in TTL; the lowest counts"
                )
            }
            FaultKind::InvalidSignatures { rrsets } => {
                write!(
                    f,
                    "signatures expired or not yet valid, here first, in {rrsets} RRsets"
                )
            }
            FaultKind::ExpiringSignatures { rrsets, seconds } => write!(
                f,
                "signatures of {rrsets} RRsets expire soon, here first, in {} hours",
                seconds / 3600
            ),
            FaultKind::DelegWithoutNs(_) => f.write_str("DELEG without NS; queries for it pass"),
        }
    }
}
