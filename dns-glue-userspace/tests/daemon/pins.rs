//! Programs that answer without a daemon, and daemons that take them over.

use std::fs;
use std::path::Path;

use super::daemon_support::{Daemon, Host, SERVER, is_root, wait_for};
use super::load::{marked_zone, under_load, version};

/// A daemon with a version of the marked zone.
pub fn start(host: &Host, mark: u8, arguments: &str) -> Daemon {
    host.start(&arguments_of(host, mark, arguments))
}

pub fn arguments_of(host: &Host, mark: u8, arguments: &str) -> String {
    let zone = host.file("test.zone", &marked_zone(mark));
    format!(
        "--iface {SERVER} {arguments} --zone test.={}",
        zone.display()
    )
}

pub fn kill(daemon: &mut Daemon) {
    daemon.signal(libc::SIGKILL);
    assert!(!daemon.wait().success());
}

/// What is pinned, by name.
pub fn pinned(layout: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(layout)
        .expect("the folder of the layout")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names
}

/// The name of the pin of an interface's link, of those that `status` tells.
pub fn link_name(status: &serde_json::Value, place: usize) -> String {
    let index = status["interfaces"][place]["index"].as_u64();
    format!("link-{}", index.expect("a number"))
}

/// The state as JSON where no daemon runs.
pub fn unattended_status(daemon: &Daemon) -> serde_json::Value {
    let output = daemon.command("status --json");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_killed_daemon_goes_on_answering_and_the_next_takes_over() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "");
    let before = daemon.counter("referral");
    let ((), served) = under_load(&host, || {
        for mark in 2..6 {
            let program = host.program_on(SERVER);
            assert!(program.is_some());
            kill(&mut daemon);
            assert_eq!(host.program_on(SERVER), program);
            assert_eq!(host.on_client(version), Ok(mark - 1));
            daemon = start(&host, mark, "");
            assert!(daemon.log().contains("taken over, attached in native mode"));
            assert_ne!(host.program_on(SERVER), program);
            assert_eq!(host.on_client(version), Ok(mark));
        }
    });
    assert!(served.replies > 0);
    assert_eq!(daemon.counter("referral"), before + served.replies + 8);
    assert_eq!(daemon.status()["interfaces"][0]["attached"], true);
    // As a daemon's own are.
    assert!(daemon.command("stop").status.success());
    assert_eq!(host.program_on(SERVER), None);
    assert!(!host.pins().exists());
}

#[test]
fn what_a_daemon_leaves_tells_of_itself() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "");
    let status = daemon.status();
    kill(&mut daemon);
    assert_eq!(host.on_client(version), Ok(1));

    let left = unattended_status(&daemon);
    assert_eq!(left["daemon"], false);
    assert!(left["last_seen"].as_u64().is_some_and(|at| at > 0));
    assert_eq!(
        left["links"][0]["program"].as_u64(),
        host.program_on(SERVER)
    );
    assert_eq!(
        left["links"][0]["interface"],
        status["interfaces"][0]["index"]
    );
    for part in [
        "pid",
        "zones",
        "addresses",
        "interfaces",
        "settings",
        "program",
    ] {
        assert_eq!(left["status"][part], status[part], "{part}");
    }
    let referrals = |status: &serde_json::Value| status["counters"][0]["packets"].clone();
    assert_eq!(referrals(&status), 0);
    assert_eq!(referrals(&left["status"]), 1, "read from the map");

    let output = daemon.command("status");
    let text = String::from_utf8(output.stdout).expect("text");
    for part in ["NO DAEMON RUNS", "last seen", "test.", "dns-glue stop"] {
        assert!(text.contains(part), "{text}");
    }

    let output = daemon.command("stop");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("no daemon runs; removed the pins"), "{text}");
    assert_eq!(host.program_on(SERVER), None);
    assert!(!host.pins().exists());
    let output = daemon.command("stop");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(error.contains("no dns-glue runs"), "{error}");
}

#[test]
fn sigusr2_ends_the_daemon_and_not_the_answers() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "");
    let program = host.program_on(SERVER);
    daemon.signal(libc::SIGUSR2);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    assert!(
        daemon.log().contains("goes on answering"),
        "{}",
        daemon.log()
    );
    assert!(!host.path("control.sock").exists());
    assert_eq!(host.program_on(SERVER), program);
    assert_eq!(host.on_client(version), Ok(1));
    assert_eq!(unattended_status(&daemon)["daemon"], false);

    // Where nobody would answer what passes, it is as any other end.
    let mut daemon = start(&host, 2, "--fallback embedded --pins-of-the-host");
    daemon.signal(libc::SIGUSR2);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    assert_eq!(host.program_on(SERVER), None);
}

#[test]
fn the_fallback_takes_over_and_leaves_nothing() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "");
    kill(&mut daemon);
    // One that fails has announced the end of what answers: that is taken back.
    let until = unattended_status(&daemon)["attended_until"].clone();
    let fallback = "--fallback embedded --pins-of-the-host";
    let further = format!("lo --mode native {fallback}");
    let error = host.refusal(&arguments_of(&host, 2, &further));
    assert!(error.contains("cannot attach to lo"), "{error}");
    assert_eq!(unattended_status(&daemon)["attended_until"], until);
    assert_eq!(host.on_client(version), Ok(1));

    let mut daemon = start(&host, 2, fallback);
    assert!(daemon.log().contains("taken over"), "{}", daemon.log());
    assert_eq!(host.on_client(version), Ok(2));
    let names = pinned(&host.pins().join("layout-1"));
    assert!(
        !names.iter().any(|name| name.starts_with("link-")),
        "{names:?}"
    );
    kill(&mut daemon);
    wait_for("the program goes", || host.program_on(SERVER).is_none());
}

#[test]
fn interfaces_that_are_no_longer_served_are_let_go() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    host.ip("link add dgother type veth peer name dgpeer");
    let mut daemon = start(&host, 1, "lo dgother");
    assert!(host.program_on("lo").is_some());
    let status = daemon.status();
    let layout = host.pins().join("layout-1");
    for place in 0..3 {
        assert!(pinned(&layout).contains(&link_name(&status, place)));
    }
    kill(&mut daemon);
    host.ip("link del dgother");
    let mut daemon = start(&host, 2, "");
    assert_eq!(host.program_on("lo"), None);
    assert_eq!(host.on_client(version), Ok(2));
    let left = ["ABOUT", "COUNTERS", "HOST", "HOST_SELECTOR"].map(String::from);
    let mut expected = left.to_vec();
    expected.push(link_name(&status, 0));
    assert_eq!(pinned(&layout), expected);

    // An interface that goes takes its pin with it, and one comes anew.
    kill(&mut daemon);
    host.ip("link add dgother type veth peer name dgpeer");
    let daemon = start(&host, 3, "dgother");
    host.ip("link del dgother");
    wait_for("the loss is known", || {
        daemon.status()["interfaces"][1]["attached"] == false
    });
    assert_eq!(pinned(&layout), expected);
}

#[test]
fn the_folder_must_be_on_a_bpf_file_system() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let folder = host.path("no-bpf");
    let error = host.refusal(&format!("--iface {SERVER} --pins {}", folder.display()));
    assert!(error.contains("is on no BPF file system"), "{error}");
    assert!(
        error.contains("--pins") && error.contains("mount -t bpf"),
        "{error}"
    );
    assert!(!folder.exists());
    assert_eq!(host.program_on(SERVER), None);
}

/// The folder opens to its owner only.
#[test]
fn the_folder_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = start(&host, 1, "");
    let mode = fs::metadata(host.pins())
        .expect("the folder")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    drop(daemon);
}
