//! The server behind, in the words of `dns-glue status`.

use std::net::IpAddr;

use super::status::{duration, table};
use crate::serve::behind::Withheld;
use crate::serve::behind::status::{
    AddressBehind, Agreement, BehindStatus, QuestionStatus, ZoneBehind,
};

/// A table of the zones, and a line for each problem.
pub fn describe(status: &BehindStatus) -> String {
    let BehindStatus {
        nothing_answered,
        zones,
    } = status;
    let mut text = String::new();
    if *nothing_answered {
        text.push_str(
            "EVERYTHING PASSES: the server behind does not answer, and --require-fallback is given\n\n",
        );
    }
    text.push_str(&table(
        ["ZONE", "SERIAL", "SERVER BEHIND", "UDP", "TCP", "REFERRALS"],
        zones.iter().map(row),
    ));
    let is_unproven =
        |zone: &ZoneBehind| zone.withheld.as_deref() == Some(Withheld::Unproven.name());
    if zones.iter().any(is_unproven) {
        text.push_str(
            "\nunproven: until the server behind was asked for each zone at each service address\n",
        );
    }
    let problems = problems(zones);
    if !problems.is_empty() {
        text.push_str("\nserver behind:\n");
    }
    for problem in problems {
        text.push_str(&problem.line());
    }
    text
}

fn row(zone: &ZoneBehind) -> [String; 6] {
    let ZoneBehind {
        apex,
        serial,
        agreement,
        differs_seconds,
        withheld,
        addresses,
    } = zone;
    let since = differs_seconds.map_or(String::new(), |seconds| {
        format!(" for {}", duration(seconds))
    });
    let theirs = theirs(*serial, addresses);
    let behind = match agreement {
        Agreement::Agrees => String::from("the same"),
        Agreement::Lags => format!("{theirs}, newer{since}"),
        Agreement::Leads => format!("{theirs}, older{since}"),
        Agreement::Unknown => format!("not known{since}"),
    };
    let over = |question: fn(&AddressBehind) -> &QuestionStatus| {
        whether_answered(addresses.iter().map(question))
    };
    [
        apex.clone(),
        serial.to_string(),
        behind,
        over(|address| &address.udp),
        over(|address| &address.tcp),
        withheld
            .as_ref()
            .map_or(String::from("given"), |why| format!("WITHHELD ({why})")),
    ]
}

/// The serials that the server behind tells and are not ours.
fn theirs(ours: u32, addresses: &[AddressBehind]) -> String {
    let mut theirs: Vec<u32> = addresses.iter().filter_map(|one| one.serial).collect();
    theirs.retain(|serial| *serial != ours);
    theirs.sort_unstable();
    theirs.dedup();
    let theirs: Vec<String> = theirs.iter().map(ToString::to_string).collect();
    theirs.join(" and ")
}

/// Whether a question is answered at all addresses, at some, or at none.
fn whether_answered<'a>(addresses: impl Iterator<Item = &'a QuestionStatus>) -> String {
    let answered: Vec<Option<bool>> = addresses.map(|one| one.answered).collect();
    let yes = answered.iter().filter(|one| **one == Some(true)).count();
    let no = answered.iter().filter(|one| **one == Some(false)).count();
    match (yes, no) {
        (0, 0) => String::from("not asked"),
        (_, 0) => String::from("answers"),
        (0, _) => String::from("FAILS"),
        (yes, no) => format!("FAILS at {no} of {}", yes + no),
    }
}

/// What is wrong at an address, and for which zones.
struct Problem<'a> {
    address: IpAddr,
    question: &'static str,
    what: &'a str,
    /// The longest of the zones'.
    seconds: u64,
    zones: Vec<&'a str>,
}

impl Problem<'_> {
    fn line(&self) -> String {
        let (first, others) = self.zones.split_first().unwrap_or((&"", &[]));
        let others = match others.len() {
            0 => String::new(),
            1 => String::from(" and 1 other zone"),
            others => format!(" and {others} other zones"),
        };
        format!(
            "  {} {}: {}, for {}: {first}{others}\n",
            self.address,
            self.question,
            self.what,
            duration(self.seconds)
        )
    }
}

/// Each problem once, with all its zones.
fn problems(zones: &[ZoneBehind]) -> Vec<Problem<'_>> {
    let mut problems: Vec<Problem<'_>> = Vec::new();
    for zone in zones {
        for one in &zone.addresses {
            for (question, status) in [
                ("over UDP", &one.udp),
                ("over TCP", &one.tcp),
                ("for a name that does not exist", &one.miss),
                ("for a delegated name", &one.referral),
            ] {
                let Some(what) = status.problem.as_deref() else {
                    continue;
                };
                let same = problems.iter_mut().find(|other| {
                    (other.address, other.question, other.what) == (one.address, question, what)
                });
                if let Some(same) = same {
                    same.seconds = same.seconds.max(status.seconds);
                    same.zones.push(&zone.apex);
                    continue;
                }
                problems.push(Problem {
                    address: one.address,
                    question,
                    what,
                    seconds: status.seconds,
                    zones: vec![&zone.apex],
                });
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn works() -> QuestionStatus {
        QuestionStatus {
            answered: Some(true),
            problem: None,
            seconds: 5,
        }
    }

    fn fails(problem: &str, seconds: u64) -> QuestionStatus {
        QuestionStatus {
            answered: Some(false),
            problem: Some(problem.to_owned()),
            seconds,
        }
    }

    fn address(last: u8, serial: Option<u32>, tcp: QuestionStatus) -> AddressBehind {
        AddressBehind {
            address: [192, 0, 2, last].into(),
            serial,
            udp: works(),
            tcp,
            miss: works(),
            referral: QuestionStatus::default(),
        }
    }

    fn zone(apex: &str, addresses: Vec<AddressBehind>) -> ZoneBehind {
        ZoneBehind {
            apex: apex.to_owned(),
            serial: 5,
            agreement: Agreement::Agrees,
            differs_seconds: None,
            withheld: None,
            addresses,
        }
    }

    fn lines(zones: Vec<ZoneBehind>) -> Vec<String> {
        let status = BehindStatus {
            nothing_answered: false,
            zones,
        };
        let text = describe(&status);
        text.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn all_is_well() {
        let zones = vec![zone("a.", vec![address(1, Some(5), works())])];
        assert_eq!(
            lines(zones),
            [
                "ZONE SERIAL SERVER BEHIND UDP TCP REFERRALS",
                "a. 5 the same answers answers given"
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_told_once_for_all_zones() {
        let silent = |seconds| fails("no reply", seconds);
        let a = ZoneBehind {
            agreement: Agreement::Lags,
            differs_seconds: Some(90),
            withheld: Some(String::from("lag")),
            ..zone(
                "a.",
                vec![
                    address(1, Some(6), silent(30)),
                    address(2, Some(5), works()),
                ],
            )
        };
        let b = zone("b.", vec![address(1, None, silent(3600))]);
        assert_eq!(
            lines(vec![a, b]),
            [
                "ZONE SERIAL SERVER BEHIND UDP TCP REFERRALS",
                "a. 5 6, newer for 1m 30s answers FAILS at 1 of 2 WITHHELD (lag)",
                "b. 5 the same answers FAILS given",
                "",
                "server behind:",
                "192.0.2.1 over TCP: no reply, for 1h: a. and 1 other zone",
            ]
        );
    }

    #[test]
    fn what_waits_for_the_server_behind_is_not_given() {
        let zone = ZoneBehind {
            agreement: Agreement::Unknown,
            withheld: Some(String::from("unproven")),
            ..zone("a.", Vec::new())
        };
        assert_eq!(
            lines(vec![zone]),
            [
                "ZONE SERIAL SERVER BEHIND UDP TCP REFERRALS",
                "a. 5 not known not asked not asked WITHHELD (unproven)",
                "",
                "unproven: until the server behind was asked for each zone at each service address",
            ]
        );
    }

    #[test]
    fn a_program_that_left_its_interfaces_says_so_first() {
        let status = BehindStatus {
            nothing_answered: true,
            zones: Vec::new(),
        };
        assert!(describe(&status).starts_with("EVERYTHING PASSES: "));
    }
}
