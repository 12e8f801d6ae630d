//! What one contender cannot do, so that the others go on without it, and what
//! cannot be measured here at all.

use std::io;

use super::results::{Failure, LeftOut};
use crate::testbed::interrupt;

/// What a run has no results of so far.
#[derive(Debug, Default)]
pub struct Failures {
    failed: Vec<Failure>,
    left_out: Vec<LeftOut>,
}

impl Failures {
    /// Notes that a contender is left out from here on, under a workload or
    /// for a zone, and why.
    ///
    /// # Errors
    ///
    /// A signal has come: what then fails is nobody's fault, and nothing goes
    /// on.
    pub fn note(&mut self, contender: &str, what: &str, error: &anyhow::Error) -> io::Result<()> {
        interrupt::check()?;
        let error = format!("{error:#}");
        eprintln!("{contender} has failed, {what}: {error}");
        self.failed.push(Failure {
            contender: contender.to_owned(),
            what: what.to_owned(),
            error,
        });
        Ok(())
    }

    /// What a result is worth, or else the failure noted.
    ///
    /// # Errors
    ///
    /// As [`note`](Self::note).
    pub fn or_note<T>(
        &mut self,
        contender: &str,
        what: &str,
        result: anyhow::Result<T>,
    ) -> io::Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.note(contender, what, &error).map(|()| None),
        }
    }

    /// Notes who or what is not measured though nothing failed, and why; once,
    /// however often it is said.
    pub fn leave_out(&mut self, what: String, why: String) {
        let left_out = LeftOut { what, why };
        if !self.left_out.contains(&left_out) {
            eprintln!("{} is left out: {}", left_out.what, left_out.why);
            self.left_out.push(left_out);
        }
    }

    /// All failures, in their order.
    #[must_use]
    pub fn all(&self) -> &[Failure] {
        &self.failed
    }

    /// All that is left out, in its order.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_noted_and_a_value_is_not() {
        let mut failures = Failures::default();
        let value = failures.or_note("nsd", "root, misses", Ok(7)).unwrap();
        assert_eq!((value, failures.all().len()), (Some(7), 0));
        let error = anyhow::anyhow!("cause").context("what");
        let value = failures.or_note::<u32>("nsd", "root, misses", Err(error));
        assert_eq!(value.unwrap(), None);
        let told: Vec<_> = failures
            .all()
            .iter()
            .map(|one| [&one.contender, &one.what, &one.error].map(String::as_str))
            .collect();
        assert_eq!(told, [["nsd", "root, misses", "what: cause"]]);
    }

    #[test]
    fn what_is_left_out_is_noted_once() {
        let mut failures = Failures::default();
        for what in ["nsd", "knot", "nsd"] {
            failures.leave_out(what.to_owned(), "it is not installed".to_owned());
        }
        let left_out = failures.left_out().iter();
        let left_out: Vec<&str> = left_out.map(|one| one.what.as_str()).collect();
        assert_eq!(left_out, ["nsd", "knot"]);
        assert!(failures.all().is_empty());
    }
}
