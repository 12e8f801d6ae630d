//! The decisions of dns-glue, shared by the kernel and userspace.
//!
//! A query's way through this crate, the same in the XDP program and on the
//! host ([`respond::respond`] is that way in one function):
//!
//! ```text
//! frame::parse -> wire::parse_query -> decide::decide -> Plan -> respond (grow, then write)
//!      \              \                    \
//!       Reason         Reason               Reason  -> reason::Action, a counter
//! ```
//!
//! [`host`] says what is answered for, [`index`] finds the delegation,
//! [`deadlines`] until when it may be answered, [`referral`] holds what is said
//! of it, [`kept`] what was said lately; [`route`] asks the kernel where a reply
//! goes, if it is to be asked.
//!
//! # Invariants
//!
//! 1. A packet is untouched until the answer is certain: parse, look up, grow,
//!    write. (`respond::tests`, `dns-glue-userspace/tests/program.rs`)
//! 2. A miss always passes. (`reason::tests`)
//! 3. A referral is given only for a name at or below a delegation; the index
//!    is keyed by a secret hash whose bound is proven in [`index`].
//! 4. Every decision about DNS is in this crate. The program only moves bytes.
//! 7. One exhaustive table leads from outcome to counter and XDP action:
//!    [`reason`].
//! 8. A reply is never longer than the client's limit, the configured maximum
//!    or the MTU allow. (`respond::tests`)
//!
//! Nothing here allocates, panics or indexes out of bounds: the verifier would
//! refuse the program, and the lints below refuse the source.

#![no_std]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

#[cfg(test)]
extern crate std;

pub mod deadlines;
pub mod decide;
pub mod frame;
pub mod host;
#[cfg(test)]
mod in_memory;
pub mod index;
pub mod kept;
pub mod limits;
pub mod maps;
pub mod name;
pub mod nsid;
pub mod policy;
pub mod reason;
pub mod referral;
pub mod respond;
pub mod room;
pub mod route;
pub mod traffic;
pub mod wire;
