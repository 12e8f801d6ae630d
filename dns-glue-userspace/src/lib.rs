//! dns-glue: referrals of a delegation zone, answered in the kernel.
//!
//! ```text
//! zone file -> zone::records -> zone::cuts -> compile (bodies, generation) -> kernel (maps, program)
//!                          \-> serve::fallback (everything that passes)
//! ```

pub mod cli;
pub mod compile;
pub mod host;
pub mod kernel;
pub mod progress;
pub mod serve;
pub mod zone;
