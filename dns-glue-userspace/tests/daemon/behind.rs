//! Zones that wait for the server behind, and one that hangs while they are
//! reloaded.

use std::net::{TcpListener, UdpSocket};

use super::daemon_support::{Daemon, Host, SERVER, SERVER_IP, exchange, is_root, query, wait_for};
use super::load::{marked_zone, version};

/// Far more than come in the time in which a server that hangs is noticed.
const MANY_RELOADS: u8 = 250;

fn start(host: &Host, arguments: &str) -> Daemon {
    let zone = host.file("test.zone", &marked_zone(1));
    host.start(&format!(
        "--iface {SERVER} --zone test.={} {arguments}",
        zone.display()
    ))
}

fn text(daemon: &Daemon) -> String {
    String::from_utf8(daemon.command("status").stdout).expect("text")
}

/// Why each zone is withheld.
fn withheld(status: &serde_json::Value) -> Vec<&str> {
    let zones = status["behind"]["zones"].as_array().expect("zones");
    zones
        .iter()
        .map(|zone| zone["withheld"].as_str().unwrap_or("given"))
        .collect()
}

fn reload(host: &Host, daemon: &Daemon, mark: u8) {
    host.file("test.zone", &marked_zone(mark));
    let output = daemon.command("reload");
    assert!(output.status.success(), "{output:?}; {}", daemon.log());
}

#[test]
fn a_server_that_hangs_is_noticed_while_zones_are_reloaded_without_end() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let _hangs = host.enter(|| {
        let udp = UdpSocket::bind((SERVER_IP, 53)).expect("port 53 is free");
        let tcp = TcpListener::bind((SERVER_IP, 53)).expect("port 53 is free");
        (udp, tcp)
    });
    let daemon = start(&host, "--require-fallback");
    let first = daemon.status();
    assert_eq!(withheld(&first), ["unproven"; 2], "{first}");
    assert_eq!(first["behind"]["nothing_answered"], false);
    let query = query("www.child.test");
    let reply = host.on_client(|| exchange(SERVER_IP, &query));
    assert!(reply.is_err(), "{reply:?}");
    assert!(daemon.counter("zone-withheld") >= 1);
    let mut last = first;
    for mark in 2.. {
        assert!(mark < MANY_RELOADS, "it is not noticed: {last}");
        reload(&host, &daemon, mark);
        last = daemon.status();
        if last["behind"]["nothing_answered"] == true {
            break;
        }
        assert_eq!(withheld(&last), ["unproven"; 2], "{last}");
    }
    assert_eq!(withheld(&last), ["unanswered"; 2], "{last}");
    let told = text(&daemon);
    assert!(told.contains("EVERYTHING PASSES"), "{told}");
    assert!(told.contains("WITHHELD (unanswered)"), "{told}");
}

/// Without a service address the server behind is asked nowhere, and nothing is
/// proven, however often there are other zones.
#[test]
fn what_waits_for_the_server_behind_is_told_to_be_withheld() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let elsewhere = "203.0.113.1";
    host.ip(&format!("addr del {SERVER_IP}/24 dev {SERVER}"));
    let daemon = start(&host, "--require-fallback");
    for mark in 2..5 {
        let status = daemon.status();
        assert_eq!(withheld(&status), ["unproven"; 2], "{status}");
        assert_eq!(status["addresses"], serde_json::json!([]));
        let told = text(&daemon);
        assert!(told.contains("WITHHELD (unproven)"), "{told}");
        assert!(told.contains("unproven: until the server behind"), "{told}");
        assert!(!told.contains(" given\n"), "{told}");
        reload(&host, &daemon, mark);
    }
    host.ip(&format!("addr add {elsewhere}/32 dev {SERVER}"));
    wait_for("it is asked", || {
        withheld(&daemon.status()) == ["unanswered"; 2]
    });
    drop(daemon);

    host.ip(&format!("addr del {elsewhere}/32 dev {SERVER}"));
    host.ip(&format!("addr add {SERVER_IP}/24 dev {SERVER}"));
    let daemon = start(&host, "");
    assert_eq!(withheld(&daemon.status()), ["given"; 2]);
    assert_eq!(host.on_client(version), Ok(1));
}
