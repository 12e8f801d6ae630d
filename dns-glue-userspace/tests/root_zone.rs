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
        port: 53,
        max_udp: 1232,
        flags: generation.policy_flags,
    }
}

/// Reads one of the shared zones; `None` where they are not at hand.
fn shared_zone(file: &str, apex: &str) -> Option<Zone> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("shared/data").join(file);
    if !path.exists() {
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
            &POLICY,
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
