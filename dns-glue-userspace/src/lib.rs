//! dns-glue: referrals of a delegation zone, answered in the kernel.
//!
//! ```text
//! zone file -> zone::records -> zone::cuts -> compile (bodies, generation) -> kernel (maps, program)
//!                          \-> serve::fallback (everything that passes)
//! ```

pub mod compile;
pub mod serve;
pub mod zone;
