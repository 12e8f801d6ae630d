//! Hosts to try things on: network namespaces, and in them name servers and
//! dns-glue, each a process that ends with whoever started it.
//!
//! ```text
//! network (namespaces) -> process (in a namespace) -> server (Knot DNS, NSD, BIND)
//!                                                  \-> daemon (dns-glue)
//!                                                  \-> hosts (two, and a wire)
//! ```
//!
//! Nothing of it is part of dns-glue; `conform`, `bench` and the tests use it.

pub mod daemon;
pub mod folder;
pub mod hosts;
pub mod interrupt;
pub mod needs;
pub mod network;
pub mod process;
pub mod server;
pub mod socket;
