//! The measurement of dns-glue against reflectors and name servers: `cargo
//! xtask bench`.
//!
//! ```text
//! zones -> workload (what is asked) -> Measure (all contenders under load) -\
//!      \-> zone_work (what it takes to serve a zone) -----------------------+-> results
//!      \-> cases (the program alone) --------------------------------------/
//! results -> report (goals, tables, a plot);  run (all of it, in order)
//! ```
//!
//! Nothing of it is part of dns-glue.

pub mod cases;
pub mod machine;
pub mod names;
pub mod report;
pub mod results;
pub mod run;
pub mod workload;
pub mod zone_work;
pub mod zones;
