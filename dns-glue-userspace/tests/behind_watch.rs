//! The server behind is watched: a real one, which is stopped, changed and
//! disguised.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dns_glue::compare::Server;
use dns_glue::conform::frame::{SERVER_V4, SERVER_V6};
use dns_glue::serve::behind::status::{AddressBehind, Agreement, QuestionStatus, ZoneBehind};
use dns_glue::serve::behind::{Judgement, Policy, ProbedZone, Timing, Watch, Withheld};
use dns_glue::testbed::needs;
use dns_glue::testbed::network::Namespace;
use dns_glue::testbed::process::Process;
use dns_glue::testbed::server::{self, Setting};
use dns_glue::zone::source::ZoneSource;
use domain::base::Name;

/// Anything slower than this is a failure.
const PATIENCE: Duration = Duration::from_secs(60);
/// Sooner than in a daemon, for the sake of who waits for the tests.
const TIMING: Timing = Timing {
    period: Duration::from_millis(200),
    unsettled_period: Duration::from_millis(100),
    patience: Duration::from_millis(500),
};
/// An address of the host at which Knot does not listen.
const RELAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 54));
/// An address that the host does not have.
const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1));

const APEX: &str = "glue.example.";
const AT_ONCE: Policy = Policy {
    max_lag: Duration::ZERO,
    require_fallback: false,
};
const REQUIRED: Policy = Policy {
    max_lag: Duration::MAX,
    require_fallback: true,
};

fn zone_text(apex: &str, serial: u32) -> String {
    format!(
        "$ORIGIN {apex}\n@ 60 SOA ns1 host {serial} 60 60 60000 60\n@ 60 NS ns1\n\
         ns1 60 A 192.0.2.53\nsub 60 NS ns1.sub\nns1.sub 60 A 192.0.2.100\n\
         child 60 NS ns1.child\nns1.child 60 A 192.0.2.101\n"
    )
}

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a name")
}

fn probed(apex: &str, serial: u32, delegation: Option<&str>) -> ProbedZone {
    ProbedZone {
        apex: name(apex),
        serial,
        delegation: delegation.map(name),
    }
}

/// The zone as Knot has it at first.
fn same() -> ProbedZone {
    probed(APEX, 5, Some("sub.glue.example."))
}

/// A host with Knot, which serves zones of serial 5.
struct Site {
    knot: Process,
    host: Namespace,
    folder: PathBuf,
}

impl Site {
    /// `None` with a printed reason when that is not possible here.
    fn serving(apexes: &[&str]) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !can_run() {
            return None;
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("watch-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(format!("dns-glue-{name}"));
        fs::create_dir_all(&folder).expect("a folder");
        let host = Namespace::new(name).expect("a namespace");
        for arguments in [
            String::from("link set lo up"),
            format!("addr add {SERVER_V4}/32 dev lo"),
            format!("addr add {RELAY}/32 dev lo"),
            format!("addr add {SERVER_V6}/128 dev lo nodad"),
        ] {
            host.ip(&arguments).expect("ip does it");
        }
        let write = |apex: &&str| {
            let path = folder.join(format!("{apex}zone"));
            fs::write(&path, zone_text(apex, 5)).expect("a zone file is written");
            ZoneSource {
                apex: self::name(apex),
                path,
            }
        };
        let zones: Vec<ZoneSource> = apexes.iter().map(write).collect();
        let setting = Setting {
            zones: &zones,
            max_udp: 1232,
            folder: &folder,
            xdp_interface: None,
            further_addresses: &[],
            processor: None,
        };
        let knot = server::start(Server::Knot, &setting, &host).expect("Knot starts");
        Some(Self { knot, host, folder })
    }

    /// Watches on this host, and does what `story` has.
    fn watch<S>(&self, policy: Policy, addresses: &[IpAddr], zones: &[ProbedZone], story: S)
    where
        S: AsyncFnOnce(&mut Watched) + Send,
    {
        let runtime = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut watch = Watch::new(policy, 53, TIMING);
                watch.set_zones(zones.to_vec());
                watch.set_addresses(&addresses.iter().copied().collect());
                let mut watched = Watched {
                    watch,
                    judgement: Judgement::default(),
                };
                story(&mut watched).await;
            });
        };
        self.host.within(runtime).expect("a namespace");
    }

    /// Sends Knot a signal.
    fn signal(knot: u32, signal: libc::c_int) {
        // SAFETY: kill is a plain system call; the process is our own child,
        // which has not been waited for.
        let sent = unsafe { libc::kill(knot.cast_signed(), signal) };
        assert_eq!(sent, 0, "a signal to Knot");
    }

    fn knot(&mut self) -> u32 {
        self.knot.child().id()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether namespaces and Knot are to be had.
fn can_run() -> bool {
    needs::root("making network namespaces") && needs::peer("knotd", "knot").is_some()
}

/// A watch, and what it said last.
struct Watched {
    watch: Watch,
    judgement: Judgement,
}

impl Watched {
    /// Waits until it sees something.
    async fn until(&mut self, what: &str, is_seen: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !is_seen(self) {
            assert!(
                start.elapsed() < PATIENCE,
                "in vain: {what}; {:?} {:#?}",
                self.judgement,
                self.watch.status()
            );
            let changed = self.watch.changed();
            if let Ok(judgement) = tokio::time::timeout(Duration::from_millis(50), changed).await {
                self.judgement = judgement;
            }
        }
    }

    /// The only zone, or the first.
    fn zone(&self) -> ZoneBehind {
        let zones = self.watch.status().zones;
        zones.into_iter().next().expect("a zone")
    }

    /// It at the first address.
    fn place(&self) -> AddressBehind {
        let places = self.zone().addresses;
        places.into_iter().next().expect("an address")
    }
}

fn has_problem(question: &QuestionStatus, problem: &str) -> bool {
    question.answered == Some(false) && question.problem.as_deref() == Some(problem)
}

#[test]
fn a_server_that_does_all_it_should_agrees() {
    let Some(site) = Site::serving(&[APEX]) else {
        return;
    };
    let addresses = [SERVER_V4.into(), SERVER_V6.into()];
    site.watch(REQUIRED, &addresses, &[same()], async |watched| {
        watched
            .until("all is asked", |watched| watched.judgement.complete)
            .await;
        let complete = Judgement {
            complete: true,
            ..Judgement::default()
        };
        assert_eq!(watched.judgement, complete);
        let zone = watched.zone();
        assert_eq!(zone.agreement, Agreement::Agrees);
        assert_eq!((zone.differs_seconds, zone.withheld), (None, None));
        assert_eq!(zone.addresses.len(), 2);
        for place in zone.addresses {
            assert_eq!(place.serial, Some(5));
            for question in [place.udp, place.tcp, place.miss, place.referral] {
                assert_eq!(question.answered, Some(true), "{}", place.address);
            }
        }
        // An address that is not served any more is not told any more.
        watched
            .watch
            .set_addresses(&BTreeSet::from([SERVER_V6.into()]));
        let places = watched.zone().addresses;
        assert_eq!(places.len(), 1);
        assert_eq!(places[0].udp.answered, Some(true));
    });
}

#[test]
fn a_zone_of_another_serial_is_withheld_until_both_have_the_same() {
    let Some(mut site) = Site::serving(&[APEX]) else {
        return;
    };
    let (knot, folder) = (site.knot(), site.folder.clone());
    let load = |serial| {
        let path = folder.join(format!("{APEX}zone"));
        fs::write(path, zone_text(APEX, serial)).expect("a zone file is written");
        Site::signal(knot, libc::SIGHUP);
    };
    let addresses = [SERVER_V4.into()];
    site.watch(AT_ONCE, &addresses, &[same()], async |watched| {
        watched
            .until("the same serial", |watched| {
                watched.zone().agreement == Agreement::Agrees
            })
            .await;
        assert!(watched.judgement.withheld.is_empty());

        load(6);
        let is_withheld =
            |watched: &Watched| watched.judgement.withheld.get(&name(APEX)) == Some(&Withheld::Lag);
        watched.until("a lag", is_withheld).await;
        assert_eq!(watched.zone().agreement, Agreement::Lags);
        assert_eq!(watched.place().serial, Some(6));

        // The program has it too.
        watched.watch.set_zones(vec![ProbedZone {
            serial: 6,
            ..same()
        }]);
        let is_given = |watched: &Watched| watched.judgement.withheld.is_empty();
        watched.until("no lag", is_given).await;
        assert_eq!(watched.zone().agreement, Agreement::Agrees);

        // The program is ahead, and the server follows.
        watched.watch.set_zones(vec![ProbedZone {
            serial: 7,
            ..same()
        }]);
        watched.until("a lead", is_withheld).await;
        assert_eq!(watched.zone().agreement, Agreement::Leads);
        load(7);
        watched.until("no lead", is_given).await;
        assert!(!watched.judgement.nothing_answered);
    });
}

#[test]
fn a_server_that_hangs_or_is_gone_gets_everything_again() {
    let Some(mut site) = Site::serving(&[APEX]) else {
        return;
    };
    let knot = site.knot();
    let addresses = [SERVER_V4.into(), SERVER_V6.into()];
    site.watch(REQUIRED, &addresses, &[same()], async |watched| {
        let is_whole =
            |watched: &Watched| watched.judgement.complete && !watched.judgement.nothing_answered;
        watched.until("it answers", is_whole).await;
        assert!(!watched.watch.status().nothing_answered);

        Site::signal(knot, libc::SIGSTOP);
        watched
            .until("it hangs", |watched| watched.judgement.nothing_answered)
            .await;
        let place = watched.place();
        assert!(has_problem(&place.udp, "no reply"), "{place:?}");
        assert!(has_problem(&place.tcp, "no reply"), "{place:?}");
        assert_eq!(place.miss.answered, Some(true), "not asked meanwhile");
        assert!(watched.watch.status().nothing_answered);
        let withheld = watched.judgement.withheld.get(&name(APEX));
        assert_eq!(withheld, Some(&Withheld::Unanswered));

        Site::signal(knot, libc::SIGCONT);
        watched.until("it goes on", is_whole).await;
        assert!(watched.judgement.withheld.is_empty());

        Site::signal(knot, libc::SIGKILL);
        watched
            .until("it is gone", |watched| watched.judgement.nothing_answered)
            .await;
        let place = watched.place();
        assert!(has_problem(&place.udp, "nobody listens"), "{place:?}");
        assert!(has_problem(&place.tcp, "nobody listens"), "{place:?}");
    });
}

/// Answers over UDP what Knot answers, until the end of the test.
fn relay_udp() {
    let client = UdpSocket::bind((RELAY, 53)).expect("a socket");
    let server = UdpSocket::bind((RELAY, 0)).expect("a socket");
    server.connect((SERVER_V4, 53)).expect("a route");
    server.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    std::thread::spawn(move || {
        let mut message = [0; 4096];
        loop {
            let Ok((octets, from)) = client.recv_from(&mut message) else {
                return;
            };
            let relayed = server.send(&message[..octets]);
            let Ok(octets) = relayed.and_then(|_| server.recv(&mut message)) else {
                return;
            };
            if client.send_to(&message[..octets], from).is_err() {
                return;
            }
        }
    });
}

#[test]
fn a_server_without_tcp_is_not_enough() {
    let Some(site) = Site::serving(&[APEX]) else {
        return;
    };
    site.host.within(relay_udp).expect("a namespace");
    for problem in ["nobody listens", "no reply"] {
        // Takes connections, and nothing from them.
        let listen = || TcpListener::bind(SocketAddr::new(RELAY, 53));
        let _listener = (problem == "no reply").then(|| {
            let listener = site.host.within(listen).expect("a namespace");
            listener.expect("a listener")
        });
        site.watch(REQUIRED, &[RELAY], &[same()], async |watched| {
            watched
                .until("it fails", |watched| watched.judgement.nothing_answered)
                .await;
            let place = watched.place();
            assert_eq!(place.udp.answered, Some(true), "{place:?}");
            assert_eq!(place.miss.answered, Some(true), "{place:?}");
            assert_eq!(place.referral.answered, Some(true), "{place:?}");
            assert!(has_problem(&place.tcp, problem), "{place:?}");
        });
    }
}

#[test]
fn a_zone_that_the_server_does_not_have_is_withheld_alone() {
    let Some(site) = Site::serving(&[APEX]) else {
        return;
    };
    let other = probed("other.example.", 1, None);
    let addresses = [SERVER_V4.into()];
    site.watch(REQUIRED, &addresses, &[other, same()], async |watched| {
        watched
            .until("all is asked", |watched| watched.judgement.complete)
            .await;
        assert!(!watched.judgement.nothing_answered);
        let withheld: Vec<_> = watched.judgement.withheld.iter().collect();
        assert_eq!(withheld, [(&name("other.example."), &Withheld::Unanswered)]);
        let place = watched.place();
        assert!(has_problem(&place.udp, "REFUSED"), "{place:?}");
        assert!(has_problem(&place.tcp, "REFUSED"), "{place:?}");
        assert!(has_problem(&place.miss, "REFUSED"), "{place:?}");
        assert_eq!(place.referral.answered, None, "{place:?}");
    });
}

#[test]
fn names_that_the_server_delegates_otherwise_are_told() {
    let Some(site) = Site::serving(&[APEX, "child.glue.example."]) else {
        return;
    };
    let addresses = [SERVER_V4.into()];
    for (delegation, problem) in [
        ("no-such.glue.example.", "NXDOMAIN"),
        (
            "child.glue.example.",
            "authority (AA set) for a delegated name: see --serves",
        ),
        ("www.sub.glue.example.", "no referral to the delegation"),
    ] {
        let zone = probed(APEX, 5, Some(delegation));
        site.watch(REQUIRED, &addresses, &[zone], async |watched| {
            watched
                .until("all is asked", |watched| watched.judgement.complete)
                .await;
            let place = watched.place();
            assert!(has_problem(&place.referral, problem), "{place:?}");
            assert!(watched.judgement.withheld.is_empty());
        });
    }
}

#[test]
fn an_address_that_the_host_does_not_have_cannot_be_asked() {
    let Some(site) = Site::serving(&[APEX]) else {
        return;
    };
    site.watch(REQUIRED, &[ELSEWHERE], &[same()], async |watched| {
        watched
            .until("it fails", |watched| watched.judgement.nothing_answered)
            .await;
        let place = watched.place();
        let problem = "no interface of this host has the address";
        assert!(has_problem(&place.udp, problem), "{place:?}");
        assert!(has_problem(&place.tcp, problem), "{place:?}");
        // It comes: `--address` may be told before the address is there.
        watched
            .watch
            .set_addresses(&BTreeSet::from([SERVER_V4.into()]));
        watched
            .until("it answers", |watched| {
                watched.judgement.complete && !watched.judgement.nothing_answered
            })
            .await;
    });
}
