//! A site and its load: where a fault is made.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::client::{Group, Moment};
use super::daemon::Counters;
use super::load::Load;
use super::report::Row;
use super::site::{Plan, Site};
use super::tally::Tally;
use super::versions::Versions;
use crate::conform::random::{Draw as _, Random};
use crate::testbed::interrupt;

/// A site and the clients that load it.
#[derive(Debug)]
pub struct Stage {
    load: Load,
    /// What the faults happen to.
    pub site: Site,
}

/// How often a fault is made.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Rounds.
    pub rounds: u64,
    /// No further round is begun after so long.
    pub time: Option<Duration>,
}

/// Rounds that are being done.
#[derive(Debug)]
pub struct Rounds {
    extent: Extent,
    begin: Instant,
    done: u64,
}

impl Stage {
    /// Starts a site, and clients that ask `pace` queries a second together.
    ///
    /// # Errors
    ///
    /// Something does not start.
    pub fn start(plan: Plan, pace: u32) -> Result<Self> {
        let site = Site::start(plan)?;
        let load = Load::new(site.client(), &Site::servers(), site.knowledge(), pace)?;
        Ok(Self { load, site })
    }

    /// Does something while all clients ask, and adds what became of the
    /// queries to `row`, with what the counters of dns-glue say to it. Those of
    /// `excused` clients may be lost or pass. At first `allowed` versions may
    /// answer in the kernel.
    ///
    /// # Errors
    ///
    /// Those of `action`, or counters that cannot be read or went backwards.
    pub fn during<T>(
        &mut self,
        row: &mut Row,
        excused: &[Group],
        allowed: Versions,
        action: impl FnOnce(&mut Site, &Moment, &mut Row) -> Result<T>,
    ) -> Result<T> {
        let before = self.site.daemon.counters()?;
        let Self { load, site } = self;
        let (done, tally) = load.during(excused, allowed, |moment| action(site, moment, row))?;
        let since = site.daemon.counters()?.since(&before)?;
        row.complaints.extend(complaint(&tally, &since));
        row.add(&tally, &since);
        Ok(done)
    }

    /// All clients ask for a while, and nothing is excused.
    ///
    /// # Errors
    ///
    /// As [`Stage::during`].
    pub fn watch(&mut self, row: &mut Row, allowed: Versions, time: Duration) -> Result<()> {
        self.during(row, &[], allowed, |_, _, _| pause(time))
    }
}

/// What is wrong if dns-glue has counted other answers than the clients got.
///
/// Right replies that are not the server behind's are the kernel's. Of wrong
/// ones nobody knows, and lost ones may have been answered.
fn complaint(tally: &Tally, since: &Counters) -> Option<String> {
    let least = tally.kernel + tally.stale;
    let most = least + tally.mixed + tally.wrong + tally.lost + tally.out + tally.unasked;
    let counted = since.answered();
    let is_right = (least..=most).contains(&counted);
    (!is_right).then(|| {
        format!("the kernel counted {counted} answers, and {least} to {most} came from it")
    })
}

/// Waits, unless a signal comes.
///
/// # Errors
///
/// One has come.
pub fn pause(time: Duration) -> Result<()> {
    const SLICE: Duration = Duration::from_millis(50);
    let begin = Instant::now();
    while let Some(left) = time.checked_sub(begin.elapsed()) {
        interrupt::check()?;
        std::thread::sleep(left.min(SLICE));
    }
    Ok(())
}

/// Waits for a time below `most`.
///
/// # Errors
///
/// As [`pause`].
pub fn pause_below(most: Duration, random: &mut Random) -> Result<()> {
    let microseconds = usize::try_from(most.as_micros()).unwrap_or(usize::MAX);
    pause(Duration::from_micros(
        random.below(microseconds.max(1)) as u64
    ))
}

impl Extent {
    /// Begins.
    #[must_use]
    pub fn begin(self) -> Rounds {
        Rounds {
            extent: self,
            begin: Instant::now(),
            done: 0,
        }
    }
}

impl Rounds {
    /// Whether there is another one.
    ///
    /// # Errors
    ///
    /// A signal has come.
    pub fn another(&mut self) -> Result<bool> {
        interrupt::check()?;
        let Extent { rounds, time } = self.extent;
        let is_late = time.is_some_and(|time| self.begin.elapsed() >= time);
        self.done += 1;
        Ok(self.done <= rounds && !is_late)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(packets: u64) -> Counters {
        let counter = json!({ "name": "referral", "action": "answered", "packets": packets });
        Counters::of(&json!({ "counters": [counter] })).expect("counters")
    }

    #[test]
    fn answers_that_only_one_side_has_counted_are_a_complaint() {
        let tally = Tally {
            kernel: 7,
            out: 2,
            ..Tally::default()
        };
        for counted in 7..=9 {
            assert_eq!(complaint(&tally, &answered(counted)), None);
        }
        assert!(complaint(&tally, &answered(6)).is_some());
        assert!(complaint(&tally, &answered(10)).is_some());
    }

    #[test]
    fn rounds_end_by_number_and_by_time() {
        let number = |extent: Extent| {
            let mut rounds = extent.begin();
            let mut number = 0;
            while rounds.another().expect("no signal") {
                number += 1;
            }
            number
        };
        let endless = Extent {
            rounds: 3,
            time: None,
        };
        assert_eq!(number(endless), 3);
        let none = Extent {
            time: Some(Duration::ZERO),
            ..endless
        };
        assert_eq!(number(none), 0);
    }
}
