//! `dns-glue verify` beside each server: nothing differs when nothing does, and
//! what does is found.

use std::process::Output;

use super::behind_support::Site;
use super::{BIND, KNOT, NSD};

/// The server, as the host reaches it.
const ALL: &str = "--against 192.0.2.53 --all --json";

fn findings(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn nothing_differs_beside_the_servers_as_the_readme_has_them() {
    for peer in [&KNOT, &NSD, &BIND] {
        let Some(site) = Site::new(peer) else {
            continue;
        };
        let output = site.verify(ALL);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}: {output:?}",
            peer.program
        );
        let findings = findings(&output);
        let number = |name: &str| findings[name].as_u64().expect("a number");
        assert_eq!(findings["differences"], serde_json::json!([]));
        assert_eq!(number("delegations"), number("sampled"));
        assert_eq!(number("passed"), 0);
        // Five sizes, with and without DO, at the cut and below.
        assert_eq!(number("queries"), 10 * number("sampled"));
        assert!(number("equal") * 2 > number("queries"), "{findings}");
        let glue = findings["known_faults"]
            .as_object()
            .expect("an object")
            .keys()
            .any(|fault| fault.contains("without all in-domain glue"));
        assert_eq!(glue, peer.program != "knotd", "{findings}");
    }
}

#[test]
fn differences_are_found_and_told() {
    let Some(mut site) = Site::new(&KNOT) else {
        return;
    };
    let same = site.verify("--against 192.0.2.53:53 --sample 3 --seed 5");
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    let text = String::from_utf8_lossy(&same.stdout).into_owned();
    assert!(text.starts_with("3 of "), "{text}");
    assert!(
        text.contains("0  different") && text.contains("--seed 5"),
        "{text}"
    );

    // One address of one name server.
    site.restart_server(&KNOT, |zone| {
        let (before, after) = zone.split_once("192.0.2.").expect("an address");
        let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        format!("{before}198.51.100.7{rest}")
    });
    let output = site.verify(ALL);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found = findings(&output);
    let differences = found["differences"].as_array().expect("a list");
    assert!(!differences.is_empty() && found["serials"] == serde_json::json!([]));
    let told = site.verify("--against 192.0.2.53 --all");
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(text.contains("198.51.100.7"), "{text}");

    // Another version of the zone.
    site.restart_server(&KNOT, |zone| zone.replacen("2026", "2027", 1));
    let output = site.verify(ALL);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let serials = &findings(&output)["serials"];
    assert_eq!(serials[0]["apex"], "glue.example.", "{serials}");

    // Nobody there.
    site.stop_server();
    let output = site.verify(ALL);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("--against 192.0.2.53:53"), "{text}");
}

#[test]
fn without_a_daemon_there_is_nothing_to_compare() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dns-glue"))
        .args([
            "verify",
            "--against",
            "127.0.0.1",
            "--control",
            "/nonexistent/socket",
        ])
        .output()
        .expect("dns-glue starts");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("/nonexistent/socket"), "{text}");
}
