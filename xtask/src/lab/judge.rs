//! Compares an answer and its origin with what a case expects.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use domain::{
    base::{Message, ParsedRecord, RecordSection, Rtype, name::ToName as _},
    rdata::AllRecordData,
};

use super::{
    cases::{By, Case, Records},
    counters::Counters,
};

/// What is wrong with an answer; empty if nothing is.
///
/// # Errors
/// When the answer cannot be read.
pub fn faults(case: &Case, reply: &Message<Vec<u8>>, counted: &Counters) -> Result<Vec<String>> {
    let mut faults = origin_faults(case.by, counted);
    let header = reply.header();
    let opt = reply.opt();
    let fields = [
        ("QR", header.qr(), true),
        ("AA", header.aa(), case.authoritative),
        ("TC", header.tc(), case.truncated),
        ("RA", header.ra(), false),
        ("AD", header.ad(), false),
        ("OPT", opt.is_some(), case.edns.is_some()),
        (
            "DO",
            opt.is_some_and(|opt| opt.dnssec_ok()),
            case.edns.is_some_and(|edns| edns.dnssec),
        ),
    ];
    for (name, is, expected) in fields {
        if is != expected {
            faults.push(format!("{name} is {}", u8::from(is)));
        }
    }
    if header.rcode() != case.rcode {
        faults.push(format!("RCODE is {}, not {}", header.rcode(), case.rcode));
    }
    let (_, answer, authority, additional) =
        reply.sections().context("read the sections of the reply")?;
    for (name, section, expected) in [
        ("answer", answer, case.answer),
        ("authority", authority, case.authority),
        ("additional", additional, case.additional),
    ] {
        let section = records(section).with_context(|| format!("read the {name} section"))?;
        faults.extend(
            record_faults(&section, expected, case.zone)
                .into_iter()
                .map(|fault| format!("{name} section: {fault}")),
        );
    }
    Ok(faults)
}

/// Who answered, as the counters tell it.
pub fn origin(counted: &Counters) -> &'static str {
    match counted.answered() {
        0 => "fallback",
        _ => "kernel",
    }
}

fn origin_faults(by: By, counted: &Counters) -> Vec<String> {
    let answered = counted.answered();
    let is_right = match by {
        By::Kernel(outcome) => answered == 1 && counted.packets(outcome) == 1,
        // Over TCP a query is several packets.
        By::Fallback(outcome) => answered == 0 && counted.packets(outcome) >= 1,
    };
    if is_right {
        return Vec::new();
    }
    let (side, outcome) = match by {
        By::Kernel(outcome) => ("the kernel", outcome),
        By::Fallback(outcome) => ("the fallback", outcome),
    };
    vec![format!(
        "not answered by {side} with {outcome}; {}",
        describe(counted)
    )]
}

/// What was counted, in words.
pub fn describe(counted: &Counters) -> String {
    let counted: Vec<String> = counted
        .counted()
        .map(|counter| format!("{} {}", counter.name, counter.packets))
        .collect();
    format!("counted: {}", counted.join(", "))
}

fn record_faults(section: &[String], expected: Records, zone: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let found: BTreeSet<&str> = section.iter().map(String::as_str).collect();
    if found.len() != section.len() {
        faults.push("a record comes twice".to_owned());
    }
    let (list, is_whole) = match expected {
        Records::Exactly(list) => (list, true),
        Records::Among(list) => (list, false),
    };
    let list: BTreeSet<String> = list.iter().map(|record| absolute(record, zone)).collect();
    for record in &found {
        if !list.contains(*record) {
            faults.push(format!("unexpected: {record}"));
        }
    }
    if is_whole {
        for record in &list {
            if !found.contains(record.as_str()) {
                faults.push(format!("missing: {record}"));
            }
        }
    }
    faults
}

/// The records of a section but OPT, as the cases write them, names absolute.
fn records(section: RecordSection<'_, Vec<u8>>) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for record in section {
        let record = record?;
        if record.rtype() != Rtype::OPT {
            texts.push(text(&record)?);
        }
    }
    Ok(texts)
}

fn text(record: &ParsedRecord<'_, Vec<u8>>) -> Result<String> {
    let data = record
        .to_any_record::<AllRecordData<_, _>>()
        .context("read the data of a record")?;
    let data = match data.data() {
        AllRecordData::Ns(ns) => ns.nsdname().fmt_with_dot().to_string().to_lowercase(),
        AllRecordData::A(address) => address.addr().to_string(),
        AllRecordData::Aaaa(address) => address.addr().to_string(),
        AllRecordData::Ds(ds) => ds.to_string().to_uppercase(),
        AllRecordData::Rrsig(rrsig) => rrsig.type_covered().to_string(),
        AllRecordData::Soa(_) | AllRecordData::Nsec(_) => String::new(),
        other => other.to_string(),
    };
    let owner = record.owner().fmt_with_dot().to_string().to_lowercase();
    let text = format!("{owner} {} {data}", record.rtype());
    Ok(text.trim_end().to_owned())
}

/// A record of a case with its names made absolute.
fn absolute(record: &str, zone: &str) -> String {
    let (owner, rest) = record.split_once(' ').unwrap_or((record, ""));
    let owner = absolute_name(owner, zone);
    match rest.strip_prefix("NS ") {
        Some(target) => format!("{owner} NS {}", absolute_name(target, zone)),
        None => format!("{owner} {rest}"),
    }
}

/// A name of a case made absolute; empty and `@` are the apex.
pub fn absolute_name(name: &str, zone: &str) -> String {
    match name {
        "" | "@" => zone.to_owned(),
        name if name.ends_with('.') => name.to_owned(),
        name => format!("{name}.{zone}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::counters::Counter;

    fn counted(name: &str, action: &str, packets: u64) -> Counters {
        Counters(vec![Counter {
            name: name.to_owned(),
            action: action.to_owned(),
            packets,
        }])
    }

    #[test]
    fn a_right_answer_from_the_wrong_side_is_a_fault() {
        let kernel = counted("referral", "answered", 1);
        let fallback = counted("no-room", "passed", 1);
        assert_eq!(origin(&kernel), "kernel");
        assert_eq!(origin(&fallback), "fallback");
        assert!(origin_faults(By::Kernel("referral"), &kernel).is_empty());
        assert!(!origin_faults(By::Kernel("referral"), &fallback).is_empty());
        assert!(!origin_faults(By::Kernel("referral-partial"), &kernel).is_empty());
        assert!(!origin_faults(By::Fallback("no-cut"), &fallback).is_empty());
        assert!(origin_faults(By::Fallback("no-room"), &fallback).is_empty());
        assert!(!origin_faults(By::Fallback("no-room"), &kernel).is_empty());
    }

    #[test]
    fn names_of_cases_are_below_their_zone() {
        assert_eq!(absolute("a NS ns.a", "z."), "a.z. NS ns.a.z.");
        assert_eq!(absolute("a NS ns.b.", "z."), "a.z. NS ns.b.");
        assert_eq!(absolute("@ SOA", "z."), "z. SOA");
        assert_eq!(absolute("a A 192.0.2.1", "z."), "a.z. A 192.0.2.1");
    }

    #[test]
    fn records_are_compared_both_ways() {
        let section = ["a.z. A 192.0.2.1".to_owned(), "b.z. A 192.0.2.2".to_owned()];
        let both = &["a A 192.0.2.1", "b A 192.0.2.2"];
        let three = &["a A 192.0.2.1", "b A 192.0.2.2", "c A 192.0.2.3"];
        let faults = |expected| record_faults(&section, expected, "z.").len();
        assert_eq!(faults(Records::Exactly(both)), 0);
        assert_eq!(faults(Records::Exactly(three)), 1);
        assert_eq!(faults(Records::Among(three)), 0);
        assert_eq!(faults(Records::Among(&["a A 192.0.2.1"])), 1);
        assert_eq!(
            record_faults(
                &[section[0].clone(), section[0].clone()],
                Records::Exactly(&["a A 192.0.2.1"]),
                "z."
            )
            .len(),
            1
        );
    }
}
