//! The zone of RFC 5155 appendix A, and what may be wrong with a chain.

use super::*;
use crate::zone::builder::BuildErrorKind;
use crate::zone::errors::ZoneErrorKind;
use crate::zone::master_file::read_text;
use crate::zone::records::Denial;
use domain::base::Name;
use proptest::prelude::*;
use std::path::Path;

/// Each name of appendix A with its hash, in the order of the hashes, and what
/// the bitmap says.
const APPENDIX_A: [(&str, &str, &str); 12] = [
    (
        "example.",
        "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
        "MX DNSKEY NS SOA NSEC3PARAM RRSIG",
    ),
    (
        "ns1.example.",
        "2t7b4g4vsa5smi47k61mv5bv1a22bojr",
        "A RRSIG",
    ),
    (
        "x.y.w.example.",
        "2vptu5timamqttgl4luu9kg21e0aor3s",
        "MX RRSIG",
    ),
    (
        "a.example.",
        "35mthgpgcu1qg68fab165klnsnk3dpvl",
        "NS DS RRSIG",
    ),
    (
        "x.w.example.",
        "b4um86eghhds6nea196smvmlo4ors995",
        "MX RRSIG",
    ),
    (
        "ai.example.",
        "gjeqe526plbf1g8mklp59enfd789njgi",
        "HINFO A AAAA RRSIG",
    ),
    ("y.w.example.", "ji6neoaepv8b5o6k4ev33abha8ht9fgc", ""),
    ("w.example.", "k8udemvp1j2f7eg6jebps17vp3n8i58h", ""),
    (
        "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.",
        "kohar7mbb8dc2ce8a9qvl8hon4k53uhi",
        "A RRSIG",
    ),
    (
        "ns2.example.",
        "q04jkcevqvmu85r014c7dkba38o0ji5r",
        "A RRSIG",
    ),
    (
        "*.w.example.",
        "r53bq7cc2uvmubfu5ocmm6pers9tk9en",
        "MX RRSIG",
    ),
    (
        "xx.example.",
        "t644ebqk9bibcna874givr6joj62mlhv",
        "HINFO A AAAA RRSIG",
    ),
];

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a valid name")
}

fn parameters(iterations: u16, salt: &[u8]) -> Parameters {
    Parameters {
        iterations,
        salt: salt.into(),
    }
}

/// The NSEC3 records of appendix A, opt-out set, without those whose place is
/// in `left_out`.
fn appendix_a(salt: &str, left_out: &[usize]) -> String {
    (0..APPENDIX_A.len())
        .filter(|place| !left_out.contains(place))
        .map(|place| {
            let (_, owner, types) = APPENDIX_A[place];
            let next = APPENDIX_A[(place + 1) % APPENDIX_A.len()].1;
            format!("{owner} NSEC3 1 1 12 {salt} {next} {types}\n")
        })
        .collect()
}

/// A signed zone `example.` with those records added.
fn read(records: &str) -> Result<Zone, Vec<String>> {
    let text = format!(
        "$TTL 3600\n@ SOA ns1 bugs.x.w 1 3600 300 3600000 3600\n@ NS ns1\n\
         @ DNSKEY 257 3 13 AAAA\n\
         @ RRSIG SOA 13 1 3600 20900101000000 20260101000000 1 example. AAAA\n{records}"
    );
    read_text(
        &name("example."),
        Path::new("example.zone"),
        text.as_bytes(),
    )
    .map_err(|errors| {
        let kind = |kind: &ZoneErrorKind| match kind {
            ZoneErrorKind::Build(BuildErrorKind::NoDenial { .. }) => String::from("no denial"),
            ZoneErrorKind::Build(BuildErrorKind::NoNsec3Chain { .. }) => String::from("no chain"),
            other => other.to_string(),
        };
        errors
            .errors()
            .iter()
            .map(|error| kind(&error.kind))
            .collect()
    })
}

/// The first labels of the RRsets that match and cover a name.
fn found(zone: &Zone, wanted: &str) -> (Option<String>, Option<String>) {
    let chain = zone.nsec3().expect("a chain");
    let label = |rrset: Rrset<'_>| rrset.owner().first().to_string();
    let wanted = name(wanted);
    (
        chain.matching(wanted.for_slice()).map(label),
        chain.covering(wanted.for_slice()).map(label),
    )
}

fn matched(label: &str) -> (Option<String>, Option<String>) {
    (Some(label.to_owned()), None)
}

fn covered(label: &str) -> (Option<String>, Option<String>) {
    (None, Some(label.to_owned()))
}

const PARAM: &str = "@ NSEC3PARAM 1 0 12 aabbccdd\n";

#[test]
fn hashes_of_rfc_5155_appendix_a() {
    let parameters = parameters(12, &[0xaa, 0xbb, 0xcc, 0xdd]);
    for (owner, hash, _) in APPENDIX_A {
        for case in [owner.to_owned(), owner.to_ascii_uppercase()] {
            let octets = parameters.hash(name(&case).for_slice());
            assert_eq!(base32hex::decode(hash.as_bytes()), Some(octets), "{case}");
        }
    }
    // The next closer names of appendix B.1 and B.3.
    for (owner, hash) in [
        ("c.x.w.example.", "0va5bpr2ou0vk0lbqeeljri88laipsfh"),
        ("c.example.", "4g6p9u5gvfshp30pqecj98b3maqbn1ck"),
    ] {
        let octets = parameters.hash(name(owner).for_slice());
        assert_eq!(base32hex::decode(hash.as_bytes()), Some(octets), "{owner}");
    }
}

#[test]
fn hashes_without_salt_or_iterations() {
    // By nsec3hash of BIND 9.18.
    for (iterations, salt, hash) in [
        (0, &[][..], "3msev9usmd4br9s97v51r2tdvmr9iqo1"),
        (100, &[], "jieidaru68sm01lporogns2auee8ercp"),
        (0, &[0xaa, 0xbb], "scpjclod9nh4snis80bpp1jk8edjg6t9"),
        (1, &[0xaa, 0xbb], "de6vp3oqb4tbif48j4p3uvvsi1p8a34b"),
    ] {
        let octets = parameters(iterations, salt).hash(name("example.").for_slice());
        assert_eq!(base32hex::decode(hash.as_bytes()), Some(octets));
    }
}

#[test]
fn matching_and_covering() {
    let zone = read(&format!("{PARAM}{}", appendix_a("aabbccdd", &[]))).expect("a zone");
    assert_eq!(zone.denial(), Denial::Nsec3);
    let chain = zone.nsec3().expect("a chain");
    assert_eq!(chain.len(), 12);
    for (owner, hash, types) in APPENDIX_A {
        assert_eq!(found(&zone, owner), matched(hash), "{owner}");
        let record = chain.record(chain.matching(name(owner).for_slice()).expect("matched"));
        assert!(record.is_opt_out());
        assert_eq!(record.has_type(Rtype::MX), types.contains("MX"));
        // Only a delegation without DS proves an insecure one.
        assert!(!record.proves_insecure_delegation(), "{owner}");
    }
    // Appendix B.1: c.x.w.example; B.3: c.example.
    assert_eq!(found(&zone, "c.x.w.example."), covered(APPENDIX_A[0].1));
    assert_eq!(found(&zone, "C.Example."), covered(APPENDIX_A[3].1));
}

#[test]
fn the_last_interval_goes_round() {
    let zone = read(&format!("{PARAM}{}", appendix_a("aabbccdd", &[]))).expect("a zone");
    let chain = zone.nsec3().expect("a chain");
    let last = name(APPENDIX_A[11].0);
    let last = chain.matching(last.for_slice()).expect("matched");
    for hash in [[0; HASH_OCTETS], [0xff; HASH_OCTETS]] {
        let covering = chain.covering_hash(&hash).expect("covered");
        assert_eq!(covering.owner(), last.owner());
    }
}

#[test]
fn a_chain_of_one_covers_all_but_itself() {
    let hash = APPENDIX_A[0].1;
    let zone = read(&format!(
        "{PARAM}{hash} NSEC3 1 0 12 aabbccdd {hash} NS SOA\n"
    ))
    .expect("a zone");
    assert_eq!(found(&zone, "example."), matched(hash));
    for (other, _, _) in &APPENDIX_A[1..] {
        assert_eq!(found(&zone, other), covered(hash));
    }
}

#[test]
fn a_gap_covers_nothing() {
    for (left_out, (owner, _, _)) in APPENDIX_A.iter().enumerate().skip(1) {
        let zone =
            read(&format!("{PARAM}{}", appendix_a("aabbccdd", &[left_out]))).expect("a zone");
        // The name of the record that is missing lies at the interval's end.
        assert_eq!(found(&zone, owner), (None, None), "{owner}");
    }
    // A gap of several records, and one at the start.
    let zone = read(&format!("{PARAM}{}", appendix_a("aabbccdd", &[0, 3, 4]))).expect("a zone");
    assert_eq!(found(&zone, "c.example."), (None, None));
    assert_eq!(found(&zone, "example."), (None, None));
    assert_eq!(found(&zone, "w.example."), matched(APPENDIX_A[7].1));
}

#[test]
fn the_complete_one_of_several_chains() {
    let ours = appendix_a("aabbccdd", &[]);
    // Same owners, other salt: records beside ours count for nothing, though
    // their NSEC3PARAM comes first in canonical order.
    let broken = appendix_a("aabbccd0", &[2]);
    let params = format!("{PARAM}@ NSEC3PARAM 1 0 12 aabbccd0\n");
    let zone = read(&format!("{params}{ours}{broken}")).expect("a zone");
    let chain = zone.nsec3().expect("a chain");
    assert_eq!(*chain.parameters().salt, [0xaa, 0xbb, 0xcc, 0xdd]);
    assert_eq!(found(&zone, "c.example."), covered(APPENDIX_A[3].1));
    // With both complete the first counts; without a complete one the longest.
    let owner = APPENDIX_A[0].1;
    let other = format!("{owner} NSEC3 1 0 12 aabbccd0 {owner} NS\n");
    let zone = read(&format!("{params}{}{other}", appendix_a("aabbccdd", &[5])));
    let zone = zone.expect("a zone");
    assert_eq!(zone.nsec3().expect("a chain").len(), 11);
}

#[test]
fn only_flags_0_announce_a_chain() {
    let records = appendix_a("aabbccdd", &[]);
    for param in [
        "",
        "@ NSEC3PARAM 1 1 12 aabbccdd\n",
        "@ NSEC3PARAM 2 0 12 aabbccdd\n",
        "@ NSEC3PARAM 1 0 13 aabbccdd\n",
        "@ NSEC3PARAM 1 0 12 -\n",
    ] {
        let refused = read(&format!("{param}{records}")).map(|_| ());
        assert_eq!(refused, Err(vec![String::from("no chain")]), "{param}");
        // With NSEC beside them these count.
        let zone = read(&format!("{param}{records}@ NSEC a NS SOA\n")).expect("a zone");
        assert_eq!(zone.denial(), Denial::Nsec);
        assert!(zone.nsec3().is_none());
    }
}

#[test]
fn records_with_unknown_flags_do_not_count() {
    let records = appendix_a("aabbccdd", &[]);
    let (owner, hash, _) = APPENDIX_A[3];
    for flags in [2, 3, 0x80, 0xff] {
        let known = format!("{hash} NSEC3 1 1 ");
        let unknown = format!("{hash} NSEC3 1 {flags} ");
        let zone = read(&format!("{PARAM}{}", records.replace(&known, &unknown)));
        let zone = zone.expect("a zone");
        assert_eq!(zone.nsec3().expect("a chain").len(), 11);
        assert_eq!(found(&zone, owner), (None, None), "{flags}");
        let all = records.replace("NSEC3 1 1 ", &format!("NSEC3 1 {flags} "));
        let refused = read(&format!("{PARAM}{all}")).map(|_| ());
        assert_eq!(refused, Err(vec![String::from("no chain")]), "{flags}");
    }
}

#[test]
fn between_nsec_and_nsec3_the_complete_chain_counts() {
    let nsec = "@ NSEC a NS SOA\n";
    for (left_out, denial) in [(&[][..], Denial::Nsec3), (&[4], Denial::Nsec)] {
        let records = appendix_a("aabbccdd", left_out);
        let zone = read(&format!("{PARAM}{records}{nsec}")).expect("a zone");
        assert_eq!(zone.denial(), denial);
        assert_eq!(zone.nsec3().is_some(), denial == Denial::Nsec3);
    }
}

#[test]
fn a_signed_zone_needs_some_denial() {
    let refused = |records: &str| read(records).map(|_| ()).expect_err("refused");
    assert_eq!(refused(""), ["no denial"]);
    assert_eq!(refused(PARAM), ["no chain"]);
}

#[test]
fn owners_that_are_no_hashes_do_not_count() {
    let hash = APPENDIX_A[0].1;
    let rdata = format!("NSEC3 1 0 12 aabbccdd {hash} NS SOA\n");
    let zone = read(&format!(
        "{PARAM}{hash} {rdata}{hash}.below {rdata}wwww{} {rdata}short {rdata}",
        &hash[4..]
    ))
    .expect("a zone");
    assert_eq!(zone.nsec3().expect("a chain").len(), 1);
}

proptest! {
    /// However uneven the numbers are.
    #[test]
    fn the_first_not_below(
        mut sorted in prop::collection::vec(prop_oneof![any::<u32>(), 0..50_u32], 0..200),
        others in prop::collection::vec(any::<u32>(), 0..5),
    ) {
        sorted.sort_unstable();
        let near = sorted.iter().flat_map(|at| [at.wrapping_sub(1), *at, at.wrapping_add(1)]);
        for wanted in near.chain(others).chain([0, u32::MAX]) {
            let expected = sorted.partition_point(|other| *other < wanted);
            prop_assert_eq!(first_not_below(&sorted, wanted), expected);
        }
    }
}
