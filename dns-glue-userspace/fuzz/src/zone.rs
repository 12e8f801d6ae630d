//! Any text as a zone.
//!
//! Either the text is refused, and every error says where; or the zone holds
//! the records that another reader finds in the text, and its referrals,
//! compiled and asked for, hold exactly them.

use std::path::Path as FilePath;

use dns_glue::compile;
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::errors::ZoneErrors;
use dns_glue::zone::master_file;
use dns_glue::zone::records::Zone;
use dns_glue_common::frame::Scratch;
use domain::base::Name;

use crate::choices::Octets;
use crate::classifier::Settings;
use crate::program_support::frame::Path;
use crate::program_support::query::Query;
use crate::program_support::random::Draw as _;
use crate::stream;
use crate::world::{Arrival, World};
use crate::zone_oracle::{Line, ZoneRecords, fold_names};

const APEX: &str = "z.example.";
/// What errors call the text.
const FILE: &str = "fuzz.zone";
/// A start that a zone can be made of, and one of a signed zone.
const HEADS: [&str; 2] = [
    "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns.void.\n",
    "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns.void.\n@ DNSKEY 257 3 13 AAAA\n\
     @ RRSIG SOA 13 2 60 20900101000000 20260101000000 1 z.example. AAAA\n\
     @ NSEC z.example. NS SOA RRSIG NSEC DNSKEY\n",
];
const LABELS: [&str; 12] = [
    "a",
    "b",
    "ns",
    "A",
    "*",
    "\\000",
    "\\.",
    "\\255",
    "ns1",
    "c",
    "d",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is left alone: it may name files of this machine.
    Includes,
    /// It is no zone.
    Refused,
    /// It is one, and the other reader does not take it.
    ReadByUsAlone,
    /// Both readers found the same records.
    Agreed,
    /// And the referrals to so many delegations hold them.
    Asked(usize),
}

/// One execution: panics when a law is broken.
pub fn run(octets: &[u8]) -> Outcome {
    let text = text(octets);
    let lower = text.to_ascii_lowercase();
    if lower.windows(7).any(|word| word == b"include") {
        return Outcome::Includes;
    }
    let apex = Name::vec_from_str(APEX).expect("a name");
    let zone = match master_file::read_text(&apex, FilePath::new(FILE), &text) {
        Ok(zone) => zone,
        Err(errors) => {
            check_errors(&errors, &text);
            return Outcome::Refused;
        }
    };
    let Some(records) = ZoneRecords::read(APEX, &text).filter(|records| !records.holds_at()) else {
        return Outcome::ReadByUsAlone;
    };
    check_same(&records.lines(), &lines(&zone), &text);
    if records.is_nsec3() {
        return Outcome::Agreed;
    }
    Outcome::Asked(ask(zone, records))
}

/// The text that an execution reads.
#[must_use]
pub fn text(octets: &[u8]) -> Vec<u8> {
    draw_text(&mut Octets(octets))
}

/// Panics unless every error says where it is: a place in the text.
fn check_errors(errors: &ZoneErrors, text: &[u8]) {
    assert!(!errors.is_empty());
    let lines: Vec<&[u8]> = text.split(|octet| *octet == b'\n').collect();
    for error in errors.errors() {
        let shown = error.kind.to_string();
        assert!(!shown.is_empty(), "{error:?}");
        let position = error.position;
        assert!(position.is_known(), "an error without a place: {shown}");
        let line = lines[position.line as usize - 1];
        assert!(
            (1..=line.len() + 1).contains(&usize::from(position.column)),
            "{error:?}"
        );
    }
    let shown = errors.to_string();
    let of_file = |line: &str| line.starts_with("fuzz.zone:") || line.starts_with("and ");
    assert!(shown.lines().all(of_file), "{shown}");
}

/// Panics unless both readers have found the same.
fn check_same(theirs: &[Line], ours: &[Line], text: &[u8]) {
    if theirs == ours {
        return;
    }
    println!("{}", String::from_utf8_lossy(text));
    let only = |these: &[Line], others: &[Line]| {
        let is_missing = |line: &&Line| !others.contains(line);
        let lines = these.iter().filter(is_missing);
        let shown: Vec<String> = lines
            .map(|(owner, rtype, ttl, data)| {
                format!("{} {ttl} TYPE{rtype} {data:?}", owner.escape_ascii())
            })
            .collect();
        shown.join("\n")
    };
    let (theirs, ours) = (only(theirs, ours), only(ours, theirs));
    panic!("the other reader alone has\n{theirs}\nand dns-glue alone\n{ours}");
}

/// All records of a zone: owner in lower case, type, TTL, data; sorted.
fn lines(zone: &Zone) -> Vec<Line> {
    let mut lines = Vec::new();
    for node in zone.nodes() {
        let owner = node.name().as_slice().to_ascii_lowercase();
        for rrset in node.rrsets() {
            let rtype = rrset.rtype().to_int();
            for data in rrset.records() {
                let mut data = data.to_vec();
                fold_names(rtype, &mut data);
                lines.push((owner.clone(), rtype, rrset.ttl(), data));
            }
            for data in rrset.signatures() {
                lines.push((owner.clone(), 46, rrset.signature_ttl(), data.to_vec()));
            }
        }
        let strays = node.stray_signatures();
        lines.extend(strays.map(|data| (owner.clone(), 46, 0, data.to_vec())));
    }
    lines.sort();
    lines
}

/// Asks for every delegation; returns how many there are.
fn ask(zone: Zone, records: ZoneRecords) -> usize {
    let zones = [zone];
    let cuts = find_cuts(&zones, &[]);
    let compilation = compile::compile(&zones, &cuts, &()).expect("one zone compiles");
    let deep = compilation.delegations.iter().any(|one| one.too_deep);
    let mut names = stream::names(&zones);
    let world = World::new(compilation.generation, vec![records], Vec::new());
    if deep {
        return 0;
    }
    names.sort();
    names.dedup();
    names.truncate(64);
    let mut scratch = Box::new(Scratch::EMPTY);
    for name in names {
        let below = [b"\x03www".as_slice(), &name].concat();
        let far_below = [&[60; 61], below.as_slice()].concat();
        for name in [name, below, far_below] {
            if name.len() > 255 {
                continue;
            }
            for query in [
                Query::of(&name),
                Query::of(&name).edns(1232, 0),
                Query::of(&name).edns(700, 0x8000),
                Query::of(&name).edns(1232, 0x8000).qtype(43),
            ] {
                let arrival = Arrival {
                    frame: &Path::v6().frame(&query.octets()),
                    tail_room: 2048,
                    head_room: 0,
                };
                world.judge(&Settings::DEFAULT, &mut scratch, &arrival);
            }
        }
    }
    world.cuts().count()
}

/// A text: octets as they are, or behind the start of a zone; or entries made
/// by the choices, and then broken by some.
fn draw_text(choices: &mut Octets<'_>) -> Vec<u8> {
    let way = choices.below(8);
    if way == 7 {
        return choices.0.to_vec();
    }
    let mut text = choices.pick(&HEADS).as_bytes().to_vec();
    if way == 6 {
        text.extend(choices.0);
        return text;
    }
    while !choices.0.is_empty() && text.len() < 4000 {
        draw_entry(choices, &mut text);
    }
    if way == 5 {
        stream::mutate(choices, &mut text);
    }
    text
}

/// Adds one entry, mostly one that a zone may hold.
fn draw_entry(choices: &mut Octets<'_>, text: &mut Vec<u8>) {
    match choices.below(32) {
        0 => {}
        1 => {
            text.extend(b"$ORIGIN ");
            draw_name(choices, text);
            return text.extend(b".z.example.\n");
        }
        2 => return text.extend(b"$TTL 5\n"),
        3 => {
            let origins = ["@", "z.example.", "Z.example.", "@", "@", "@", "@", "void."];
            text.extend(choices.pick(&origins).bytes());
        }
        _ => draw_name(choices, text),
    }
    space(choices, text);
    match choices.below(32) {
        0..=3 => text.extend(format!("{} ", choices.below(1 << 16)).bytes()),
        4 => text.extend(b"IN "),
        5 => text.extend(b"7 IN "),
        6 => text.extend(b"IN 1h "),
        _ => {}
    }
    draw_data(choices, text);
    let ends = ["\n", "\n", "\n", " ; comment\n", " ( ; )\n )\n", "\r\n"];
    text.extend(choices.pick(&ends).bytes());
}

/// Adds type and data of an entry.
fn draw_data(choices: &mut Octets<'_>, text: &mut Vec<u8>) {
    match choices.below(32) {
        0..=13 => {
            text.extend(b"NS ");
            if choices.once_in(8) {
                return text.extend(choices.pick(&["ns.void.", ".", "z.example."]).bytes());
            }
            draw_name(choices, text);
        }
        14..=18 => text.extend(format!("A 192.0.2.{}", choices.below(256)).bytes()),
        19..=21 => text.extend(format!("AAAA 2001:db8::{:x}", choices.below(256)).bytes()),
        22 | 23 => text.extend(format!("DS {} 13 2 0123", choices.below(256)).bytes()),
        24 | 25 => {
            text.extend(b"NSEC ");
            draw_name(choices, text);
            let types = [" NS RRSIG NSEC", " NS", " A", " NS DS", ""];
            text.extend(choices.pick(&types).bytes());
        }
        26..=28 => {
            let covered = choices.pick(&["DS", "NSEC", "A", "AAAA", "NS", "SOA", "TXT"]);
            let rdata = "13 2 60 20900101000000 20260101000000 1 z.example.";
            text.extend(format!("RRSIG {covered} {rdata} AAAA").bytes());
            text.extend("AAAA".repeat(choices.below(60)).bytes());
        }
        29 => {
            text.extend(choices.pick(&["DNAME ", "PTR ", "MX 1 ", "CNAME "]).bytes());
            draw_name(choices, text);
        }
        30 => text.extend(b"TXT \"a;b\" ( c\n d )"),
        _ => {
            let types = ["TYPE65280", "A", "TYPE65281", "TYPE61440"];
            let rtype = choices.pick(&types);
            text.extend(format!("{rtype} \\# 4 0a000001").bytes());
        }
    }
}

fn space(choices: &mut Octets<'_>, text: &mut Vec<u8>) {
    text.extend(choices.pick(&[" ", " ", "\t", " (\n) ", "  "]).bytes());
}

/// Adds a name below the origin.
fn draw_name(choices: &mut Octets<'_>, text: &mut Vec<u8>) {
    let labels = *choices.pick(&[1, 1, 1, 2, 2, 3, 1, 4]);
    for label in 0..labels {
        if label != 0 {
            text.push(b'.');
        }
        text.extend(choices.pick(&LABELS).bytes());
    }
}
