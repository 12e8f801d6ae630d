//! The golden answers of the zone of oddities against Knot's: the file is not
//! only what we believe. And against those of the built-in server.
//!
//! `tests/program.rs` holds the program to the same answers.

mod conform_support;
mod program_support;

use std::collections::BTreeSet;
use std::sync::Arc;

use conform_support::knot::{Family, Knot};
use dns_glue::serve::fallback::{FallbackZones, Settings, Transport, answer};
use dns_glue::zone::cuts::find_cuts;
use dns_glue_common::reason::Reason;
use program_support::oddities::{self, APEX, Golden, Outcome, Referral};
use program_support::query::flag;
use program_support::reply::{Record, Reply};
use program_support::zones;

#[test]
fn every_delegation_has_a_golden_answer() {
    let golden = oddities::golden();
    let zone = [zones::oddities()];
    let cuts = find_cuts(&zone, &[]);
    assert_eq!(cuts.delegations.len(), 32);
    for delegation in &cuts.delegations {
        let cut = delegation.cut.as_slice().to_ascii_lowercase();
        let asked = golden.iter().any(|golden| {
            let name = golden.query.name.to_ascii_lowercase();
            name.ends_with(&cut) && matches!(golden.outcome, Outcome::Referral(_))
        });
        assert!(asked, "{}", delegation.cut);
    }
    for fault in cuts.faults.iter().filter(|fault| fault.is_stop()) {
        let name = fault.name.as_slice();
        let asked = golden.iter().any(|golden| {
            let passes = [Reason::Refused, Reason::Dname].map(Outcome::Passes);
            golden.query.name.ends_with(name) && passes.contains(&golden.outcome)
        });
        assert!(asked, "{}", fault.name);
    }
}

#[test]
fn knot_gives_the_golden_answers() {
    let Some(knot) = Knot::start(&[(APEX, zones::ODDITIES)]) else {
        return;
    };
    let golden = oddities::golden();
    let messages: Vec<Vec<u8>> = golden.iter().map(|one| one.query.octets()).collect();
    let mut differences = Vec::new();
    let mut too_long = 0;
    for family in [Family::V4, Family::V6] {
        let replies = knot.ask(family, &messages);
        for (golden, octets) in golden.iter().zip(&replies) {
            let reply = Reply::parse(octets);
            if is_too_long_for_knot(&knot, golden, &reply) {
                too_long += 1;
            } else if let Err(what) = compare(golden, &reply, octets) {
                differences.push(format!("{}: {what}\n{reply}", golden.name));
            }
        }
    }
    println!(
        "{} answers, over IPv4 and IPv6; {too_long} too long for Knot",
        golden.len()
    );
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    // 26 name servers behind a QNAME of 255 octets: 1220 octets of 1232, which
    // Knot's encoding does not reach.
    assert_eq!(too_long, 2);
}

#[test]
fn the_built_in_server_gives_the_golden_answers() {
    let zones = FallbackZones::new([Arc::new(zones::oddities())]).expect("it can be served");
    let mut differences = Vec::new();
    for golden in oddities::golden() {
        // Where Knot refers against the RFCs the answer is the server's own.
        if golden.knot_refers {
            continue;
        }
        let query = golden.query.octets();
        let octets = answer(&zones, &Settings::default(), &query, Transport::Udp);
        let octets = octets.expect("a reply to a query");
        let reply = Reply::parse(&octets);
        if let Err(what) = compare(&golden, &reply, &octets) {
            differences.push(format!("{}: {what}\n{reply}", golden.name));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// Whether Knot truncates what has room as we encode it, and only because its
/// own encoding is longer than the client takes.
fn is_too_long_for_knot(knot: &Knot, golden: &Golden, reply: &Reply) -> bool {
    let Outcome::Referral(referral) = &golden.outcome else {
        return false;
    };
    let limit = golden.query.opt.as_ref().map_or(512, |opt| opt.size);
    referral.whole
        && reply.truncated()
        && knot.ask_tcp(&[golden.query.octets()])[0].len() > limit.into()
}

/// Compares a golden answer with Knot's reply.
fn compare(golden: &Golden, reply: &Reply, octets: &[u8]) -> Result<(), String> {
    match &golden.outcome {
        // Of a broken delegation each server makes what it likes.
        Outcome::Passes(Reason::Refused) => Ok(()),
        Outcome::Passes(_) if reply.authoritative() != golden.knot_refers => Ok(()),
        Outcome::Passes(_) => Err("AA".into()),
        Outcome::Referral(referral) => compare_referral(golden, referral, reply, octets),
    }
}

fn compare_referral(
    golden: &Golden,
    referral: &Referral,
    reply: &Reply,
    octets: &[u8],
) -> Result<(), String> {
    let truncated = u16::from(referral.truncated) * flag::TC;
    if octets[2..4] != (flag::QR | truncated).to_be_bytes() {
        return Err("header flags".into());
    }
    if reply.question != golden.query.octets()[12..golden.query.question_end()] {
        return Err("the question".into());
    }
    if reply.opt.is_some() != golden.query.opt.is_some() {
        return Err("the OPT record".into());
    }
    // What is left of a truncated body is each server's own choice.
    if referral.truncated {
        return Ok(());
    }
    let [answer, authority, additional] = &reply.sections;
    if !answer.is_empty() || *authority != referral.authority {
        return Err(format!("authority: {}", texts(&referral.authority)));
    }
    // Without all, any optional ones will do: which, is each server's choice.
    if referral.whole && !is_additional(additional, referral) {
        return Err(format!("additional: {}", texts(&referral.additional)));
    }
    Ok(())
}

/// Whether an additional section of Knot is the golden one, but for what the
/// file says Knot does otherwise.
fn is_additional(additional: &BTreeSet<Record>, referral: &Referral) -> bool {
    let has_other_ttl = |missing: &Record| {
        let mut others = referral.not_ours.intersection(additional);
        others.any(|other| {
            (&other.owner, other.rtype, &other.data)
                == (&missing.owner, missing.rtype, &missing.data)
        })
    };
    let mut more = additional.difference(&referral.additional);
    let mut missing = referral.additional.difference(additional);
    more.all(|record| referral.not_ours.contains(record)) && missing.all(has_other_ttl)
}

fn texts(records: &BTreeSet<Record>) -> String {
    let texts: Vec<String> = records.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
