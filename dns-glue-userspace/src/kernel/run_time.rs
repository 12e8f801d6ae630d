//! How long programs take, by the kernel's own clock.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use aya::programs::ProgramError;
use aya::sys::{Stats, SyscallError, enable_stats};

/// While it lives, the kernel times every run of every program; each of them
/// takes some tens of nanoseconds longer then.
#[derive(Debug)]
pub struct Timing {
    _enabled: OwnedFd,
}

impl Timing {
    /// Starts.
    ///
    /// # Errors
    ///
    /// The caller may not (CAP_SYS_ADMIN), or the kernel is older than 5.8.
    pub fn start() -> Result<Self, SyscallError> {
        let enabled = enable_stats(Stats::RunTime)?;
        Ok(Self { _enabled: enabled })
    }
}

/// Runs of a program while they were timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimedRuns {
    /// How many.
    pub count: u64,
    /// How long all of them took.
    pub time: Duration,
}

/// The timed runs so far of the program of that number.
///
/// # Errors
///
/// It is gone, or the caller may not see it.
pub fn timed_runs(id: u32) -> Result<TimedRuns, ProgramError> {
    for info in aya::programs::loaded_programs() {
        let info = info?;
        if info.id() == id {
            return Ok(TimedRuns {
                count: info.run_count(),
                time: info.run_time(),
            });
        }
    }
    Err(io::Error::from(io::ErrorKind::NotFound).into())
}
