//! What is held of something that is asked about again and again.

use std::time::{Duration, Instant};

use super::reply::Problem;

/// Failures in a row after which something that worked does not.
const FAILURES: u8 = 3;
/// Successes in a row after which something that did not work does.
const SUCCESSES: u8 = 2;

/// Whether something works, in spite of what is seen now and then. What is seen
/// first is held at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Steady {
    held: Option<Held>,
    contrary: Option<Contrary>,
}

/// What is held.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// What is wrong; `None` if it works.
    pub(super) problem: Option<Problem>,
    /// Since when it works, or does not.
    pub(super) since: Instant,
}

/// What was seen since, again and again, and is something else.
#[derive(Clone, Debug)]
struct Contrary {
    problem: Option<Problem>,
    times: u8,
    since: Instant,
}

/// A change of what is held that somebody should know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It does not work.
    Fails(Problem),
    /// It works again, after so long.
    Works(Duration),
}

impl Steady {
    /// What is held; `None` if nothing was seen yet.
    pub(super) fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Whether it works; `None` if nothing was seen yet.
    pub(super) fn works(&self) -> Option<bool> {
        self.held.as_ref().map(|held| held.problem.is_none())
    }

    /// Notes what was seen: a problem, or none.
    pub(super) fn note(&mut self, seen: Option<&Problem>, now: Instant) -> Option<Turn> {
        let Some(held) = &mut self.held else {
            self.held = Some(Held {
                problem: seen.cloned(),
                since: now,
            });
            return seen.cloned().map(Turn::Fails);
        };
        if held.problem.as_ref() == seen {
            self.contrary = None;
            return None;
        }
        let contrary = match self.contrary.take() {
            Some(before) if before.is_continued_by(seen, held) => Contrary {
                problem: seen.cloned(),
                times: before.times + 1,
                since: before.since,
            },
            _ => Contrary {
                problem: seen.cloned(),
                times: 1,
                since: now,
            },
        };
        let needed = if seen.is_some() { FAILURES } else { SUCCESSES };
        if contrary.times < needed {
            self.contrary = Some(contrary);
            return None;
        }
        Some(held.turn_to(contrary))
    }
}

impl Contrary {
    /// Whether `seen` is more of the same. Beside something that works all
    /// failures are; beside a failure only those of one kind, lest two that
    /// take turns be told for ever.
    fn is_continued_by(&self, seen: Option<&Problem>, held: &Held) -> bool {
        let both_fail = self.problem.is_some() && seen.is_some();
        self.problem.as_ref() == seen || (held.problem.is_none() && both_fail)
    }
}

impl Held {
    fn turn_to(&mut self, contrary: Contrary) -> Turn {
        let worked = self.problem.is_none();
        self.problem = contrary.problem;
        match &self.problem {
            Some(problem) => {
                if worked {
                    self.since = contrary.since;
                }
                Turn::Fails(problem.clone())
            }
            None => {
                let failed = contrary.since.saturating_duration_since(self.since);
                self.since = contrary.since;
                Turn::Works(failed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes one thing a second; the turns, and when.
    fn turns(seen: &[Option<Problem>]) -> (Vec<(usize, Turn)>, Steady, Instant) {
        let start = Instant::now();
        let mut steady = Steady::default();
        let mut turns = Vec::new();
        for (second, seen) in seen.iter().enumerate() {
            let now = start + Duration::from_secs(second as u64);
            turns.extend(steady.note(seen.as_ref(), now).map(|turn| (second, turn)));
        }
        (turns, steady, start)
    }

    const SILENT: Option<Problem> = Some(Problem::NoReply);
    const CLOSED: Option<Problem> = Some(Problem::NotListening);

    #[test]
    fn three_failures_and_two_successes_in_a_row() {
        let seen = [
            None, SILENT, SILENT, None, SILENT, SILENT, CLOSED, None, SILENT, None, None, None,
        ];
        let (turns, steady, start) = turns(&seen);
        let due = [
            (6, Turn::Fails(Problem::NotListening)),
            // Failed since second 4, worked since second 9.
            (10, Turn::Works(Duration::from_secs(5))),
        ];
        assert_eq!(turns, due);
        let held = steady.held().expect("something was seen");
        assert_eq!(held.since, start + Duration::from_secs(9));
        assert_eq!(steady.works(), Some(true));
    }

    #[test]
    fn what_is_seen_first_counts_at_once() {
        assert_eq!(Steady::default().works(), None);
        let (first, steady, _) = turns(&[SILENT]);
        assert_eq!(first, [(0, Turn::Fails(Problem::NoReply))]);
        assert_eq!(steady.works(), Some(false));
        assert_eq!(turns(&[None]).0, []);
    }

    #[test]
    fn failures_that_take_turns_are_told_once() {
        let mut seen = vec![None];
        seen.extend([SILENT, CLOSED].into_iter().cycle().take(40));
        let (told, steady, start) = turns(&seen);
        assert_eq!(told, [(3, Turn::Fails(Problem::NoReply))]);
        let held = steady.held().expect("something was seen");
        assert_eq!(held.since, start + Duration::from_secs(1));

        // Another one that stays is told; it fails since the first.
        seen.extend([CLOSED, CLOSED]);
        let (told, steady, start) = turns(&seen);
        assert_eq!(told.len(), 2);
        assert_eq!(told[1].1, Turn::Fails(Problem::NotListening));
        let held = steady.held().expect("something was seen");
        assert_eq!(held.problem, CLOSED);
        assert_eq!(held.since, start + Duration::from_secs(1));
    }
}
