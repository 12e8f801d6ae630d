//! The fallback's answers compared with Knot's, query by query.
//!
//! Both sides serve the same zones and get the same octets. Replies are
//! compared as sets of records per section; order, compression, the case of
//! owner names and the CD flag do not count. Every difference that is allowed
//! has a row in [`Difference`] with its reason, and is counted.

mod fallback_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dns_glue::serve::fallback::{FallbackZones, Settings, Transport, answer};
use domain::base::iana::OptRcode;
use domain::base::{Name, Rtype};
use fallback_support::knot::Knot;
use fallback_support::reply::{Record, Reply};
use fallback_support::signed::nsec3_zones;
use fallback_support::{
    Edns, Random, ZoneFile, below, data, load, load_zone, name, own_zones, query, real_zones,
    unpack,
};

/// The differences from Knot 3.2 that are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// A substitution by a DNAME that makes the name too long: YXDOMAIN with
    /// the DNAME (RFC 6672 section 2.2). Knot answers NXDOMAIN.
    NameTooLong,
    /// A wildcard that is an empty non-terminal stands in for the name: the
    /// proof needs two NSEC records, one that no closer name exists and one
    /// that the wildcard has no types (RFC 4035 section 3.1.3.4). Knot sends
    /// the first only. By NSEC3 with opt-out such a wildcard may have no record:
    /// then we send the one that covers it, Knot none.
    EmptyWildcard,
    /// NSEC asked of a name that a wildcard stands in for: the same NSEC is due
    /// in the answer, with the name as owner, and in the authority section, with
    /// its own, to prove that the name does not exist (RFC 4035 section
    /// 3.1.3.3). Knot sends it once.
    NsecOfWildcard,
    /// A name whose first label is an asterisk, below which a wildcard stands
    /// in for it: an ordinary expansion (RFC 4592 section 2.2.1), so the proof
    /// that no closer name exists is due. Knot takes the name for the wildcard
    /// itself and sends none.
    StarUnderWildcard,
    /// No wildcard answers below an empty non-terminal without NSEC3, but one
    /// exists below its closest provable encloser: opt-out leaves no proof that
    /// RFC 5155 section 8.4 would take. We send SOA and what proves the closest
    /// encloser, Knot the bare code.
    WildcardBesideOptOut,
    /// ANY of a signed name without a type below RRSIG (46): one RRset of the
    /// name with its signatures (RFC 8482 section 4.1). Knot counts all RRSIG
    /// records of the name as an RRset and sends these.
    AnyGivesSignatures,
    /// The target of a service binding lies under a wildcard: its addresses
    /// have the target as owner (RFC 4592 section 4.1 takes it for a query).
    /// Knot sends the wildcard itself.
    StarOfService,
    /// The SOA or the proof of a negative or wildcard answer does not fit: TC
    /// is set, since the resolver can neither cache nor validate without them
    /// (RFC 2308 section 3, RFC 4035 section 3.1.3). Knot leaves them out
    /// silently.
    AuthorityDoesNotFit,
    /// The two encodings differ by some octets, and the limit lies between.
    Limit,
}

/// What came of the queries of a run.
#[derive(Debug, Default)]
struct Tally {
    /// Replies that were equal.
    equal: usize,
    /// Of these, how many had TC set, so that only header and OPT counted.
    truncated: usize,
    /// Of these, how many lacked some of Knot's optional addresses, which did
    /// not fit.
    fewer_addresses: usize,
    /// Allowed differences.
    allowed: BTreeMap<Difference, usize>,
    /// Differences that must not be: the first few in full.
    wrong: Vec<String>,
    /// How many of these there were.
    wrong_count: usize,
    /// Replies by code, to see that the run met all kinds.
    codes: BTreeMap<String, usize>,
}

/// Both sides with the same zones.
struct Pair {
    zones: FallbackZones,
    settings: Settings,
    knot: Knot,
    tally: Tally,
}

impl Pair {
    /// Starts Knot with the zones; `None` where it is not installed.
    fn start(folder: &Path, files: &[ZoneFile]) -> Option<Self> {
        Some(Self {
            knot: Knot::start(folder, files)?,
            zones: load(files),
            settings: Settings::default(),
            tally: Tally::default(),
        })
    }

    /// Asks for every owner and names around it, with every type.
    fn ask_around(&mut self, files: &[ZoneFile], random: &mut Random) {
        let ways = ways();
        for qname in &names(files, random) {
            for qtype in TYPES {
                let (edns, transport) = *random.pick(&ways);
                self.ask(qname, qtype, edns, transport);
            }
            // Every proof, whatever chance leaves out.
            for qtype in [Rtype::A, Rtype::TXT, Rtype::DS, Rtype::NSEC] {
                let edns = Some(Edns {
                    size: 1232,
                    dnssec_ok: true,
                });
                self.ask(qname, qtype, edns, Transport::Udp);
            }
        }
    }

    fn ask(
        &mut self,
        qname: &Name<Vec<u8>>,
        qtype: Rtype,
        edns: Option<Edns>,
        transport: Transport,
    ) {
        let count = self.tally.equal + self.tally.wrong_count;
        let request = query(count as u16, qname.for_slice(), qtype, edns);
        let reply = |transport| {
            answer(&self.zones, &self.settings, &request, transport).expect("a reply to a query")
        };
        let ours = Reply::parse(&reply(transport));
        let knots = match transport {
            Transport::Udp => self.knot.ask_udp(&request),
            Transport::Tcp => self.knot.ask_tcp(&request),
        };
        let knots = Reply::parse(&knots);
        *self.tally.codes.entry(ours.rcode.to_string()).or_default() += 1;
        let limit = match transport {
            Transport::Udp => edns.map_or(512, |edns| usize::from(edns.size).clamp(512, 1232)),
            Transport::Tcp => usize::from(u16::MAX),
        };
        assert!(
            ours.length <= limit,
            "{} octets for a limit of {limit}",
            ours.length
        );
        let full = || Reply::parse(&reply(Transport::Tcp));
        let knot = &mut self.knot;
        let mut knots_full = || Reply::parse(&knot.ask_tcp(&request));
        match judge(&ours, &knots, limit, &full, &mut knots_full) {
            Verdict::Equal => {}
            Verdict::Truncated => self.tally.truncated += 1,
            Verdict::FewerAddresses => self.tally.fewer_addresses += 1,
            Verdict::Allowed(difference) => {
                *self.tally.allowed.entry(difference).or_default() += 1;
            }
            Verdict::Wrong(what) => {
                self.tally.wrong_count += 1;
                if self.tally.wrong.len() < 40 {
                    self.tally.wrong.push(format!(
                        "{what}: {qname} {qtype} {edns:?} {transport:?}\nours: {ours}Knot: {knots}"
                    ));
                }
                return;
            }
        }
        self.tally.equal += 1;
    }
}

/// How two replies compare.
enum Verdict {
    Equal,
    Truncated,
    FewerAddresses,
    Allowed(Difference),
    Wrong(&'static str),
}

/// Compares two replies to a client that takes `limit` octets. `full` gives
/// ours over TCP, `knots_full` asks Knot over TCP.
fn judge(
    ours: &Reply,
    knots: &Reply,
    limit: usize,
    full: &dyn Fn() -> Reply,
    knots_full: &mut dyn FnMut() -> Reply,
) -> Verdict {
    if ours.question != knots.question {
        return Verdict::Wrong("question");
    }
    if ours.opt != knots.opt {
        return Verdict::Wrong("OPT");
    }
    let same = (ours.rcode, ours.opcode, ours.flags, &ours.sections)
        == (knots.rcode, knots.opcode, knots.flags, &knots.sections);
    if same && !ours.truncated() {
        return judge_length(ours, knots);
    }
    let full = &full();
    if full.rcode == OptRcode::NXDOMAIN && gives_up(knots) && lacks_wildcard_proof(full) {
        return Verdict::Allowed(Difference::WildcardBesideOptOut);
    }
    match (ours.truncated(), knots.truncated()) {
        (true, true) if full.length > limit => return Verdict::Truncated,
        (true, false) => return judge_only_ours_truncated(knots, limit, full, &knots_full()),
        (false, true) => return judge_only_knots_truncated(ours, limit, full, &knots_full()),
        (true, true) => return Verdict::Wrong("TC although it fits"),
        (false, false) => {}
    }
    if ours.rcode == OptRcode::YXDOMAIN && knots.rcode == OptRcode::NXDOMAIN {
        let dname = |record: &Record| record.rtype == Rtype::DNAME;
        return if ours.sections[0] == knots.sections[0] && ours.sections[0].iter().any(dname) {
            Verdict::Allowed(Difference::NameTooLong)
        } else {
            Verdict::Wrong("YXDOMAIN")
        };
    }
    if (ours.rcode, ours.opcode) != (knots.rcode, knots.opcode) {
        return Verdict::Wrong("code");
    }
    if ours.flags != knots.flags {
        return Verdict::Wrong("flags");
    }
    if ours.sections[0] != knots.sections[0] {
        let only_signatures = knots.sections[0]
            .iter()
            .all(|record| record.rtype == Rtype::RRSIG);
        let above = |record: &Record| record.rtype.to_int() > Rtype::RRSIG.to_int();
        return if asks_for(ours, Rtype::ANY)
            && only_signatures
            && ours.sections[0].iter().any(above)
            && ours.sections[0]
                .iter()
                .all(|record| above(record) || record.rtype == Rtype::RRSIG)
        {
            Verdict::Allowed(Difference::AnyGivesSignatures)
        } else {
            Verdict::Wrong("answer section")
        };
    }
    if ours.sections[1] != knots.sections[1] {
        let knots_full = knots_full();
        return if has_more_proofs(full, &knots_full) {
            Verdict::Allowed(kind_of_proof(ours))
        } else if lacks_authority(knots, full)
            && knots_full.length > limit
            && full.sections == knots_full.sections
        {
            Verdict::Allowed(Difference::AuthorityDoesNotFit)
        } else {
            Verdict::Wrong("authority section")
        };
    }
    if ours.sections[2] != knots.sections[2] {
        // Which of the optional addresses are left out may differ; but only
        // where not all fit, and never those that are required.
        return if without_stars(ours).is_some() && without_stars(ours) == without_stars(knots) {
            Verdict::Allowed(Difference::StarOfService)
        } else if (full.length > limit || knots_full().length > limit)
            && ours.sections[2].is_subset(&full.sections[2])
            && knots.sections[2].is_subset(&full.sections[2])
            && has_all_required(ours, full)
        {
            Verdict::FewerAddresses
        } else {
            Verdict::Wrong("additional section")
        };
    }
    judge_length(ours, knots)
}

/// The sections are the same: compares the encodings.
fn judge_length(ours: &Reply, knots: &Reply) -> Verdict {
    // Names in SRV data are not to be compressed (RFC 3597 section 4); Knot
    // does.
    if ours.sections[0]
        .iter()
        .any(|record| record.rtype == Rtype::SRV)
    {
        return Verdict::Equal;
    }
    // Spec: never larger than Knot's by more than 8 octets, the pointers into
    // the QNAME's first labels apart.
    let first_labels = 65 * usize::from(ours.question.len() > 100);
    if ours.length > knots.length + 8 + first_labels {
        return Verdict::Wrong("a larger encoding");
    }
    Verdict::Equal
}

/// We had to truncate, Knot not.
fn judge_only_ours_truncated(
    knots: &Reply,
    limit: usize,
    full: &Reply,
    knots_full: &Reply,
) -> Verdict {
    if lacks_authority(knots, full) && knots_full.length > limit {
        return Verdict::Allowed(Difference::AuthorityDoesNotFit);
    }
    if full.length > limit && has_more_proofs(full, knots_full) {
        return Verdict::Allowed(kind_of_proof(full));
    }
    let near = full.length > limit && full.length <= knots_full.length + 8;
    if near && full.sections == knots_full.sections {
        return Verdict::Allowed(Difference::Limit);
    }
    Verdict::Wrong("TC set")
}

/// Whether Knot's reply has our full answer, but not the whole authority
/// section of a reply that is no referral.
fn lacks_authority(knots: &Reply, full: &Reply) -> bool {
    knots.sections[0] == full.sections[0]
        && knots.sections[1].is_subset(&full.sections[1])
        && knots.sections[1].len() < full.sections[1].len()
        && full.sections[1]
            .iter()
            .all(|record| record.rtype != Rtype::NS)
}

/// Knot had to truncate, we not: our encoding is shorter, and what we sent is
/// all that is required.
fn judge_only_knots_truncated(
    ours: &Reply,
    limit: usize,
    full: &Reply,
    knots_full: &Reply,
) -> Verdict {
    if knots_full.length > limit
        && full.sections == knots_full.sections
        && has_all_required(ours, full)
        && full.length < knots_full.length
    {
        Verdict::Allowed(Difference::Limit)
    } else {
        Verdict::Wrong("TC not set")
    }
}

/// Whether a reply lacks nothing of the full one but addresses that are not
/// in-domain glue (RFC 9471 section 3.1).
fn has_all_required(reply: &Reply, full: &Reply) -> bool {
    let referral = full.sections[1]
        .iter()
        .find(|record| record.rtype == Rtype::NS);
    let cut = referral.map(|record| record.owner.as_str());
    let in_domain = |record: &&Record| {
        let owner = record.owner.as_str();
        record.rtype != Rtype::RRSIG
            && cut.is_some_and(|cut| owner == cut || owner.ends_with(&format!(".{cut}")))
    };
    let glue = |reply: &Reply| {
        reply.sections[2]
            .iter()
            .filter(in_domain)
            .cloned()
            .collect::<Vec<Record>>()
    };
    reply.sections[..2] == full.sections[..2] && glue(reply) == glue(full)
}

/// The addresses and signatures of the additional section, their owners left
/// away; nothing if the answer has no service binding.
fn without_stars(reply: &Reply) -> Option<Vec<(Rtype, u32, &[u8])>> {
    let service = |record: &Record| matches!(record.rtype, Rtype::HTTPS | Rtype::SVCB);
    let starred = |record: &Record| {
        is_proof(record) || record.owner.starts_with("*.") || record.owner.starts_with("any.wild.")
    };
    if !reply.sections[0].iter().any(service) || !reply.sections[2].iter().all(starred) {
        return None;
    }
    let rest = reply.sections[2].iter().filter(|record| !is_proof(record));
    Some(
        rest.map(|record| (record.rtype, record.ttl, record.data.as_slice()))
            .collect(),
    )
}

/// Whether a reply is to a query for that type.
fn asks_for(reply: &Reply, qtype: Rtype) -> bool {
    let fixed = reply.question.len() - 4;
    reply.question[fixed..fixed + 2] == qtype.to_int().to_be_bytes()
}

/// Whether a record is an NSEC or NSEC3, or a signature of one.
fn is_proof(record: &Record) -> bool {
    let covers = |rtype: Rtype| record.data.starts_with(&rtype.to_int().to_be_bytes());
    match record.rtype {
        Rtype::NSEC | Rtype::NSEC3 => true,
        Rtype::RRSIG => covers(Rtype::NSEC) || covers(Rtype::NSEC3),
        _ => false,
    }
}

/// Which of Knot's missing proofs our reply has.
fn kind_of_proof(ours: &Reply) -> Difference {
    let has = |section: usize, rtype| {
        ours.sections[section]
            .iter()
            .any(|record| record.rtype == rtype)
    };
    // A DNAME leaves the first label as it is.
    let star = ours.question.starts_with(b"\x01*");
    if has(1, Rtype::SOA) && !(star && has(1, Rtype::NSEC3)) {
        Difference::EmptyWildcard
    } else if asks_for(ours, Rtype::NSEC) && has(0, Rtype::NSEC) {
        Difference::NsecOfWildcard
    } else {
        assert!(star, "a proof of no known kind: {ours}");
        Difference::StarUnderWildcard
    }
}

/// Whether ours has one proof more, or with NSEC3 up to two.
fn has_more_proofs(ours: &Reply, knots: &Reply) -> bool {
    let more: Vec<_> = ours.sections[1].difference(&knots.sections[1]).collect();
    let count = |rtype| more.iter().filter(|record| record.rtype == rtype).count();
    ours.sections[1].is_superset(&knots.sections[1])
        && matches!(
            (count(Rtype::NSEC), count(Rtype::NSEC3)),
            (1, 0) | (0, 1 | 2)
        )
        && more.iter().all(|record| is_proof(record))
}

/// Whether a reply is a bare code, without SOA and AA.
fn gives_up(reply: &Reply) -> bool {
    !reply.authoritative() && reply.sections.iter().all(|section| section.is_empty())
}

/// Whether a name error proves by NSEC3 with opt-out that the name does not
/// exist, but not that no wildcard does.
fn lacks_wildcard_proof(reply: &Reply) -> bool {
    let opt_out = |record: &&Record| record.rtype == Rtype::NSEC3 && record.data[1] == 1;
    reply.sections[1].iter().filter(opt_out).count() == 2
}

/// The types asked for of every name.
const TYPES: [Rtype; 20] = [
    Rtype::A,
    Rtype::AAAA,
    Rtype::NS,
    Rtype::SOA,
    Rtype::MX,
    Rtype::TXT,
    Rtype::DS,
    Rtype::DNSKEY,
    Rtype::NSEC,
    Rtype::NSEC3,
    Rtype::NSEC3PARAM,
    Rtype::RRSIG,
    Rtype::CNAME,
    Rtype::DNAME,
    Rtype::SRV,
    Rtype::HTTPS,
    Rtype::ANY,
    Rtype::PTR,
    Rtype::from_int(65280),
    Rtype::from_int(128),
];

/// The ways in which a query can say what it takes.
fn ways() -> Vec<(Option<Edns>, Transport)> {
    let mut ways = vec![(None, Transport::Udp), (None, Transport::Tcp)];
    for dnssec_ok in [false, true] {
        for size in [0, 512, 1232, 4096] {
            ways.push((Some(Edns { size, dnssec_ok }), Transport::Udp));
        }
        ways.push((
            Some(Edns {
                size: 4096,
                dnssec_ok,
            }),
            Transport::Tcp,
        ));
    }
    ways
}

/// Every owner of the zones, and names around each: below it, twice below it,
/// far below it, beside it, under a wildcard label, above it.
fn names(files: &[ZoneFile], random: &mut Random) -> Vec<Name<Vec<u8>>> {
    let mut names = Vec::new();
    for file in files {
        let zone = load_zone(file);
        for node in zone.nodes() {
            let owner = node.name();
            // Half of the owners are hashes, and one behaves as the other.
            let hashed = node.rrsets().all(|rrset| rrset.rtype() == Rtype::NSEC3);
            if hashed && random.below(16) > 0 {
                continue;
            }
            let label = format!("l{}", random.next() % 1000);
            let long = [b'x'; 50];
            names.extend(below(&[], owner));
            names.push(random.mix_case(owner));
            names.extend(below(&[label.as_bytes()], owner));
            names.extend(below(&[label.as_bytes(), b"Y"], owner));
            names.extend(below(&[&long, &long, b"z"], owner));
            names.extend(below(&[b"*"], owner));
            names.extend(below(&[b"*", label.as_bytes()], owner));
            if !owner.is_root() {
                let parent = owner.slice_from(owner.first().len() + 1);
                names.extend(below(&[], parent));
                names.extend(below(&[label.as_bytes()], parent));
                let first = owner.first().as_slice();
                if first.len() < 63 {
                    names.extend(below(&[&[first, b"\0"].concat()], parent));
                    names.extend(below(&[&[first, b"\xff"].concat()], parent));
                }
            }
        }
    }
    names.push(name("nowhere.invalid."));
    names.sort();
    names.dedup_by(|left, right| left.as_slice() == right.as_slice());
    names
}

/// What a root server was asked: every tenth name of a list of 2001.
fn names_of_2001() -> Vec<(Name<Vec<u8>>, Rtype)> {
    let text = unpack(&data().join("root-query-names-2001.txt.xz"));
    let text = String::from_utf8(text).expect("text");
    let parse = |line: &str| {
        let (qname, qtype) = line.rsplit_once(' ')?;
        Some((Name::vec_from_str(qname).ok()?, qtype.parse().ok()?))
    };
    let names: Vec<_> = text.lines().step_by(10).filter_map(parse).collect();
    assert!(names.len() > 4500, "{} names only", names.len());
    names
}

fn folder(of: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(of);
    std::fs::create_dir_all(&folder).expect("make a folder");
    folder
}

fn report(what: &str, tally: &Tally) {
    println!(
        "{what}: {} replies as Knot's ({} truncated on both sides, {} with fewer optional \
         addresses), {} wrong; allowed differences {:?}; codes {:?}",
        tally.equal,
        tally.truncated,
        tally.fewer_addresses,
        tally.wrong_count,
        tally.allowed,
        tally.codes
    );
    for wrong in &tally.wrong {
        println!("{wrong}");
    }
}

/// Every owner of the project's own zones and names around it, with every type.
#[test]
fn own_zones_answer_as_knot() {
    let files = own_zones();
    let folder = folder("fallback-knot-own");
    let Some(mut pair) = Pair::start(&folder, &files) else {
        return;
    };
    pair.ask_around(&files, &mut Random(1));
    report("own zones", &pair.tally);
    assert_eq!(pair.tally.wrong_count, 0, "replies differ from Knot's");
}

/// Root, arpa and root-servers.net together: names drawn at random.
#[test]
fn real_zones_answer_as_knot() {
    let folder = folder("fallback-knot-real");
    let Some(files) = real_zones(&folder) else {
        return;
    };
    let Some(mut pair) = Pair::start(&folder, &files) else {
        return;
    };
    let mut random = Random(2);
    let names = names(&files, &mut random);
    let ways = ways();
    for _ in 0..25_000 {
        let (edns, transport) = *random.pick(&ways);
        let (qname, qtype) = (random.pick(&names).clone(), *random.pick(&TYPES));
        pair.ask(&qname, qtype, edns, transport);
    }
    for (qname, qtype) in names_of_2001() {
        for (edns, transport) in [*random.pick(&ways), (None, Transport::Udp)] {
            pair.ask(&qname, qtype, edns, transport);
        }
    }
    report("real zones", &pair.tally);
    assert_eq!(pair.tally.wrong_count, 0, "replies differ from Knot's");
}

/// Zones with NSEC3, plain, salted, and with opt-out, of both signers: every
/// owner and names around it, with every type.
#[test]
fn nsec3_zones_answer_as_knot() {
    let folder = folder("fallback-knot-nsec3");
    let Some(files) = nsec3_zones(&folder) else {
        return;
    };
    let Some(mut pair) = Pair::start(&folder, &files) else {
        return;
    };
    pair.ask_around(&files, &mut Random(3));
    report("NSEC3 zones", &pair.tally);
    assert_eq!(pair.tally.wrong_count, 0, "replies differ from Knot's");
}
