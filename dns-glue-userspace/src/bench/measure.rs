//! From rounds to numbers.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dns_glue_common::traffic::latency_of;

use super::failures::Failures;
use super::load::programs::Rate;
use super::lossless;
use super::results::{Latency, Measurement, Spread};
use super::round::{Asker, Round};
use super::site::{Load, Site};
use crate::kernel::run_time::{Timing, timed_runs};

/// So often a turn is tried in which queries get lost for no known reason: other
/// work of the machine may have been in the way.
const ATTEMPTS: usize = 6;
/// A server is at its best a little below the highest rate without loss.
const BEST: f64 = 0.95;

/// How long to ask.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds in which each contender has its turn.
    pub rounds: usize,
    /// Length of a turn.
    pub turn: Duration,
    /// Whether to look for the highest rate without loss, also where it is not
    /// needed for anything else.
    pub lossless: bool,
}

/// Asks all sites in turns, so that what the machine does beside it meets all
/// alike. A contender that is gone or does not do what it should ([`Round`]) is
/// noted and left out from then on.
///
/// # Errors
///
/// A signal has come.
pub fn measure(
    asker: &mut Asker<'_>,
    sites: &[Site],
    workload: &str,
    plan: &Plan,
    failures: &mut Failures,
) -> Result<Vec<Measurement>> {
    let mut courses = Vec::new();
    for site in sites {
        let course = Course::prepare(asker, site, plan);
        courses.extend(failures.or_note(&site.contender().to_string(), workload, course)?);
    }
    for round in 0..plan.rounds {
        asker.client.begin_round(round, plan.rounds);
        let mut left = Vec::new();
        for mut course in courses {
            let contender = course.site.contender().to_string();
            let turn = course.turn(asker, plan).map(|()| course);
            left.extend(failures.or_note(&contender, workload, turn)?);
        }
        courses = left;
    }
    let mut measurements = Vec::new();
    for course in courses {
        let contender = course.site.contender().to_string();
        let finished = course.finish(workload);
        measurements.extend(failures.or_note(&contender, workload, finished)?);
    }
    Ok(measurements)
}

/// A contender's rounds.
struct Course<'s> {
    site: &'s Site,
    /// The rate at which it is at its best.
    rate: Rate,
    lossless: Option<f64>,
    latency: Option<Latency>,
    rounds: Vec<Round>,
    program_ns: Vec<f64>,
    flooded: Vec<f64>,
}

impl<'s> Course<'s> {
    fn prepare(asker: &mut Asker<'_>, site: &'s Site, plan: &Plan) -> Result<Self> {
        // What comes first is slower: pages, caches, the neighbours' timers.
        let in_kernel = site.contender().is_in_kernel();
        let warm_up = match in_kernel {
            true => Rate::Unlimited,
            false => Rate::Paced(20_000.0),
        };
        asker.ask(site, warm_up, plan.turn)?;
        let mut lossless = None;
        let mut latency = None;
        if plan.lossless || !in_kernel {
            let rate = lossless::search(asker, site, plan.turn)?;
            let calm = asker.ask(site, Rate::Paced(rate / 2.0), plan.turn)?;
            latency = latency_of_round(&calm);
            lossless = Some(rate);
        }
        let rate = match lossless {
            Some(rate) if !in_kernel => Rate::Paced(rate * BEST),
            _ => Rate::Unlimited,
        };
        Ok(Self {
            site,
            rate,
            lossless,
            latency,
            rounds: Vec::new(),
            program_ns: Vec::new(),
            flooded: Vec::new(),
        })
    }

    fn turn(&mut self, asker: &mut Asker<'_>, plan: &Plan) -> Result<()> {
        let answered = self.answered()?;
        let mut round = asker.ask(self.site, self.rate, plan.turn)?;
        let mut replied = round.wire.replied;
        for attempt in 1..ATTEMPTS {
            if round.is_whole() {
                break;
            }
            if attempt.is_multiple_of(2) {
                self.slow_down();
            }
            round = asker.ask(self.site, self.rate, plan.turn)?;
            replied += round.wire.replied;
        }
        if !round.is_whole() {
            // Told beside the numbers: to end here would take them all away.
            eprintln!(
                "{}: {} of {} queries got no reply",
                self.site.contender(),
                round.unanswered(),
                round.wire.received
            );
        }
        if let (Some(before), Some(after)) = (answered, self.answered()?) {
            let by_kernel = after - before;
            // Some may get lost on the wire. A server behind replies too.
            if by_kernel.saturating_sub(replied) * 1000 > by_kernel {
                eprintln!(
                    "{}: the kernel answered {by_kernel} queries, and {replied} replies left",
                    self.site.contender()
                );
            }
        }
        self.rounds.push(round);
        if let Some(program) = self.site.program()? {
            self.program_ns
                .push(self.time_program(asker, program, plan)?);
        }
        if !self.site.contender().is_in_kernel() {
            self.flooded.push(self.flood(asker, plan)?);
        }
        Ok(())
    }

    /// Takes a lower rate for the highest without loss: the search was lucky.
    fn slow_down(&mut self) {
        if let (Rate::Paced(rate), Some(lossless)) = (&mut self.rate, &mut self.lossless) {
            *rate *= 0.9;
            *lossless *= 0.9;
        }
    }

    /// Queries that the kernel has answered so far, if it is dns-glue.
    fn answered(&self) -> Result<Option<u64>> {
        let Some(daemon) = self.site.daemon() else {
            return Ok(None);
        };
        Ok(Some(daemon.counters()?.answered()))
    }

    /// Nanoseconds of one run of the program: in a run of its own, since the
    /// timing takes time.
    fn time_program(&self, asker: &mut Asker<'_>, program: u32, plan: &Plan) -> Result<f64> {
        let before = timed_runs(program)?;
        {
            let _timing = Timing::start()?;
            asker.ask(self.site, self.rate, plan.turn / 4)?;
        }
        let after = timed_runs(program)?;
        let (time, count) = (after.time - before.time, after.count - before.count);
        ensure!(count > 0, "the program did not run");
        Ok(time.as_nanos() as f64 / count as f64)
    }

    /// Replies a second when far more is asked than can be answered.
    fn flood(&self, asker: &mut Asker<'_>, plan: &Plan) -> Result<f64> {
        self.site.schedule(Load::Flood)?;
        let round = asker.ask(self.site, Rate::Unlimited, plan.turn);
        self.site.schedule(Load::Bearable)?;
        let round = round?;
        Ok(round.replies() as f64 / round.elapsed.as_secs_f64())
    }

    fn finish(mut self, workload: &str) -> Result<Measurement> {
        let mut core_ns: Vec<f64> = self.rounds.iter().map(Round::core_ns).collect();
        let core_ns_per_reply = Spread::of(&mut core_ns).context("no rounds")?;
        let mut rates: Vec<f64> = self.rounds.iter().map(Round::replies_per_second).collect();
        let replies_per_second = Spread::of(&mut rates).context("no rounds")?;
        // As fast as it can is as much as it can be asked.
        let flooded = match self.site.contender().is_in_kernel() {
            true => Some(replies_per_second),
            false => Spread::of(&mut self.flooded),
        };
        let unanswered = self.rounds.iter().map(Round::share_unanswered);
        let replies: u64 = self.rounds.iter().map(Round::replies).sum();
        let message_octets: u64 = self.rounds.iter().map(|round| round.returned.octets).sum();
        let mut measurement = Measurement {
            contender: self.site.contender().to_string(),
            workload: workload.to_owned(),
            replies_per_second,
            lossless_rate: self.lossless,
            core_ns_per_reply,
            program_ns: Spread::of(&mut self.program_ns),
            rcodes: [].into(),
            truncated: self
                .rounds
                .iter()
                .map(|round| round.returned.truncated)
                .sum(),
            reply_octets_mean: message_octets as f64 / replies as f64,
            latency: self.latency,
            flooded_replies_per_second: flooded.map(|spread| spread.median),
            unanswered: unanswered.fold(0.0, f64::max),
            socket_drops: self.rounds.iter().map(|round| round.socket_drops).sum(),
            copies_frames: self.site.copies_frames(),
        };
        for round in &self.rounds {
            for (rcode, count) in (0_u8..).zip(round.returned.rcodes) {
                if count > 0 {
                    let name = domain::base::iana::Rcode::masked_from_int(rcode).to_string();
                    *measurement.rcodes.entry(name).or_default() += count;
                }
            }
        }
        Ok(measurement)
    }
}

fn latency_of_round(round: &Round) -> Option<Latency> {
    let all: u64 = round.latencies.iter().sum();
    let percentile = |percent: u64| {
        let mut seen = 0;
        let mut classes = (0_u32..).zip(&round.latencies);
        let found = classes.find(|(_, count)| {
            seen += **count;
            seen * 100 >= all * percent
        });
        found.map(|(class, _)| latency_of(class + 1) as f64 / 1e3)
    };
    (all > 0).then_some(())?;
    Some(Latency {
        p50_us: percentile(50)?,
        p99_us: percentile(99)?,
    })
}
