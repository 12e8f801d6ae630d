//! The counters of the running lab, live.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _, stdout},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{Lab, counters::Counters};
use crate::interrupt;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Shows the counters until a signal comes: in place on a terminal, elsewhere
/// whenever they have changed.
///
/// # Errors
/// When the daemon has ended.
pub fn run(lab: &mut Lab) -> Result<()> {
    let in_place = stdout().is_terminal();
    let mut shown_lines = 0;
    let mut last = (Instant::now(), lab.counters()?);
    let mut is_first = true;
    while !interrupt::seen() {
        let now = (Instant::now(), lab.counters()?);
        if in_place || is_first || now.1 != last.1 {
            let seconds = (now.0 - last.0).as_secs_f64();
            let table = table(&now.1, &now.1.since(&last.1), seconds);
            let back = match shown_lines {
                lines if in_place && lines > 0 => format!("\x1b[{lines}A\x1b[J"),
                _ => String::new(),
            };
            shown_lines = table.lines().count();
            let mut out = stdout().lock();
            write!(out, "{back}{table}")
                .and_then(|()| out.flush())
                .context("show the counters")?;
        }
        is_first = false;
        last = now;
        interrupt::sleep(INTERVAL);
    }
    Ok(())
}

fn table(counters: &Counters, since: &Counters, seconds: f64) -> String {
    let mut table = format!(
        "{:<20} {:<9} {:>12} {:>12}\n",
        "COUNTER", "", "PACKETS", "A SECOND"
    );
    for counter in counters.counted() {
        let rate = match since.packets(&counter.name) {
            0 => String::from("-"),
            packets => format!("{:.0}", packets as f64 / seconds),
        };
        writeln!(
            table,
            "{:<20} {:<9} {:>12} {rate:>12}",
            counter.name, counter.action, counter.packets
        )
        .expect("a String takes everything");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::counters::Counter;

    #[test]
    fn only_what_has_been_counted_is_shown() {
        let counter = |name: &str, packets| Counter {
            name: name.to_owned(),
            action: "answered".to_owned(),
            packets,
        };
        let now = Counters(vec![
            counter("referral", 30),
            counter("referral-partial", 0),
        ]);
        let since = Counters(vec![counter("referral", 20)]);
        let table = table(&now, &since, 2.0);
        assert_eq!(table.lines().count(), 2, "{table}");
        let row = table.lines().last().expect("a row");
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words, ["referral", "answered", "30", "10"]);
    }
}
