//! What became of the queries of a phase, each of them counted once.

use serde::Serialize;

use super::judge::Judgement;
use super::versions::Versions;

/// What is shown of what is wrong; the rest is only counted.
const SHOWN: usize = 5;

/// Counts of queries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Sent.
    pub asked: u64,
    /// Not sent: there was no route, or no interface.
    pub unsent: u64,
    /// Referrals of a version that only the kernel has.
    pub kernel: u64,
    /// Of these, those of the first version alone.
    pub first: u64,
    /// Of these, those of the second version alone.
    pub second: u64,
    /// Answers by the server behind, from which they were due.
    pub behind: u64,
    /// Referrals by the server behind: right, but the query should not have
    /// passed.
    pub passed: u64,
    /// The same where a fault excuses it.
    pub excused: u64,
    /// Without a reply.
    pub lost: u64,
    /// The same where a fault excuses it.
    pub out: u64,
    /// Replies with records of several versions.
    pub mixed: u64,
    /// Other wrong replies.
    pub wrong: u64,
    /// Right replies of a version that should not answer any more, or not yet.
    pub stale: u64,
    /// Replies to queries that were given up as lost. Not another query: those
    /// are in `lost` or `out`.
    pub late: u64,
    /// Replies to nothing that was asked. Not a query either.
    pub unasked: u64,
    /// The first things that were wrong.
    pub shown: Vec<String>,
}

impl Tally {
    /// Counts a reply. `allowed` are the versions that may answer at the time,
    /// `is_due` says that the server behind is to answer, `is_excused` that the
    /// query may pass.
    pub fn count(
        &mut self,
        judgement: &Judgement,
        allowed: Versions,
        is_due: bool,
        is_excused: bool,
    ) {
        let versions = match judgement {
            Judgement::Right(versions) => *versions,
            Judgement::Mixed(what) => {
                self.mixed += 1;
                return self.show(|| format!("mixed: {what}"));
            }
            Judgement::Wrong(what) => {
                self.wrong += 1;
                return self.show(|| format!("wrong: {what}"));
            }
        };
        let by_kernel = versions.and(Versions::EITHER);
        if by_kernel.is_empty() {
            match (is_due, is_excused) {
                (true, _) => self.behind += 1,
                (false, true) => self.excused += 1,
                (false, false) => {
                    self.passed += 1;
                    self.show(|| String::from("passed: a referral came from the server behind"));
                }
            }
        } else if by_kernel.and(allowed).is_empty() {
            self.stale += 1;
            self.show(|| format!("stale: a reply of {by_kernel}, which is not {allowed}"));
        } else {
            self.kernel += 1;
            self.first += u64::from(by_kernel == Versions::FIRST);
            self.second += u64::from(by_kernel == Versions::SECOND);
        }
    }

    /// Counts a query that got no reply.
    pub fn lose(&mut self, is_excused: bool, what: impl FnOnce() -> String) {
        if is_excused {
            self.out += 1;
        } else {
            self.lost += 1;
            self.show(|| format!("lost: {}", what()));
        }
    }

    fn show(&mut self, what: impl FnOnce() -> String) {
        if self.shown.len() < SHOWN {
            let what = what();
            if !self.shown.contains(&what) {
                self.shown.push(what);
            }
        }
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.unsent += other.unsent;
        self.kernel += other.kernel;
        self.first += other.first;
        self.second += other.second;
        self.behind += other.behind;
        self.passed += other.passed;
        self.excused += other.excused;
        self.lost += other.lost;
        self.out += other.out;
        self.mixed += other.mixed;
        self.wrong += other.wrong;
        self.stale += other.stale;
        self.late += other.late;
        self.unasked += other.unasked;
        let room = SHOWN - self.shown.len().min(SHOWN);
        self.shown.extend(other.shown.iter().take(room).cloned());
    }

    /// What may not be.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let never = [
            (self.lost, "lost"),
            (self.passed, "passed to the server behind"),
            (self.mixed, "with records of several versions"),
            (self.wrong, "answered wrongly"),
            (self.stale, "answered from a version that must not answer"),
            (self.unasked, "answered, and not asked"),
        ];
        let mut complaints: Vec<String> = never
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{number} {what}"))
            .collect();
        let ends = self.kernel + self.behind + self.passed + self.excused;
        let ends = ends + self.lost + self.out + self.mixed + self.wrong + self.stale;
        if ends != self.asked {
            complaints.push(format!("{} asked, but {ends} accounted for", self.asked));
        }
        if self.kernel == 0 {
            complaints.push(String::from("nothing was answered in the kernel"));
        }
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(versions: Versions) -> Judgement {
        Judgement::Right(versions)
    }

    fn good() -> Tally {
        let mut tally = Tally {
            asked: 3,
            ..Tally::default()
        };
        tally.count(&right(Versions::FIRST), Versions::EITHER, false, false);
        tally.count(&right(Versions::EITHER), Versions::SECOND, false, false);
        tally.count(&right(Versions::BEHIND), Versions::SECOND, true, false);
        tally
    }

    #[test]
    fn what_may_be_is_no_complaint() {
        let mut tally = good();
        assert_eq!(tally.complaints(), Vec::<String>::new());
        assert_eq!(
            (tally.kernel, tally.first, tally.second, tally.behind),
            (2, 1, 0, 1)
        );
        tally.asked += 2;
        tally.count(&right(Versions::BEHIND), Versions::SECOND, false, true);
        tally.lose(true, String::new);
        assert_eq!((tally.excused, tally.out), (1, 1));
        assert_eq!(tally.complaints(), Vec::<String>::new());
    }

    #[test]
    fn what_may_not_be_is_a_complaint() {
        type Spoil = fn(&mut Tally);
        let faults: [(Spoil, &str); 6] = [
            (|tally| tally.lose(false, String::new), "1 lost"),
            (
                |tally| tally.count(&right(Versions::BEHIND), Versions::EITHER, false, false),
                "1 passed to the server behind",
            ),
            (
                |tally| tally.count(&right(Versions::FIRST), Versions::SECOND, false, false),
                "1 answered from a version that must not answer",
            ),
            (
                |tally| {
                    let mixed = Judgement::Mixed(String::new());
                    tally.count(&mixed, Versions::EITHER, false, true);
                },
                "1 with records of several versions",
            ),
            (
                |tally| {
                    let wrong = Judgement::Wrong(String::new());
                    tally.count(&wrong, Versions::EITHER, false, true);
                },
                "1 answered wrongly",
            ),
            (
                |tally| {
                    tally.unasked += 1;
                    tally.asked -= 1;
                },
                "1 answered, and not asked",
            ),
        ];
        for (spoil, complaint) in faults {
            let mut tally = good();
            tally.asked += 1;
            spoil(&mut tally);
            let mut sum = good();
            sum.add(&tally);
            assert_eq!(sum.complaints(), [complaint]);
        }
    }

    #[test]
    fn a_query_that_nothing_became_of_is_a_complaint() {
        let mut tally = good();
        tally.asked += 1;
        assert_eq!(tally.complaints(), ["4 asked, but 3 accounted for"]);
        let nothing = Tally::default().complaints();
        assert_eq!(nothing, ["nothing was answered in the kernel"]);
    }
}
