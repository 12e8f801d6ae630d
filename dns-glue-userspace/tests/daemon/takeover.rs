//! Daemons that take over what an earlier one has left, or fail to: what
//! answers is changed by nothing that fails.

use std::fs;

use aya::programs::links::{FdLink, PinnedLink};

use super::daemon_support::{Host, SERVER, is_root};
use super::load::{under_load, version};
use super::maps::host_tables;
use super::pins::{arguments_of, kill, link_name, pinned, start};

#[test]
fn a_start_that_fails_leaves_what_answers_alone() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "");
    let program = host.program_on(SERVER);
    kill(&mut daemon);
    let tables = host_tables(&host);
    let unchanged = || {
        assert_eq!(host.program_on(SERVER), program);
        assert_eq!(host.on_client(version), Ok(1));
        assert!(host.pins().exists());
        // Not even for a moment: a table that was in sight stays written.
        assert!(host_tables(&host) == tables, "another host was told of");
    };

    let broken = host.file("broken.zone", "@ IN SOA broken\n");
    let error = host.refusal(&format!(
        "--iface {SERVER} --zone test.={}",
        broken.display()
    ));
    assert!(error.contains("broken.zone:1:"), "{error}");
    unchanged();
    // Known only when the program is loaded: lo takes none in native mode. The
    // address that it would serve is not the one that is asked.
    let error = host.refusal(&arguments_of(
        &host,
        2,
        "lo --mode native --address 192.0.2.99",
    ));
    assert!(error.contains("cannot attach to lo"), "{error}");
    unchanged();
    assert_eq!(host.program_on("lo"), None);
    let daemon = start(&host, 3, "");
    assert_eq!(host.on_client(version), Ok(3));
    drop(daemon);
}

#[test]
fn a_link_that_cannot_be_pinned_leaves_what_answers_alone() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "lo");
    let status = daemon.status();
    let index = status["interfaces"][1]["index"].as_u64().expect("a number");
    daemon.signal(libc::SIGTERM);
    assert!(daemon.wait().success());

    let mut daemon = start(&host, 1, "");
    let program = host.program_on(SERVER);
    kill(&mut daemon);
    let tables = host_tables(&host);
    // What is no pin cannot be replaced by one.
    let obstacle = host.pins().join(format!("layout-1/link-{index}"));
    fs::create_dir(&obstacle).expect("a folder");
    let ((), _) = under_load(&host, || {
        let error = host.refusal(&arguments_of(&host, 2, "lo --address 192.0.2.99"));
        assert!(error.contains(&format!("link-{index}")), "{error}");
    });
    assert_eq!(host.program_on(SERVER), program);
    assert_eq!(host.program_on("lo"), None);
    assert!(host_tables(&host) == tables, "another host was told of");
    assert_eq!(host.on_client(version), Ok(1));
    fs::remove_dir(&obstacle).expect("removed");
    let daemon = start(&host, 3, "lo");
    assert!(host.program_on("lo").is_some());
    assert_eq!(host.on_client(version), Ok(3));
    drop(daemon);
}

#[test]
fn folders_of_other_versions_are_taken_over_and_removed() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let layout = host.pins().join("layout-1");
    let before = host.pins().join("layout-0");
    let mut daemon = start(&host, 1, "");
    let link = link_name(&daemon.status(), 0);
    let ((), _) = under_load(&host, || {
        kill(&mut daemon);
        fs::rename(&layout, &before).expect("renamed");
        // One that fails leaves the other version's pins, and the answers.
        fs::create_dir_all(layout.join(&link)).expect("a folder");
        let error = host.refusal(&arguments_of(&host, 2, ""));
        assert!(error.contains(&link), "{error}");
        assert!(pinned(&before).contains(&link));
        assert_eq!(host.on_client(version), Ok(1));
        fs::remove_dir(layout.join(&link)).expect("removed");

        daemon = start(&host, 2, "");
        assert!(daemon.log().contains("taken over"), "{}", daemon.log());
        assert_eq!(host.on_client(version), Ok(2));
        assert_eq!(pinned(&host.pins()), ["layout-1"]);
        assert!(pinned(&layout).contains(&link));
        // From maps of its own.
        assert_eq!(
            host.program_on(SERVER),
            daemon.status()["program"]["id"].as_u64()
        );

        // Maps of another size, as a version with other tables would leave.
        kill(&mut daemon);
        fs::remove_file(layout.join("HOST")).expect("removed");
        fs::rename(layout.join("HOST_SELECTOR"), layout.join("HOST")).expect("renamed");
        daemon = start(&host, 3, "");
        assert!(daemon.log().contains("taken over"), "{}", daemon.log());
        assert_eq!(host.on_client(version), Ok(3));

        // One that is missing: the others are those of the program, and not
        // of the next.
        kill(&mut daemon);
        fs::remove_file(layout.join("HOST_SELECTOR")).expect("removed");
        daemon = start(&host, 4, "");
        assert!(daemon.log().contains("taken over"), "{}", daemon.log());
        assert_eq!(host.on_client(version), Ok(4));
    });
    let layouts = pinned(&host.pins());
    assert_eq!(layouts, ["layout-1"]);
    assert_eq!(pinned(&layout).len(), 5);
    assert_eq!(
        host.program_on(SERVER),
        daemon.status()["program"]["id"].as_u64()
    );
    // It answers on without a daemon as any other.
    kill(&mut daemon);
    assert_eq!(host.on_client(version), Ok(4));
}

/// As a start leaves it that is killed between pinning a link anew and removing
/// the pin with which it found it.
#[test]
fn a_link_with_pins_in_two_layouts_is_one_link() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let layout = host.pins().join("layout-1");
    let mut daemon = start(&host, 1, "");
    let link = link_name(&daemon.status(), 0);
    for (serial, other) in [(2, "layout-1-2"), (3, "layout-0")] {
        kill(&mut daemon);
        let other = host.pins().join(other);
        fs::create_dir(&other).expect("a folder");
        let found = PinnedLink::from_pin(layout.join(&link)).expect("a link");
        let again = FdLink::from(found).pin(other.join(&link));
        drop(again.expect("pinned"));
        daemon = start(&host, serial, "");
        let log = daemon.log();
        assert!(
            log.contains("taken over") && !log.contains("detached"),
            "{log}"
        );
        assert_eq!(host.on_client(version), Ok(serial));
        assert_eq!(pinned(&host.pins()), ["layout-1"]);
    }
}

#[test]
fn what_a_daemon_of_another_layout_told_is_known() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let layout = host.pins().join("layout-1");
    let mut daemon = start(&host, 2, "");
    kill(&mut daemon);
    fs::remove_file(layout.join("HOST_SELECTOR")).expect("removed");
    daemon = start(&host, 1, "");
    let log = daemon.log();
    assert!(log.contains("serial 1 is older than 2"), "{log}");
    assert_eq!(host.on_client(version), Ok(1));
}
