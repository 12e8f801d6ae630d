//! The measurement of dns-glue against reflectors and name servers: `cargo
//! xtask bench`.
//!
//! ```text
//! results (what was measured)
//! ```
//!
//! Nothing of it is part of dns-glue.

pub mod results;
