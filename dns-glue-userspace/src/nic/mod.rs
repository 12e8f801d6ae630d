//! Whether a network card is fit for dns-glue: `dns-glue check-nic`.
//!
//! ```text
//! gather (netlink, ethtool, sysfs, a probe) -> facts -> judge (with what is known of drivers) -> report (text, JSON)
//! ```
//!
//! *Invariant:* judging is a function of the facts and of what the operator
//! means to do; it asks nobody. So cards that no machine here has are tested
//! too.

pub mod drivers;
pub mod facts;
pub mod gather;
pub mod judge;
pub mod report;

pub use facts::Facts;
pub use judge::{Finding, Purpose, Verdict, judge};
pub use report::Report;
