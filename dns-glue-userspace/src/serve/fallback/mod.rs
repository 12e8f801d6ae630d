//! The built-in name server behind the program (`--fallback embedded`).
//!
//! Whatever the kernel passes reaches it: apex and in-zone names, negative
//! answers, everything over TCP. It serves the very records that the compiler
//! made the referrals of.
//!
//! ```text
//! request octets -> response::answer -> lookup (what to say) -> message (how it is encoded) -> reply octets
//! server: sockets (domain's net::server) around response::answer
//! ```
//!
//! *Invariant:* a reply is a function of the zones, the settings, the request
//! and the transport alone ([`answer`] has no other input), so the server, the
//! tests and `explain` cannot disagree. Held by `tests/fallback_server.rs`.
//!
//! *Invariant:* no request makes it panic, and no reply is longer than its
//! transport allows. Held by the property tests of [`response`].

pub mod lookup;
mod message;
pub mod response;
pub mod server;
mod transport;

use std::collections::HashMap;
use std::sync::Arc;

use domain::base::Name;

pub use response::{Settings, Transport, answer};
pub use server::{Fallback, Limits};

use crate::zone::records::{NameRef, Zone};

/// The zones that the fallback serves, by apex.
///
/// Immutable: a reload builds another one and hands it to
/// [`Fallback::replace_zones`].
#[derive(Debug, Default)]
pub struct FallbackZones {
    /// Apex to zone; names compare without regard to case.
    by_apex: HashMap<Name<Box<[u8]>>, Arc<Zone>>,
}

/// Why a set of zones cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum FallbackError {
    /// Two zones have the same apex.
    #[error("zone {0} is given twice")]
    Twice(Name<Box<[u8]>>),
}

impl FallbackZones {
    /// Takes the zones to serve.
    ///
    /// # Errors
    ///
    /// An apex given twice.
    pub fn new(zones: impl IntoIterator<Item = Arc<Zone>>) -> Result<Self, FallbackError> {
        let mut by_apex = HashMap::new();
        for zone in zones {
            let apex = boxed(zone.apex());
            if by_apex.insert(apex.clone(), zone).is_some() {
                return Err(FallbackError::Twice(apex));
            }
        }
        Ok(Self { by_apex })
    }

    /// The zone whose apex is `name` or its closest ancestor.
    fn enclosing(&self, name: &NameRef) -> Option<&Zone> {
        let mut suffix = Some(name);
        while let Some(apex) = suffix {
            if let Some(zone) = self.by_apex.get(apex) {
                return Some(zone);
            }
            suffix = parent(apex);
        }
        None
    }
}

/// `name` without its first label; `None` for the root.
fn parent(name: &NameRef) -> Option<&NameRef> {
    (!name.is_root()).then(|| name.slice_from(name.first().len() + 1))
}

/// An owned copy.
fn boxed(name: &NameRef) -> Name<Box<[u8]>> {
    Name::from_octets(Box::from(name.as_slice())).expect("the octets of a name are a name")
}
