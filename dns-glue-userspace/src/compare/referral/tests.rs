//! Every kind of difference is found, in our reply and in theirs, and every
//! excuse needs its reason.

use std::path::Path;

use domain::base::Name;

use super::*;
use crate::compare::record::Record;
use crate::compare::wholes::Wholes;
use crate::compile::{self, Generation};
use crate::host;
use crate::zone::cuts::find_cuts;
use crate::zone::master_file;
use crate::zone::records::Zone;
use dns_glue_common::policy::Policy;

const POLICY: Policy = Policy::DEFAULT;
const NS: u16 = 2;
const AAAA: u16 = 28;
const DS: u16 = 43;
const RRSIG: u16 = 46;

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a name")
}

/// The signed example zone, compiled.
struct Ours {
    generation: Generation,
    grounds: Vec<Ground>,
}

impl Ours {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/example-signed.zone");
        Self::of(master_file::read_file(&name("signed.example"), &path).expect("a zone"))
    }

    fn of(zone: Zone) -> Self {
        let zones = [zone];
        let cuts = find_cuts(&zones, &[]);
        let compilation = compile::compile(&zones, &cuts, &()).expect("it compiles");
        Self {
            generation: compilation.generation,
            grounds: cuts.delegations.iter().map(Ground::of).collect(),
        }
    }

    fn ground(&self, label: &str) -> Ground {
        let cut = name(&format!("{label}.signed.example"));
        let mut grounds = self.grounds.iter();
        let ground = grounds.find(|ground| *ground.cut == *cut.as_slice());
        ground.expect("a delegation").clone()
    }

    fn answer(&self, query: &[u8], max_udp: u16) -> Vec<u8> {
        let policy = Policy { max_udp, ..POLICY };
        host::answer(&self.generation, &policy, query)
            .unwrap_or_else(|reason| panic!("{reason:?}"))
            .0
    }
}

/// A query for a name below a cut; `size` 0 is one without EDNS.
fn query(prefix: &[u8], cut: &[u8], size: u16, dnssec: bool) -> Vec<u8> {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(size > 0)];
    query.extend(prefix);
    query.extend(cut);
    query.extend([0, 1, 0, 1]);
    if size > 0 {
        query.extend([0, 0, 41]);
        query.extend(size.to_be_bytes());
        query.extend([0, 0, if dnssec { 0x80 } else { 0 }, 0, 0, 0]);
    }
    query
}

/// The same query with room for all records.
fn edns_query(prefix: &[u8], cut: &[u8]) -> Vec<u8> {
    query(prefix, cut, 4096, false)
}

/// A reply taken to pieces, so that one of them can be changed.
#[derive(Clone)]
struct Model {
    header: [u8; 4],
    question: Vec<u8>,
    sections: [Vec<Vec<u8>>; 3],
    opt: Option<Vec<u8>>,
}

impl Model {
    fn of(octets: &[u8]) -> Self {
        let reply = Reply::parse(octets).expect("a reply");
        let section = |place: usize| {
            let records = reply.sections[place].records();
            records.map(|record| record.as_slice().to_vec()).collect()
        };
        Self {
            header: octets[..4].try_into().expect("four octets"),
            question: reply.question.to_vec(),
            sections: [0, 1, 2].map(section),
            opt: (reply.opt.is_some()).then(|| octets[octets.len() - 11..].to_vec()),
        }
    }

    /// Without compression, the sections the other way round.
    fn octets(&self) -> Vec<u8> {
        let mut octets = self.header.to_vec();
        octets.extend([0, 1]);
        for (place, section) in self.sections.iter().enumerate() {
            let opt = usize::from(place == 2 && self.opt.is_some());
            octets.extend(((section.len() + opt) as u16).to_be_bytes());
        }
        octets.extend(&self.question);
        for section in &self.sections {
            octets.extend(section.iter().rev().flatten());
        }
        octets.extend(self.opt.iter().flatten());
        octets
    }

    fn truncate(&mut self) {
        self.header[2] |= 2;
    }

    /// Keeps the records of which a condition holds.
    fn keep(&mut self, mut condition: impl FnMut(&Record) -> bool) {
        let reply = Reply::parse(&self.octets()).expect("a reply");
        for section in [1, 2] {
            let records = reply.sections[section].records();
            self.sections[section] = records
                .filter(|record| condition(record))
                .map(|record| record.as_slice().to_vec())
                .collect();
        }
    }
}

/// A comparison that can be repeated with changes.
struct Trial {
    ground: Ground,
    query: Vec<u8>,
    ours: Vec<u8>,
    /// The other server's whole referral, and how long it is said to be.
    whole: Vec<u8>,
}

impl Trial {
    fn new(ours: &Ours, label: &str, prefix: &[u8], size: u16, dnssec: bool) -> Self {
        let ground = ours.ground(label);
        let query = query(prefix, &ground.cut, size, dnssec);
        let mut large = query.clone();
        if size > 0 {
            let at = large.len() - 8;
            large[at..at + 2].copy_from_slice(&4096u16.to_be_bytes());
        }
        let mut whole = ours.answer(&large, 1400);
        if size == 0 {
            // Without OPT record there is no such query: take its records.
            whole = ours.answer(&edns_query(prefix, &ground.cut), 1400);
            whole.truncate(whole.len() - 11);
            whole[11] -= 1;
        }
        Self {
            ours: ours.answer(&query, POLICY.max_udp),
            ground,
            query,
            whole,
        }
    }

    fn judge(&self, ours: &[u8], theirs: &[u8]) -> Judgement {
        let reference = Wholes::new(|_: &[u8]| Reply::parse(&self.whole));
        let mut judge = Judge {
            reference,
            max_udp: POLICY.max_udp.into(),
            copy_cd: false,
        };
        judge
            .judge(&self.ground, &self.query, ours, theirs)
            .expect("a whole referral")
    }

    /// The outcome with their reply being ours, changed.
    fn theirs(&self, change: impl FnOnce(&mut Model)) -> Judgement {
        let mut model = Model::of(&self.whole);
        change(&mut model);
        self.judge(&self.ours, &model.octets())
    }

    /// The outcome with our reply changed.
    fn changed(&self, change: impl FnOnce(&mut Model)) -> Judgement {
        let mut model = Model::of(&self.ours);
        change(&mut model);
        self.judge(&model.octets(), &Model::of(&self.whole).octets())
    }
}

fn assert_difference(judgement: &Judgement, what: &str) {
    match &judgement.outcome {
        Outcome::Difference(text) => assert!(text.starts_with(what), "{what}: {text}"),
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn order_compression_and_case_are_no_difference() {
    let ours = Ours::new();
    for label in ["in-domain", "secure", "bar", "authoritative", "at-cut"] {
        for prefix in [&b""[..], b"\x03wWw"] {
            for dnssec in [false, true] {
                let trial = Trial::new(&ours, label, prefix, 1232, dnssec);
                let judgement = trial.theirs(|model| {
                    for record in model.sections.iter_mut().flatten() {
                        record[1..4].make_ascii_uppercase();
                    }
                });
                assert_eq!(judgement.outcome, Outcome::Equal, "{label} {dnssec}");
                assert_eq!(judgement.faults, []);
            }
        }
    }
}

/// Changes of the records of a referral to `secure` with DO.
type Change = (&'static str, fn(&mut Model));

const CHANGES: [Change; 8] = [
    ("a TTL", |model| {
        let record = &mut model.sections[1][0];
        // secure.signed.example. and the type and class are in front of it.
        let ttl = 7 + 7 + 9 + 4;
        record[ttl + 3] ^= 1;
    }),
    ("no signature", |model| {
        model.keep(|record| record.rtype() != RRSIG);
    }),
    ("no DS", |model| model.keep(|record| record.rtype() != DS)),
    ("a name server less", |model| {
        let mut first = true;
        model.keep(|record| record.rtype() != NS || !std::mem::take(&mut first));
    }),
    ("a name server more", |model| {
        let mut record = model.sections[1][0].clone();
        let at = record.len() - 4;
        record[at] ^= 1;
        model.sections[1].push(record);
    }),
    ("an answer", |model| {
        let record = model.sections[1][0].clone();
        model.sections[0].push(record);
    }),
    ("a record in another section", |model| {
        let record = model.sections[1].pop().expect("a record");
        model.sections[2].push(record);
    }),
    ("a stray address", |model| {
        let mut record = b"\x01x\x06signed\x07example\x00".to_vec();
        record.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
        model.sections[2].push(record);
    }),
];

#[test]
fn changed_records_are_found_on_both_sides() {
    let ours = Ours::new();
    let trial = Trial::new(&ours, "secure", b"\x03www", 1232, true);
    assert_eq!(trial.theirs(|_| {}).outcome, Outcome::Equal);
    for (what, change) in CHANGES {
        for judgement in [trial.theirs(change), trial.changed(change)] {
            let Outcome::Difference(text) = judgement.outcome else {
                panic!("{what}: {judgement:?}");
            };
            assert!(text.contains("query: www.secure.signed.example."), "{text}");
        }
    }
}

#[test]
fn a_changed_header_question_or_opt_is_found() {
    let ours = Ours::new();
    let trial = Trial::new(&ours, "in-domain", b"\x03wWw", 1232, true);
    let changes: [(&str, Change); 8] = [
        ("the header", ("AA", |model| model.header[2] ^= 4)),
        ("the header", ("RD", |model| model.header[2] ^= 1)),
        ("the header", ("RA", |model| model.header[3] ^= 0x80)),
        ("the header", ("AD", |model| model.header[3] ^= 0x20)),
        ("the header", ("RCODE", |model| model.header[3] ^= 3)),
        ("the question", ("case", |model| model.question[2] ^= 0x20)),
        ("the OPT record", ("none", |model| model.opt = None)),
        (
            "the OPT record",
            ("DO", |model| {
                let opt = model.opt.as_mut().expect("an OPT record");
                opt[7] ^= 0x80;
            }),
        ),
    ];
    for (what, (_, change)) in changes {
        assert_difference(&trial.theirs(change), what);
        assert_difference(&trial.changed(change), &format!("{what} of our reply"));
    }
    assert_difference(
        &trial.changed(|model| model.header[1] ^= 1),
        "the header of our reply",
    );
    let mut long = trial.ours.clone();
    long.push(0);
    assert_difference(&trial.judge(&long, &trial.ours), "our reply: octets behind");
    assert_difference(&trial.judge(&trial.ours, &long), "their reply: octets");
}

#[test]
fn cd_is_cleared_by_us_and_copied_by_some() {
    let ours = Ours::new();
    let mut trial = Trial::new(&ours, "secure", b"", 1232, true);
    trial.query[3] |= 0x10;
    let judgement = trial.theirs(|model| model.header[3] |= 0x10);
    assert_eq!(judgement.outcome, Outcome::Equal);
    assert_eq!(judgement.faults, [Fault::CdCopied]);
    let judgement = trial.changed(|model| model.header[3] |= 0x10);
    assert_difference(&judgement, "the header of our reply");
}

#[test]
fn what_fits_has_to_be_there() {
    let ours = Ours::new();
    // In-domain glue: the whole of it, one RRset, one record.
    let trial = Trial::new(&ours, "in-domain", b"", 1232, false);
    assert_difference(
        &trial.changed(|model| model.sections[2].clear()),
        "ns1.in-domain.signed.example. 86400 A",
    );
    assert_difference(
        &trial.changed(|model| model.keep(|record| record.rtype() != AAAA)),
        "our reply has",
    );
    assert_difference(
        &trial.theirs(|model| model.sections[2].clear()),
        "theirs lacks in-domain glue that fits",
    );
    // The same with TC=1: nothing needs it.
    for judgement in [
        trial.changed(|model| {
            model.truncate();
            model.sections[2].clear();
        }),
        trial.changed(Model::truncate),
    ] {
        assert!(matches!(judgement.outcome, Outcome::Difference(_)));
    }
    let whole_with_tc = trial.theirs(Model::truncate);
    assert_difference(&whole_with_tc, "both have room for all records");
    // Sibling glue.
    let trial = Trial::new(&ours, "bar", b"", 1232, false);
    assert_difference(
        &trial.changed(|model| model.sections[2].clear()),
        "ns1.foo.signed.example.",
    );
    assert_difference(
        &trial.theirs(|model| model.sections[2].clear()),
        "both have room for all records",
    );
}

#[test]
fn part_of_an_rrset_is_found() {
    let ours = Ours::new();
    let trial = Trial::new(&ours, "in-domain", b"", 1232, false);
    let without_one = |model: &mut Model| {
        let mut first = true;
        model.keep(|record| record.rtype() != NS || !std::mem::take(&mut first));
        model.truncate();
    };
    assert_difference(&trial.changed(without_one), "our reply has a part only of");
}

#[test]
fn both_truncated() {
    let ours = Ours::new();
    let trial = Trial::new(&ours, "full", b"", 512, true);
    assert!(
        trial.ours[2] & 2 != 0,
        "the NSEC and eight servers are long"
    );
    let judgement = trial.theirs(|model| {
        model.truncate();
        model.sections = Default::default();
    });
    assert_eq!(judgement.outcome, Outcome::BothTruncated);
    // A foreign record is not excused by TC.
    let judgement = trial.theirs(|model| {
        model.truncate();
        model.sections = Default::default();
        (CHANGES[7].1)(model);
    });
    assert_difference(&judgement, "theirs has x.signed.example.");
    // Ours must hold what fits, even then.
    assert_difference(
        &trial.changed(|model| {
            model.truncate();
            model.sections = Default::default();
        }),
        "their reply is longer than client, --max-udp and MTU allow ours to be",
    );
    let mut model = Model::of(&trial.ours);
    model.sections = Default::default();
    let judgement = trial.judge(&model.octets(), &trial.ours);
    assert_difference(&judgement, "the NS RRset has");
}

#[test]
fn sizes_explain_truncation_by_one_only_near_the_limit() {
    let ours = Ours::new();
    // A name behind which ours fits, and theirs, uncompressed, does not.
    let mut trials = (1..=110).map(|octets| {
        let prefix: Vec<u8> = [1, b'x'].repeat(octets);
        Trial::new(&ours, "in-domain", &prefix, 0, false)
    });
    let is_near =
        |trial: &Trial| trial.ours[2] & 2 == 0 && Model::of(&trial.whole).octets().len() > 512;
    let mut trial = trials.find(is_near).expect("such a name");
    let whole = Model::of(&trial.whole).octets();
    let mut theirs = Model::of(&trial.whole);
    theirs.truncate();
    theirs.sections = Default::default();
    trial.whole = whole;
    let judgement = trial.judge(&trial.ours, &theirs.octets());
    let Outcome::BySize(sizes) = judgement.outcome else {
        panic!("{judgement:?}");
    };
    assert_eq!(sizes.ours[1], trial.ours.len());
    assert!(sizes.ours[0] <= 512 && sizes.theirs[0] > 512, "{sizes:?}");
    // Compressed it is not, and there is no excuse.
    trial.whole.clone_from(&trial.ours);
    let judgement = trial.judge(&trial.ours, &theirs.octets());
    assert_difference(&judgement, "both have room for all records");
}

#[test]
fn known_faults_need_their_reason() {
    let ours = Ours::new();
    // TC=0 with part of the in-domain glue, which does not fit.
    let trial = Trial::new(&ours, "full", b"", 0, false);
    assert!(trial.ours[2] & 2 != 0);
    let without_tc = |model: &mut Model| {
        model.header[2] &= !2;
        model.sections[2].clear();
    };
    // Uncompressed NS records are too long: take the octets of ours.
    let mut theirs = trial.ours.clone();
    theirs[2] &= !2;
    let judgement = trial.judge(&trial.ours, &theirs);
    assert_eq!(judgement.faults, [Fault::PartialGlue], "{judgement:?}");
    assert_eq!(judgement.outcome, Outcome::Fault);
    // Ours may not do so.
    let judgement = trial.judge(&theirs, &theirs);
    assert_difference(&judgement, "our TC does not tell");
    // Where it fits there is no excuse.
    let trial = Trial::new(&ours, "full", b"", 1232, false);
    assert_difference(&trial.theirs(without_tc), "theirs lacks in-domain glue");

    // Authoritative addresses left out, always.
    let mut trial = Trial::new(&ours, "authoritative", b"", 1232, true);
    let mut whole = Model::of(&trial.whole);
    whole.sections[2].clear();
    trial.whole = whole.octets();
    let judgement = trial.theirs(|_| {});
    assert_eq!(judgement.outcome, Outcome::Equal, "{judgement:?}");
    assert_eq!(judgement.faults, [Fault::NoAuthoritativeAddresses]);
    // Sibling glue is not excused like that.
    let mut trial = Trial::new(&ours, "bar", b"", 1232, true);
    trial.whole = whole_without_glue(&trial);
    assert_difference(&trial.theirs(|_| {}), "our reply has a record that theirs");
}

fn whole_without_glue(trial: &Trial) -> Vec<u8> {
    let mut whole = Model::of(&trial.whole);
    whole.sections[2].clear();
    whole.octets()
}

#[test]
fn addresses_from_a_wildcard_are_a_known_difference() {
    let ours = Ours::new();
    let mut trial = Trial::new(&ours, "from-wildcard", b"", 1232, false);
    assert_eq!(trial.ground.wildcards.len(), 1);
    let mut whole = Model::of(&trial.whole);
    let mut record = trial.ground.wildcards[0].to_vec();
    record.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    whole.sections[2].push(record);
    trial.whole = whole.octets();
    let judgement = trial.theirs(|_| {});
    assert_eq!(judgement.outcome, Outcome::Equal, "{judgement:?}");
    assert_eq!(judgement.faults, [Fault::WildcardAddresses]);
}

/// NSD's habit is no excuse where its octets are not the reason.
#[test]
fn glue_that_ends_short_of_the_limit() {
    let servers: String = (1..=21)
        .map(|n| format!("c NS n{n}.c\nn{n}.c A 192.0.2.{n}\nn{n}.c AAAA 2001:db8::{n}\n"))
        .collect();
    let text = format!("$TTL 60\n@ SOA n.void. h.void. 1 2 3 4 5\n@ NS n.void.\n{servers}");
    let zone = master_file::read_text(&name("signed.example"), Path::new("z"), text.as_bytes());
    let ours = Ours::of(zone.expect("a zone"));
    let ground = ours.ground("c");
    let query = query(b"", &ground.cut, 1400, false);
    let whole = ours.answer(&query, 1400);
    assert!(whole.len() > 1243 && whole[2] & 2 == 0, "{}", whole.len());
    let judge = |max_udp: u16, theirs: &[u8]| {
        let mut judge = Judge {
            reference: Wholes::new(|_: &[u8]| Reply::parse(&whole)),
            max_udp: max_udp.into(),
            copy_cd: false,
        };
        let ours = ours.answer(&query, max_udp);
        let judgement = judge.judge(&ground, &query, &ours, theirs);
        judgement.expect("a whole referral")
    };
    let short_without_tc = |max_udp| {
        let mut theirs = ours.answer(&query, max_udp);
        theirs[2] &= !2;
        theirs
    };
    let judgement = judge(1400, &short_without_tc(1232));
    assert_eq!(judgement.faults, [Fault::StopsShort], "{judgement:?}");
    assert_eq!(judgement.outcome, Outcome::Fault);
    // With more than that there is no such reason.
    assert!(short_without_tc(1290).len() > 1243, "{}", whole.len());
    let judgement = judge(1400, &short_without_tc(1290));
    assert_difference(&judgement, "theirs lacks in-domain glue that fits");
}
