//! Whether two servers say the same: our reply to a query against that of
//! another server, which need not be the same octets.
//!
//! ```text
//! reply (a message as sets of records, read by the crate `domain`)
//!   -> referral (our referral against what the zone has, octet by octet of room; then theirs against ours)
//!        ground (what is asked of us before any reply: the cut, the order of glue)
//!        parts (the whole referral, piece by piece, and how much of it a reply has)
//!        encoding (how long records are when all names are compressed)
//!        fault (what other servers are known to do otherwise)
//!        wholes (referrals without a limit of size, asked once each)
//!   -> pass (a reply with dns-glue in front against one without)
//! ```
//!
//! *Invariant:* nothing that compiles or sends a referral judges one. What
//! comes from this project is the order of optional records, which no RFC
//! gives; what they are and whether they fit is the other server's word and
//! arithmetic of this folder.

pub mod encoding;
pub mod fault;
pub mod ground;
mod parts;
pub mod pass;
pub mod query;
pub mod record;
pub mod referral;
pub mod reply;
pub mod wholes;

pub use fault::{Fault, Server};
pub use ground::Ground;
pub use referral::{Judge, Judgement, Outcome};
pub use reply::Reply;
pub use wholes::{Reference, Wholes};
