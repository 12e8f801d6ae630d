//! Lookups in the test zones.

use std::path::Path;

use super::*;
use crate::zone::master_file;

/// The contents of body.inc, signed or not.
fn zone(apex: &str, file: &str) -> Zone {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/fallback")
        .join(file);
    let apex = Name::vec_from_str(apex).expect("a name");
    master_file::read_file(&apex, &path).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A part in one line: section, owner without the zone's name, type (that
/// covered, with `sig:`), records, and a `?` if it is optional.
fn line(section: &str, part: &Part<'_>, apex: &str) -> String {
    let owner = part.owner.name().to_string();
    let owner = owner.strip_suffix(apex).unwrap_or(&owner);
    let (what, count) = match &part.data {
        Data::Records(rrset) => (rrset.rtype().to_string(), rrset.len()),
        Data::Signatures(rrset) => (format!("sig:{}", rrset.rtype()), rrset.signatures().count()),
        Data::Synthesised { target } => (format!("CNAME={}", target.name()), 1),
    };
    let optional = if part.need == Need::Optional { "?" } else { "" };
    format!(
        "{section} {} {what} {count}{optional}",
        owner.strip_suffix('.').unwrap_or(owner)
    )
}

/// What a lookup gives, as lines; the first has code and AA.
fn found(zone: &Zone, qname: &str, qtype: Rtype, dnssec_ok: bool) -> Vec<String> {
    let apex = zone.apex().to_string();
    let qname = if qname.is_empty() {
        apex.clone()
    } else {
        format!("{qname}.{apex}")
    };
    let qname = Name::vec_from_str(&qname).expect("a name");
    let answer = lookup(zone, qname.for_slice(), qtype, dnssec_ok);
    let aa = if answer.authoritative { " aa" } else { "" };
    let mut lines = vec![format!("{}{aa}", answer.rcode)];
    for (section, parts) in [
        ("an", &answer.answer),
        ("ns", &answer.authority),
        ("ar", &answer.additional),
    ] {
        lines.extend(parts.iter().map(|part| line(section, part, &apex)));
    }
    lines
}

fn plain() -> Zone {
    zone("plain.example.", "plain.zone")
}

fn signed() -> Zone {
    zone("signed.example.", "signed.zone")
}

#[test]
fn an_existing_rrset_is_answered() {
    assert_eq!(
        found(&plain(), "host", Rtype::A, true),
        ["NOERROR aa", "an host A 2"]
    );
    assert_eq!(
        found(&signed(), "host", Rtype::A, true),
        ["NOERROR aa", "an host A 2", "an host sig:A 1"]
    );
    assert_eq!(
        found(&signed(), "host", Rtype::A, false),
        ["NOERROR aa", "an host A 2"]
    );
}

#[test]
fn addresses_of_targets_go_with_the_answer() {
    assert_eq!(
        found(&plain(), "", Rtype::NS, false),
        [
            "NOERROR aa",
            "an  NS 3",
            "ar ns1.deleg A 1?",
            "ar ns1.deleg AAAA 1?",
            "ar ns1 A 1?",
            "ar ns1 AAAA 1?",
        ]
    );
    // Glue, and the address that a wildcard has for the target; none for
    // an alias (RFC 2181 section 10.3) or another zone's name.
    assert_eq!(
        found(&plain(), "", Rtype::MX, false),
        [
            "NOERROR aa",
            "an  MX 5",
            "ar mail A 1?",
            "ar mx.deleg A 1?",
            "ar any.wild A 1?"
        ]
    );
}

#[test]
fn a_referral_has_its_glue_in_order() {
    let referral = [
        "NOERROR",
        "ns deleg NS 5",
        "ar ns1.deleg A 1",
        "ar ns1.deleg AAAA 1",
        "ar ns2.deleg A 1",
        "ar ns.sib A 1?",
        "ar ns.sib AAAA 1?",
        "ar ns1 A 1?",
        "ar ns1 AAAA 1?",
    ];
    assert_eq!(found(&plain(), "deleg", Rtype::A, true), referral);
    assert_eq!(found(&plain(), "mx.deleg", Rtype::A, true), referral);
    // A cut below the cut is occluded.
    assert_eq!(found(&plain(), "ns.sub.deleg", Rtype::NS, true), referral);
    let signed = found(&signed(), "x.deleg", Rtype::DS, true);
    assert_eq!(
        signed[1..4],
        ["ns deleg NS 5", "ns deleg NSEC 1", "ns deleg sig:NSEC 1"]
    );
    assert_eq!(
        signed[9..],
        [
            "ar ns1 A 1?",
            "ar ns1 AAAA 1?",
            "ar ns1 sig:A 1?",
            "ar ns1 sig:AAAA 1?"
        ]
    );
}

#[test]
fn ds_at_a_cut_is_the_parents() {
    assert_eq!(
        found(&signed(), "secure", Rtype::DS, true),
        ["NOERROR aa", "an secure DS 1", "an secure sig:DS 1"]
    );
    assert_eq!(
        found(&signed(), "deleg", Rtype::DS, true),
        [
            "NOERROR aa",
            "ns  SOA 1",
            "ns  sig:SOA 1",
            "ns deleg NSEC 1",
            "ns deleg sig:NSEC 1"
        ]
    );
}

#[test]
fn negative_answers_have_soa_and_proof() {
    let zone = signed();
    let soa = ["ns  SOA 1", "ns  sig:SOA 1"];
    let missing = found(&zone, "nosuch", Rtype::A, true);
    assert_eq!(missing[0], "NXDOMAIN aa");
    assert_eq!(missing[1..3], soa);
    assert_eq!(
        missing[3..],
        [
            "ns noglue NSEC 1",
            "ns noglue sig:NSEC 1",
            "ns  NSEC 1",
            "ns  sig:NSEC 1"
        ]
    );
    // The encloser is an owner below an empty non-terminal; the proof of
    // both names is one record.
    let missing = found(&zone, "x.a.ent", Rtype::A, true);
    assert_eq!(missing[3..], ["ns a.ent NSEC 1", "ns a.ent sig:NSEC 1"]);
    let no_data = found(&zone, "host", Rtype::MX, true);
    assert_eq!(no_data[0], "NOERROR aa");
    assert_eq!(no_data[3..], ["ns host NSEC 1", "ns host sig:NSEC 1"]);
    let empty = found(&zone, "ent.ents", Rtype::A, true);
    assert_eq!(empty[0], "NOERROR aa");
    assert_eq!(empty[3..], ["ns a.ent NSEC 1", "ns a.ent sig:NSEC 1"]);
    // Without DO, and in an unsigned zone, only the SOA.
    assert_eq!(
        found(&zone, "nosuch", Rtype::A, false),
        ["NXDOMAIN aa", "ns  SOA 1"]
    );
    assert_eq!(
        found(&plain(), "nosuch", Rtype::A, true),
        ["NXDOMAIN aa", "ns  SOA 1"]
    );
}

#[test]
fn the_negative_ttl_is_the_lower_one() {
    let zone = signed();
    let qname = Name::vec_from_str("nosuch.signed.example").expect("a name");
    let answer = lookup(&zone, qname.for_slice(), Rtype::A, true);
    // SOA: TTL 3600, MINIMUM 300.
    assert_eq!(
        [answer.authority[0].ttl, answer.authority[1].ttl],
        [300, 300]
    );
}

#[test]
fn glue_in_front_of_a_name_does_not_spoil_its_proof() {
    // Before this name in canonical order stands glue, without an NSEC.
    let proof = &found(&signed(), "bigger", Rtype::A, true)[3..];
    assert_eq!(proof[0], "ns big NSEC 1");
}

#[test]
fn wildcards_stand_in_for_missing_names() {
    assert_eq!(
        found(&signed(), "foo.bar.wild", Rtype::A, true),
        [
            "NOERROR aa",
            "an foo.bar.wild A 1",
            "an foo.bar.wild sig:A 1",
            "ns b.wild NSEC 1",
            "ns b.wild sig:NSEC 1",
        ]
    );
    let no_data = found(&signed(), "foo.wild", Rtype::AAAA, true);
    assert_eq!(
        no_data[3..],
        [
            "ns *.wild NSEC 1",
            "ns *.wild sig:NSEC 1",
            "ns b.wild NSEC 1",
            "ns b.wild sig:NSEC 1"
        ]
    );
    // An owner below the wildcard's parent takes its own descendants out.
    assert_eq!(
        found(&plain(), "foo.b.wild", Rtype::A, true)[0],
        "NXDOMAIN aa"
    );
    // The wildcard itself is an ordinary name.
    assert_eq!(
        found(&plain(), "*.wild", Rtype::A, true),
        ["NOERROR aa", "an *.wild A 1"]
    );
    // An empty non-terminal: the NSEC before `*.we` shows that it has no
    // types, that before `foo.we` that no closer name exists.
    let empty = found(&signed(), "foo.we", Rtype::A, true);
    assert_eq!(empty[0], "NOERROR aa");
    assert_eq!(
        empty[3..],
        [
            "ns *.wc NSEC 1",
            "ns *.wc sig:NSEC 1",
            "ns deep.*.we NSEC 1",
            "ns deep.*.we sig:NSEC 1"
        ]
    );
}

#[test]
fn aliases_are_followed_in_the_zone() {
    let zone = plain();
    assert_eq!(
        found(&zone, "alias1", Rtype::A, false),
        [
            "NOERROR aa",
            "an alias1 CNAME 1",
            "an alias2 CNAME 1",
            "an alias3 CNAME 1",
            "an host A 2"
        ]
    );
    assert_eq!(
        found(&zone, "alias1", Rtype::CNAME, false),
        ["NOERROR aa", "an alias1 CNAME 1"]
    );
    assert_eq!(
        found(&zone, "alias1", Rtype::ANY, false),
        ["NOERROR aa", "an alias1 CNAME 1"]
    );
    assert_eq!(
        found(&zone, "to-none", Rtype::A, false),
        ["NXDOMAIN aa", "an to-none CNAME 1", "ns  SOA 1"]
    );
    assert_eq!(
        found(&zone, "to-ent", Rtype::A, false),
        ["NOERROR aa", "an to-ent CNAME 1", "ns  SOA 1"]
    );
    assert_eq!(
        found(&zone, "to-out", Rtype::A, false),
        ["NOERROR aa", "an to-out CNAME 1"]
    );
    // Below a cut: AA for the alias, and the referral.
    let below = found(&zone, "to-below", Rtype::A, false);
    assert_eq!(
        below[..3],
        ["NOERROR aa", "an to-below CNAME 1", "ns deleg NS 5"]
    );
}

#[test]
fn alias_loops_end() {
    let zone = plain();
    let loop1 = ["NOERROR aa", "an loop1 CNAME 1", "an loop2 CNAME 1"];
    assert_eq!(found(&zone, "loop1", Rtype::A, false), loop1);
    assert_eq!(
        found(&zone, "self", Rtype::A, false),
        ["NOERROR aa", "an self CNAME 1"]
    );
    assert_eq!(
        found(&zone, "q.wl", Rtype::A, false),
        ["NOERROR aa", "an q.wl CNAME 1", "an a.wl CNAME 1"]
    );
}

#[test]
fn names_below_a_dname_are_substituted() {
    let zone = plain();
    assert_eq!(
        found(&zone, "x.dn", Rtype::A, false),
        [
            "NOERROR aa",
            "an dn DNAME 1",
            "an x.dn CNAME=x.target.plain.example 1",
            "an x.target A 1",
        ]
    );
    // Not its owner.
    assert_eq!(
        found(&zone, "dn", Rtype::A, false),
        ["NOERROR aa", "an dn A 1"]
    );
    let long = "y".repeat(60);
    assert_eq!(
        found(&zone, &format!("{long}.dn-long"), Rtype::A, false),
        ["YXDOMAIN aa", "an dn-long DNAME 1"]
    );
}

#[test]
fn any_and_rrsig_get_one_rrset() {
    assert_eq!(
        found(&signed(), "host", Rtype::ANY, true),
        ["NOERROR aa", "an host A 2", "an host sig:A 1"]
    );
    assert_eq!(
        found(&signed(), "host", Rtype::RRSIG, false),
        ["NOERROR aa", "an host sig:A 1"]
    );
    assert_eq!(
        found(&plain(), "host", Rtype::RRSIG, false),
        ["NOERROR aa", "ns  SOA 1"]
    );
}
