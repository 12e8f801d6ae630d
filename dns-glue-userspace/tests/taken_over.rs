//! Zones that are taken over from the generation that answers: the next one is
//! what it would be if every zone were compiled anew.

#[path = "taken_over/damage.rs"]
mod damage;
#[path = "taken_over/pipes.rs"]
mod pipes;
#[path = "taken_over/zones.rs"]
mod zones;

use std::fs;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use dns_glue::compile::Generation;
use dns_glue::host;
use dns_glue::report::query::{Edns, write_query};
use dns_glue::serve::changes::ZoneChanges;
use dns_glue::serve::compiled::{Answering, Compiled, ReadZones, ZoneChoice, compile_zones};
use dns_glue::zone::source::ZoneSource;
use dns_glue_common::policy::Policy;
use domain::base::Name;
use domain::base::iana::Rtype;
use proptest::prelude::*;

/// A folder with zones that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("dns-glue-taken-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// A choice of zones in the files `0`, `1` and so on.
    fn choice(&self, apexes: &[&str]) -> ZoneChoice {
        let source = |(number, apex): (usize, &&str)| ZoneSource {
            apex: name(apex),
            path: self.0.join(number.to_string()),
        };
        ZoneChoice {
            sources: apexes.iter().enumerate().map(source).collect(),
            also_served: vec![name("served.test")],
            strict: false,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn name(text: &str) -> Name<Vec<u8>> {
    text.parse().expect("a name")
}

fn compile(choice: &ZoneChoice) -> Compiled {
    compile_zones(choice, &()).expect("the zones compile")
}

/// The next generation of `choice`, after one that was made of `before`.
fn next(choice: &ZoneChoice, answering: &Compiled, before: &ZoneChoice) -> Compiled {
    let answering = Answering {
        choice: before,
        zones: &answering.zones,
        tables: answering.generation.tables(),
    };
    let read = ReadZones::read(choice, Some(answering), &()).expect("the zones can be read");
    read.compile(&()).expect("the zones compile")
}

/// Which zones were taken over.
fn taken(before: &Compiled, after: &Compiled) -> Vec<bool> {
    let zones = before.zones.rolls().zip(after.zones.rolls());
    zones
        .map(|(before, after)| ZoneChanges::between(before, after).unchanged)
        .collect()
}

/// Everything that is answered, and why the rest passes.
fn answers(generation: &Generation) -> Vec<Result<Vec<u8>, String>> {
    answers_to(generation, zones::names())
}

fn answers_to(generation: &Generation, names: Vec<String>) -> Vec<Result<Vec<u8>, String>> {
    let policy = Policy {
        flags: Policy::DEFAULT.flags | generation.policy_flags,
        ..Policy::DEFAULT
    };
    let edns = |udp_octets, dnssec| {
        Some(Edns {
            udp_octets,
            dnssec,
            nsid: false,
        })
    };
    let mut runner = host::Runner::new(generation, policy);
    let mut answers = Vec::new();
    let mut query = Vec::new();
    for text in names {
        for rtype in [Rtype::A, Rtype::DS] {
            for edns in [None, edns(1232, true), edns(1232, false)] {
                write_query(&mut query, name(&text).for_slice(), rtype, edns);
                let answer = runner.answer(&query);
                let answer = answer.map(|(reply, _)| reply.to_vec());
                answers.push(answer.map_err(|reason| format!("{reason:?}")));
            }
        }
    }
    answers
}

/// Everything that is told of the zones, without places in memory.
fn told(compiled: &Compiled) -> (Vec<serde_json::Value>, Vec<String>, usize) {
    let statuses = compiled.zones.statuses();
    let statuses = statuses.map(|status| serde_json::to_value(status).expect("JSON"));
    (
        statuses.collect(),
        compiled.zones.warnings(),
        compiled.zones.largest_body(),
    )
}

#[track_caller]
fn assert_as_from_scratch(compiled: &Compiled, choice: &ZoneChoice) {
    let scratch = compile(choice);
    let [own, other] = [compiled, &scratch].map(|one| answers(&one.generation));
    assert!(own.iter().any(Result::is_ok) || other.iter().all(Result::is_err));
    assert_eq!(own, other);
    assert_eq!(told(compiled), told(&scratch));
    assert_eq!(
        compiled.generation.policy_flags,
        scratch.generation.policy_flags
    );
    for (own, other) in compiled.zones.rolls().zip(scratch.zones.rolls()) {
        let changes = ZoneChanges::between(own, other);
        let none = "0 delegations added, 0 removed, 0 changed";
        assert_eq!(changes.counts(), none, "{own:?}");
        assert_eq!(changes.serial, changes.serial_before);
    }
    // Nothing is left of zones that have changed.
    assert_eq!(
        compiled.generation.slabs.len(),
        scratch.generation.slabs.len()
    );
    // A table that could not be built has a larger one in its place.
    let [own, other] = [compiled, &scratch].map(|one| one.generation.buckets.len());
    assert!(own >= other && own < 6 * other + 60, "{own} {other}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Some of the zones change, again and again, each generation made of the
    /// one before.
    #[test]
    fn a_generation_is_what_it_would_be_from_scratch(
        first in 1..=zones::APEXES.len(),
        seeds in prop::collection::vec(prop::collection::vec(any::<Option<u64>>(), 5), 1..4),
        seed: u64,
    ) {
        let folder = Folder::new();
        let apexes = &zones::APEXES[zones::APEXES.len() - first..];
        let choice = folder.choice(apexes);
        let write = |number: usize, seed| {
            folder.write(&number.to_string(), &zones::text(seed));
        };
        (0..first).for_each(|number| write(number, seed ^ number as u64));
        let mut answering = compile(&choice);
        for seeds in seeds {
            let changes = &seeds[..first];
            for (number, seed) in changes.iter().enumerate() {
                seed.iter().for_each(|seed| write(number, *seed));
            }
            let after = next(&choice, &answering, &choice);
            assert_as_from_scratch(&after, &choice);
            let unchanged: Vec<bool> = changes.iter().map(Option::is_none).collect();
            prop_assert_eq!(taken(&answering, &after), unchanged);
            answering = after;
        }
    }
}

/// A zone of so many delegations, with several slabs of pieces.
fn large(serial: u32, delegations: usize) -> String {
    let mut text = format!("$TTL 60\n@ SOA ns.void. h.void. {serial} 2 3 4 5\n@ NS ns.void.\n");
    for number in 0..delegations {
        let host = format!("n{serial:08}.d{number}");
        let [.., high, low] = number.to_be_bytes();
        text += &format!("d{number} NS {host}\n{host} A 192.0.{high}.{low}\n");
    }
    text
}

#[test]
fn reloads_without_end_do_not_grow() {
    let folder = Folder::new();
    let choice = folder.choice(&["test.", "example."]);
    folder.write("0", &large(1, 1500));
    folder.write("1", &large(1, 100));
    let mut answering = compile(&choice);
    let slabs = answering.generation.slabs.len();
    assert!(slabs > 2, "{slabs}");
    let secret = secret_of(&answering.generation);
    for serial in 2..=201 {
        // The large one stays mostly, and goes to another place with the other.
        let changed = usize::from(serial % 20 != 0);
        let delegations = [1500, 100][changed];
        folder.write(&changed.to_string(), &large(serial, delegations));
        let after = next(&choice, &answering, &choice);
        assert_eq!(taken(&answering, &after), [changed == 1, changed == 0]);
        assert_eq!(after.generation.slabs.len(), slabs, "{serial}");
        answering = after;
    }
    assert_as_from_scratch(&answering, &choice);
    assert!(
        secret_of(&answering.generation) == secret,
        "the keys are those of before"
    );
}

/// The hash secret, to compare.
fn secret_of(generation: &Generation) -> Vec<u64> {
    generation.secret.0.as_flattened().to_vec()
}

#[test]
fn what_is_included_counts_and_so_does_every_octet() {
    let folder = Folder::new();
    let choice = folder.choice(&["test.", "example."]);
    let including = "$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n$INCLUDE more\n";
    folder.write("0", including);
    folder.write("1", &zones::text(7));
    folder.write("more", "a NS ns.void.\n");
    let before = compile(&choice);
    let same = next(&choice, &before, &choice);
    assert_eq!(taken(&before, &same), [true, true]);
    assert_as_from_scratch(&same, &choice);

    folder.write("more", "b NS ns.void.\n");
    let included = next(&choice, &before, &choice);
    assert_eq!(taken(&before, &included), [false, true]);
    assert_as_from_scratch(&included, &choice);

    folder.write("0", &(including.to_owned() + ";\n"));
    let commented = next(&choice, &included, &choice);
    assert_eq!(taken(&included, &commented), [false, true]);

    fs::remove_file(folder.0.join("more")).expect("it was there");
    let answering = Answering {
        choice: &choice,
        zones: &commented.zones,
        tables: commented.generation.tables(),
    };
    assert!(ReadZones::read(&choice, Some(answering), &()).is_err());
}

#[test]
fn the_same_text_means_something_else_beside_other_choices() {
    let folder = Folder::new();
    let choice = folder.choice(&["test.", "example."]);
    for number in ["0", "1"] {
        folder.write(number, &zones::text(11));
    }
    let before = compile(&choice);
    let mut strict = choice.clone();
    strict.strict = true;
    let mut served = choice.clone();
    served.also_served = vec![name("a.test")];
    let others = [
        folder.choice(&["test.", "other."]),
        folder.choice(&["example.", "test."]),
        served,
    ];
    for other in &others {
        let after = next(other, &before, &choice);
        assert_eq!(taken(&before, &after), [false, false], "{other:?}");
        assert_as_from_scratch(&after, other);
    }
    // Whether a fault refuses a zone is asked of every zone again.
    folder.write(
        "0",
        "@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n*.w NS ns.void.\n",
    );
    let faulty = compile(&choice);
    let answering = Answering {
        choice: &choice,
        zones: &faulty.zones,
        tables: faulty.generation.tables(),
    };
    let read = ReadZones::read(&strict, Some(answering), &()).expect("it can be read");
    assert!(read.compile(&()).is_err());
}

/// A zone with so many delegations of each of these numbers of labels.
fn deep(serial: u32, depths: RangeInclusive<usize>, times: usize) -> String {
    let mut text = format!("$TTL 60\n@ SOA ns.void. h.void. {serial} 2 3 4 5\n@ NS ns.void.\n");
    for labels in depths {
        for number in 0..times {
            let name = vec![format!("x{labels}n{number}"); labels].join(".");
            text += &format!("{name} NS ns.void.\n");
        }
    }
    text
}

/// Names of more numbers of labels than the program looks for, and which of
/// them it does changes with a zone that has changed.
#[test]
fn names_that_were_not_looked_for_are_found_when_they_are() {
    let folder = Folder::new();
    let choice = folder.choice(&["test.", "example."]);
    folder.write("0", &deep(1, 1..=20, 1));
    folder.write("1", &deep(1, 1..=10, 3));
    let before = compile(&choice);
    folder.write("1", &deep(2, 8..=20, 3));
    let after = next(&choice, &before, &choice);
    assert_eq!(taken(&before, &after), [false, false]);
    assert_as_from_scratch(&after, &choice);
    // What does not change this may be taken over.
    folder.write("1", &deep(3, 8..=20, 4));
    let again = next(&choice, &after, &choice);
    assert_eq!(taken(&after, &again), [true, false]);
    assert_as_from_scratch(&again, &choice);
}

#[test]
fn records_are_taken_over_too_where_they_are_kept() {
    let folder = Folder::new();
    let choice = folder.choice(&["test.", "example."]);
    folder.write("0", &large(1, 3));
    folder.write("1", &large(1, 3));
    let before = compile(&choice);
    folder.write("1", &large(2, 3));
    let after = next(&choice, &before, &choice);
    let serials: Vec<u32> = after.zones.records().map(|zone| zone.serial()).collect();
    assert_eq!(serials, [1, 2]);
    let mut forgetful = before;
    forgetful.zones.forget_records();
    let after = next(&choice, &forgetful, &choice);
    let serials: Vec<u32> = after.zones.records().map(|zone| zone.serial()).collect();
    assert_eq!(serials, [2]);
}

/// What is warned of by the clock is looked at again.
#[test]
fn a_zone_whose_signatures_are_about_to_expire_is_read_each_time() {
    let folder = Folder::new();
    let choice = folder.choice(&["test."]);
    let signed = |expires: &str| {
        format!(
            "$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n@ DNSKEY 257 3 13 AAAA\n\
             @ RRSIG SOA 13 1 60 {expires} 20200101000000 1 test. AAAA\n\
             @ NSEC a NS SOA RRSIG NSEC DNSKEY\na NS ns.void.\na NS ns2.void.\na DS 1 13 2 00\n\
             a RRSIG DS 13 2 60 {expires} 20200101000000 1 test. AAAA\n"
        )
    };
    for (expires, is_taken, warnings) in [("20900101000000", true, 0), ("20210101000000", false, 1)]
    {
        folder.write("0", &signed(expires));
        let before = compile(&choice);
        assert_eq!(before.zones.warnings().len(), warnings);
        let after = next(&choice, &before, &choice);
        assert_eq!(taken(&before, &after), [is_taken], "{expires}");
    }
}
