//! Replies with a name server identifier (RFC 5001), by the program in the
//! kernel, against Knot's: at every limit around the size at which the
//! identifier decides whether the reply is truncated.

mod conform_support;
mod program_support;

use std::fmt::Write as _;

use conform_support::knot::{Family, Knot};
use dns_glue_common::nsid::Nsid;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Action;
use program_support::frame::Path;
use program_support::program::{Memory, POLICY, Program};
use program_support::query::{Query, edns_flag};
use program_support::reply::Reply;
use program_support::{is_root, zones};

/// The root: Knot is asked for its SOA until the zone is loaded.
const APEX: &str = ".";
const IDENTIFIERS: [&str; 2] = ["n", "0x006e7337ff2e6578616d706c65"];

/// Cuts with as many in-domain name servers, so that all glue must fit.
fn records() -> String {
    let mut text = String::new();
    for servers in [1, 8, 13] {
        for server in 0..servers {
            writeln!(text, "c{servers} NS ns{server}.c{servers}").expect("a String");
            writeln!(text, "ns{server}.c{servers} A 192.0.2.{server}").expect("a String");
            writeln!(text, "ns{server}.c{servers} AAAA 2001:db8::{server}").expect("a String");
        }
    }
    text
}

fn identifier(text: &str) -> Nsid {
    let octets = match text {
        "n" => b"n".to_vec(),
        _ => b"\0ns7\xff.example".to_vec(),
    };
    Nsid::new(&octets).expect("an identifier")
}

/// The options of the OPT record, which end the message.
fn options<'m>(message: &'m [u8], asked: &Query) -> &'m [u8] {
    // Root, type, size, extended RCODE and version; then flags and RDLENGTH.
    const OPT: [u8; 7] = [0, 0, 41, 0x04, 0xd0, 0, 0];
    let records = &message[asked.question_end()..];
    let mut windows = records.windows(OPT.len());
    let start = windows
        .rposition(|octets| octets == OPT)
        .expect("an OPT record");
    let options = &records[start + 11..];
    let rdlength = u16::from_be_bytes([records[start + 9], records[start + 10]]);
    assert_eq!(options.len(), usize::from(rdlength), "OPT ends the message");
    options
}

#[test]
fn replies_with_an_identifier_equal_knots_at_every_limit() {
    if !is_root() {
        return;
    }
    let records = records();
    let text = format!(
        "$ORIGIN {APEX}\n$TTL 3600\n@ SOA ns hostmaster 1 7200 900 1209600 300\n\
         @ NS ns.elsewhere.example.\n{records}"
    );
    for nsid in IDENTIFIERS {
        let Some(knot) = Knot::start_with_nsid(&[(APEX, text.as_bytes())], nsid) else {
            return;
        };
        let policy = Policy {
            nsid: identifier(nsid),
            ..POLICY
        };
        let zone = zones::from_text(APEX, &records);
        let program = Program::load(Memory::new(zones::generation(&[zone]), policy));
        compare(&program, &knot, &policy.nsid);
    }
}

fn compare(program: &Program, knot: &Knot, nsid: &Nsid) {
    let path = Path::v6();
    let ours = |query: &Query| {
        let (reason, frame) = program.run_counted(&path.frame(&query.octets()));
        assert_eq!(reason.action(), Action::Transmit, "{reason:?}");
        let mut message = path.check_reply(&frame).expect("a right frame").to_vec();
        message[..2].fill(0);
        message
    };
    let mut option = vec![0, 3, 0, nsid.octets() as u8];
    option.extend(nsid.as_slice());
    let mut decided = 0;
    for name in ["c1", "c8", "ab.c8", "abc.c8", "c13", "x.c13"] {
        let asked = |size, flags| {
            let query = Query::new(&format!("{name}."));
            query.edns(size, flags).option(3, &[])
        };
        let whole = ours(&asked(1232, 0)).len();
        let sizes = [0, 512, 700, 1232, 4096]
            .into_iter()
            .chain(whole - 24..whole + 3);
        let queries: Vec<Query> = sizes
            .flat_map(|size| [0, edns_flag::DO].map(|flags| asked(size as u16, flags)))
            .collect();
        let messages: Vec<Vec<u8>> = queries.iter().map(Query::octets).collect();
        for (query, theirs) in queries.iter().zip(knot.ask(Family::V6, &messages)) {
            let ours = ours(query);
            let size = query.opt.as_ref().expect("an OPT record").size;
            assert_eq!(options(&ours, query), option, "{name}, {size}");
            assert_eq!(options(&theirs, query), option, "{name}, {size}, Knot");
            let (ours, theirs) = (Reply::parse(&ours), Reply::parse(&theirs));
            let [_, truncated, ..] = ours.flags;
            assert_eq!(ours.opt, theirs.opt);
            assert_eq!(ours.flags, theirs.flags, "{name}, {size} octets");
            assert_eq!(ours.question, theirs.question);
            let limit = usize::from(size.clamp(512, 1232));
            assert!(ours.length <= limit && theirs.length <= limit);
            assert_eq!(truncated, whole > limit, "{name}, {size} octets");
            if truncated {
                // Without the identifier it would have fitted.
                decided += usize::from(whole - nsid.option_octets() <= limit);
            } else {
                assert_eq!(ours.sections, theirs.sections, "{name}, {size} octets");
            }
        }
    }
    println!("{decided} replies are truncated for the identifier alone");
    assert!(decided > 10);
}
