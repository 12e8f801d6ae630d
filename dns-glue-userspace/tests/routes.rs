//! Replies that the kernel's routing table sends (`--reply-via fib`): golden
//! cases, on the host with a routing table in memory, and in the kernel with
//! one of its own, in a network namespace.

mod program_support;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dns_glue::host::routes::Route;
use dns_glue::kernel::attach::{AttachMode, ModeChoice};
use dns_glue::testbed::network::Namespace;
use dns_glue_common::frame::vlan::Vlans;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;
use program_support::frame::{Path, Tag, VIRTUAL_MAC};
use program_support::program::{Memory, POLICY, Program};
use program_support::query::Query;
use program_support::{is_root, zones};

/// The interface that queries come in by.
const INGRESS: &str = "dgin";
/// Another one.
const OTHER: &str = "dgother";

/// Interfaces of the namespace, with the numbers that they are made with. Plain
/// ones stand in for VLAN interfaces, which not every kernel has: a routing
/// table makes no difference between them, and the program knows VLANs by
/// number from the daemon.
const LINKS: [(u32, &str); 6] = [
    (10, INGRESS),
    (11, OTHER),
    (20, "dgin7"),
    (21, "dginsvc"),
    (22, "dginsvc7"),
    (23, "dgother7"),
];

const VLAN: u16 = 0x8100;
const SERVICE: u16 = 0x88a8;

/// MAC addresses of neighbours, none of them the client's.
const ROUTER: [u8; 6] = [2, 0, 0, 0, 0x77, 1];
const NEIGHBOUR: [u8; 6] = [2, 0, 0, 0, 0x77, 2];

/// The namespace, line by line as ip(8) takes it.
const NETWORK: &str = "\
link set lo up
link add dgin index 10 type veth peer name dginpeer
link add dgother index 11 type veth peer name dgotherpeer
link add dgin7 index 20 type veth peer name dgin7peer
link add dginsvc index 21 type veth peer name dginsvcpeer
link add dginsvc7 index 22 type veth peer name dginsvc7peer
link add dgother7 index 23 type veth peer name dgother7peer
link set dgin up
link set dgother up
link set dginpeer up
link set dgotherpeer up
link set dgin7 up
link set dginsvc up
link set dginsvc7 up
link set dgother7 up
addr add 192.0.2.53/24 dev dgin
addr add 2001:db8::53/64 dev dgin nodad
neigh add 192.0.2.1 lladdr 02:00:00:00:77:01 dev dgin nud permanent
neigh add 192.0.2.2 lladdr 02:00:00:00:77:02 dev dgin nud stale
neigh add 192.0.2.3 dev dgin nud failed
neigh add 2001:db8::1 lladdr 02:00:00:00:77:01 dev dgin nud permanent
neigh add 2001:db8::2 lladdr 02:00:00:00:77:02 dev dgin nud stale
route add 198.51.100.0/24 via 192.0.2.1 dev dgin
route add 2001:db8:c::/48 via 2001:db8::1 dev dgin
route add 10.0.0.0/8 via 192.0.2.1 dev dgin
route add unreachable 10.1.1.0/24
route add prohibit 10.1.2.0/24
route add blackhole 10.1.3.0/24
route add 10.2.0.0/16 dev dgother
neigh add 10.2.0.1 lladdr 02:00:00:00:77:01 dev dgother nud permanent
route add 10.3.0.0/16 via 192.0.2.1 dev dgin mtu lock 600
route add 10.7.0.0/16 dev dgin7
neigh add 10.7.0.1 lladdr 02:00:00:00:77:01 dev dgin7 nud permanent
route add 2001:db8:7::/48 dev dgin7
neigh add 2001:db8:7::1 lladdr 02:00:00:00:77:01 dev dgin7 nud permanent
route add 10.9.0.0/16 dev dginsvc
neigh add 10.9.0.1 lladdr 02:00:00:00:77:01 dev dginsvc nud permanent
route add 10.97.0.0/16 dev dginsvc7
neigh add 10.97.0.1 lladdr 02:00:00:00:77:01 dev dginsvc7 nud permanent
route add 10.17.0.0/16 dev dgother7
neigh add 10.17.0.1 lladdr 02:00:00:00:77:01 dev dgother7 nud permanent
route add 10.20.0.0/16 dev dgother table 77
neigh add 10.20.0.1 lladdr 02:00:00:00:77:01 dev dgother nud permanent
rule add from 192.0.2.53 to 10.20.0.0/16 table 77
route add 10.21.0.0/16 via 192.0.2.1 dev dgin table 78
route add 10.21.0.0/16 dev dgother
rule add from 192.0.2.53 to 10.21.0.0/16 iif lo table 78
";

/// Files below /proc/sys/net and what is written to them. What the kernel sends
/// by itself over the other ends would be counted.
const SETTINGS: [(&str, &str); 4] = [
    ("ipv6/conf/dginpeer/disable_ipv6", "1"),
    ("ipv6/conf/dgotherpeer/disable_ipv6", "1"),
    ("ipv4/conf/lo/forwarding", "1"),
    ("ipv6/conf/lo/forwarding", "1"),
];

/// What a routing table makes of a query.
struct Case {
    what: &'static str,
    client: IpAddr,
    tags: &'static [Tag],
    /// What the kernel in the namespace above has for the client.
    route: Option<Route>,
    /// The MAC address that the reply goes to, if there is one.
    next_hop: Option<[u8; 6]>,
}

fn case(what: &'static str, client: &str, route: Option<Route>) -> Case {
    Case {
        what,
        client: client.parse().expect("an address"),
        tags: &[],
        route,
        next_hop: None,
    }
}

impl Case {
    fn tagged(mut self, tags: &'static [Tag]) -> Self {
        self.tags = tags;
        self
    }

    fn goes_to(mut self, mac: [u8; 6]) -> Self {
        self.next_hop = Some(mac);
        self
    }

    fn path(&self) -> Path {
        let path = match self.client {
            IpAddr::V4(_) => Path::v4(),
            IpAddr::V6(_) => Path::v6(),
        };
        path.from(self.client).tagged(self.tags)
    }
}

fn cases() -> Vec<Case> {
    let by = |interface: &str, mac, mtu| {
        let link = LINKS.iter().find(|(_, name)| *name == interface);
        let (index, _) = *link.expect("a link");
        Some(Route {
            interface: index,
            next_hop: mac,
            mtu,
        })
    };
    let routed = by(INGRESS, Some(ROUTER), 1500);
    let on_seven = by("dgin7", Some(ROUTER), 1500);
    let on_both = by("dginsvc7", Some(ROUTER), 1500);
    vec![
        case("a router", "198.51.100.7", routed).goes_to(ROUTER),
        case("a router over IPv6", "2001:db8:c::7", routed).goes_to(ROUTER),
        case(
            "a stale neighbour",
            "192.0.2.2",
            by(INGRESS, Some(NEIGHBOUR), 1500),
        )
        .goes_to(NEIGHBOUR),
        case(
            "a stale neighbour over IPv6",
            "2001:db8::2",
            by(INGRESS, Some(NEIGHBOUR), 1500),
        )
        .goes_to(NEIGHBOUR),
        case(
            "a neighbour that failed",
            "192.0.2.3",
            by(INGRESS, None, 1500),
        ),
        case("no neighbour", "192.0.2.9", by(INGRESS, None, 1500)),
        case(
            "no neighbour over IPv6",
            "2001:db8::9",
            by(INGRESS, None, 1500),
        ),
        case("no route", "203.0.113.7", None),
        case("no route over IPv6", "2001:db8:ffff::7", None),
        case("a link-local client", "fe80::7", None),
        case("an unreachable route", "10.1.1.7", None),
        case("a prohibited route", "10.1.2.7", None),
        case("a black hole", "10.1.3.7", None),
        case(
            "another interface",
            "10.2.0.1",
            by(OTHER, Some(ROUTER), 1500),
        ),
        case(
            "a route that carries it",
            "10.3.0.7",
            by(INGRESS, Some(ROUTER), 600),
        )
        .goes_to(ROUTER),
        case("a VLAN", "10.7.0.1", on_seven)
            .tagged(&[(VLAN, 7)])
            .goes_to(ROUTER),
        case("a VLAN over IPv6", "2001:db8:7::1", on_seven)
            .tagged(&[(VLAN, 7)])
            .goes_to(ROUTER),
        case("a VLAN with a priority", "10.7.0.1", on_seven)
            .tagged(&[(VLAN, 0xe007)])
            .goes_to(ROUTER),
        case("a VLAN, but no tag", "10.7.0.1", on_seven),
        case("another VLAN", "10.7.0.1", on_seven).tagged(&[(VLAN, 8)]),
        case("a service VLAN of that number", "10.7.0.1", on_seven).tagged(&[(SERVICE, 7)]),
        case("that VLAN in another", "10.7.0.1", on_seven).tagged(&[(SERVICE, 9), (VLAN, 7)]),
        case("a tag, but no VLAN", "198.51.100.7", routed).tagged(&[(VLAN, 7)]),
        case("a tag without a VLAN, and none", "198.51.100.7", routed).tagged(&[(VLAN, 0)]),
        case(
            "a service VLAN",
            "10.9.0.1",
            by("dginsvc", Some(ROUTER), 1500),
        )
        .tagged(&[(SERVICE, 9)])
        .goes_to(ROUTER),
        case("a VLAN in a VLAN", "10.97.0.1", on_both)
            .tagged(&[(SERVICE, 9), (VLAN, 7)])
            .goes_to(ROUTER),
        case("half of a VLAN in a VLAN", "10.97.0.1", on_both).tagged(&[(SERVICE, 9)]),
        case(
            "that VLAN of another interface",
            "10.17.0.1",
            by("dgother7", Some(ROUTER), 1500),
        )
        .tagged(&[(VLAN, 7)]),
        case(
            "a rule that leads elsewhere",
            "10.20.0.1",
            by(OTHER, Some(ROUTER), 1500),
        ),
        case("a rule that leads back", "10.21.0.7", routed).goes_to(ROUTER),
    ]
}

/// What the program decides on: all clients of the table, and an interface with
/// its VLANs.
fn memory() -> Memory {
    let policy = Policy {
        flags: Policy::REPLY_VIA_FIB,
        ..POLICY
    };
    let mut memory = Memory::new(zones::generation(&[zones::example()]), policy);
    let [(ingress, _), _, (seven, _), (service, _), (both, _), _] = LINKS;
    memory.set_interface(ingress);
    let inside = |vlans: Vlans, ether_type, number| {
        vlans.inside(ether_type, number).expect("room for a tag")
    };
    let outer = inside(Vlans::NONE, SERVICE, 9);
    memory.add_vlan(seven, inside(Vlans::NONE, VLAN, 7));
    memory.add_vlan(service, outer);
    memory.add_vlan(both, inside(outer, VLAN, 7));
    for case in cases() {
        if let Some(route) = case.route {
            memory.add_route(case.client, route);
        }
    }
    memory
}

/// A query with a small reply, and one whose reply is longer than 600 octets.
fn queries() -> [(Query, bool); 2] {
    [
        (Query::new("www.single.glue.example."), true),
        (Query::new("huge.glue.example.").edns(1232, 0), false),
    ]
}

/// Runs every case through `run` and checks what becomes of its frame.
fn check_all(run: impl Fn(&[u8]) -> (Reason, Vec<u8>)) {
    for case in cases() {
        // Shown only if the case fails.
        println!("{}", case.what);
        for (query, is_small) in queries() {
            let path = case.path();
            let frame = path.frame(&query.octets());
            let (reason, octets) = run(&frame);
            let is_carried = is_small || case.route.is_none_or(|route| route.mtu >= 1500);
            match case.next_hop.filter(|_| is_carried) {
                Some(next_hop) => {
                    assert_ne!(reason, Reason::NoRoute);
                    assert_eq!(reason == Reason::Referral, is_small, "{reason:?}");
                    check_reply(path, next_hop, &octets);
                }
                None => {
                    assert_eq!(reason, Reason::NoRoute);
                    assert_eq!(octets, frame, "what passes is untouched");
                }
            }
        }
    }
}

fn check_reply(path: Path, next_hop: [u8; 6], frame: &[u8]) {
    assert_ne!(path.source_mac, next_hop);
    let expected = Path {
        source_mac: next_hop,
        ..path
    };
    expected.check_reply(frame).expect("a right frame");
}

#[test]
fn every_way_ends_on_the_host_as_the_table_says() {
    let memory = memory();
    check_all(|frame| memory.run(frame));
}

#[test]
fn every_way_ends_in_the_kernel_as_the_table_says() {
    if !is_root() {
        return;
    }
    let namespace = Namespace::new(format!("routes-{}", std::process::id())).expect("a namespace");
    for line in NETWORK.lines() {
        namespace.ip(line).expect("the network");
    }
    namespace
        .within(|| {
            for (file, value) in SETTINGS {
                fs::write(format!("/proc/sys/net/{file}"), value).expect(file);
            }
            let mut program = Program::load(memory());
            program.attach(INGRESS, ModeChoice::Only(AttachMode::Native));
            println!("{:?}", program.facts());
            check_all(|frame| program.run_counted(frame));
            replies_leave_from_the_address_that_was_asked(&program);
            nothing_is_known_without_forwarding(&program);
        })
        .expect("the namespace can be entered");
}

/// The kernel tells the interface's own address, which need not be it.
fn replies_leave_from_the_address_that_was_asked(program: &Program) {
    let path = Path::v4().with_mac(VIRTUAL_MAC);
    let (query, _) = &queries()[0];
    let (reason, octets) = program.run_counted(&path.frame(&query.octets()));
    assert_eq!(reason, Reason::Referral);
    check_reply(path, ROUTER, &octets);
}

/// Where forwarding is off for `lo`, the kernel answers nothing.
fn nothing_is_known_without_forwarding(program: &Program) {
    for (file, client) in [
        (
            "ipv4/conf/lo/forwarding",
            IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
        ),
        (
            "ipv6/conf/lo/forwarding",
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 7)),
        ),
    ] {
        let case = case("without forwarding", &client.to_string(), None);
        let (query, _) = &queries()[0];
        let frame = case.path().frame(&query.octets());
        assert_eq!(program.run_counted(&frame).0, Reason::Referral);
        fs::write(format!("/proc/sys/net/{file}"), "0").expect(file);
        assert_eq!(program.run_counted(&frame).0, Reason::NoRoute);
    }
}
