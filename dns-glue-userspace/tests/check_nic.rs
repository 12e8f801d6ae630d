//! `dns-glue check-nic` on interfaces of namespaces of their own.

#[path = "program_support/root.rs"]
mod root;

use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use dns_glue::kernel::Target;
use dns_glue::kernel::attach::ModeChoice;
use dns_glue::kernel::room_probe;
use dns_glue::testbed::network::Namespace;
use serde_json::Value;

use root::is_root;

/// The ends of a veth pair, in two namespaces.
const CARD: &str = "dgcard";
const PEER: &str = "dgpeer";
const CARD_IP: &str = "192.0.2.1";
const PEER_IP: &str = "192.0.2.2";

/// Two hosts, joined by a veth pair.
struct Hosts {
    host: Namespace,
    peer: Namespace,
}

impl Hosts {
    /// `None` without root, which making them needs.
    fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !is_root() {
            return None;
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("check-nic-{}-{number}", std::process::id());
        let hosts = Self {
            host: Namespace::new(name.clone()).expect("a namespace"),
            peer: Namespace::new(name + "p").expect("a namespace"),
        };
        let peer = hosts.peer.name();
        hosts.ip(&format!(
            "link add {CARD} type veth peer name {PEER} netns {peer}"
        ));
        hosts.ip(&format!("addr add {CARD_IP}/24 dev {CARD}"));
        hosts.ip(&format!("link set {CARD} up"));
        let on_peer = |arguments: &str| hosts.peer.ip(arguments).expect(arguments);
        on_peer(&format!("addr add {PEER_IP}/24 dev {PEER}"));
        on_peer(&format!("link set {PEER} up"));
        Some(hosts)
    }

    fn ip(&self, arguments: &str) {
        self.host.ip(arguments).expect(arguments);
    }

    /// Adds an interface; not if the kernel has none of that kind.
    fn add(&self, arguments: &str) -> bool {
        match self.host.ip(arguments) {
            Ok(()) => true,
            Err(error) if format!("{error:#}").contains("Unknown device type") => {
                println!("skipped: this kernel cannot `ip {arguments}`");
                false
            }
            Err(error) => panic!("{error:#}"),
        }
    }

    /// Runs the command on the first host.
    fn check(&self, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dns-glue"));
        command
            .arg("check-nic")
            .args(arguments.split_whitespace())
            .env_remove("CLICOLOR_FORCE");
        self.host.confine(&mut command).expect("a namespace");
        command.output().expect("dns-glue runs")
    }

    /// Its report, which must be told by the exit status too.
    fn report(&self, arguments: &str) -> Report {
        let output = self.check(&format!("{arguments} --json"));
        let errors = String::from_utf8_lossy(&output.stderr);
        let report = serde_json::from_slice(&output.stdout);
        let report = Report(report.unwrap_or_else(|error| panic!("{error}: {errors}")));
        let status = i32::from(report.0["verdict"] == "red");
        assert_eq!(output.status.code(), Some(status), "{arguments}: {errors}");
        report
    }

    /// The number of the program on the card.
    fn program(&self) -> Option<u64> {
        let links = self.host.ip_json(&format!("-d link show dev {CARD}"));
        links.expect("ip prints JSON")[0]["xdp"]["prog"]["id"].as_u64()
    }
}

struct Report(Value);

impl Report {
    /// The one finding of a check: its verdict and its text, with the advice.
    fn finding(&self, check: &str) -> (&str, String) {
        let findings = self.0["findings"].as_array().expect("findings");
        let mut of_check = findings.iter().filter(|finding| finding["check"] == check);
        let finding = of_check
            .next()
            .unwrap_or_else(|| panic!("no {check}: {}", self.0));
        assert!(of_check.next().is_none(), "{check} twice: {}", self.0);
        let text = |field: &str| finding[field].as_str().unwrap_or_default();
        let words = format!("{} -> {}", text("text"), text("advice"));
        (text("verdict"), words)
    }

    /// Asserts the verdict and a part of the words of a check.
    fn expect(&self, check: &str, verdict: &str, part: &str) {
        let (found, words) = self.finding(check);
        assert_eq!(found, verdict, "{check}: {words}");
        assert!(words.contains(part), "{check}: {part:?} in {words}");
    }
}

#[test]
fn a_veth_is_native_with_little_room() {
    let Some(hosts) = Hosts::new() else { return };
    let report = hosts.report(&format!("{CARD} --mode native"));
    assert_eq!(report.0["interface"], CARD);
    report.expect("driver", "green", "veth, on no bus");
    report.expect("link", "green", "up");
    report.expect("native-xdp", "green", "yes");
    report.expect("room", "yellow", "--probe");
    report.expect("vlan-tags", "green", "stay");
    report.expect("xdp-program", "green", "none");
    report.expect("mtu", "green", "1500");
    report.expect("addresses", "green", CARD_IP);

    hosts.ip(&format!("link set {CARD} mtu 500"));
    let report = hosts.report(CARD);
    report.expect("mtu", "red", &format!("ip link set dev {CARD} mtu 1500"));
    hosts.ip(&format!("link set {CARD} down"));
    hosts.report(CARD).expect("link", "yellow", "down");
    assert_eq!(hosts.program(), None, "nothing was attached");
}

#[test]
fn what_has_no_native_mode_is_red_for_native_only() {
    let Some(hosts) = Hosts::new() else { return };
    let kinds = ["ifb", "dummy"];
    let made = kinds.map(|kind| hosts.add(&format!("link add dg{kind} type {kind}")));
    assert!(made.contains(&true), "this kernel has none of {kinds:?}");
    for (kind, _) in kinds.iter().zip(made).filter(|(_, made)| *made) {
        let name = format!("dg{kind}");
        let report = hosts.report(&name);
        report.expect("native-xdp", "yellow", "--mode generic");
        let report = hosts.report(&format!("{name} --mode native"));
        report.expect("native-xdp", "red", "--mode generic");
        let report = hosts.report(&format!("{name} --mode generic"));
        report.expect("native-xdp", "green", "not asked for");
        report.expect("room", "yellow", "no-room");
    }
}

#[test]
fn what_has_ports_or_tags_is_red() {
    let Some(hosts) = Hosts::new() else { return };
    hosts.ip("link add dgbridge type bridge");
    hosts.ip(&format!("link set {CARD} master dgbridge"));
    let report = hosts.report("dgbridge");
    report.expect("interface", "red", &format!("--iface {CARD}"));
    hosts
        .report(CARD)
        .expect("master", "yellow", "port of the bridge dgbridge");
    hosts.ip(&format!("link set {CARD} nomaster"));

    if hosts.add("link add dgbond type bond") {
        hosts.ip(&format!("link set {CARD} down"));
        hosts.ip(&format!("link set {CARD} master dgbond"));
        let report = hosts.report("dgbond");
        report.expect("interface", "red", &format!("--iface {CARD}"));
        hosts.ip(&format!("link set {CARD} nomaster"));
    }
    if hosts.add(&format!(
        "link add link {CARD} name {CARD}.5 type vlan id 5"
    )) {
        let report = hosts.report(&format!("{CARD}.5"));
        report.expect("interface", "red", &format!("(--iface {CARD})"));
        let report = hosts.report(CARD);
        report.expect("vlan-tags", "yellow", "ethtool -K PEER txvlan off");
    }
}

#[test]
fn a_program_of_somebody_else_is_red() {
    let Some(hosts) = Hosts::new() else { return };
    let links = hosts.host.ip_json(&format!("link show dev {CARD}"));
    let index = links.expect("ip prints JSON")[0]["ifindex"].as_u64();
    let target = Target {
        name: CARD.to_owned(),
        index: index
            .and_then(|index| index.try_into().ok())
            .expect("a number"),
        mtu: 1500,
        occupied_by: None,
    };
    thread::scope(|scope| {
        let probe = scope.spawn(|| {
            let probe = || room_probe::probe(&target, ModeChoice::Auto, Duration::from_secs(4));
            hosts.host.within(probe).expect("a namespace")
        });
        while hosts.program().is_none() && !probe.is_finished() {
            thread::sleep(Duration::from_millis(20));
        }
        let report = hosts.report(CARD);
        report.expect("xdp-program", "red", "measure_room");
        let report = hosts.report(&format!("{CARD} --probe"));
        report.expect("xdp-program", "red", "measure_room");
        report.expect("native-xdp", "green", "its driver says so");
        probe.join().expect("it ends").expect("it was attached");
    });
    assert_eq!(hosts.program(), None);
}

#[test]
fn a_probe_measures_and_changes_nothing() {
    let Some(hosts) = Hosts::new() else { return };
    let at_card: SocketAddr = format!("{CARD_IP}:53").parse().expect("an address");
    let bind = |host: &Namespace, ip: &str, port| {
        let socket = host.within(|| UdpSocket::bind((ip, port)));
        socket.expect("a namespace").expect("a socket")
    };
    let server = bind(&hosts.host, CARD_IP, 53);
    server
        .set_read_timeout(Some(Duration::from_millis(10)))
        .expect("a socket");
    let client = bind(&hosts.peer, PEER_IP, 0);
    let payload: Vec<u8> = (0..=255).collect();
    let is_over = AtomicBool::new(false);
    let report = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                client.send_to(&payload, at_card).expect("it is sent");
                let mut buffer = [0; 2048];
                // Some may be lost while the program comes and goes; none may
                // be changed.
                if let Ok(octets) = server.recv(&mut buffer) {
                    assert_eq!(&buffer[..octets], payload);
                }
            }
        });
        let report = hosts.report(&format!("{CARD} --probe --mode native"));
        is_over.store(true, Ordering::Relaxed);
        report
    });
    report.expect("native-xdp", "green", "attached for a moment");
    report.expect("jit", "green", "machine code");
    let (_, words) = report.finding("room");
    let measured = words.strip_prefix("measured on ").expect("it is measured");
    let frames: u64 = measured
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{words}"));
    assert!(frames > 10, "{words}");
    assert_eq!(hosts.program(), None);
}

#[test]
fn a_probe_without_traffic_says_so() {
    let Some(hosts) = Hosts::new() else { return };
    // Without neighbour discovery nothing comes in.
    hosts.peer.ip(&format!("link set {PEER} down")).expect("ip");
    let report = hosts.report(&format!("{CARD} --probe"));
    report.expect("room", "yellow", "no frame came in");
}

#[test]
fn errors_name_what_there_is() {
    let Some(hosts) = Hosts::new() else { return };
    let output = hosts.check("no-such-if");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("no such interface") && error.contains(CARD),
        "{error}"
    );
    assert_eq!(output.stdout, b"");
}

#[test]
fn only_a_probe_needs_privileges() {
    let Some(hosts) = Hosts::new() else { return };
    // Without capabilities, as the same user: the binary may be in a folder
    // that is nobody else's.
    let check = |arguments: &str| {
        let mut command = Command::new("setpriv");
        command
            .args(["--bounding-set=-all", "--inh-caps=-all"])
            .arg(env!("CARGO_BIN_EXE_dns-glue"))
            .arg("check-nic")
            .args(arguments.split_whitespace());
        hosts.host.confine(&mut command).expect("a namespace");
        command
            .output()
            .expect("setpriv (Debian package util-linux)")
    };
    let output = check(CARD);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("yellow  privileges   missing CAP_NET_ADMIN"),
        "{text}"
    );
    assert!(
        text.contains("green   native XDP   yes: its driver"),
        "{text}"
    );
    let output = check(&format!("{CARD} --probe"));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("--probe: missing CAP_NET_ADMIN"), "{error}");
}

#[test]
fn colours_are_for_terminals() {
    let Some(hosts) = Hosts::new() else { return };
    let output = hosts.check(CARD);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("green   native XDP   yes"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}
