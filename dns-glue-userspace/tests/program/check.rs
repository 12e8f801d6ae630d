//! What became of a frame, against the table of cases: each check panics at
//! what is wrong.

use std::collections::BTreeSet;

use dns_glue_common::reason::{Action, Reason};

use super::cases::{Answer, Case};
use super::program_support::query::{Opt, edns_flag, flag};
use super::program_support::reply::Reply;

/// Checks what became of the frame of a case.
pub fn check(case: &Case, reason: Reason, octets: &[u8]) {
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
    let message = case.path.check_reply(frame).expect("a right frame");
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
        Some(opt) => check_opt(message, opt, answer),
    }
    assert!(message.len() <= answer.limit, "{} octets", message.len());
}

/// The last octets are our OPT record: only DO copied, and no option but the
/// identifier.
fn check_opt(message: &[u8], asked: &Opt, answer: &Answer) {
    let mut expected = vec![0, 0, 41];
    expected.extend(answer.own_size.to_be_bytes());
    expected.extend([0, 0]);
    expected.extend((asked.flags & edns_flag::DO).to_be_bytes());
    match answer.nsid {
        None => expected.extend([0, 0]),
        Some(nsid) => {
            let octets = nsid.len() as u8;
            expected.extend([0, octets + 4, 0, 3, 0, octets]);
            expected.extend(nsid);
        }
    }
    assert!(
        message.ends_with(&expected),
        "the OPT record: {message:02x?}"
    );
}

/// Checks a referral against one that is written out.
pub fn check_octets(written: &[&str], reason: Reason, octets: &[u8]) {
    assert_eq!(reason, Reason::Referral);
    let shown: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(shown.concat(), written.concat().replace(' ', ""));
}
