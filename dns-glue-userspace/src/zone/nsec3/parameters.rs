//! The hash of a name (RFC 5155 section 5).

use domain::base::iana::Nsec3HashAlgorithm;
use sha1::{Digest, Sha1};

use crate::zone::records::NameRef;

/// Octets of a hash: the only algorithm is SHA-1 (RFC 5155 section 11).
pub const HASH_OCTETS: usize = 20;

/// The hash of a name.
pub type Hash = [u8; HASH_OCTETS];

/// What the hashes of a chain are made with. The algorithm is SHA-1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameters {
    /// How many times the hash is hashed again.
    pub iterations: u16,
    /// What is hashed behind the name and behind each hash; at most 255
    /// octets.
    pub salt: Box<[u8]>,
}

impl Parameters {
    /// Those of NSEC3PARAM RDATA (RFC 5155 section 4.2); `None` if it does not
    /// announce a chain that can be used: its flags are not 0 (section 4.1.2)
    /// or the algorithm is not known.
    pub(super) fn of_nsec3param(rdata: &[u8]) -> Option<Self> {
        let [algorithm, 0, high, low, salt_length, salt @ ..] = rdata else {
            return None;
        };
        let usable = *algorithm == Nsec3HashAlgorithm::SHA1.to_int()
            && salt.len() == usize::from(*salt_length);
        usable.then(|| Self {
            iterations: u16::from_be_bytes([*high, *low]),
            salt: salt.into(),
        })
    }

    /// The hash of a name, the case of ASCII letters ignored.
    #[must_use]
    pub fn hash(&self, name: &NameRef) -> Hash {
        let mut folded = [0; 255];
        let folded = &mut folded[..name.len()];
        folded.copy_from_slice(name.as_slice());
        // The octets of lengths are at most 63, below any letter.
        folded.make_ascii_lowercase();
        let mut hash = self.hash_once(folded);
        for _ in 0..self.iterations {
            hash = self.hash_once(&hash);
        }
        hash
    }

    fn hash_once(&self, octets: &[u8]) -> Hash {
        let mut sha1 = Sha1::new();
        sha1.update(octets);
        sha1.update(&self.salt);
        sha1.finalize().into()
    }
}
