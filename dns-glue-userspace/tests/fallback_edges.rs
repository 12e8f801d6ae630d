//! Requests that are not ordinary queries: each with the code that is due, and
//! with Knot's opinion, where it is asked and agrees.

mod fallback_support;

use std::path::PathBuf;

use dns_glue::serve::fallback::{FallbackZones, Settings, Transport, answer};
use domain::base::Rtype;
use domain::base::iana::OptRcode;
use fallback_support::knot::Knot;
use fallback_support::reply::Reply;
use fallback_support::{Edns, load, name, own_zones, query};

/// A request and what is due.
struct Case {
    what: String,
    request: Vec<u8>,
    /// The code over UDP; `None` for no reply.
    udp: Option<OptRcode>,
    /// The code over TCP.
    tcp: Option<OptRcode>,
    /// Why Knot 3.2 differs, if it does.
    knot_differs: Option<&'static str>,
}

/// Knot drops what it cannot parse up to the end of the question.
const KNOT_IS_SILENT: &str = "no reply; RFC 1035 section 4.1.1 provides FORMERR";

/// An OPT record: UDP size 1232, extended code, version, DO, options.
fn opt(code: u8, version: u8, options: &[u8]) -> Vec<u8> {
    let mut octets = vec![0, 0, 41, 0x04, 0xD0, code, version, 0x80, 0];
    octets.extend_from_slice(&u16::try_from(options.len()).expect("short").to_be_bytes());
    octets.extend_from_slice(options);
    octets
}

/// Sets octets of a request, and appends to it.
fn changed(mut request: Vec<u8>, octets: &[(usize, u8)], tail: &[u8]) -> Vec<u8> {
    for (at, octet) in octets {
        request[*at] = *octet;
    }
    request.extend_from_slice(tail);
    request
}

/// A plain query for an existing name.
fn plain(qtype: Rtype) -> Vec<u8> {
    query(0x1234, name("host.plain.example.").for_slice(), qtype, None)
}

/// A plain query for the apex.
fn apex(qtype: Rtype) -> Vec<u8> {
    query(0x1234, name("plain.example.").for_slice(), qtype, None)
}

/// A plain query for a name outside all zones.
fn outside(qtype: Rtype) -> Vec<u8> {
    query(0x1234, name("nowhere.invalid.").for_slice(), qtype, None)
}

fn cases() -> Vec<Case> {
    use OptRcode as R;
    let mut cases = Vec::new();
    let mut add = |what: &str, request: Vec<u8>, code: Option<R>, knot_differs| {
        cases.push(Case {
            what: what.to_owned(),
            request,
            udp: code,
            tcp: code,
            knot_differs,
        });
    };

    // The header (counts stand at 4, 6, 8, 10; ARCOUNT's low octet at 11).
    add(
        "QR set",
        changed(plain(Rtype::A), &[(2, 0x80)], &[]),
        None,
        None,
    );
    for length in 0..12 {
        add(
            "less than a header",
            plain(Rtype::A)[..length].to_vec(),
            None,
            None,
        );
    }
    add(
        "no question",
        changed(plain(Rtype::A)[..12].to_vec(), &[(5, 0)], &[]),
        Some(R::FORMERR),
        None,
    );
    let question = plain(Rtype::A)[12..].to_vec();
    let twice = changed(plain(Rtype::A), &[(5, 2)], &question);
    add(
        "two questions",
        twice,
        Some(R::FORMERR),
        Some(KNOT_IS_SILENT),
    );
    for flags in [
        [0x04, 0],
        [0x02, 0],
        [0x01, 0],
        [0, 0x80],
        [0, 0x40],
        [0, 0x20],
        [0, 0x10],
    ] {
        let request = changed(plain(Rtype::A), &[(2, flags[0]), (3, flags[1])], &[]);
        add("a flag set", request, Some(R::NOERROR), None);
    }
    add(
        "a code set",
        changed(plain(Rtype::A), &[(3, 5)], &[]),
        Some(R::NOERROR),
        None,
    );
    for opcode in (1..16).filter(|opcode| ![4, 5].contains(opcode)) {
        let request = changed(apex(Rtype::SOA), &[(2, opcode << 3)], &[]);
        add(&format!("opcode {opcode}"), request, Some(R::NOTIMP), None);
    }
    for opcode in [4, 5] {
        for request in [apex(Rtype::SOA), plain(Rtype::SOA), outside(Rtype::SOA)] {
            let request = changed(request, &[(2, opcode << 3)], &[]);
            add(&format!("opcode {opcode}"), request, Some(R::NOTAUTH), None);
        }
    }

    // The question.
    let last = plain(Rtype::A).len() - 1;
    for (class, code) in [
        (0, R::REFUSED),
        (3, R::REFUSED),
        (4, R::REFUSED),
        (254, R::REFUSED),
    ] {
        let request = changed(plain(Rtype::A), &[(last, class)], &[]);
        add(&format!("class {class}"), request, Some(code), None);
    }
    add(
        "class ANY",
        changed(plain(Rtype::A), &[(last, 255)], &[]),
        Some(R::NOERROR),
        None,
    );
    let header = plain(Rtype::A)[..12].to_vec();
    for (what, qname) in [
        ("QNAME is a pointer to itself", vec![0xC0, 12]),
        ("QNAME is a pointer into the header", vec![0xC0, 4]),
        ("QNAME ends with a pointer", vec![1, b'a', 0xC0, 4]),
        ("a label of type 01", vec![0x41, 1, 0]),
        ("a label of type 10", vec![0x81, 1, 0]),
        (
            "QNAME of 257 octets",
            [[63; 64].as_slice(), &[63; 64], &[63; 64], &[63; 64], &[0]].concat(),
        ),
    ] {
        let request = [header.as_slice(), &qname, &[0, 1, 0, 1]].concat();
        add(what, request, Some(R::FORMERR), Some(KNOT_IS_SILENT));
    }
    add("type 0", plain(Rtype::from_int(0)), Some(R::NOTIMP), None);
    for qtype in [41, 128, 129, 248, 249, 250, 253, 254, 256, 61440] {
        add(
            &format!("type {qtype}"),
            plain(Rtype::from_int(qtype)),
            Some(R::NOERROR),
            None,
        );
    }
    add("outside", outside(Rtype::A), Some(R::REFUSED), None);

    // Records after the question.
    let address = [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 1];
    add(
        "a stray record",
        changed(plain(Rtype::A), &[(11, 1)], &address),
        Some(R::NOERROR),
        None,
    );
    add(
        "a stray answer",
        changed(plain(Rtype::A), &[(7, 1)], &address),
        Some(R::NOERROR),
        None,
    );
    add(
        "a missing record",
        changed(plain(Rtype::A), &[(11, 1)], &[]),
        Some(R::FORMERR),
        None,
    );
    add(
        "an octet too many",
        changed(plain(Rtype::A), &[], &[0]),
        Some(R::FORMERR),
        None,
    );

    // EDNS.
    let with = |tail: &[u8]| changed(plain(Rtype::A), &[(11, 1)], tail);
    add("OPT", with(&opt(0, 0, &[])), Some(R::NOERROR), None);
    add(
        "OPT with a code",
        with(&opt(5, 0, &[])),
        Some(R::NOERROR),
        None,
    );
    add(
        "an unknown option",
        with(&opt(0, 0, &[0, 99, 0, 2, 1, 2])),
        Some(R::NOERROR),
        None,
    );
    for (what, option) in [
        ("NSID, and no identifier", &[0, 3, 0, 0][..]),
        ("client subnet", &[0, 8, 0, 7, 0, 1, 24, 0, 198, 51, 100]),
        ("EXPIRE", &[0, 9, 0, 0]),
        ("a cookie", b"\x00\x0A\x00\x08a cookie"),
        ("a cookie of a wrong length", &[0, 10, 0, 3, 1, 2, 3]),
        ("keepalive", &[0, 11, 0, 0]),
        ("padding", &[0, 12, 0, 5, 0, 0, 0, 0, 0]),
        ("an extended error", &[0, 15, 0, 2, 0, 7]),
        ("ZONEVERSION", &[0, 19, 0, 0]),
        (
            "a local option, twice",
            &[0xFD, 0xE9, 0, 0, 0xFD, 0xE9, 0, 1, 9],
        ),
        (
            "several options",
            &[0, 12, 0, 1, 0, 0, 3, 0, 0, 0, 99, 0, 0],
        ),
    ] {
        add(what, with(&opt(0, 0, option)), Some(R::NOERROR), None);
    }
    add(
        "EDNS version 1",
        with(&opt(0, 1, &[])),
        Some(R::BADVERS),
        None,
    );
    add(
        "EDNS version 255, outside",
        changed(outside(Rtype::A), &[(11, 1)], &opt(0, 255, &[])),
        Some(R::BADVERS),
        None,
    );
    add(
        "EDNS version 1 in a NOTIFY",
        changed(apex(Rtype::SOA), &[(2, 4 << 3), (11, 1)], &opt(0, 1, &[])),
        Some(R::BADVERS),
        None,
    );
    add(
        "an option over the end",
        with(&opt(0, 0, &[0, 10, 0, 9])),
        Some(R::FORMERR),
        None,
    );
    add(
        "half an option",
        with(&opt(0, 0, &[0, 10, 0])),
        Some(R::FORMERR),
        None,
    );
    let octets = opt(0, 0, &[]);
    let long = changed(octets.clone(), &[(10, 4)], &[]);
    add("OPT over the end", with(&long), Some(R::FORMERR), None);
    let two = changed(
        plain(Rtype::A),
        &[(11, 2)],
        &[octets.clone(), octets.clone()].concat(),
    );
    add("two OPT records", two, Some(R::FORMERR), None);
    let misplaced = changed(plain(Rtype::A), &[(7, 1)], &octets);
    add("OPT as answer", misplaced, Some(R::FORMERR), None);
    add(
        "OPT of another owner",
        with(&[&[0xC0, 12], &octets[1..]].concat()),
        Some(R::FORMERR),
        Some("accepts it; RFC 6891 section 6.1.2: the owner MUST be the root"),
    );

    // TSIG by an unknown key: hmac-sha256, no MAC.
    let tsig = [
        b"\x03key\0\0\xFA\0\xFF\0\0\0\0\0\x1D".as_slice(),
        b"\x0Bhmac-sha256\0\0\0\x69\0\0\0\x01\x2C\0\0\x12\x34\0\0\0\0",
    ]
    .concat();
    add("TSIG", with(&tsig), Some(R::NOTAUTH), None);
    let request = changed(
        plain(Rtype::A),
        &[(11, 2)],
        &[octets.clone(), tsig.clone()].concat(),
    );
    add("TSIG after OPT", request, Some(R::NOTAUTH), None);
    let request = changed(
        plain(Rtype::A),
        &[(11, 2)],
        &[tsig.clone(), octets].concat(),
    );
    add("TSIG before OPT", request, Some(R::FORMERR), None);
    let cut = changed(tsig.clone(), &[(14, 0x1B)], &[]);
    let cut = with(&cut[..cut.len() - 2]);
    add("TSIG cut off", cut, Some(R::FORMERR), None);

    // Transfers.
    for request in [apex, plain, outside] {
        add("IXFR", request(Rtype::IXFR), Some(R::NOTAUTH), None);
    }
    for request in [apex, plain, outside] {
        cases.push(Case {
            what: "AXFR".to_owned(),
            request: request(Rtype::AXFR),
            udp: Some(R::NOTIMP),
            tcp: Some(R::NOTAUTH),
            knot_differs: None,
        });
    }
    cases
}

fn ask(zones: &FallbackZones, request: &[u8], transport: Transport) -> Option<Reply> {
    let reply = answer(zones, &Settings::default(), request, transport)?;
    assert_eq!(reply[..2], request[..2], "the ID is copied");
    Some(Reply::parse(&reply))
}

#[test]
fn each_request_gets_the_code_that_is_due() {
    let zones = load(&own_zones());
    for Case {
        what,
        request,
        udp,
        tcp,
        ..
    } in cases()
    {
        for (transport, due) in [(Transport::Udp, udp), (Transport::Tcp, tcp)] {
            let reply = ask(&zones, &request, transport);
            let code = reply.as_ref().map(|reply| reply.rcode);
            assert_eq!(code, due, "{what}, {transport:?}: {request:02x?}");
        }
    }
}

#[test]
fn every_cut_off_query_is_formerr() {
    let zones = load(&own_zones());
    let name = name("host.plain.example.");
    let whole = query(
        7,
        name.for_slice(),
        Rtype::A,
        Some(Edns {
            size: 1232,
            dnssec_ok: true,
        }),
    );
    for length in 12..whole.len() {
        let reply = ask(&zones, &whole[..length], Transport::Udp).expect("a reply");
        assert_eq!(reply.rcode, OptRcode::FORMERR, "{length} octets");
    }
}

#[test]
fn knot_agrees() {
    let files = own_zones();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fallback-knot-edges");
    std::fs::create_dir_all(&folder).expect("make a folder");
    let Some(knot) = Knot::start(&folder, &files) else {
        return;
    };
    let zones = load(&files);
    let (mut agreed, mut differed) = (0, 0);
    for Case {
        what,
        request,
        knot_differs,
        ..
    } in cases()
    {
        let ours = ask(&zones, &request, Transport::Udp);
        let knots = knot
            .ask_udp_or_nothing(&request)
            .map(|reply| Reply::parse(&reply));
        let comparable = |reply: Reply| {
            let Reply {
                rcode,
                opcode,
                flags,
                question,
                sections,
                opt,
                length: _,
            } = reply;
            // FORMERR comes with or without the question and OPT.
            let echoed = (rcode != OptRcode::FORMERR).then_some((question, opt));
            (rcode, opcode, flags, echoed, sections)
        };
        let (ours, knots) = (ours.map(comparable), knots.map(comparable));
        match knot_differs {
            None => {
                assert_eq!(ours, knots, "{what}: {request:02x?}");
                agreed += 1;
            }
            Some(why) => {
                assert_ne!(ours, knots, "{what}: Knot no longer differs ({why})");
                differed += 1;
            }
        }
    }
    println!("edges: {agreed} as Knot, {differed} differences with a reason");
}
