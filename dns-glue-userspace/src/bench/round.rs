//! One contender asked for a while, and what came of it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use dns_glue_common::traffic::Returned;

use super::load::programs::{Client, Rate};
use super::site::Site;
use super::wire::{self, WireCounts};
use crate::testbed::interrupt;
use crate::testbed::network::Namespace;

/// What is waited until nothing is under way.
const SETTLING: Duration = Duration::from_millis(30);

/// The processors that send queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Senders {
    /// To contenders that are in the kernel only. Best is their own processor:
    /// it makes a batch of queries, and then they have their turn, so that they
    /// always have work and nothing is lost. From another processor every query
    /// costs them the way from its cache, which on a virtual machine is short or
    /// three times as long from one minute to the next.
    pub to_kernel: usize,
    /// To servers: another than theirs, because they do not take turns with the
    /// sender.
    pub to_servers: usize,
}

/// Who asks, and from where.
pub struct Asker<'n> {
    /// The client's programs.
    pub client: Client,
    /// Where the wires begin.
    pub namespace: &'n Namespace,
    /// Who sends.
    pub senders: Senders,
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
    /// Processor time of the contender.
    pub processor_time: Duration,
    /// Timed replies by the class of their latency.
    pub latencies: Vec<u64>,
}

impl Round {
    /// Replies, or queries that came back as they were.
    pub fn replies(&self) -> u64 {
        self.returned.rcodes.iter().sum::<u64>() + self.returned.reflected
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

    /// Replies a second.
    pub fn replies_per_second(&self) -> f64 {
        self.replies() as f64 / self.elapsed.as_secs_f64()
    }

    /// Unanswered queries as a share of those that arrived.
    pub fn share_unanswered(&self) -> f64 {
        self.unanswered() as f64 / self.wire.received.max(1) as f64
    }

    /// Whether nearly all queries that arrived were answered: all but one in a
    /// hundred, which is no loss that would change what a reply costs.
    pub fn is_whole(&self) -> bool {
        self.unanswered() * 100 <= self.wire.received
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
        let wire = site.wire();
        let socket_drops = wire.socket_drops()?;
        let counts = wire.counts(self.namespace)?;
        let returned = self.client.returned()?;
        let latencies = self.client.latencies()?;
        let time = site.processor_time()?;
        let processor = match site.contender().is_in_kernel() {
            true => self.senders.to_kernel,
            false => self.senders.to_servers,
        };
        let client = &mut self.client;
        let (queries, elapsed) = self.namespace.within(|| {
            let interface = index_of(wire.client_end())?;
            client.send(interface, processor, &wire::ends(), rate, duration)
        })??;
        std::thread::sleep(SETTLING);
        let since = self.client.latencies()?;
        Ok(Round {
            queries,
            elapsed,
            wire: wire.counts(self.namespace)?.since(&counts),
            socket_drops: wire.socket_drops()?.saturating_sub(socket_drops),
            returned: since_returned(&self.client.returned()?, &returned),
            processor_time: site.processor_time()?.saturating_sub(time),
            latencies: since
                .iter()
                .zip(&latencies)
                .map(|(now, then)| now - then)
                .collect(),
        })
    }
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
