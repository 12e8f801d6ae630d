//! Two hosts, network namespaces of one machine, with one pin folder: numbers
//! of interfaces mean something in one of them only.

use std::fs;

use super::daemon_support::{Daemon, Host, SERVER, is_root, wait_for};
use super::load::version;
use super::pins::{arguments_of, kill, link_name, pinned, start};

/// The arguments of a daemon on `host` that uses the pins of `other`.
fn with_pins_of(other: &Host, host: &Host, mark: u8, arguments: &str) -> String {
    let pins = other.pins();
    let arguments = format!("{arguments} --pins {}", pins.display());
    arguments_of(host, mark, &arguments)
}

/// Two hosts whose interfaces have the same number.
fn two_hosts() -> (Host, Host) {
    let hosts = (Host::new(), Host::new());
    let number = |host: &Host| {
        let text = host.ip(&format!("-j link show dev {SERVER}"));
        let links: serde_json::Value = serde_json::from_str(&text).expect("ip prints JSON");
        links[0]["ifindex"].as_u64().expect("a number")
    };
    assert_eq!(number(&hosts.0), number(&hosts.1));
    hosts
}

fn numbers_of(daemon: &Daemon) -> String {
    link_name(&daemon.status(), 0).replace("link-", "interface ")
}

#[test]
fn a_folder_that_answers_in_another_network_namespace_is_refused() {
    if !is_root() {
        return;
    }
    let (first, second) = two_hosts();
    let _wires = (first.like_a_wire(), second.like_a_wire());
    let mut daemon = start(&first, 1, "");
    let interface = numbers_of(&daemon);
    kill(&mut daemon);
    let layout = first.pins().join("layout-1");
    let (program, names) = (first.program_on(SERVER), pinned(&layout));
    let unchanged = || {
        assert_eq!(first.program_on(SERVER), program);
        assert_eq!(pinned(&layout), names);
        assert_eq!(first.on_client(version), Ok(1));
        assert_eq!(second.program_on(SERVER), None);
    };
    for fallback in ["", "--fallback embedded"] {
        let arguments = with_pins_of(&first, &second, 2, fallback);
        let error = second.refusal(&arguments);
        for part in ["--pins", "another network namespace", &interface] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(error.contains("dns-glue stop --pins"), "{error}");
        unchanged();
    }
    // One of an older version has left no such word, or none at all.
    fs::rename(layout.join("ABOUT"), first.pins().join("ABOUT")).expect("renamed");
    let error = second.refusal(&with_pins_of(&first, &second, 2, ""));
    assert!(error.contains("another network namespace"), "{error}");
    assert_eq!(first.on_client(version), Ok(1));
    // And is taken over where it answers.
    daemon = start(&first, 3, "");
    assert!(daemon.log().contains("taken over"), "{}", daemon.log());
    assert_eq!(first.on_client(version), Ok(3));

    // With a folder of its own both answer.
    let other = start(&second, 4, "");
    assert_eq!(first.on_client(version), Ok(3));
    assert_eq!(second.on_client(version), Ok(4));
    drop(other);
}

#[test]
fn what_a_network_namespace_that_is_gone_left_stands_in_nobodys_way() {
    if !is_root() {
        return;
    }
    let (first, second) = two_hosts();
    let _wire = second.like_a_wire();
    // As containers of one host: the folder outlives the network namespace.
    let mut daemon = first.start(&with_pins_of(&second, &first, 1, ""));
    let link = link_name(&daemon.status(), 0);
    kill(&mut daemon);
    drop(first);
    let layout = second.pins().join("layout-1");
    assert!(pinned(&layout).contains(&link));
    // A namespace is taken down after its end.
    let mut last = None;
    wait_for("the folder can be used", || {
        let started = second.start_with_descriptors(1024, &arguments_of(&second, 2, ""));
        match started {
            Ok(started) => last = Some(started),
            Err(error) => assert!(error.contains("another network namespace"), "{error}"),
        }
        last.is_some()
    });
    let mut daemon = last.expect("a daemon");
    assert_eq!(second.on_client(version), Ok(2));
    assert_eq!(pinned(&layout).len(), 5);
    // The pin of that name is its own: it answers on.
    kill(&mut daemon);
    assert!(pinned(&layout).contains(&link));
    assert!(second.program_on(SERVER).is_some());
    assert_eq!(second.on_client(version), Ok(2));
}

/// An interface that was moved away took its program along: its pin is that of
/// the daemon that was here, and is let go as that of any other interface.
#[test]
fn an_interface_that_was_moved_away_is_let_go() {
    if !is_root() {
        return;
    }
    let (first, second) = two_hosts();
    let _wire = first.like_a_wire();
    first.ip("link add dgmoved type veth peer name dgpeer");
    let mut daemon = start(&first, 1, "dgmoved");
    assert!(first.program_on("dgmoved").is_some());
    let link = link_name(&daemon.status(), 1);
    kill(&mut daemon);
    first.ip(&format!("link set dgmoved netns {}", second.name()));
    assert!(second.program_on("dgmoved").is_some());

    // A start that fails leaves it. An interface here has its number.
    let number = link.replace("link-", "");
    first.ip(&format!(
        "link add dgother index {number} type veth peer name dgotherpeer"
    ));
    let layout = first.pins().join("layout-1");
    let names = pinned(&layout);
    let obstacle = layout.join("link-1");
    fs::create_dir(&obstacle).expect("a folder");
    let error = first.refusal(&arguments_of(&first, 2, "dgother lo"));
    assert!(error.contains("link-1"), "{error}");
    fs::remove_dir(&obstacle).expect("removed");
    assert_eq!(pinned(&layout), names);
    assert!(second.program_on("dgmoved").is_some());

    let mut daemon = start(&first, 3, "dgother");
    assert_eq!(second.program_on("dgmoved"), None);
    assert_eq!(first.on_client(version), Ok(3));
    assert_eq!(pinned(&layout), names);
    kill(&mut daemon);
    assert!(first.program_on("dgother").is_some());
}
