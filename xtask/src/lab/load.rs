//! A moderate load by dnsperf, of which not one query may be lost.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use super::{Lab, cases::PLAIN, counters::Counters};
use crate::{command::output, workspace};

/// Queries a second, and for how many seconds.
const RATE: u32 = 2000;
const SECONDS: u32 = 5;

/// Lines of the query file, over and over.
const LINES: u64 = 1000;

/// Cuts of the example zone with each kind of referral.
const CUTS: [&str; 11] = [
    "in-domain",
    "sibling",
    "mixed",
    "foo",
    "bar",
    "full",
    "full-sibling",
    "out-of-zone",
    "six",
    "authoritative",
    "outer",
];

/// Writes the query file: seven of ten lines are due a referral, two are names
/// that do not exist, one is the apex.
///
/// # Errors
/// When it cannot be written.
pub fn write_queries() -> Result<PathBuf> {
    let folder = workspace::below_target("lab");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let file = folder.join("queries.txt");
    let lines: String = (0..LINES).map(line).collect();
    fs::write(&file, lines).with_context(|| format!("write {}", file.display()))?;
    Ok(file)
}

fn line(number: u64) -> String {
    match number % 10 {
        _ if is_referral(number) => {
            let cut = CUTS[usize::try_from(number).unwrap_or_default() % CUTS.len()];
            format!("host-{number}.{cut}.{PLAIN} A\n")
        }
        9 => format!("{PLAIN} SOA\n"),
        _ => format!("no-such-name-{number}.{PLAIN} A\n"),
    }
}

fn is_referral(number: u64) -> bool {
    number % 10 < 7
}

/// How many of the first so many queries are due a referral.
fn referrals_among(queries: u64) -> u64 {
    (0..queries).filter(|query| is_referral(*query)).count() as u64
}

/// The dnsperf command line, to be run on the client.
fn arguments(lab: &Lab, queries: &str) -> Vec<String> {
    let words = format!(
        "-s {} -d {queries} -Q {RATE} -l {SECONDS}",
        lab.addresses().ipv4
    );
    words.split(' ').map(str::to_owned).collect()
}

/// The command with which a person loads the lab.
pub fn command_line(lab: &Lab) -> String {
    let file = workspace::below_target("lab").join("queries.txt");
    let arguments = arguments(lab, &file.display().to_string());
    format!("dnsperf {}", arguments.join(" "))
}

/// Runs dnsperf, if it is there, and compares its count of queries with the
/// kernel's count of referrals; prints both.
///
/// # Errors
/// When a query was lost, or a referral came from the fallback.
pub fn run(lab: &mut Lab) -> Result<()> {
    let file = write_queries()?;
    if Command::new("dnsperf").arg("-h").output().is_err() {
        println!("dnsperf is not installed: no load");
        return Ok(());
    }
    let before = lab.counters()?;
    let mut dnsperf = Command::new("dnsperf");
    dnsperf.args(arguments(lab, &file.display().to_string()));
    lab.client().confine(&mut dnsperf)?;
    println!("; {}", command_line(lab));
    let text = output(&mut dnsperf)?;
    let counted = lab.counters()?.since(&before);
    let report = Report::read(&text).with_context(|| format!("read what dnsperf says: {text}"))?;
    println!(
        "{} queries sent, {} answered, {} lost; the kernel gave {} referrals, {} were due; {} names passed as misses",
        report.sent,
        report.completed,
        report.lost,
        counted.answered(),
        referrals_among(report.sent),
        counted.packets("no-cut"),
    );
    report.judge(&counted)
}

/// What dnsperf counted.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    sent: u64,
    completed: u64,
    lost: u64,
}

impl Report {
    fn read(text: &str) -> Option<Self> {
        let number = |label: &str| {
            let line = text
                .lines()
                .find_map(|line| line.trim_start().strip_prefix(label))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            sent: number("Queries sent:")?,
            completed: number("Queries completed:")?,
            lost: number("Queries lost:")?,
        })
    }

    fn judge(&self, counted: &Counters) -> Result<()> {
        if self.sent == 0 || self.lost != 0 || self.completed != self.sent {
            bail!("dnsperf lost queries: {self:?}");
        }
        let due = referrals_among(self.sent);
        if counted.answered() != due {
            bail!(
                "{due} referrals were due, the kernel gave {}",
                counted.answered()
            );
        }
        let misses = self.sent - due;
        if counted.packets("no-cut") != misses {
            bail!(
                "{misses} misses were due, {} passed",
                counted.packets("no-cut")
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::counters::Counter;

    #[test]
    fn seven_of_ten_are_due_a_referral() {
        assert_eq!(referrals_among(LINES), 700);
        assert_eq!(referrals_among(7), 7);
        assert_eq!(referrals_among(10), 7);
        let lines: Vec<String> = (0..LINES).map(line).collect();
        let misses = lines
            .iter()
            .filter(|line| line.starts_with("no-such-name") || line.starts_with(PLAIN));
        assert_eq!(misses.count(), 300);
        for cut in CUTS {
            assert!(lines.iter().any(|line| line.contains(&format!(".{cut}."))));
        }
    }

    const TEXT: &str = "\
Statistics:

  Queries sent:         10
  Queries completed:    10 (100.00%)
  Queries lost:         0 (0.00%)
";

    #[test]
    fn the_report_is_read_and_judged() {
        let report = Report::read(TEXT).expect("a report");
        let expected = Report {
            sent: 10,
            completed: 10,
            lost: 0,
        };
        assert_eq!(report, expected);
        assert_eq!(Report::read("nothing"), None);
        let counted = |referrals, misses| {
            let counter = |name: &str, action: &str, packets| Counter {
                name: name.to_owned(),
                action: action.to_owned(),
                packets,
            };
            Counters(vec![
                counter("referral", "answered", referrals),
                counter("no-cut", "passed", misses),
            ])
        };
        assert!(report.judge(&counted(7, 3)).is_ok());
        // The server behind answered one of them.
        assert!(report.judge(&counted(6, 3)).is_err());
        assert!(report.judge(&counted(7, 2)).is_err());
        let lossy = Report { lost: 1, ..report };
        assert!(lossy.judge(&counted(7, 3)).is_err());
    }
}
