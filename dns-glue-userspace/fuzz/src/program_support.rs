//! Frames and queries, built octet by octet: those of the tests of
//! dns-glue-userspace.

#![allow(
    dead_code,
    missing_docs,
    reason = "each crate and test uses a part of it"
)]

#[path = "../../tests/program_support/frame.rs"]
pub mod frame;
#[path = "../../tests/program_support/program.rs"]
pub mod program;
#[path = "../../tests/program_support/query.rs"]
pub mod query;
#[path = "../../tests/program_support/random.rs"]
pub mod random;
#[path = "../../tests/program_support/root.rs"]
pub mod root;
