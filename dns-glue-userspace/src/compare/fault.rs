//! What other name servers are known to do otherwise than the RFCs, or than
//! dns-glue has decided (the versions of Debian 12: NSD 4.6.1, BIND 9.18.49).

use std::fmt;

/// A name server to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Server {
    /// Knot DNS, which meets RFC 9471: the measure of all.
    Knot,
    /// NSD.
    Nsd,
    /// BIND.
    Bind,
}

/// A habit of some server that makes its referral differ from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// TC=0, although in-domain glue is missing for want of room, perhaps for
    /// the sake of sibling glue: these servers put all addresses of one family
    /// first.
    PartialGlue,
    /// TC=0 without addresses for which there is room: none are added beyond
    /// 1220 octets over IPv6 and 1232 over IPv4, in-domain glue neither.
    StopsShort,
    /// TC=1, although nothing is missing but addresses that are optional.
    TruncatedForOptional,
    /// No addresses of name servers that are the zone's own data.
    NoAuthoritativeAddresses,
    /// CD copied from the query.
    CdCopied,
    /// Addresses of name servers that only a wildcard has.
    WildcardAddresses,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::PartialGlue,
        Self::StopsShort,
        Self::TruncatedForOptional,
        Self::NoAuthoritativeAddresses,
        Self::CdCopied,
        Self::WildcardAddresses,
    ];

    /// Who is known for it, and why it is not copied.
    const fn entry(self) -> (&'static [Server], &'static str) {
        match self {
            Self::PartialGlue => (
                &[Server::Nsd, Server::Bind],
                "TC=0 without all in-domain glue (RFC 9471 3.1)",
            ),
            Self::StopsShort => (
                &[Server::Nsd],
                "TC=0 without glue that fits, beyond 1220 or 1232 octets (RFC 9471 3.1)",
            ),
            Self::TruncatedForOptional => (
                &[Server::Nsd, Server::Bind],
                "TC=1 for optional addresses (RFC 9471 3.2 leaves it free)",
            ),
            Self::NoAuthoritativeAddresses => (
                &[Server::Bind],
                "no authoritative addresses (RFC 1034 4.3.2 3b)",
            ),
            Self::CdCopied => (&[Server::Bind], "CD copied (RFC 4035 3.1.6)"),
            Self::WildcardAddresses => (
                &[Server::Knot, Server::Nsd],
                "addresses from a wildcard, which dns-glue leaves out",
            ),
        }
    }

    /// Whether the server is known for it.
    pub fn is_known_of(self, server: Server) -> bool {
        self.entry().0.contains(&server)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().1)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Knot => "Knot",
            Self::Nsd => "NSD",
            Self::Bind => "BIND",
        })
    }
}
