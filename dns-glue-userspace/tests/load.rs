//! The client of the measurements: every query that it sends is accounted for,
//! and every reply that comes back is a reply.

mod program_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dns_glue::bench::contender::Contender;
use dns_glue::bench::contest::Contest;
use dns_glue::bench::failures::Failures;
use dns_glue::bench::load::messages;
use dns_glue::bench::load::programs::{Rate, Reflector};
use dns_glue::bench::load::queries::PreparedQueries;
use dns_glue::bench::measure::Plan;
use dns_glue::bench::results::Measurement;
use dns_glue::bench::round::Round;
use dns_glue::bench::site::Serving;
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::source::{self, ZoneSource};
use program_support::is_root;

const TURN: Duration = Duration::from_millis(100);

/// Held by the test that has a contest: its client is called after the process.
static CONTEST: Mutex<()> = Mutex::new(());

/// Lets no other test have a contest meanwhile; `None` if there can be none.
fn alone() -> Option<MutexGuard<'static, ()>> {
    if !is_root() {
        eprintln!("skipped: network namespaces and XDP need root");
        return None;
    }
    Some(CONTEST.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What was sent came back, or was lost at one of the two ends, which count it.
#[track_caller]
fn assert_whole(round: &Round, what: &str) {
    let wire = &round.wire;
    assert!(round.queries > 100, "{what}: {round:?}");
    assert_eq!(
        round.queries,
        wire.sent + wire.lost_before,
        "{what}: {round:?}"
    );
    assert_eq!(wire.sent, wire.received, "{what}: {round:?}");
    assert_eq!(
        wire.received,
        round.replies() + wire.lost_behind,
        "{what}: {round:?}"
    );
}

/// The example zone, and queries for it that the kernel answers.
fn zone_and_queries() -> (ZoneSource, PreparedQueries) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/example-signed.zone");
    let zone: ZoneSource = format!("signed.example={}", file.display())
        .parse()
        .expect("a zone argument");
    let zones = [source::load(&zone).expect("the zone is good")];
    let cuts = find_cuts(&zones, &[]);
    let messages = messages::queries(&zones[0], &cuts, 0, true).expect("names are short");
    // Which of them the kernel answers is the matter of other tests.
    let answered: Vec<&[u8]> = messages
        .iter()
        .map(Vec::as_slice)
        .filter(|message| kernel_answers(&zones, message))
        .collect();
    let queries = PreparedQueries::new(answered.iter().copied()).expect("there are some");
    (zone, queries)
}

fn folder(test: &str) -> Folder {
    let name = format!("dns-glue-load-{test}-{}", std::process::id());
    Folder(std::env::temp_dir().join(name))
}

fn serving<'a>(zones: &'a [ZoneSource], folder: &'a Folder) -> Serving<'a> {
    let binary = Path::new(env!("CARGO_BIN_EXE_dns-glue"));
    Serving {
        zones,
        max_udp: 1232,
        folder: &folder.0,
        binaries: binary.parent().expect("a folder"),
        processor: 0,
    }
}

/// Kills the process that was started with a path in this folder.
fn kill_process_of(folder: &Folder) {
    let is_its = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*folder.0.to_string_lossy())
    };
    let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found: Vec<u32> = ids.filter(is_its).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    // SAFETY: a plain system call.
    let result = unsafe { libc::kill(found[0].cast_signed(), libc::SIGKILL) };
    assert_eq!(result, 0);
}

#[test]
fn who_is_dead_is_a_failure_and_the_others_go_on() {
    let Some(_alone) = alone() else {
        return;
    };
    let (zone, queries) = zone_and_queries();
    let (zones, folder) = ([zone], folder("dead"));
    let contenders = [Contender::DnsGlue, Contender::Reflector(Reflector::Bare)];
    let mut failures = Failures::default();
    let contest = Contest::start(&contenders, &serving(&zones, &folder), 0, &mut failures);
    let mut contest = contest.expect("there can be a client");
    kill_process_of(&folder);
    let plan = Plan {
        rounds: 1,
        turn: TURN,
    };
    let measured = contest.hold("all", &queries, &plan, &mut failures);
    let measured = measured.expect("the reflector can be asked");
    let names: Vec<&str> = measured.iter().map(|one| one.contender.as_str()).collect();
    assert_eq!(names, ["reflector"]);
    let failures = failures.all().iter();
    let failures: Vec<_> = failures
        .map(|one| [&one.contender, &one.what, &one.error].map(String::as_str))
        .collect();
    let expected = ["dns-glue", "all", "dns-glue: it ended: signal 9"];
    assert_eq!(failures, [expected]);
    // Numbers that are none could not be read again.
    let json = serde_json::to_string(&measured).expect("it can be written");
    serde_json::from_str::<Vec<Measurement>>(&json).expect("it can be read");
}

#[test]
fn every_query_is_accounted_for() {
    let Some(_alone) = alone() else {
        return;
    };
    let (zone, queries) = zone_and_queries();
    let (zones, folder) = ([zone], folder("counts"));
    let contenders = [
        Contender::Reflector(Reflector::Bare),
        Contender::Reflector(Reflector::Growing),
        Contender::DnsGlue,
        Contender::Reflector(Reflector::Reading(1)),
        Contender::Reflector(Reflector::Reading(3)),
    ];
    // The same processor: no more is sent than can be answered.
    let mut failures = Failures::default();
    let contest = Contest::start(&contenders, &serving(&zones, &folder), 0, &mut failures);
    let contest = contest.expect("there can be a client");
    assert!(failures.all().is_empty(), "{failures:?}");
    let mut asker = contest.asker(&queries).expect("the client's programs load");
    for site in contest.sites() {
        for rate in [Rate::Paced(20_000.0), Rate::Unlimited] {
            let what = format!("{} {rate:?}", site.contender());
            let before = site
                .daemon()
                .map(|daemon| daemon.counters().unwrap().answered());
            let round = asker.ask(site, rate, TURN).expect(&what);
            assert_whole(&round, &what);
            let rcodes = &round.returned.rcodes;
            let Some(daemon) = site.daemon() else {
                assert_eq!(rcodes.iter().sum::<u64>(), 0, "{what}: {round:?}");
                continue;
            };
            assert_eq!(rcodes[0], round.replies(), "{what}: {round:?}");
            assert_eq!(round.returned.reflected, 0, "{what}: {round:?}");
            let after = daemon.counters().unwrap().answered();
            assert_eq!(
                before.map(|before| after - before),
                Some(round.wire.received),
                "{what}"
            );
        }
    }
}

fn kernel_answers(zones: &[dns_glue::zone::records::Zone], message: &[u8]) -> bool {
    let cuts = find_cuts(zones, &[]);
    let compilation = dns_glue::compile::compile(zones, &cuts, &()).expect("it compiles");
    let policy = dns_glue_common::policy::Policy::DEFAULT;
    dns_glue::host::answer(&compilation.generation, &policy, message).is_ok()
}
