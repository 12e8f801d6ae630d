//! The kernel side of userspace: loading, filling, attaching, reading counters.
//!
//! ```text
//! Generation -> requirements (may we, can we) -> load (maps, fill, verifier) -> attach (a link an interface)
//!                                                  \-> deadlines (of the zones, by the clock)
//!                                                  \-> host_maps (interfaces, addresses), counters
//! ```
//!
//! *Invariant:* nothing outside this folder knows aya, but the client of
//! `bench`, which has programs of its own (`bench::load::programs`).
//!
//! What lives how long is kept apart: [`Loaded`] is the program of one
//! generation with its maps and the [`Deadlines`] of its zones; [`HostMaps`] and [`Counters`] belong to the host
//! and change while it runs; an [`Attachment`] is the link to one interface,
//! whose program can be replaced. All of them are held by file descriptors
//! alone, so the kernel detaches the program when the process ends, however it
//! ends. Held by the test `a_killed_daemon_leaves_no_program`.

pub mod attach;
pub mod clock;
pub mod counters;
pub mod deadlines;
mod fill;
pub mod host_maps;
pub mod load;
pub mod log_records;
pub mod memory;
pub mod requirements;
pub mod run_time;
pub mod test_run;
pub(crate) mod value;

pub use attach::{AttachError, AttachMode, Attachment, Target};
pub use counters::Counters;
pub use deadlines::Deadlines;
pub use host_maps::HostMaps;
pub use load::{LoadError, LoadOptions, Loaded};
pub use test_run::{RunningError, RunningProgram};
