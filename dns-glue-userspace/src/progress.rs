//! Telling how far a long piece of work has come.

/// Whoever watches a piece of work; the work does not know what is done with
/// it.
pub trait Progress {
    /// A phase begins: what it does, and how many steps it has (0 if nobody
    /// knows).
    fn begin(&self, phase: &str, steps: u64);

    /// That many more steps of the phase are done.
    fn advance(&self, steps: u64);
}

/// Nobody watches.
impl Progress for () {
    fn begin(&self, _phase: &str, _steps: u64) {}

    fn advance(&self, _steps: u64) {}
}
