//! Processes that may have too few descriptors: they say so, and leave what is
//! pinned, and answers, as it is.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::daemon_support::{Host, SERVER, is_root, limit_descriptors};
use super::load::version;
use super::maps::host_tables;
use super::pins::{arguments_of, kill, link_name, pinned, start};

/// With fewer the program cannot be executed: its libraries are opened.
const FEWEST: u64 = 4;
/// More than any start needs.
const MOST: u64 = 256;

/// All that is in a folder, with what tells it from another one of that name.
fn listing(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let facts = fs::symlink_metadata(&path).expect("its facts");
        if facts.is_dir() {
            all.extend(listing(&path));
        }
        all.insert(path, facts.ino());
    }
    all
}

/// Whether a process tells that it had too few descriptors, and what to do.
fn tells(error: &str) -> bool {
    error.contains("Too many open files") && error.contains("LimitNOFILE=")
}

/// What `status` tells where no daemon runs, as far as it is the same each time.
fn left(json: &[u8]) -> [Value; 3] {
    let left: Value = serde_json::from_slice(json).expect("JSON");
    let status = &left["status"];
    // Other counters count what the kernel itself sends about.
    let referrals = &status["counters"][0];
    [&left["links"], &status["zones"], referrals].map(Value::clone)
}

/// Starts daemons with ever more descriptors until one answers with the zone of
/// version 2 instead of 1, and kills it. Those before fail and change nothing;
/// how many they are: a query is asked after each.
fn sweep(host: &Host, arguments: &str) -> u64 {
    let arguments = arguments_of(host, 2, arguments);
    let (program, before) = (host.program_on(SERVER), listing(&host.pins()));
    let mut errors = Vec::new();
    for descriptors in FEWEST..MOST {
        let error = match host.start_with_descriptors(descriptors, &arguments) {
            Ok(mut daemon) => {
                assert!(daemon.log().contains("taken over"), "{}", daemon.log());
                assert_eq!(host.on_client(version), Ok(2));
                // It may have too few for the control socket.
                kill(&mut daemon);
                let number = errors.len();
                assert!(number > 8, "{number} starts failed: {errors:#?}");
                return number as u64;
            }
            Err(error) => error,
        };
        let with = format!("with {descriptors}: {error}");
        assert!(tells(&error) && !error.contains("panicked"), "{with}");
        assert_eq!(listing(&host.pins()), before, "{with}");
        assert_eq!(host.program_on(SERVER), program, "{with}");
        assert_eq!(host.program_on("lo"), None, "{with}");
        assert_eq!(host.on_client(version), Ok(1), "{with}");
        errors.push(error);
    }
    panic!("{MOST} descriptors are not enough: {errors:#?}");
}

#[test]
fn a_start_that_is_short_of_descriptors_leaves_the_pins_as_they_are() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "");
    assert_eq!(host.on_client(version), Ok(1));
    kill(&mut daemon);
    let tables = host_tables(&host);
    let failed = sweep(&host, "");
    let daemon = start(&host, 3, "");
    assert_eq!(daemon.counter("referral"), 1 + failed + 1);
    assert_eq!(host.on_client(version), Ok(3));
    assert!(
        host_tables(&host) != tables,
        "it has told nothing of itself"
    );
    assert_eq!(pinned(&host.pins()), ["layout-1"]);
    assert_eq!(pinned(&host.pins().join("layout-1")).len(), 5);
}

#[test]
fn a_layout_is_put_aside_by_no_start_that_fails() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "");
    let link = link_name(&daemon.status(), 0);
    kill(&mut daemon);
    let layout = host.pins().join("layout-1");
    fs::remove_file(layout.join("HOST_SELECTOR")).expect("removed");
    // A daemon that was killed has left what it had made.
    fs::create_dir(host.pins().join("layout-1-next")).expect("a folder");
    let error = host.refusal(&arguments_of(&host, 2, "lo --mode native"));
    assert!(error.contains("cannot attach to lo"), "{error}");
    assert!(pinned(&layout).contains(&link));
    assert_eq!(pinned(&host.pins()), ["layout-1"]);

    // On an interface without a program too.
    sweep(&host, "lo");
    let daemon = start(&host, 3, "");
    assert_eq!(host.program_on("lo"), None);
    assert_eq!(
        host.program_on(SERVER),
        daemon.status()["program"]["id"].as_u64()
    );
    assert_eq!(pinned(&host.pins()), ["layout-1"]);
    let mut expected = ["ABOUT", "COUNTERS", "HOST", "HOST_SELECTOR"]
        .map(String::from)
        .to_vec();
    expected.push(link);
    assert_eq!(pinned(&layout), expected);
}

#[test]
fn status_and_stop_that_are_short_of_descriptors_say_so() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "");
    assert_eq!(host.on_client(version), Ok(1));
    kill(&mut daemon);
    let whole = left(&daemon.command("status --json").stdout);
    assert_eq!(whole[2]["packets"], 1);
    let before = listing(&host.pins());
    let output_with = |arguments: &str, descriptors| {
        let mut command = daemon.speaker(arguments);
        limit_descriptors(&mut command, descriptors);
        command.output().expect("dns-glue starts")
    };

    let mut short = 0;
    for descriptors in FEWEST..2 * FEWEST {
        let output = output_with("status --json", descriptors);
        let error = String::from_utf8_lossy(&output.stderr);
        if output.stdout.is_empty() {
            assert!(tells(&error), "with {descriptors}: {error}");
            short += 1;
        } else {
            assert_eq!(left(&output.stdout), whole, "with {descriptors}");
        }
    }
    assert!((1..FEWEST).contains(&short), "{short} times");

    for descriptors in FEWEST..MOST {
        let output = output_with("stop", descriptors);
        let error = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            break;
        }
        assert!(tells(&error), "with {descriptors}: {error}");
        assert_eq!(listing(&host.pins()), before, "with {descriptors}");
        assert_eq!(host.on_client(version), Ok(1));
    }
    assert_eq!(host.program_on(SERVER), None);
    assert!(!host.pins().exists());
}

/// What is pinned under the name of a map, or of a link, and is none, is told
/// from what cannot be opened.
#[test]
fn what_is_no_map_is_of_another_layout() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let layout = host.pins().join("layout-1");
    let mut mark = 1;
    let mut daemon = start(&host, mark, "");
    let link = layout.join(link_name(&daemon.status(), 0));
    type Spoil<'a> = &'a dyn Fn(&Path);
    let folder: Spoil<'_> = &|map| fs::create_dir(map).expect("a folder");
    let other_link: Spoil<'_> = &|map| {
        fs::rename(&link, map).expect("renamed");
    };
    let other_map: Spoil<'_> = &|map| {
        fs::rename(layout.join("ABOUT"), map).expect("renamed");
    };
    for spoil in [folder, other_link, other_map] {
        kill(&mut daemon);
        fs::remove_file(layout.join("COUNTERS")).expect("removed");
        let program = host.program_on(SERVER);
        spoil(&layout.join("COUNTERS"));
        let is_pinned = link.exists();
        mark += 1;
        if is_pinned {
            daemon = start(&host, mark, "");
            assert!(daemon.log().contains("taken over"), "{}", daemon.log());
            assert_eq!(host.on_client(version), Ok(mark));
            assert_ne!(host.program_on(SERVER), program);
        } else {
            // Somebody's own doing: it is not found, and what answers is not
            // replaced.
            let error = host.refusal(&arguments_of(&host, mark, ""));
            assert!(error.contains("has an XDP program already"), "{error}");
            assert_eq!(host.program_on(SERVER), program);
            fs::rename(layout.join("COUNTERS"), &link).expect("renamed");
            daemon = start(&host, mark, "");
        }
        assert_eq!(pinned(&host.pins()), ["layout-1"]);
        assert_eq!(pinned(&layout).len(), 5);
    }
}
