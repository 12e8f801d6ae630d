//! The program on a veth pair with VLANs: what it is told of them is what the
//! daemon learns from the kernel.
//!
//! A query of each family with a whole referral and one with TC=1 crosses the
//! pair for each case of the table: with its tags in the frame, or sent through
//! a VLAN interface. What passes is looked for at the server behind.

mod behind;
mod cases;
mod elsewhere;
mod known;
mod network;

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use dns_glue::ethtool;
use dns_glue::kernel::attach::{self, ModeChoice};
use dns_glue::kernel::{AttachMode, Counters};
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;

use super::cases::Case as Golden;
use super::check::check;
use super::machine::tell;
use super::packet_socket::PacketSocket;
use super::pair::{CLIENT_END, PATIENCE, Pair, SERVER_END, index};
use super::program_support::frame::{Path, Tag};
use super::program_support::program::one_outcome;
use super::score::Score;
use super::wire::{answered, filled_up, load_plain};
use behind::Behind;
use cases::{Case, Outcome, Way};
use network::CLIENT_SEVEN;

/// What the kernel calls `rxvlan` and `txvlan` of ethtool(8).
const RXVLAN: &str = "rx-vlan-hw-parse";
const TXVLAN: &str = "tx-vlan-hw-insert";

/// Lays the network, and tries all cases in both modes.
///
/// # Errors
///
/// There can be no such network, or the program is refused; what goes wrong
/// with a case is only told.
pub fn run(pair: &mut Pair) -> Result<()> {
    network::lay().context("lay VLANs on the pair")?;
    let mut wire = Wire {
        pair,
        through_vlan: PacketSocket::open(index(CLIENT_SEVEN)?, PATIENCE)?,
        behind: Behind::open()?,
        queries: queries(),
        score: Score::default(),
    };
    known::check_all(&mut wire.score);
    for mode in [AttachMode::Native, AttachMode::Generic] {
        wire.ask_all(mode, 0, &cases::by_swapping(mode))?;
        wire.ask_all(mode, Policy::REPLY_VIA_FIB, &cases::by_route())?;
    }
    known::check_change(&mut wire.score);
    tell("vlan", wire.score);
    Ok(())
}

/// Of the table: each family's first query with a whole referral, and with
/// TC=1.
fn queries() -> Vec<Golden> {
    let mut queries: Vec<Golden> = Vec::new();
    for golden in answered() {
        let is_plain = golden.path == Path::v4() || golden.path == Path::v6();
        let is_known =
            |other: &Golden| (&other.path, other.reason) == (&golden.path, golden.reason);
        if is_plain && !queries.iter().any(is_known) {
            queries.push(golden);
        }
    }
    queries
}

/// What cases are tried with.
struct Wire<'p> {
    pair: &'p mut Pair,
    through_vlan: PacketSocket,
    behind: Behind,
    queries: Vec<Golden>,
    score: Score,
}

/// A case with one of the queries, as it is sent.
struct Question<'c> {
    mode: AttachMode,
    case: &'c Case,
    query: Golden,
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, case, query } = self;
        let Case {
            what, client, way, ..
        } = case;
        write!(f, "{mode}, VLAN, {what}, {client}, {way:?}: {}", query.what)
    }
}

impl Wire<'_> {
    /// Tries the cases with every query of their family, while the program is
    /// attached in a mode with these choices.
    fn ask_all(&mut self, mode: AttachMode, flags: u32, cases: &[Case]) -> Result<()> {
        let (loaded, mut maps, counters) = load_plain(|policy| Policy {
            flags: policy.flags | flags,
            ..policy
        })?;
        let known = known::look()?;
        let table = maps.write_all(known.interfaces, &known.addresses)?;
        maps.show(table)?;
        let target = self.pair.target();
        let _attachment = attach::attach(&loaded, &target, ModeChoice::Only(mode))?;
        for case in cases {
            set_offloads(case.way)?;
            for query in self.queries.clone() {
                if query.path.source.is_ipv4() == case.client.is_ipv4() {
                    self.ask(&Question { mode, case, query }, &counters);
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, question: &Question<'_>, counters: &Counters) {
        let Self {
            pair,
            through_vlan,
            behind,
            score,
            ..
        } = self;
        score.attempt_another(question, || {
            let client = &mut pair.client;
            let before = counters.read().expect("counters can be read");
            let sender = match question.case.way {
                Way::Tagged(_) => &mut *client,
                Way::BesideFrame { .. } | Way::PutIntoFrame => through_vlan,
            };
            sender.send(&question.frame()).expect("a frame is sent");
            let reason = counted(counters, &before).expect("a packet is counted");
            match question.case.outcome {
                Outcome::Answered(mac, tags) => {
                    let reply = client.receive().expect("a frame for the client");
                    check(&question.answered(mac, tags), reason, &reply);
                    assert_eq!(behind.receive_waiting(), None, "answered twice");
                }
                Outcome::NoRoute { arrives } => {
                    assert_eq!(reason, Reason::NoRoute);
                    let message = arrives.then(|| question.query.query.octets());
                    assert_eq!(behind.receive(arrives), message, "at the server behind");
                    let replies = client.receive_waiting().expect("a socket");
                    assert_eq!(replies, None, "nobody answers");
                }
            }
        });
    }
}

impl Question<'_> {
    fn path(&self) -> Path {
        self.query.path.clone().from(self.case.client)
    }

    /// The frame that is handed to the sender.
    fn frame(&self) -> Vec<u8> {
        let path = match self.case.way {
            Way::Tagged(tags) => self.path().tagged(tags),
            Way::BesideFrame { .. } | Way::PutIntoFrame => self.path(),
        };
        filled_up(&path.frame(&self.query.query.octets()))
    }

    /// The case of the table for a reply to this MAC address, in these VLANs.
    fn answered(&self, mac: [u8; 6], tags: &[Tag]) -> Golden {
        Golden {
            path: Path {
                source_mac: mac,
                ..self.path().tagged(tags)
            },
            ..self.query.clone()
        }
    }
}

/// Sets where tags are on the way.
fn set_offloads(way: Way) -> Result<()> {
    let (txvlan, rxvlan) = match way {
        Way::Tagged(_) => (true, true),
        Way::BesideFrame { rxvlan } => (true, rxvlan),
        Way::PutIntoFrame => (false, true),
    };
    for (end, feature, on) in [(CLIENT_END, TXVLAN, txvlan), (SERVER_END, RXVLAN, rxvlan)] {
        ethtool::set_features(end, &[feature], on)
            .with_context(|| format!("{feature} of {end}"))?;
        let features = ethtool::features(end)?;
        let is_set = |other: &ethtool::Feature| other.name == feature && other.active == on;
        ensure!(
            features.iter().any(is_set),
            "{feature} of {end} cannot be set to {on}"
        );
    }
    Ok(())
}

/// Waits for the outcome of a packet.
fn counted(counters: &Counters, before: &[(Reason, u64)]) -> Result<Reason> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let after = counters.read()?;
        if after != before {
            return Ok(one_outcome(before, &after));
        }
        ensure!(Instant::now() < deadline, "the program sees no packet");
        thread::sleep(Duration::from_millis(1));
    }
}
