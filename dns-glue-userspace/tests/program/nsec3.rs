//! Golden cases of a zone signed with NSEC3 and opt-out.

use super::super::program_support::frame::Path;
use super::super::program_support::query::{Query, edns_flag};
use super::{Answer, Case, Reason};

/// The chain has three links: the empty non-terminal `ent`, then `own`, then
/// the apex. What `nsec3hash - 1 0` says of other names tells which of them
/// covers each: `ent` insecure, share-1, full and sub.ent; the apex bb, alone
/// and in.ent. The signatures are octets to be carried.
pub const ZONE: &str = "\
@ NSEC3PARAM 1 0 0 -
@ DNSKEY 257 3 13 AAAA
@ RRSIG SOA 13 2 3600 20900101000000 20260101000000 1 nsec3.example. AAAA
32bq3o4mvvp5m41hoen0s23p1au5h10g NSEC3 1 1 0 - h0tv681qvihh3j77pcn4pqti1ui1b2qp
32bq3o4mvvp5m41hoen0s23p1au5h10g RRSIG NSEC3 13 3 3600 20900101000000 20260101000000 1 \
nsec3.example. AAAA
H0TV681QVIHH3J77PCN4PQTI1UI1B2QP NSEC3 1 0 0 - krsatb3pjbkrjutskf89t5ms899d2udp NS
H0TV681QVIHH3J77PCN4PQTI1UI1B2QP RRSIG NSEC3 13 3 3600 20900101000000 20260101000000 1 \
nsec3.example. AAAA
H0TV681QVIHH3J77PCN4PQTI1UI1B2QP RRSIG NSEC3 8 3 3600 20900101000000 20260101000000 2 \
nsec3.example. AAAAAAAA
H0TV681QVIHH3J77PCN4PQTI1UI1B2QP RRSIG NSEC3 13 3 3600 20900101000000 20260101000000 3 \
nsec3.example. BBBB
krsatb3pjbkrjutskf89t5ms899d2udp NSEC3 1 1 0 - 32bq3o4mvvp5m41hoen0s23p1au5h10g NS SOA
krsatb3pjbkrjutskf89t5ms899d2udp RRSIG NSEC3 13 3 3600 20900101000000 20260101000000 1 \
nsec3.example. AAAA
secure NS ns1.elsewhere.example.
secure DS 1 13 2 00112233
secure RRSIG DS 13 3 3600 20900101000000 20260101000000 1 nsec3.example. AAAA
secure RRSIG DS 8 3 3600 20900101000000 20260101000000 2 nsec3.example. AAAAAAAA
own NS ns1.elsewhere.example.
insecure NS ns1.elsewhere.example.
share-1 NS a-name-server.of-a-provider.elsewhere.example.
share-1 NS ns.share-1
ns.share-1 A 192.0.2.1
bb NS ns1.elsewhere.example.
sub.ent NS ns1.elsewhere.example.
deep.in.ent NS ns1.elsewhere.example.
of.alone NS ns1.elsewhere.example.
full NS ns01.elsewhere.example.
full NS ns02.elsewhere.example.
full NS ns03.elsewhere.example.
full NS ns04.elsewhere.example.
full NS ns05.elsewhere.example.
full NS ns06.elsewhere.example.
full NS ns07.elsewhere.example.
full NS ns08.elsewhere.example.
full NS ns09.elsewhere.example.
full NS ns10.elsewhere.example.
full NS ns11.elsewhere.example.
full NS ns12.elsewhere.example.
";

const APEX: [&str; 2] = [
    "krsatb3pjbkrjutskf89t5ms899d2udp.nsec3.example 3600 NSEC3 1 1 0 - \
     32bq3o4mvvp5m41hoen0s23p1au5h10g ns soa",
    "krsatb3pjbkrjutskf89t5ms899d2udp.nsec3.example 3600 RRSIG nsec3 13 3 3600 3786912000 \
     1767225600 1 nsec3.example. aaaa",
];
const ENT: [&str; 2] = [
    "32bq3o4mvvp5m41hoen0s23p1au5h10g.nsec3.example 3600 NSEC3 1 1 0 - \
     h0tv681qvihh3j77pcn4pqti1ui1b2qp",
    "32bq3o4mvvp5m41hoen0s23p1au5h10g.nsec3.example 3600 RRSIG nsec3 13 3 3600 3786912000 \
     1767225600 1 nsec3.example. aaaa",
];
const OWN: [&str; 4] = [
    "h0tv681qvihh3j77pcn4pqti1ui1b2qp.nsec3.example 3600 NSEC3 1 0 0 - \
     krsatb3pjbkrjutskf89t5ms899d2udp ns",
    "h0tv681qvihh3j77pcn4pqti1ui1b2qp.nsec3.example 3600 RRSIG nsec3 13 3 3600 3786912000 \
     1767225600 1 nsec3.example. aaaa",
    "h0tv681qvihh3j77pcn4pqti1ui1b2qp.nsec3.example 3600 RRSIG nsec3 8 3 3600 3786912000 \
     1767225600 2 nsec3.example. aaaaaaaa",
    "h0tv681qvihh3j77pcn4pqti1ui1b2qp.nsec3.example 3600 RRSIG nsec3 13 3 3600 3786912000 \
     1767225600 3 nsec3.example. bbbb",
];

/// Labels of 182 octets, with their lengths, in front of a delegation's.
const LONG_PREFIX: &str = "\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.\
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.a.b.";

/// A delegation to one name server, asked with DO, with a prefix before it.
fn proved(what: &str, path: Path, prefix: &str, cut: &str, size: u16, proof: &[&str]) -> Case {
    let query = Query::new(&format!("{prefix}{cut}.nsec3.example."));
    let ns = format!("{cut}.nsec3.example 3600 NS ns1.elsewhere.example.");
    let mut authority = vec![ns.as_str()];
    authority.extend(proof);
    Case::answer(what, path, query.edns(size, edns_flag::DO), &authority, &[])
}

/// `full`, whose referral with proof has 526 octets, in a reply of `size`.
fn full(what: &str, path: Path, prefix: &str, size: u16, proof: &[&str]) -> Case {
    let query = Query::new(&format!("{prefix}full.nsec3.example."));
    let case = Case::answer(what, path, query.edns(size, edns_flag::DO), &[], &[]);
    let ns = (1..=12).map(|n| format!("full.nsec3.example 3600 NS ns{n:02}.elsewhere.example."));
    let proof = proof.iter().map(ToString::to_string);
    case.change(|answer: &mut Answer| answer.authority = ns.chain(proof).collect())
}

/// Every case.
pub fn all() -> Vec<Case> {
    let two = [APEX, ENT].concat();
    let mut cases = vec![
        Case::answer(
            "two signatures of a DS",
            Path::v6(),
            Query::new("secure.nsec3.example.").edns(512, edns_flag::DO),
            &[
                "secure.nsec3.example 3600 NS ns1.elsewhere.example.",
                "secure.nsec3.example 3600 DS 1 13 2 00112233",
                "secure.nsec3.example 3600 RRSIG ds 13 3 3600 3786912000 1767225600 1 \
                 nsec3.example. aaaa",
                "secure.nsec3.example 3600 RRSIG ds 8 3 3600 3786912000 1767225600 2 \
                 nsec3.example. aaaaaaaa",
            ],
            &[],
        ),
        Case::answer(
            "an NSEC3 zone without DO",
            Path::v4(),
            Query::new("insecure.nsec3.example.").edns(1232, 0),
            &["insecure.nsec3.example 3600 NS ns1.elsewhere.example."],
            &[],
        ),
    ];
    for (path, prefix) in [
        (Path::v4(), ""),
        (Path::v6(), ""),
        (Path::v4(), "www."),
        (Path::v6(), "www.example."),
        (Path::v4(), LONG_PREFIX),
        (Path::v6(), LONG_PREFIX),
    ] {
        for (what, cut, proof) in [
            ("a matching NSEC3, three signatures", "own", &OWN[..]),
            ("opt-out: encloser and cover", "insecure", &two),
            ("opt-out: one NSEC3 is both", "bb", &APEX),
            ("opt-out: an empty non-terminal is both", "sub.ent", &ENT),
            (
                "opt-out: an empty non-terminal and a next closer name above the cut",
                "deep.in.ent",
                &two,
            ),
            (
                "opt-out: an empty non-terminal without NSEC3",
                "of.alone",
                &APEX,
            ),
        ] {
            cases.push(proved(what, path.clone(), prefix, cut, 1232, proof));
        }
        // The proof of `insecure` behind more octets of name servers, and in
        // front of glue.
        let query = Query::new(&format!("{prefix}share-1.nsec3.example."));
        let mut authority = vec![
            "share-1.nsec3.example 3600 NS a-name-server.of-a-provider.elsewhere.example.",
            "share-1.nsec3.example 3600 NS ns.share-1.nsec3.example.",
        ];
        authority.extend(&two);
        cases.push(Case::answer(
            "opt-out: a proof that delegations share",
            path,
            query.edns(4096, edns_flag::DO),
            &authority,
            &["ns.share-1.nsec3.example 3600 A 192.0.2.1"],
        ));
    }
    let truncated = Reason::ReferralTruncated;
    cases.extend([
        full("a proof that just fits", Path::v4(), "", 526, &two),
        full("the same below the cut", Path::v6(), "abc.", 530, &two),
        full("an octet too few", Path::v4(), "", 525, &[]).ends(truncated),
        full("half a proof would fit", Path::v6(), "", 512, &[]).ends(truncated),
        full("a longer name", Path::v4(), "a.", 527, &[]).ends(truncated),
        full("name servers alone fit", Path::v6(), LONG_PREFIX, 512, &[]).ends(truncated),
    ]);
    cases
}
