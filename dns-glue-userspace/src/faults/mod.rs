//! Faults, made on purpose under load: `cargo xtask faults`.
//!
//! ```text
//! zones: marked (every answer tells its serial), real (two days of the root zone)
//!   -> versions (what each of them says to a delegation)
//! stage: where a fault is made
//!   site (namespaces, veth pairs, a name server behind, daemon)
//!   load (clients; a phase begins and ends with nothing under way)
//!     client -> query -> reply -> judge (of which version is it, of several, of none?)
//!     tally (each query is accounted for)
//! faults: reloads, ends (kill -9 and its kin), broken (zones), memory, descriptors, host (addresses, interfaces, server behind)
//!   -> report (table, JSON)
//! run (what is done, and in which order)
//! ```
//!
//! dns-glue is a black box here: its command line, its counters and its
//! replies are all that is looked at. The server behind serves a third version
//! of the zone, so that each reply tells who gave it.
//!
//! *Invariant:* nothing that compiles or sends a referral judges one.

pub mod broken;
pub mod cgroup;
pub mod client;
pub mod daemon;
pub mod descriptors;
pub mod ends;
pub mod host;
pub mod judge;
pub mod load;
pub mod marked;
pub mod memory;
pub mod mount;
pub mod query;
pub mod real;
pub mod reloads;
pub mod report;
pub mod run;
pub mod site;
pub mod stage;
pub mod tally;
pub mod versions;
