//! What a reply of the server behind says, or what is wrong with it.

use std::fmt;
use std::io;

use domain::base::Message;
use domain::base::iana::{Rcode, Rtype};
use domain::rdata::Soa;

use crate::zone::records::NameRef;

/// What is wrong at the server behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No reply in time.
    NoReply,
    /// The port is closed.
    NotListening,
    /// The connection ended before the reply.
    Closed,
    /// The address is not one of this host, so that nobody here can be asked.
    NotHere,
    /// Something else that the system said.
    System(String),
    /// A reply that is no message, or not one to the query.
    Malformed,
    /// An RCODE that is not due.
    Rcode(Rcode),
    /// AA is clear where an authoritative answer is due.
    NotAuthoritative,
    /// No SOA record of the zone in the answer.
    NoSoa,
    /// AA is set where a referral is due: the server has the delegated zone
    /// too, or not the delegation.
    Authoritative,
    /// No NS records of the delegation in the authority section.
    NotReferred,
}

impl Problem {
    /// What the system's error means to somebody who asks.
    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::NoReply,
            io::ErrorKind::ConnectionRefused => Self::NotListening,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => Self::Closed,
            io::ErrorKind::AddrNotAvailable => Self::NotHere,
            _ => Self::System(error.to_string()),
        }
    }

    /// Whether nothing was said at all.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::NoReply | Self::NotListening | Self::Closed | Self::NotHere | Self::System(_) => {
                true
            }
            Self::Malformed
            | Self::Rcode(_)
            | Self::NotAuthoritative
            | Self::NoSoa
            | Self::Authoritative
            | Self::NotReferred => false,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReply => f.write_str("no reply"),
            Self::NotListening => f.write_str("nobody listens"),
            Self::Closed => f.write_str("the connection was closed without a reply"),
            Self::NotHere => f.write_str("no interface of this host has the address"),
            Self::System(error) => f.write_str(error),
            Self::Malformed => f.write_str("a reply that cannot be read"),
            Self::Rcode(rcode) => write!(f, "{rcode}"),
            Self::NotAuthoritative => f.write_str("no authority (AA clear)"),
            Self::NoSoa => f.write_str("an answer without the SOA record of the zone"),
            Self::Authoritative => {
                f.write_str("authority (AA set) for a delegated name: see --serves")
            }
            Self::NotReferred => f.write_str("no referral to the delegation"),
        }
    }
}

/// The serial of a zone, from the authoritative answer to a query for its SOA
/// record.
///
/// # Errors
///
/// The reply is no such answer.
pub fn serial(reply: &Message<[u8]>, apex: &NameRef) -> Result<u32, Problem> {
    expect_rcode(reply, &[Rcode::NOERROR])?;
    if !reply.header().aa() {
        return Err(Problem::NotAuthoritative);
    }
    let answer = reply.answer().map_err(|_| Problem::Malformed)?;
    for record in answer.limit_to::<Soa<_>>() {
        let record = record.map_err(|_| Problem::Malformed)?;
        if record.owner() == apex {
            return Ok(record.data().serial().into_int());
        }
    }
    Err(Problem::NoSoa)
}

/// Checks the reply to a query for a name that is not below any delegation:
/// NXDOMAIN, or the data of a wildcard, with authority.
pub(super) fn check_miss(reply: &Message<[u8]>) -> Result<(), Problem> {
    expect_rcode(reply, &[Rcode::NOERROR, Rcode::NXDOMAIN])?;
    if reply.header().aa() {
        Ok(())
    } else {
        Err(Problem::NotAuthoritative)
    }
}

/// Checks the reply to a query for a delegated name: a referral (RFC 1034
/// section 4.3.2 step 3b), or TC=1.
pub(super) fn check_referral(reply: &Message<[u8]>, cut: &NameRef) -> Result<(), Problem> {
    expect_rcode(reply, &[Rcode::NOERROR])?;
    if reply.header().aa() {
        return Err(Problem::Authoritative);
    }
    if reply.header().tc() {
        return Ok(());
    }
    for record in reply.authority().map_err(|_| Problem::Malformed)? {
        let record = record.map_err(|_| Problem::Malformed)?;
        if record.rtype() == Rtype::NS && record.owner() == cut {
            return Ok(());
        }
    }
    Err(Problem::NotReferred)
}

fn expect_rcode(reply: &Message<[u8]>, due: &[Rcode]) -> Result<(), Problem> {
    let rcode = reply.header().rcode();
    if due.contains(&rcode) {
        Ok(())
    } else {
        Err(Problem::Rcode(rcode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::{MessageBuilder, Name, Serial, Ttl};
    use domain::rdata::Ns;

    type OwnedName = Name<Vec<u8>>;

    fn name(text: &str) -> OwnedName {
        Name::vec_from_str(text).expect("a name")
    }

    /// A reply with an SOA record of serial 7 or an NS record.
    struct Made {
        rcode: Rcode,
        aa: bool,
        tc: bool,
        soa: Option<&'static str>,
        ns: Option<&'static str>,
    }

    const NOTHING: Made = Made {
        rcode: Rcode::NOERROR,
        aa: false,
        tc: false,
        soa: None,
        ns: None,
    };

    fn message(made: &Made) -> Message<Vec<u8>> {
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_rcode(made.rcode);
        builder.header_mut().set_aa(made.aa);
        builder.header_mut().set_tc(made.tc);
        let mut answer = builder.answer();
        if let Some(owner) = made.soa {
            let host = || name("ns.example.");
            let soa = Soa::new(
                host(),
                host(),
                Serial::from(7),
                Ttl::ZERO,
                Ttl::ZERO,
                Ttl::ZERO,
                Ttl::ZERO,
            );
            answer.push((name(owner), 60, soa)).expect("room");
        }
        let mut authority = answer.authority();
        if let Some(owner) = made.ns {
            let ns = Ns::new(name("ns.example."));
            authority.push((name(owner), 60, ns)).expect("room");
        }
        authority.into_message()
    }

    #[test]
    fn serials_come_with_authority_from_the_zone_itself() {
        let apex = name("Example.");
        let read = |made: Made| serial(message(&made).for_slice(), apex.for_slice());
        let answer = || Made {
            aa: true,
            soa: Some("example."),
            ..NOTHING
        };
        assert_eq!(read(answer()), Ok(7));
        let without = Made {
            aa: false,
            ..answer()
        };
        assert_eq!(read(without), Err(Problem::NotAuthoritative));
        let refused = Made {
            rcode: Rcode::REFUSED,
            ..NOTHING
        };
        assert_eq!(read(refused), Err(Problem::Rcode(Rcode::REFUSED)));
        let other = Made {
            soa: Some("other.example."),
            ..answer()
        };
        assert_eq!(read(other), Err(Problem::NoSoa));
    }

    #[test]
    fn misses_are_denied_or_answered_with_authority() {
        for (rcode, aa, due) in [
            (Rcode::NXDOMAIN, true, Ok(())),
            (Rcode::NOERROR, true, Ok(())),
            (Rcode::NXDOMAIN, false, Err(Problem::NotAuthoritative)),
            (Rcode::SERVFAIL, false, Err(Problem::Rcode(Rcode::SERVFAIL))),
        ] {
            let made = Made {
                rcode,
                aa,
                ..NOTHING
            };
            assert_eq!(check_miss(message(&made).for_slice()), due, "{rcode} {aa}");
        }
    }

    #[test]
    fn referrals_have_name_servers_and_no_authority() {
        let cut = name("Sub.example.");
        let check = |made: Made| check_referral(message(&made).for_slice(), cut.for_slice());
        let referral = || Made {
            ns: Some("sub.example."),
            ..NOTHING
        };
        assert_eq!(check(referral()), Ok(()));
        let truncated = Made {
            tc: true,
            ..NOTHING
        };
        assert_eq!(check(truncated), Ok(()));
        assert_eq!(check(NOTHING), Err(Problem::NotReferred));
        let other = Made {
            ns: Some("example."),
            ..NOTHING
        };
        assert_eq!(check(other), Err(Problem::NotReferred));
        let own = Made {
            aa: true,
            ..referral()
        };
        assert_eq!(check(own), Err(Problem::Authoritative));
        let gone = Made {
            rcode: Rcode::NXDOMAIN,
            aa: true,
            ..NOTHING
        };
        assert_eq!(check(gone), Err(Problem::Rcode(Rcode::NXDOMAIN)));
    }

    #[test]
    fn errors_of_the_system_are_told_apart() {
        for (kind, problem) in [
            (io::ErrorKind::ConnectionRefused, Problem::NotListening),
            (io::ErrorKind::TimedOut, Problem::NoReply),
            (io::ErrorKind::ConnectionReset, Problem::Closed),
            (io::ErrorKind::AddrNotAvailable, Problem::NotHere),
        ] {
            assert_eq!(Problem::of(&kind.into()), problem);
        }
        let other = Problem::of(&io::Error::other("out of order"));
        assert_eq!(other.to_string(), "out of order");
        assert!(other.is_silence());
        assert!(!Problem::Rcode(Rcode::REFUSED).is_silence());
    }
}
