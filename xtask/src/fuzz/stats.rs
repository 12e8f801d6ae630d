//! What libFuzzer says at its end.

use std::fmt;

/// Totals of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Executions.
    pub executions: u64,
    /// Executions a second, of all processes together.
    pub rate: u64,
    /// Inputs in the corpus.
    pub corpus: usize,
    /// Inputs that break a law.
    pub findings: usize,
}

impl Stats {
    /// Executions and their rate, by `-print_final_stats=1`; `None` if the
    /// process did not get that far.
    pub fn of(log: &str) -> Option<Self> {
        let number = |name: &str| {
            let line = log.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse().ok()
        };
        Some(Self {
            executions: number("stat::number_of_executed_units:")?,
            rate: number("stat::average_exec_per_sec:")?,
            ..Self::default()
        })
    }

    /// Adds those of a process that ran at the same time.
    pub fn add(&mut self, other: Self) {
        self.executions += other.executions;
        self.rate += other.rate;
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            executions,
            rate,
            corpus,
            findings,
        } = self;
        write!(f, "{executions:11} {rate:9} {corpus:7} {findings:9}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log() {
        let log = "Done 5 runs in 2 second(s)\nstat::number_of_executed_units: 922574\n\
                   stat::average_exec_per_sec:     29760\nstat::new_units_added:          9\n";
        let mut stats = Stats::of(log).expect("both numbers");
        assert_eq!((stats.executions, stats.rate), (922_574, 29_760));
        stats.add(stats);
        assert_eq!((stats.executions, stats.rate), (1_845_148, 59_520));
        assert_eq!(Stats::of("INFO: Seed: 1"), None);
    }
}
