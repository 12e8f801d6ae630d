//! Small zones signed with NSEC3, with and without opt-out, against Knot's
//! answers: every delegation, names below it, every size of client.

mod conform_support;
mod program_support;

use conform_support::knot::{Family, Knot};
use dns_glue::compare::{Ground, Judge, Outcome, Reply, Wholes};
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::proof::{OptOut, Proof};
use dns_glue::zone::records::{Denial, Zone};
use dns_glue_common::reason::Action;
use program_support::frame::Path;
use program_support::program::{Memory, POLICY};
use program_support::query::{Query, edns_flag};
use program_support::zones;

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
    let found = find_cuts(&zones, &[]).delegations;
    let over_tcp = |query: &[u8]| Reply::parse(&knot.ask_tcp(&[query.to_vec()])[0]);
    let mut judge = Judge {
        reference: Wholes::new(over_tcp),
        max_udp: usize::from(POLICY.max_udp),
        copy_cd: false,
    };
    // Equal, both truncated, by size.
    let mut totals = [0; 3];
    for delegation in &found {
        let ground = Ground::of(delegation);
        for prefix in ["", "\x03www", &format!("\x01a\x3f{}", "x".repeat(63))] {
            let name = [prefix.as_bytes(), delegation.cut.as_slice()].concat();
            for size in [512, 700, 1000, 1200, 4096] {
                for flags in [0, edns_flag::DO] {
                    let mut message = Query::of(&name).edns(size, flags).octets();
                    message[..2].fill(0);
                    let ours = ask(&memory, &message);
                    let knots = &knot.ask(Family::V4, std::slice::from_ref(&message))[0];
                    let judgement = judge.judge(&ground, &message, &ours, knots);
                    match judgement.expect("a whole referral").outcome {
                        Outcome::Equal => totals[0] += 1,
                        Outcome::BothTruncated => totals[1] += 1,
                        Outcome::BySize(_) => totals[2] += 1,
                        outcome => panic!("{} {size} {flags:x}: {outcome:?}", delegation.cut),
                    }
                }
            }
        }
    }
    println!("equal, both truncated, by size: {totals:?}");
    let cases: usize = totals.iter().sum();
    assert_eq!(cases, found.len() * 30);
    // By far the most must be plainly equal, or the rules excuse too much.
    assert!(totals[0] * 5 > cases * 4, "{totals:?}");
    assert!(totals[2] * 50 < cases, "{totals:?}");
}

/// Asks the program on the host; the message of its reply.
fn ask(memory: &Memory, message: &[u8]) -> Vec<u8> {
    let path = Path::v4();
    let (reason, frame) = memory.run(&path.frame(message));
    assert_eq!(reason.action(), Action::Transmit, "{reason:?}");
    path.check_reply(&frame).expect("a right frame").to_vec()
}
