//! Zones signed with NSEC and NSEC3, sound and not.

use super::*;
use crate::zone::cuts::{Cuts, find_cuts};
use crate::zone::faults::Fault;
use crate::zone::master_file::read_text;
use crate::zone::nsec3::Parameters;
use domain::base::Name;
use domain::utils::base32;
use std::path::Path;

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a valid name")
}

/// A zone `test.` with an SOA, one NS at the apex and what `records` adds.
fn zone(records: &str) -> Zone {
    let text = format!("$TTL 60\n@ SOA ns.void. host.void. 1 2 3 4 5\n@ NS ns.void.\n{records}");
    match read_text(&name("test."), Path::new("test.zone"), text.as_bytes()) {
        Ok(zone) => zone,
        Err(errors) => panic!("{errors}"),
    }
}

/// RRSIG in presentation form; what it holds matters to nobody here.
fn rrsig(owner: &str, covered: &str) -> String {
    format!("{owner} RRSIG {covered} 13 2 60 20300101000000 20200101000000 1 test. AAAA\n")
}

/// A signed zone: with DNSKEY, RRSIG(SOA) and `records`.
fn signed(records: &str) -> Zone {
    let key = "@ DNSKEY 257 3 13 AAAA\n";
    zone(&format!("{key}{}{records}", rrsig("@", "SOA")))
}

fn delegated(cuts: &Cuts<'_>) -> Vec<String> {
    cuts.delegations
        .iter()
        .map(|found| found.cut.fmt_with_dot().to_string())
        .collect()
}

/// The kinds of the faults, without what they name.
fn kinds(cuts: &Cuts<'_>) -> Vec<String> {
    let kind = |fault: &Fault<'_>| format!("{:?}", fault.kind);
    let word = |kind: String| kind.split(' ').next().map(str::to_owned);
    cuts.faults.iter().map(kind).filter_map(word).collect()
}

/// The parameters that the tests use.
fn parameters() -> Parameters {
    Parameters {
        iterations: 2,
        salt: [0xab].into(),
    }
}

/// The first label of the NSEC3 of a name.
fn label(of: &str) -> String {
    let hash = parameters().hash(name(of).for_slice());
    base32::encode_string_hex(&hash).to_ascii_lowercase()
}

/// One NSEC3 of a chain.
struct Link {
    name: &'static str,
    flags: u8,
    types: &'static str,
    signed: bool,
}

/// A signed link with opt-out.
fn link(name: &'static str, types: &'static str) -> Link {
    Link {
        name,
        flags: 1,
        types,
        signed: true,
    }
}

const APEX: &str = "NS SOA RRSIG DNSKEY NSEC3PARAM";

/// A chain of NSEC3 for some names, with its NSEC3PARAM.
fn chain(mut links: Vec<Link>) -> String {
    links.sort_by_key(|link| label(link.name));
    let mut text = String::from("@ NSEC3PARAM 1 0 2 ab\n");
    for (place, link) in links.iter().enumerate() {
        let owner = label(link.name);
        let next = label(links[(place + 1) % links.len()].name);
        text += &format!(
            "{owner} NSEC3 1 {} 2 ab {next} {}\n",
            link.flags, link.types
        );
        if link.signed {
            text += &rrsig(&owner, "NSEC3");
        }
    }
    text
}

/// The first labels of the RRsets of a delegation's proof.
fn proof_labels(cuts: &Cuts<'_>, place: usize) -> Vec<String> {
    let rrsets = cuts.delegations[place].proof.rrsets();
    rrsets
        .map(|rrset| rrset.owner().first().to_string())
        .collect()
}

#[test]
fn proofs_and_their_faults_with_nsec() {
    let ds = "DS 1 13 2 00112233\n";
    let nsec = "NSEC z NS RRSIG NSEC\n";
    let records = [
        format!("a NS ns.void.\na {ds}{}", rrsig("a", "DS")),
        format!("b NS ns.void.\nb {ds}b {nsec}{}", rrsig("b", "NSEC")),
        format!("c NS ns.void.\nc {nsec}{}", rrsig("c", "NSEC")),
        format!("d NS ns.void.\nd {nsec}"),
        String::from("e NS ns.void.\n"),
        format!(
            "f NS ns.void.\nf NSEC z NS DS RRSIG NSEC\n{}",
            rrsig("f", "NSEC")
        ),
        format!(
            "g NS ns.void.\ng NSEC z A RRSIG NSEC\n{}",
            rrsig("g", "NSEC")
        ),
    ];
    let zones = [signed(&format!(
        "@ NSEC a NS SOA RRSIG NSEC DNSKEY\n{}",
        records.concat()
    ))];
    assert_eq!(zones[0].denial(), Denial::Nsec);
    let cuts = find_cuts(&zones, &[]);
    assert_eq!(delegated(&cuts), ["a.test.", "c.test."]);
    assert!(matches!(cuts.delegations[0].proof, Proof::Ds(ds) if ds.rtype() == Rtype::DS));
    assert!(matches!(cuts.delegations[1].proof, Proof::Nsec(n) if n.rtype() == Rtype::NSEC));
    assert_eq!(
        kinds(&cuts),
        [
            "UnsignedDs",
            "UnsignedNsec",
            "MissingNsec",
            "WrongNsec",
            "WrongNsec"
        ]
    );
    assert!(cuts.faults.iter().all(Fault::is_stop));
    assert_eq!(cuts.stops.len(), 6);
}

#[test]
fn ds_of_an_unsigned_zone_is_left_out() {
    let zones = [zone("a NS ns.void.\na DS 1 13 2 00112233\n")];
    assert_eq!(find_cuts(&zones, &[]).delegations[0].proof, Proof::Unsigned);
}

/// Which link covers a name, of those whose names are given.
fn covering(names: &[&'static str], wanted: &str) -> String {
    let mut labels: Vec<String> = names.iter().map(|name| label(name)).collect();
    labels.sort();
    let wanted = label(wanted);
    let before = labels.iter().rev().find(|label| **label < wanted);
    before.unwrap_or(&labels[labels.len() - 1]).clone()
}

#[test]
fn ds_or_matching_nsec3_or_opt_out() {
    let chain = chain(vec![
        link("test.", APEX),
        link("ds.test.", "NS DS RRSIG"),
        link("own.test.", "NS"),
    ]);
    let names = ["test.", "ds.test.", "own.test."];
    let ds = rrsig("ds", "DS");
    let zones = [signed(&format!(
        "{chain}ds NS ns.void.\nds DS 1 13 2 00112233\n{ds}own NS ns.void.\n\
         opt1 NS ns.void.\nopt2 NS ns.void.\nOPT3 NS ns.void.\n"
    ))];
    assert_eq!(zones[0].denial(), Denial::Nsec3);
    let cuts = find_cuts(&zones, &[]);
    assert_eq!(kinds(&cuts), [""; 0]);
    assert!(matches!(cuts.delegations[0].proof, Proof::Ds(_)));
    for (place, cut) in cuts.delegations.iter().enumerate().skip(1) {
        let cut = cut.cut.fmt_with_dot().to_string();
        if cut == "own.test." {
            assert!(matches!(cuts.delegations[place].proof, Proof::Nsec3(_)));
            assert_eq!(proof_labels(&cuts, place), [label(&cut)]);
        } else {
            assert!(matches!(cuts.delegations[place].proof, Proof::OptOut(_)));
            let mut expected = vec![label("test."), covering(&names, &cut)];
            expected.dedup();
            assert_eq!(proof_labels(&cuts, place), expected, "{cut}");
        }
    }
    assert_eq!(cuts.delegations.len(), 5);
}

#[test]
fn one_record_that_is_both_counts_once() {
    let zones = [signed(&format!(
        "{}a NS ns.void.\n",
        chain(vec![link("test.", APEX)])
    ))];
    let cuts = find_cuts(&zones, &[]);
    let Proof::OptOut(OptOut { encloser, cover }) = cuts.delegations[0].proof else {
        panic!("{:?}", cuts.delegations[0].proof);
    };
    assert_eq!(encloser, cover);
    assert_eq!(proof_labels(&cuts, 0), [label("test.")]);
}

/// Empty non-terminals own an NSEC3 unless nothing but opt-out delegations
/// lies below them.
#[test]
fn the_encloser_is_the_nearest_name_above_with_an_nsec3() {
    let with_ent = ["test.", "ent.test."];
    let zones = [signed(&format!(
        "{}a.b.ent NS ns.void.\nc.b.ent NS ns.void.\nd.ent NS ns.void.\n\
         e.other NS ns.void.\nf.g.other NS ns.void.\nh NS ns.void.\n",
        chain(vec![link("test.", APEX), link("ent.test.", "")])
    ))];
    let cuts = find_cuts(&zones, &[]);
    assert_eq!(kinds(&cuts), [""; 0]);
    // Encloser and next closer name of each.
    let expected = [
        ("a.b.ent.test.", "ent.test.", "b.ent.test."),
        ("c.b.ent.test.", "ent.test.", "b.ent.test."),
        ("d.ent.test.", "ent.test.", "d.ent.test."),
        ("h.test.", "test.", "h.test."),
        ("e.other.test.", "test.", "other.test."),
        ("f.g.other.test.", "test.", "other.test."),
    ];
    assert_eq!(delegated(&cuts), expected.map(|(cut, _, _)| cut));
    for (place, (cut, encloser, next_closer)) in expected.into_iter().enumerate() {
        let mut labels = vec![label(encloser), covering(&with_ent, next_closer)];
        labels.dedup();
        assert_eq!(proof_labels(&cuts, place), labels, "{cut}");
    }
}

/// The kind of fault of `a.test.`, under a chain.
fn fault_under(links: Vec<Link>) -> Vec<String> {
    let zones = [signed(&format!("{}a NS ns.void.\n", chain(links)))];
    let cuts = find_cuts(&zones, &[]);
    assert!(cuts.faults.iter().all(Fault::is_stop));
    assert_eq!(cuts.delegations.len() + cuts.faults.len(), 1);
    kinds(&cuts)
}

#[test]
fn faults_of_a_matching_nsec3() {
    let with = |own: Link| fault_under(vec![link("test.", APEX), own]);
    assert_eq!(with(link("a.test.", "NS")), [""; 0]);
    for types in ["", "A RRSIG", "NS DS RRSIG", "NS SOA RRSIG", "TYPE1234"] {
        assert_eq!(with(link("a.test.", types)), ["WrongNsec3"], "{types}");
    }
    let unsigned = Link {
        signed: false,
        ..link("a.test.", "NS")
    };
    assert_eq!(with(unsigned), ["UnsignedNsec3"]);
    // Without opt-out is as good.
    let plain = Link {
        flags: 0,
        ..link("a.test.", "NS")
    };
    assert_eq!(with(plain), [""; 0]);
}

#[test]
fn faults_of_an_opt_out_proof() {
    let apex = || link("test.", APEX);
    assert_eq!(fault_under(vec![apex()]), [""; 0]);
    let plain = Link { flags: 0, ..apex() };
    assert_eq!(fault_under(vec![plain]), ["NoOptOut"]);
    let unsigned = Link {
        signed: false,
        ..apex()
    };
    assert_eq!(fault_under(vec![unsigned]), ["UnsignedNsec3"]);
    for types in ["NS", "NS SOA DNAME"] {
        assert_eq!(fault_under(vec![link("test.", types)]), ["WrongNsec3"]);
    }
    assert_eq!(fault_under(vec![link("b.test.", "A")]), ["MissingEncloser"]);
}

#[test]
fn a_gap_stops_only_what_falls_into_it() {
    // Every name of a chain of many, but the delegations; then one link less.
    let names = [
        "test.", "b.test.", "c.test.", "d.test.", "e.test.", "f.test.",
    ];
    let text = chain(names.iter().map(|name| link(name, APEX)).collect());
    let lost = covering(&names, "a.test.");
    assert_ne!(lost, label("test."), "the encloser would be gone too");
    let with_gap: String = text
        .lines()
        .filter(|line| !line.starts_with(&lost))
        .map(|line| format!("{line}\n"))
        .collect();
    let cuts: String = (0..40).map(|n| format!("a{n} NS ns.void.\n")).collect();
    let zones = [signed(&format!("{with_gap}a NS ns.void.\n{cuts}"))];
    let found = find_cuts(&zones, &[]);
    let in_gap = |cut: &str| covering(&names, cut) == lost;
    let all =
        std::iter::once(String::from("a.test.")).chain((0..40).map(|n| format!("a{n}.test.")));
    let (stopped, served): (Vec<String>, Vec<String>) = all.partition(|cut| in_gap(cut));
    assert!(!served.is_empty() && !stopped.is_empty());
    let mut delegations = delegated(&found);
    delegations.sort();
    assert_eq!(delegations, {
        let mut served = served;
        served.sort();
        served
    });
    assert_eq!(kinds(&found), vec!["MissingNsec3"; stopped.len()]);
}

/// Records of two chains at one owner are one RRset: no part of it can be
/// sent.
#[test]
fn two_chains_at_one_owner_prove_nothing() {
    let apex = label("test.");
    let zones = [signed(&format!(
        "{}@ NSEC3PARAM 1 0 0 -\n{apex} NSEC3 1 1 0 - {apex} NS SOA\na NS ns.void.\n",
        chain(vec![link("test.", APEX)])
    ))];
    assert_eq!(zones[0].denial(), Denial::Nsec3);
    assert_eq!(kinds(&find_cuts(&zones, &[])), ["WrongNsec3"]);
}

#[test]
fn faults_name_the_cut_and_the_nsec3() {
    let plain = Link {
        flags: 0,
        ..link("test.", APEX)
    };
    let zones = [signed(&format!("{}a NS ns.void.\n", chain(vec![plain])))];
    let cuts = find_cuts(&zones, &[]);
    assert_eq!(
        cuts.faults[0].to_string(),
        format!(
            "a.test.: neither DS nor NSEC3 at the cut, and the NSEC3 {}.test. that covers it has \
             no opt-out; it passes",
            label("test.")
        )
    );
}
