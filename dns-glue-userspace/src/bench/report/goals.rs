//! What dns-glue sets out to reach. All of it are ratios within one run: times
//! depend on the machine.

use super::evidence::{Evidence, maps, maps_and_daemon, ratio, served};
use crate::bench::names;
use crate::bench::results::{Goal, Measurement, Verdict, ZoneWork, contender};
use crate::bench::workload::tld::UNIFORM;
use crate::bench::workload::zone::{
    MISSES, RANDOM_NAMES, RANDOM_NAMES_DO, REFERRALS, REFERRALS_DO,
};
use crate::compare::Server;

/// Sizes of TLDs that goals are about, in delegations.
const LARGE: [u64; 2] = [1_000_000, 10_000_000];
/// What goals call a referral that no body kept for another helps.
const RANDOM_REFERRAL: &str = "a referral for a random name";
/// What a flood may take from the rate, for the noise of the measurement.
const FULL_RATE: f64 = 0.95;

/// Where a number has to be.
#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
}

impl Bound {
    fn holds(self, number: f64) -> bool {
        match self {
            Self::AtMost(bound) => number <= bound,
            Self::AtLeast(bound) => number >= bound,
            Self::Below(bound) => number < bound,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(bound) => format!("at most {bound}"),
            Self::AtLeast(bound) => format!("at least {bound}"),
            Self::Below(bound) => format!("below {bound}"),
        }
    }
}

/// All goals, with what the evidence says of each.
#[must_use]
pub fn judge(evidence: Evidence<'_>) -> Vec<Goal> {
    let mut goals = against_reflectors(evidence);
    goals.extend(of_misses(evidence));
    goals.extend(of_rates(evidence));
    goals.extend(against_servers(evidence));
    goals.extend(of_floods(evidence));
    goals.extend(of_size(evidence));
    goals.extend(of_zone_work(evidence));
    goals
}

fn goal(what: impl Into<String>, bound: Bound, number: Option<f64>) -> Goal {
    let number = number.filter(|number| number.is_finite());
    let verdict = match number {
        None => Verdict::NotMeasured,
        Some(number) if bound.holds(number) => Verdict::Met,
        Some(_) => Verdict::NotMet,
    };
    Goal {
        what: what.into(),
        bound: bound.text(),
        number,
        verdict,
    }
}

fn against_reflectors(evidence: Evidence<'_>) -> Vec<Goal> {
    let root = |what: &str| names::workload(names::ROOT, what);
    let over_growing =
        |workload: &str| evidence.core_time(contender::DNS_GLUE, contender::GROWING, workload);
    let mut goals = Vec::new();
    for (plain, dnssec, of) in [
        (REFERRALS, REFERRALS_DO, "a referral of the root zone"),
        (RANDOM_NAMES, RANDOM_NAMES_DO, RANDOM_REFERRAL),
    ] {
        goals.push(goal(
            format!("core time of {of}, to the growing reflector's"),
            Bound::AtMost(2.5),
            over_growing(&root(plain)),
        ));
        goals.push(goal(
            format!("core time of {of} with DO, to the growing reflector's"),
            Bound::AtMost(3.0),
            over_growing(&root(dnssec)),
        ));
    }
    goals
}

/// A miss on frames in memory is held against a program on the same frames, one
/// beside a server, whose caches are the server's, against a program beside the
/// same server.
fn of_misses(evidence: Evidence<'_>) -> [Goal; 2] {
    let mut cases = evidence.cases.iter();
    let miss = cases.find(|case| case.name.starts_with("miss"));
    let misses = names::workload(names::ROOT, MISSES);
    let beside_knot = ratio(
        evidence.program_ns(contender::DNS_GLUE_BEFORE_KNOT, &misses),
        evidence.program_ns(contender::PASSING_BEFORE_KNOT, &misses),
    );
    [
        goal(
            "time of the program for a miss on frames in memory, to the bare reflector's",
            Bound::AtMost(1.5),
            miss.and_then(|case| case.over_bare),
        ),
        goal(
            "time of the program for a miss before Knot, to that of one that only passes",
            Bound::AtMost(1.5),
            beside_knot,
        ),
    ]
}

/// Replies a second, which the counting of replies has a part in, and the same
/// without it.
fn of_rates(evidence: Evidence<'_>) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (workload, of) in [
        (REFERRALS, "referrals"),
        (RANDOM_NAMES, "referrals for random names"),
    ] {
        let workload = names::workload(names::ROOT, workload);
        let observed = |contender| evidence.saturated_rate(contender, &workload);
        let core_time = evidence.core_time(contender::GROWING, contender::DNS_GLUE, &workload);
        goals.push(goal(
            format!(
                "{of} per second, observed with both cores saturated, to the growing reflector's \
                 replies"
            ),
            Bound::AtLeast(0.65),
            ratio(observed(contender::DNS_GLUE), observed(contender::GROWING)),
        ));
        goals.push(goal(
            format!("{of} per second of core time, to the growing reflector's replies"),
            Bound::AtLeast(0.65),
            core_time,
        ));
    }
    goals
}

fn against_servers(evidence: Evidence<'_>) -> Vec<Goal> {
    let servers = [
        (contender::NSD, 20.0),
        (contender::KNOT, 20.0),
        (contender::KNOT_XDP, 12.0),
    ];
    let mut goals = Vec::new();
    for (workload, of) in [(REFERRALS, "a referral"), (RANDOM_NAMES, RANDOM_REFERRAL)] {
        let workload = names::workload(names::ROOT, workload);
        goals.extend(servers.map(|(server, bound)| {
            goal(
                format!("core time of {of} by {server}, to that by dns-glue"),
                Bound::AtLeast(bound),
                evidence.core_time(server, contender::DNS_GLUE, &workload),
            )
        }));
    }
    goals
}

/// dns-glue with nobody and with Knot behind it.
fn of_floods(evidence: Evidence<'_>) -> Vec<Goal> {
    let workload = names::workload(names::ROOT, REFERRALS);
    let ours = [contender::DNS_GLUE, contender::DNS_GLUE_BEFORE_KNOT];
    let of = |name| {
        let measurement = evidence.measurement(name, &workload);
        goal(
            format!("referrals per second by {name} in a flood, to the most that it gives else"),
            Bound::AtLeast(FULL_RATE),
            measurement.and_then(Measurement::withstands),
        )
    };
    ours.map(of).into()
}

fn of_size(evidence: Evidence<'_>) -> Vec<Goal> {
    let largest = names::workload(&names::tld(10_000_000), UNIFORM);
    let root = names::workload(names::ROOT, REFERRALS);
    let of = |workload: &str| {
        let measurement = evidence.measurement(contender::DNS_GLUE, workload)?;
        Some(measurement.core_ns_per_reply.median)
    };
    vec![goal(
        "core time of a referral at 10 M delegations, evenly asked for, to that of the root zone",
        Bound::AtMost(2.0),
        ratio(of(&largest), of(&root)),
    )]
}

fn of_zone_work(evidence: Evidence<'_>) -> Vec<Goal> {
    let mut goals = Vec::new();
    for delegations in LARGE {
        let zone = names::tld(delegations);
        let ours = evidence.work(contender::DNS_GLUE, &zone);
        let knot = evidence.work(&Server::Knot.to_string(), &zone);
        goals.extend(memory(ours).map(|(what, octets)| {
            goal(
                format!("{what}, {zone}, to what Knot takes"),
                Bound::AtMost(0.25),
                ratio(octets, knot.and_then(served)),
            )
        }));
        let ready = |work: &ZoneWork| Some(work.ready_seconds.median);
        goals.push(goal(
            format!("time to compile and load, {zone}, to that of the fastest server"),
            Bound::Below(1.0),
            ratio(ours.and_then(ready), evidence.least(&zone, ready)),
        ));
        let cpu = |work: &ZoneWork| Some(work.cpu_seconds.median);
        goals.push(goal(
            format!("processor time of that, {zone}, to that of the thriftiest server"),
            Bound::Below(1.0),
            ratio(ours.and_then(cpu), evidence.least(&zone, cpu)),
        ));
        let peak = ours.map(|one| one.peak_octets as f64);
        goals.push(goal(
            format!("peak memory of the daemon, {zone}, to the zone file"),
            Bound::AtMost(3.0),
            ratio(peak, ours.map(|one| one.file_octets as f64)),
        ));
    }
    let zone = names::opt_out_tld(LARGE[0]);
    let ours = evidence.work(contender::DNS_GLUE, &zone);
    goals.extend(memory(ours).map(|(what, octets)| {
        goal(
            format!("{what}, {zone}, to the least that a server takes"),
            Bound::AtMost(0.5),
            ratio(octets, evidence.least(&zone, served)),
        )
    }));
    goals
}

/// What dns-glue takes to serve, in words and octets.
fn memory(ours: Option<&ZoneWork>) -> [(&'static str, Option<f64>); 2] {
    [
        ("map memory", maps(ours)),
        ("map memory and that of the daemon", maps_and_daemon(ours)),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    /// The number and the verdict of the goal that begins so.
    fn found(goals: &[Goal], start: &str) -> (Option<f64>, Verdict) {
        let goal = goals.iter().find(|goal| goal.what.starts_with(start));
        let goal = goal.unwrap_or_else(|| panic!("no goal {start}"));
        (goal.number, goal.verdict)
    }

    #[test]
    fn goals_are_met_not_met_or_not_measured() {
        let goals = example::run().goals;
        for (start, number, verdict) in [
            (
                "core time of a referral of the root zone, ",
                Some(2.0),
                Verdict::Met,
            ),
            (
                "core time of a referral of the root zone with",
                None,
                Verdict::NotMeasured,
            ),
            (
                "time of the program for a miss before Knot",
                None,
                Verdict::NotMeasured,
            ),
            (
                "time of the program for a miss on frames",
                Some(2.0),
                Verdict::NotMet,
            ),
            ("referrals per second, ", Some(0.5), Verdict::NotMet),
            ("referrals per second of core", Some(0.5), Verdict::NotMet),
            (
                "referrals per second by dns-glue in a flood",
                Some(0.75),
                Verdict::NotMet,
            ),
            (
                "referrals per second by dns-glue+knot in a flood",
                None,
                Verdict::NotMeasured,
            ),
            (
                "core time of a referral by nsd, to",
                Some(12.5),
                Verdict::NotMet,
            ),
            (
                "core time of a referral by knot, to",
                Some(25.0),
                Verdict::Met,
            ),
            (
                "core time of a referral by knot-xdp, to",
                None,
                Verdict::NotMeasured,
            ),
            (
                "core time of a referral for a random name, ",
                Some(4.0),
                Verdict::NotMet,
            ),
            (
                "core time of a referral for a random name by nsd",
                Some(6.25),
                Verdict::NotMet,
            ),
            (
                "referrals for random names per second, ",
                Some(0.25),
                Verdict::NotMet,
            ),
            ("map memory, TLD 1 M, to", Some(0.1), Verdict::Met),
            (
                "map memory and that of the daemon, TLD 1 M, to",
                Some(0.125),
                Verdict::Met,
            ),
            ("time to compile and load, TLD 1 M", Some(0.5), Verdict::Met),
            (
                "processor time of that, TLD 1 M",
                Some(1.0),
                Verdict::NotMet,
            ),
            (
                "peak memory of the daemon, TLD 1 M",
                Some(3.5),
                Verdict::NotMet,
            ),
            (
                "peak memory of the daemon, TLD 10 M",
                None,
                Verdict::NotMeasured,
            ),
            ("map memory, TLD 1 M opt-out", None, Verdict::NotMeasured),
        ] {
            assert_eq!(found(&goals, start), (number, verdict), "{start}");
        }
    }

    #[test]
    fn the_size_of_a_zone_is_held_against_the_root() {
        let measurements = [
            example::measurement(contender::DNS_GLUE, "root, referrals", 300.0),
            example::measurement(contender::DNS_GLUE, "TLD 10 M, uniform", 900.0),
            example::measurement(contender::DNS_GLUE_BEFORE_KNOT, "root, misses", 200.0),
            example::measurement(contender::PASSING_BEFORE_KNOT, "root, misses", 150.0),
        ];
        let goals = judge(Evidence {
            measurements: &measurements,
            zone_work: &[],
            cases: &[],
        });
        let large = found(&goals, "core time of a referral at 10 M");
        assert_eq!(large, (Some(3.0), Verdict::NotMet));
        let miss = found(&goals, "time of the program for a miss before Knot");
        assert_eq!(miss.1, Verdict::Met);
        assert!(miss.0.is_some_and(|ratio| (ratio - 4.0 / 3.0).abs() < 1e-9));
    }

    #[test]
    fn rates_count_when_they_are_of_the_contender() {
        let measured = |ours: Measurement| {
            let growing = example::measurement(contender::GROWING, "root, referrals", 200.0);
            let goals = judge(Evidence {
                measurements: &[growing, ours],
                zone_work: &[],
                cases: &[],
            });
            [
                "referrals per second, ",
                "referrals per second by dns-glue in",
            ]
            .map(|start| found(&goals, start).0)
        };
        let ours = example::measurement(contender::DNS_GLUE, "root, referrals", 400.0);
        assert_eq!(measured(ours.clone()), [Some(0.5), Some(0.75)]);
        // More came than found a place: the rest of the core did other work.
        let mut beside = ours.clone();
        beside.core_utilisation.median = 0.94;
        assert_eq!(measured(beside.clone()), [Some(0.5), Some(0.75)]);
        // The client could not send more.
        let mut idle = beside;
        idle.losses.before = 0;
        idle.lossless_is_least = true;
        assert_eq!(measured(idle), [None, None]);
        let mut spared = ours;
        if let Some(flood) = &mut spared.flood {
            flood.queries_per_second = spared.replies_per_second.median * 1.05;
        }
        assert_eq!(measured(spared)[1], None);
    }

    #[test]
    fn a_bound_itself_is_reached_unless_it_is_to_be_undercut() {
        assert!(Bound::AtMost(2.0).holds(2.0));
        assert!(Bound::AtLeast(2.0).holds(2.0));
        assert!(!Bound::Below(2.0).holds(2.0));
        assert_eq!(goal("x", Bound::AtMost(1.0), Some(f64::NAN)).number, None);
    }
}
