//! The server behind, asked again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

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
    /// `status` is to tell them. They are asked about at once.
    pub fn set_zones(&mut self, zones: Vec<ProbedZone>) {
        let events = self.ledger.set_zones(&zones, Instant::now());
        events.iter().for_each(log_event);
        self.zones.send_replace(zones.into());
    }

    /// Recalls what an earlier daemon has told, `age` ago, of the zones.
    pub fn recall(&mut self, told: &BehindStatus, age: Duration) {
        self.ledger.recall(told, age, Instant::now());
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
        let events = self.ledger.set_addresses(addresses.clone(), Instant::now());
        events.iter().for_each(log_event);
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

    /// Waits until what is to be done differs from what was returned last; at
    /// first that is a [`Judgement::default`]. Logs what an operator should
    /// know meanwhile.
    ///
    /// Cancel safe: nothing is lost if it is not waited for.
    pub async fn changed(&mut self) -> Judgement {
        loop {
            let before = self.judgement.clone();
            let judgement = self.judge();
            if judgement != before {
                return judgement;
            }
            let round = self.rounds.recv().await;
            self.note(round.expect("a sender is kept"));
        }
    }

    /// What is to be done now, as [`Watch::changed`] would return it.
    pub fn judge(&mut self) -> Judgement {
        let judgement = self.ledger.judgement(Instant::now());
        if judgement != self.judgement {
            log_changes(&self.judgement, &judgement);
            self.judgement = judgement.clone();
        }
        judgement
    }

    fn note(&mut self, round: Round) {
        // Under way while the zones or addresses changed: of no use any more.
        let is_current = Arc::ptr_eq(&round.zones, &self.zones.borrow());
        if is_current && self.probers.contains_key(&round.address) {
            let Round {
                address, answers, ..
            } = round;
            let events = self.ledger.note(address, &answers, Instant::now());
            events.iter().for_each(log_event);
        }
    }

    /// What `dns-glue status` tells.
    pub fn status(&self) -> BehindStatus {
        self.ledger.status(Instant::now())
    }
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
            let zones = Arc::clone(&self.zones.borrow_and_update());
            let probing = async {
                // Never closed.
                let _permit = self.permits.acquire().await;
                probe(self.server, &zones, &self.timing).await
            };
            let answers = tokio::select! {
                answers = probing => answers,
                changed = self.zones.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
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
            tokio::select! {
                () = sleep(jittered(pause)) => {}
                changed = self.zones.changed() => if changed.is_err() {
                    return;
                },
            }
        }
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
        log::info!("referrals are given again ({})", list_zones(&answered));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::behind::Problem;

    #[test]
    fn rounds_come_sooner_until_three_have_shown_the_same() {
        let timing = Timing::default();
        let works = Answers {
            udp: Ok(1),
            tcp: Ok(1),
            miss: None,
            referral: None,
        };
        let fails = Answers {
            udp: Err(Problem::NoReply),
            ..works.clone()
        };
        let mut pace = Pace::default();
        let rounds = [
            &works, &works, &works, &works, &fails, &works, &works, &works,
        ];
        let pauses = rounds.map(|answers| pace.after(std::slice::from_ref(answers), &timing));
        let [soon, later] = [timing.unsettled_period, timing.period];
        assert_eq!(pauses, [soon, soon, later, later, soon, soon, soon, later]);
    }

    #[test]
    fn pauses_differ_by_a_tenth_at_most() {
        let period = Duration::from_secs(10);
        for _ in 0..100 {
            let pause = jittered(period);
            assert!(pause >= period.mul_f64(0.899) && pause <= period.mul_f64(1.101));
        }
    }
}
