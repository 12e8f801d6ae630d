//! What one contender cannot do, so that the others go on without it.

use std::io;

use super::results::Failure;
use crate::testbed::interrupt;

/// The failures of a run so far.
#[derive(Debug, Default)]
pub struct Failures(Vec<Failure>);

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
        eprintln!("{contender} is left out, {what}: {error}");
        self.0.push(Failure {
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

    /// All of them, in their order.
    #[must_use]
    pub fn all(&self) -> &[Failure] {
        &self.0
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
}
