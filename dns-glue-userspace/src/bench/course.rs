//! The rounds of one contender under one workload, and what they come to.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use dns_glue_common::traffic::latency_of;
use domain::base::iana::Rcode;

use super::load::programs::Rate;
use super::lossless::{self, Lossless};
use super::measure::Plan;
use super::results::{Asked, Flood, Latency, Losses, Measurement, Repeated, Spread};
use super::round::{Asker, Round};
use super::site::{Load, Site};
use super::wire::Moderation;
use crate::kernel::run_time::{Timing, timed_runs};

/// So often a turn is tried in which queries get lost for no known reason: other
/// work of the machine may have been in the way.
const ATTEMPTS: usize = 6;
/// So often a lower rate is taken for the highest without loss.
const SLOWER: u64 = 5;
/// A server is at its best a little below the highest rate without loss.
const BEST: f64 = 0.95;
/// Queries a second that a server is asked before anything is known of it.
const GENTLE: f64 = 20_000.0;
/// Queries a second at which latency is taken, of everybody alike: the slowest
/// server bears twice as many.
const CALM: f64 = 5000.0;
/// How much of a turn is for that: in all rounds together there are enough for
/// the slowest replies of a hundred.
const CALM_PART: u32 = 2;

/// A contender's rounds.
pub struct Course<'s> {
    site: &'s Site,
    /// The rate at which it is at its best.
    rate: Rate,
    lossless: Lossless,
    rounds: Vec<Round>,
    repeated: Repeated,
    /// Nanoseconds of the program, and of one that does nothing, by round.
    program_ns: Vec<f64>,
    empty_ns: Vec<f64>,
    floods: Vec<Round>,
    /// Timed replies by the class of their latency.
    latencies: Vec<u64>,
}

impl<'s> Course<'s> {
    /// Finds out how much the contender bears.
    ///
    /// # Errors
    ///
    /// It is gone, or answers nothing.
    pub fn prepare(asker: &mut Asker<'_>, site: &'s Site, plan: &Plan) -> Result<Self> {
        // What comes first is slower: pages, caches, the neighbours' timers.
        let in_kernel = site.contender().is_in_kernel();
        let warm_up = match in_kernel {
            true => Rate::Unlimited,
            false => Rate::Paced(GENTLE),
        };
        let warm = asker.ask(site, warm_up, plan.turn)?;
        let start = match in_kernel {
            true => warm.replies_per_second() / 2.0,
            false => GENTLE,
        };
        let lossless = lossless::search(asker, site, start.max(GENTLE), plan.turn)?;
        let rate = match in_kernel {
            true => Rate::Unlimited,
            false => Rate::Paced(lossless.rate * BEST),
        };
        Ok(Self {
            site,
            rate,
            lossless,
            rounds: Vec::new(),
            repeated: Repeated::default(),
            program_ns: Vec::new(),
            empty_ns: Vec::new(),
            floods: Vec::new(),
            latencies: Vec::new(),
        })
    }

    /// Where it is asked.
    pub fn site(&self) -> &'s Site {
        self.site
    }

    /// Who is asked.
    pub fn contender(&self) -> String {
        self.site.contender().to_string()
    }

    /// Rounds so far, all at the same rate.
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// Asks for a round, times the program and replies, and floods.
    ///
    /// # Errors
    ///
    /// The contender is gone or answers nothing, or its program did not run.
    pub fn turn(&mut self, asker: &mut Asker<'_>, plan: &Plan) -> Result<()> {
        let round = self.whole_round(asker, plan)?;
        self.rounds.push(round);
        if let Some(program) = self.site.program()? {
            self.time_program(asker, program, plan)?;
        }
        self.time_replies(asker, plan)?;
        self.floods.push(self.flood(asker, plan)?);
        Ok(())
    }

    /// A round in which next to nothing gets lost, or the last of some; those
    /// before it are counted.
    fn whole_round(&mut self, asker: &mut Asker<'_>, plan: &Plan) -> Result<Round> {
        let answered = self.answered()?;
        let mut round = asker.ask(self.site, self.rate, plan.turn)?;
        let mut replied = round.wire.replied;
        for attempt in 1..ATTEMPTS {
            if round.is_whole(self.rate) {
                break;
            }
            self.repeated.count(&round);
            if attempt.is_multiple_of(2) {
                self.slow_down();
            }
            round = asker.ask(self.site, self.rate, plan.turn)?;
            replied += round.wire.replied;
        }
        ensure!(
            round.replies() > 0,
            "none of {} queries got a reply",
            round.queries
        );
        if !round.is_whole(self.rate) {
            // Told beside the numbers: to end here would take them all away.
            eprintln!(
                "{}: of {} queries {} got no reply, and {} a late one",
                self.site.contender(),
                round.queries,
                round.lost(),
                round.late
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
        Ok(round)
    }

    /// Takes a lower rate for the highest without loss: the search was lucky.
    /// Rounds at the higher one do not count any more.
    fn slow_down(&mut self) {
        let Rate::Paced(rate) = &mut self.rate else {
            return;
        };
        if self.repeated.slower < SLOWER {
            self.repeated.slower += 1;
            *rate *= 0.9;
            self.lossless.rate *= 0.9;
            self.lossless.is_least = false;
            for round in self.rounds.drain(..) {
                self.repeated.count(&round);
            }
            self.program_ns.clear();
            self.empty_ns.clear();
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
    /// timing takes time. That time is in the program's; a program that does
    /// nothing tells how much it is.
    fn time_program(&mut self, asker: &mut Asker<'_>, program: u32, plan: &Plan) -> Result<()> {
        let before = timed_runs(program)?;
        let empty_ns = {
            let _timing = Timing::start()?;
            asker.ask(self.site, self.rate, plan.turn / 4)?;
            asker.empty.timed_ns()?
        };
        let after = timed_runs(program)?;
        let (time, count) = (after.time - before.time, after.count - before.count);
        ensure!(count > 0, "the program did not run");
        self.program_ns
            .push(time.as_nanos() as f64 / count as f64 - empty_ns);
        self.empty_ns.push(empty_ns);
        Ok(())
    }

    /// How long replies take when there is time for each of them: without
    /// moderation, which would be all that is measured.
    fn time_replies(&mut self, asker: &mut Asker<'_>, plan: &Plan) -> Result<()> {
        let site = self.site;
        site.wire().moderate(asker.namespace, Moderation::NONE)?;
        let round = asker.ask(site, Rate::Timed(CALM), plan.turn / CALM_PART);
        site.moderate(asker.namespace)?;
        let counts = round?.latencies;
        self.latencies.resize(counts.len(), 0);
        for (sum, count) in self.latencies.iter_mut().zip(counts) {
            *sum += count;
        }
        Ok(())
    }

    /// A round in which as much is asked as can be.
    fn flood(&self, asker: &mut Asker<'_>, plan: &Plan) -> Result<Round> {
        self.site.schedule(Load::Flood)?;
        let round = asker.ask(self.site, Rate::Unlimited, plan.turn);
        self.site.schedule(Load::Bearable)?;
        round
    }

    /// The numbers.
    ///
    /// # Errors
    ///
    /// There was no round.
    pub fn finish(mut self, workload: &str) -> Result<Measurement> {
        let rounds = &self.rounds;
        let spread = |of: fn(&Round) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            Spread::of(&mut values).context("no rounds, or one without a reply")
        };
        let sum = |of: fn(&Round) -> u64| rounds.iter().map(of).sum::<u64>();
        let median = |of: fn(&Round) -> f64| {
            let mut values: Vec<f64> = self.floods.iter().map(of).collect();
            Spread::of(&mut values).map(|spread| spread.median)
        };
        let stolen =
            sum(|round| round.ticks.stolen) as f64 / sum(|round| round.ticks.all).max(1) as f64;
        let core_ns_by_round = rounds.iter().map(Round::core_ns).collect();
        let flood = median(Round::queries_per_second).zip(median(Round::answers_per_second));
        Ok(Measurement {
            contender: self.site.contender().to_string(),
            workload: workload.to_owned(),
            asked: match self.rate {
                Rate::Unlimited => Asked::AsFastAsCanBe,
                Rate::Paced(_) | Rate::Timed(_) => Asked::NearLossless,
            },
            replies_per_second: spread(Round::replies_per_second)?,
            core_utilisation: spread(Round::utilisation)?,
            core_stolen: stolen,
            lossless_rate: Some(self.lossless.rate),
            lossless_is_least: self.lossless.is_least,
            core_ns_per_reply: spread(Round::core_ns)?,
            core_ns_by_round,
            rcodes: rcodes(rounds),
            truncated: sum(|round| round.returned.truncated),
            reply_octets_mean: sum(|round| round.returned.octets) as f64
                / sum(Round::replies) as f64,
            latency: latency(&self.latencies),
            flood: flood.map(|(queries_per_second, replies_per_second)| Flood {
                queries_per_second,
                replies_per_second,
            }),
            losses: Losses {
                queries: sum(|round| round.queries),
                before: sum(|round| round.wire.lost_before),
                behind: sum(|round| round.wire.lost_behind),
                unanswered: sum(Round::unanswered),
            },
            unanswered: spread(Round::share_unanswered)?.max,
            socket_drops: sum(|round| round.socket_drops),
            copies_frames: self.site.copies_frames(),
            repeated: self.repeated,
            program_ns: Spread::of(&mut self.program_ns),
            empty_program_ns: Spread::of(&mut self.empty_ns).map(|spread| spread.median),
        })
    }
}

impl Repeated {
    fn count(&mut self, round: &Round) {
        let lost = round.lost() as f64 / round.queries as f64;
        self.rounds += 1;
        self.worst_loss = self.worst_loss.max(lost);
    }
}

/// What the slowest replies of so many in a hundred take.
fn latency(classes: &[u64]) -> Option<Latency> {
    let all: u64 = classes.iter().sum();
    let percentile = |percent: u64| {
        let mut seen = 0;
        let mut counts = (0_u32..).zip(classes);
        let found = counts.find(|(_, count)| {
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

/// Replies by RCODE.
fn rcodes(rounds: &[Round]) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for round in rounds {
        for (rcode, count) in (0_u8..).zip(round.returned.rcodes) {
            if count > 0 {
                let name = Rcode::masked_from_int(rcode).to_string();
                *found.entry(name).or_default() += count;
            }
        }
    }
    found
}
