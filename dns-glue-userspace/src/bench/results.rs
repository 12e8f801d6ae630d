//! What was measured, as it is written to `bench.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The names of contenders under load that goals and ratios are about.
pub mod contender {
    /// Swaps addresses and sends the frame back: no program that answers can
    /// do less.
    pub const BARE: &str = "reflector";
    /// The same, and grows the frame by 64 octets.
    pub const GROWING: &str = "growing-reflector";
    /// Sends each frame back with as many octets behind it as a referral has,
    /// copied as a kept body is.
    pub const WRITING: &str = "writing-reflector";
    /// Reads a cache line of an array as large as the maps of dns-glue, and
    /// sends the frame back with that behind it.
    pub const READING_ONE: &str = "reading-reflector-1";
    /// The same with a second line, which the first leads to.
    pub const READING_TWO: &str = "reading-reflector-2";
    /// The same with a third.
    pub const READING_THREE: &str = "reading-reflector-3";
    /// dns-glue, with nothing behind it that answers.
    pub const DNS_GLUE: &str = "dns-glue";
    /// dns-glue with knotd behind it.
    pub const DNS_GLUE_BEFORE_KNOT: &str = "dns-glue+knot";
    /// A program that only passes, with knotd behind it.
    pub const PASSING_BEFORE_KNOT: &str = "pass+knot";
    /// knotd over sockets.
    pub const KNOT: &str = "knot";
    /// knotd with its own XDP sockets.
    pub const KNOT_XDP: &str = "knot-xdp";
    /// nsd over sockets.
    pub const NSD: &str = "nsd";
}

/// Values of several rounds of one measurement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The one in the middle; of an even number the mean of the two there.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// The spread of the values, which are sorted by it; `None` if there are
    /// none, or one is not finite: JSON has no such numbers.
    pub fn of(values: &mut [f64]) -> Option<Self> {
        if !values.iter().all(|value| value.is_finite()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self {
            median: lower.midpoint(upper),
            min,
            max,
        })
    }
}

/// How long replies take, from the query's departure to the reply's arrival.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the replies take no longer; microseconds.
    pub p50_us: f64,
    /// 99 of 100 replies take no longer; microseconds.
    pub p99_us: f64,
}

/// How much a contender was asked while its time was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// As fast as the client can: those in the kernel, which do best when there
    /// is always another packet.
    AsFastAsCanBe,
    /// 0.95 of the highest rate without loss: those with a server.
    NearLossless,
}

/// What becomes of replies when as much is asked as can be; medians of rounds.
/// Replies that come when nothing is asked any more do not count, those that got
/// lost behind the contender do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flood {
    /// Queries a second.
    pub queries_per_second: f64,
    /// Replies a second.
    pub replies_per_second: f64,
}

/// Queries of all rounds that count, and what became of those without a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Queries made.
    pub queries: u64,
    /// Found no place on the way to the contender. Where as much is asked as can
    /// be, this is what was too much.
    pub before: u64,
    /// Sent back by the contender's program, and found no place on that way.
    pub behind: u64,
    /// Arrived, and got no reply.
    pub unanswered: u64,
}

impl Losses {
    /// The share of the queries that did not come back.
    pub fn share(&self) -> f64 {
        let lost = self.before + self.behind + self.unanswered;
        lost as f64 / self.queries as f64
    }
}

/// Rounds that do not count, because too much got lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Repeated {
    /// How many.
    pub rounds: u64,
    /// The share of the queries that got lost, in the worst of them.
    pub worst_loss: f64,
    /// How often the rate was lowered by a tenth, and all rounds asked again.
    pub slower: u64,
}

/// One contender under one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Who answers: one of [`contender`], or another name.
    pub contender: String,
    /// What is asked: the name of a workload.
    pub workload: String,
    /// How much it was asked for the numbers that follow.
    pub asked: Asked,
    /// Replies per second, as observed at that rate. The replies are counted on
    /// the contender's core.
    pub replies_per_second: Spread,
    /// The part of the time in which that core worked for the contender or
    /// counted its replies: 1 if it is saturated.
    pub core_utilisation: Spread,
    /// The part of the time that the host of a virtual machine took from it.
    pub core_stolen: f64,
    /// The highest rate of queries, per second, at which less than one in a
    /// thousand is lost.
    pub lossless_rate: Option<f64>,
    /// Whether that is what the client can send at most, so that the contender
    /// may bear more.
    pub lossless_is_least: bool,
    /// Time of a core for each reply, everything counted but the making of
    /// queries and the counting of replies: driver, program, stack and server;
    /// nanoseconds.
    pub core_ns_per_reply: Spread,
    /// The same, by round: contenders had their turns of a round one after the
    /// other.
    pub core_ns_by_round: Vec<f64>,
    /// Time of the XDP program alone for each frame, as the kernel counts it,
    /// without what it counts for a program that does nothing; nanoseconds.
    pub program_ns: Option<Spread>,
    /// What it counts for that; nanoseconds.
    pub empty_program_ns: Option<f64>,
    /// Replies by RCODE (`NOERROR`, `NXDOMAIN`).
    pub rcodes: BTreeMap<String, u64>,
    /// Replies with TC=1.
    pub truncated: u64,
    /// Mean octets of the frame of a reply.
    pub reply_octets_mean: f64,
    /// How long replies take at 5000 queries a second and without moderation,
    /// whoever is asked.
    pub latency: Option<Latency>,
    /// What becomes of it in a flood.
    pub flood: Option<Flood>,
    /// What got lost in the rounds that count.
    pub losses: Losses,
    /// What was measured in vain.
    pub repeated: Repeated,
    /// Queries that arrived and were not answered, as a share of those that
    /// arrived, in the worst round.
    pub unanswered: f64,
    /// Queries of these rounds that found no room in the buffer of a socket
    /// (`RcvbufErrors`).
    pub socket_drops: u64,
    /// Whether the frames of `AF_XDP` sockets are copied; `None` of those that
    /// have no such sockets.
    pub copies_frames: Option<bool>,
}

/// A core that is used to this part is saturated.
const SATURATED: f64 = 0.95;
/// And one that is used to this part when more came than found a place: the
/// kernel keeps a twentieth of a core for other work of the machine.
const SATURATED_BESIDE_WORK: f64 = 0.9;
/// So much of the queries has to find no place then.
const OVERFLOW: f64 = 0.01;
/// More than this part of a rate that a contender carries is more than it can
/// carry.
const FLOODED: f64 = 1.1;

impl Measurement {
    /// Whether its core had no time to spare.
    pub fn is_saturated(&self) -> bool {
        let Losses {
            queries, before, ..
        } = self.losses;
        let overflows = before as f64 > queries as f64 * OVERFLOW;
        let used = self.core_utilisation.median;
        used >= SATURATED || overflows && used >= SATURATED_BESIDE_WORK
    }

    /// Core time of a reply as a part of what `base` takes: of each round, the
    /// middle of all, since a machine that changes its speed does so for all
    /// that have their turn then.
    pub fn core_time_to(&self, base: &Self) -> Option<f64> {
        let rounds = self.core_ns_by_round.iter().zip(&base.core_ns_by_round);
        let mut ratios: Vec<f64> = rounds.map(|(ours, base)| ours / base).collect();
        Spread::of(&mut ratios).map(|spread| spread.median)
    }

    /// Replies a second if a core did nothing else: what its time comes to.
    pub fn replies_per_core_second(&self) -> f64 {
        1e9 / self.core_ns_per_reply.median
    }

    /// Replies a second in a flood as a part of the most that it was seen to
    /// give: without loss, or in the rounds that count. `None` if more than that
    /// could not be asked, or not be found.
    pub fn withstands(&self) -> Option<f64> {
        let (flood, lossless) = (self.flood?, self.lossless_rate?);
        let most = lossless.max(self.replies_per_second.median);
        let is_flood = flood.queries_per_second >= most * FLOODED;
        let is_known = is_flood && !self.lossless_is_least;
        is_known.then(|| flood.replies_per_second / most)
    }
}

/// What it takes to serve a zone: one program, one zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZoneWork {
    /// Who serves it: dns-glue, one of its commands, or a name server.
    pub contender: String,
    /// What the tables call the zone.
    pub zone: String,
    /// Its delegations.
    pub delegations: u64,
    /// Octets of its file.
    pub file_octets: u64,
    /// Seconds from the start of the process until the zone is served: the
    /// first answer over UDP; for dns-glue, the program on the interface.
    pub ready_seconds: Spread,
    /// Seconds of user and system time until then, of all its processes.
    pub cpu_seconds: Spread,
    /// Octets of memory at the peak until then (VmHWM), of the largest of its
    /// processes.
    pub peak_octets: u64,
    /// Octets of memory when the zone is served (PSS, what is shared counted
    /// once), of all its processes; memory of the kernel not included. `None`
    /// for a command that only compiles.
    pub served_octets: Option<u64>,
    /// Octets of the maps in the kernel, if it has any.
    pub map_octets: Option<u64>,
    /// Seconds of the parts of the work, if the program tells.
    pub phases: Vec<Phase>,
    /// Seconds from the command that tells a process of a changed file until a
    /// delegation that is new in it is answered.
    pub reload_seconds: Option<Spread>,
    /// Octets of memory at the peak when that is done, as `peak_octets`.
    pub reload_peak_octets: Option<u64>,
    /// Seconds from a changed file until a delegation that is new in it is
    /// answered, the process ended and started again in between.
    pub restart_seconds: Option<Spread>,
}

/// A part of the work on a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// What is done, in the program's own words.
    pub name: String,
    /// How long; seconds.
    pub seconds: f64,
}

/// The program alone on a frame in memory (`BPF_PROG_TEST_RUN`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramCase {
    /// Which query.
    pub name: String,
    /// How long a run takes, without what a program that does nothing takes;
    /// nanoseconds.
    pub ns: f64,
    /// Of the bare reflector's time; `None` if that is nothing.
    pub over_bare: Option<f64>,
    /// Of the growing reflector's time.
    pub over_growing: Option<f64>,
}

/// Where it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The model of the processor, as /proc/cpuinfo has it.
    pub cpu: String,
    /// Cores that are online.
    pub cores: u64,
    /// Octets of memory.
    pub memory_octets: u64,
    /// The release of the kernel.
    pub kernel: String,
    /// The version of Knot DNS, if it is there.
    pub knot: Option<String>,
    /// The version of NSD, if it is there.
    pub nsd: Option<String>,
    /// The version of BIND, if it is there.
    pub bind: Option<String>,
}

/// Of what a run is, and what the machine was like meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Circumstances {
    /// The commit of the sources; with `-dirty` if they differ from it.
    pub commit: Option<String>,
    /// When it began (RFC 3339).
    pub date: String,
    /// The options that it was started with, without folders.
    pub options: Vec<String>,
    /// What the choice of queries depends on.
    pub seed: u64,
    /// Rounds in which each contender has its turn under load.
    pub rounds: u64,
    /// Who takes part under load.
    pub contenders: Vec<String>,
    /// `net.core.bpf_jit_enable`, if the kernel tells.
    pub jit: Option<u64>,
    /// `net.core.bpf_jit_harden`, if the kernel tells.
    pub jit_harden: Option<u64>,
    /// The weaknesses of the processor, and what the kernel does about each.
    pub mitigations: Vec<String>,
    /// The load of the minute before it began.
    pub load_before: f64,
    /// The load of the minute before this was written.
    pub load_after: f64,
    /// Processor time that the host of a virtual machine took away, as a share
    /// of all of it.
    pub stolen_share: f64,
}

/// A contender that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Who.
    pub contender: String,
    /// Under which workload, or for which zone.
    pub what: String,
    /// Why.
    pub error: String,
}

/// What has no results though nothing failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Who or what, and of which zone if not of all.
    pub what: String,
    /// Why.
    pub why: String,
}

/// What dns-glue sets out to reach, and whether it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// What is compared, in words.
    pub what: String,
    /// The bound, in words: `at most 2.5`.
    pub bound: String,
    /// What was measured; `None` if it was not.
    pub number: Option<f64>,
    /// Whether the number is within the bound.
    pub verdict: Verdict,
}

/// The answer to a [`Goal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is reached.
    Met,
    /// It is not.
    NotMet,
    /// What it is about was not measured in this run.
    NotMeasured,
}

/// Everything of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Where.
    pub machine: Machine,
    /// Of what, and how the machine was.
    pub circumstances: Circumstances,
    /// Contenders under load.
    pub measurements: Vec<Measurement>,
    /// What zones take.
    pub zone_work: Vec<ZoneWork>,
    /// The program alone.
    pub cases: Vec<ProgramCase>,
    /// What was to be reached.
    pub goals: Vec<Goal>,
    /// Who could not be measured, and why.
    pub failures: Vec<Failure>,
    /// Who and what was not to be measured here, and why.
    pub left_out: Vec<LeftOut>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::contender::Contender;
    use crate::bench::load::programs::Reflector;
    use crate::bench::report::example;
    use crate::compare::Server;

    #[test]
    fn contenders_have_the_names_that_goals_ask_for() {
        for (contender, name) in [
            (Contender::Reflector(Reflector::Bare), contender::BARE),
            (Contender::Reflector(Reflector::Growing), contender::GROWING),
            (Contender::Reflector(Reflector::Writing), contender::WRITING),
            (
                Contender::Reflector(Reflector::Reading(1)),
                contender::READING_ONE,
            ),
            (
                Contender::Reflector(Reflector::Reading(2)),
                contender::READING_TWO,
            ),
            (
                Contender::Reflector(Reflector::Reading(3)),
                contender::READING_THREE,
            ),
            (Contender::DnsGlue, contender::DNS_GLUE),
            (
                Contender::DnsGlueBefore(Server::Knot),
                contender::DNS_GLUE_BEFORE_KNOT,
            ),
            (
                Contender::PassingBefore(Server::Knot),
                contender::PASSING_BEFORE_KNOT,
            ),
            (Contender::Server(Server::Knot), contender::KNOT),
            (Contender::KnotXdp, contender::KNOT_XDP),
            (Contender::Server(Server::Nsd), contender::NSD),
        ] {
            assert_eq!(contender.to_string(), name);
        }
    }

    /// By medians of all rounds it would be 2.
    #[test]
    fn times_of_the_same_round_are_compared() {
        let of = |rounds: &[f64]| Measurement {
            core_ns_by_round: rounds.to_vec(),
            ..example::measurement(contender::DNS_GLUE, "root, referrals", 1.0)
        };
        let (base, ours) = (of(&[100.0, 200.0, 200.0]), of(&[300.0, 600.0, 400.0]));
        assert_eq!(ours.core_time_to(&base), Some(3.0));
        assert_eq!(of(&[]).core_time_to(&base), None);
    }

    #[test]
    fn a_spread_has_the_value_in_the_middle() {
        let spread = |values: &[f64]| Spread::of(&mut values.to_vec());
        let of = |median, min, max| Some(Spread { median, min, max });
        assert_eq!(spread(&[]), None);
        for not_finite in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(spread(&[1.0, not_finite]), None);
        }
        assert_eq!(spread(&[2.0]), of(2.0, 2.0, 2.0));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), of(2.0, 1.0, 3.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), of(2.5, 1.0, 4.0));
    }
}
