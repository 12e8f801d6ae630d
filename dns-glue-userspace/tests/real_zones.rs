//! The real root zone and its neighbours, where they are at hand.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use dns_glue::zone::cuts::{GlueKind, StopReason, find_cuts};
use dns_glue::zone::faults::FaultKind;
use dns_glue::zone::inspect::inspect;
use dns_glue::zone::master_file::read_text;
use dns_glue::zone::proof::Proof;
use dns_glue::zone::records::{Denial, Rrset, Zone};
use domain::base::Name;
use domain::base::iana::Rtype;

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a valid name")
}

/// The zone in `file` of the data folder beside the workspace; `None`, with a
/// message, when the data are not at hand.
fn real_zone(apex: &str, file: &str) -> Option<Zone> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(file);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    let xz = Command::new("xz")
        .arg("-dc")
        .arg(&path)
        .output()
        .expect("run xz");
    assert!(
        xz.status.success(),
        "xz failed: {}",
        String::from_utf8_lossy(&xz.stderr)
    );
    match read_text(&name(apex), &path, &xz.stdout) {
        Ok(zone) => Some(zone),
        Err(errors) => panic!("{errors}"),
    }
}

/// Records of a zone as numbers by type, counted without this crate's reader.
fn count_lines(file: &str) -> HashMap<String, usize> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(file);
    let xz = Command::new("xz")
        .arg("-dc")
        .arg(&path)
        .output()
        .expect("run xz");
    let text = String::from_utf8(xz.stdout).expect("ASCII");
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    let mut counts = HashMap::new();
    for line in lines {
        let rtype = line
            .split_whitespace()
            .nth(3)
            .expect("owner, TTL, class, type");
        *counts.entry(rtype.to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn both_root_zones() {
    for (file, serial) in [
        ("root-2026010500.zone.xz", 2_026_010_500),
        ("root-2026010601.zone.xz", 2_026_010_601),
    ] {
        let Some(zone) = real_zone(".", file) else {
            return;
        };
        assert_eq!(zone.serial(), serial);
        assert_eq!(zone.denial(), Denial::Nsec);
        assert!(!zone.holds_deleg());

        let counts = count_lines(file);
        assert_eq!(zone.record_count(), counts.values().sum::<usize>());
        let mut by_type = HashMap::<String, usize>::new();
        for rrset in zone
            .nodes()
            .flat_map(|node| node.rrsets().collect::<Vec<_>>())
        {
            *by_type.entry(rrset.rtype().to_string()).or_default() += rrset.len();
            *by_type.entry("RRSIG".to_owned()).or_default() += rrset.signatures().count();
        }
        assert_eq!(by_type, counts);

        let zones = [zone];
        let cuts = find_cuts(&zones, &[]);
        assert_eq!(cuts.delegations.len(), 1438);
        assert_eq!(cuts.stops.len(), 1);
        assert_eq!(cuts.pruned.nested_cuts, 0);
        assert!(cuts.faults.is_empty(), "{:?}", cuts.faults);
        let proofs = |wanted: fn(&Proof<'_>) -> bool| {
            cuts.delegations
                .iter()
                .filter(|delegation| wanted(&delegation.proof))
                .count()
        };
        assert_eq!(proofs(|proof| matches!(proof, Proof::Ds(_))), 1346);
        assert_eq!(proofs(|proof| matches!(proof, Proof::Nsec(_))), 92);
        let kinds = |wanted| {
            let glue = cuts
                .delegations
                .iter()
                .flat_map(|delegation| &delegation.glue);
            glue.filter(|glue| glue.kind == wanted).count()
        };
        assert!(kinds(GlueKind::InDomain) > 1000);
        assert!(kinds(GlueKind::Sibling) > 1000);
        assert_eq!(kinds(GlueKind::Authoritative), 0);
    }
}

#[test]
fn net_of_the_root() {
    let Some(zone) = real_zone(".", "root-2026010500.zone.xz") else {
        return;
    };
    let zones = [zone];
    let cuts = find_cuts(&zones, &[]);
    let net = cuts
        .delegations
        .iter()
        .find(|delegation| *delegation.cut == name("net."));
    let net = net.expect("net. is delegated");
    // [a-m].gtld-servers.net, each with A and AAAA.
    assert_eq!(net.ns.len(), 13);
    assert_eq!(net.glue.len(), 26);
    assert!(net.glue.iter().all(|glue| glue.kind == GlueKind::InDomain));
    let types: Vec<_> = net.glue.iter().map(|glue| glue.rrset.rtype()).collect();
    assert_eq!(types[..4], [Rtype::A, Rtype::AAAA, Rtype::A, Rtype::AAAA]);
    // The same hosts are siblings to com.
    let com = cuts
        .delegations
        .iter()
        .find(|delegation| *delegation.cut == name("com."));
    assert!(
        com.expect("com.")
            .glue
            .iter()
            .all(|glue| glue.kind == GlueKind::Sibling)
    );
    let Proof::Ds(ds) = net.proof else {
        panic!("net. has DS")
    };
    assert_eq!(
        ds.signatures().map(<[u8]>::len).max(),
        ds.signatures().map(<[u8]>::len).min()
    );
}

#[test]
fn three_zones_on_one_host() {
    let (Some(root), Some(arpa), Some(root_servers)) = (
        real_zone(".", "root-2026010601.zone.xz"),
        real_zone("arpa.", "arpa-20260106.zone.xz"),
        real_zone("root-servers.net.", "root-servers.net-20260106.zone.xz"),
    ) else {
        return;
    };
    assert_eq!(arpa.denial(), Denial::Nsec);
    assert_eq!(root_servers.denial(), Denial::Unsigned);
    let zones = [root, arpa, root_servers];
    let cuts = find_cuts(&zones, &[]);
    let stops: Vec<_> = cuts
        .stops
        .iter()
        .map(|stop| (stop.name.to_string(), stop.why))
        .collect();
    assert_eq!(
        stops,
        [
            (String::from("."), StopReason::ZoneApex),
            (String::from("arpa"), StopReason::ZoneApex),
            (String::from("root-servers.net"), StopReason::ZoneApex),
        ]
    );
    // arpa. itself is no delegation of this host: its own zone answers.
    assert_eq!(cuts.pruned.in_other_zone, 1);
    assert!(
        cuts.delegations
            .iter()
            .all(|delegation| *delegation.cut != name("arpa."))
    );
    let of_zone = |apex: &str| {
        let apex = name(apex);
        cuts.delegations
            .iter()
            .filter(|delegation| *delegation.zone.apex() == apex)
            .count()
    };
    assert_eq!(of_zone("."), 1437);
    assert!(of_zone("arpa.") > 5);
    assert_eq!(of_zone("root-servers.net."), 0);
}

#[test]
fn the_root_zone_is_sound_until_its_signatures_expire() {
    let Some(zone) = real_zone(".", "root-2026010500.zone.xz") else {
        return;
    };
    let zones = [zone];
    let cuts = find_cuts(&zones, &[]);
    // 2026-01-05 08:00:00 UTC, the day of the zone; and half a year later.
    assert!(inspect(&zones, &cuts, 1_767_600_000).is_empty());
    let late = inspect(&zones, &cuts, 1_783_000_000);
    assert_eq!(late.len(), 1);
    assert!(
        matches!(late[0].kind, FaultKind::InvalidSignatures { rrsets: 1438 }),
        "{}",
        late[0]
    );
}

/// Reading is linear: ten root zones' worth of records takes not much more
/// than ten times as long. The bound is wide, for slow and busy machines.
#[test]
fn the_root_zone_is_read_within_seconds() {
    let started = std::time::Instant::now();
    let Some(zone) = real_zone(".", "root-2026010500.zone.xz") else {
        return;
    };
    let taken = started.elapsed();
    println!(
        "{} records, {} octets, {taken:?}",
        zone.record_count(),
        zone.memory()
    );
    assert!(taken.as_secs() < 20, "{taken:?}");
    let signed = zone
        .nodes()
        .flat_map(|node| node.rrsets().collect::<Vec<_>>());
    assert!(signed.filter(Rrset::is_signed).count() > 1438);
}
