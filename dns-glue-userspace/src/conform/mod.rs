//! The comparison of whole zones with name servers: `cargo xtask conform`.
//!
//! ```text
//! zones (what is served) -> site (a name server and its client in namespaces of their own)
//!   part 1: matrix (which queries) -> case -> program (ours, by BPF_PROG_TEST_RUN)
//!                                          -> client (theirs, over sockets)  -> refer (crate::compare judges)
//!   part 2: queries (what passes) -> the server alone, then dns-glue in front of it -> pass
//! totals -> table
//! ```
//!
//! Nothing of it is part of dns-glue; it is a library for the sake of the
//! tests, which use the same namespaces, frames and processes.

pub mod case;
pub mod client;
pub mod frame;
pub mod matrix;
pub mod pass;
pub mod program;
pub mod queries;
pub mod random;
pub mod refer;
pub mod site;
pub mod table;
pub mod zones;
