//! Who answers.

use std::fmt;
use std::str::FromStr;

use super::load::programs::Reflector;
use crate::compare::Server;

/// Somebody who answers queries, or at least sends them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// A program that sends every frame back.
    Reflector(Reflector),
    /// dns-glue, with nobody behind it.
    DnsGlue,
    /// dns-glue with a server behind it.
    DnsGlueBefore(Server),
    /// A program that passes every frame, with a server behind it.
    PassingBefore(Server),
    /// A server over sockets.
    Server(Server),
    /// Knot DNS over `AF_XDP`.
    KnotXdp,
}

impl Contender {
    /// All, the fastest first.
    pub const ALL: [Self; 13] = [
        Self::Reflector(Reflector::Bare),
        Self::Reflector(Reflector::Growing),
        Self::Reflector(Reflector::Writing),
        Self::DnsGlue,
        // Behind dns-glue, because their arrays are as large as its maps.
        Self::Reflector(Reflector::Reading(1)),
        Self::Reflector(Reflector::Reading(2)),
        Self::Reflector(Reflector::Reading(3)),
        Self::DnsGlueBefore(Server::Knot),
        Self::PassingBefore(Server::Knot),
        Self::KnotXdp,
        Self::Server(Server::Nsd),
        Self::Server(Server::Knot),
        Self::Server(Server::Bind),
    ];

    /// The server that it is, or that is behind it.
    pub fn server(self) -> Option<Server> {
        match self {
            Self::DnsGlueBefore(server) | Self::PassingBefore(server) | Self::Server(server) => {
                Some(server)
            }
            Self::KnotXdp => Some(Server::Knot),
            Self::Reflector(_) | Self::DnsGlue => None,
        }
    }

    /// Whether all its work is done where packets arrive, so that it is at its
    /// best when there is always another packet.
    pub fn is_in_kernel(self) -> bool {
        matches!(self, Self::Reflector(_) | Self::DnsGlue)
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reflector(Reflector::Bare) => f.write_str("reflector"),
            Self::Reflector(Reflector::Growing) => f.write_str("growing-reflector"),
            Self::Reflector(Reflector::Writing) => f.write_str("writing-reflector"),
            Self::Reflector(Reflector::Reading(reads)) => write!(f, "reading-reflector-{reads}"),
            Self::DnsGlue => f.write_str("dns-glue"),
            Self::DnsGlueBefore(server) => {
                write!(f, "dns-glue+{}", server.to_string().to_lowercase())
            }
            Self::PassingBefore(server) => {
                write!(f, "pass+{}", server.to_string().to_lowercase())
            }
            Self::Server(server) => f.write_str(&server.to_string().to_lowercase()),
            Self::KnotXdp => f.write_str("knot-xdp"),
        }
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.to_string() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(|one| one.to_string()).join(", ");
            format!("{text} is none of {names}")
        })
    }
}
