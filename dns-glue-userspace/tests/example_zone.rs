//! The example zone of the project holds what it says it holds.

use std::path::PathBuf;

use dns_glue::zone::cuts::{Cuts, Delegation, GlueKind, StopReason, find_cuts};
use dns_glue::zone::inspect::inspect;
use dns_glue::zone::proof::Proof;
use dns_glue::zone::records::Zone;
use dns_glue::zone::source::{ZoneSource, load};
use domain::base::Name;
use domain::base::iana::Rtype;

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a valid name")
}

fn example() -> [Zone; 1] {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/example.zone");
    let source = ZoneSource {
        apex: name("glue.example."),
        path,
    };
    match load(&source) {
        Ok(zone) => [zone],
        Err(errors) => panic!("{errors}"),
    }
}

fn delegation<'c, 'z>(cuts: &'c Cuts<'z>, cut: &str) -> &'c Delegation<'z> {
    let cut = name(&format!("{cut}.glue.example."));
    cuts.delegations
        .iter()
        .find(|found| *found.cut == cut)
        .expect("it is delegated")
}

/// Glue of a delegation as `I:first-label:A`, by kind, host and type.
fn glue(cuts: &Cuts<'_>, cut: &str) -> Vec<String> {
    delegation(cuts, cut)
        .glue
        .iter()
        .map(|glue| {
            let kind = match glue.kind {
                GlueKind::InDomain => "I",
                GlueKind::Sibling => "S",
                GlueKind::Authoritative => "A",
            };
            let owner = glue.rrset.owner().to_string().to_ascii_lowercase();
            let owner = owner.strip_suffix(".glue.example").expect("in the zone");
            format!("{kind} {owner} {}", glue.rrset.rtype())
        })
        .collect()
}

#[test]
fn glue_of_every_kind() {
    let zones = example();
    let cuts = find_cuts(&zones, &[]);
    assert_eq!(
        glue(&cuts, "in-domain"),
        [
            "I ns1.in-domain A",
            "I ns1.in-domain AAAA",
            "I ns2.in-domain A",
            "I ns2.in-domain AAAA"
        ]
    );
    assert_eq!(glue(&cuts, "at-cut"), ["I at-cut A"]);
    assert_eq!(
        glue(&cuts, "sibling"),
        [
            "S ns1.in-domain A",
            "S ns1.in-domain AAAA",
            "S ns2.in-domain A",
            "S ns2.in-domain AAAA"
        ]
    );
    assert_eq!(
        glue(&cuts, "mixed"),
        [
            "I ns1.mixed A",
            "I ns1.mixed AAAA",
            "S ns1.in-domain A",
            "S ns1.in-domain AAAA",
            "A ns1 A",
            "A ns1 AAAA"
        ]
    );
    assert_eq!(
        glue(&cuts, "foo"),
        [
            "S ns1.bar A",
            "S ns1.bar AAAA",
            "S ns2.bar A",
            "S ns2.bar AAAA"
        ]
    );
    assert_eq!(glue(&cuts, "full").len(), 16);
    assert_eq!(delegation(&cuts, "full-sibling").glue.len(), 16);
    let huge = delegation(&cuts, "huge");
    assert_eq!(
        huge.glue.iter().map(|glue| glue.rrset.len()).sum::<usize>(),
        13 * 6
    );
    assert!(glue(&cuts, "many").is_empty());
    assert!(glue(&cuts, "out-of-zone").is_empty());
    assert_eq!(glue(&cuts, "six"), ["I ns1.six AAAA", "I ns2.six AAAA"]);
    assert_eq!(
        glue(&cuts, "authoritative"),
        ["A ns1 A", "A ns1 AAAA", "A ns2 A", "A ns2 AAAA"]
    );
    assert!(glue(&cuts, "from-wildcard").is_empty());
    assert_eq!(
        glue(&cuts, "mixedcase"),
        [
            "I ns1.mixedcase A",
            "S ns1.in-domain A",
            "S ns1.in-domain AAAA"
        ]
    );
    assert_eq!(
        glue(&cuts, "outer"),
        ["I ns.inner.outer A", "I ns1.outer A"]
    );
    assert!(glue(&cuts, "to-alias").is_empty());
    assert!(glue(&cuts, "no-glue").is_empty());
    assert_eq!(glue(&cuts, "labels.two"), ["I ns1.labels.two A"]);
}

#[test]
fn what_is_not_delegated() {
    let zones = example();
    let cuts = find_cuts(&zones, &[]);
    assert_eq!(cuts.delegations.len(), 26);
    assert!(
        cuts.delegations
            .iter()
            .all(|found| found.proof == Proof::Unsigned)
    );
    let stops: Vec<_> = cuts
        .stops
        .iter()
        .map(|stop| (stop.name.to_string(), stop.why))
        .collect();
    assert_eq!(
        stops,
        [
            (String::from("glue.example"), StopReason::ZoneApex),
            (String::from("renamed.glue.example"), StopReason::Dname),
        ]
    );
    // inner.outer and hidden.renamed.
    assert_eq!(cuts.pruned.nested_cuts, 2);
    assert!(cuts.faults.is_empty());
}

#[test]
fn its_faults() {
    let zones = example();
    let cuts = find_cuts(&zones, &[]);
    let faults: Vec<_> = inspect(&zones, &cuts, 0)
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "no-glue.glue.example.: in-domain name server ns1.no-glue.glue.example. has no glue",
        "secure.glue.example.: DS in a zone that is not signed is left out of referrals",
        "secure-2.glue.example.: DS in a zone that is not signed is left out of referrals",
        "single.glue.example.: only one name server",
        "to-alias.glue.example.: name server alias.glue.example. is an alias (CNAME)",
        "bar.glue.example.: all name servers depend on siblings that depend on this delegation",
        "foo.glue.example.: all name servers depend on siblings that depend on this delegation",
        "outer.glue.example.: addresses of ns2.inner.outer.glue.example. belong to no name server",
        "host.ent.glue.example.: may be glue of a delegation that is gone",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn empty_non_terminals_and_neighbours() {
    let [zone] = example();
    for ent in [
        "ent.glue.example.",
        "two.glue.example.",
        "wild.glue.example.",
    ] {
        assert!(zone.find(name(ent).for_slice()).is_none());
        assert_eq!(
            zone.below(name(ent).for_slice()).count(),
            if ent.starts_with("two") { 2 } else { 1 }
        );
    }
    let www = zone
        .find(name("WWW.glue.example.").for_slice())
        .expect("www");
    assert!(www.rrset(Rtype::AAAA).is_some());
    let before = |text: &str| {
        let found = zone
            .up_to(name(text).for_slice())
            .next_back()
            .expect("some owner");
        found.name().to_string()
    };
    assert_eq!(before("zzz.glue.example."), "www.glue.example");
    assert_eq!(before("\\255.glue.example."), "\\255.glue.example");
    assert_eq!(before("GLUE.example."), "glue.example");
    assert!(
        zone.up_to(name("example.").for_slice())
            .next_back()
            .is_none()
    );
}
