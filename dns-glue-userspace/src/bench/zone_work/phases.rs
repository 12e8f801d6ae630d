//! The parts of what `dns-glue run` does with a zone, timed in this process.

use std::cell::RefCell;
use std::time::Instant;

use anyhow::Result;
use dns_glue_common::policy::Policy;

use super::ServedZone;
use crate::bench::results::Phase;
use crate::kernel::LoadOptions;
use crate::kernel::load::load;
use crate::progress::Progress;
use crate::serve::compiled::{ZoneChoice, compile_zones};

/// Compiles the zone and loads it into the kernel, attached to nothing; how
/// long each part takes.
///
/// # Errors
///
/// The zone cannot be compiled or loaded.
pub fn measure(zone: &ServedZone) -> Result<Vec<Phase>> {
    let choice = ZoneChoice {
        sources: vec![zone.source.clone()],
        also_served: Vec::new(),
        strict: false,
    };
    let clock = Clock::default();
    let compiled = compile_zones(&choice, &clock)?;
    clock.begin("loading the program, filling the maps", 0);
    let options = LoadOptions {
        policy: Policy::DEFAULT,
        log_level: log::LevelFilter::Error,
        verifier_log: None,
    };
    let loaded = load(&compiled.generation, &options)?;
    let phases = clock.end();
    drop(loaded);
    Ok(phases)
}

/// Notes when each part begins.
#[derive(Default)]
struct Clock(RefCell<Vec<(String, Instant)>>);

impl Clock {
    /// The parts, the last of which ends now.
    fn end(&self) -> Vec<Phase> {
        let begun = self.0.borrow();
        let ends = begun.iter().skip(1).map(|(_, begin)| *begin);
        let ends = ends.chain([Instant::now()]);
        begun
            .iter()
            .zip(ends)
            .map(|((name, begin), end)| Phase {
                name: name.clone(),
                seconds: end.duration_since(*begin).as_secs_f64(),
            })
            .collect()
    }
}

impl Progress for Clock {
    fn begin(&self, phase: &str, _steps: u64) {
        let phase = (phase.to_owned(), Instant::now());
        self.0.borrow_mut().push(phase);
    }

    fn advance(&self, _steps: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_where_the_next_begins() {
        let clock = Clock::default();
        let from = Instant::now();
        clock.begin("one", 0);
        clock.begin("two", 7);
        let parts = clock.end();
        let elapsed = from.elapsed().as_secs_f64();
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
        let sum: f64 = parts.iter().map(|part| part.seconds).sum();
        assert!((0.0..=elapsed).contains(&sum), "{sum} of {elapsed}");
    }
}
