//! Tests of the ledger, with times that nobody waits for.

use std::time::Duration;

use super::*;
use crate::serve::behind::Problem;
use crate::serve::behind::status::Agreement;
use domain::base::iana::Rcode;

const FIRST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const SECOND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
const MAX_LAG: Duration = Duration::from_secs(60);

fn zone(apex: &str, serial: u32) -> ProbedZone {
    ProbedZone {
        apex: Name::vec_from_str(apex).expect("a name"),
        serial,
        delegation: None,
    }
}

fn told(serial: u32) -> Answers {
    Answers {
        udp: Ok(serial),
        tcp: Ok(serial),
        miss: Some(Ok(())),
        referral: None,
    }
}

fn silent() -> Answers {
    Answers {
        udp: Err(Problem::NoReply),
        tcp: Err(Problem::NoReply),
        miss: None,
        referral: None,
    }
}

fn refused() -> Answers {
    let refused = || Problem::Rcode(Rcode::REFUSED);
    Answers {
        udp: Err(refused()),
        tcp: Err(refused()),
        miss: Some(Err(refused())),
        referral: None,
    }
}

/// A ledger, and a clock that tests turn.
struct Story {
    ledger: Ledger,
    /// What is asked about.
    zones: Vec<ProbedZone>,
    start: Instant,
    seconds: u64,
}

impl Story {
    /// Of a zone `a.` of serial 5 and a zone `b.` of serial 7, at one address.
    fn new(require_fallback: bool) -> Self {
        Self::at(require_fallback, &[FIRST])
    }

    fn at(require_fallback: bool, addresses: &[IpAddr]) -> Self {
        let policy = Policy {
            max_lag: MAX_LAG,
            require_fallback,
        };
        let mut story = Self {
            ledger: Ledger::new(policy),
            zones: vec![zone("a.", 5), zone("b.", 7)],
            start: Instant::now(),
            seconds: 0,
        };
        let now = story.now();
        let addresses = addresses.iter().copied().collect();
        story.ledger.set_addresses(addresses, now);
        story.ledger.set_zones(&story.zones, now);
        story
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.seconds)
    }

    /// Ten seconds later this is said of `a.` and `b.`; what is told of it.
    fn note(&mut self, address: IpAddr, a: Answers, b: Answers) -> Vec<Event> {
        self.seconds += 10;
        let said = [a, b];
        let said = self.zones.iter().zip(&said);
        self.ledger.note(
            address,
            said,
            self.start + Duration::from_secs(self.seconds),
        )
    }

    fn judgement(&self) -> Judgement {
        self.ledger.judgement(self.now())
    }

    /// The zones that are withheld, and why.
    fn withheld(&self) -> Vec<(String, Withheld)> {
        let withheld = self.judgement().withheld.into_iter();
        withheld
            .map(|(apex, why)| (apex.fmt_with_dot().to_string(), why))
            .collect()
    }
}

fn texts(events: &[Event]) -> Vec<String> {
    events.iter().map(ToString::to_string).collect()
}

/// What an earlier daemon has seen goes on, or a restart now and then would put
/// the end off for ever.
#[test]
fn a_lag_lasts_over_a_restart() {
    let mut before = Story::new(false);
    before.note(FIRST, told(6), told(7));
    before.seconds += 50;
    let word = before.ledger.status(before.now());
    assert_eq!(word.zones[0].differs_seconds, Some(50));

    let mut story = Story::new(false);
    // As long as the machine runs: times before that there are none.
    let age = Duration::from_secs(1);
    story.ledger.recall(&word, age, story.now());
    story.note(FIRST, told(6), told(7));
    assert_eq!(story.withheld(), [(String::from("a."), Withheld::Lag)]);
    // And ends with it.
    story.note(FIRST, told(5), told(7));
    assert_eq!(story.withheld(), []);

    let mut story = Story::new(false);
    story.ledger.recall(&word, age, story.now());
    story.note(FIRST, told(5), told(7));
    assert_eq!(story.withheld(), [], "it has ended meanwhile");
}

#[test]
fn nothing_is_known_without_addresses() {
    assert!(!Story::at(true, &[]).judgement().complete);
}

#[test]
fn a_lag_is_told_once_and_withholds_the_zone_until_it_ends() {
    let mut story = Story::new(false);
    assert!(!story.judgement().complete);
    assert_eq!(story.note(FIRST, told(5), told(7)), []);
    assert!(story.judgement().complete);

    let events = story.note(FIRST, told(6), told(7));
    assert_eq!(
        texts(&events),
        ["a.: the server behind has serial 6, the program answers from 5"]
    );
    for _ in 0..6 {
        assert_eq!(story.withheld(), []);
        // Newer still: that lags as long.
        assert_eq!(story.note(FIRST, told(8), told(7)), []);
    }
    let status = story.ledger.status(story.now());
    assert_eq!(status.zones[0].agreement, Agreement::Lags);
    assert_eq!(status.zones[0].differs_seconds, Some(60));
    assert_eq!(status.zones[1].agreement, Agreement::Agrees);
    story.note(FIRST, told(8), told(7));
    assert_eq!(story.withheld(), [(String::from("a."), Withheld::Lag)]);
    assert!(!story.judgement().nothing_answered);

    // The server behind goes back.
    let events = story.note(FIRST, told(5), told(7));
    assert_eq!(
        texts(&events),
        ["a.: the server behind and the program both have serial 5, after 1m 20s"]
    );
    assert_eq!(story.withheld(), []);
}

#[test]
fn a_server_that_is_behind_leads_to_the_same() {
    let mut story = Story::new(false);
    story.note(FIRST, told(4), told(7));
    // Serial arithmetic: 7 is newer than what is nearly 2^32.
    story.note(FIRST, told(4), told(u32::MAX));
    let status = story.ledger.status(story.now());
    assert_eq!(status.zones[0].agreement, Agreement::Leads);
    assert_eq!(status.zones[1].agreement, Agreement::Leads);
    for _ in 0..7 {
        story.note(FIRST, told(4), told(7));
    }
    assert_eq!(story.withheld(), [(String::from("a."), Withheld::Lag)]);
}

#[test]
fn a_reload_ends_a_lag_or_begins_another() {
    let mut story = Story::new(false);
    story.note(FIRST, told(6), told(7));
    for _ in 0..6 {
        story.note(FIRST, told(8), told(7));
    }
    // 8 was there since second 20, 6 since second 10.
    story.seconds += 5;
    let now = story.now();
    let events = story.ledger.set_zones(&[zone("b.", 7), zone("a.", 6)], now);
    assert_eq!(events, []);
    let status = story.ledger.status(now);
    assert_eq!(status.zones[1].apex, "a.");
    assert_eq!(status.zones[1].differs_seconds, Some(55));
    assert_eq!(story.withheld(), []);
    story.seconds += 10;
    assert_eq!(story.withheld(), [(String::from("a."), Withheld::Lag)]);

    let now = story.now();
    let events = story.ledger.set_zones(&[zone("b.", 7), zone("a.", 8)], now);
    assert!(matches!(&events[..], [Event::Agrees { serial: 8, .. }]));
    assert_eq!(story.withheld(), []);

    // A zone that has agreed for long differs from now on.
    story.seconds += 1000;
    let now = story.now();
    let events = story.ledger.set_zones(&[zone("b.", 7), zone("a.", 9)], now);
    assert!(matches!(&events[..], [Event::Differs { theirs: 8, .. }]));
    assert_eq!(story.withheld(), []);
    assert_eq!(story.ledger.status(now).zones[1].differs_seconds, Some(0));
}

#[test]
fn a_server_that_falls_silent_agrees_with_nothing_new() {
    let mut story = Story::new(false);
    story.note(FIRST, told(6), told(7));
    for _ in 0..7 {
        story.note(FIRST, silent(), silent());
    }
    let status = story.ledger.status(story.now());
    assert_eq!(status.zones[0].agreement, Agreement::Unknown);
    assert_eq!(status.zones[0].differs_seconds, Some(70));
    assert_eq!(status.zones[0].addresses[0].serial, Some(6));
    assert_eq!(story.withheld(), [(String::from("a."), Withheld::Lag)]);
    assert_eq!(status.zones[1].differs_seconds, None);
}

#[test]
fn silence_is_told_once_for_all_zones_and_withholds_them_if_that_is_asked_for() {
    for require_fallback in [false, true] {
        let mut story = Story::new(require_fallback);
        story.note(FIRST, told(5), told(7));
        assert_eq!(story.note(FIRST, silent(), silent()), []);
        assert_eq!(story.note(FIRST, silent(), silent()), []);
        assert!(!story.judgement().nothing_answered);
        let events = story.note(FIRST, silent(), silent());
        assert_eq!(
            texts(&events),
            [
                "the server behind does not answer at 192.0.2.1 over UDP: no reply (a., b.)",
                "the server behind does not answer at 192.0.2.1 over TCP: no reply (a., b.)",
            ]
        );
        for _ in 0..5 {
            assert_eq!(story.note(FIRST, silent(), silent()), []);
            assert_eq!(story.judgement().nothing_answered, require_fallback);
        }
        let judgement = story.judgement();
        assert_eq!(
            judgement.withheld.len(),
            if require_fallback { 2 } else { 0 }
        );

        assert_eq!(story.note(FIRST, told(5), told(7)), []);
        assert_eq!(story.judgement().nothing_answered, require_fallback);
        let events = story.note(FIRST, told(5), told(7));
        assert_eq!(
            texts(&events)[0],
            "the server behind answers at 192.0.2.1 over UDP again, after 1m 20s (a., b.)"
        );
        assert_eq!(events.len(), 2);
        let judgement = story.judgement();
        assert!(!judgement.nothing_answered && judgement.withheld.is_empty() && judgement.complete);
    }
}

#[test]
fn tcp_alone_is_not_enough_and_neither_is_udp() {
    for (udp, tcp) in [
        (Err(Problem::NoReply), Ok(5)),
        (Ok(5), Err(Problem::NotListening)),
    ] {
        let half = Answers {
            udp,
            tcp,
            miss: None,
            referral: None,
        };
        let mut story = Story::new(true);
        for _ in 0..3 {
            assert_eq!(story.note(FIRST, told(5), told(7)), []);
        }
        for _ in 0..3 {
            assert!(!story.judgement().nothing_answered);
            story.note(FIRST, half.clone(), half.clone());
        }
        assert!(story.judgement().nothing_answered);
    }
}

#[test]
fn one_zone_that_is_refused_is_withheld_alone() {
    let mut story = Story::new(true);
    story.note(FIRST, told(5), refused());
    // What is seen first counts at once.
    let unanswered = [(String::from("b."), Withheld::Unanswered)];
    assert_eq!(story.withheld(), unanswered);
    assert!(!story.judgement().nothing_answered);
    let status = story.ledger.status(story.now());
    let [a, b] = &status.zones[..] else {
        panic!("two zones")
    };
    assert_eq!(a.withheld, None);
    assert_eq!(b.withheld.as_deref(), Some("unanswered"));
    assert_eq!(b.addresses[0].udp.problem.as_deref(), Some("REFUSED"));
    assert_eq!(b.addresses[0].miss.answered, Some(false));
    assert_eq!(b.addresses[0].referral.answered, None);
}

#[test]
fn one_address_that_is_silent_withholds_nothing() {
    let mut story = Story::at(true, &[FIRST, SECOND]);
    story.note(FIRST, told(5), told(7));
    assert!(!story.judgement().complete);
    story.note(SECOND, silent(), silent());
    let judgement = story.judgement();
    assert!(judgement.complete && !judgement.nothing_answered && judgement.withheld.is_empty());

    // A single address with another serial is enough to differ.
    story.note(FIRST, told(5), told(6));
    assert_eq!(
        story.ledger.status(story.now()).zones[1].differs_seconds,
        Some(0)
    );

    // The other address is gone: nothing is answered any more.
    let now = story.now();
    story.ledger.set_addresses(BTreeSet::from([SECOND]), now);
    assert!(story.judgement().nothing_answered);

    // Addresses that come change nothing before they are asked.
    story
        .ledger
        .set_addresses(BTreeSet::from([FIRST, SECOND]), now);
    assert!(story.judgement().nothing_answered);
    story.ledger.set_addresses(BTreeSet::from([FIRST]), now);
    let judgement = story.judgement();
    assert!(judgement.nothing_answered && judgement.withheld.len() == 2 && !judgement.complete);
    story.note(FIRST, told(5), told(7));
    let judgement = story.judgement();
    assert!(!judgement.nothing_answered && judgement.withheld.is_empty() && judgement.complete);

    story.note(FIRST, silent(), silent());
    story.ledger.set_addresses(BTreeSet::new(), now);
    let judgement = story.judgement();
    assert!(!judgement.nothing_answered && judgement.withheld.is_empty());
}

#[test]
fn nothing_is_concluded_before_each_address_was_asked() {
    let mut story = Story::at(true, &[FIRST, SECOND]);
    story.note(FIRST, silent(), silent());
    let judgement = story.judgement();
    assert!(!judgement.nothing_answered && judgement.withheld.is_empty());
    story.note(SECOND, silent(), silent());
    let judgement = story.judgement();
    assert!(judgement.nothing_answered && judgement.withheld.len() == 2);
}

#[test]
fn wrong_answers_are_told_and_withhold_nothing_while_the_zone_is_answered() {
    let mut story = Story::new(true);
    let odd = || Answers {
        miss: Some(Err(Problem::Rcode(Rcode::SERVFAIL))),
        referral: Some(Err(Problem::Authoritative)),
        ..told(5)
    };
    let events = story.note(FIRST, odd(), told(7));
    assert_eq!(
        texts(&events),
        [
            "the server behind answers wrongly at 192.0.2.1 for a name that does not exist: \
             SERVFAIL (a.)",
            "the server behind answers wrongly at 192.0.2.1 for a delegated name: authority \
             (AA set) for a delegated name: see --serves (a.)",
        ]
    );
    assert_eq!(story.note(FIRST, odd(), told(7)), []);
    let judgement = story.judgement();
    assert!(judgement.withheld.is_empty() && !judgement.nothing_answered);
}

#[test]
fn many_zones_are_told_in_one_line() {
    let zones = ["a.", "b.", "c.", "d.", "e."].map(|apex| zone(apex, 1));
    let mut story = Story::new(false);
    let now = story.now();
    story.ledger.set_zones(&zones, now);
    let said = [(); 5].map(|()| refused());
    let events = story.ledger.note(FIRST, zones.iter().zip(&said), now);
    assert_eq!(
        texts(&events)[0],
        "the server behind answers wrongly at 192.0.2.1 over UDP: REFUSED (a., b., c. and 2 more)"
    );
    assert_eq!(events.len(), 3);
}

/// A round of probes goes on while the zones change: what it comes to holds for
/// zones that are still there, wherever they stand.
#[test]
fn a_round_that_began_before_a_reload_counts() {
    let mut story = Story::new(true);
    let child = |name: &str| ProbedZone {
        delegation: Some(Name::vec_from_str(name).expect("a name")),
        ..zone("a.", 5)
    };
    let asked = [child("x.a."), zone("gone.", 1), zone("b.", 7)];
    let said = [
        Answers {
            referral: Some(Err(Problem::Authoritative)),
            ..told(5)
        },
        told(1),
        told(7),
    ];
    let now = story.now();
    let mut note = |zones: &[ProbedZone]| {
        story.ledger.set_zones(zones, now);
        let said = asked.iter().zip(&said);
        let events = story.ledger.note(FIRST, said, now);
        let zones = story.ledger.status(now).zones;
        let answered = zones.iter().map(|zone| {
            let place = &zone.addresses[0];
            [place.udp.answered, place.referral.answered]
        });
        (events, answered.collect::<Vec<_>>())
    };
    // Another delegation is asked about by now: of it nothing is known.
    let (events, answered) = note(&[zone("new.", 1), zone("b.", 8), child("y.a.")]);
    assert_eq!(
        answered,
        [[None, None], [Some(true), None], [Some(true), None]]
    );
    assert!(
        matches!(
            &events[..],
            [Event::Differs {
                ours: 8,
                theirs: 7,
                ..
            }]
        ),
        "{events:?}"
    );
    // The same, under another serial.
    let next = ProbedZone {
        serial: 6,
        ..child("x.a.")
    };
    let (events, answered) = note(&[next]);
    assert_eq!(answered, [[Some(true), Some(false)]]);
    // That the serials differ was seen when it was reloaded.
    assert!(
        matches!(
            &events[..],
            [Event::Turned {
                question: Question::Referral,
                ..
            }]
        ),
        "{events:?}"
    );
    assert!(story.judgement().complete);
}

#[test]
fn what_has_to_be_proven_first_is_withheld_until_all_is_asked() {
    let mut story = Story::at(true, &[FIRST, SECOND]);
    let both = BTreeSet::from(["a.", "b."].map(|apex| zone(apex, 1).apex));
    story.ledger.prove_first(both);
    let unproven = |apex: &str| (String::from(apex), Withheld::Unproven);
    assert_eq!(story.withheld(), [unproven("a."), unproven("b.")]);
    assert!(!story.judgement().nothing_answered);
    let status = story.ledger.status(story.now());
    assert_eq!(status.zones[0].withheld.as_deref(), Some("unproven"));

    // Other versions, and what is seen at one address, prove nothing.
    let now = story.now();
    story.ledger.set_zones(&[zone("a.", 6), zone("b.", 8)], now);
    story.note(FIRST, told(6), refused());
    assert_eq!(story.withheld(), [unproven("a."), unproven("b.")]);

    story.note(SECOND, told(6), refused());
    let unanswered = [(String::from("b."), Withheld::Unanswered)];
    assert_eq!(story.withheld(), unanswered);
    // For good: an address that comes changes nothing before it is asked.
    let third = IpAddr::from([192, 0, 2, 3]);
    let addresses = BTreeSet::from([FIRST, SECOND, third]);
    story.ledger.set_addresses(addresses, story.now());
    assert!(!story.judgement().complete);
    assert_eq!(story.withheld(), unanswered);
}

#[test]
fn the_end_of_a_lag_is_known_before() {
    let mut story = Story::new(false);
    assert_eq!(story.ledger.next_lag(story.now()), None);
    story.note(FIRST, told(5), told(8));
    let too_long = MAX_LAG + Duration::from_nanos(1);
    let since = story.now();
    story.note(FIRST, told(6), told(8));
    assert_eq!(story.ledger.next_lag(story.now()), Some(since + too_long));
    story.seconds += 55;
    assert_eq!(story.withheld(), [(String::from("b."), Withheld::Lag)]);
    let later = since + Duration::from_secs(10);
    assert_eq!(story.ledger.next_lag(story.now()), Some(later + too_long));
    story.seconds += 10;
    assert_eq!(story.withheld().len(), 2);
    assert_eq!(story.ledger.next_lag(story.now()), None);
}
