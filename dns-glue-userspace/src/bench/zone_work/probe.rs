//! Asks until a referral comes.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use domain::base::Name;
use domain::base::iana::Rtype;

use super::server::Serving;
use crate::bench::workload::{Edns, Messages};
use crate::conform::frame::SERVER_V4;
use crate::testbed::hosts::Hosts;
use crate::testbed::interrupt;

/// How often it asks.
const INTERVAL: Duration = Duration::from_millis(10);
/// Octets of the longest reply.
const LONGEST: usize = 4096;

/// The query whose referral shows that a zone is served.
#[derive(Clone, Debug)]
pub struct Probe(Messages);

impl Probe {
    /// Asks for a delegation.
    #[must_use]
    pub fn new(delegation: &Name<Vec<u8>>) -> Self {
        let mut messages = Messages::new();
        messages.push(delegation.as_slice(), Rtype::A, Some(Edns::PLAIN));
        Self(messages)
    }

    /// Waits for a referral; how long that is after `from`.
    ///
    /// # Errors
    ///
    /// The server ends, there is no socket, or it takes longer than
    /// `patience`.
    pub fn wait(
        &self,
        serving: &mut Serving,
        hosts: &Hosts,
        from: Instant,
        patience: Duration,
    ) -> Result<Duration> {
        hosts.client().within(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.connect((SERVER_V4, 53))?;
            socket.set_read_timeout(Some(INTERVAL))?;
            while !self.is_answered(&socket)? {
                ensure!(from.elapsed() < patience, "no referral in {patience:?}");
                serving.ensure_running()?;
                interrupt::check()?;
            }
            Ok(from.elapsed())
        })?
    }

    /// Asks once.
    fn is_answered(&self, socket: &UdpSocket) -> Result<bool> {
        let query = self.0.get(0).context("there is one query")?;
        let asked = Instant::now();
        let mut reply = [0; LONGEST];
        let received = socket.send(query).and_then(|_| socket.recv(&mut reply));
        match received {
            Ok(octets) if is_referral(&reply[..octets]) => return Ok(true),
            Ok(_) => {}
            // Nobody answers yet, or nobody listens yet.
            Err(error) if is_silence(&error) => {}
            Err(error) => return Err(error).context("ask for a delegation"),
        }
        std::thread::sleep(INTERVAL.saturating_sub(asked.elapsed()));
        Ok(false)
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// NOERROR, not authoritative, no answer, and name servers.
fn is_referral(reply: &[u8]) -> bool {
    match reply {
        [_, _, flags, codes, _, _, 0, 0, high, low, ..] => {
            flags & 0x84 == 0x80 && codes & 0x0f == 0 && (*high, *low) != (0, 0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn referrals_are_told_from_other_replies() {
        let reply = |flags: [u8; 2], answers, name_servers| {
            [
                0,
                0,
                flags[0],
                flags[1],
                0,
                1,
                0,
                answers,
                0,
                name_servers,
                0,
                0,
            ]
        };
        assert!(is_referral(&reply([0x80, 0], 0, 2)));
        for other in [
            // A query; with AA; SERVFAIL; with an answer; without name servers.
            reply([0, 0], 0, 2),
            reply([0x84, 0], 0, 2),
            reply([0x80, 2], 0, 2),
            reply([0x80, 0], 1, 2),
            reply([0x80, 0], 0, 0),
        ] {
            assert!(!is_referral(&other), "{other:?}");
        }
        assert!(!is_referral(&[]));
    }
}
