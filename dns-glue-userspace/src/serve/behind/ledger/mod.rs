//! What was seen of the server behind, over time, and what follows from it.

mod entry;
mod event;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use domain::base::Name;

use super::probe::Answers;
use super::status::BehindStatus;
pub use super::steady::Turn;
use super::{Policy, ProbedZone};
use entry::Entry;
pub use event::{Event, Question};

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Zones whose referrals are to be withheld: their queries pass.
    pub withheld: BTreeMap<Name<Vec<u8>>, Withheld>,
    /// Whether no zone is answered at any service address, and
    /// `--require-fallback` is given: all zones are withheld, and whoever
    /// announces the addresses should withdraw them.
    pub nothing_answered: bool,
    /// Whether each zone was asked for at each address, and there are some.
    /// Until then nothing is withheld that was not seen to be, but for what has
    /// to be proven first.
    pub complete: bool,
}

/// Why the referrals of a zone are withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// Its serial has differed for longer than `--max-lag`.
    Lag,
    /// The server behind answers for it at no address, and `--require-fallback`
    /// is given.
    Unanswered,
    /// The server behind was not asked yet since the start, and has to be before
    /// the first referral: see [`Ledger::prove_first`].
    Unproven,
}

impl Withheld {
    /// A word that does not change.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lag => "lag",
            Self::Unanswered => "unanswered",
            Self::Unproven => "unproven",
        }
    }
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Ledger {
    policy: Policy,
    entries: Vec<Entry>,
    addresses: BTreeSet<IpAddr>,
    /// Whether no zone is answered at any address. Stays what it was while an
    /// address that has come was not asked yet.
    is_unanswered: bool,
    /// Zones that are withheld until each was asked for at each address.
    unproven: BTreeSet<Name<Vec<u8>>>,
}

impl Ledger {
    /// Nothing was seen yet, and nothing is asked.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            entries: Vec::new(),
            addresses: BTreeSet::new(),
            is_unanswered: false,
            unproven: BTreeSet::new(),
        }
    }

    /// From now on these are the zones. What was seen of those that were there
    /// before is kept; a serial of ours that is new has its own lag.
    pub fn set_zones(&mut self, zones: &[ProbedZone], now: Instant) -> Vec<Event> {
        let mut before = std::mem::take(&mut self.entries);
        let mut events = Vec::new();
        for zone in zones {
            let known = before.iter().position(|one| one.zone().apex == zone.apex);
            let entry = match known.map(|place| before.swap_remove(place)) {
                Some(mut entry) => {
                    events.extend(entry.set_zone(zone.clone(), now));
                    entry
                }
                None => Entry::new(zone.clone()),
            };
            self.entries.push(entry);
        }
        self.settle();
        events
    }

    /// Recalls what an earlier daemon has told, `age` ago.
    pub fn recall(&mut self, told: &BehindStatus, age: Duration, now: Instant) {
        for entry in &mut self.entries {
            let apex = entry.zone().apex.fmt_with_dot().to_string();
            let zone = told.zones.iter().find(|zone| zone.apex == apex);
            let Some(seconds) = zone.and_then(|zone| zone.differs_seconds) else {
                continue;
            };
            let differs = Duration::from_secs(seconds).saturating_add(age);
            // Since the machine runs, at the most.
            entry.recall(now.checked_sub(differs).unwrap_or(now));
        }
    }

    /// Withholds these zones until it is complete what was seen: until then
    /// nobody knows whether they need not be.
    pub fn prove_first(&mut self, zones: BTreeSet<Name<Vec<u8>>>) {
        self.unproven = zones;
        self.settle();
    }

    /// From now on these are the service addresses.
    pub fn set_addresses(&mut self, addresses: BTreeSet<IpAddr>, now: Instant) -> Vec<Event> {
        self.addresses = addresses;
        let mut events = Vec::new();
        for entry in &mut self.entries {
            events.extend(entry.keep_addresses(&self.addresses, now));
        }
        self.settle();
        events
    }

    /// Notes what was said at a service address of each zone, as it was asked
    /// about; what somebody should know of. There may have been other zones
    /// since.
    pub fn note<'a>(
        &mut self,
        address: IpAddr,
        said: impl Iterator<Item = (&'a ProbedZone, &'a Answers)>,
        now: Instant,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for (number, (asked, answers)) in said.enumerate() {
            let Some(entry) = self.entry_of(asked, number) else {
                continue;
            };
            for event in entry.note(address, asked, answers, now) {
                event::add(&mut events, event);
            }
        }
        self.settle();
        events
    }

    /// Of a zone that was asked about, if it is still there: most often at the
    /// same place.
    fn entry_of(&mut self, asked: &ProbedZone, number: usize) -> Option<&mut Entry> {
        let is_asked = |entry: &Entry| entry.zone().apex == asked.apex;
        let place = match self.entries.get(number) {
            Some(entry) if is_asked(entry) => number,
            _ => self.entries.iter().position(is_asked)?,
        };
        self.entries.get_mut(place)
    }

    /// Draws the conclusions that hold until something else is sure.
    fn settle(&mut self) {
        for entry in &mut self.entries {
            entry.settle(&self.addresses);
        }
        let is_answered = |address: &IpAddr| self.is_answered_at(*address);
        let addresses: Vec<_> = self.addresses.iter().map(is_answered).collect();
        self.is_unanswered = settled(self.is_unanswered, &addresses);
        if self.is_complete() {
            self.unproven.clear();
        }
    }

    /// Whether any zone is answered at an address; `None` if none was asked for
    /// yet.
    fn is_answered_at(&self, address: IpAddr) -> Option<bool> {
        let entries = self.entries.iter();
        entries
            .filter_map(|entry| entry.is_answered_at(address))
            .reduce(|one, other| one || other)
    }

    /// What follows from it at a moment.
    pub fn judgement(&self, now: Instant) -> Judgement {
        let mut judgement = Judgement {
            complete: self.is_complete(),
            ..Judgement::default()
        };
        for entry in &self.entries {
            if let Some(why) = self.withheld(entry, now) {
                judgement.withheld.insert(entry.zone().apex.clone(), why);
            }
        }
        if self.policy.require_fallback {
            judgement.nothing_answered = self.is_unanswered;
        }
        judgement
    }

    fn withheld(&self, entry: &Entry, now: Instant) -> Option<Withheld> {
        if entry.lags_longer_than(self.policy.max_lag, now) {
            return Some(Withheld::Lag);
        }
        if self.policy.require_fallback && entry.is_unanswered() {
            return Some(Withheld::Unanswered);
        }
        let is_unproven = self.unproven.contains(&entry.zone().apex);
        is_unproven.then_some(Withheld::Unproven)
    }

    /// When the next lag becomes too long, if no server is heard of until then.
    pub fn next_lag(&self, now: Instant) -> Option<Instant> {
        let max_lag = self.policy.max_lag;
        let entries = self.entries.iter();
        entries
            .filter(|entry| !entry.lags_longer_than(max_lag, now))
            .filter_map(|entry| entry.lags_too_long_at(max_lag))
            .min()
    }

    fn is_complete(&self) -> bool {
        if self.addresses.is_empty() {
            return false;
        }
        self.entries.iter().all(|entry| {
            let mut addresses = self.addresses.iter();
            addresses.all(|address| entry.is_answered_at(*address).is_some())
        })
    }

    /// What `dns-glue status` tells at a moment.
    pub fn status(&self, now: Instant) -> BehindStatus {
        let entries = self.entries.iter();
        BehindStatus {
            nothing_answered: self.judgement(now).nothing_answered,
            zones: entries
                .map(|entry| entry.status(&self.addresses, self.withheld(entry, now), now))
                .collect(),
        }
    }
}

/// Whether nothing is answered, as far as the addresses tell; what it was
/// before, if one that was not asked yet may tell otherwise.
fn settled(before: bool, addresses: &[Option<bool>]) -> bool {
    if addresses.is_empty() || addresses.contains(&Some(true)) {
        return false;
    }
    before || !addresses.contains(&None)
}

#[cfg(test)]
mod tests;
