//! The golden answers of `testdata/oddities.answers`; the file says how it is
//! read.

use std::collections::BTreeSet;

use dns_glue_common::reason::Reason;
use domain::base::iana::{Class, Rtype};
use domain::base::{MessageBuilder, Name};
use domain::zonefile::inplace::{Entry, Zonefile};

use super::query::{Query, edns_flag};
use super::reply::{Record, Reply};

/// The name of the zone.
pub const APEX: &str = "odd.example.";

static ANSWERS: &str = include_str!("../../testdata/oddities.answers");

/// A query and what it gets.
pub struct Golden {
    /// The oddity.
    pub name: String,
    pub query: Query,
    pub outcome: Outcome,
    /// Whether Knot sends a referral where the program passes.
    pub knot_refers: bool,
}

/// What a query gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passes(Reason),
    Referral(Referral),
}

/// The sections of a referral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    pub truncated: bool,
    /// Whether nothing is left out.
    pub whole: bool,
    pub authority: BTreeSet<Record>,
    pub additional: BTreeSet<Record>,
    /// What Knot has in the additional section beside that, or instead.
    pub not_ours: BTreeSet<Record>,
}

/// A client: its size, octets, and whether it sets DO.
type Client = (Option<u16>, bool);

/// What "always" stands for.
const CLIENTS: [Client; 5] = [
    (None, false),
    (Some(512), false),
    (Some(512), true),
    (Some(1232), false),
    (Some(1232), true),
];

/// The records of an oddity, by the headings of the file.
#[derive(Default)]
struct Records {
    ns: Vec<Record>,
    proof: Vec<Record>,
    in_domain: Vec<Record>,
    optional: Vec<Record>,
    signed: Vec<Record>,
    not_ours: Vec<Record>,
}

/// Every golden answer.
pub fn golden() -> Vec<Golden> {
    let blocks = ANSWERS.split("\n[").skip(1);
    blocks.flat_map(oddity).collect()
}

/// The answers of a block, which begins inside the brackets of its title.
fn oddity(block: &str) -> Vec<Golden> {
    let (name, body) = block.split_once("]\n").expect("a title");
    let mut records = Records::default();
    let mut heading = "";
    let mut query = None;
    let mut golden = Vec::new();
    let lines = body.lines();
    for line in lines.filter(|line| !line.starts_with(';') && !line.is_empty()) {
        if let Some(question) = line.strip_prefix("query ") {
            query = Some(question);
        } else if let Some(query) = query {
            let line = line.trim();
            let knots = line.strip_suffix(", Knot refers");
            for (client, outcome) in replies(knots.unwrap_or(line), &records) {
                golden.push(Golden {
                    knot_refers: knots.is_some(),
                    name: format!("{name}: {query} {client:?}"),
                    query: ask(query, client),
                    outcome,
                });
            }
        } else if line.starts_with("  ") {
            records.list(heading).push(record(line.trim()));
        } else {
            heading = line;
        }
    }
    assert!(!golden.is_empty(), "{name} has answers");
    golden
}

fn ask(query: &str, (size, dnssec): Client) -> Query {
    let (name, rtype) = query.rsplit_once(' ').expect("a name and a type");
    let rtype: Rtype = rtype.parse().expect("a type");
    let query = Query::new(name).qtype(rtype.to_int());
    match size {
        None => query,
        Some(size) => query.edns(size, if dnssec { edns_flag::DO } else { 0 }),
    }
}

/// The replies that a line tells of.
fn replies(line: &str, records: &Records) -> Vec<(Client, Outcome)> {
    let (clients, reply) = line.split_once("  ").unwrap_or(("always", line));
    let clients = match clients {
        "always" => CLIENTS.to_vec(),
        "no EDNS" => vec![(None, false)],
        size => {
            let dnssec = size.ends_with(" DO");
            let size = size.trim_end_matches(" DO").parse().expect("a size");
            vec![(Some(size), dnssec)]
        }
    };
    clients
        .into_iter()
        .map(|client| (client, records.outcome(client, reply.trim())))
        .collect()
}

impl Records {
    fn list(&mut self, heading: &str) -> &mut Vec<Record> {
        match heading {
            "ns" => &mut self.ns,
            "proof" => &mut self.proof,
            "in-domain" => &mut self.in_domain,
            "optional" => &mut self.optional,
            "signed" => &mut self.signed,
            "not ours" => &mut self.not_ours,
            other => panic!("no heading: {other}"),
        }
    }

    /// What "whole", "TC=1  26 + 0 + 5" or "passes no-cut" means to a client.
    fn outcome(&self, (_, dnssec): Client, reply: &str) -> Outcome {
        if let Some(counter) = reply.strip_prefix("passes ") {
            let reason = Reason::ALL.iter().find(|reason| reason.name() == counter);
            return Outcome::Passes(*reason.unwrap_or_else(|| panic!("no counter: {counter}")));
        }
        let proof: &[Record] = if dnssec { &self.proof } else { &[] };
        let signed: &[Record] = if dnssec { &self.signed } else { &[] };
        let additional = [&self.in_domain, &self.optional, signed].concat();
        let (truncated, [ns, proven, glue]) = if reply == "whole" {
            (false, [self.ns.len(), proof.len(), additional.len()])
        } else {
            let (tc, counts) = reply.split_once("  ").expect("TC and counts");
            let counts: Vec<usize> = counts
                .split(" + ")
                .map(|count| count.parse().expect("a number"))
                .collect();
            (tc == "TC=1", counts.try_into().expect("three counts"))
        };
        let authority = [&self.ns[..ns], &proof[..proven]].concat();
        Outcome::Referral(Referral {
            truncated,
            whole: reply == "whole",
            authority: authority.into_iter().collect(),
            additional: additional[..glue].iter().cloned().collect(),
            not_ours: self.not_ours.iter().cloned().collect(),
        })
    }
}

/// A record from a line of a master file, as one that was received.
fn record(line: &str) -> Record {
    let mut zonefile = Zonefile::from(format!("{line}\n").as_bytes());
    zonefile.set_origin(Name::root());
    zonefile.set_default_class(Class::IN);
    let entry = zonefile.next_entry();
    let Ok(Some(Entry::Record(record))) = entry else {
        panic!("no record: {line}: {entry:?}");
    };
    let mut message = MessageBuilder::new_vec().authority();
    message.push(record).expect("room");
    message.header_mut().set_qr(true);
    let mut reply = Reply::parse(&message.finish());
    reply.sections[1].pop_first().expect("the record")
}
