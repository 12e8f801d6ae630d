//! Small zones signed with NSEC3, with and without opt-out, against Knot's
//! answers: every delegation, names below it, every size of client.

mod conform_support;
mod program_support;

use std::collections::BTreeMap;

use conform_support::knot::{Family, Knot};
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::proof::{OptOut, Proof};
use dns_glue::zone::records::{Denial, Zone};
use dns_glue_common::reason::Action;
use program_support::frame::Path;
use program_support::program::{Memory, POLICY};
use program_support::query::{Query, edns_flag};
use program_support::reply::Reply;
use program_support::zones;

/// Octets by which our encoding may be longer than Knot's.
const ENCODING_SLACK: usize = 8;
/// Octets of the longest reply that either server sends.
const MAX_UDP: usize = 1232;
/// The zones and their files.
const ZONES: [(&str, &str); 2] = [
    ("hashed.example.", "nsec3/hashed.zone"),
    ("opt-out.example.", "nsec3/opt-out.zone"),
];
/// Knot answers for the root too, or nothing says that it is ready.
const ROOT: (&str, &[u8]) = (".", b". 60 SOA a. b. 1 2 3 4 5\n. 60 NS a.\n");

fn read(place: usize) -> Zone {
    let (apex, file) = ZONES[place];
    zones::read(apex, &zones::testdata().join(file))
}

/// How many delegations have a DS, an NSEC3 of their own, two NSEC3 by opt-out,
/// and one that is both.
fn proofs(zone: &Zone) -> [usize; 4] {
    let zones = std::slice::from_ref(zone);
    let cuts = find_cuts(zones, &[]);
    assert_eq!(cuts.faults.len(), 0, "{:?}", cuts.faults);
    let mut counts = [0; 4];
    for delegation in &cuts.delegations {
        counts[match delegation.proof {
            Proof::Ds(_) => 0,
            Proof::Nsec3(_) => 1,
            Proof::OptOut(OptOut { encloser, cover }) if encloser == cover => 3,
            Proof::OptOut(_) => 2,
            other => panic!("{other:?}"),
        }] += 1;
    }
    counts
}

#[test]
fn every_way_to_prove_is_there() {
    let [hashed, opt_out] = [read(0), read(1)];
    assert_eq!(hashed.denial(), Denial::Nsec3);
    assert_eq!(opt_out.denial(), Denial::Nsec3);
    assert_eq!(proofs(&hashed), [3, 27, 0, 0]);
    assert_eq!(proofs(&opt_out), [3, 0, 25, 2]);
}

#[test]
fn every_referral_of_nsec3_zones_equals_knots() {
    let texts = ZONES.map(|(apex, file)| {
        let text = std::fs::read(zones::testdata().join(file)).expect("a file");
        (apex, text)
    });
    let served = [
        (texts[0].0, &texts[0].1[..]),
        (texts[1].0, &texts[1].1),
        ROOT,
    ];
    let Some(knot) = Knot::start(&served) else {
        return;
    };
    let zones = [read(0), read(1)];
    let memory = Memory::new(zones::generation(&zones), POLICY);
    let cuts = find_cuts(&zones, &[]);
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for delegation in &cuts.delegations {
        for prefix in [
            "",
            "\x03www",
            "\x01a\x3fxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ] {
            let name = [prefix.as_bytes(), delegation.cut.as_slice()].concat();
            for size in [512, 700, 1000, 1200, 4096] {
                for flags in [0, edns_flag::DO] {
                    let query = Query::of(&name).edns(size, flags);
                    let outcome = compare(&knot, &memory, &query, usize::from(size).min(MAX_UDP));
                    *totals.entry(outcome).or_default() += 1;
                }
            }
        }
    }
    println!("{totals:?}");
    let cases: usize = totals.values().sum();
    assert_eq!(cases, cuts.delegations.len() * 30);
    // By far the most must be plainly equal, or the rules excuse too much.
    assert!(totals["equal"] * 5 > cases * 4, "{totals:?}");
}

/// Asks both, and panics if they differ in what they must not.
fn compare(knot: &Knot, memory: &Memory, query: &Query, limit: usize) -> &'static str {
    let message = query.octets();
    let ours = ask(memory, query);
    let whole = ask(memory, &query.clone().edns(4096, query_flags(query)));
    let knots = &knot.ask(Family::V4, &[message.clone()])[0];
    let knots_whole = &knot.ask_tcp(&[message])[0];
    assert!(
        whole.len() <= knots_whole.len() + ENCODING_SLACK,
        "{} octets, Knot {}: {}",
        whole.len(),
        knots_whole.len(),
        Reply::parse(&whole)
    );
    let [ours, whole, knots, knots_whole] =
        [&ours, &whole, knots, knots_whole].map(|octets| Reply::parse(octets));
    let show = || format!("{query:?}\nours: {ours}\nKnot's: {knots}");
    assert_eq!(ours.flags[0], knots.flags[0], "AA: {}", show());
    assert_eq!(
        (ours.rcode, &ours.opt),
        (knots.rcode, &knots.opt),
        "{}",
        show()
    );
    assert!(ours.length <= limit);
    // What both have room for is there.
    if knots_whole.length + ENCODING_SLACK <= MAX_UDP {
        assert!(whole.sections == knots_whole.sections, "{}", show());
    }
    if ours.truncated() && knots.truncated() {
        return "both truncated";
    }
    if ours.truncated() == knots.truncated() {
        assert!(ours.sections[1] == knots.sections[1], "{}", show());
        if ours.sections == knots.sections {
            return "equal";
        }
    }
    // Optional glue, or TC, where the limit lies near the two lengths.
    let lengths = [whole.length, knots_whole.length];
    let [shorter, longer] = [lengths.iter().min(), lengths.iter().max()];
    assert!(longer.is_some_and(|octets| *octets > limit), "{}", show());
    assert!(
        ours.truncated() == knots.truncated() || shorter.is_some_and(|octets| *octets <= limit),
        "TC is not explained by sizes: {}",
        show()
    );
    "by size"
}

fn query_flags(query: &Query) -> u16 {
    query.opt.as_ref().map_or(0, |opt| opt.flags)
}

/// Asks the program on the host; the message of its reply, with ID 0.
fn ask(memory: &Memory, query: &Query) -> Vec<u8> {
    let path = Path::v4();
    let (reason, frame) = memory.run(&path.frame(&query.octets()));
    assert_eq!(reason.action(), Action::Transmit, "{query:?}: {reason:?}");
    let mut reply = path.check_reply(&frame).expect("a right frame").to_vec();
    reply[..2].fill(0);
    reply
}
