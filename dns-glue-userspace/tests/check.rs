//! `dns-glue check` from the outside: what it prints of the example zone and
//! of the real root zone, and its exit status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn manifest_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `glue.example.=FILE`.
fn example() -> String {
    let path = manifest_dir().join("testdata/example.zone");
    format!("glue.example.={}", path.display())
}

/// A file of the tests' own folder.
fn scratch_file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("the folder of the tests can be written");
    path
}

/// `.=FILE` of the real root zone; `None` where it is not at hand.
fn root_zone(scratch: &str) -> Option<String> {
    let packed = manifest_dir().join("../../shared/data/root-2026010500.zone.xz");
    if !packed.exists() {
        eprintln!("skipped: {} is not there", packed.display());
        return None;
    }
    let output = Command::new("xz").arg("-dc").arg(&packed).output();
    let output = output.expect("xz runs");
    assert!(output.status.success(), "xz -dc {}", packed.display());
    let path = scratch_file(scratch, &output.stdout);
    Some(format!(".={}", path.display()))
}

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dns-glue"))
        .arg("check")
        .args(arguments)
        .output()
        .expect("dns-glue runs")
}

/// Standard output of a check that succeeds.
fn text(arguments: &[&str]) -> String {
    let output = check(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The JSON of a check that succeeds.
fn json(arguments: &[&str]) -> Value {
    let text = text(&[arguments, &["--json"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

/// The replies of a size class of the only zone.
fn replies(check: &Value, udp_octets: Option<u64>, dnssec: bool) -> &Value {
    let replies = check["zones"][0]["replies"].as_array().expect("an array");
    replies
        .iter()
        .find(|class| class["edns_udp_octets"].as_u64() == udp_octets && class["dnssec"] == dnssec)
        .expect("the size class")
}

#[test]
fn the_example_zone_line_by_line() {
    let text = text(&["--zone", &example()]);
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "zone glue.example. serial 2026010100: 221 records, not signed",
        "  26 delegations to 52 name servers (82 NS records)",
        "  DNSSEC: 0 with DS, 0 with NSEC, 0 with NSEC3, 26 unsigned",
        "  in-domain glue: 58 RRsets, 110 addresses, in 11 delegations",
        "  sibling glue: 28 RRsets, 28 addresses, in 6 delegations",
        "  authoritative addresses: 4 RRsets, 4 addresses, in 2 delegations",
        "  TC=1, no EDNS: 3 (full.glue.example. huge.glue.example. many.glue.example.)",
        "  TC=1, EDNS 1232 DO: 1 (huge.glue.example.)",
        "search stops at: 1 dname, 1 zone-apex",
        "without effect: 2 nested cuts, 0 owners below a DNAME, 0 cuts in another zone served",
        "too long for any reply, in-domain-glue: 1 (huge.glue.example.)",
        "faults: 9",
        "        2 sibling-cycle",
        "warning: missing-glue: no-glue.glue.example.: in-domain name server \
         ns1.no-glue.glue.example. has no glue",
        "warning: one-name-server: single.glue.example.: only one name server",
    ] {
        assert!(lines.contains(&line), "missing: {line}\n{text}");
    }
    // One reply lacks sibling glue at 512, none at 1232.
    let columns = |class: &str| -> Vec<&str> {
        let line = lines.iter().find(|line| line.starts_with(class));
        let line = line.unwrap_or_else(|| panic!("no {class}\n{text}"));
        line[class.len()..].split_whitespace().collect()
    };
    assert_eq!(columns("  no EDNS  ")[3..], ["3", "1", "0"]);
    assert_eq!(columns("  EDNS 1232  ")[3..], ["1", "0", "0"]);
}

#[test]
fn the_root_zone_as_measured_of_knot() {
    let Some(zone) = root_zone("check-root.zone") else {
        return;
    };
    let check = json(&["--zone", &zone, "--max-udp", "1400"]);
    let root = &check["zones"][0];
    assert_eq!(root["apex"], ".");
    assert_eq!(root["delegations"], 1438);
    assert_eq!(root["proofs"]["ds"], 1346);
    assert_eq!(root["proofs"]["nsec"], 92);
    let plain = replies(&check, None, false);
    assert_eq!(plain["referrals"], 1438);
    assert_eq!(plain["truncated"]["total"], 82);
    assert_eq!(
        plain["truncated"]["listed"].as_array().map(Vec::len),
        Some(10)
    );
    let usual = replies(&check, Some(1232), true);
    assert_eq!(usual["truncated"]["total"], 0);
    // Never more than 8 octets longer than Knot's replies.
    for (dnssec, median, max) in [(false, 390, 828), (true, 725, 1163)] {
        let octets = &replies(&check, Some(1400), dnssec)["octets"];
        let number = |key: &str| octets[key].as_u64().expect("a number");
        assert!(number("median") <= median + 8, "{octets}");
        assert!(number("max") <= max + 8, "{octets}");
        assert!(number("min") <= number("median"));
    }
    let memory = &check["memory"];
    let octets = |key: &str| memory[key].as_u64().expect("a number");
    let parts = octets("index") + octets("pieces") + octets("fixed");
    assert_eq!(octets("total"), parts);
    assert!(octets("pieces") > 100_000, "{memory}");

    let all = text(&["--zone", &zone, "--all"]);
    let line = all
        .lines()
        .find(|line| line.starts_with("  TC=1, no EDNS: 82 ("));
    let names = line.expect("the list").split('(').nth(1).expect("names");
    assert_eq!(names.split_whitespace().count(), 82);
    assert!(!all.contains("--all"), "nothing is left to show");
}

/// A zone with one fault that `--strict` refuses.
fn faulty(name: &str) -> String {
    let path = scratch_file(
        name,
        b"$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n*.w NS ns.void.\n\
          a NS ns.void.\na NS ns2.void.\n",
    );
    format!("test.={}", path.display())
}

#[test]
fn warnings_leave_the_exit_status_and_strict_does_not() {
    let zone = faulty("check-faulty.zone");
    let text = text(&["--zone", &zone]);
    assert!(
        text.contains("1 wildcard-ns  refused with --strict"),
        "{text}"
    );

    let output = check(&["--zone", &zone, "--strict"]);
    assert_eq!(output.status.code(), Some(1));
    let (report, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(report.contains("wildcard-ns: *.w.test."), "{report}");
    assert!(errors.contains("--strict: 1 fault"), "{errors}");
    // Only what is unusual is not fatal.
    assert!(check(&["--zone", &example(), "--strict"]).status.success());
}

#[test]
fn a_broken_zone_is_told_with_its_places() {
    let path = scratch_file(
        "check-broken.zone",
        b"$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\na A 192.0.2.300\nb NS\n",
    );
    let output = check(&["--zone", &format!("test.={}", path.display())]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let errors = String::from_utf8_lossy(&output.stderr);
    for place in ["check-broken.zone:4:", "check-broken.zone:5:"] {
        assert!(errors.contains(place), "{place}: {errors}");
    }
}

#[test]
fn zones_served_together() {
    let (example, other) = (example(), faulty("check-together.zone"));
    let served = "in-domain.glue.example";
    let check = json(&["--zone", &example, &other, "--serves", served]);
    assert_eq!(check["zones"][0]["delegations"], 25);
    assert_eq!(check["zones"][1]["apex"], "test.");
    assert_eq!(check["zones"][1]["delegations"], 1);
    assert_eq!(check["pruned"]["in_other_zone"], 1);
    assert_eq!(check["stops"]["zone-apex"], 2);
    assert_eq!(check["stops"]["also-served"], 1);
}

#[test]
fn what_passes_because_it_is_not_compiled() {
    // Signed with NSEC3: the denial is not compiled, a DS is.
    let rrsig = |owner: &str, covered: &str| {
        format!("{owner} RRSIG {covered} 13 2 60 20300101000000 20200101000000 1 test. AAAA\n")
    };
    let text = format!(
        "$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n@ DNSKEY 257 3 13 AAAA\n{}\
         @ NSEC3PARAM 1 0 0 -\n5u2i2h5co0ebb4r9hipbku7pea6ggpsv NSEC3 1 1 0 - 5u2i2h5co0ebb4r9hipbku7pea6ggpsv NS SOA\na NS ns.void.\nb NS ns.void.\nb DS 1 13 2 00112233\n{}",
        rrsig("@", "SOA"),
        rrsig("b", "DS")
    );
    let path = scratch_file("check-nsec3.zone", text.as_bytes());
    let check = json(&["--zone", &format!("test.={}", path.display())]);
    assert_eq!(check["zones"][0]["denial"], "NSEC3");
    assert_eq!(check["zones"][0]["proofs"]["nsec3"], 1);
    assert_eq!(replies(&check, None, false)["referrals"], 2);
    let signed = replies(&check, Some(1232), true);
    assert_eq!(signed["referrals"], 1);
    assert_eq!(signed["passing"]["denial-pending"], 1);
}

#[test]
fn delegations_deeper_than_the_program_looks() {
    // One delegation more, each with a label more, than there are depths: the
    // apex takes one of the sixteen.
    let mut text = String::from("$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n");
    for labels in 1..=16 {
        text += &format!("d{labels}{} NS ns.void.\n", ".x".repeat(labels));
    }
    let path = scratch_file("check-deep.zone", text.as_bytes());
    let check = json(&["--zone", &format!("test.={}", path.display())]);
    assert_eq!(check["zones"][0]["delegations"], 16);
    assert_eq!(check["too_deep"]["total"], 1);
    let plain = replies(&check, None, false);
    assert_eq!(plain["referrals"], 15);
    assert_eq!(plain["passing"]["no-cut"], 1);
}
