//! The program's way on the host, over frames in memory: `respond` is all of
//! it (headers, query, lookup, reply), `decide` what it does with the message
//! until it is known what to send, with the bodies that `respond` has kept;
//! `compose` is the same without any, so that each body is put together.
//!
//! A frame is copied to its place each time, as respond writes over it: that is
//! part of what is measured. In the kernel the same source takes other times;
//! `cargo xtask bench` measures those.
//!
//!     cargo bench --bench respond

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use dns_glue::compile::{self, Generation};
use dns_glue::host::routes::Routes;
use dns_glue::host::{
    CLIENT, Ends, MemoryDeadlines, MemoryFrame, MemoryHost, MemoryKept, SERVER, write_frame,
};
use dns_glue::report::query::{Edns, write_query};
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::master_file::read_text;
use dns_glue_common::deadlines::NEVER;
use dns_glue_common::decide::{Keeping, decide};
use dns_glue_common::frame::Scratch;
use dns_glue_common::maps::{AddressKey, Interface};
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;
use dns_glue_common::respond::respond;
use dns_glue_common::wire::Message;
use dns_glue_common::wire::query::parse_query;
use domain::base::Name;
use domain::base::iana::Rtype;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SERVER_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CLIENT_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const ROOM: usize = 4096;

/// A query: who asks, for what, and what has to come of it.
struct Case {
    name: &'static str,
    ipv4: bool,
    qname: &'static str,
    dnssec: bool,
    port: u16,
    outcome: Reason,
}

const fn referral(name: &'static str, qname: &'static str, dnssec: bool) -> Case {
    Case {
        name,
        ipv4: false,
        qname,
        dnssec,
        port: Policy::DEFAULT.port,
        outcome: Reason::Referral,
    }
}

const CASES: [Case; 11] = [
    referral("bare", "in-domain.signed.example.", false),
    referral("www", "www.in-domain.signed.example.", false),
    referral("4 labels", "a.b.c.d.in-domain.signed.example.", false),
    referral("bare, DO", "in-domain.signed.example.", true),
    referral("www, DO", "www.in-domain.signed.example.", true),
    referral("9 name servers", "www.full.signed.example.", false),
    referral("9 name servers, DO", "www.full.signed.example.", true),
    Case {
        ipv4: true,
        ..referral("www, IPv4", "www.in-domain.signed.example.", false)
    },
    Case {
        outcome: Reason::NoCut,
        ..referral("miss", "no-such-name.signed.example.", false)
    },
    Case {
        outcome: Reason::OutsideZones,
        ..referral("outside", "www.void.", false)
    },
    Case {
        port: 5353,
        outcome: Reason::OtherPort,
        ..referral("not ours", "www.void.", false)
    },
];

fn generation() -> Generation {
    let apex = Name::vec_from_str("signed.example.").expect("a name");
    let text = include_bytes!("../testdata/example-signed.zone");
    let zone = match read_text(&apex, Path::new("example-signed.zone"), text) {
        Ok(zone) => zone,
        Err(errors) => panic!("{errors}"),
    };
    let zones = [zone];
    let compilation = compile::compile(&zones, &find_cuts(&zones, &[]), &());
    compilation.expect("the zone compiles").generation
}

impl Case {
    fn message(&self) -> Vec<u8> {
        let qname = Name::vec_from_str(self.qname).expect("a name");
        let edns = Edns {
            udp_octets: 1232,
            dnssec: self.dnssec,
            nsid: false,
        };
        let mut message = Vec::new();
        write_query(&mut message, qname.for_slice(), Rtype::A, Some(edns));
        message
    }

    fn frame(&self) -> Vec<u8> {
        let (client, server) = if self.ipv4 {
            (IpAddr::V4(CLIENT_IPV4), IpAddr::V4(SERVER_IPV4))
        } else {
            (IpAddr::V6(CLIENT), IpAddr::V6(SERVER))
        };
        let ends = Ends {
            mac: MAC,
            client,
            server,
            port: self.port,
        };
        let mut frame = Vec::new();
        write_frame(&mut frame, &ends, &self.message());
        frame
    }
}

fn host() -> MemoryHost {
    MemoryHost {
        index: 1,
        interface: Interface {
            mac: MAC,
            mtu: 1500,
        },
        addresses: HashSet::from([
            AddressKey::from(IpAddr::V6(SERVER)),
            AddressKey::from(IpAddr::V4(SERVER_IPV4)),
        ]),
        attended_until: NEVER,
        virtual_macs: Vec::new(),
        vlans: HashMap::new(),
    }
}

fn benches(criterion: &mut Criterion) {
    let generation = generation();
    let policy = Policy {
        flags: generation.policy_flags,
        ..Policy::DEFAULT
    };
    let host = host();
    let deadlines = MemoryDeadlines::default();
    let mut scratch = Box::new(Scratch::EMPTY);
    let mut kept = MemoryKept::default();
    let mut group = criterion.benchmark_group("respond");
    for case in &CASES {
        let query = case.frame();
        let mut frame = MemoryFrame {
            octets: Vec::with_capacity(ROOM),
            tail_room: ROOM,
            head_room: 0,
            interface: host.index,
            routes: Routes::default(),
        };
        let mut answer = || {
            frame.octets.clear();
            frame.octets.extend_from_slice(&query);
            respond(
                &mut frame,
                &host,
                &generation,
                &deadlines,
                &mut kept,
                &policy,
                &mut scratch,
            )
        };
        // A body that is kept is kept the second time, and sent the third.
        for _ in 0..3 {
            assert_eq!(answer(), case.outcome, "{}", case.name);
        }
        group.bench_function(case.name, |bencher| bencher.iter(&mut answer));
    }
    group.finish();

    let mut world = World {
        generation,
        policy,
        host,
        scratch,
    };
    let found = world.decide(criterion, "decide", &mut kept);
    assert!(found > 0, "no case has a body that is kept");
    // Nothing writes replies here, so none is kept.
    let found = world.decide(criterion, "compose", &mut MemoryKept::default());
    assert_eq!(found, 0, "nothing is put together");
}

/// What a message is decided in.
struct World {
    generation: Generation,
    policy: Policy,
    host: MemoryHost,
    scratch: Box<Scratch>,
}

impl World {
    /// Measures all cases that differ in the message; how many of them found
    /// their bodies kept.
    fn decide(&mut self, criterion: &mut Criterion, group: &str, kept: &mut MemoryKept) -> usize {
        let deadlines = MemoryDeadlines::default();
        let mut group = criterion.benchmark_group(group);
        let mut found = 0;
        let ours = |case: &&Case| !case.ipv4 && case.port == self.policy.port;
        for case in CASES.iter().filter(ours) {
            let message = case.message();
            let scratch = &mut *self.scratch;
            let mut answer = || {
                scratch.message.0[..message.len()].copy_from_slice(&message);
                let message = Message::new(&scratch.message, message.len());
                let policy = &self.policy;
                parse_query(&message, &mut scratch.starts, policy, &mut scratch.query)?;
                decide(
                    &message,
                    &scratch.starts,
                    &scratch.query,
                    &self.host,
                    &self.generation,
                    &deadlines,
                    kept,
                    policy,
                    1452,
                    &mut scratch.plan,
                )?;
                Ok((scratch.plan.outcome(), scratch.plan.keeping))
            };
            let (outcome, keeping) = answer().unwrap_or_else(|reason| (reason, Keeping::None));
            assert_eq!(outcome, case.outcome, "{}", case.name);
            found += usize::from(matches!(keeping, Keeping::Send));
            group.bench_function(case.name, |bencher| bencher.iter(&mut answer));
        }
        found
    }
}

criterion_group!(all, benches);
criterion_main!(all);
