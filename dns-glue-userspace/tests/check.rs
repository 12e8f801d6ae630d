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
        "  DNSSEC: 0 with DS, 0 with NSEC, 0 with NSEC3, 0 by opt-out, 26 unsigned",
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

/// A disk that is full below the log of a daemon makes no panic of an error.
#[test]
fn an_error_that_nobody_can_read_is_still_an_exit_status() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a device that is always full");
    let status = Command::new(env!("CARGO_BIN_EXE_dns-glue"))
        .args(["check", "--zone", "test.=/nonexistent/zone"])
        .stderr(full)
        .status()
        .expect("dns-glue starts");
    assert_eq!(status.code(), Some(1));
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
fn nsec3_zones() {
    let zone = |name: &str| {
        let path = manifest_dir().join(format!("testdata/nsec3/{name}.zone"));
        format!("{name}.example.={}", path.display())
    };
    let hashed = json(&["--zone", &zone("hashed"), "--strict"]);
    assert_eq!(hashed["zones"][0]["denial"], "NSEC3");
    let proofs = &hashed["zones"][0]["proofs"];
    assert_eq!((&proofs["ds"], &proofs["nsec3"]), (&3.into(), &27.into()));
    // Each delegation has its own.
    assert_eq!(hashed["pieces"]["proofs"], 30);
    assert_eq!(hashed["pieces"]["shared_proofs"], 0);

    let opt_out = json(&["--zone", &zone("opt-out"), "--strict"]);
    let proofs = &opt_out["zones"][0]["proofs"];
    assert_eq!((&proofs["ds"], &proofs["opt_out"]), (&3.into(), &27.into()));
    // 27 delegations, in 12 pairs of encloser and interval.
    assert_eq!(opt_out["pieces"]["proofs"], 15);
    assert_eq!(opt_out["pieces"]["shared_proofs"], 8);
    assert_eq!(replies(&opt_out, Some(1232), true)["referrals"], 30);
    let text = text(&["--zone", &zone("opt-out")]);
    let line = "  DNSSEC: 3 with DS, 0 with NSEC, 0 with NSEC3, 27 by opt-out, 0 unsigned";
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn a_broken_chain_stops_one_delegation_and_no_chain_the_zone() {
    let path = manifest_dir().join("testdata/nsec3/hashed.zone");
    let sound = std::fs::read_to_string(path).expect("a file");
    let without = |what: &dyn Fn(&str) -> bool| -> String {
        let lines = sound.lines().filter(|line| !what(line));
        lines.map(|line| format!("{line}\n")).collect()
    };
    let zone = |name: &str, text: String| {
        let path = scratch_file(name, text.as_bytes());
        format!("hashed.example.={}", path.display())
    };
    // `nsec3hash aabbccdd 1 5 one.hashed.example` names the one left out.
    let gap = without(&|line| line.starts_with("8SMKC04V3BMM019VJVVABVNT9B2P7VPM"));
    let gap = zone("check-nsec3-gap.zone", gap);
    let found = json(&["--zone", &gap]);
    assert_eq!(found["zones"][0]["delegations"], 29);
    assert_eq!(found["stops"]["broken-delegation"], 1);
    let faults = found["faults"].as_array().expect("an array");
    let fault = faults.iter().find(|group| group["kind"] == "missing-nsec3");
    let fault = fault.expect("the fault");
    assert_eq!(fault["faults"]["total"], 1);
    assert_eq!(
        fault["faults"]["listed"][0]["message"],
        "one.hashed.example.: neither DS nor NSEC3 at the cut, and the NSEC3 chain has a gap \
         there; it passes"
    );
    assert!(!check(&["--zone", &gap, "--strict"]).status.success());

    // A gap that no delegation needs is told all the same, once.
    let kinds = |text: String| -> Vec<(String, u64)> {
        let found = json(&["--zone", &zone("check-nsec3-apex.zone", text)]);
        let groups = found["faults"].as_array().expect("an array").clone();
        let total = |group: &Value| group["faults"]["total"].as_u64();
        let kind = |group: &Value| group["kind"].as_str().expect("a kind").to_owned();
        groups
            .iter()
            .map(|group| (kind(group), total(group).expect("a number")))
            .filter(|(kind, _)| kind.contains("nsec3"))
            .collect()
    };
    let is_of_apex = |line: &str| line.contains(" NSEC3 ") && line.contains(" SOA ");
    assert_eq!(sound.lines().filter(|line| is_of_apex(line)).count(), 1);
    assert_eq!(
        kinds(without(&is_of_apex)),
        [(String::from("nsec3-chain-with-gaps"), 1)]
    );
    assert_eq!(kinds(sound.clone()), []);

    for (name, text, what) in [
        (
            "check-no-nsec3.zone",
            without(&|line| line.contains(" NSEC3 ")),
            "is signed with NSEC3, but has no chain",
        ),
        (
            "check-no-denial.zone",
            without(&|line| line.contains("NSEC3")),
            "is signed, but has neither NSEC nor NSEC3 records",
        ),
    ] {
        let output = check(&["--zone", &zone(name, text)]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(errors.contains(name) && errors.contains(what), "{errors}");
        assert!(errors.contains("the zone hashed.example."), "{errors}");
    }
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
