//! `dns-glue explain` from the outside, and its arithmetic against the replies.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dns_glue::compile;
use dns_glue::report::explain::{Ask, Part, Verdict, explain};
use dns_glue::report::query::Edns;
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::master_file;
use dns_glue::zone::records::Zone;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;
use domain::base::iana::Rtype;
use domain::base::{Message, Name, ToName as _};

fn example_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/example.zone")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dns-glue"))
        .arg("explain")
        .arg("--zone")
        .arg(format!("glue.example={}", example_path().display()))
        .args(arguments)
        .output()
        .expect("dns-glue runs")
}

/// Standard output of an explanation that succeeds.
fn text(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[track_caller]
fn assert_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            text.lines().any(|found| found == *line),
            "missing: {line}\n{text}"
        );
    }
}

#[test]
fn in_domain() {
    let text = text(&["www.in-domain.glue.example."]);
    assert_lines(
        &text,
        &[
            ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 0",
            ";; flags: qr; QUERY: 1, ANSWER: 0, AUTHORITY: 2, ADDITIONAL: 5",
            "; EDNS: version: 0, flags:; udp: 1232",
            ";www.in-domain.glue.example.\t\tIN\tA",
            "in-domain.glue.example.\t86400\tIN\tNS\tns1.in-domain.glue.example.",
            "ns2.in-domain.glue.example.\t86400\tIN\tAAAA\t2001:db8:11::2",
            ";; MSG SIZE  rcvd: 179",
            "; counted as referral: A whole referral, with all the glue that the zone has.",
            "; QNAME is 1 label (4 octets) below in-domain.glue.example., a zone cut of \
             glue.example. (serial 2026010100)",
            "; limit: 1232 octets: the client takes 1232, the server sends up to 1232",
            "; room for records: 1232 - 12 header - 32 question - 11 OPT = 1177 octets",
            "; NS records: 36 of 36 octets",
            "; proof: none, the zone is not signed",
            "; glue: 88 of 88 octets",
            "; TC=0: nothing is left out",
        ],
    );
}

#[test]
fn siblings_and_cycles() {
    for cut in [
        "sibling.glue.example",
        "foo.glue.example",
        "bar.glue.example",
    ] {
        let text = text(&[cut, "--no-edns", "--type", "mx"]);
        assert_lines(
            &text,
            &[
                ";; flags: qr; QUERY: 1, ANSWER: 0, AUTHORITY: 2, ADDITIONAL: 4",
                &format!(";{cut}.\t\tIN\tMX"),
                "; TC=0: nothing is left out",
            ],
        );
        assert!(!text.contains("OPT"), "{text}");
    }
}

#[test]
fn truncated_and_the_servers_answer_over_tcp() {
    let text = text(&["full.glue.example.", "--bufsize", "100", "--fallback"]);
    assert_lines(
        &text,
        &[
            ";; flags: qr tc; QUERY: 1, ANSWER: 0, AUTHORITY: 8, ADDITIONAL: 15",
            "; limit: 512 octets: the client takes 512, the server sends up to 1232",
            "; glue: 308 of 352 octets",
            "; left out: in-domain glue: ns8.full.glue.example. AAAA",
            "; TC=1: in-domain glue is left out (RFC 9471 section 3.1)",
            ";; THE BUILT-IN SERVER, over TCP:",
            ";; flags: qr; QUERY: 1, ANSWER: 0, AUTHORITY: 8, ADDITIONAL: 17",
        ],
    );
}

#[test]
fn optional_glue_left_out() {
    let text = text(&["full-sibling.glue.example.", "--no-edns"]);
    assert_lines(
        &text,
        &[
            ";; flags: qr; QUERY: 1, ANSWER: 0, AUTHORITY: 8, ADDITIONAL: 14",
            "; left out: sibling glue: ns8.full.glue.example. A",
            "; TC=0: all that is left out is optional (RFC 9471 section 3.2)",
        ],
    );
}

#[test]
fn what_passes_and_why() {
    for (arguments, counted, standing) in [
        (
            &["secure.glue.example", "--type", "ds"][..],
            "; counted as type-ds: QTYPE DS at a zone cut: the parent's own data.",
            "; QNAME is secure.glue.example., a zone cut of glue.example. (serial 2026010100)",
        ),
        (
            &["www.example.com"],
            "; counted as outside-zones: Below no apex that is served here.",
            "; QNAME is in none of the zones",
        ),
        (
            &["nothing.glue.example"],
            "; counted as no-cut: In a compiled zone, below none of its cuts: apex, data of the \
             zone, or NXDOMAIN.",
            "; QNAME is 1 label (8 octets) below glue.example., the apex of a compiled zone, and \
             below none of its cuts",
        ),
        (
            &["x.renamed.glue.example"],
            "; counted as dname: At or below a DNAME.",
            "; QNAME is 1 label (2 octets) below renamed.glue.example., the owner of a DNAME",
        ),
        (
            &["a.sibling.glue.example", "--serves", "sibling.glue.example"],
            "; counted as served: At or below an apex of `--serves`.",
            "; QNAME is 1 label (2 octets) below sibling.glue.example., the apex of a zone that \
             the server behind serves",
        ),
    ] {
        let text = text(arguments);
        let passes = ";; WHY: the query passes to the server behind, as it came";
        assert_lines(&text, &[passes, counted, standing]);
        assert!(!text.contains("HEADER"), "no reply: {text}");
    }
    // Below the cut the same type is referred.
    let below = text(&["x.secure.glue.example", "--type", "DS"]);
    assert!(below.contains("; counted as referral:"), "{below}");
}

#[test]
fn proofs_by_nsec3() {
    for (zone, cut, proof) in [
        (
            "hashed",
            "many",
            "; proof: 188 of 188 octets (NSEC3 of the cut with signatures: no DS)",
        ),
        (
            "opt-out",
            "x.y.below",
            "; proof: 944 of 944 octets (opt-out: the NSEC3 that matches the closest encloser and \
             the one that covers the next closer name, with signatures)",
        ),
        (
            "opt-out",
            "both-338",
            "; proof: 477 of 477 octets (opt-out: one NSEC3 that matches the closest encloser and \
             covers the next closer name, with signatures)",
        ),
    ] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("testdata/nsec3")
            .join(format!("{zone}.zone"));
        let served = format!("{zone}.example={}", path.display());
        let cut = format!("{cut}.{zone}.example");
        let asked = text(&["--zone", &served, "--dnssec", &cut]);
        assert_lines(&asked, &[proof, "; TC=0: nothing is left out"]);
        let plain = text(&["--zone", &served, &cut]);
        assert_lines(&plain, &["; proof: not asked for (DO=0)"]);
    }
    // What does not fit is named by its owner.
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/nsec3/opt-out.zone");
    let served = format!("opt-out.example={}", path.display());
    let short = [
        "--zone",
        &served,
        "--dnssec",
        "--bufsize",
        "700",
        "one.opt-out.example",
    ];
    assert_lines(
        &text(&short),
        &["; TC=1: DS or denial does not fit (RFC 4035 sections 3.1.4 and 3.1.1)"],
    );
}

#[test]
fn the_fallbacks_answer() {
    let text = text(&["nothing.glue.example", "--fallback"]);
    assert_lines(
        &text,
        &[
            ";; THE BUILT-IN SERVER, over UDP:",
            ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 0",
            ";; flags: qr aa; QUERY: 1, ANSWER: 0, AUTHORITY: 1, ADDITIONAL: 1",
        ],
    );
}

#[test]
fn errors_name_the_argument() {
    for (arguments, argument) in [
        (&["a..b"][..], "<NAME>': not a domain name"),
        (&["a", "--type", "NONE"], "--type <TYPE>"),
        (&["a", "--bufsize", "65536"], "--bufsize <OCTETS>"),
        (&["a", "--no-edns", "--dnssec"], "--dnssec"),
        (&["a", "--max-udp", "1401"], "--max-udp <OCTETS>"),
        (&[], "<NAME>"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(argument), "{arguments:?}: {errors}");
    }
}

/// The root zone if it is at hand, else the example zone.
fn largest_zone() -> Zone {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let packed = root.join("../../shared/data/root-2026010500.zone.xz");
    let (apex, path, text) = if packed.exists() {
        let output = Command::new("xz").arg("-dc").arg(&packed).output();
        (".", packed, output.expect("xz runs").stdout)
    } else {
        eprintln!(
            "the example zone instead: {} is not there",
            packed.display()
        );
        let text = std::fs::read(example_path()).expect("the example zone");
        ("glue.example.", example_path(), text)
    };
    let apex = Name::vec_from_str(apex).expect("a name");
    let zone = master_file::read_text(&apex, Path::new(&path), &text);
    zone.unwrap_or_else(|errors| panic!("{errors}"))
}

/// Whatever the explanation works out agrees with the reply: its length, its
/// TC flag, and that what fits is sent.
#[test]
fn the_arithmetic_agrees_with_every_reply() {
    let zones = [largest_zone()];
    let cuts = find_cuts(&zones, &[]);
    let compilation = compile::compile(&zones, &cuts, &()).expect("the zone compiles");
    let policy = Policy {
        flags: compilation.generation.policy_flags,
        ..Policy::DEFAULT
    };
    let edns = |udp_octets, dnssec| {
        Some(Edns {
            udp_octets,
            dnssec,
            nsid: false,
        })
    };
    let mut truncated = 0;
    // Each explanation looks at every delegation: every seventh is enough.
    for delegation in cuts.delegations.iter().step_by(7) {
        for edns in [None, edns(512, true), edns(700, false), edns(4096, true)] {
            let name = delegation.cut.to_vec();
            let ask = Ask {
                name,
                rtype: Rtype::A,
                edns,
            };
            let name = ask.name.clone();
            let explanation = explain(&cuts, &compilation, &policy, ask);
            let Verdict::Refers(referral) = explanation.verdict else {
                panic!("{name} passes");
            };
            let (room, message) = (&referral.room, &referral.message);
            assert_eq!(room.message_octets(), message.len(), "{name} {edns:?}");
            assert!(message.len() <= room.limit(), "{name} {edns:?}");
            let tc = Message::from_slice(message)
                .expect("a header")
                .header()
                .tc();
            let needed = |part: Part| part.is_needed();
            let lacks = referral.left_out.iter().any(|left| needed(left.part));
            assert_eq!(tc, lacks, "{name} {edns:?}: {:?}", referral.left_out);
            assert_eq!(tc, referral.outcome == Reason::ReferralTruncated);
            let all = [room.ns, room.proof, room.glue];
            let whole: usize = all.iter().map(|sent| sent.of).sum();
            assert_eq!(
                referral.left_out.is_empty(),
                whole <= room.for_records(),
                "{name} {edns:?}: {room:?}"
            );
            truncated += usize::from(tc);
        }
    }
    assert!(
        truncated > 0,
        "no reply had TC=1: nothing was put to the test"
    );
}
