//! What became of each fault, as a table and as JSON.

use std::time::Duration;

use serde::Serialize;

use super::daemon::Counters;
use super::tally::Tally;
use crate::bench::report::table::Table;

/// Characters that are noted of what is said.
const SAID: usize = 300;

/// What became of a fault.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// Its name.
    pub fault: &'static str,
    /// The zone that was served.
    pub zone: &'static str,
    /// How often it was made.
    pub rounds: u64,
    /// What became of the queries.
    pub tally: Tally,
    /// What the kernel passed, by its counters: everything, not only queries.
    pub passes: Vec<String>,
    /// How long each reload took, in milliseconds, as who asks for it sees it.
    #[serde(rename = "reload_milliseconds", serialize_with = "summary")]
    pub reloads: Vec<Duration>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// What may not be, beside what the tally says.
    pub complaints: Vec<String>,
}

/// The middle and the end of a list of times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Times {
    /// How many there are.
    pub number: usize,
    /// The median, milliseconds.
    pub median: f64,
    /// The longest, milliseconds.
    pub max: f64,
}

impl Times {
    /// Those of a list; none of an empty one.
    #[must_use]
    pub fn of(times: &[Duration]) -> Option<Self> {
        let mut times = times.to_vec();
        times.sort_unstable();
        let milliseconds = |time: &Duration| time.as_secs_f64() * 1000.0;
        Some(Self {
            number: times.len(),
            median: milliseconds(times.get(times.len() / 2)?),
            max: milliseconds(times.last()?),
        })
    }
}

fn summary<S: serde::Serializer>(times: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
    Times::of(times).serialize(serializer)
}

impl Row {
    /// Nothing yet.
    #[must_use]
    pub fn new(fault: &'static str, zone: &'static str) -> Self {
        Self {
            fault,
            zone,
            ..Self::default()
        }
    }

    /// Adds a phase.
    pub fn add(&mut self, tally: &Tally, since: &Counters) {
        self.tally.add(tally);
        let others = since.others();
        if !others.is_empty() {
            self.passes.push(others);
        }
    }

    /// Notes what was said to something, for the first time.
    pub fn note_once(&mut self, to: &str, said: &str) {
        let head = format!("{to}: ");
        if self.notes.iter().any(|note| note.starts_with(&head)) {
            return;
        }
        let short: String = said.chars().take(SAID).collect();
        let rest = if short.len() < said.len() { "..." } else { "" };
        self.notes.push(format!("{head}{short}{rest}"));
    }

    /// Everything that may not be.
    #[must_use]
    pub fn all_complaints(&self) -> Vec<String> {
        let mut all = self.tally.complaints();
        all.extend(self.complaints.iter().cloned());
        if self.rounds == 0 {
            all.push(String::from("it was never made"));
        }
        all
    }

    fn cells(&self) -> Vec<String> {
        let Tally {
            asked,
            kernel,
            behind,
            passed,
            excused,
            lost,
            out,
            mixed,
            wrong,
            stale,
            unasked,
            ..
        } = self.tally;
        let times = Times::of(&self.reloads);
        let time = |of: fn(Times) -> f64| {
            times.map_or_else(String::new, |times| format!("{:.0}", of(times)))
        };
        let numbers = [
            self.rounds,
            asked,
            kernel,
            behind,
            passed,
            lost,
            mixed,
            wrong + stale + unasked,
            out,
            excused,
        ];
        let mut cells = vec![self.fault.to_owned(), self.zone.to_owned()];
        cells.extend(numbers.map(|number| number.to_string()));
        cells.push(time(|times| times.median));
        cells.push(time(|times| times.max));
        let verdict = if self.all_complaints().is_empty() {
            "good"
        } else {
            "BAD"
        };
        cells.push(verdict.to_owned());
        cells
    }
}

/// The heads of the table.
const HEADS: [&str; 15] = [
    "fault",
    "zone",
    "rounds",
    "queries",
    "kernel",
    "behind",
    "passed",
    "lost",
    "mixed",
    "wrong",
    "(out)",
    "(passed)",
    "reload ms",
    "max ms",
    "verdict",
];

/// The table, what is worth knowing, and what may not be.
#[must_use]
pub fn text(rows: &[Row]) -> String {
    let table = Table {
        title: String::from("Faults under load; in brackets what the fault excuses"),
        heads: HEADS.to_vec(),
        rows: rows.iter().map(Row::cells).collect(),
        words: 2,
    };
    let mut text = table.text();
    for row in rows {
        let notes = row.notes.iter().map(|note| format!("note: {note}"));
        let bad = row
            .all_complaints()
            .into_iter()
            .map(|what| format!("BAD: {what}"));
        let shown = row.tally.shown.iter().map(|what| format!("  {what}"));
        for line in notes.chain(bad).chain(shown) {
            text.push_str(&format!("\n{}: {line}", row.fault));
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            rounds: 3,
            tally: Tally {
                asked: 10,
                kernel: 10,
                ..Tally::default()
            },
            reloads: [30, 10, 20].map(Duration::from_millis).to_vec(),
            ..Row::new("reload", "marked")
        }
    }

    #[test]
    fn times_are_the_median_and_the_longest() {
        let times = Times::of(&row().reloads).expect("there are some");
        assert_eq!((times.number, times.median, times.max), (3, 20.0, 30.0));
        assert_eq!(Times::of(&[]), None);
    }

    #[test]
    fn a_row_is_good_or_says_why_not() {
        let good = row();
        assert_eq!(good.all_complaints(), Vec::<String>::new());
        assert!(text(std::slice::from_ref(&good)).contains("good"));
        assert_eq!(good.cells().len(), HEADS.len());

        let mut lossy = good.clone();
        lossy.tally.asked += 1;
        lossy.tally.lose(false, || String::from("a query"));
        let told = text(&[good.clone(), lossy]);
        assert!(
            told.contains("BAD: 1 lost") && told.contains("lost: a query"),
            "{told}"
        );

        let mut never = good.clone();
        never.rounds = 0;
        assert_eq!(never.all_complaints(), ["it was never made"]);
        let mut other = good;
        other.complaints.push(String::from("it burns"));
        assert_eq!(other.all_complaints(), ["it burns"]);
    }

    #[test]
    fn what_is_said_is_noted_once_and_not_at_length() {
        let mut row = row();
        row.note_once("no file", &"x".repeat(SAID + 1));
        row.note_once("no file", "something else");
        row.note_once("a folder", "y");
        let long = format!("no file: {}...", "x".repeat(SAID));
        assert_eq!(row.notes, [long.as_str(), "a folder: y"]);
    }

    #[test]
    fn json_has_the_times_and_the_counts() {
        let json = serde_json::to_value(row()).expect("it is JSON");
        assert_eq!(json["reload_milliseconds"]["max"], 30.0);
        assert_eq!(json["tally"]["kernel"], 10);
    }
}
