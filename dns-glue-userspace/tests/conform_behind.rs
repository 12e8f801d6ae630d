//! Knot behind dns-glue, with real sockets: what passes is answered as if
//! dns-glue were not there, and referrals come from the kernel.

mod conform_support;
mod program_support;

use conform_support::site::{SERVICE, Site};
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::records::Zone;
use program_support::query::{Opt, Query, edns_flag, flag};
use program_support::reply::Reply;
use program_support::{is_root, zones};

/// Referrals that are asked for, of all that the zones have.
const REFERRALS: usize = 60;

/// Zones that are served together.
struct Served {
    zones: Vec<(&'static str, Vec<u8>)>,
    parsed: Vec<Zone>,
    /// Names that pass, although a cut of one of the zones lies above them.
    below_child: Vec<&'static str>,
    /// A delegation whose referral is longer than any room in front of a frame.
    large: &'static str,
}

impl Served {
    /// The root with two of its children; the example zone where the real ones
    /// are not at hand.
    fn load() -> Self {
        let real: Option<Vec<_>> = zones::REAL_ZONES
            .iter()
            .map(|(apex, file)| Some((*apex, zones::real_text(file)?)))
            .collect();
        if let Some(texts) = real {
            let parsed = zones::REAL_ZONES
                .iter()
                .map(|(apex, file)| zones::real(apex, file).expect("its text is there"));
            return Self {
                parsed: parsed.collect(),
                zones: texts,
                below_child: vec![
                    "root-servers.net.",
                    "a.root-servers.net.",
                    "x.root-servers.net.",
                    "X.Y.Root-Servers.NET.",
                    "arpa.",
                    "nothing.arpa.",
                ],
                large: "com.",
            };
        }
        Self {
            zones: vec![("glue.example.", zones::EXAMPLE.to_vec())],
            parsed: vec![zones::example()],
            below_child: Vec::new(),
            large: "huge.glue.example.",
        }
    }

    fn texts(&self) -> Vec<(&str, &[u8])> {
        let zones = self.zones.iter();
        zones.map(|(apex, text)| (*apex, text.as_slice())).collect()
    }

    /// Names of delegations, evenly from all.
    fn cuts(&self) -> Vec<Vec<u8>> {
        let cuts = find_cuts(&self.parsed, &[]).delegations;
        let step = (cuts.len() / REFERRALS).max(1);
        let names = cuts.iter().step_by(step);
        names
            .map(|delegation| delegation.cut.as_slice().to_vec())
            .collect()
    }
}

/// Queries that get a referral.
fn referrals(cuts: &[Vec<u8>]) -> Vec<Query> {
    let mut queries = Vec::new();
    for (place, cut) in cuts.iter().enumerate() {
        let mut below = b"\x03wWw".to_vec();
        below.extend(cut);
        let id = 0x4000 + place as u16;
        for query in [
            Query::of(cut),
            Query::of(&below).flags(flag::RD),
            Query::of(&below).edns(1232, 0).qtype(28),
            Query::of(cut).edns(4096, edns_flag::DO).qtype(2),
        ] {
            queries.push(Query { id, ..query });
        }
    }
    queries
}

/// Messages that pass.
fn misses(served: &Served, cuts: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut queries: Vec<Query> = Vec::new();
    for (apex, _) in &served.zones {
        for qtype in [1, 2, 6, 43, 46, 47, 48, 255] {
            queries.push(Query::new(apex).qtype(qtype));
            queries.push(Query::new(apex).qtype(qtype).edns(1232, edns_flag::DO));
        }
        let below = |label: &str| match *apex {
            "." => format!("{label}."),
            apex => format!("{label}.{apex}"),
        };
        for label in ["nothing-of-that-name", "NO.such.No-Such", "*", "a\\.b"] {
            queries.push(Query::new(&below(label)));
            queries.push(Query::new(&below(label)).edns(4096, edns_flag::DO));
        }
    }
    for name in &served.below_child {
        queries.push(Query::new(name));
        queries.push(Query::new(name).qtype(28).edns(512, edns_flag::DO));
    }
    for cut in cuts.iter().step_by(10) {
        for qtype in [43, 47, 255, 0, 41, 250, 251, 252] {
            queries.push(Query::of(cut).qtype(qtype));
            queries.push(Query::of(cut).qtype(qtype).edns(1232, edns_flag::DO));
        }
        queries.push(Query::of(cut).class(3));
        queries.push(Query::of(cut).class(255));
        queries.push(Query::of(cut).flags(4 << 11));
        queries.push(Query::of(cut).flags(5 << 11));
        queries.push(Query::of(cut).option(3, &[]));
        queries.push(Query::of(cut).option(9, &[]));
        queries.push(Query {
            opt: Some(Opt {
                size: 1232,
                version: 1,
                ..Opt::default()
            }),
            ..Query::of(cut)
        });
    }
    queries.push(Query::new("version.bind.").qtype(16).class(3));
    let mut messages: Vec<Vec<u8>> = queries
        .into_iter()
        .enumerate()
        .map(|(place, query)| {
            let id = 0x1000 + place as u16;
            Query { id, ..query }.octets()
        })
        .collect();
    // Not queries at all, or not quite.
    let query = Query::of(&cuts[0]).octets();
    messages.push(query[..query.len() - 1].to_vec());
    messages.push(query[..12].to_vec());
    messages.push(query[..5].to_vec());
    messages.push([query.as_slice(), &[0]].concat());
    let mut two_questions = query.clone();
    two_questions[5] = 2;
    messages.push(two_questions);
    let mut pointer = query;
    pointer[12] = 0xc0;
    messages.push(pointer);
    messages
}

#[test]
fn knot_behind_answers_all_but_referrals() {
    if !is_root() {
        return;
    }
    let served = Served::load();
    let Some(mut site) = Site::new(&served.texts()) else {
        return;
    };
    let cuts = served.cuts();
    let (misses, referrals) = (misses(&served, &cuts), referrals(&cuts));
    let queries: Vec<Vec<u8>> = referrals.iter().map(Query::octets).collect();
    // Without dns-glue.
    let alone = SERVICE.map(|server| {
        (
            site.ask_all(server, &misses),
            site.ask_all(server, &queries),
        )
    });

    site.finish_checksums();
    site.start_dns_glue(&served.texts());
    frames_without_room_pass(&site, &served);

    site.make_client_a_wire();
    for (server, (alone_misses, alone_referrals)) in SERVICE.into_iter().zip(&alone) {
        let answered = site.answered();
        let replies = site.ask_all(server, &misses);
        assert_eq!(
            site.answered(),
            answered,
            "no miss is answered by the kernel"
        );
        for ((query, reply), alone) in misses.iter().zip(&replies).zip(alone_misses) {
            assert_eq!(reply, alone, "{query:02x?}");
        }
        let silent = replies.iter().filter(|reply| reply.is_none()).count();
        assert!(silent < 10, "{silent} misses without a reply");

        let replies = site.ask_all(server, &queries);
        assert_eq!(
            site.answered() - answered,
            queries.len() as u64,
            "every referral is given by the kernel"
        );
        let mut truncated = 0;
        for ((query, reply), alone) in referrals.iter().zip(&replies).zip(alone_referrals) {
            let reply = Reply::parse(reply.as_ref().unwrap_or_else(|| panic!("{query:?}")));
            let alone = Reply::parse(alone.as_ref().expect("Knot's reply"));
            assert_eq!((&reply.question, &reply.opt), (&alone.question, &alone.opt));
            if reply.truncated() || alone.truncated() {
                truncated += 1;
            } else {
                assert_eq!(reply.sections[1], alone.sections[1], "{query:?}");
            }
        }
        println!(
            "{server}: {} misses as without dns-glue ({silent} without a reply), {} referrals \
             by the kernel ({truncated} truncated)",
            misses.len(),
            queries.len()
        );
    }
    a_child_zone_passes(&site, &served);
    tcp_passes(&site, &cuts);
    dig_understands(&site, &cuts);
    for fault in [
        "write-failed",
        "inconsistent",
        "udp-checksum",
        "ipv4-checksum",
    ] {
        assert_eq!(site.counter(fault), 0, "{fault}");
    }
}

/// From an ordinary socket, a veth pair leaves no room for a large reply: the
/// server behind answers.
fn frames_without_room_pass(site: &Site, served: &Served) {
    let query = Query::new(served.large).edns(4096, edns_flag::DO).octets();
    for server in SERVICE {
        let (answered, without_room) = (site.answered(), site.counter("no-room"));
        let reply = site.ask(server, &query).expect("Knot answers");
        assert!(Reply::parse(&reply).length > 700);
        assert_eq!(site.counter("no-room"), without_room + 1);
        assert_eq!(site.answered(), answered);
    }
}

/// Names below an apex of a child that is served here too pass.
fn a_child_zone_passes(site: &Site, served: &Served) {
    for name in &served.below_child {
        let before = site.counter("no-cut");
        let reply = site.ask(SERVICE[0], &Query::new(name).octets());
        let reply = Reply::parse(&reply.expect("Knot answers"));
        assert!(reply.authoritative(), "{name}: {reply}");
        assert_eq!(site.counter("no-cut"), before + 1, "{name}");
    }
}

/// TCP is Knot's: what was truncated is to be had there.
fn tcp_passes(site: &Site, cuts: &[Vec<u8>]) {
    let answered = site.answered();
    let query = |cut: &Vec<u8>| Query::of(cut).edns(512, edns_flag::DO).octets();
    let queries: Vec<Vec<u8>> = cuts.iter().map(query).collect();
    for server in SERVICE {
        for reply in site.ask_tcp(server, &queries) {
            let reply = Reply::parse(&reply);
            assert!(
                !reply.truncated() && !reply.sections[1].is_empty(),
                "{reply}"
            );
        }
    }
    assert_eq!(site.answered(), answered, "TCP is not for the kernel");
}

/// dig, which is nobody's relation here, reads the replies.
fn dig_understands(site: &Site, cuts: &[Vec<u8>]) {
    let cut = domain::base::Name::from_octets(cuts[1].as_slice()).expect("a name");
    for server in SERVICE {
        let answered = site.answered();
        let text = site.dig(&format!(
            "@{server} +norecurse +dnssec +nocookie www.{cut}. A"
        ));
        assert_eq!(site.answered(), answered + 1, "{text}");
        assert!(
            text.contains("status: NOERROR") && text.contains("flags: qr;"),
            "{text}"
        );
        assert!(text.contains("flags: do; udp: 1232"), "{text}");
        assert!(text.contains(&format!("SERVER: {server}#53")), "{text}");
        assert!(
            !text.contains("WARNING") && !text.contains("malformed"),
            "{text}"
        );
    }
}
