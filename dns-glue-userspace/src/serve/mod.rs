//! The daemon: it holds the program on its interfaces, and keeps what the
//! program must know of the host up to date.
//!
//! ```text
//! requirements -> control socket -> interfaces -> zones -> load -> attach -> follow (signals, netlink, control)
//! ```
//!
//! *Invariant:* nothing is attached before every zone is compiled, every
//! interface is known to be free, and the fallback's sockets are bound.

pub mod addresses;
pub mod behind;
pub mod compiled;
pub mod control;
pub mod daemon;
pub mod fallback;
pub mod interfaces;
pub mod network;
pub mod offloads;
pub mod status;
