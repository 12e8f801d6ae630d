//! The server behind, watched: whether it answers for the zones whose referrals
//! the program gives, and whether it has the same version of them.
//!
//! ```text
//! watch (a task for each service address, every ten seconds)
//!   -> probe (asks the server: SOA over UDP and TCP, a name that misses, a name that is referred)
//!        -> reply (what a reply says, or its problem)
//!   -> ledger (what was seen, over time) -> judgement (what to withhold)
//!        steady (how often something must be seen before it counts)  \-> status
//! ```
//!
//! Queries from this host to its own addresses do not come in over an
//! interface, so the server behind gets them, not the program.
//!
//! *Invariant:* only [`probe`] touches the network and only [`watch`] a clock.
//! The ledger is a function of what was seen, and when.

pub mod ledger;
pub mod probe;
pub mod reply;
pub mod status;
mod steady;
pub mod watch;

use std::time::Duration;

use domain::base::Name;

pub use ledger::{Judgement, Withheld};
pub use reply::Problem;
pub use status::BehindStatus;
pub use watch::Watch;

/// A zone that the program answers from, as far as the server behind is asked
/// about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedZone {
    /// Its name.
    pub apex: Name<Vec<u8>>,
    /// The serial that the program answers from.
    pub serial: u32,
    /// One of its delegations; `None` if it has none.
    pub delegation: Option<Name<Vec<u8>>>,
}

/// What follows from what the server behind does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long its serial of a zone may differ from ours before the zone's
    /// referrals are withheld; [`Duration::MAX`] for ever.
    pub max_lag: Duration,
    /// Whether referrals are given only while it answers.
    pub require_fallback: bool,
}

/// When and how patiently the server behind is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two rounds of probes at an address, give or take a tenth.
    pub period: Duration,
    /// The same until three rounds have shown the same.
    pub unsettled_period: Duration,
    /// What is waited for a reply. Over UDP a query is sent three times, and
    /// each time this is waited.
    pub patience: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(10),
            unsettled_period: Duration::from_secs(2),
            patience: Duration::from_secs(1),
        }
    }
}

/// Names for a log line: the first three, and how many more.
fn list_zones(zones: &[Name<Vec<u8>>]) -> String {
    const SHOWN: usize = 3;
    let shown = zones.iter().take(SHOWN);
    let shown: Vec<String> = shown.map(|zone| zone.fmt_with_dot().to_string()).collect();
    match zones.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
