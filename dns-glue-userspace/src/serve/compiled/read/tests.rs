//! Tests of what is found in zones that are read.

use super::*;
use crate::zone::master_file::read_text;
use std::path::{Path, PathBuf};

/// The warnings and the summary of a zone `test.`.
fn compiled(records: &str) -> (Vec<String>, ZoneStatus) {
    let zones = compiled_at(unix_seconds(), records);
    (zones.warnings(), zones.each[0].status.clone())
}

/// The zone `test.`, read at a time.
fn compiled_at(time: u64, records: &str) -> CompiledZones {
    let apex = Name::vec_from_str("test.").expect("a valid name");
    let text = format!("$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n{records}");
    let zone = match read_text(&apex, Path::new("test.zone"), text.as_bytes()) {
        Ok(zone) => zone,
        Err(errors) => panic!("{errors}"),
    };
    let choice = ZoneChoice {
        sources: vec![ZoneSource {
            apex,
            path: PathBuf::from("test.zone"),
        }],
        also_served: Vec::new(),
        strict: false,
    };
    let read = ReadZones {
        choice: &choice,
        answering: None,
        zones: vec![zone],
        taken: vec![None],
    };
    match read.compile_at(time, &()) {
        Ok(made) => made.zones,
        Err(error) => panic!("{error}"),
    }
}

fn delegated(owner: &str) -> String {
    format!("{owner} NS ns.void.\n{owner} NS ns2.void.\n")
}

#[test]
fn a_sound_zone_has_no_warnings() {
    let (warnings, status) = compiled(&delegated("a"));
    assert_eq!(warnings, [""; 0]);
    let counts = (status.delegations, status.refused, status.too_deep);
    assert_eq!(counts, (1, 0, 0));
}

#[test]
fn one_line_for_each_kind() {
    let wildcards: String = (1..=7).map(|n| delegated(&format!("*.w{n}"))).collect();
    let (warnings, status) = compiled(&(wildcards + "a NS ns.void.\n"));
    assert_eq!(
        warnings,
        [
            "wildcard-ns: 7 (*.w1.test. *.w2.test. *.w3.test. *.w4.test. *.w5.test. and 2 \
             more), first *.w1.test.: NS at a wildcard has no meaning; it passes",
            "one-name-server: a.test.: only one name server",
        ]
    );
    assert_eq!((status.delegations, status.refused), (1, 7));
}

#[test]
fn expired_signatures_are_told() {
    let past = "20200101000000";
    let sign = |owner: &str, covered: &str, expires: &str| {
        format!("{owner} RRSIG {covered} 13 2 60 {expires} {past} 1 test. AAAA\n")
    };
    let records = [
        String::from("@ DNSKEY 257 3 13 AAAA\n@ NSEC a NS SOA RRSIG NSEC DNSKEY\n"),
        sign("@", "SOA", past),
        delegated("a") + "a DS 1 13 2 00112233\n" + &sign("a", "DS", "20200102000000"),
    ];
    let (warnings, _) = compiled(&records.concat());
    assert_eq!(
        warnings,
        [
            "invalid-signatures: a.test.: signatures expired or not yet valid, here first, in \
          1 RRsets"
        ]
    );
}

/// A second signature follows the first after a gap: what is found depends
/// on when it is looked for.
#[test]
fn what_is_found_anew_takes_the_place_of_what_was_found() {
    const BEGIN: u64 = 1_700_000_000;
    let records = [
        String::from("@ DNSKEY 257 3 13 AAAA\n@ NSEC a NS SOA RRSIG NSEC DNSKEY\n"),
        format!("@ RRSIG SOA 13 2 60 {BEGIN} {BEGIN} 1 test. AAAA\n"),
        delegated("a") + "a DS 1 13 2 00112233\n",
        format!("a RRSIG DS 13 2 60 {} {BEGIN} 1 test. AAAA\n", BEGIN + 1000),
        format!(
            "a RRSIG DS 13 2 60 {} {} 1 test. AAAA\n",
            BEGIN + 1_000_000,
            BEGIN + 2000
        ),
    ];
    let at = |time| compiled_at(BEGIN + time, &records.concat());
    let signed = |zones: &CompiledZones| {
        let status = &zones.each[0].status;
        [status.signatures_from, status.signatures_until]
            .map(|time| time.expect("it is signed") - BEGIN)
    };
    let before = at(500);
    assert_eq!(signed(&before), [0, 1000]);
    let soon = "expiring-signatures: a.test.: signatures of 1 RRsets expire soon, here first, \
                in 0 hours";
    assert_eq!(before.warnings(), [soon]);

    let between = before.found_anew(&at(1500));
    assert_eq!(signed(&between), [2000, 1_000_000]);
    let invalid = "invalid-signatures: a.test.: signatures expired or not yet valid, here \
                   first, in 1 RRsets";
    assert_eq!(between.warnings(), [invalid]);

    let after = between.found_anew(&at(2500));
    assert_eq!(signed(&after), [2000, 1_000_000]);
    assert_eq!(after.warnings(), [""; 0]);
}

/// Signatures without a gap are as good as one, and one that is past is told
/// by the time at which it ended.
#[test]
fn signatures_are_valid_one_after_the_other() {
    const NOW: u64 = 1_700_000_000;
    for (signatures, due) in [
        (&[(-10, 1000), (1000, 5000), (-20, 500)][..], (-10, 5000)),
        (&[(1000, 5000), (-10, 999)], (-10, 999)),
        (&[(1000, 5000), (300, 400), (-10, -1)], (300, 400)),
        (&[(-100, -50), (-100, -10)], (-100, -10)),
    ] {
        let at = |seconds: i64| NOW.checked_add_signed(seconds).expect("a time");
        let mut records = String::from("@ DNSKEY 257 3 13 AAAA\n");
        records.push_str("@ NSEC a NS SOA RRSIG NSEC DNSKEY\n");
        records.push_str(&format!("@ RRSIG SOA 13 2 60 {NOW} {NOW} 1 test. AAAA\n"));
        records.push_str(&(delegated("a") + "a DS 1 13 2 00112233\n"));
        for (from, until) in signatures {
            let (from, until) = (at(*from), at(*until));
            records.push_str(&format!("a RRSIG DS 13 2 60 {until} {from} 1 test. AAAA\n"));
        }
        let zones = compiled_at(NOW, &records);
        let status = &zones.each[0].status;
        let (from, until) = (status.signatures_from, status.signatures_until);
        assert_eq!((from, until), (Some(at(due.0)), Some(at(due.1))));
    }
}

#[test]
fn what_is_left_out_of_the_index_and_of_replies_is_told() {
    // More numbers of labels than the program looks for.
    let depths = dns_glue_common::limits::MAX_DEPTHS + 1;
    let deep: String = (1..=depths)
        .map(|labels| delegated(&vec![format!("d{labels}"); labels].join(".")))
        .collect();
    let long = "x".repeat(60);
    let many: String = (0..40)
        .map(|n| format!("m NS {n}.{n}{long}.void.\n"))
        .collect();
    let (warnings, status) = compiled(&(deep + &many));
    // The apex is one of those that are looked for.
    assert_eq!(status.too_deep, 2, "{status:?}");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("2 delegations (d"), "{warnings:?}");
    assert_eq!(
        warnings[1],
        "1 delegations (m.test.): too many NS records; replies have TC=1"
    );
}
