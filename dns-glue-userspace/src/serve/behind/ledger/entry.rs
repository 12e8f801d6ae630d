//! What was seen of one zone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use domain::base::Serial;

use super::super::ProbedZone;
use super::super::probe::Answers;
use super::super::reply::Problem;
use super::super::status::{AddressBehind, Agreement, QuestionStatus, ZoneBehind};
use super::super::steady::Steady;
use super::event::{Event, Question};
use super::{Withheld, settled};

/// One zone.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    zone: ProbedZone,
    places: BTreeMap<IpAddr, Place>,
    /// Since when the serials differ, if they do.
    differs: Option<Instant>,
    /// Whether it is answered at no address. Stays what it was while an address
    /// that has come was not asked yet.
    is_unanswered: bool,
}

/// One zone at one service address.
#[derive(Clone, Debug, Default)]
struct Place {
    /// In the order of [`Question::ALL`].
    questions: [Steady; Question::ALL.len()],
    told: Option<Told>,
}

/// The serial that was told last.
#[derive(Clone, Copy, Debug)]
struct Told {
    serial: u32,
    /// When it was told first.
    since: Instant,
    /// Whether the last round of probes told it: if not, the server behind may
    /// have another by now.
    is_current: bool,
}

impl Entry {
    /// Of which nothing was seen yet.
    pub(super) fn new(zone: ProbedZone) -> Self {
        Self {
            zone,
            places: BTreeMap::new(),
            differs: None,
            is_unanswered: false,
        }
    }

    pub(super) fn zone(&self) -> &ProbedZone {
        &self.zone
    }

    /// An earlier daemon has seen that the serials differ, since then.
    pub(super) fn recall(&mut self, since: Instant) {
        self.differs = Some(since);
    }

    /// From now on the program answers from this version of the zone.
    pub(super) fn set_zone(&mut self, zone: ProbedZone, now: Instant) -> Option<Event> {
        if zone.delegation != self.zone.delegation {
            for place in self.places.values_mut() {
                place.questions[Question::Referral as usize] = Steady::default();
            }
        }
        let is_new = zone.serial != self.zone.serial;
        self.zone = zone;
        if !is_new {
            return None;
        }
        // Both have changed since they began to differ: what lags now lags
        // since the server behind has what it has.
        if let Some(since) = self.differs {
            let told = self.told().map(|told| told.since).min();
            self.differs = Some(told.map_or(since, |told| told.max(since)));
        }
        self.compare(now)
    }

    /// Forgets what was seen at other addresses.
    pub(super) fn keep_addresses(
        &mut self,
        addresses: &BTreeSet<IpAddr>,
        now: Instant,
    ) -> Option<Event> {
        let was_asked = !self.places.is_empty();
        self.places.retain(|address, _| addresses.contains(address));
        if was_asked && self.places.is_empty() {
            self.differs = None;
        }
        self.compare(now)
    }

    /// Notes what was said at an address of the zone as it was asked about: of
    /// another delegation than is asked about by now nothing is noted.
    pub(super) fn note(
        &mut self,
        address: IpAddr,
        asked: &ProbedZone,
        answers: &Answers,
        now: Instant,
    ) -> Vec<Event> {
        let is_same_delegation = asked.delegation == self.zone.delegation;
        let place = self.places.entry(address).or_default();
        let mut events = Vec::new();
        for (question, steady) in Question::ALL.into_iter().zip(&mut place.questions) {
            if question == Question::Referral && !is_same_delegation {
                continue;
            }
            let Some(seen) = seen(answers, question) else {
                continue;
            };
            if let Some(turn) = steady.note(seen, now) {
                events.push(Event::Turned {
                    address,
                    question,
                    turn,
                    zones: vec![self.zone.apex.clone()],
                });
            }
        }
        let serial = answers.udp.as_ref().or(answers.tcp.as_ref());
        place.note_serial(serial.ok().copied(), now);
        events.extend(self.compare(now));
        events
    }

    /// Serials that the last round of probes told.
    fn told(&self) -> impl Iterator<Item = Told> {
        let places = self.places.values();
        places.filter_map(|place| place.told.filter(|told| told.is_current))
    }

    fn agreement(&self) -> Agreement {
        let ours = Serial::from(self.zone.serial);
        let mut agreement = Agreement::Unknown;
        for told in self.told() {
            let theirs = Serial::from(told.serial);
            if theirs == ours {
                agreement = Agreement::Agrees;
            } else if theirs < ours {
                return Agreement::Leads;
            } else {
                return Agreement::Lags;
            }
        }
        agreement
    }

    /// Notes whether the serials differ. If the server behind tells none, what
    /// was so stays so.
    fn compare(&mut self, now: Instant) -> Option<Event> {
        match self.agreement() {
            Agreement::Unknown => None,
            Agreement::Agrees => self.differs.take().map(|since| Event::Agrees {
                zone: self.zone.apex.clone(),
                serial: self.zone.serial,
                differed: now.saturating_duration_since(since),
            }),
            Agreement::Lags | Agreement::Leads => {
                if self.differs.is_some() {
                    return None;
                }
                self.differs = Some(now);
                let ours = self.zone.serial;
                let other = self.told().find(|told| told.serial != ours);
                other.map(|told| Event::Differs {
                    zone: self.zone.apex.clone(),
                    ours,
                    theirs: told.serial,
                })
            }
        }
    }

    /// Whether the serials have differed for longer than that.
    pub(super) fn lags_longer_than(&self, limit: Duration, now: Instant) -> bool {
        self.differs
            .is_some_and(|since| now.saturating_duration_since(since) > limit)
    }

    /// When the serials will have differed for longer than that, or have.
    pub(super) fn lags_too_long_at(&self, limit: Duration) -> Option<Instant> {
        let differed = limit.checked_add(Duration::from_nanos(1))?;
        self.differs?.checked_add(differed)
    }

    /// Whether the server behind answers for the zone at an address, over UDP
    /// and TCP; `None` if it was not asked yet.
    pub(super) fn is_answered_at(&self, address: IpAddr) -> Option<bool> {
        let place = self.places.get(&address)?;
        let over = |question: Question| place.questions[question as usize].works();
        Some(over(Question::Udp)? && over(Question::Tcp)?)
    }

    /// Draws the conclusion that holds until something else is sure.
    pub(super) fn settle(&mut self, addresses: &BTreeSet<IpAddr>) {
        let is_answered = |address: &IpAddr| self.is_answered_at(*address);
        let addresses: Vec<_> = addresses.iter().map(is_answered).collect();
        self.is_unanswered = settled(self.is_unanswered, &addresses);
    }

    /// Whether it is answered at no address.
    pub(super) fn is_unanswered(&self) -> bool {
        self.is_unanswered
    }

    pub(super) fn status(
        &self,
        addresses: &BTreeSet<IpAddr>,
        withheld: Option<Withheld>,
        now: Instant,
    ) -> ZoneBehind {
        let unseen = Place::default();
        let place = |address: &IpAddr| self.places.get(address).unwrap_or(&unseen);
        let addresses = addresses.iter();
        ZoneBehind {
            apex: self.zone.apex.fmt_with_dot().to_string(),
            serial: self.zone.serial,
            agreement: self.agreement(),
            differs_seconds: self
                .differs
                .map(|since| now.saturating_duration_since(since).as_secs()),
            withheld: withheld.map(|why| why.name().to_owned()),
            addresses: addresses
                .map(|address| place(address).status(*address, now))
                .collect(),
        }
    }
}

/// What an answer shows of a question: a problem, or none; `None` if it was not
/// asked.
fn seen(answers: &Answers, question: Question) -> Option<Option<&Problem>> {
    match question {
        Question::Udp => Some(answers.udp.as_ref().err()),
        Question::Tcp => Some(answers.tcp.as_ref().err()),
        Question::Miss => answers.miss.as_ref().map(|miss| miss.as_ref().err()),
        Question::Referral => answers.referral.as_ref().map(|one| one.as_ref().err()),
    }
}

impl Place {
    fn note_serial(&mut self, serial: Option<u32>, now: Instant) {
        match (serial, &mut self.told) {
            (Some(serial), Some(told)) if told.serial == serial => told.is_current = true,
            (Some(serial), told) => {
                *told = Some(Told {
                    serial,
                    since: now,
                    is_current: true,
                });
            }
            (None, Some(told)) => told.is_current = false,
            (None, None) => {}
        }
    }

    fn status(&self, address: IpAddr, now: Instant) -> AddressBehind {
        let [udp, tcp, miss, referral] = self
            .questions
            .each_ref()
            .map(|steady| question_status(steady, now));
        AddressBehind {
            address,
            serial: self.told.map(|told| told.serial),
            udp,
            tcp,
            miss,
            referral,
        }
    }
}

fn question_status(steady: &Steady, now: Instant) -> QuestionStatus {
    steady
        .held()
        .map_or_else(QuestionStatus::default, |held| QuestionStatus {
            answered: Some(held.problem.is_none()),
            problem: held.problem.as_ref().map(ToString::to_string),
            seconds: now.saturating_duration_since(held.since).as_secs(),
        })
}
