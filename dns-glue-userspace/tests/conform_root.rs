//! The whole root zone, answered by the program in the kernel, against Knot's
//! answers: every delegation, names of three lengths, every size of client,
//! with and without DNSSEC, over IPv4 and IPv6.
//!
//! Equal means: the same sets of records in every section, whatever their
//! order, compression and case; the same header flags, question and OPT
//! record. Near a limit a few octets decide who must truncate; then sizes have
//! to explain the difference.

mod conform_support;
mod program_support;

use std::collections::BTreeMap;

use conform_support::knot::{Family, Knot};
use conform_support::message::{Place, places, question_end};
use dns_glue::zone::cuts::find_cuts;
use dns_glue_common::reason::Action;
use program_support::frame::Path;
use program_support::program::{Memory, POLICY, Program};
use program_support::query::{Query, edns_flag, flag};
use program_support::reply::Reply;
use program_support::{is_root, zones};

/// Octets by which our encoding may be longer than Knot's.
const ENCODING_SLACK: usize = 8;
/// Octets of the longest reply that either server sends.
const MAX_UDP: usize = 1232;

/// What is put in front of a delegation's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Prefix {
    None,
    /// One label, 24 octets with its length.
    Label,
    /// 183 octets.
    Octets183,
    /// As much as makes a name of 255 octets.
    Longest,
}

impl Prefix {
    fn of(self, cut: &[u8]) -> Vec<u8> {
        let mut octets = match self {
            Self::None => 0,
            Self::Label => 24,
            Self::Octets183 => 183,
            Self::Longest => 255 - cut.len(),
        };
        let mut name = Vec::with_capacity(255);
        while octets > 0 {
            // A label takes two octets or more: one must not be left.
            let label = match octets {
                65 => 63,
                octets => octets.min(64),
            };
            name.push(label as u8 - 1);
            name.extend(std::iter::repeat_n(b'x', label - 1));
            octets -= label;
        }
        name.extend(cut);
        name
    }
}

/// A column of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    prefix: Prefix,
    size: Option<u16>,
    dnssec: bool,
}

impl Column {
    /// All of them.
    fn all() -> Vec<Self> {
        let mut columns = Vec::new();
        for prefix in [Prefix::None, Prefix::Label, Prefix::Longest] {
            columns.push(Self::new(prefix, None, false));
            for size in [512, 1232, 4096] {
                for dnssec in [false, true] {
                    columns.push(Self::new(prefix, Some(size), dnssec));
                }
            }
        }
        columns.push(Self::new(Prefix::Octets183, Some(1232), true));
        columns
    }

    fn new(prefix: Prefix, size: Option<u16>, dnssec: bool) -> Self {
        Self {
            prefix,
            size,
            dnssec,
        }
    }

    fn query(self, cut: &[u8]) -> Query {
        let query = Query::of(&self.prefix.of(cut));
        match self.size {
            None => query,
            Some(size) => query.edns(size, if self.dnssec { edns_flag::DO } else { 0 }),
        }
    }

    /// Octets that a reply may have.
    fn limit(self) -> usize {
        usize::from(self.size.unwrap_or(512)).min(MAX_UDP)
    }
}

/// Full referrals to a delegation, with or without DNSSEC records.
struct Whole {
    /// Knot's, over TCP.
    knot: Reply,
    /// Octets of our records, and where they are.
    body_octets: usize,
    places: Vec<Place>,
    /// Octets of the records without which TC must be set.
    required_octets: usize,
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The same sets in every section.
    Equal,
    /// Both say TC=1; what is left of the bodies is each server's own choice.
    BothTruncated,
    /// Sizes explain why one truncates and the other does not, or why one
    /// leaves out optional glue.
    BySize,
}

#[test]
fn every_referral_of_the_root_zone_equals_knots() {
    if !is_root() {
        return;
    }
    let [(apex, file), ..] = zones::REAL_ZONES;
    let Some(text) = zones::real_text(file) else {
        return;
    };
    let Some(knot) = Knot::start(&[(apex, &text)]) else {
        return;
    };
    let zone = [zones::real(apex, file).expect("its text is there")];
    let cuts: Vec<Vec<u8>> = find_cuts(&zone, &[])
        .delegations
        .iter()
        .map(|delegation| delegation.cut.as_slice().to_vec())
        .collect();
    assert_eq!(cuts.len(), 1438);
    let program = Program::load(Memory::new(zones::generation(&zone), POLICY));

    let wholes = [false, true].map(|dnssec| wholes(&program, &knot, &cuts, dnssec));
    let mut totals: BTreeMap<Outcome, usize> = BTreeMap::new();
    let mut truncated: BTreeMap<(Column, Family), [usize; 2]> = BTreeMap::new();
    let mut differences = Vec::new();
    let mut cases = 0;
    for column in Column::all() {
        let wholes = &wholes[usize::from(column.dnssec)];
        let queries: Vec<Query> = cuts.iter().map(|cut| column.query(cut)).collect();
        let messages: Vec<Vec<u8>> = queries.iter().map(Query::octets).collect();
        for family in [Family::V4, Family::V6] {
            let replies = knot.ask(family, &messages);
            let counts = truncated.entry((column, family)).or_default();
            for (((query, message), whole), knots) in
                queries.iter().zip(&messages).zip(wholes).zip(&replies)
            {
                let ours = ask(&program, family, query, message);
                cases += 1;
                counts[0] += usize::from(ours[2] & 2 != 0);
                counts[1] += usize::from(knots[2] & 2 != 0);
                match judge(&knot, whole, column, query, &ours, knots) {
                    Ok(outcome) => *totals.entry(outcome).or_default() += 1,
                    Err(difference) => differences.push(difference),
                }
            }
        }
    }
    println!(
        "{cases} cases, {totals:?}, {} differences",
        differences.len()
    );
    for ((column, family), [ours, knots]) in &truncated {
        println!("{column:?} {family:?}: TC=1 for {ours}, Knot {knots}");
    }
    assert!(
        differences.is_empty(),
        "{} differences, the first of them: {}",
        differences.len(),
        differences[0]
    );
    assert_eq!(totals.values().sum::<usize>(), cases);
    // By far the most must be plainly equal, or the rules excuse too much.
    assert!(totals[&Outcome::BySize] * 50 < cases, "{totals:?}");
    check_truncation(&truncated);
    assert_eq!(program.counted(Action::Abort), 0);
    // Nothing passed: each of the frames was answered by the kernel.
    assert_eq!(program.counted(Action::Pass), 0);
}

/// What was measured of Knot 3.2.6, and of the program.
fn check_truncation(truncated: &BTreeMap<(Column, Family), [usize; 2]>) {
    for (prefix, size, dnssec, ours, knots) in [
        (Prefix::None, None, false, 82, 82),
        (Prefix::Label, None, false, 86, 86),
        (Prefix::None, Some(512), true, 1097, 1110),
        (Prefix::Label, Some(512), true, 1231, 1234),
        (Prefix::None, Some(1232), true, 0, 0),
        (Prefix::Octets183, Some(1232), true, 2, 2),
    ] {
        let column = Column::new(prefix, size, dnssec);
        for family in [Family::V4, Family::V6] {
            assert_eq!(truncated[&(column, family)], [ours, knots], "{column:?}");
        }
    }
}

/// Asks the program; the message of its reply, with ID 0.
fn ask(program: &Program, family: Family, query: &Query, message: &[u8]) -> Vec<u8> {
    let path = match family {
        Family::V4 => Path::v4(),
        Family::V6 => Path::v6(),
    };
    let (action, frame) = program.run(&path.frame(message));
    assert_eq!(action, Action::Transmit, "{query:?}");
    let mut reply = path.check_reply(&frame).to_vec();
    assert_eq!(reply[..2], query.id.to_be_bytes());
    reply[..2].fill(0);
    reply
}

/// The full referrals to all delegations: equal records, and octets as near.
fn wholes(program: &Program, knot: &Knot, cuts: &[Vec<u8>], dnssec: bool) -> Vec<Whole> {
    let column = Column::new(Prefix::None, Some(4096), dnssec);
    let queries: Vec<Query> = cuts.iter().map(|cut| column.query(cut)).collect();
    let messages: Vec<Vec<u8>> = queries.iter().map(Query::octets).collect();
    let replies = knot.ask_tcp(&messages);
    let mut octets = [Vec::new(), Vec::new()];
    let mut gains = Vec::new();
    let mut wholes = Vec::new();
    for (((cut, query), message), knots) in cuts.iter().zip(&queries).zip(&messages).zip(&replies) {
        let ours = ask(program, Family::V4, query, message);
        let (our_reply, knot_reply) = (Reply::parse(&ours), Reply::parse(knots));
        assert!(!our_reply.truncated() && !knot_reply.truncated());
        assert_eq!(
            our_reply.sections, knot_reply.sections,
            "{our_reply}\n{knot_reply}"
        );
        assert!(
            ours.len() <= knots.len() + ENCODING_SLACK,
            "{} octets, Knot {}: {our_reply}",
            ours.len(),
            knots.len()
        );
        gains.push(ours.len() as i64 - knots.len() as i64);
        octets[0].push(ours.len());
        octets[1].push(knots.len());
        let places = places(&ours);
        let required_octets = required(&ours, &places, cut, &knot_reply);
        wholes.push(Whole {
            body_octets: places.last().map_or(0, |place| place.end),
            knot: knot_reply,
            places,
            required_octets,
        });
    }
    for (who, octets) in ["ours", "Knot's"].into_iter().zip(&mut octets) {
        octets.sort_unstable();
        println!(
            "DO {dnssec}: {who}: median {} octets, longest {}",
            octets[octets.len() / 2],
            octets[octets.len() - 1]
        );
    }
    let (shortest, longest) = (gains.iter().min(), gains.iter().max());
    println!("DO {dnssec}: ours less Knot's, for a delegation: from {shortest:?} to {longest:?}");
    wholes
}

/// Octets of the records up to the last that is required: NS records, proof,
/// in-domain glue.
fn required(ours: &[u8], places: &[Place], cut: &[u8], knot: &Reply) -> usize {
    let cut = domain::base::Name::from_octets(cut)
        .expect("a name")
        .to_string();
    let in_domain = knot.sections[2]
        .iter()
        .filter(|record| is_below(&record.owner, &cut.to_ascii_lowercase()))
        .count();
    let additional = places.iter().filter(|place| place.section == 2);
    let authority_octets = places
        .iter()
        .filter(|place| place.section == 1)
        .map(|place| place.end)
        .max();
    let glue_octets = additional.take(in_domain).map(|place| place.end).last();
    // That in-domain glue stands first is our own order: check it.
    let reply = truncate_additional(ours, places, in_domain);
    assert!(
        Reply::parse(&reply).sections[2]
            .iter()
            .all(|record| is_below(&record.owner, &cut.to_ascii_lowercase())),
        "in-domain glue stands first"
    );
    glue_octets.or(authority_octets).expect("NS records")
}

/// A message with only the first records of its additional section, no OPT.
fn truncate_additional(message: &[u8], places: &[Place], records: usize) -> Vec<u8> {
    let authority = places.iter().filter(|place| place.section == 1).count();
    let end = places[..authority + records]
        .last()
        .map_or(0, |place| place.end);
    let mut message = message[..question_end(message) + end].to_vec();
    message[10..12].copy_from_slice(&(records as u16).to_be_bytes());
    message
}

fn is_below(name: &str, cut: &str) -> bool {
    name == cut || name.ends_with(&format!(".{cut}"))
}

/// Compares two replies to a query.
fn judge(
    knot: &Knot,
    whole: &Whole,
    column: Column,
    query: &Query,
    ours: &[u8],
    knots: &[u8],
) -> Result<Outcome, String> {
    let limit = column.limit();
    let (reply, knot_reply) = (Reply::parse(ours), Reply::parse(knots));
    let fail = |what: &str| {
        Err(format!(
            "{what}: {column:?} {:02x?}\nours: {reply}\nKnot's: {knot_reply}",
            query.name
        ))
    };
    if let Err(what) = check_shape(query, limit, ours, &reply, &knot_reply) {
        return fail(what);
    }
    let front = question_end(ours) + if query.opt.is_some() { 11 } else { 0 };
    let our_octets = front + whole.body_octets;
    let (truncated, knot_truncated) = (reply.truncated(), knot_reply.truncated());
    if our_octets <= limit {
        if truncated || reply.sections != whole.knot.sections {
            return fail("what fits is not all there");
        }
    } else if let Err(what) = check_cut(whole, ours, limit - front, truncated) {
        return fail(what);
    }
    if truncated == knot_truncated && reply.sections == knot_reply.sections {
        return Ok(Outcome::Equal);
    }
    if truncated && knot_truncated {
        return Ok(Outcome::BothTruncated);
    }
    let knot_octets = knot.ask_tcp(&[query.octets()])[0].len();
    if our_octets > knot_octets + ENCODING_SLACK {
        return fail("our encoding is too long");
    }
    // One of the two, at least, had not room for everything.
    if our_octets <= limit && knot_octets <= limit {
        return fail("both have room for all records");
    }
    if truncated != knot_truncated {
        // How near the limit our required records end, and how far the two
        // encodings are apart.
        let required = front + whole.required_octets;
        if required.abs_diff(limit) > our_octets.abs_diff(knot_octets).max(ENCODING_SLACK) {
            return fail("TC is not explained by sizes");
        }
    }
    Ok(Outcome::BySize)
}

/// What must be the same whatever fits.
fn check_shape(
    query: &Query,
    limit: usize,
    ours: &[u8],
    reply: &Reply,
    knot: &Reply,
) -> Result<(), &'static str> {
    let tc = u16::from(reply.truncated()) * flag::TC;
    if ours[2..4] != (flag::QR | tc).to_be_bytes() {
        return Err("header flags");
    }
    if [0, 2, 3, 4].map(|flag| reply.flags[flag]) != [0, 2, 3, 4].map(|flag| knot.flags[flag])
        || reply.rcode != knot.rcode
        || reply.opcode != knot.opcode
    {
        return Err("other header flags than Knot's");
    }
    if reply.question != knot.question || reply.question != query.octets()[12..query.question_end()]
    {
        return Err("the question");
    }
    if reply.opt != knot.opt || reply.opt.is_some() != query.opt.is_some() {
        return Err("the OPT record");
    }
    if ours.len() > limit {
        return Err("too long");
    }
    Ok(())
}

/// Checks that a reply which is not whole ends where it must: behind the
/// longest run of whole RRsets that fits, and with TC=1 if anything required is
/// behind that.
fn check_cut(whole: &Whole, ours: &[u8], room: usize, truncated: bool) -> Result<(), &'static str> {
    let kept = places(ours);
    let end = kept.last().map_or(0, |place| place.end);
    // The same records at the same places.
    for (place, of_whole) in kept.iter().zip(&whole.places) {
        if (place.section, place.rtype, place.start, place.end)
            != (
                of_whole.section,
                of_whole.rtype,
                of_whole.start,
                of_whole.end,
            )
        {
            return Err("other records than in the whole referral");
        }
    }
    let mut group_ends: Vec<usize> = whole
        .places
        .windows(2)
        .filter(|pair| !is_one_group(&pair[0], &pair[1]))
        .map(|pair| pair[0].end)
        .collect();
    group_ends.push(whole.body_octets);
    let longest = group_ends.iter().copied().filter(|end| *end <= room).max();
    if end != longest.unwrap_or(0) {
        return Err("not the longest run of RRsets that fits");
    }
    if truncated != (end < whole.required_octets) {
        return Err("TC does not tell whether required records are missing");
    }
    Ok(())
}

/// Whether neighbours belong to one RRset, or both to the proof.
fn is_one_group(first: &Place, second: &Place) -> bool {
    const NS: u16 = 2;
    if first.section != second.section {
        return false;
    }
    if first.section == 1 {
        return (first.rtype == NS) == (second.rtype == NS);
    }
    first.rtype == second.rtype && first.owner == second.owner
}
