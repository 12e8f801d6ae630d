//! Laws of the program's way, tried with random frames and random zones.
//!
//! Whatever the octets of a frame are, it is answered or left untouched. And
//! whatever a zone holds, a referral decodes to the records of the zone, with
//! a right checksum, wherever its pieces and their pointers come to stand.

mod program_support;

#[path = "program/stream.rs"]
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use dns_glue::conform::random::Random;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::{Action, Reason};
use program_support::frame::{CLIENT_V4, CLIENT_V6, Path, SERVER_V4, SERVER_V6};
use program_support::program::{Memory, POLICY};
use program_support::query::{Query, edns_flag};
use program_support::reply::Reply;
use program_support::zones;
use proptest::collection::vec;
use proptest::prelude::*;

/// Zones with a bit of everything.
static MEMORY: LazyLock<Memory> = LazyLock::new(|| {
    let zones = [zones::example(), zones::signed()];
    Memory::new(zones::generation(&zones), POLICY)
});
static NAMES: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| stream::names(&[zones::example(), zones::signed()]));

/// A frame is answered by a longer or shorter one, or as it was.
fn check_untouched(frame: &[u8], tail_room: usize, head_room: usize) -> Reason {
    let (reason, octets) = MEMORY.run_in(frame, tail_room, head_room);
    match reason.action() {
        Action::Pass => assert_eq!(octets, frame, "{reason:?}"),
        Action::Transmit => assert!(octets.len() <= frame.len() + tail_room.max(head_room)),
        Action::Abort => panic!("nothing aborts"),
    }
    reason
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_octets_pass_untouched(frame in vec(any::<u8>(), 0..400)) {
        check_untouched(&frame, 2000, 200);
    }

    /// Frames that get as far as the message, which may be anything.
    #[test]
    fn any_message_is_answered_or_passes_untouched(
        message in vec(any::<u8>(), 0..600),
        is_ipv6: bool,
    ) {
        let path = if is_ipv6 { Path::v6() } else { Path::v4() };
        check_untouched(&path.frame(&message), 2000, 200);
    }

    /// Queries and what comes of changing them, in frames with any room.
    #[test]
    fn any_query_is_answered_or_passes_untouched(
        seed: u64,
        tail_room in 0_usize..1500,
        head_room in 0_usize..256,
    ) {
        let frame = stream::frame(&mut Random(seed), &NAMES);
        check_untouched(&frame, tail_room, head_room);
    }
}

#[test]
fn room_decides_between_an_answer_and_a_pass() {
    let query = Query::new("www.in-domain.glue.example.");
    for path in [Path::v4(), Path::v6()] {
        let frame = path.frame(&query.octets());
        let (reason, reply) = MEMORY.run_in(&frame, 2000, 0);
        assert_eq!(reason, Reason::Referral);
        let growth = reply.len() - frame.len();
        for (tail_room, head_room, expected) in [
            (growth, 0, Reason::Referral),
            (growth - 1, 0, Reason::NoRoom),
            (0, growth, Reason::Referral),
            (growth - 1, growth - 1, Reason::NoRoom),
            (growth - 1, growth, Reason::Referral),
        ] {
            assert_eq!(check_untouched(&frame, tail_room, head_room), expected);
        }
        // Padding is room too.
        let padded = path.padded(frame.len() + growth).frame(&query.octets());
        assert_eq!(check_untouched(&padded, 0, 0), Reason::Referral);
    }
}

/// A host of a zone: its name below the apex, and its addresses.
#[derive(Clone, Debug)]
struct HostModel {
    /// Index of the delegation that it lies below; beyond the last: in the
    /// zone itself.
    below: usize,
    label: String,
    ipv4: u8,
    ipv6: u8,
}

/// A delegation.
#[derive(Clone, Debug)]
struct CutModel {
    labels: String,
    /// Indices of hosts.
    hosts: BTreeSet<usize>,
    /// Name servers outside the zone.
    outside: BTreeSet<String>,
    /// Octets of the digest of its DS record.
    digest_octets: usize,
    /// Groups of three octets of its signature.
    signature_groups: usize,
}

/// A zone, z.example.
#[derive(Clone, Debug)]
struct ZoneModel {
    cuts: Vec<CutModel>,
    hosts: Vec<HostModel>,
    signed: bool,
}

fn label() -> impl Strategy<Value = String> {
    // Upper case too, and lengths of both parities.
    "[a-zA-Z0-9]{1,12}"
}

fn zone_model() -> impl Strategy<Value = ZoneModel> {
    let host =
        (0_usize..7, label(), 0_u8..3, 0_u8..3).prop_map(|(below, label, ipv4, ipv6)| HostModel {
            below,
            label,
            ipv4,
            ipv6,
        });
    let cut = (
        label(),
        // Often none, and few names outside: then delegations with names of
        // different lengths share their pieces, and pointers shift backwards.
        prop_oneof![
            Just(BTreeSet::new()),
            prop::collection::btree_set(0_usize..12, 0..6)
        ],
        prop::collection::btree_set("(a|b\\.a)\\.(net|org)", 1..3),
        1_usize..40,
        1_usize..60,
    )
        .prop_map(
            |(labels, hosts, outside, digest_octets, signature_groups)| CutModel {
                labels,
                hosts,
                outside,
                digest_octets,
                signature_groups,
            },
        );
    (vec(cut, 1..6), vec(host, 12), any::<bool>()).prop_map(|(mut cuts, mut hosts, signed)| {
        // Names that differ whatever their case.
        for (place, cut) in cuts.iter_mut().enumerate() {
            cut.labels = format!("{}{place}", cut.labels);
        }
        for (place, host) in hosts.iter_mut().enumerate() {
            host.label = format!("{}-{place}", host.label);
            host.below = host.below.min(cuts.len());
        }
        ZoneModel {
            cuts,
            hosts,
            signed,
        }
    })
}

impl ZoneModel {
    fn host_name(&self, host: &HostModel) -> String {
        match self.cuts.get(host.below) {
            Some(cut) => format!("{}.{}.z.example", host.label, cut.labels),
            None => format!("{}.z.example", host.label),
        }
    }

    fn addresses(&self, place: usize) -> Vec<String> {
        let host = &self.hosts[place];
        let name = self.host_name(host);
        let ipv4 = (1..=host.ipv4).map(|last| format!("{name} 3600 A 192.0.{place}.{last}"));
        let ipv6 = (1..=host.ipv6)
            .map(|last| format!("{name} 3600 AAAA 2001:db8:{:x}::{last}", place + 1));
        ipv4.chain(ipv6).collect()
    }

    /// The text of the zone, but for SOA and NS.
    fn text(&self) -> String {
        let mut text = String::new();
        if self.signed {
            text += "@ RRSIG SOA 13 2 3600 20900101000000 20260101000000 1 z.example. AAAA\n";
            text += "@ DNSKEY 257 3 13 AAAA\n@ NSEC z.example. NS SOA RRSIG NSEC DNSKEY\n";
        }
        for cut in &self.cuts {
            for target in self.targets(cut) {
                text += &format!("{} NS {target}.\n", cut.labels);
            }
            text += &format!(
                "{} DS 1 13 2 {}\n",
                cut.labels,
                "5a".repeat(cut.digest_octets)
            );
            if self.signed {
                text += &format!("{} {}\n", cut.labels, self.signature(cut));
            }
        }
        for place in 0..self.hosts.len() {
            for record in self.addresses(place) {
                text += &record.replacen(" 3600", ". 3600", 1);
                text += "\n";
            }
        }
        text
    }

    fn signature(&self, cut: &CutModel) -> String {
        let signature = "AAAA".repeat(cut.signature_groups);
        format!("RRSIG DS 13 3 3600 20900101000000 20260101000000 1 z.example. {signature}")
    }

    fn targets(&self, cut: &CutModel) -> Vec<String> {
        let hosts = cut
            .hosts
            .iter()
            .map(|place| self.host_name(&self.hosts[*place]));
        hosts.chain(cut.outside.iter().cloned()).collect()
    }

    /// Records of the authority section, as counts by type, and NS data.
    fn name_servers(&self, cut: &CutModel) -> BTreeSet<String> {
        let targets = self.targets(cut).into_iter();
        let targets = targets.map(|target| format!("{}.", target.to_ascii_lowercase()));
        targets.collect()
    }

    /// Records of the additional section.
    fn glue(&self, cut: &CutModel) -> BTreeSet<String> {
        let records = cut.hosts.iter().flat_map(|place| self.addresses(*place));
        records.map(|record| record.to_ascii_lowercase()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn referrals_hold_the_records_of_the_zone(
        model in zone_model(),
        prefixes in vec(0_usize..=63, 4),
        id: u16,
        limit in 512_u16..1400,
    ) {
        let zone = [zones::from_text("z.example.", &model.text())];
        let policy = Policy { max_udp: 1400, ..POLICY };
        let memory = Memory::new(zones::generation(&zone), policy);
        for cut in &model.cuts {
            for (place, prefix) in prefixes.iter().enumerate() {
                let mut name = Vec::new();
                if *prefix > 0 {
                    name.push(*prefix as u8);
                    name.extend(std::iter::repeat_n(b'q', *prefix));
                }
                name.extend(Query::new(&format!("{}.z.example.", cut.labels)).name);
                let dnssec = if place % 2 == 0 { edns_flag::DO } else { 0 };
                let size = if place < 2 { 1400 } else { limit };
                let query = Query { id, ..Query::of(&name) }.edns(size, dnssec);
                check_referral(&model, cut, &memory, &query);
            }
        }
    }
}

/// Checks a referral against the records of the model.
fn check_referral(model: &ZoneModel, cut: &CutModel, memory: &Memory, query: &Query) {
    let opt = query.opt.as_ref().expect("an OPT record");
    for path in [
        Path::v4().from(CLIENT_V4).to(SERVER_V4),
        Path::v6().from(CLIENT_V6).to(SERVER_V6),
    ] {
        let (reason, frame) = memory.run(&path.frame(&query.octets()));
        // Lengths and checksums of all headers.
        let message = path.check_reply(&frame).expect("a right frame");
        assert!(message.len() <= usize::from(opt.size));
        assert_eq!(message[..2], query.id.to_be_bytes());
        let reply = Reply::parse(message);
        let [answer, authority, additional] = &reply.sections;
        assert!(answer.is_empty());
        let owner = format!("{}.z.example", cut.labels).to_ascii_lowercase();
        let mut by_type: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for record in authority {
            assert_eq!(record.owner, owner);
            by_type
                .entry(record.rtype.to_string())
                .or_default()
                .push(record.text.clone());
        }
        let of_type = |rtype: &str| by_type.get(rtype).cloned().unwrap_or_default();
        let glue: BTreeSet<String> = additional
            .iter()
            .map(|record| record.to_string().to_ascii_lowercase())
            .collect();
        let (servers, all_glue) = (model.name_servers(cut), model.glue(cut));
        let proof = model.signed && opt.flags & edns_flag::DO != 0;
        let (ds, signatures) = (of_type("DS").len(), of_type("RRSIG").len());
        let sent: BTreeSet<String> = of_type("NS").into_iter().collect();
        match reason {
            Reason::Referral => {
                assert_eq!(glue, all_glue);
                assert_eq!(sent, servers);
                assert_eq!((ds, signatures), (usize::from(proof), usize::from(proof)));
            }
            Reason::ReferralPartial => {
                assert_eq!(sent, servers);
                assert_eq!((ds, signatures), (usize::from(proof), usize::from(proof)));
                assert!(glue.is_subset(&all_glue) && glue != all_glue);
                // What is missing is not in-domain.
                let suffix = format!(".{owner} ");
                assert!(
                    all_glue
                        .difference(&glue)
                        .all(|record| !record.contains(&suffix))
                );
            }
            Reason::ReferralTruncated => {
                assert!(sent.is_empty() || sent == servers);
                assert!(glue.is_subset(&all_glue));
                assert_eq!(ds, signatures);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(reply.truncated(), reason == Reason::ReferralTruncated);
        for text in of_type("DS") {
            assert!(text.ends_with(&"5a".repeat(cut.digest_octets)), "{text}");
        }
        for text in of_type("RRSIG") {
            assert!(
                text.ends_with(&format!(" {}", "aaaa".repeat(cut.signature_groups))),
                "{text}"
            );
        }
    }
}
