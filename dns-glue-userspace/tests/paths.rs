//! How queries come to `dns-glue run` and how replies go: virtual MAC addresses,
//! and the kernel's routing table.

mod daemon_support;

use std::fs;

use daemon_support::packet::PacketSocket;
use daemon_support::{CLIENT, CLIENT_IP, Host, SERVER, SERVER_IP, is_root, query, wait_for};
use dns_glue::conform::frame::{CLIENT_MAC, Path, VIRTUAL_MAC};
use dns_glue::serve::status::{mac_text, parse_mac};

/// A name that is referred.
const CHILD: &str = "www.child.example";
/// A neighbour who is not the one that sent the query.
const NEIGHBOUR: [u8; 6] = [2, 0, 0, 0, 0x77, 1];

/// A query from the client to a MAC address of the host.
fn path(mac: [u8; 6]) -> Path {
    let address = |text: &str| text.parse::<std::net::IpAddr>().expect("an address");
    Path::v4()
        .from(address(CLIENT_IP))
        .to(address(SERVER_IP))
        .with_mac(mac)
}

/// Asks from the client's end; the reply's frame, if it goes to `mac`.
fn ask(host: &Host, path: &Path, mac: [u8; 6]) -> Option<Vec<u8>> {
    let frame = path.frame(&query(CHILD));
    host.on_client(|| PacketSocket::open(CLIENT).exchange(&frame, mac))
}

fn server_mac(host: &Host) -> [u8; 6] {
    let link = host.ip(&format!("-j link show dev {SERVER}"));
    let link: serde_json::Value = serde_json::from_str(&link).expect("ip prints JSON");
    let mac = link[0]["address"].as_str().expect("a MAC address");
    parse_mac(mac).expect("a MAC address")
}

fn set_forwarding(host: &Host) {
    for family in ["ipv4", "ipv6"] {
        let file = format!("/proc/sys/net/{family}/conf/lo/forwarding");
        host.enter(|| fs::write(file, "1")).expect("a setting");
    }
}

#[test]
fn queries_to_virtual_mac_addresses_are_answered_from_there() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let virtual_mac = mac_text(VIRTUAL_MAC);
    let daemon = host.start(&format!(
        "--iface {SERVER} lo --mac {SERVER}={virtual_mac} 02:00:00:00:00:07"
    ));
    let macs = |place: usize| daemon.status()["interfaces"][place]["virtual_macs"].clone();
    assert_eq!(
        macs(0),
        serde_json::json!([virtual_mac, "02:00:00:00:00:07"])
    );
    assert_eq!(macs(1), serde_json::json!(["02:00:00:00:00:07"]));
    let text = String::from_utf8(daemon.command("status").stdout).expect("text");
    assert!(text.contains(&virtual_mac), "{text}");

    for turn in 1..=2 {
        for mac in [VIRTUAL_MAC, server_mac(&host), [2, 0, 0, 0, 0, 7]] {
            let path = path(mac);
            let reply = ask(&host, &path, CLIENT_MAC).expect("a reply");
            path.check_reply(&reply).expect("a right frame");
        }
        assert_eq!(daemon.counter("referral"), 3 * turn);
        assert_eq!(ask(&host, &path([0, 0, 0x5e, 0, 1, 6]), CLIENT_MAC), None);
        assert_eq!(daemon.counter("foreign-mac"), turn);
        // They stay when the interface's own things change.
        host.ip(&format!("link set {SERVER} mtu 1600"));
        wait_for("the change is known", || {
            daemon.status()["interfaces"][0]["mtu"] == 1600
        });
    }
}

#[test]
fn mac_addresses_of_other_interfaces_are_refused() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let error = host.refusal(&format!("--iface {SERVER} --mac lo=00:00:5e:00:01:05"));
    assert!(error.contains("--mac lo=00:00:5e:00:01:05"), "{error}");
    assert!(error.contains(&format!("--iface {SERVER}")), "{error}");
}

#[test]
fn the_routing_table_is_asked_only_where_it_answers() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let refusal = || host.refusal(&format!("--iface {SERVER} --reply-via fib"));
    let error = refusal();
    assert!(error.contains("--reply-via fib"), "{error}");
    assert!(
        error.contains("`sysctl -w net.ipv4.conf.lo.forwarding=1`"),
        "{error}"
    );
    let file = "/proc/sys/net/ipv4/conf/lo/forwarding";
    host.enter(|| fs::write(file, "1")).expect("a setting");
    let error = refusal();
    assert!(
        error.contains("`sysctl -w net.ipv6.conf.lo.forwarding=1`"),
        "{error}"
    );
    assert_eq!(host.program_on(SERVER), None);
}

#[test]
fn replies_go_where_the_routing_table_says() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    set_forwarding(&host);
    host.ip("link add dgother type veth peer name dgpeer");
    host.ip("link set dgother up");
    host.ip("link set dgpeer up");
    let neighbour = mac_text(NEIGHBOUR);
    host.ip(&format!(
        "neigh replace {CLIENT_IP} lladdr {neighbour} dev {SERVER} nud permanent"
    ));
    let daemon = host.start(&format!("--iface {SERVER} --reply-via fib"));
    assert_eq!(daemon.status()["settings"]["reply_via"], "fib");

    let path = path(server_mac(&host));
    let expected = Path {
        source_mac: NEIGHBOUR,
        ..path.clone()
    };
    let check = |answered| {
        let reply = ask(&host, &path, NEIGHBOUR).expect("a reply");
        expected.check_reply(&reply).expect("a right frame");
        assert_eq!(daemon.counter("referral"), answered);
    };
    check(1);

    // The way back is another than the one that the query came by.
    host.ip(&format!("route add {CLIENT_IP}/32 dev dgother"));
    host.ip(&format!(
        "neigh replace {CLIENT_IP} lladdr {neighbour} dev dgother nud permanent"
    ));
    assert_eq!(ask(&host, &path, NEIGHBOUR), None);
    assert_eq!(daemon.counter("no-route"), 1);
    host.ip(&format!("route del {CLIENT_IP}/32 dev dgother"));
    check(2);

    // Nobody knows the neighbour any more, so the kernel must ask first.
    host.ip(&format!("neigh del {CLIENT_IP} dev {SERVER}"));
    assert_eq!(ask(&host, &path, NEIGHBOUR), None);
    assert_eq!(daemon.counter("no-route"), 2);
    assert_eq!(daemon.counter("referral"), 2);
}
