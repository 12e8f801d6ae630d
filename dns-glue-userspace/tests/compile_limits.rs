//! What the compiler does where something does not fit: into a reply, into the
//! depths that the program looks at, into the numbers of zones.

use dns_glue::compile::{self, Compilation, Generation};
use dns_glue::host;
use dns_glue::report::query::{Edns, write_query};
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::master_file;
use dns_glue::zone::records::Zone;
use dns_glue_common::index::{find, hash_suffix};
use dns_glue_common::limits::MAX_ZONES;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;
use dns_glue_common::wire::{Message as WireMessage, MessageBuffer};
use domain::base::iana::Rtype;
use domain::base::{Message, Name};
use std::fmt::Write as _;
use std::path::Path;

const START: &str = "$TTL 60\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n";

fn zone(text: &str) -> Zone {
    zone_of("test", text)
}

fn zone_of(apex: &str, text: &str) -> Zone {
    let apex: Name<Vec<u8>> = apex.parse().expect("a name");
    master_file::read_text(&apex, Path::new("test.zone"), text.as_bytes())
        .unwrap_or_else(|errors| panic!("{errors}"))
}

/// The reply and its outcome, or the reason why the query passes.
fn ask(
    compilation: &Compilation<'_>,
    name: &str,
    edns: Option<(u16, bool)>,
) -> Result<(Vec<u8>, Reason), Reason> {
    let name: Name<Vec<u8>> = name.parse().expect("a name");
    let edns = edns.map(|(udp_octets, dnssec)| Edns {
        udp_octets,
        dnssec,
        nsid: false,
    });
    let mut query = Vec::new();
    write_query(&mut query, name.for_slice(), Rtype::A, edns);
    let policy = Policy {
        max_udp: 1400,
        flags: compilation.generation.policy_flags,
        ..Policy::DEFAULT
    };
    host::answer(&compilation.generation, &policy, &query)
}

/// How many records of each type the additional section has, OPT left out.
fn additional(reply: &[u8]) -> (usize, usize) {
    let message = Message::from_octets(reply).expect("a header");
    let types: Vec<Rtype> = message
        .additional()
        .expect("sections")
        .map(|record| record.expect("a record").rtype())
        .collect();
    let count = |wanted| types.iter().filter(|rtype| **rtype == wanted).count();
    (count(Rtype::A), count(Rtype::RRSIG))
}

#[test]
fn signatures_give_way_to_addresses() {
    let signature = "A".repeat(264);
    let rrsig = |owner: &str, covered: &str, labels: u8| {
        format!(
            "{owner} RRSIG {covered} 13 {labels} 60 20900101000000 20200101000000 1 test. \
             {signature}\n"
        )
    };
    let mut text = String::from(START);
    text += "@ DNSKEY 257 3 13 AAAA\n@ NSEC d NS SOA RRSIG NSEC DNSKEY\nns2 A 192.0.2.2\n";
    text += "d NS ns1\nd NS ns2\nd NSEC ns1 NS RRSIG NSEC\n";
    text += &rrsig("@", "SOA", 1);
    text += &rrsig("d", "NSEC", 2);
    text += &rrsig("ns1", "A", 2);
    text += &rrsig("ns2", "A", 2);
    let zones = [zone(&text)];
    let cuts = find_cuts(&zones, &[]);
    let compilation = compile::compile(&zones, &cuts, &()).expect("it compiles");

    let (reply, outcome) = ask(&compilation, "d.test", Some((512, true))).expect("a referral");
    assert_eq!(outcome, Reason::ReferralPartial);
    assert_eq!(additional(&reply), (2, 0));
    let (reply, outcome) = ask(&compilation, "d.test", Some((700, true))).expect("a referral");
    assert_eq!(outcome, Reason::ReferralPartial);
    assert_eq!(additional(&reply), (2, 1));
    let (reply, outcome) = ask(&compilation, "d.test", Some((1232, true))).expect("a referral");
    assert_eq!(outcome, Reason::Referral);
    assert_eq!(additional(&reply), (2, 2));
}

#[test]
fn a_dname_at_any_depth_refuses_nothing() {
    let mut text = format!("{START}d NS ns1\n");
    for labels in 1..=24 {
        writeln!(text, "x{labels}{} DNAME ns1", ".y".repeat(labels)).expect("a line");
    }
    let zones = [zone(&text)];
    let cuts = find_cuts(&zones, &[]);
    let compilation = compile::compile(&zones, &cuts, &()).expect("it compiles");
    assert!(ask(&compilation, "www.d.test", None).is_ok());
    for labels in 1..=24 {
        let name = format!("www.x{labels}{}.test", ".y".repeat(labels));
        let reason = ask(&compilation, &name, None).expect_err("it passes");
        assert!(
            matches!(reason, Reason::Dname | Reason::NoCut),
            "{name}: {reason:?}"
        );
    }
}

#[test]
fn optional_glue_that_fits_into_no_reply_is_counted_as_missing() {
    let mut text = String::from(START);
    for server in 0..60 {
        writeln!(text, "d NS n{server:02}.e").expect("a line");
        writeln!(text, "n{server:02}.e A 192.0.2.{server}").expect("a line");
    }
    text += "e NS ns1\n";
    let zones = [zone(&text)];
    let cuts = find_cuts(&zones, &[]);
    let compilation = compile::compile(&zones, &cuts, &()).expect("it compiles");
    let (reply, outcome) = ask(&compilation, "d.test", Some((4096, false))).expect("a referral");
    assert_eq!(outcome, Reason::ReferralPartial);
    let (addresses, _) = additional(&reply);
    assert!((1..60).contains(&addresses), "{addresses}");
    assert!(reply.len() <= 1400);
}

#[test]
fn below_a_root_that_only_the_server_behind_serves() {
    let zones = [zone(&format!("{START}d NS ns1\n"))];
    let root = [Name::root_vec()];
    let cuts = find_cuts(&zones, &root);
    let compilation = compile::compile(&zones, &cuts, &()).expect("it compiles");
    assert_eq!(
        ask(&compilation, "www.example", None).err(),
        Some(Reason::Served)
    );
    assert!(ask(&compilation, "www.d.test", None).is_ok());
}

/// So many zones, each with a delegation that has glue, two with the same name
/// server elsewhere, and one that fits into no reply.
fn many(zones: usize) -> Vec<Zone> {
    let mut text = format!("{START}a NS ns1\nb NS ns.void.\nc NS ns.void.\n");
    for server in 0..30 {
        writeln!(text, "d NS {}{server:02}.void.", "x".repeat(61)).expect("a line");
    }
    let names = (0..zones).map(|number| format!("test{number}"));
    names.map(|apex| zone_of(&apex, &text)).collect()
}

/// The number of the zone in the entry of a name.
fn zone_number(generation: &Generation, name: &str) -> u8 {
    let name: Name<Vec<u8>> = name.parse().expect("a name");
    let mut buffer = Box::new(MessageBuffer::EMPTY);
    let octets = 12 + name.len();
    buffer.0[12..octets].copy_from_slice(name.as_slice());
    let message = WireMessage::new(&buffer, octets);
    let key = hash_suffix(&message, 0, name.len(), generation);
    let slot = find(generation, &key, name.len()).expect("a consistent index");
    slot.expect("an entry").zone
}

#[test]
fn delegations_know_the_number_of_their_zone() {
    let zones = many(MAX_ZONES);
    let cuts = find_cuts(&zones, &[]);
    let compilation = compile::compile(&zones, &cuts, &()).expect("it compiles");
    for number in 0..MAX_ZONES {
        for delegation in ["a", "b", "c", "d"] {
            let found = zone_number(
                &compilation.generation,
                &format!("{delegation}.test{number}"),
            );
            assert_eq!(usize::from(found), number, "{delegation}");
        }
    }
    let too_long = ask(&compilation, "d.test7", Some((1400, false))).expect("a referral");
    assert_eq!(too_long.1, Reason::ReferralTruncated);
}

#[test]
fn more_zones_than_there_are_numbers_are_refused() {
    let zones = many(MAX_ZONES + 1);
    let cuts = find_cuts(&zones, &[]);
    let Err(error) = compile::compile(&zones, &cuts, &()) else {
        panic!("{} zones compile", zones.len());
    };
    let error = error.to_string();
    assert!(
        error.starts_with("--zone: 256 zones") && error.contains("255"),
        "{error}"
    );
}
