//! Time that a processor did not have, because the host of the virtual machine
//! had other work.

use std::fs;

use anyhow::{Context as _, Result};

/// Ticks of a processor so far, as /proc/stat counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    /// Of all kinds.
    pub all: u64,
    /// Those that the host took.
    pub stolen: u64,
}

impl Ticks {
    /// Those of the processor of that number.
    ///
    /// # Errors
    ///
    /// /proc/stat does not tell of it.
    pub fn of(processor: usize) -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
        let found = Self::find(&stat, processor);
        found.with_context(|| format!("/proc/stat does not tell of processor {processor}"))
    }

    fn find(stat: &str, processor: usize) -> Option<Self> {
        let name = format!("cpu{processor}");
        let mut lines = stat.lines().map(str::split_whitespace);
        let fields = lines.find_map(|mut fields| (fields.next()? == name).then_some(fields))?;
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is
        // in the first two again.
        let ticks: Vec<u64> = fields.take(8).map_while(|one| one.parse().ok()).collect();
        let stolen = *ticks.get(7)?;
        let all = ticks.iter().sum();
        Some(Self { all, stolen })
    }

    /// What was counted after `then`.
    #[must_use]
    pub fn since(self, then: Self) -> Self {
        Self {
            all: self.all.saturating_sub(then.all),
            stolen: self.stolen.saturating_sub(then.stolen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_processor_is_found() {
        let stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu1 9 9 9 9 9 9 9 9 9 9\n\
                    cpu11 1 2 3 4 5 6 7 8 100 100\nintr 5\n";
        let ticks = Ticks::find(stat, 11).unwrap();
        assert_eq!(ticks, Ticks { all: 36, stolen: 8 });
        assert_eq!(Ticks::find(stat, 2), None);
        let then = Ticks { all: 30, stolen: 8 };
        assert_eq!(ticks.since(then), Ticks { all: 6, stolen: 0 });
    }

    #[test]
    fn this_machine_counts_ticks() {
        assert!(Ticks::of(0).unwrap().all > 0);
    }
}
