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
use dns_glue::kernel::clock;
use dns_glue_common::deadlines::{Deadline, NEVER};
use dns_glue_common::nsid::Nsid;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::{Action, Reason};
use program_support::frame::Path;
use program_support::program::{Memory, POLICY, Program};
use program_support::query::Query;
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

/// How often each outcome came up, by its counter.
type Outcomes = BTreeMap<u32, (Reason, usize)>;

fn is_frequent(outcomes: &Outcomes, reason: Reason) -> bool {
    let found = outcomes.get(&(reason as u32));
    found.is_some_and(|(_, count)| *count > 20)
}

/// Runs a stream of frames in the kernel and on the host: the same outcome, and
/// the same octets.
fn compare(program: &Program, names: &[Vec<u8>], seed: u64, frames: usize) {
    let outcomes = compare_stream(program, names, seed, frames);
    // A stream of frames that all fail alike would prove nothing.
    for reason in [Reason::Referral, Reason::ReferralTruncated, Reason::NoCut] {
        assert!(is_frequent(&outcomes, reason), "{outcomes:?}");
    }
    assert!(outcomes.len() > 20, "{outcomes:?}");
}

/// The same, whatever the outcomes are.
fn compare_stream(program: &Program, names: &[Vec<u8>], seed: u64, frames: usize) -> Outcomes {
    let mut random = Random(seed);
    let mut outcomes = Outcomes::new();
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
    assert_eq!(program.counted(Action::Abort), 0);
    outcomes
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

/// The hands of the clock are the host's to move; in the kernel the deadlines
/// move instead.
#[test]
fn kernel_and_host_agree_before_and_after_deadlines() {
    const HOUR: u64 = 3600 * 1_000_000_000;
    if !is_root() {
        return;
    }
    let zones = [zones::example(), zones::signed()];
    let names = stream::names(&zones);
    let mut program = Program::load(Memory::new(zones::generation(&zones), POLICY));
    for seed in 20_260_110..20_260_113 {
        for place in 0..4 {
            program.change_deadlines(|memory| {
                let now = clock::now();
                let (past, future) = (
                    Deadline::At(now.saturating_sub(HOUR)),
                    Deadline::At(now + HOUR),
                );
                // One zone at a time, so that the stream has answers.
                let [example, signed] = [
                    [future, future],
                    [past, future],
                    [future, Deadline::Withheld],
                    [Deadline::Never, past],
                ][place];
                memory.set_now(now);
                memory.set_deadline(0, example);
                memory.set_deadline(1, signed);
            });
            let outcomes = compare_stream(&program, &names, seed, 2_000);
            let late = [
                None,
                Some(Reason::ZoneExpired),
                Some(Reason::ZoneWithheld),
                Some(Reason::ZoneExpired),
            ][place];
            assert!(is_frequent(&outcomes, Reason::Referral), "{outcomes:?}");
            assert!(
                late.is_none_or(|late| is_frequent(&outcomes, late)),
                "{outcomes:?}"
            );
        }
    }
}

/// Sets when answers end.
type SetEnd = fn(&mut Memory, u64);

/// The kernel's clock and that of the daemon are the same: answers end at the
/// deadline, neither before nor after, and begin again when it is moved.
#[test]
fn answers_end_when_the_clock_says_so() {
    const A_MOMENT: u64 = 50_000_000;
    if !is_root() {
        return;
    }
    let zones = [zones::example()];
    let frame = Path::v6().frame(&Query::new("www.single.glue.example.").octets());
    let mut program = Program::load(Memory::new(zones::generation(&zones), POLICY));
    let whole = |memory: &mut Memory| {
        memory.set_deadline(0, Deadline::Never);
        memory.set_attended_until(NEVER);
    };
    let zone = |memory: &mut Memory, time| memory.set_deadline(0, Deadline::At(time));
    let host = |memory: &mut Memory, time| memory.set_attended_until(time);
    let ends: [(SetEnd, Reason); 2] = [(zone, Reason::ZoneExpired), (host, Reason::Unattended)];
    for (set, late) in ends {
        program.change_deadlines(whole);
        assert_eq!(program.run_counted(&frame).0, Reason::Referral);
        let time = clock::now() + A_MOMENT;
        program.change_deadlines(|memory| set(memory, time));
        let mut is_over = false;
        loop {
            let before = clock::now();
            let (reason, _) = program.run_counted(&frame);
            let after = clock::now();
            is_over |= reason == late;
            let expected = if is_over { late } else { Reason::Referral };
            assert_eq!(reason, expected, "at {before} to {after}, end {time}");
            assert!(!is_over || after >= time, "{after} is before {time}");
            if before >= time {
                assert!(is_over, "{before} is at or after {time}");
                break;
            }
        }
    }
    program.change_deadlines(whole);
    assert_eq!(program.run_counted(&frame).0, Reason::Referral);
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
