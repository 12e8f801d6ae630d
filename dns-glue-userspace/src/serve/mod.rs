//! The daemon: it holds the program on its interfaces, and keeps what the
//! program must know of the host up to date.
//!
//! ```text
//! requirements -> control socket, pins -> interfaces -> zones -> load -> adopt or attach
//!     -> follow (signals, netlink, control, files) -> reload (zones -> load -> replace), again and again
//! ```
//!
//! *Invariant:* nothing is attached before every zone is compiled, every
//! interface is known to be free or left to us, and the fallback's sockets are
//! bound.

pub mod addresses;
pub mod behind;
pub mod changes;
pub mod compiled;
pub mod control;
pub mod daemon;
pub mod fallback;
mod findings;
pub mod interfaces;
pub mod network;
pub mod offloads;
pub mod paths;
pub mod status;
pub mod watch;
