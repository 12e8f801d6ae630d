//! A made-up run.

use std::collections::BTreeMap;

use super::evidence::Evidence;
use super::goals::judge;
use crate::bench::results::{
    Asked, Circumstances, Failure, Flood, Latency, LeftOut, Losses, Machine, Measurement, Phase,
    ProgramCase, Repeated, Run, Spread, ZoneWork, contender,
};

const MEBIOCTET: u64 = 1 << 20;

fn spread(median: f64, around: f64) -> Spread {
    Spread {
        median,
        min: median * (1.0 - around),
        max: median * (1.0 + around),
    }
}

/// A contender that takes so many nanoseconds of a core for a reply.
pub fn measurement(name: &str, workload: &str, core_ns: f64) -> Measurement {
    let is_server = core_ns > 1000.0;
    let rcodes: &[(&str, u64)] = match is_server {
        true => &[("NOERROR", 90), ("SERVFAIL", 10)],
        false => &[("NOERROR", 100)],
    };
    let rcodes = rcodes
        .iter()
        .map(|(name, replies)| ((*name).to_owned(), *replies));
    Measurement {
        contender: name.into(),
        workload: workload.into(),
        asked: match is_server {
            true => Asked::NearLossless,
            false => Asked::AsFastAsCanBe,
        },
        replies_per_second: spread(0.8e9 / core_ns, 0.1),
        core_utilisation: spread(if is_server { 0.7 } else { 0.96 }, 0.0),
        core_stolen: if is_server { 0.02 } else { 0.0 },
        lossless_rate: Some(0.75e9 / core_ns),
        lossless_is_least: false,
        core_ns_per_reply: spread(core_ns, 0.1),
        core_ns_by_round: vec![core_ns, core_ns * 0.9, core_ns * 1.1],
        program_ns: (!is_server).then(|| spread(core_ns / 2.0, 0.0)),
        empty_program_ns: (!is_server).then_some(20.0),
        rcodes: rcodes.collect::<BTreeMap<_, _>>(),
        truncated: if is_server { 5 } else { 0 },
        reply_octets_mean: 400.0,
        latency: Some(Latency {
            p50_us: 40.0,
            p99_us: 90.0,
        }),
        flood: Some(Flood {
            queries_per_second: 1e9,
            replies_per_second: if is_server { 1e4 } else { 0.6e9 / core_ns },
        }),
        losses: Losses {
            queries: 1_000_000,
            before: if is_server { 100 } else { 500_000 },
            behind: 0,
            unanswered: if is_server { 400 } else { 0 },
        },
        repeated: Repeated {
            rounds: u64::from(is_server),
            worst_loss: if is_server { 0.05 } else { 0.0 },
            slower: 0,
        },
        unanswered: if is_server { 0.0004 } else { 0.0 },
        socket_drops: if is_server { 7 } else { 0 },
        copies_frames: None,
    }
}

fn work(name: &str, ready: f64, served: u64, maps: Option<u64>) -> ZoneWork {
    ZoneWork {
        contender: name.into(),
        zone: "TLD 1 M".into(),
        delegations: 1_000_000,
        file_octets: 100 * MEBIOCTET,
        ready_seconds: spread(ready, 0.25),
        cpu_seconds: spread(3.0, 0.0),
        peak_octets: (served + 100) * MEBIOCTET,
        served_octets: Some(served * MEBIOCTET),
        map_octets: maps.map(|maps| maps * MEBIOCTET),
        phases: Vec::new(),
        reload_seconds: Some(spread(5.0, 0.0)),
        reload_peak_octets: Some((served + 300) * MEBIOCTET),
        restart_seconds: Some(spread(6.0, 0.0)),
    }
}

/// A run in which some goals are met, some not, and some not measured.
pub fn run() -> Run {
    let measurements = [
        (contender::BARE, 100.0),
        (contender::GROWING, 200.0),
        (contender::DNS_GLUE, 400.0),
        (contender::NSD, 5000.0),
        (contender::KNOT, 10_000.0),
    ];
    let mut measurements: Vec<Measurement> = measurements
        .iter()
        .map(|(name, ns)| measurement(name, "root, referrals", *ns))
        .collect();
    measurements.extend([
        measurement(contender::GROWING, "root, random names", 200.0),
        measurement(contender::DNS_GLUE, "root, random names", 800.0),
        measurement(contender::NSD, "root, random names", 5000.0),
    ]);
    let mut ours = work(contender::DNS_GLUE, 2.0, 20, Some(80));
    ours.peak_octets = 350 * MEBIOCTET;
    ours.phases = vec![Phase {
        name: "compiling".into(),
        seconds: 1.5,
    }];
    let zone_work = vec![ours, work("Knot", 4.0, 800, None)];
    let cases = vec![ProgramCase {
        name: "miss: no delegation".into(),
        ns: 30.0,
        over_bare: Some(2.0),
        over_growing: Some(1.0),
    }];
    let goals = judge(Evidence {
        measurements: &measurements,
        zone_work: &zone_work,
        cases: &cases,
    });
    Run {
        machine: Machine {
            cpu: "Made-up CPU".into(),
            cores: 2,
            memory_octets: 1024 * MEBIOCTET,
            kernel: "6.18.0".into(),
            knot: Some("3.2.6".into()),
            nsd: Some("4.6.1".into()),
            bind: None,
        },
        circumstances: Circumstances {
            commit: Some("0123abcd".into()),
            date: "2026-01-02T03:04:05Z".into(),
            options: vec!["--quick".into()],
            seed: 1,
            rounds: 3,
            contenders: vec![contender::DNS_GLUE.into()],
            jit: Some(1),
            jit_harden: Some(0),
            mitigations: vec!["spectre_v2: Mitigation: IBRS".into()],
            load_before: 0.25,
            load_after: 1.5,
            stolen_share: 0.02,
        },
        measurements,
        zone_work,
        cases,
        goals,
        failures: vec![Failure {
            contender: contender::KNOT_XDP.into(),
            what: "root, referrals".into(),
            error: "it does not start".into(),
        }],
        left_out: vec![LeftOut {
            what: "BIND, what a zone takes".into(),
            why: "it is not installed".into(),
        }],
    }
}
