//! The configurations of the README, with the servers that they are for: who
//! answers what, and that the kernel's referrals are the server's own.

mod behind_support;
#[path = "behind_servers/rfc9471.rs"]
mod rfc9471;
#[path = "behind_servers/verify.rs"]
mod verify;

use behind_support::message::{
    A, CD, CLIENT_SUBNET, COOKIE, DS, NSID, RD, Reply, SOA, content, option, query, with_flags,
    with_options,
};
use behind_support::{Peer, SERVER_IPV4, SERVER_IPV6, Site};
use domain::base::iana::Rcode;

const KNOT: Peer = Peer {
    heading: "Knot DNS",
    program: "knotd",
    package: "knot",
    arguments: &["-c"],
    config: "knot.conf",
};
const NSD: Peer = Peer {
    heading: "NSD",
    program: "nsd",
    package: "nsd",
    arguments: &["-d", "-c"],
    config: "nsd.conf",
};
const BIND: Peer = Peer {
    heading: "BIND",
    program: "named",
    package: "bind9",
    arguments: &["-g", "-c"],
    config: "named.conf",
};

/// A client's cookie (RFC 7873 section 4).
const CLIENT_COOKIE: &[u8] = b"a cookie";
/// 198.51.100.0/24 (RFC 7871 section 6).
const SUBNET: &[u8] = &[0, 1, 24, 0, 198, 51, 100];

#[test]
fn knot() {
    let Some(mut site) = Site::new(&KNOT) else {
        return;
    };
    each_is_answered_by_the_right_side(&site);
    referrals_are_those_of_the_server(&site);
    cookies_and_subnets_are_ignored(&site);
    referrals_do_not_need_the_server(&mut site);
}

#[test]
fn nsd() {
    let Some(mut site) = Site::new(&NSD) else {
        return;
    };
    each_is_answered_by_the_right_side(&site);
    referrals_are_those_of_the_server(&site);
    cookies_and_subnets_are_ignored(&site);
    referrals_do_not_need_the_server(&mut site);
}

#[test]
fn bind() {
    let Some(mut site) = Site::new(&BIND) else {
        return;
    };
    each_is_answered_by_the_right_side(&site);
    referrals_are_those_of_the_server(&site);
    cookies_and_subnets_are_left_to_the_server(&site);
    referrals_do_not_need_the_server(&mut site);
}

fn referral_query() -> Vec<u8> {
    query("www.in-domain.glue.example", A)
}

fn each_is_answered_by_the_right_side(site: &Site) {
    for server in [SERVER_IPV4, SERVER_IPV6] {
        let referral = site.ask(server, &referral_query(), "referral");
        assert_referral(&referral, 2, 4);
        let plain = with_options(referral_query(), false, &[]);
        assert_referral(&site.ask(server, &plain, "referral"), 2, 5);

        let apex = site.ask(server, &query("glue.example", SOA), "no-cut");
        assert!(apex.header().aa());
        assert_eq!(apex.header_counts().ancount(), 1);

        let missing = site.ask(server, &query("no-such-name.glue.example", A), "no-cut");
        assert!(missing.header().aa());
        assert_eq!(missing.header().rcode(), Rcode::NXDOMAIN);
        assert_eq!(missing.header_counts().nscount(), 1);

        let ds = site.ask(server, &query("secure.glue.example", DS), "type-ds");
        assert!(ds.header().aa());
        assert_eq!(ds.header_counts().ancount(), 1);

        assert_referral(&site.ask_tcp(server, &referral_query()), 2, 4);

        // Sixteen addresses do not fit into 512 octets; TC leads to TCP.
        let large = query("www.full.glue.example", A);
        let truncated = site.ask(server, &large, "referral-truncated");
        assert!(truncated.header().tc());
        assert!(truncated.as_slice().len() <= 512);
        let whole = site.ask_tcp(server, &large);
        assert!(!whole.header().tc());
        assert_referral(&whole, 8, 16);
    }
    let counters = site.counters();
    for fault in ["inconsistent", "write-failed", "no-room", "udp-checksum"] {
        assert_eq!(counters.packets(fault), 0, "{fault}: {counters:?}");
    }
}

fn assert_referral(reply: &Reply, authority: u16, additional: u16) {
    assert_eq!(reply.header().rcode(), Rcode::NOERROR);
    assert!(!reply.header().aa());
    let counts = reply.header_counts();
    assert_eq!(counts.ancount(), 0);
    assert_eq!(counts.nscount(), authority);
    assert_eq!(counts.arcount(), additional);
}

/// A query that asks for the server's identity passes, so that the server
/// itself gives the referral, over UDP too.
fn referrals_are_those_of_the_server(site: &Site) {
    for name in [
        "www.in-domain.glue.example",
        "SIBLING.Glue.Example",
        "a.b.c.foo.glue.example",
        "out-of-zone.glue.example",
        "six.glue.example",
        "inner.outer.glue.example",
        "x.mixedcase.glue.example",
        "secure.glue.example",
    ] {
        for flags in [0, RD, CD, RD | CD] {
            for dnssec in [false, true] {
                let question = with_flags(query(name, A), flags);
                let ours = with_options(question.clone(), dnssec, &[]);
                let ours = site.ask(SERVER_IPV4, &ours, "referral");
                let theirs = with_options(question, dnssec, &[(NSID, &[])]);
                let theirs = site.ask(SERVER_IPV4, &theirs, "option-nsid");
                let (ours, theirs) = (content(&ours), content(&theirs));
                assert_eq!(ours, theirs, "{name}, flags {flags:#x}, DO {dnssec}");
            }
        }
    }
}

fn cookies_and_subnets_are_ignored(site: &Site) {
    for (code, data) in [(COOKIE, CLIENT_COOKIE), (CLIENT_SUBNET, SUBNET)] {
        let asked = with_options(referral_query(), false, &[(code, data)]);
        let ours = site.ask(SERVER_IPV4, &asked, "referral");
        assert_eq!(option(&ours, code), None, "option {code} in our reply");
        let theirs = site.ask_tcp(SERVER_IPV4, &asked);
        assert_eq!(option(&theirs, code), None, "option {code} in the server's");
    }
}

fn cookies_and_subnets_are_left_to_the_server(site: &Site) {
    let asked = with_options(referral_query(), false, &[(COOKIE, CLIENT_COOKIE)]);
    let reply = site.ask(SERVER_IPV4, &asked, "option-cookie");
    let cookie = option(&reply, COOKIE).expect("a cookie");
    assert!(cookie.starts_with(CLIENT_COOKIE) && cookie.len() >= 16);

    let asked = with_options(referral_query(), false, &[(CLIENT_SUBNET, SUBNET)]);
    let reply = site.ask(SERVER_IPV4, &asked, "option-ecs");
    assert_eq!(option(&reply, CLIENT_SUBNET).as_deref(), Some(SUBNET));
}

fn referrals_do_not_need_the_server(site: &mut Site) {
    site.stop_server();
    for server in [SERVER_IPV4, SERVER_IPV6] {
        assert_referral(&site.ask(server, &referral_query(), "referral"), 2, 4);
        assert!(site.is_silent(server, &query("glue.example", SOA)));
    }
}
