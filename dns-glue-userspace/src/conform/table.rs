//! What a run came to, counted.

use std::collections::BTreeMap;
use std::fmt;

use crate::compare::{Fault, Judgement, Outcome, Server};

/// Differences that are shown whole; others are only counted.
const SHOWN: usize = 5;

/// The results of one group with one server.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Queries compared.
    pub cases: u64,
    /// The same records.
    pub equal: u64,
    /// TC=1 of both.
    pub both_truncated: u64,
    /// Explained by sizes.
    pub by_size: u64,
    /// Explained by nothing but a known fault of the server.
    pub by_fault: u64,
    /// Replies in which a known fault shows, whatever the result.
    pub faults: BTreeMap<Fault, u64>,
    /// Not explained.
    pub differences: u64,
    /// The first of them, for people.
    pub shown: Vec<String>,
}

impl Totals {
    /// Counts a comparison of referrals; `case` repeats it.
    pub fn add(&mut self, server: Server, judgement: Judgement, case: impl FnOnce() -> String) {
        self.cases += 1;
        for fault in &judgement.faults {
            *self.faults.entry(*fault).or_default() += 1;
        }
        let mut faults = judgement.faults.iter();
        let stranger = faults.find(|fault| !fault.is_known_of(server));
        match (judgement.outcome, stranger) {
            (Outcome::Difference(what), _) => self.differ(&what, case),
            (_, Some(fault)) => self.differ(&format!("{server} is not known for: {fault}"), case),
            (Outcome::Equal, None) => self.equal += 1,
            (Outcome::BothTruncated, None) => self.both_truncated += 1,
            (Outcome::BySize(_), None) => self.by_size += 1,
            (Outcome::Fault, None) => self.by_fault += 1,
        }
    }

    /// Counts something that nothing explains and that is counted as a case
    /// already.
    pub fn differ(&mut self, what: &str, case: impl FnOnce() -> String) {
        self.differences += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(format!("{}: {what}", case()));
        }
    }

    /// Adds those of another thread.
    pub fn merge(&mut self, other: Self) {
        self.cases += other.cases;
        self.equal += other.equal;
        self.both_truncated += other.both_truncated;
        self.by_size += other.by_size;
        self.by_fault += other.by_fault;
        self.differences += other.differences;
        for (fault, number) in other.faults {
            *self.faults.entry(fault).or_default() += number;
        }
        let room = SHOWN - self.shown.len().min(SHOWN);
        self.shown.extend(other.shown.into_iter().take(room));
    }
}

/// A line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The group.
    pub group: String,
    /// `refer` or `pass`.
    pub part: &'static str,
    /// Whom we were compared with.
    pub server: Server,
    /// The results.
    pub totals: Totals,
}

/// All results; its `Display` is the table.
#[derive(Clone, Debug, Default)]
pub struct Table(pub Vec<Row>);

impl Table {
    /// Differences that nothing explains.
    pub fn differences(&self) -> u64 {
        self.0.iter().map(|row| row.totals.differences).sum()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<22} {:<5} {:<6} {:>9} {:>9} {:>9} {:>8} {:>8} {:>11}",
            "zones",
            "part",
            "server",
            "cases",
            "equal",
            "both TC",
            "by size",
            "fault",
            "differences"
        )?;
        let mut all = Totals::default();
        let mut faults: BTreeMap<(Server, Fault), u64> = BTreeMap::new();
        for row in &self.0 {
            write_line(
                f,
                &row.group,
                row.part,
                &row.server.to_string(),
                &row.totals,
            )?;
            for (fault, number) in &row.totals.faults {
                *faults.entry((row.server, *fault)).or_default() += number;
            }
            all.merge(row.totals.clone());
        }
        write_line(f, "all", "", "", &all)?;
        for ((server, fault), number) in faults {
            writeln!(f, "known of {server}, {number} replies: {fault}")?;
        }
        Ok(())
    }
}

fn write_line(
    f: &mut fmt::Formatter<'_>,
    group: &str,
    part: &str,
    server: &str,
    totals: &Totals,
) -> fmt::Result {
    let Totals {
        cases,
        equal,
        both_truncated,
        by_size,
        by_fault,
        differences,
        ..
    } = totals;
    writeln!(
        f,
        "{group:<22} {part:<5} {server:<6} {cases:>9} {equal:>9} {both_truncated:>9} \
         {by_size:>8} {by_fault:>8} {differences:>11}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judgement(outcome: Outcome, faults: &[Fault]) -> Judgement {
        Judgement {
            outcome,
            faults: faults.to_vec(),
        }
    }

    #[test]
    fn a_fault_excuses_only_those_who_are_known_for_it() {
        let mut totals = Totals::default();
        for server in [Server::Bind, Server::Nsd, Server::Knot] {
            let copied = judgement(Outcome::Equal, &[Fault::CdCopied]);
            totals.add(server, copied, || String::from("a case"));
        }
        assert_eq!((totals.cases, totals.equal, totals.differences), (3, 1, 2));
        assert_eq!(totals.faults[&Fault::CdCopied], 3);
        assert!(totals.shown[0].starts_with("a case: NSD is not known"));
    }

    #[test]
    fn the_table_adds_up() {
        let mut totals = Totals::default();
        let partial = judgement(Outcome::Fault, &[Fault::PartialGlue]);
        totals.add(Server::Bind, partial, String::new);
        let difference = judgement(Outcome::Difference(String::from("TTL")), &[]);
        totals.add(Server::Bind, difference, || String::from("x"));
        let row = Row {
            group: String::from("root"),
            part: "refer",
            server: Server::Bind,
            totals,
        };
        let table = Table(vec![row.clone(), row]);
        assert_eq!(table.differences(), 2);
        let text = table.to_string();
        let all = text
            .lines()
            .find(|line| line.starts_with("all"))
            .expect("a sum");
        assert_eq!(
            all.split_whitespace().collect::<Vec<_>>(),
            ["all", "4", "0", "0", "0", "2", "2"]
        );
        assert!(text.contains("known of BIND, 2 replies: TC=0 without all in-domain glue"));
    }
}
