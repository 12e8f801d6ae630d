//! Tests of the builder.

use super::*;
use crate::zone::records::Denial;

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a valid name")
}

fn soa() -> Vec<u8> {
    let mut rdata = b"\x01m\0\x01h\0".to_vec();
    for word in [7_u32, 1, 2, 3, 300] {
        rdata.extend(word.to_be_bytes());
    }
    rdata
}

fn push(builder: &mut ZoneBuilder, owner: &str, ttl: u32, rtype: Rtype, rdata: &[u8]) {
    builder
        .push(name(owner).for_slice(), Class::IN, ttl, rtype, rdata)
        .expect("the record belongs to the zone");
}

fn begun() -> ZoneBuilder {
    let mut builder = ZoneBuilder::new(name("example."));
    push(&mut builder, "example.", 900, Rtype::SOA, &soa());
    push(&mut builder, "example.", 900, Rtype::NS, b"\x01m\0");
    builder
}

fn kinds(builder: ZoneBuilder) -> Vec<BuildErrorKind> {
    let errors = builder.finish().expect_err("the zone is broken");
    errors.into_iter().map(|error| error.kind).collect()
}

#[test]
fn gathers_rrsets_whatever_the_order_and_case() {
    let mut builder = begun();
    push(&mut builder, "B.example.", 60, Rtype::NS, b"\x01X\0");
    push(&mut builder, "a.example.", 60, Rtype::A, &[192, 0, 2, 1]);
    push(&mut builder, "b.example.", 30, Rtype::NS, b"\x01y\0");
    push(&mut builder, "b.EXAMPLE.", 60, Rtype::NS, b"\x01x\0");
    let zone = builder.finish().expect("a zone");
    let names: Vec<_> = zone.nodes().map(|node| node.name().to_string()).collect();
    assert_eq!(names, ["example", "a.example", "B.example"]);
    let ns = zone
        .find(name("b.example.").for_slice())
        .and_then(|node| node.rrset(Rtype::NS))
        .expect("the RRset");
    assert_eq!(ns.records().collect::<Vec<_>>(), [b"\x01X\0", b"\x01y\0"]);
    assert_eq!((ns.ttl(), ns.ttl_mismatch(), ns.len()), (30, true, 2));
    assert_eq!(zone.record_count(), 5);
    assert_eq!((zone.serial(), zone.negative_ttl()), (7, 300));
    assert_eq!(zone.denial(), Denial::Unsigned);
}

#[test]
fn equal_rrsets_share_their_data() {
    let mut builder = begun();
    for index in 0..1000 {
        let owner = format!("d{index:03}.example.");
        push(
            &mut builder,
            &owner,
            60,
            Rtype::NS,
            b"\x0bnameserver1\x08provider\0",
        );
        push(
            &mut builder,
            &owner,
            60,
            Rtype::NS,
            b"\x0bnameserver2\x08provider\0",
        );
    }
    let zone = builder.finish().expect("a zone");
    // 24 octets an RRset, 12 an owner, 14 its name.
    assert!(zone.memory() < 1000 * 52, "{} octets", zone.memory());
    for node in zone.nodes().skip(1) {
        let ns = node.rrset(Rtype::NS).expect("each owns NS");
        assert_eq!(ns.len(), 2);
        assert!(ns.records().all(|rdata| rdata.len() == 22));
    }
}

#[test]
fn signatures_go_with_what_they_cover() {
    let rrsig = |covered: Rtype| {
        let mut rdata = covered.to_int().to_be_bytes().to_vec();
        rdata.extend([0; 16]);
        rdata.extend(b"\x01s\0signature");
        rdata
    };
    let mut builder = begun();
    push(
        &mut builder,
        "example.",
        900,
        Rtype::RRSIG,
        &rrsig(Rtype::SOA),
    );
    push(
        &mut builder,
        "example.",
        800,
        Rtype::RRSIG,
        &rrsig(Rtype::TXT),
    );
    push(
        &mut builder,
        "example.",
        900,
        Rtype::DNSKEY,
        &[1, 1, 3, 8, 1],
    );
    push(
        &mut builder,
        "example.",
        300,
        Rtype::NSEC,
        b"\x07example\0\0\x01\x22",
    );
    let zone = builder.finish().expect("a zone");
    assert_eq!(zone.denial(), Denial::Nsec);
    assert_eq!(zone.soa().signatures().count(), 1);
    assert_eq!(zone.soa().signature_ttl(), 900);
    let apex = zone.nodes().next().expect("the apex");
    assert!(apex.rrset(Rtype::RRSIG).is_none());
    assert_eq!(apex.rrsets().count(), 4);
    assert_eq!(
        apex.stray_signatures().collect::<Vec<_>>(),
        [rrsig(Rtype::TXT)]
    );
}

#[test]
fn the_apex_needs_an_soa_and_ns() {
    let mut builder = ZoneBuilder::new(name("example."));
    push(&mut builder, "a.example.", 60, Rtype::A, &[192, 0, 2, 1]);
    let apex = name("example.");
    assert_eq!(
        kinds(builder),
        [
            BuildErrorKind::MissingApexNs { apex: apex.clone() },
            BuildErrorKind::MissingSoa { apex },
        ]
    );
}

#[test]
fn an_equal_second_soa_is_taken_and_another_refused() {
    let mut builder = begun();
    push(&mut builder, "example.", 900, Rtype::SOA, &soa());
    assert_eq!(builder.finish().expect("a zone").record_count(), 2);

    let mut builder = begun();
    let mut other = soa();
    *other.last_mut().expect("not empty") += 1;
    push(&mut builder, "example.", 900, Rtype::SOA, &other);
    assert_eq!(kinds(builder), [BuildErrorKind::SecondSoa]);
}

#[test]
fn a_cname_stands_alone() {
    let mut builder = begun();
    push(&mut builder, "c.example.", 60, Rtype::CNAME, b"\x01x\0");
    push(
        &mut builder,
        "c.example.",
        60,
        Rtype::NSEC,
        b"\x01x\0\0\x01\x04",
    );
    push(&mut builder, "d.example.", 60, Rtype::CNAME, b"\x01x\0");
    push(&mut builder, "d.example.", 60, Rtype::A, &[192, 0, 2, 1]);
    push(&mut builder, "e.example.", 60, Rtype::CNAME, b"\x01x\0");
    push(&mut builder, "e.example.", 60, Rtype::CNAME, b"\x01y\0");
    assert_eq!(
        kinds(builder),
        [
            BuildErrorKind::CnameAndOther {
                owner: name("d.example."),
                other: Rtype::A
            },
            BuildErrorKind::NotSingle {
                owner: name("e.example."),
                rtype: Rtype::CNAME
            },
        ]
    );
}

#[test]
fn refuses_records_that_cannot_belong() {
    let mut builder = begun();
    let mut refused = |owner: &str, class, ttl, rtype, rdata: &[u8]| {
        builder
            .push(name(owner).for_slice(), class, ttl, rtype, rdata)
            .expect_err("the record does not belong")
            .kind
    };
    let found = Class::CH;
    assert_eq!(
        refused("example.", found, 0, Rtype::A, &[0; 4]),
        BuildErrorKind::NotInternet { found }
    );
    assert!(matches!(
        refused("example.net.", Class::IN, 0, Rtype::A, &[0; 4]),
        BuildErrorKind::OutsideZone { .. }
    ));
    let ttl = MAX_TTL + 1;
    assert_eq!(
        refused("example.", Class::IN, ttl, Rtype::A, &[0; 4]),
        BuildErrorKind::TtlOutOfRange { ttl: ttl.into() }
    );
    for (rtype, rdata) in [
        (Rtype::A, &[0; 5][..]),
        (Rtype::AAAA, &[0; 4]),
        (Rtype::NS, b"\x01a"),
        (Rtype::NS, b"\x01a\0\0"),
        (Rtype::NS, b"\xc0\x0c"),
        (Rtype::SOA, b"\0\0\0"),
        (Rtype::RRSIG, b"\0\x06"),
        (Rtype::DS, b"\0"),
    ] {
        assert_eq!(
            refused("example.", Class::IN, 0, rtype, rdata),
            BuildErrorKind::BadRdata { rtype }
        );
    }
    assert!(builder.finish().is_ok(), "the builder is as it was");
}
