//! The real root zone, compiled: sizes and truncation as measured of Knot DNS,
//! and every reply decoded by another library than the one that made it.

use dns_glue::compile::{self, Generation};
use dns_glue::host;
use dns_glue::zone::cuts::{Cuts, find_cuts};
use dns_glue::zone::master_file;
use dns_glue::zone::records::Zone;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;
use domain::base::iana::Rtype;
use domain::base::{Message, MessageBuilder, Name, ToName as _};
use std::path::PathBuf;
use std::process::Command;

fn policy(generation: &Generation) -> Policy {
    Policy {
        flags: generation.policy_flags,
        ..Policy::DEFAULT
    }
}

/// Reads one of the shared zones; `None` where they are not at hand.
fn shared_zone(file: &str, apex: &str) -> Option<Zone> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("shared/data").join(file);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    let output = Command::new("xz")
        .arg("-dc")
        .arg(&path)
        .output()
        .expect("xz runs");
    assert!(output.status.success(), "xz -dc {}", path.display());
    let apex: Name<Vec<u8>> = apex.parse().expect("a name");
    let zone = master_file::read_text(&apex, &path, &output.stdout);
    Some(zone.unwrap_or_else(|errors| panic!("{errors}")))
}

fn compile_zones<'z>(zones: &'z [Zone], cuts: &Cuts<'z>) -> compile::Compilation<'z> {
    compile::compile(zones, cuts, &()).expect("the zones compile")
}

fn query(name: &Name<Vec<u8>>, rtype: Rtype, edns: Option<(u16, bool)>) -> Vec<u8> {
    let mut question = MessageBuilder::new_vec().question();
    question.header_mut().set_id(0x1234);
    question.push((name, rtype)).expect("room");
    let mut additional = question.additional();
    if let Some((octets, dnssec)) = edns {
        additional
            .opt(|opt| {
                opt.set_udp_payload_size(octets);
                opt.set_dnssec_ok(dnssec);
                Ok(())
            })
            .expect("room");
    }
    additional.finish()
}

fn with_prefix(prefix: &[usize], cut: &Name<Vec<u8>>) -> Name<Vec<u8>> {
    let mut octets = Vec::new();
    for length in prefix {
        octets.push(*length as u8);
        octets.extend(std::iter::repeat_n(b'x', *length));
    }
    octets.extend(cut.as_slice());
    Name::from_octets(octets).expect("a name of at most 255 octets")
}

struct Answer {
    octets: usize,
    truncated: bool,
}

/// Asks for a name and checks all that can be checked without the zone.
fn ask(generation: &Generation, name: &Name<Vec<u8>>, edns: Option<(u16, bool)>) -> Answer {
    let query = query(name, Rtype::A, edns);
    let (reply, reason) = host::answer(generation, &policy(generation), &query)
        .unwrap_or_else(|reason| panic!("{name}: passes, {reason:?}"));
    let message = Message::from_octets(reply.clone()).expect("a header");
    let header = message.header();
    assert!(header.qr() && !header.aa() && !header.ra() && !header.ad());
    assert_eq!(header.id(), 0x1234);
    assert_eq!(header.tc(), reason == Reason::ReferralTruncated);
    let question = message.sole_question().expect("one question");
    assert_eq!(question.qname().to_vec(), *name);
    let counts = message.header_counts();
    assert_eq!(counts.ancount(), 0);
    let authority = message.authority().expect("sections").count();
    assert_eq!(authority, usize::from(counts.nscount()));
    for record in message.additional().expect("sections") {
        record.expect("a record");
    }
    assert_eq!(message.opt().is_some(), edns.is_some());
    let limit = edns.map_or(512, |(octets, _)| octets.clamp(512, 1232));
    assert!(reply.len() <= usize::from(limit), "{name}: {}", reply.len());
    Answer {
        octets: reply.len(),
        truncated: header.tc(),
    }
}

fn truncated(
    generation: &Generation,
    cuts: &Cuts<'_>,
    prefix: &[usize],
    edns: Option<(u16, bool)>,
) -> usize {
    cuts.delegations
        .iter()
        .filter(|delegation| {
            let cut = Name::from_octets(delegation.cut.as_slice().to_vec()).expect("a name");
            ask(generation, &with_prefix(prefix, &cut), edns).truncated
        })
        .count()
}

#[test]
fn truncation_as_measured_of_knot() {
    let Some(zone) = shared_zone("root-2026010500.zone.xz", ".") else {
        return;
    };
    let zones = [zone];
    let cuts = find_cuts(&zones, &[]);
    assert_eq!(cuts.delegations.len(), 1438);
    let compilation = compile_zones(&zones, &cuts);
    let generation = &compilation.generation;
    let long: &[usize] = &[62, 62, 56];
    // Prefixes in octets: a label of 23 is one of 24.
    assert_eq!(truncated(generation, &cuts, &[], None), 82);
    assert_eq!(truncated(generation, &cuts, &[23], None), 86);
    // Knot: 1110 and 1234. Its replies are up to a few octets longer, and 13
    // and 3 delegations lie in between.
    assert_eq!(truncated(generation, &cuts, &[], Some((512, true))), 1097);
    assert_eq!(truncated(generation, &cuts, &[23], Some((512, true))), 1231);
    assert_eq!(truncated(generation, &cuts, &[], Some((1232, true))), 0);
    assert_eq!(truncated(generation, &cuts, long, Some((1232, true))), 2);

    for (dnssec, median, longest) in [(false, 390, 828), (true, 725, 1163)] {
        let mut octets: Vec<usize> = cuts
            .delegations
            .iter()
            .map(|delegation| {
                let cut = Name::from_octets(delegation.cut.as_slice().to_vec()).expect("a name");
                ask(generation, &cut, Some((1232, dnssec))).octets
            })
            .collect();
        octets.sort_unstable();
        println!(
            "DO {dnssec}: median {} octets (Knot {median}), longest {} (Knot {longest})",
            octets[octets.len() / 2],
            octets[octets.len() - 1]
        );
        assert!(octets[octets.len() / 2] <= median + 8);
        assert!(octets[octets.len() - 1] <= longest + 8);
    }
}

#[test]
fn a_child_zone_served_here_passes() {
    let (Some(root), Some(arpa), Some(servers)) = (
        shared_zone("root-2026010601.zone.xz", "."),
        shared_zone("arpa-20260106.zone.xz", "arpa"),
        shared_zone("root-servers.net-20260106.zone.xz", "root-servers.net"),
    ) else {
        return;
    };
    let zones = [root, arpa, servers];
    let cuts = find_cuts(&zones, &[]);
    let compilation = compile_zones(&zones, &cuts);
    let outcome = |name: &str| {
        let name: Name<Vec<u8>> = name.parse().expect("a name");
        match host::answer(
            &compilation.generation,
            &policy(&compilation.generation),
            &query(&name, Rtype::A, None),
        ) {
            Ok((_, reason)) | Err(reason) => reason,
        }
    };
    assert_eq!(outcome("root-servers.net"), Reason::NoCut);
    assert_eq!(outcome("x.root-servers.net"), Reason::NoCut);
    assert_eq!(outcome("a.root-servers.net"), Reason::NoCut);
    // Thirteen in-domain name servers do not fit into 512 octets with all glue.
    assert_eq!(outcome("net"), Reason::ReferralTruncated);
    assert_eq!(outcome("servers.net"), Reason::ReferralTruncated);
    assert_eq!(outcome("arpa"), Reason::NoCut);
    assert_eq!(outcome("nothing.arpa"), Reason::NoCut);
    assert_eq!(outcome("1.in-addr.arpa"), Reason::Referral);
    assert_eq!(outcome("no-such-tld"), Reason::NoCut);
    assert_eq!(outcome("."), Reason::NoCut);
}
