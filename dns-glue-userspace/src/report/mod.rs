//! What compiled zones come to, told before anything is loaded: `check` for
//! whole zones, `explain` for one query.
//!
//! ```text
//! zones, cuts, compilation -> holdings (what the zones hold)
//!                          -> replies (each delegation asked, per size class) -> check -> check_text
//!                          -> fault_groups
//! query -> host::Runner -> explain -> dig (the reply as dig prints it)
//! ```
//!
//! *Invariant:* no number about a reply is worked out here. Each comes from a
//! reply that the program's own code ([`crate::host`]) wrote, or from the plan
//! that it wrote it by.

pub mod check;
mod check_text;
pub mod dig;
pub mod explain;
mod explain_text;
pub mod fault_groups;
pub mod holdings;
pub mod listing;
pub mod query;
pub mod replies;
