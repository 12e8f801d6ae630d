//! The findings as text, in colours, and as JSON.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::judge::{Finding, Verdict};

/// Columns of the longest verdict and of the longest name of a check.
const VERDICT_COLUMNS: usize = 6;
const CHECK_COLUMNS: usize = 11;

/// The findings about one interface.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Its name.
    pub interface: String,
    /// The worst of the findings.
    pub verdict: Verdict,
    /// All of them.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The report on the interface of that name.
    pub fn new(interface: &str, findings: Vec<Finding>) -> Self {
        let verdicts = findings.iter().map(|finding| finding.verdict);
        Self {
            interface: interface.to_owned(),
            verdict: verdicts.max().unwrap_or(Verdict::Green),
            findings,
        }
    }

    /// Whether nothing is red.
    pub fn is_fit(&self) -> bool {
        self.verdict != Verdict::Red
    }
}

/// With ANSI colours, which whoever writes it takes out where they are not
/// wanted.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            write_finding(f, finding)?;
        }
        f.write_char('\n')?;
        let style = style(self.verdict);
        let (name, verdict) = (&self.interface, self.verdict);
        let words = match verdict {
            Verdict::Green => "is fit for dns-glue",
            Verdict::Yellow => "can be served; see what is yellow",
            Verdict::Red => "cannot be served as it is; see what is red",
        };
        writeln!(f, "{style}{verdict}{style:#}: {name} {words}")
    }
}

fn write_finding(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    let Finding {
        check,
        verdict,
        text,
        advice,
    } = finding;
    let style = style(*verdict);
    writeln!(
        f,
        "{style}{verdict:VERDICT_COLUMNS$}{style:#}  {check:CHECK_COLUMNS$}  {text}"
    )?;
    if let Some(advice) = advice {
        let indent = VERDICT_COLUMNS + 2 + CHECK_COLUMNS + 2;
        writeln!(f, "{:indent$}-> {advice}", "")?;
    }
    Ok(())
}

fn style(verdict: Verdict) -> Style {
    let colour = match verdict {
        Verdict::Green => AnsiColor::Green,
        Verdict::Yellow => AnsiColor::Yellow,
        Verdict::Red => AnsiColor::Red,
    };
    colour.on_default().bold()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nic::judge::Check;

    fn report(verdict: Verdict) -> Report {
        let finding = |check, verdict, advice: Option<&str>| Finding {
            check,
            verdict,
            text: String::from("as it is"),
            advice: advice.map(String::from),
        };
        Report::new(
            "eth7",
            vec![
                finding(Check::Interrupts, Verdict::Green, None),
                finding(Check::Mtu, verdict, Some("do this")),
            ],
        )
    }

    /// What is left of a text without its colours.
    fn plain(report: &Report) -> String {
        anstream::adapter::strip_str(&report.to_string()).to_string()
    }

    #[test]
    fn the_worst_finding_decides() {
        for (verdict, is_fit) in [
            (Verdict::Green, true),
            (Verdict::Yellow, true),
            (Verdict::Red, false),
        ] {
            let report = report(verdict);
            assert_eq!((report.verdict, report.is_fit()), (verdict, is_fit));
        }
    }

    #[test]
    fn lines_have_columns_and_advice() {
        let expected = "green   interrupts   as it is\n\
                        red     MTU          as it is\n                     -> do this\n\n\
                        red: eth7 cannot be served as it is; see what is red\n";
        assert_eq!(plain(&report(Verdict::Red)), expected);
    }

    #[test]
    fn colours_are_those_of_the_verdicts() {
        let text = report(Verdict::Yellow).to_string();
        assert!(
            text.contains("\u{1b}[33m") && text.contains("\u{1b}[32m"),
            "{text:?}"
        );
        assert!(!text.contains("\u{1b}[31m"), "{text:?}");
    }

    #[test]
    fn json_has_names_that_stay() {
        let json = serde_json::to_value(report(Verdict::Red)).expect("JSON");
        assert_eq!(json["verdict"], "red");
        assert_eq!(json["findings"][0]["check"], "interrupts");
        assert_eq!(json["findings"][1]["advice"], "do this");
    }
}
