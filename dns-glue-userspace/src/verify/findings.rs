//! What a comparison came to, in words and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use domain::base::{Message, Name};
use serde::Serialize;

use crate::compare::{Judgement, Outcome};
use crate::zone::records::NameRef;

/// Differences that are told in full. A server with another zone differs at
/// every query, and ten of a kind for each of millions of delegations would
/// take the memory of the host that the zone is served from.
const MAX_TOLD: usize = 1000;

/// Counts, and what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Delegations of the zones.
    pub delegations: usize,
    /// Those that were asked for.
    pub sampled: usize,
    /// What takes the same sample again; `None` if all were asked for.
    pub seed: Option<u64>,
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
    pub different: usize,
    /// The first 1000 of these.
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
            Outcome::Difference(what) => {
                self.different += 1;
                if self.differences.len() < MAX_TOLD {
                    self.differences.push(Difference {
                        cut: cut.fmt_with_dot().to_string(),
                        name: question_name(query),
                        what,
                    });
                }
            }
        }
    }

    /// Whether both sides are as they should be, as far as they were compared.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.different == 0 && self.serials.is_empty()
    }

    /// Whether not a single reply was compared: there were no delegations, or
    /// the program passed every query.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queries == self.passed
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
            seed,
            queries,
            passed,
            equal,
            both_truncated,
            by_size,
            known_faults,
            serials,
            different,
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
        writeln!(f, "{different:>10}  different")?;
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
        match different - differences.len() {
            0 => {}
            more => writeln!(f, "\nand {more} more differences")?,
        }
        match seed {
            Some(seed) => writeln!(f, "\nthe same sample again: --seed {seed}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::query::write_query;
    use domain::base::iana::Rtype;

    fn judged(outcome: Outcome, times: usize) -> Findings {
        let cut = Name::vec_from_str("sub.example.").expect("a name");
        let mut query = Vec::new();
        write_query(&mut query, cut.for_slice(), Rtype::A, None);
        let mut findings = Findings::of(1, 1);
        for _ in 0..times {
            let judgement = Judgement {
                outcome: outcome.clone(),
                faults: Vec::new(),
            };
            findings.add(cut.for_slice(), &query, judgement);
        }
        findings
    }

    #[test]
    fn all_differences_count_and_a_bounded_number_is_told() {
        let differ = || Outcome::Difference(String::from("the header"));
        for (times, told, more) in [(1, 1, None), (1000, 1000, None), (1002, 1000, Some(2))] {
            let findings = judged(differ(), times);
            assert_eq!(findings.different, times);
            assert_eq!(findings.differences.len(), told);
            assert!(!findings.is_clean());
            let text = findings.to_string();
            assert_eq!(text.matches("sub.example.: the header").count(), told);
            let more = more.map(|more: usize| format!("\nand {more} more differences\n"));
            assert_eq!(text.contains("more differences"), more.is_some(), "{times}");
            assert!(text.contains(&more.unwrap_or_default()));
        }
    }

    #[test]
    fn nothing_but_passed_queries_is_nothing_compared() {
        let mut findings = judged(Outcome::Equal, 0);
        assert!(findings.is_empty(), "no delegations");
        findings.add_passed();
        assert!(findings.is_empty() && findings.is_clean());
        let findings = judged(Outcome::Equal, 1);
        assert!(!findings.is_empty() && findings.is_clean());
    }

    #[test]
    fn the_seed_is_told_in_words_and_as_json() {
        let mut findings = judged(Outcome::Equal, 1);
        assert!(!findings.to_string().contains("--seed"));
        findings.seed = Some(7);
        assert!(findings.to_string().ends_with("--seed 7\n"));
        let json = serde_json::to_value(&findings).expect("JSON");
        assert_eq!(json["seed"], 7);
    }
}
