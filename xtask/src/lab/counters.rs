//! The counters of the running daemon: who gave an answer.

use std::{os::unix::process::CommandExt as _, path::Path, process::Command};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command::output;

/// What is done with a packet that a counter counts.
const ANSWERED: &str = "answered";

/// One outcome of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its name, such as `referral`.
    pub name: String,
    /// `answered`, `passed` or `aborted`.
    pub action: String,
    /// Packets.
    pub packets: u64,
}

/// All of them at one moment, or between two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(pub Vec<Counter>);

impl Counters {
    /// Asks a daemon.
    ///
    /// # Errors
    /// When it does not answer as it should.
    pub fn ask(dns_glue: &Path, control: &Path) -> Result<Self> {
        let mut status = Command::new(dns_glue);
        status.args(["status", "--json", "--control"]).arg(control);
        // Ctrl-C is ours alone: it must not look like a failure of the daemon.
        status.process_group(0);
        let text = output(&mut status)?;
        let status = serde_json::from_str(&text).context("read the status")?;
        Self::read(&status).context("the status has no counters")
    }

    fn read(status: &Value) -> Option<Self> {
        let counters = status["counters"].as_array()?;
        let read = |counter: &Value| {
            Some(Counter {
                name: counter["name"].as_str()?.to_owned(),
                action: counter["action"].as_str()?.to_owned(),
                packets: counter["packets"].as_u64()?,
            })
        };
        counters.iter().map(read).collect::<Option<_>>().map(Self)
    }

    /// What has been counted since an earlier moment.
    pub fn since(&self, earlier: &Self) -> Self {
        let difference = |counter: &Counter| Counter {
            packets: counter
                .packets
                .saturating_sub(earlier.packets(&counter.name)),
            ..counter.clone()
        };
        Self(self.0.iter().map(difference).collect())
    }

    /// Packets of that outcome.
    pub fn packets(&self, name: &str) -> u64 {
        self.0
            .iter()
            .find(|counter| counter.name == name)
            .map_or(0, |counter| counter.packets)
    }

    /// Packets that the kernel answered.
    pub fn answered(&self) -> u64 {
        self.0
            .iter()
            .filter(|counter| counter.action == ANSWERED)
            .map(|counter| counter.packets)
            .sum()
    }

    /// Those that are not zero.
    pub fn counted(&self) -> impl Iterator<Item = &Counter> {
        self.0.iter().filter(|counter| counter.packets != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(referrals: u64, misses: u64) -> Counters {
        let text = format!(
            r#"{{"counters": [
                {{"name": "referral", "action": "answered", "packets": {referrals}, "meaning": ""}},
                {{"name": "no-cut", "action": "passed", "packets": {misses}, "meaning": ""}}
            ]}}"#
        );
        let status = serde_json::from_str(&text).expect("JSON");
        Counters::read(&status).expect("counters")
    }

    #[test]
    fn a_difference_is_by_name() {
        let difference = counters(7, 5).since(&counters(4, 5));
        assert_eq!(difference, counters(3, 0));
        assert_eq!(difference.answered(), 3);
        let counted: Vec<_> = difference.counted().map(|counter| &counter.name).collect();
        assert_eq!(counted, ["referral"]);
    }

    #[test]
    fn a_status_of_another_shape_is_refused() {
        assert_eq!(Counters::read(&Value::Null), None);
    }
}
