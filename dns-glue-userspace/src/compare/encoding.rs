//! How long the names of a referral are when all of them are compressed.
//!
//! With every suffix pointed to that stood earlier, the sum does not depend on
//! the order of the names: each suffix is written once.

use std::collections::HashSet;

/// Octets of a compression pointer (RFC 1035 section 4.1.4).
pub const POINTER_OCTETS: usize = 2;
/// Octets by which our encoding may be longer than another server's: pieces
/// that delegations share cannot point everywhere.
pub const SLACK_OCTETS: usize = 8;

/// The names that can be pointed to in a message.
#[derive(Clone, Debug, Default)]
pub struct Names {
    known: HashSet<Box<[u8]>>,
}

impl Names {
    /// Writes a name in wire form; octets that it takes.
    pub fn write(&mut self, name: &[u8]) -> usize {
        let name = name.to_ascii_lowercase();
        let mut written = 0;
        while name[written] != 0 {
            if !self.known.insert(name[written..].into()) {
                return written + POINTER_OCTETS;
            }
            written += 1 + usize::from(name[written]);
        }
        written + 1
    }
}
