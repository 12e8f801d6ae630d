//! The room that sockets have for queries that wait, the same for all servers.

use std::fs;

use anyhow::{Context as _, Result};

use crate::testbed::server::RECEIVE_OCTETS;

/// Sizes of the whole machine: no network namespace has its own.
const SETTINGS: [&str; 2] = [
    "/proc/sys/net/core/rmem_max",
    "/proc/sys/net/core/rmem_default",
];

/// Larger receive buffers for all sockets that are made as long as it lives;
/// then it is as before.
#[derive(Debug)]
pub struct ReceiveBuffers {
    /// What was there, by its path.
    before: Vec<(&'static str, u64)>,
}

impl ReceiveBuffers {
    /// Raises what is smaller. A machine that does not let it says so, and all
    /// servers have its own size.
    #[must_use]
    pub fn raise() -> Self {
        let mut buffers = Self { before: Vec::new() };
        for path in SETTINGS {
            if let Err(error) = buffers.raise_one(path) {
                eprintln!("receive buffers of servers stay as they are: {error:#}");
            }
        }
        buffers
    }

    fn raise_one(&mut self, path: &'static str) -> Result<()> {
        let text = fs::read_to_string(path).with_context(|| format!("read {path}"))?;
        let octets: u64 = text.trim().parse().context(path)?;
        if octets < RECEIVE_OCTETS {
            fs::write(path, RECEIVE_OCTETS.to_string()).with_context(|| format!("write {path}"))?;
            self.before.push((path, octets));
        }
        Ok(())
    }
}

impl Drop for ReceiveBuffers {
    fn drop(&mut self) {
        for (path, octets) in &self.before {
            if let Err(error) = fs::write(path, octets.to_string()) {
                eprintln!("{path} is not put back to {octets}: {error}");
            }
        }
    }
}
