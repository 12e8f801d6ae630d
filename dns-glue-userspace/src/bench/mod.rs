//! The measurement of dns-glue against reflectors and name servers: `cargo
//! xtask bench`.
//!
//! ```text
//! workload (what is asked)
//! results (what was measured)
//! ```
//!
//! Nothing of it is part of dns-glue.

pub mod results;
pub mod workload;
