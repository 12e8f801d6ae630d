//! The program in the kernel, frame by frame: a table of golden cases, and
//! the kernel against the host.

mod program_support;

#[path = "program/cases.rs"]
mod cases;
#[path = "program/check.rs"]
mod check;
#[path = "program/stream.rs"]
mod stream;

use std::collections::{BTreeMap, HashSet};

use cases::Setup;
use check::{check, check_octets};
use dns_glue::conform::random::Random;
use dns_glue_common::nsid::Nsid;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::{Action, Reason};
use program_support::program::{Memory, POLICY, Program};
use program_support::{is_root, zones};

/// Outcomes that no frame of a test run can have, and why.
const WITHOUT_CASE: [(Reason, &str); 2] = [
    (
        Reason::NoRoom,
        "a test run leaves the rest of a page behind the frame; tests/conform_behind.rs sends \
         frames without room through a veth pair",
    ),
    (
        Reason::WriteFailed,
        "a fault of the program: no frame leads there",
    ),
];

#[test]
fn every_outcome_has_a_case() {
    let covered: HashSet<Reason> = cases::all().iter().map(|case| case.reason).collect();
    for reason in Reason::ALL {
        let excepted = WITHOUT_CASE.iter().any(|(other, _)| other == reason);
        assert_ne!(
            covered.contains(reason),
            excepted,
            "{reason:?}: a case or an exception, not both"
        );
    }
}

#[test]
fn every_case_ends_on_the_host_as_the_table_says() {
    let cases = cases::all();
    for setup in Setup::ALL {
        let memory = setup.memory();
        // The host has frames in one buffer only.
        let cases = cases
            .iter()
            .filter(|case| case.setup == setup && case.reason != Reason::MultiBuffer);
        for case in cases {
            // Shown only if the case fails.
            println!("{case}");
            let (reason, octets) = memory.run(&case.frame);
            check(case, reason, &octets);
        }
    }
}

#[test]
fn every_case_ends_in_the_kernel_as_the_table_says() {
    if !is_root() {
        return;
    }
    let cases = cases::all();
    for setup in Setup::ALL {
        let program = Program::load(setup.memory());
        let cases = cases.iter().filter(|case| case.setup == setup);
        let count = cases.clone().count();
        println!("{setup:?}: {count} cases; {:?}", program.facts());
        assert!(count > 0);
        for case in cases {
            println!("{case}");
            let (reason, octets) = program.run_counted(&case.frame);
            check(case, reason, &octets);
        }
        assert_eq!(program.counted(Action::Abort), 0);
    }
}

/// Two replies written out, so that nothing but the eye decodes them.
#[test]
fn two_replies_octet_by_octet() {
    if !is_root() {
        return;
    }
    let program = Program::load(Setup::Plain.memory());
    for (query, reply) in cases::written_out() {
        let (reason, octets) = program.run_counted(&query);
        check_octets(reply, reason, &octets);
    }
}

/// Runs a stream of frames in the kernel and on the host: the same outcome, and
/// the same octets.
fn compare(program: &Program, names: &[Vec<u8>], seed: u64, frames: usize) {
    let mut random = Random(seed);
    let mut outcomes: BTreeMap<u32, (Reason, usize)> = BTreeMap::new();
    for place in 0..frames {
        let frame = stream::frame(&mut random, names);
        let (on_host, host_octets) = program.memory.run(&frame);
        let (reason, octets) = program.run_counted(&frame);
        assert_eq!(
            reason, on_host,
            "frame {place} of seed {seed}: {frame:02x?}"
        );
        assert!(
            octets == host_octets,
            "frame {place} of seed {seed}, {reason:?}: {frame:02x?}: {octets:02x?} in the kernel, \
             {host_octets:02x?} on the host"
        );
        if reason.action() == Action::Pass {
            assert!(
                octets == frame,
                "frame {place} of seed {seed} is not untouched"
            );
        }
        outcomes.entry(reason as u32).or_insert((reason, 0)).1 += 1;
    }
    for (reason, count) in outcomes.values() {
        println!("{count:6} {reason:?}");
    }
    // A stream of frames that all fail alike would prove nothing.
    let answered = |reason| {
        outcomes
            .get(&(reason as u32))
            .is_some_and(|(_, count)| *count > 20)
    };
    assert!(answered(Reason::Referral) && answered(Reason::ReferralTruncated));
    assert!(
        answered(Reason::NoCut) && outcomes.len() > 20,
        "{outcomes:?}"
    );
    assert_eq!(program.counted(Action::Abort), 0);
}

#[test]
fn kernel_and_host_agree_on_the_example_zones() {
    if !is_root() {
        return;
    }
    let zones = [zones::example(), zones::signed()];
    let names = stream::names(&zones);
    let program = Program::load(Memory::new(zones::generation(&zones), POLICY));
    compare(&program, &names, 20_260_101, 12_000);
}

#[test]
fn kernel_and_host_agree_on_identifiers_of_any_length() {
    if !is_root() {
        return;
    }
    let zones = [zones::example(), zones::signed()];
    let names = stream::names(&zones);
    for octets in [1, 2, 63, 64] {
        let policy = Policy {
            nsid: Nsid::new(&vec![0xfe; octets]).expect("a length that is allowed"),
            ..POLICY
        };
        let program = Program::load(Memory::new(zones::generation(&zones), policy));
        println!("{:?}", program.facts());
        compare(&program, &names, 20_260_102 + octets as u64, 6_000);
    }
}

#[test]
fn kernel_and_host_agree_on_the_root_zone() {
    let [(apex, file), ..] = zones::REAL_ZONES;
    if !is_root() {
        return;
    }
    let Some(root) = zones::real(apex, file) else {
        return;
    };
    let zones = [root];
    let names = stream::names(&zones);
    let policy = Policy {
        max_udp: 1400,
        ..POLICY
    };
    let program = Program::load(Memory::new(zones::generation(&zones), policy));
    compare(&program, &names, 20_260_105, 12_000);
}
