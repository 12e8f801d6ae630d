//! dns-glue: referrals of a delegation zone, answered in the kernel.
//!
//! ```text
//! zone file -> zone::records -> zone::cuts -> compile (bodies, generation) -> kernel (maps, program)
//!                          \-> serve::fallback (everything that passes)
//! host (the program's way without a kernel) -> report (check, explain)
//! nic (whether a network card is fit: check-nic)
//! compare (our replies against another server's), verify (the running program against the server behind)
//! ```

pub mod bench;
pub mod cli;
pub mod compare;
pub mod compile;
pub mod conform;
pub mod ethtool;
pub mod faults;
pub mod host;
pub mod kernel;
pub mod nic;
pub mod packed;
pub mod progress;
pub mod report;
pub mod serve;
pub mod shortage;
pub mod synthetic;
pub mod testbed;
pub mod verify;
pub mod zone;
