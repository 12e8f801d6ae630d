//! Random zones with a bit of everything that an entry or a piece can be.

use std::fmt::Write as _;

use dns_glue::conform::random::{Draw as _, Random};

/// The apexes: one encloses the next, and two are siblings.
pub const APEXES: [&str; 5] = [".", "test.", "sub.test.", "example.", "b.c.example."];

/// Labels of delegations: few, so that the versions of a zone have many in
/// common.
const LABELS: [&str; 8] = ["a", "b", "C", "dd", "sub", "test", "b.c", "e.f.g.h"];

const SIGNATURE: &str = "13 2 60 20900101000000 20260101000000 1 void. AAAA";

/// The text of a zone of any apex; the seed decides everything.
pub fn text(seed: u64) -> String {
    let mut random = Random(seed);
    let mut text = format!(
        "$TTL 60\n@ SOA ns.void. h.void. {} 2 3 4 5\n@ NS ns.void.\n",
        seed % 1_000_000
    );
    let signed = random.once_in(2);
    if signed {
        text += "@ DNSKEY 257 3 13 AAAA\n@ NSEC a NS SOA RRSIG NSEC DNSKEY\n";
        writeln!(text, "@ RRSIG SOA {SIGNATURE}").expect("a String takes everything");
    }
    if random.once_in(3) {
        text += "dname DNAME void.\n*.wild NS ns.void.\n";
    }
    if random.once_in(4) {
        text += "deleg TYPE61440 \\# 1 00\n";
    }
    // Its addresses are signed, so glue with signatures is a piece of its own.
    text += "auth A 192.0.2.1\n";
    if signed {
        writeln!(text, "auth RRSIG A {SIGNATURE}").expect("a String takes everything");
    }
    for label in LABELS {
        if random.once_in(3) {
            continue;
        }
        delegate(label, signed, &mut random, &mut text);
    }
    // Enough for several slabs in some of the zones.
    let many = if random.once_in(6) { 400 } else { 0 };
    for number in 0..many {
        let host = random.below(200);
        writeln!(
            text,
            "m{number} NS h{host}.m{number}\nh{host}.m{number} A 192.0.2.7"
        )
        .expect("a String takes everything");
    }
    text
}

fn delegate(label: &str, signed: bool, random: &mut Random, text: &mut String) {
    let mut add = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    add(format!("{label} NS ns{}.void.", random.below(3)));
    if random.once_in(2) {
        add(format!("{label} NS ns.{label}"));
        add(format!("ns.{label} A 192.0.2.{}", random.below(4)));
        add(format!("ns.{label} AAAA 2001:db8::{}", random.below(4)));
    }
    if random.once_in(3) {
        add(format!("{label} NS auth"));
    }
    if random.once_in(3) {
        // Of a sibling, whether or not it is there.
        add(format!("{label} NS ns.{}", random.pick(&LABELS)));
    }
    // Now and then a proof is missing: then the name is a stop.
    if signed && !random.once_in(8) {
        add(format!("{label} DS 1 13 2 {:04x}", random.below(4)));
        add(format!("{label} RRSIG DS {SIGNATURE}"));
    }
}

/// Names to ask for in all of the zones: of delegations, stops and others.
pub fn names() -> Vec<String> {
    let inner = [
        "dname", "x.wild", "deleg", "auth", "nothing", "m7", "m399", "ns.a",
    ];
    let mut names = vec![String::from("else.")];
    for apex in APEXES {
        let below = if apex == "." { "" } else { apex };
        names.push(apex.to_owned());
        for label in LABELS.iter().chain(&inner) {
            names.push(format!("{label}.{below}"));
            names.push(format!("www.{label}.{below}"));
        }
    }
    names
}
