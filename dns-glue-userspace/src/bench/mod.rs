//! The measurement of dns-glue against reflectors and name servers: `cargo
//! xtask bench`.
//!
//! ```text
//! zones -> workload (what is asked) -> under_load (all contenders)         -\
//!      \-> zone_work (what it takes to serve a zone) -----------------------+-> results
//!      \-> cases (the program alone) --------------------------------------/
//!      under_load: contender -> site on a wire, load (a client in the kernel) -> round -> measure
//! results -> report (goals, tables, a plot);  run (all of it, in order)
//! ```
//!
//! Nothing of it is part of dns-glue.

pub mod cases;
pub mod contender;
pub mod contest;
pub mod load;
pub mod lossless;
pub mod machine;
pub mod measure;
pub mod names;
pub mod report;
pub mod results;
pub mod round;
pub mod run;
pub mod site;
pub mod threads;
pub mod under_load;
pub mod wire;
pub mod workload;
pub mod zone_work;
pub mod zones;
