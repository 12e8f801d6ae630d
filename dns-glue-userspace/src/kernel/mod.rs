//! The kernel side of userspace: loading, filling, attaching, replacing, reading
//! counters.
//!
//! ```text
//! Generation -> requirements (may we, can we) -> load (maps, fill, freeze, verifier) -> attach (a link an interface)
//!                                                 |                                      ^
//!                      host_maps, counters <- pins (shared maps, pinned links) ----------/ replace (the next generation)
//!                                                  \-> deadlines (of the zones, by the clock)
//! ```
//!
//! *Invariant:* nothing outside this folder knows aya, but the client of
//! `bench`, which has programs of its own (`bench::load::programs`).
//!
//! What lives how long is kept apart: [`Loaded`] is the program of one
//! generation with its maps and the [`Deadlines`] of its zones; [`HostMaps`]
//! and [`Counters`] belong to the host, change while it runs, and are shared by
//! all generations; an [`Attachment`] is the link to one interface, whose
//! program is replaced by the next generation's. A packet runs one program, so
//! it sees one whole generation.
//!
//! Everything is held by file descriptors, so the kernel detaches the program
//! when the process ends, however it ends; but what is pinned in a
//! [`PinFolder`] stays, and the next daemon takes it over. Held by the tests
//! `a_killed_daemon_with_the_fallback_leaves_no_program` and
//! `a_killed_daemon_goes_on_answering_and_the_next_takes_over`.

pub mod about;
pub mod attach;
pub mod beginning;
pub mod clock;
pub mod counters;
pub mod deadlines;
mod fill;
mod freeze;
pub mod host_maps;
pub mod link;
pub mod load;
pub mod log_records;
pub mod memory;
mod pinned_link;
pub mod pins;
pub mod requirements;
pub mod room_probe;
pub mod run_time;
mod shared;
mod syscall;
pub mod tables;
pub mod test_run;
pub mod unattended;
pub(crate) mod value;

pub use about::About;
pub use attach::{AttachError, AttachMode, Attachment, Target};
pub use counters::Counters;
pub use deadlines::Deadlines;
pub use host_maps::{HostMaps, ServedInterface};
pub use link::XdpLink;
pub use load::{LoadError, LoadOptions, Loaded};
pub use pinned_link::PinnedLink;
pub use pins::{PinFolder, PinsError};
pub use shared::SharedMaps;
pub use tables::{TableMaps, TableView};
pub use test_run::{RunningError, RunningProgram};
