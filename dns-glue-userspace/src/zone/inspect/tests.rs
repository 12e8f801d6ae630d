//! Zones with one fault each, and what is said of them.

use super::*;
use crate::zone::cuts::find_cuts;
use crate::zone::master_file::read_text;
use crate::zone::nsec3::Parameters;
use domain::base::Name;
use domain::utils::base32::encode_string_hex;
use std::path::Path;

/// 2026-01-01 00:00:00 UTC.
const NOW: u32 = 1_767_225_600;

/// The faults of a zone `test.`, as text.
fn faults(records: &str) -> Vec<String> {
    let apex = Name::vec_from_str("test.").expect("a valid name");
    let text = format!("$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n{records}");
    let zone = match read_text(&apex, Path::new("test.zone"), text.as_bytes()) {
        Ok(zone) => zone,
        Err(errors) => panic!("{errors}"),
    };
    let zones = [zone];
    let cuts = find_cuts(&zones, &[]);
    inspect(&zones, &cuts, NOW)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn a_sound_zone_has_none() {
    assert_eq!(
        faults(
            "a NS ns1.a\na NS ns.void.\nns1.a A 192.0.2.1\nb NS ns1.a\nb NS ns.b\n\
             ns.b AAAA 2001:db8::1\nwww A 192.0.2.2\n"
        ),
        [""; 0]
    );
}

#[test]
fn name_servers() {
    assert_eq!(
        faults("a NS ns.a\nb NS c\nb NS ns.void.\nc CNAME d\nd A 192.0.2.1\n"),
        [
            "a.test.: only one name server",
            "a.test.: in-domain name server ns.a.test. has no glue",
            "b.test.: name server c.test. is an alias (CNAME)",
        ]
    );
}

#[test]
fn sibling_cycles_and_what_breaks_them() {
    let cycle = "a NS x.b\na NS y.b\nb NS x.c\nb NS y.c\nc NS x.a\nc NS y.a\n\
                 d NS x.a\nd NS y.b\n";
    let message = "all name servers depend on siblings that depend on this delegation";
    assert_eq!(
        faults(cycle),
        ["a", "b", "c", "d"].map(|cut| format!("{cut}.test.: {message}"))
    );
    for way_out in [
        "a NS ns.void.\n",
        "c NS z.c\nz.c A 192.0.2.1\n",
        "b NS w\nw A 192.0.2.1\n",
    ] {
        assert_eq!(faults(&format!("{cycle}{way_out}")), [""; 0], "{way_out}");
    }
    // In-domain without glue is no way out.
    let found = faults(&format!("{cycle}a NS z.a\n"));
    assert_eq!(
        found
            .iter()
            .filter(|fault| fault.ends_with(message))
            .count(),
        4
    );
}

#[test]
fn stray_and_orphan_glue() {
    assert_eq!(
        faults(
            "a NS x.a\na NS ns.void.\nx.a A 192.0.2.1\ny.a A 192.0.2.2\nz.a TXT z\n\
             @ NS apex.a\napex.a A 192.0.2.3\n\
             @ NS ns.nic\nns.nic A 192.0.2.8\n\
             ns.gone A 192.0.2.4\nns.here A 192.0.2.5\nhere TXT x\nns.other TXT x\n\
             ns.other A 192.0.2.6\n*.gone A 192.0.2.7\n"
        ),
        [
            "a.test.: addresses of y.a.test. belong to no name server",
            "ns.gone.test.: may be glue of a delegation that is gone",
        ]
    );
}

#[test]
fn ttls_that_differ() {
    assert_eq!(
        faults("a 10 NS ns.void.\na 20 NS ns2.void.\n"),
        ["a.test.: records of the NS RRset differ in TTL; the lowest counts"]
    );
}

#[test]
fn signatures_and_the_time() {
    let rrsig = |owner: &str, covered: &str, expires: &str, begins: &str| {
        format!("{owner} RRSIG {covered} 13 2 60 {expires} {begins} 1 test. AAAA\n")
    };
    let delegated = |owner: &str| {
        format!("{owner} NS ns.void.\n{owner} NS ns2.void.\n{owner} DS 1 13 2 00112233\n")
    };
    let past = "20250101000000";
    let text = [
        String::from("@ DNSKEY 257 3 13 AAAA\n@ NSEC a NS SOA RRSIG NSEC DNSKEY\n"),
        rrsig("@", "SOA", past, past),
        // Expired; not yet valid; expired with a good one beside it.
        delegated("a") + &rrsig("a", "DS", "20251231235959", past),
        delegated("b") + &rrsig("b", "DS", "20270101000000", "20260101000001"),
        delegated("c") + &rrsig("c", "DS", past, past) + &rrsig("c", "DS", "20270101000000", past),
        // 24 and 12 hours left.
        delegated("d") + &rrsig("d", "DS", "20260102000000", past),
        delegated("e") + &rrsig("e", "DS", "20260101120000", past),
    ];
    assert_eq!(
        faults(&text.concat()),
        [
            "a.test.: signatures expired or not yet valid, here first, in 2 RRsets",
            "e.test.: signatures of 2 RRsets expire soon, here first, in 12 hours",
        ]
    );
}

/// What bears on the whole zone is told once, at the apex.
#[test]
fn keys_without_signatures_and_many_iterations() {
    let key = "@ DNSKEY 257 3 13 AAAA\n";
    assert_eq!(
        faults(key),
        ["test.: DNSKEY, but no RRSIG of the SOA record: taken for a zone without DNSSEC"]
    );
    let rrsig = |owner: &str, covered: &str| {
        format!("{owner} RRSIG {covered} 13 2 60 20270101000000 20250101000000 1 test. AAAA\n")
    };
    let chain = |iterations: u16| {
        let parameters = Parameters {
            iterations,
            salt: Box::new([]),
        };
        let apex = NameRef::from_slice(b"\x04test\0").expect("a name");
        let hash = encode_string_hex(&parameters.hash(apex)).to_lowercase();
        [
            key.to_owned() + &rrsig("@", "SOA"),
            format!("@ NSEC3PARAM 1 0 {iterations} -\n"),
            format!("{hash} NSEC3 1 1 {iterations} - {hash} NS SOA\n"),
            rrsig(&hash, "NSEC3"),
        ]
        .concat()
    };
    assert_eq!(faults(&chain(50)), [""; 0]);
    assert_eq!(
        faults(&chain(51)),
        ["test.: 51 iterations of NSEC3: validators take the proofs for none, or fail"]
    );
}

/// One NSEC3, which is the proof of two delegations, and not of the third;
/// signatures that no referral carries do not count.
#[test]
fn signatures_of_shared_nsec3_count_once() {
    let apex = "5u2i2h5co0ebb4r9hipbku7pea6ggpsv";
    let rrsig = |owner: &str, covered: &str, expires: &str| {
        format!("{owner} RRSIG {covered} 13 2 60 {expires} 20250101000000 1 test. AAAA\n")
    };
    let nsec3 = format!("{apex} NSEC3 1 1 0 - {apex} NS SOA RRSIG DNSKEY NSEC3PARAM\n");
    let delegated = |owner: &str| format!("{owner} NS ns.void.\n{owner} NS ns2.void.\n");
    let text = |expires| {
        [
            String::from("@ DNSKEY 257 3 13 AAAA\n@ NSEC3PARAM 1 0 0 -\n"),
            rrsig("@", "SOA", "20250101000000"),
            nsec3.clone(),
            rrsig(apex, "NSEC3", expires),
            delegated("a") + &delegated("b") + &delegated("c"),
            String::from("c DS 1 13 2 00112233\n") + &rrsig("c", "DS", "20270101000000"),
        ]
        .concat()
    };
    assert_eq!(faults(&text("20270101000000")), [""; 0]);
    assert_eq!(
        faults(&text("20251231235959")),
        [format!(
            "{apex}.test.: signatures expired or not yet valid, here first, in 1 RRsets"
        )]
    );
    assert_eq!(
        faults(&text("20260101120000")),
        [format!(
            "{apex}.test.: signatures of 1 RRsets expire soon, here first, in 12 hours"
        )]
    );
}
