//! Links that somebody detaches while the daemon runs (`bpftool link detach`):
//! the kernel sends no message of that.

use dns_glue::kernel::attach::AttachMode;
use dns_glue::kernel::{Attachment, unattended};

use super::daemon_support::{Daemon, Host, SERVER, is_root, wait_for};
use super::load::{marked_zone, version};
use super::pins::{kill, link_name, pinned, start, unattended_status};
use super::replace::{attached, loaded};

/// Takes the program off all interfaces of a daemon.
fn detach_all(host: &Host) {
    let found = unattended::look(&host.pins()).expect("a folder");
    let links = found.expect("it is there").links;
    assert!(!links.is_empty());
    for pinned in links {
        let attachment = Attachment {
            index: pinned.facts.interface.expect("an interface"),
            mode: AttachMode::Native,
            fallback_cause: None,
            link: pinned.link,
        };
        attachment.detach().expect("it is detached");
    }
    assert_eq!(host.program_on(SERVER), None);
}

#[track_caller]
fn assert_log_tells_of_it(daemon: &Daemon, times: usize) {
    let log = daemon.log();
    for line in ["somebody took the program off", "served again"] {
        let line = format!("{SERVER}: {line}");
        assert_eq!(log.matches(&line).count(), times, "{line}: {log}");
    }
    assert!(!log.contains("is gone"), "{log}");
}

#[test]
fn a_program_that_was_taken_off_is_attached_again_by_itself() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    // It comes to look every second.
    let mut daemon = start(&host, 1, "--max-unattended 3s");
    let status = daemon.status();
    let program = host.program_on(SERVER);
    for times in 1..=2 {
        detach_all(&host);
        // It is not asked: that would be a reason to look.
        wait_for("it is attached again", || {
            host.program_on(SERVER) == program
        });
        wait_for("all is told", || {
            daemon.log().matches("served again").count() == times
        });
        assert_log_tells_of_it(&daemon, times);
        assert_eq!(host.on_client(version), Ok(1));
    }
    // What is pinned is the link that holds it now.
    kill(&mut daemon);
    assert_eq!(host.program_on(SERVER), program);
    let layout = host.pins().join("layout-1");
    assert!(pinned(&layout).contains(&link_name(&status, 0)));
    let left = unattended_status(&daemon);
    assert_eq!(left["links"][0]["program"].as_u64(), program);
}

#[test]
fn whoever_asks_is_told_what_is_attached() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = start(&host, 1, "");
    let program = host.program_on(SERVER);
    detach_all(&host);
    assert_eq!(daemon.status()["interfaces"][0]["attached"], true);
    assert_eq!(host.program_on(SERVER), program);
    assert_log_tells_of_it(&daemon, 1);
}

#[test]
fn a_reload_reaches_interfaces_whose_program_was_taken_off() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let daemon = start(&host, 1, "");
    detach_all(&host);
    host.file("test.zone", &marked_zone(2));
    let output = daemon.command("reload");
    assert!(output.status.success(), "{output:?}; {}", daemon.log());
    assert_eq!(host.on_client(version), Ok(2));
    assert_log_tells_of_it(&daemon, 1);
}

#[test]
fn an_interface_with_somebody_elses_program_by_now_is_left_alone() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let mut daemon = start(&host, 1, "");
    let program = host.program_on(SERVER);
    let foreign = loaded(&host);
    detach_all(&host);
    let other = host.enter(|| attached(&foreign, SERVER));
    let others = Some(u64::from(foreign.program.id));
    assert_eq!(daemon.status()["interfaces"][0]["attached"], false);
    assert_eq!(host.program_on(SERVER), others);
    let log = daemon.log();
    for line in [
        "somebody took the program off",
        "is there, and is not served",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    drop(other);
    wait_for("it is attached again", || {
        host.program_on(SERVER) == program
    });
    assert_eq!(daemon.status()["interfaces"][0]["attached"], true);
    // An interface that is gone is told of by a daemon that dies, too.
    host.ip(&format!("link del {SERVER}"));
    wait_for("the loss is known", || {
        daemon.log().contains(&format!("{SERVER} is gone"))
    });
    assert_eq!(daemon.status()["interfaces"][0]["attached"], false);
    kill(&mut daemon);
    let left = unattended_status(&daemon);
    assert_eq!(left["status"]["interfaces"][0]["attached"], false);
}
