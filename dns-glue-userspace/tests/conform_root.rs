//! The whole root zone, answered by the program in the kernel, against Knot's
//! answers: every delegation, names of three lengths, every size of client,
//! with and without DNSSEC, over IPv4 and IPv6.
//!
//! `dns_glue::compare` says what equal means.

mod conform_support;
mod program_support;

use std::collections::BTreeMap;

use conform_support::knot::{Family, Knot};
use dns_glue::compare::{Ground, Judge, Outcome, Reply, Wholes};
use dns_glue::zone::cuts::find_cuts;
use dns_glue_common::reason::Action;
use program_support::frame::Path;
use program_support::program::{Memory, POLICY, Program};
use program_support::query::{Query, edns_flag};
use program_support::{is_root, zones};

/// Octets of the longest reply that either server sends.
const MAX_UDP: usize = 1232;

/// What is put in front of a delegation's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Prefix {
    None,
    /// One label, 24 octets with its length.
    Label,
    /// 183 octets.
    Octets183,
    /// As much as makes a name of 255 octets.
    Longest,
}

impl Prefix {
    fn of(self, cut: &[u8]) -> Vec<u8> {
        let mut octets = match self {
            Self::None => 0,
            Self::Label => 24,
            Self::Octets183 => 183,
            Self::Longest => 255 - cut.len(),
        };
        let mut name = Vec::with_capacity(255);
        while octets > 0 {
            // A label takes two octets or more: one must not be left.
            let label = match octets {
                65 => 63,
                octets => octets.min(64),
            };
            name.push(label as u8 - 1);
            name.extend(std::iter::repeat_n(b'x', label - 1));
            octets -= label;
        }
        name.extend(cut);
        name
    }
}

/// A column of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    prefix: Prefix,
    size: Option<u16>,
    dnssec: bool,
}

impl Column {
    /// All of them.
    fn all() -> Vec<Self> {
        let mut columns = Vec::new();
        for prefix in [Prefix::None, Prefix::Label, Prefix::Longest] {
            columns.push(Self::new(prefix, None, false));
            for size in [512, 1232, 4096] {
                for dnssec in [false, true] {
                    columns.push(Self::new(prefix, Some(size), dnssec));
                }
            }
        }
        columns.push(Self::new(Prefix::Octets183, Some(1232), true));
        columns
    }

    fn new(prefix: Prefix, size: Option<u16>, dnssec: bool) -> Self {
        Self {
            prefix,
            size,
            dnssec,
        }
    }

    fn query(self, cut: &[u8]) -> Query {
        let query = Query::of(&self.prefix.of(cut));
        match self.size {
            None => query,
            Some(size) => query.edns(size, if self.dnssec { edns_flag::DO } else { 0 }),
        }
    }
}

#[test]
fn every_referral_of_the_root_zone_equals_knots() {
    if !is_root() {
        return;
    }
    let [(apex, file), ..] = zones::REAL_ZONES;
    let Some(text) = zones::real_text(file) else {
        return;
    };
    let Some(knot) = Knot::start(&[(apex, &text)]) else {
        return;
    };
    let zone = [zones::real(apex, file).expect("its text is there")];
    let found = find_cuts(&zone, &[]).delegations;
    let cuts: Vec<&[u8]> = found.iter().map(|cut| cut.cut.as_slice()).collect();
    let grounds: Vec<Ground> = found.iter().map(Ground::of).collect();
    assert_eq!(cuts.len(), 1438);
    let program = Program::load(Memory::new(zones::generation(&zone), POLICY));

    let over_tcp = |query: &[u8]| Reply::parse(&knot.ask_tcp(&[query.to_vec()])[0]);
    let mut judge = Judge {
        reference: Wholes::new(over_tcp),
        max_udp: MAX_UDP,
        copy_cd: false,
    };
    // Equal, both truncated, by size.
    let mut totals = [0; 3];
    let mut truncated: BTreeMap<(Column, Family), [usize; 2]> = BTreeMap::new();
    let mut differences = Vec::new();
    let mut cases = 0;
    for column in Column::all() {
        let queries: Vec<Query> = cuts.iter().map(|cut| column.query(cut)).collect();
        let messages: Vec<Vec<u8>> = queries.iter().map(Query::octets).collect();
        for family in [Family::V4, Family::V6] {
            let replies = knot.ask(family, &messages);
            let counts = truncated.entry((column, family)).or_default();
            for ((ground, message), knots) in grounds.iter().zip(&messages).zip(&replies) {
                let ours = ask(&program, family, message);
                cases += 1;
                counts[0] += usize::from(ours[2] & 2 != 0);
                counts[1] += usize::from(knots[2] & 2 != 0);
                let mut message = message.clone();
                message[..2].fill(0);
                let judgement = judge.judge(ground, &message, &ours, knots);
                let judgement = judgement.expect("a whole referral");
                match judgement.outcome {
                    Outcome::Equal => totals[0] += 1,
                    Outcome::BothTruncated => totals[1] += 1,
                    Outcome::BySize(_) => totals[2] += 1,
                    outcome @ (Outcome::Fault | Outcome::Difference(_)) => {
                        differences.push(format!("{column:?}: {outcome:?}"));
                    }
                }
            }
        }
    }
    println!(
        "{cases} cases, {totals:?}, {} differences",
        differences.len()
    );
    for ((column, family), [ours, knots]) in &truncated {
        println!("{column:?} {family:?}: TC=1 for {ours}, Knot {knots}");
    }
    assert!(
        differences.is_empty(),
        "{} differences, the first of them: {}",
        differences.len(),
        differences[0]
    );
    assert_eq!(totals.iter().sum::<usize>(), cases);
    // By far the most must be plainly equal, or the rules excuse too much.
    assert!(totals[2] * 50 < cases, "{totals:?}");
    check_truncation(&truncated);
    assert_eq!(program.counted(Action::Abort), 0);
    // Nothing passed: each of the frames was answered by the kernel.
    assert_eq!(program.counted(Action::Pass), 0);
}

/// What was measured of Knot 3.2.6, and of the program.
fn check_truncation(truncated: &BTreeMap<(Column, Family), [usize; 2]>) {
    for (prefix, size, dnssec, ours, knots) in [
        (Prefix::None, None, false, 82, 82),
        (Prefix::Label, None, false, 86, 86),
        (Prefix::None, Some(512), true, 1097, 1110),
        (Prefix::Label, Some(512), true, 1231, 1234),
        (Prefix::None, Some(1232), true, 0, 0),
        (Prefix::Octets183, Some(1232), true, 2, 2),
    ] {
        let column = Column::new(prefix, size, dnssec);
        for family in [Family::V4, Family::V6] {
            assert_eq!(truncated[&(column, family)], [ours, knots], "{column:?}");
        }
    }
}

/// Asks the program; the message of its reply, with ID 0.
fn ask(program: &Program, family: Family, message: &[u8]) -> Vec<u8> {
    let path = match family {
        Family::V4 => Path::v4(),
        Family::V6 => Path::v6(),
    };
    let (action, frame) = program.run(&path.frame(message));
    assert_eq!(action, Action::Transmit, "{message:02x?}");
    let mut reply = path.check_reply(&frame).expect("a right frame").to_vec();
    assert_eq!(reply[..2], message[..2]);
    reply[..2].fill(0);
    reply
}
