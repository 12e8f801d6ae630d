//! One contender asked for a while, and what came of it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use dns_glue_common::traffic::Returned;

use super::empty::EmptyProgram;
use super::load::programs::{Client, Rate};
use super::site::Site;
use super::steal::Ticks;
use super::wire::{self, WireCounts};
use crate::testbed::interrupt;
use crate::testbed::network::Namespace;

/// If no reply comes for so long, none is under way.
const SETTLING: Duration = Duration::from_millis(30);
/// So often that is waited for: a server that was flooded goes on answering.
const SETTLINGS: usize = 100;

/// Queries of so long may wait for their answers when the last one is sent.
const LATE: Duration = Duration::from_millis(10);

/// Who asks, and from where.
pub struct Asker<'n> {
    /// The client's programs.
    pub client: Client,
    /// Where the wires begin.
    pub namespace: &'n Namespace,
    /// The processor that sends.
    pub sender: usize,
    /// What the kernel's clock takes of the programs that it times.
    pub empty: EmptyProgram,
}

/// What one round came to.
#[derive(Clone, Debug)]
pub struct Round {
    /// Queries made.
    pub queries: u64,
    /// How long they were sent.
    pub elapsed: Duration,
    /// What the drivers counted.
    pub wire: WireCounts,
    /// Queries for which a socket of the contender had no room.
    pub socket_drops: u64,
    /// What came back.
    pub returned: Returned,
    /// Replies among these that came back when nothing was sent any more: their
    /// queries had waited.
    pub late: u64,
    /// Processor time of the contender.
    pub processor_time: Duration,
    /// Time that counting the replies took of the same processor.
    pub sink_time: Duration,
    /// Ticks of that processor.
    pub ticks: Ticks,
    /// Timed replies by the class of their latency.
    pub latencies: Vec<u64>,
}

impl Round {
    /// Replies, or queries that came back as they were.
    pub fn replies(&self) -> u64 {
        replies(&self.returned)
    }

    /// Nanoseconds of the contender's processor time for a reply.
    pub fn core_ns(&self) -> f64 {
        self.processor_time.as_nanos() as f64 / self.answered() as f64
    }

    /// Replies of the contender. What its program sent back counts even if it
    /// got lost on the way.
    fn answered(&self) -> u64 {
        self.replies() + self.wire.lost_behind
    }

    /// Queries that neither came back nor are known to be lost between the
    /// client and the contender.
    pub fn unanswered(&self) -> u64 {
        let known = self.replies() + self.wire.lost_before + self.wire.lost_behind;
        self.queries.saturating_sub(known)
    }

    /// Queries that did not come back, wherever they got lost.
    pub fn lost(&self) -> u64 {
        self.queries.saturating_sub(self.replies())
    }

    /// The part of the time in which the processor worked for the contender, or
    /// counted its replies.
    pub fn utilisation(&self) -> f64 {
        (self.processor_time + self.sink_time).as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// Queries a second.
    pub fn queries_per_second(&self) -> f64 {
        self.queries as f64 / self.elapsed.as_secs_f64()
    }

    /// Replies a second, as long as queries were sent: what is answered
    /// afterwards is what buffers hold, however large they are.
    pub fn replies_per_second(&self) -> f64 {
        self.replies().saturating_sub(self.late) as f64 / self.elapsed.as_secs_f64()
    }

    /// The same with those replies that got lost on the way to who counts them,
    /// who has to share the processor in a flood.
    pub fn answers_per_second(&self) -> f64 {
        self.answered().saturating_sub(self.late) as f64 / self.elapsed.as_secs_f64()
    }

    /// Whether queries were answered as they came, and not put off until nothing
    /// came any more.
    pub fn keeps_up(&self) -> bool {
        self.late as f64 <= self.queries_per_second() * LATE.as_secs_f64()
    }

    /// Unanswered queries as a share of those that arrived.
    pub fn share_unanswered(&self) -> f64 {
        self.unanswered() as f64 / self.wire.received.max(1) as f64
    }

    /// Whether nearly all queries were answered: all but one in a hundred, which
    /// is no loss that would change what a reply costs. Of queries without a
    /// pace those count that arrived; more are sent than find a place.
    pub fn is_whole(&self, rate: Rate) -> bool {
        match rate {
            Rate::Unlimited => self.unanswered() * 100 <= self.wire.received,
            Rate::Paced(_) | Rate::Timed(_) => self.lost() * 100 <= self.queries && self.keeps_up(),
        }
    }
}

impl Asker<'_> {
    /// Asks for a while.
    ///
    /// # Errors
    ///
    /// The client's program fails, the contender is gone, or a signal has come.
    pub fn ask(&mut self, site: &Site, rate: Rate, duration: Duration) -> Result<Round> {
        interrupt::check()?;
        site.ensure_running()?;
        let wire = site.wire();
        let socket_drops = wire.socket_drops()?;
        let counts = wire.counts(self.namespace)?;
        let returned = self.client.returned()?;
        let latencies = self.client.latencies()?;
        let time = site.processor_time()?;
        let sink_time = site.sink_time()?;
        let ticks = Ticks::of(site.processor())?;
        let sender = self.sender;
        let client = &mut self.client;
        let (queries, elapsed) = self.namespace.within(|| {
            let interface = index_of(wire.client_end())?;
            client.send(interface, sender, &wire::ends(), rate, duration)
        })??;
        let in_time = self.client.returned()?;
        let settled = self.settle()?;
        let since = self.client.latencies()?;
        Ok(Round {
            queries,
            elapsed,
            wire: wire.counts(self.namespace)?.since(&counts),
            socket_drops: wire.socket_drops()?.saturating_sub(socket_drops),
            returned: since_returned(&settled, &returned),
            late: replies(&settled) - replies(&in_time),
            processor_time: site.processor_time()?.saturating_sub(time),
            sink_time: site.sink_time()?.saturating_sub(sink_time),
            ticks: Ticks::of(site.processor())?.since(ticks),
            latencies: since
                .iter()
                .zip(&latencies)
                .map(|(now, then)| now - then)
                .collect(),
        })
    }

    /// Waits until no replies come back any more, which would be taken for those
    /// of who is asked next; what has come back until then.
    fn settle(&self) -> Result<Returned> {
        let mut returned = self.client.returned()?;
        for _ in 0..SETTLINGS {
            std::thread::sleep(SETTLING);
            let now = self.client.returned()?;
            if now.rcodes == returned.rcodes && now.reflected == returned.reflected {
                return Ok(now);
            }
            returned = now;
        }
        bail!("replies go on coming back though nothing is sent")
    }
}

fn replies(returned: &Returned) -> u64 {
    returned.rcodes.iter().sum::<u64>() + returned.reflected
}

fn since_returned(now: &Returned, then: &Returned) -> Returned {
    let mut difference = *now;
    let to: &mut [u64] = bytemuck::cast_slice_mut(std::slice::from_mut(&mut difference));
    let from: &[u64] = bytemuck::cast_slice(std::slice::from_ref(then));
    to.iter_mut().zip(from).for_each(|(to, from)| *to -= from);
    difference
}

fn index_of(interface: &str) -> Result<u32> {
    let name = std::ffi::CString::new(interface)?;
    // SAFETY: a string that ends in a zero.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(std::io::Error::last_os_error()).context(interface.to_owned()),
        index => Ok(index),
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;

    /// 1000 queries of which so many found no place, and so many got no reply.
    fn round(lost_before: u64, unanswered: u64) -> Round {
        let mut returned = Returned::zeroed();
        returned.rcodes[0] = 1000 - lost_before - unanswered;
        Round {
            queries: 1000,
            elapsed: Duration::from_millis(100),
            wire: WireCounts {
                sent: 1000 - lost_before,
                lost_before,
                received: 1000 - lost_before,
                ..WireCounts::default()
            },
            returned,
            late: 0,
            processor_time: Duration::from_millis(60),
            sink_time: Duration::from_millis(30),
            ticks: Ticks::default(),
            socket_drops: 0,
            latencies: Vec::new(),
        }
    }

    #[test]
    fn what_finds_no_place_is_lost_unless_there_is_no_pace() {
        let paced = Rate::Paced(10_000.0);
        for (lost_before, unanswered, whole) in [
            (0, 0, [true, true]),
            (10, 0, [true, true]),
            (11, 0, [true, false]),
            (900, 0, [true, false]),
            (900, 2, [false, false]),
            (0, 11, [false, false]),
        ] {
            let round = round(lost_before, unanswered);
            assert_eq!(round.lost(), lost_before + unanswered);
            assert_eq!(round.unanswered(), unanswered);
            let is_whole = [Rate::Unlimited, paced].map(|rate| round.is_whole(rate));
            assert_eq!(is_whole, whole, "{lost_before} {unanswered}");
        }
    }

    /// 1000 queries in a tenth of a second: 100 in the time that one may wait.
    #[test]
    fn what_is_answered_afterwards_does_not_count_as_a_rate() {
        let late = |late| Round {
            late,
            ..round(0, 0)
        };
        assert!((late(400).replies_per_second() - 6000.0).abs() < 1e-6);
        assert!((late(400).core_ns() - 60_000.0).abs() < 1e-6);
        let paced = Rate::Paced(10_000.0);
        assert!(late(100).is_whole(paced));
        assert!(!late(101).is_whole(paced));
        assert!(late(101).is_whole(Rate::Unlimited));
    }

    #[test]
    fn a_core_is_used_by_the_contender_and_the_sink() {
        let round = round(500, 0);
        assert!((round.utilisation() - 0.9).abs() < 1e-9);
        assert!((round.queries_per_second() - 10_000.0).abs() < 1e-6);
        assert!((round.replies_per_second() - 5000.0).abs() < 1e-6);
        assert!((round.core_ns() - 120_000.0).abs() < 1e-6);
    }
}
