//! Interfaces that come and go while `dns-glue run` serves.

mod daemon_support;

use std::process::Stdio;

use daemon_support::packet::PacketSocket;
use daemon_support::{CLIENT_IP, Daemon, Host, SERVER, SERVER_IP, is_root, query, wait_for};
use dns_glue::conform::frame::{CLIENT_MAC, Path};
use dns_glue::serve::status::parse_mac;
use serde_json::{Value, json};

/// Another interface of the host, and its other end.
const OTHER: &str = "dgother";
const PEER: &str = "dgpeer";
/// A name below no zone: the program looks it up, and passes it.
const OUTSIDE: &str = "outside.test";

fn add_other(host: &Host) {
    host.ip(&format!("link add {OTHER} type veth peer name {PEER}"));
    host.ip(&format!("link set {OTHER} up"));
    host.ip(&format!("link set {PEER} up"));
}

/// Sends a query over the other interface that the program looks up, if it is
/// on it.
fn ask_over_other(host: &Host) {
    let links = host.ip(&format!("-j link show dev {OTHER}"));
    let links: Value = serde_json::from_str(&links).expect("ip prints JSON");
    let mac = links[0]["address"].as_str().expect("a MAC address");
    let address = |text: &str| text.parse::<std::net::IpAddr>().expect("an address");
    let path = Path::v4()
        .from(address(CLIENT_IP))
        .to(address(SERVER_IP))
        .with_mac(parse_mac(mac).expect("a MAC address"));
    let frame = path.frame(&query(OUTSIDE));
    let reply = host.enter(|| PacketSocket::open(PEER).exchange(&frame, CLIENT_MAC));
    assert_eq!(reply, None, "what passes is not answered");
}

fn interface(daemon: &Daemon, place: usize) -> Value {
    daemon.status()["interfaces"][place].clone()
}

#[test]
fn an_interface_that_is_made_anew_is_served_again() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    add_other(&host);
    let mut daemon = host.start(&format!("--iface {SERVER} {OTHER}"));
    let first = interface(&daemon, 1)["index"].clone();
    for turn in 1..=3 {
        ask_over_other(&host);
        assert_eq!(daemon.counter("outside-zones"), turn);
        host.ip(&format!("link del {OTHER}"));
        wait_for("the loss is known", || {
            interface(&daemon, 1)["attached"] == false
        });
        add_other(&host);
        wait_for("it is served again", || {
            interface(&daemon, 1)["attached"] == true
        });
    }
    assert_ne!(interface(&daemon, 1)["index"], first);
    let program = daemon.status()["program"]["id"].as_u64();
    assert_eq!(host.program_on(OTHER), program);
    let log = daemon.log();
    let lines = |text: &str| log.matches(text).count();
    assert_eq!(lines(&format!("{OTHER} is gone")), 3, "{log}");
    assert_eq!(lines(&format!("{OTHER}: attached in native")), 4, "{log}");
    // It is pinned like the others.
    daemon.signal(libc::SIGKILL);
    daemon.wait();
    assert_eq!(host.program_on(OTHER), program);
    assert_eq!(host.program_on(SERVER), program);
}

/// Whoever makes an interface may choose its number: that of one that is gone,
/// between two looks of the daemon.
#[test]
fn an_interface_with_the_number_of_one_that_is_gone_is_another() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    add_other(&host);
    let daemon = host.start(&format!("--iface {SERVER} {OTHER}"));
    let index = interface(&daemon, 1)["index"].as_u64().expect("a number");
    let anew =
        format!("link del {OTHER}\nlink add {OTHER} index {index} type veth peer name {PEER}\n");
    let batch = host.path("batch");
    std::fs::write(&batch, anew).expect("a file");
    host.ip(&format!("-batch {}", batch.display()));
    host.ip(&format!("link set {OTHER} up"));
    host.ip(&format!("link set {PEER} up"));
    wait_for("it is served again", || {
        let program = daemon.status()["program"]["id"].as_u64();
        interface(&daemon, 1)["attached"] == true && host.program_on(OTHER) == program
    });
    assert_eq!(interface(&daemon, 1)["index"].as_u64(), Some(index));
    ask_over_other(&host);
    assert_eq!(daemon.counter("outside-zones"), 1);
}

/// Somebody was faster: that is told once, and tried again until they leave.
#[test]
fn what_comes_back_with_another_program_is_left_alone() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = host.start(&format!("--iface {SERVER} lo"));
    host.ip("link add dgmain type veth peer name dgmainpeer");
    let control = host.path("other.sock");
    let mut other = host
        .run_command(&format!(
            "--iface dgmain --fallback embedded --control {}",
            control.display()
        ))
        .stderr(Stdio::null())
        .spawn()
        .expect("dns-glue starts");
    wait_for("another daemon serves", || {
        host.program_on("dgmain").is_some()
    });
    host.ip(&format!("link del {SERVER}"));
    wait_for("the loss is known", || {
        interface(&daemon, 0)["attached"] == false
    });
    // It gets the name with a program on it.
    host.ip(&format!("link set dgmain name {SERVER}"));
    let refusal = format!("{SERVER} is there, and is not served: {SERVER} has an XDP program");
    wait_for("it says why", || daemon.log().contains(&refusal));
    assert_eq!(interface(&daemon, 0)["attached"], false);
    other.kill().expect("a child can be killed");
    other.wait().expect("a child ends");
    wait_for("it is served", || interface(&daemon, 0)["attached"] == true);
    assert_eq!(daemon.log().matches(&refusal).count(), 1);
}

#[test]
fn interfaces_are_added_and_removed() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    add_other(&host);
    host.ip(&format!("addr add 192.0.2.65/32 dev {OTHER}"));
    let daemon = host.start(&format!("--iface {SERVER}"));
    let program = daemon.status()["program"]["id"].as_u64();
    let change = |arguments: &str| {
        let output = daemon.command(&format!("interfaces {arguments} --json"));
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    let refusal = |arguments: &str| {
        let output = daemon.command(&format!("interfaces {arguments}"));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).expect("text")
    };
    for turn in 1..=2 {
        let reply = change(&format!("add {OTHER}"));
        assert_eq!(reply, json!({ "interfaces": [SERVER, OTHER] }));
        assert_eq!(interface(&daemon, 1)["name"], OTHER);
        assert_eq!(interface(&daemon, 1)["attached"], true);
        assert_eq!(host.program_on(OTHER), program);
        assert_eq!(
            daemon.status()["addresses"],
            json!([SERVER_IP, "192.0.2.65"])
        );
        ask_over_other(&host);
        assert_eq!(daemon.counter("outside-zones"), turn);
        let error = refusal(&format!("add {OTHER}"));
        assert!(error.contains("dgother is served already"), "{error}");

        let reply = change(&format!("remove {OTHER}"));
        assert_eq!(reply, json!({ "interfaces": [SERVER] }));
        assert_eq!(host.program_on(OTHER), None);
        assert_eq!(interface(&daemon, 1), Value::Null);
        assert_eq!(daemon.status()["addresses"], json!([SERVER_IP]));
        let error = refusal(&format!("remove {OTHER}"));
        assert!(
            error.contains("dgother is not served; there are dgserver"),
            "{error}"
        );
    }
    let error = refusal("add dgnone");
    assert!(error.contains("dgnone: no such interface"), "{error}");
    let error = refusal(&format!("remove {SERVER}"));
    assert!(error.contains("the last interface"), "{error}");
    assert_eq!(host.program_on(SERVER), program);
}
