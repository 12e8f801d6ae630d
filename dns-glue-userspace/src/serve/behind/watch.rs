//! The server behind, asked again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use domain::base::Name;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::ledger::{Event, Judgement, Ledger, Withheld};
use super::probe::{Answers, probe};
use super::status::BehindStatus;
use super::{Policy, ProbedZone, Timing, list_zones};

/// Addresses that are asked at a time: each takes nine sockets at most.
const AT_A_TIME: usize = 32;
/// Rounds that have to show the same before the next may come later.
const SETTLED: u8 = 3;

/// Watches the server behind. Lives in a tokio runtime; dropped, it ends.
pub struct Watch {
    ledger: Ledger,
    /// The last that was returned.
    judgement: Judgement,
    /// Whether somebody was told since of what [`Watch::status`] tells too.
    has_news: bool,
    port: u16,
    timing: Timing,
    zones: watch::Sender<Arc<[ProbedZone]>>,
    /// One for each service address.
    probers: BTreeMap<IpAddr, AbortHandle>,
    tasks: JoinSet<()>,
    permits: Arc<Semaphore>,
    rounds: mpsc::Receiver<Round>,
    /// Given to each prober; kept, so that the channel never ends.
    sender: mpsc::Sender<Round>,
}

/// What one round of probes at an address came to.
struct Round {
    address: IpAddr,
    /// The zones that were asked about.
    zones: Arc<[ProbedZone]>,
    answers: Vec<Answers>,
}

impl Watch {
    /// Asks nobody yet: there are neither zones nor addresses.
    pub fn new(policy: Policy, port: u16, timing: Timing) -> Self {
        let (sender, rounds) = mpsc::channel(AT_A_TIME);
        Self {
            ledger: Ledger::new(policy),
            judgement: Judgement::default(),
            has_news: false,
            port,
            timing,
            zones: watch::Sender::new(Arc::from([])),
            probers: BTreeMap::new(),
            tasks: JoinSet::new(),
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
            rounds,
            sender,
        }
    }

    /// From now on the program answers from these zones, in the order in which
    /// `status` is to tell them. They are asked about at once, but for rounds
    /// under way, which go on: a server that hangs must be seen to hang, however
    /// often there are other zones. What such a round comes to is of use yet for
    /// zones that are still there.
    pub fn set_zones(&mut self, zones: Vec<ProbedZone>) {
        let events = self.ledger.set_zones(&zones, now());
        events.iter().for_each(log_event);
        self.zones.send_replace(zones.into());
    }

    /// What would have to be done if the program answered from these zones;
    /// nothing is different for it.
    pub fn foresee(&self, zones: &[ProbedZone]) -> Judgement {
        let now = now();
        let mut ledger = self.ledger.clone();
        ledger.set_zones(zones, now);
        ledger.judgement(now)
    }

    /// Recalls what an earlier daemon has told, `age` ago, of the zones.
    pub fn recall(&mut self, told: &BehindStatus, age: Duration) {
        self.ledger.recall(told, age, now());
    }

    /// Withholds these zones until each zone was asked for at each address.
    pub fn prove_first(&mut self, zones: BTreeSet<Name<Vec<u8>>>) {
        self.ledger.prove_first(zones);
    }

    /// From now on these are the service addresses. New ones are asked at once.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn set_addresses(&mut self, addresses: &BTreeSet<IpAddr>) {
        self.probers.retain(|address, prober| {
            let is_wanted = addresses.contains(address);
            if !is_wanted {
                prober.abort();
            }
            is_wanted
        });
        while self.tasks.try_join_next().is_some() {}
        for address in addresses {
            if !self.probers.contains_key(address) {
                let prober = self.prober(*address);
                self.probers
                    .insert(*address, self.tasks.spawn(prober.run()));
            }
        }
        let events = self.ledger.set_addresses(addresses.clone(), now());
        events.iter().for_each(log_event);
        self.has_news |= !events.is_empty();
    }

    fn prober(&self, address: IpAddr) -> Prober {
        Prober {
            server: SocketAddr::new(address, self.port),
            timing: self.timing,
            zones: self.zones.subscribe(),
            permits: Arc::clone(&self.permits),
            rounds: self.sender.clone(),
        }
    }

    /// Waits until what is to be done differs from what was returned last, which
    /// is a [`Judgement::default`] at first, or until something was seen that an
    /// operator should know: that is logged, and [`Watch::status`] tells it from
    /// then on. What is to be done.
    ///
    /// Cancel safe: nothing is lost if it is not waited for.
    pub async fn changed(&mut self) -> Judgement {
        loop {
            let before = self.judgement.clone();
            let judgement = self.judge();
            if std::mem::take(&mut self.has_news) || judgement != before {
                return judgement;
            }
            let round = self.rounds.recv();
            // A lag becomes too long by the clock alone.
            let round = match self.ledger.next_lag(now()) {
                Some(at) => timeout_at(at.into(), round).await.ok(),
                None => Some(round.await),
            };
            if let Some(round) = round {
                self.note(round.expect("a sender is kept"));
            }
        }
    }

    /// What is to be done now, as [`Watch::changed`] would return it.
    pub fn judge(&mut self) -> Judgement {
        let judgement = self.ledger.judgement(now());
        if judgement != self.judgement {
            log_changes(&self.judgement, &judgement);
            self.judgement = judgement.clone();
        }
        judgement
    }

    fn note(&mut self, round: Round) {
        let Round {
            address,
            zones,
            answers,
        } = round;
        // It may have gone meanwhile.
        if self.probers.contains_key(&address) {
            let said = zones.iter().zip(&answers);
            let events = self.ledger.note(address, said, now());
            events.iter().for_each(log_event);
            self.has_news |= !events.is_empty();
        }
    }

    /// What `dns-glue status` tells.
    pub fn status(&self) -> BehindStatus {
        self.ledger.status(now())
    }
}

/// By the clock of the runtime, as all waiting is.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Asks at one service address, for ever.
struct Prober {
    server: SocketAddr,
    timing: Timing,
    zones: watch::Receiver<Arc<[ProbedZone]>>,
    permits: Arc<Semaphore>,
    rounds: mpsc::Sender<Round>,
}

impl Prober {
    /// Ends with the [`Watch`].
    async fn run(mut self) {
        let mut pace = Pace::default();
        loop {
            let began = Instant::now();
            let zones = Arc::clone(&self.zones.borrow_and_update());
            let answers = {
                // Never closed.
                let _permit = self.permits.acquire().await;
                probe(self.server, &zones, &self.timing).await
            };
            let pause = pace.after(&answers, &self.timing);
            let round = Round {
                address: self.server.ip(),
                zones,
                answers,
            };
            if self.rounds.send(round).await.is_err() {
                return;
            }
            if self.pause(began, pause).await.is_none() {
                return;
            }
        }
    }

    /// Waits for the next round: for `pause`, or less if there are other zones.
    /// Failures are counted, so even then rounds keep their distance. `None` at
    /// the end of the [`Watch`].
    async fn pause(&mut self, began: Instant, pause: Duration) -> Option<()> {
        let next = Instant::now() + jittered(pause);
        if let Ok(changed) = timeout_at(next, self.zones.changed()).await {
            changed.ok()?;
            sleep_until(next.min(began + self.timing.unsettled_period)).await;
        }
        Some(())
    }
}

/// How soon the next round comes: sooner while rounds show different things, so
/// that what has changed is sure soon.
#[derive(Debug, Default)]
struct Pace {
    /// What worked in the last round.
    last: Vec<[bool; 2]>,
    /// Rounds that showed that.
    times: u8,
}

impl Pace {
    fn after(&mut self, answers: &[Answers], timing: &Timing) -> Duration {
        let works = answers
            .iter()
            .map(|answers| [answers.udp.is_ok(), answers.tcp.is_ok()]);
        let works: Vec<[bool; 2]> = works.collect();
        if works == self.last {
            self.times = self.times.saturating_add(1);
        } else {
            self.last = works;
            self.times = 1;
        }
        if self.times < SETTLED {
            timing.unsettled_period
        } else {
            timing.period
        }
    }
}

/// Give or take a tenth, lest all addresses be asked at once for ever.
fn jittered(period: Duration) -> Duration {
    let drawn = getrandom::u32().unwrap_or(u32::MAX / 2);
    period.mul_f64(0.9 + 0.2 * f64::from(drawn) / f64::from(u32::MAX))
}

fn log_event(event: &Event) {
    log::log!(event.level(), "{event}");
}

/// Logs what is to be done from now on.
fn log_changes(before: &Judgement, now: &Judgement) {
    for (why, what) in [
        (
            Withheld::Lag,
            "the server behind has had another serial for longer than --max-lag",
        ),
        (
            Withheld::Unanswered,
            "the server behind does not answer, and --require-fallback is given",
        ),
        (
            Withheld::Unproven,
            "until the server behind was asked for each zone at each service address",
        ),
    ] {
        let withheld = now
            .withheld
            .iter()
            .filter(|(zone, other)| **other == why && before.withheld.get(*zone) != Some(&why));
        let withheld: Vec<_> = withheld.map(|(zone, _)| zone.clone()).collect();
        if !withheld.is_empty() {
            log::warn!("referrals are withheld: {what} ({})", list_zones(&withheld));
        }
    }
    let answered = before.withheld.keys();
    let answered = answered.filter(|zone| !now.withheld.contains_key(*zone));
    let answered: Vec<_> = answered.cloned().collect();
    if !answered.is_empty() {
        log::info!(
            "referrals are given from now on ({})",
            list_zones(&answered)
        );
    }
}

#[cfg(test)]
mod tests;
