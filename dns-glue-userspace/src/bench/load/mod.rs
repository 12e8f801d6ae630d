//! Queries in, replies out: a client that runs in the kernel.

mod interruption;
pub mod messages;
pub mod programs;
pub mod queries;
