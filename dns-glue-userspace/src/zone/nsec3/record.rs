//! The data of an NSEC3 record (RFC 5155 section 3.2).

use domain::base::iana::{Nsec3HashAlgorithm, Rtype};

use super::parameters::{Hash, Parameters};
use crate::zone::type_bitmap;

/// The opt-out bit among the flags (RFC 5155 section 3.1.2.1).
const OPT_OUT: u8 = 1;

/// One NSEC3 record with SHA-1 hashes.
#[derive(Clone, Copy, Debug)]
pub struct Nsec3<'a> {
    flags: u8,
    iterations: u16,
    salt: &'a [u8],
    next: &'a Hash,
    types: &'a [u8],
}

impl<'a> Nsec3<'a> {
    /// Reads RDATA; `None` if the algorithm is not SHA-1 or a field is not of
    /// the length that it should have.
    #[must_use]
    pub fn parse(rdata: &'a [u8]) -> Option<Self> {
        let [algorithm, flags, high, low, salt_length, rest @ ..] = rdata else {
            return None;
        };
        if *algorithm != Nsec3HashAlgorithm::SHA1.to_int() {
            return None;
        }
        let (salt, rest) = rest.split_at_checked(usize::from(*salt_length))?;
        let (hash_length, rest) = rest.split_first()?;
        let (next, types) = rest.split_first_chunk()?;
        (usize::from(*hash_length) == next.len()).then_some(Self {
            flags: *flags,
            iterations: u16::from_be_bytes([*high, *low]),
            salt,
            next,
            types,
        })
    }

    /// Whether it belongs to the chain of those parameters.
    #[must_use]
    pub fn is_of(&self, parameters: &Parameters) -> bool {
        self.iterations == parameters.iterations && *self.salt == *parameters.salt
    }

    /// Whether its interval may hold unsigned delegations that own no NSEC3
    /// (RFC 5155 section 6).
    #[must_use]
    pub fn is_opt_out(&self) -> bool {
        self.flags & OPT_OUT != 0
    }

    /// The hash of the next owner of the chain.
    #[must_use]
    pub fn next(&self) -> &'a Hash {
        self.next
    }

    /// Whether its bitmap has a type below 256.
    #[must_use]
    pub fn has_type(&self, rtype: Rtype) -> bool {
        type_bitmap::has_type(self.types, rtype)
    }

    /// Whether it shows, where it matches, an NS RRset without DS and SOA: an
    /// insecure delegation (RFC 5155 section 8.9).
    #[must_use]
    pub fn proves_insecure_delegation(&self) -> bool {
        type_bitmap::proves_insecure_delegation(self.types)
    }

    /// Whether it can match the closest encloser of a name in the zone: one
    /// that is no DNAME, and no delegation but the apex (RFC 5155 section 8.3).
    #[must_use]
    pub fn may_enclose(&self) -> bool {
        let delegated = self.has_type(Rtype::NS) && !self.has_type(Rtype::SOA);
        !delegated && !self.has_type(Rtype::DNAME)
    }
}
