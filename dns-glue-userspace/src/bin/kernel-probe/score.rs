//! How many of a number of cases went as they should.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};

/// The cases that were tried, and those that passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    passed: usize,
    all: usize,
}

impl Score {
    /// None of so many yet.
    pub fn of(all: usize) -> Self {
        Self { passed: 0, all }
    }

    /// Tries one case more than so many.
    pub fn attempt_another(&mut self, what: impl fmt::Display, case: impl FnOnce()) -> bool {
        self.all += 1;
        self.attempt(what, case)
    }

    /// Tries the next case, which panics if it does not go as it should;
    /// whether it passed.
    pub fn attempt(&mut self, what: impl fmt::Display, case: impl FnOnce()) -> bool {
        // What a case leaves behind is the kernel's, and the next one reads
        // what it needs anew.
        let passed = panic::catch_unwind(AssertUnwindSafe(case)).is_ok();
        if passed {
            self.passed += 1;
        } else {
            println!("failed: {what}");
        }
        passed
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.passed, self.all)
    }
}
