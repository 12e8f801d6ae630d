//! One run of the loaded program on a frame that no interface has seen
//! (`BPF_PROG_TEST_RUN`).

use std::time::Duration;

use aya::programs::{TestRun as _, TestRunOptions, Xdp};
use dns_glue_common::maps::PROGRAM;

use super::{LoadError, Loaded};

/// Octets by which a run can make a frame longer: more than the longest reply.
const GROWTH_OCTETS: usize = 4096;

/// What the program did with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// What it returned: a number of `enum xdp_action`.
    pub action: u32,
    /// The frame as it left it.
    pub octets: Vec<u8>,
    /// How long it took, as the kernel measured it; nanoseconds are its unit.
    pub duration: Duration,
}

impl Loaded {
    /// Runs the program once on `frame`, as if it came in on the loopback
    /// interface (index 1) of this thread's network namespace.
    ///
    /// The frame has the tail room of a page. It must have at least 14 octets;
    /// one that is longer than about 3,500 lies in several buffers.
    ///
    /// # Errors
    ///
    /// The kernel refuses the frame, or the caller may not run programs.
    pub fn test_run(&self, frame: &[u8]) -> Result<TestRun, LoadError> {
        let program = self
            .ebpf
            .program(PROGRAM)
            .ok_or(LoadError::Missing(PROGRAM))?;
        let program: &Xdp = program.try_into().map_err(LoadError::Program)?;
        let mut octets = vec![0; frame.len() + GROWTH_OCTETS];
        let result = program
            .test_run(TestRunOptions {
                data_in: Some(frame),
                data_out: Some(&mut octets),
                // Once: the packet is not restored between repetitions.
                repeat: 1,
                ..TestRunOptions::default()
            })
            .map_err(LoadError::Program)?;
        // The kernel fails with ENOSPC rather than tell of more than it wrote.
        octets.truncate(result.data_size_out as usize);
        Ok(TestRun {
            action: result.return_value,
            octets,
            duration: result.duration,
        })
    }
}
