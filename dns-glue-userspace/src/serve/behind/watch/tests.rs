//! Tests of the watch, with a clock that nobody waits for.

use super::*;
use crate::serve::behind::Problem;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use tokio::time::timeout;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn zone(serial: u32) -> ProbedZone {
    ProbedZone {
        apex: Name::vec_from_str("glue.example.").expect("a name"),
        serial,
        delegation: None,
    }
}

fn told(serial: u32) -> Answers {
    Answers {
        udp: Ok(serial),
        tcp: Ok(serial),
        miss: None,
        referral: None,
    }
}

impl Watch {
    /// As if a round of probes had shown that.
    fn has_seen(&mut self, serial: u32, answers: &Answers) {
        let said = [(&zone(serial), answers)];
        self.ledger.note(ADDRESS, said.into_iter(), now());
    }
}

/// Takes queries and connections, and says nothing.
fn hanging() -> (UdpSocket, TcpListener, u16) {
    loop {
        let tcp = TcpListener::bind((ADDRESS, 0)).expect("a listener");
        let port = tcp.local_addr().expect("an address").port();
        // Somebody else may have it over UDP.
        if let Ok(udp) = UdpSocket::bind((ADDRESS, port)) {
            udp.set_nonblocking(true).expect("a socket");
            return (udp, tcp, port);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_is_seen_to_hang_however_often_zones_are_reloaded() {
    let policy = Policy {
        max_lag: Duration::MAX,
        require_fallback: true,
    };
    let (udp, _tcp, port) = hanging();
    let mut watch = Watch::new(policy, port, Timing::default());
    watch.set_zones(vec![zone(0)]);
    watch.set_addresses(&BTreeSet::from([ADDRESS]));
    watch.has_seen(0, &told(0));
    // More often than a query is waited for.
    let often = Timing::default().patience / 2;
    let mut serial = 0;
    loop {
        let changed = timeout(often, watch.changed()).await;
        if changed.is_ok_and(|judgement| judgement.nothing_answered) {
            break;
        }
        serial += 1;
        assert!(serial < 1000, "it is not noticed");
        watch.set_zones(vec![zone(serial)]);
    }
    // Three rounds of three, and the first of the next.
    let mut queries = 0;
    while udp.recv(&mut [0; 512]).is_ok() {
        queries += 1;
    }
    assert!((9..=10).contains(&queries), "{queries}");
}

#[tokio::test(start_paused = true)]
async fn rounds_keep_their_distance_when_zones_are_reloaded_at_every_moment() {
    let policy = Policy {
        max_lag: Duration::MAX,
        require_fallback: true,
    };
    // Nobody listens, which is known at once.
    let (_, _, port) = hanging();
    let mut watch = Watch::new(policy, port, Timing::default());
    watch.set_zones(vec![zone(0)]);
    watch.set_addresses(&BTreeSet::from([ADDRESS]));
    watch.has_seen(0, &told(0));
    let began = Instant::now();
    let mut serial = 0;
    while !watch.judge().nothing_answered {
        let _ = timeout(Duration::from_millis(10), watch.changed()).await;
        serial += 1;
        watch.set_zones(vec![zone(serial)]);
    }
    // Three failures; of a clock that nothing turns but the waiting.
    let due = Timing::default().unsettled_period.mul_f64(2.0 * 0.9);
    assert!(began.elapsed() >= due, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lag_ends_by_the_clock_whatever_is_reloaded() {
    let policy = Policy {
        max_lag: Duration::from_secs(60),
        require_fallback: false,
    };
    // Nobody is asked: what was seen stays what it is.
    let mut watch = Watch::new(policy, 53, Timing::default());
    let apex = zone(1).apex;
    watch.set_zones(vec![zone(1)]);
    watch.has_seen(1, &told(5));
    let began = Instant::now();
    for serial in 2..=4 {
        let changed = timeout(Duration::from_secs(15), watch.changed());
        assert!(changed.await.is_err(), "nothing changes yet");
        watch.set_zones(vec![zone(serial)]);
    }
    // One that would agree, and does not come to answer.
    assert!(watch.foresee(&[zone(5)]).withheld.is_empty());
    let judgement = watch.changed().await;
    assert_eq!(judgement.withheld.get(&apex), Some(&Withheld::Lag));
    assert_eq!(began.elapsed().as_secs(), 60);
    assert!(watch.foresee(&[zone(5)]).withheld.is_empty());
    assert_eq!(watch.judge(), judgement);
    watch.set_zones(vec![zone(5)]);
    assert!(watch.judge().withheld.is_empty());
}

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
