//! What a comparison came to, in words and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use domain::base::{Message, Name};
use serde::Serialize;

use crate::compare::{Judgement, Outcome};
use crate::zone::records::NameRef;

/// Counts, and every difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Delegations of the zones.
    pub delegations: usize,
    /// Those that were asked for.
    pub sampled: usize,
    /// Queries.
    pub queries: usize,
    /// Queries that the program left to the server: nothing to compare.
    pub passed: usize,
    /// Replies with the same records.
    pub equal: usize,
    /// Replies that are truncated on both sides.
    pub both_truncated: usize,
    /// Replies that differ because one encoding is shorter than the other.
    pub by_size: usize,
    /// Replies that differ by what servers are known to do otherwise than the
    /// RFCs, or than dns-glue has decided.
    pub known_faults: BTreeMap<String, usize>,
    /// Zones of which the two sides have different versions.
    pub serials: Vec<SerialFinding>,
    /// Replies that differ otherwise.
    pub differences: Vec<Difference>,
}

/// A zone in two versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SerialFinding {
    /// The zone.
    pub apex: String,
    /// The serial of the zone that the program answers from.
    pub kernel: u32,
    /// The serial that the server tells; `None` if it does not serve the zone.
    pub server: Option<u32>,
}

/// Two replies that nothing explains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The delegation.
    pub cut: String,
    /// The name asked for.
    pub name: String,
    /// What differs, and both replies.
    pub what: String,
}

impl Findings {
    /// None yet.
    pub(super) fn of(delegations: usize, sampled: usize) -> Self {
        Self {
            delegations,
            sampled,
            ..Self::default()
        }
    }

    pub(super) fn add_passed(&mut self) {
        self.queries += 1;
        self.passed += 1;
    }

    pub(super) fn add(&mut self, cut: &NameRef, query: &[u8], judgement: Judgement) {
        self.queries += 1;
        for fault in &judgement.faults {
            *self.known_faults.entry(fault.to_string()).or_default() += 1;
        }
        match judgement.outcome {
            Outcome::Equal => self.equal += 1,
            Outcome::BothTruncated => self.both_truncated += 1,
            Outcome::BySize(_) => self.by_size += 1,
            Outcome::Fault => {}
            Outcome::Difference(what) => self.differences.push(Difference {
                cut: cut.fmt_with_dot().to_string(),
                name: question_name(query),
                what,
            }),
        }
    }

    /// Whether both sides are as they should be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.serials.is_empty()
    }
}

fn question_name(query: &[u8]) -> String {
    let question = Message::from_slice(query)
        .ok()
        .and_then(|query| query.sole_question().ok());
    question.map_or_else(String::new, |question| {
        let name: Name<Vec<u8>> = domain::base::ToName::to_name(question.qname());
        name.fmt_with_dot().to_string()
    })
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            delegations,
            sampled,
            queries,
            passed,
            equal,
            both_truncated,
            by_size,
            known_faults,
            serials,
            differences,
        } = self;
        writeln!(
            f,
            "{sampled} of {delegations} delegations, {queries} queries"
        )?;
        let rows = [
            (*equal, "equal"),
            (*both_truncated, "truncated on both sides"),
            (*by_size, "explained by the sizes of the two encodings"),
            (*passed, "left to the server by the program"),
        ];
        for (count, what) in rows.into_iter().filter(|(count, _)| *count != 0) {
            writeln!(f, "{count:>10}  {what}")?;
        }
        for (fault, count) in known_faults {
            writeln!(f, "{count:>10}  known of servers: {fault}")?;
        }
        writeln!(f, "{:>10}  different", differences.len())?;
        for SerialFinding {
            apex,
            kernel,
            server,
        } in serials
        {
            match server {
                Some(server) => writeln!(
                    f,
                    "\nzone {apex}: serial {kernel} in the kernel, {server} at the server"
                )?,
                None => writeln!(f, "\nzone {apex}: the server does not serve it")?,
            }
        }
        for Difference { cut, what, .. } in differences {
            writeln!(f, "\n{cut}: {what}")?;
        }
        Ok(())
    }
}
