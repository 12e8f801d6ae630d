//! What the kernel's clock takes of the programs that it times.

use anyhow::{Context as _, Result, ensure};
use aya::Ebpf;
use aya::programs::{TestRun as _, TestRunOptions, Xdp};
use dns_glue_common::traffic::Reading;

use super::load::programs;
use crate::kernel::run_time::timed_runs;

/// Runs of one measurement: some milliseconds.
const REPEAT: u32 = 100_000;
/// In the object.
const NAME: &str = "nothing";

/// A program that does nothing. The time that the kernel counts for it is that
/// of reading the clock, which is in the time of every other program too.
pub struct EmptyProgram(Ebpf);

impl EmptyProgram {
    /// Loads it.
    ///
    /// # Errors
    ///
    /// The kernel refuses it.
    pub fn load() -> Result<Self> {
        let mut ebpf = programs::open_reflectors(&Reading::NONE)?;
        programs::load_program(&mut ebpf, NAME)?;
        Ok(Self(ebpf))
    }

    /// Nanoseconds of a run, while the kernel times programs.
    ///
    /// # Errors
    ///
    /// It does not time them, or does not run this one.
    pub fn timed_ns(&self) -> Result<f64> {
        let program: &Xdp = self.0.program(NAME).context(NAME)?.try_into()?;
        let id = program.info()?.id();
        let before = timed_runs(id)?;
        program.test_run(TestRunOptions {
            data_in: Some(&[0; 64]),
            repeat: REPEAT,
            ..TestRunOptions::default()
        })?;
        let after = timed_runs(id)?;
        let runs = after.count - before.count;
        ensure!(runs > 0, "the kernel does not time programs");
        Ok((after.time - before.time).as_nanos() as f64 / runs as f64)
    }
}
