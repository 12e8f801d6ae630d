//! The measurement of dns-glue against reflectors and name servers: `cargo
//! xtask bench`.
//!
//! ```text
//! workload (what is asked) -\
//!                            +-> results (what was measured) -> report (goals, tables, a plot)
//! zone_work (serving a zone) /
//! ```
//!
//! Nothing of it is part of dns-glue.

pub mod names;
pub mod report;
pub mod results;
pub mod workload;
