//! The program in the kernel, frame by frame: a table of golden cases, and
//! the kernel against the host.

mod program_support;

#[path = "program/cases.rs"]
mod cases;
#[path = "program/stream.rs"]
mod stream;

use std::collections::{BTreeSet, HashSet};

use cases::{Case, Setup};
use dns_glue_common::reason::{Action, Reason};
use program_support::is_root;
use program_support::program::Program;
use program_support::query::{Opt, edns_flag, flag};
use program_support::reply::Reply;

/// Outcomes that no frame of a test run can have, and why.
const WITHOUT_CASE: [(Reason, &str); 2] = [
    (
        Reason::NoRoom,
        "a test run leaves the rest of a page behind the frame; tests/conform_behind.rs sends \
         frames without room through a veth pair",
    ),
    (
        Reason::WriteFailed,
        "a fault of the program: no frame leads there",
    ),
];

#[test]
fn every_outcome_has_a_case() {
    let covered: HashSet<Reason> = cases::all().iter().map(|case| case.reason).collect();
    for reason in Reason::ALL {
        let excepted = WITHOUT_CASE.iter().any(|(other, _)| other == reason);
        assert_ne!(
            covered.contains(reason),
            excepted,
            "{reason:?}: a case or an exception, not both"
        );
    }
}

#[test]
fn every_case_ends_on_the_host_as_the_table_says() {
    let cases = cases::all();
    for setup in Setup::ALL {
        let memory = setup.memory();
        // The host has frames in one buffer only.
        let cases = cases
            .iter()
            .filter(|case| case.setup == setup && case.reason != Reason::MultiBuffer);
        for case in cases {
            let (reason, octets) = memory.run(&case.frame);
            check(case, reason, &octets);
        }
    }
}

#[test]
fn every_case_ends_in_the_kernel_as_the_table_says() {
    if !is_root() {
        return;
    }
    let cases = cases::all();
    for setup in Setup::ALL {
        let program = Program::load(setup.memory());
        let cases = cases.iter().filter(|case| case.setup == setup);
        let count = cases.clone().count();
        println!("{setup:?}: {count} cases; {}", program.describe());
        assert!(count > 0);
        for case in cases {
            let (reason, octets) = program.run_counted(&case.frame);
            check(case, reason, &octets);
        }
        assert_eq!(program.counted(Action::Abort), 0);
    }
}

/// Checks what became of a frame.
fn check(case: &Case, reason: Reason, octets: &[u8]) {
    // Shown only if the case fails.
    println!("{}: {}", case.path.source, case.what);
    assert_eq!(reason, case.reason);
    match reason.action() {
        Action::Transmit => check_answer(case, octets),
        Action::Pass => {
            assert!(octets == case.frame, "a frame that passes is untouched");
            assert_eq!(case.answer, None, "what passes is not answered");
        }
        Action::Abort => panic!("nothing aborts"),
    }
}

/// Checks a reply down to the last octet.
fn check_answer(case: &Case, frame: &[u8]) {
    let query = &case.query;
    let message = case.path.check_reply(frame);
    let answer = case.answer.as_ref().expect("an answer in the table");
    assert_eq!(message[..2], query.id.to_be_bytes(), "ID");
    let truncated = case.reason == Reason::ReferralTruncated;
    let flags = flag::QR | query.flags & answer.copied_flags | if truncated { flag::TC } else { 0 };
    assert_eq!(message[2..4], flags.to_be_bytes(), "header flags");
    assert_eq!(
        message[12..query.question_end()],
        query.octets()[12..query.question_end()],
        "the question comes back octet by octet"
    );
    let reply = Reply::parse(message);
    let [answers, authority, additional] = &reply.sections;
    assert!(answers.is_empty());
    let texts = |records: &BTreeSet<_>| -> BTreeSet<String> {
        records.iter().map(ToString::to_string).collect()
    };
    let expected = |records: &[String]| -> BTreeSet<String> { records.iter().cloned().collect() };
    assert_eq!(texts(authority), expected(&answer.authority), "authority");
    assert_eq!(
        texts(additional),
        expected(&answer.additional),
        "additional"
    );
    match &query.opt {
        None => assert_eq!(reply.opt, None, "no OPT record was asked for"),
        Some(opt) => check_opt(message, opt, answer.own_size),
    }
    assert!(message.len() <= answer.limit, "{} octets", message.len());
}

/// The last 11 octets are our OPT record: no options, only DO copied.
fn check_opt(message: &[u8], asked: &Opt, own_size: u16) {
    let mut expected = vec![0, 0, 41];
    expected.extend(own_size.to_be_bytes());
    expected.extend([0, 0]);
    expected.extend((asked.flags & edns_flag::DO).to_be_bytes());
    expected.extend([0, 0]);
    assert_eq!(message[message.len() - 11..], expected, "the OPT record");
}

/// Two replies written out, so that nothing but the eye decodes them.
#[test]
fn two_replies_octet_by_octet() {
    if !is_root() {
        return;
    }
    let program = Program::load(Setup::Plain.memory());
    for (query, reply) in cases::written_out() {
        let (reason, octets) = program.run_counted(&query);
        assert_eq!(reason, Reason::Referral);
        let shown: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(shown.concat(), reply.concat());
    }
}
