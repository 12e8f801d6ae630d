//! What a measurement comes to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A number over several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median round.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

/// Time from sending a query to its reply, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the replies took at most this.
    pub p50: f64,
    /// 99 of 100 replies took at most this.
    pub p99: f64,
}

/// One contender under one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Who answered.
    pub contender: String,
    /// What was asked.
    pub workload: String,
    /// Replies in a second of one core, at its best.
    pub replies_per_second: Spread,
    /// The highest rate (queries a second) at which less than one query in a
    /// thousand was lost.
    pub lossless_rate: Option<f64>,
    /// Time of the server's core for a reply, in nanoseconds.
    pub core_ns_per_reply: Spread,
    /// Time of the XDP program for a packet, in nanoseconds, as the kernel
    /// counts it.
    pub program_ns: Option<Spread>,
    /// Replies by RCODE, by its name.
    pub rcodes: BTreeMap<String, u64>,
    /// Replies with TC=1.
    pub truncated: u64,
    /// Octets of a DNS message in reply, on average.
    pub reply_octets_mean: f64,
    /// Time to a reply, where it was measured.
    pub latency: Option<Latency>,
    /// Replies a second when far more is asked than can be answered.
    pub flooded_replies_per_second: Option<f64>,
}
