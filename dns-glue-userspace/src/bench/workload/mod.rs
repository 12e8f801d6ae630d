//! What is asked: queries in wire form, the same ones for the same seed.
//!
//! ```text
//! tld (a synthetic TLD, from its seed) ---------\
//! zone (a zone that is compiled; real names) ----> messages -> Workload
//! query_file (lines of `QNAME QTYPE`) ----------/
//! ```

pub mod messages;
pub mod popularity;
pub mod query_file;
pub mod tld;
pub mod zone;

pub use messages::{Edns, Messages};
pub use popularity::Popularity;
pub use tld::Tld;

/// Queries of one kind, to be sent in their order, again from the first after
/// the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// What the tables call it.
    pub name: String,
    /// The queries.
    pub messages: Messages,
    /// Whether each gets a referral.
    pub is_all_referrals: bool,
}

/// How much is drawn, and from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Queries of a workload; at most [`messages::MAX_QUERIES`].
    pub queries: usize,
    /// What every choice depends on.
    pub seed: u64,
}
