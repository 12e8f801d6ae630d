//! Reloading: what answers is replaced as a whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, symlink};
use std::process::Command;
use std::thread;

use dns_glue::serve::status::unix_seconds;

use super::daemon_support::{
    Daemon, Host, SERVER, SERVER_IP, ZONE, exchange, is_root, query, wait_for,
};
use super::load::{marked_zone, marked_zone_with_serial, under_load, version};

/// A daemon with version 1 of the marked zone, beside the example.
fn start(host: &Host, arguments: &str) -> Daemon {
    let zone = host.file("test.zone", &marked_zone(1));
    host.start(&format!(
        "--iface {SERVER} --zone test.={} {arguments}",
        zone.display()
    ))
}

fn reload(daemon: &Daemon, arguments: &str) -> serde_json::Value {
    let output = daemon.command(&format!("reload --json {arguments}"));
    assert!(output.status.success(), "{output:?}; {}", daemon.log());
    serde_json::from_slice(&output.stdout).expect("reload prints JSON")
}

/// The error of a reload that must fail.
fn refused_reload(daemon: &Daemon) -> String {
    let output = daemon.command("reload");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

fn serial(daemon: &Daemon) -> u64 {
    let status = daemon.status();
    status["zones"][1]["serial"].as_u64().expect("a serial")
}

#[test]
fn no_query_is_passed_lost_or_answered_by_halves_while_zones_are_reloaded() {
    if !is_root() {
        return;
    }
    const RELOADS: u8 = 30;
    let host = Host::new();
    let _wire = host.like_a_wire();
    let daemon = start(&host, "");
    let (programs, served) = under_load(&host, || {
        let mut programs = vec![host.program_on(SERVER)];
        for mark in 2..=RELOADS + 1 {
            host.file("test.zone", &marked_zone(mark));
            let reply = reload(&daemon, "");
            assert_eq!(reply["outcome"], "done");
            assert_eq!(reply["generation"], u64::from(mark));
            // Who asks after the reload gets the new version.
            assert_eq!(host.on_client(version), Ok(mark));
            programs.push(host.program_on(SERVER));
        }
        programs
    });
    assert!(served.replies > u64::from(RELOADS), "{}", served.replies);
    assert!(
        programs.windows(2).all(|two| two[0] != two[1]),
        "{programs:?}"
    );
    assert_eq!(
        programs.last().copied().flatten(),
        daemon.status()["program"]["id"].as_u64()
    );
    // The counters go on.
    assert_eq!(
        daemon.counter("referral"),
        served.replies + u64::from(RELOADS)
    );
    let status = daemon.status();
    assert_eq!(status["generation"]["number"], u64::from(RELOADS) + 1);
    assert_eq!(status["last_reload"]["ok"], true);
    assert_eq!(status["interfaces"][0]["attached"], true);
}

#[test]
fn a_reload_that_fails_changes_nothing_and_says_why() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let daemon = start(&host, "");
    let program = host.program_on(SERVER);
    let unchanged = |wanted: &str| {
        assert_eq!(host.program_on(SERVER), program);
        assert_eq!(host.on_client(version), Ok(1));
        let status = daemon.status();
        assert_eq!(status["generation"]["number"], 1);
        assert_eq!(status["last_reload"]["ok"], false);
        assert_eq!(status["last_reload"]["asked_by"], "dns-glue reload");
        let outcome = status["last_reload"]["outcome"]
            .as_str()
            .expect("an outcome");
        assert!(outcome.contains(wanted), "{outcome}");
        let text = String::from_utf8(daemon.command("status").stdout).expect("text");
        assert!(text.contains("FAILED: "), "{text}");
    };

    host.file("test.zone", "@ IN SOA broken\n\nchild IN A 192.0.2.300\n");
    let error = refused_reload(&daemon);
    assert!(
        error.contains("test.zone:1:") && error.contains("test.zone:3:"),
        "{error}"
    );
    unchanged("test.zone:3:");

    fs::remove_file(host.path("test.zone")).expect("removed");
    let error = refused_reload(&daemon);
    assert!(error.contains("cannot read the file"), "{error}");
    unchanged("cannot read the file");

    host.file("test.zone", &marked_zone_with_serial(2, 0));
    let error = refused_reload(&daemon);
    assert!(
        error.contains("zone test.: serial 0 does not follow 1"),
        "{error}"
    );
    assert!(error.contains("reload --force"), "{error}");
    unchanged("serial 0 does not follow 1");

    assert_eq!(reload(&daemon, "--force")["outcome"], "done");
    assert_eq!(host.on_client(version), Ok(2));
    assert_eq!(serial(&daemon), 0);
    assert_eq!(daemon.status()["last_reload"]["ok"], true);
    // Backwards in numbers, forwards in serial number arithmetic.
    host.file("test.zone", &marked_zone_with_serial(3, 1 << 30));
    reload(&daemon, "");
    host.file("test.zone", &marked_zone_with_serial(4, (1 << 31) + 5));
    reload(&daemon, "");
    host.file("test.zone", &marked_zone_with_serial(5, 0));
    reload(&daemon, "");
    assert_eq!(host.on_client(version), Ok(5));
}

#[test]
fn a_reload_tells_what_changes_and_does_nothing_for_nothing() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = start(&host, "");
    let program = host.program_on(SERVER);
    let reply = reload(&daemon, "");
    assert_eq!(reply["outcome"], "unchanged");
    assert_eq!(host.program_on(SERVER), program);
    let text = String::from_utf8(daemon.command("reload").stdout).expect("text");
    assert!(text.contains("nothing has changed"), "{text}");

    host.file("test.zone", &(marked_zone(2) + "new NS ns.void.\n"));
    let reply = reload(&daemon, "--diff --dry-run");
    assert_eq!(reply["outcome"], "dry-run");
    assert_eq!(reply["generation"], 1);
    assert_eq!(host.program_on(SERVER), program);
    let zone = &reply["zones"][1];
    assert_eq!(zone["apex"], "test.");
    assert_eq!(
        (&zone["serial_before"], &zone["serial"]),
        (&1.into(), &2.into())
    );
    assert_eq!(
        zone["added"],
        serde_json::json!({ "total": 1, "listed": ["new.test."] })
    );
    assert_eq!(
        zone["changed"]["listed"],
        serde_json::json!(["child.test."])
    );
    assert_eq!(zone["removed"]["total"], 0);
    assert_eq!(
        daemon.status()["last_reload"]["outcome"],
        "nothing has changed"
    );

    let text = String::from_utf8(daemon.command("reload --diff").stdout).expect("text");
    for line in [
        "test. serial 1 -> 2: 1 delegations added, 0 removed, 1 changed",
        "+ new.test.",
        "~ child.test.",
        "generation 2 answers",
    ] {
        assert!(text.lines().any(|other| other == line), "{text}");
    }
    assert_ne!(host.program_on(SERVER), program);
    // Names are told only to who asks for them.
    host.file("test.zone", &marked_zone(3));
    let reply = reload(&daemon, "");
    assert_eq!(
        reply["zones"][1]["removed"],
        serde_json::json!({ "total": 1, "listed": [] })
    );
    // Another text under the same serial: a zone that was signed again, say.
    host.file("test.zone", &(marked_zone(3) + "new TXT again\n"));
    let reply = reload(&daemon, "");
    assert_eq!(reply["outcome"], "done");
    assert_eq!(reply["zones"][1]["unchanged"], false);
    assert_eq!(reload(&daemon, "")["outcome"], "unchanged");
}

/// Of two zones one changes, again and again: the other is taken over from
/// generation to generation, out of the maps in the kernel.
#[test]
fn a_zone_that_has_not_changed_is_taken_over() {
    if !is_root() {
        return;
    }
    for arguments in ["", "--fallback embedded"] {
        let host = Host::new();
        let _wire = host.like_a_wire();
        let daemon = start(&host, arguments);
        let ask = |name| {
            let query = query(name);
            let reply = host.on_client(move || exchange(SERVER_IP, &query));
            reply.expect("a reply")
        };
        let other = ask("www.child.example");
        // A referral: NS, and glue.
        assert_eq!(other[4..12], [0, 1, 0, 0, 0, 1, 0, 1]);
        let passed = (!arguments.is_empty()).then(|| ask("ns.example"));
        for mark in 2..6 {
            host.file("test.zone", &marked_zone(mark));
            let reply = reload(&daemon, "");
            assert_eq!(reply["outcome"], "done");
            let unchanged = [0, 1].map(|zone| reply["zones"][zone]["unchanged"].clone());
            assert_eq!(unchanged, [true, false]);
            assert_eq!(host.on_client(version), Ok(mark));
            assert_eq!(ask("www.child.example"), other);
            assert_eq!(passed, passed.as_ref().map(|_| ask("ns.example")));
        }
        // Five of each, and each was answered in the kernel.
        assert_eq!(daemon.counter("referral"), 2 * 5 - 1);
        assert_eq!(daemon.status()["zones"][0]["delegations"], 1);
        let outcome = daemon.status()["last_reload"]["outcome"].clone();
        let outcome = outcome.as_str().expect("words");
        assert!(
            outcome.contains("example. serial 7, unchanged; test. serial 4 -> 5"),
            "{outcome}"
        );

        let reply = reload(&daemon, "--force");
        assert_eq!(reply["outcome"], "done");
        let unchanged = [0, 1].map(|zone| reply["zones"][zone]["unchanged"].clone());
        assert_eq!(unchanged, [false, false]);
        assert_eq!(ask("www.child.example"), other);
        host.file("test.zone", &marked_zone(6));
        let text = String::from_utf8(daemon.command("reload").stdout).expect("text");
        assert!(text.contains("example. serial 7: unchanged\n"), "{text}");
        assert_eq!(ask("www.child.example"), other);
    }
}

/// A signature that follows another after a gap: the text is the same, and what
/// is to be said of it is not.
#[test]
fn what_has_changed_with_the_time_alone_is_told_after_a_reload() {
    if !is_root() {
        return;
    }
    const GAP: u64 = 2;
    let host = Host::new();
    let now = unix_seconds();
    let first = now + GAP;
    let (second, end) = (first + GAP, now + 30 * 86_400);
    let zone = format!(
        "$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n\
         @ DNSKEY 257 3 13 AAAA\n@ NSEC a NS SOA RRSIG NSEC DNSKEY\n\
         @ RRSIG SOA 13 1 60 {end} {now} 1 test. AAAA\n\
         a NS ns.void.\na NS ns2.void.\na DS 1 13 2 00112233\n\
         a RRSIG DS 13 2 60 {first} {now} 1 test. AAAA\n\
         a RRSIG DS 13 2 60 {end} {second} 1 test. AAAA\n"
    );
    let zone = host.file("test.zone", &zone);
    let daemon = host.start(&format!("--iface {SERVER} --zone test.={}", zone.display()));
    let program = host.program_on(SERVER);
    let signatures = || {
        let status = daemon.status();
        let zone = &status["zones"][1];
        ["signatures_from", "signatures_until"].map(|name| zone[name].as_u64())
    };
    let text = || String::from_utf8(daemon.command("status").stdout).expect("text");
    wait_for("the second is valid", || unix_seconds() > second);
    // Unless it took so long to start that the first was past by then.
    let [_, until] = signatures();
    assert!([first, end].map(Some).contains(&until), "{until:?}");
    assert_eq!(
        text().contains("EXPIRED"),
        until == Some(first),
        "{}",
        text()
    );

    let reply = reload(&daemon, "");
    assert_eq!(reply["outcome"], "unchanged");
    // Whether it had to be read or not.
    assert_eq!(reply["zones"][1]["unchanged"], true);
    let warnings = reply["warnings"].to_string();
    assert!(!warnings.contains("signatures"), "{warnings}");
    assert_eq!(signatures(), [second, end].map(Some));
    assert!(text().contains("29days 23h"), "{}", text());
    assert!(!text().contains("EXPIRED"), "{}", text());
    assert_eq!(host.program_on(SERVER), program);
    assert_eq!(daemon.status()["generation"]["number"], 1);
    // The next generation is made of what was found then.
    host.file("example.zone", &ZONE.replace(" 7 ", " 8 "));
    let reply = reload(&daemon, "");
    assert_eq!(reply["outcome"], "done");
    assert_eq!(reply["zones"][1]["unchanged"], true);
    assert_eq!(signatures(), [second, end].map(Some));
}

#[test]
fn sighup_reloads() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let mut daemon = start(&host, "");
    host.file("test.zone", &marked_zone(2));
    daemon.signal(libc::SIGHUP);
    wait_for("the new zone answers", || serial(&daemon) == 2);
    assert_eq!(daemon.status()["last_reload"]["asked_by"], "SIGHUP");
    daemon.signal(libc::SIGTERM);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    assert_eq!(host.program_on(SERVER), None);
}

/// A zone that takes as long to read as the test wants: it comes out of a pipe.
struct SlowZone<'h> {
    host: &'h Host,
    text: String,
    /// What is in the pipe's place when this one is read.
    next: String,
}

impl<'h> SlowZone<'h> {
    fn new(host: &'h Host, mark: u8, next: String) -> Self {
        make_pipe(host, "test.zone");
        let text = marked_zone(mark);
        Self { host, text, next }
    }

    /// Lets the reading go on, once it has come so far.
    fn finish(self) {
        wait_for("somebody reads the slow zone", || self.write().is_ok());
    }

    fn write(&self) -> io::Result<()> {
        let mut pipe = fs::OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(self.host.path("test.zone"))?;
        if !pipe.metadata()?.file_type().is_fifo() {
            return Err(io::Error::other("the next is there already"));
        }
        let next = self.host.file("next.zone", &self.next);
        fs::rename(next, self.host.path("test.zone"))?;
        pipe.write_all(self.text.as_bytes())
    }
}

/// Makes a pipe in the place of a file.
fn make_pipe(host: &Host, name: &str) {
    let pipe = host.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    fs::rename(pipe, host.path(name)).expect("renamed");
}

impl Drop for SlowZone<'_> {
    /// Nobody waits for ever, also where the test has failed.
    fn drop(&mut self) {
        let _nobody_reads = self.write();
    }
}

#[test]
fn the_host_is_followed_and_reloads_wait_while_one_is_under_way() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let daemon = start(&host, "");
    let slow = SlowZone::new(&host, 2, marked_zone(3));
    thread::scope(|scope| {
        // Dropped when this fails, before the others are waited for.
        let slow = slow;
        let first = scope.spawn(|| reload(&daemon, ""));
        wait_for("it reads", || {
            daemon.log().contains("dns-glue reload: reading the zones")
        });
        let others = [(); 2].map(|()| scope.spawn(|| reload(&daemon, "")));

        // The daemon is there for others meanwhile.
        host.ip(&format!("addr add 192.0.2.7/24 dev {SERVER}"));
        host.ip(&format!("link set {SERVER} mtu 1600"));
        wait_for("the host is known", || {
            let status = daemon.status();
            status["addresses"] == serde_json::json!([SERVER_IP, "192.0.2.7"])
                && status["interfaces"][0]["mtu"] == 1600
        });
        assert_eq!(host.on_client(version), Ok(1));
        let status = daemon.status();
        assert_eq!(status["generation"]["number"], 1);
        let under_way = &status["reload_under_way"];
        assert_eq!(under_way["asked_by"], "dns-glue reload");
        let since = under_way["since"].as_u64().expect("a time");
        assert!(since <= unix_seconds(), "{since}");
        let text = String::from_utf8(daemon.command("status").stdout).expect("text");
        assert!(text.contains("\na reload is under way, begun "), "{text}");
        slow.finish();
        assert_eq!(first.join().expect("the first")["generation"], 2);
        for other in others {
            let reply = other.join().expect("another");
            assert_eq!(
                (&reply["outcome"], &reply["generation"]),
                (&"done".into(), &3.into())
            );
        }
    });
    assert!(daemon.status()["reload_under_way"].is_null());
    // What has changed before holds for the new generations too.
    assert_eq!(host.on_client(version), Ok(3));
    assert_eq!(
        daemon.status()["addresses"],
        serde_json::json!([SERVER_IP, "192.0.2.7"])
    );
}

#[test]
fn stop_does_not_wait_for_a_reload() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let mut daemon = start(&host, "");
    let slow = SlowZone::new(&host, 2, String::new());
    daemon.signal(libc::SIGHUP);
    wait_for("it reads", || {
        daemon.log().contains("SIGHUP: reading the zones")
    });
    assert!(daemon.command("stop").status.success());
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    assert_eq!(host.program_on(SERVER), None);
    assert!(!host.pins().exists());
    drop(slow);
}

#[test]
fn the_fallback_answers_from_the_new_zones_too() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let daemon = start(&host, "--fallback embedded");
    let serial_of_answer = || {
        let mut soa = query("test");
        let at = soa.len() - 4;
        soa[at..].copy_from_slice(&[0, 6, 0, 1]);
        let reply = host
            .on_client(move || exchange(SERVER_IP, &soa))
            .expect("an answer");
        assert_eq!(reply[6..8], [0, 1], "{reply:?}");
        // Serial and four more numbers end the record; no other follows.
        let numbers = reply
            .windows(20)
            .find(|five| five[4..8] == 3600_u32.to_be_bytes());
        u32::from_be_bytes(numbers.expect("a SOA")[..4].try_into().expect("four"))
    };
    assert_eq!((serial_of_answer(), host.on_client(version)), (1, Ok(1)));
    for mark in 2..5 {
        host.file("test.zone", &marked_zone(mark));
        reload(&daemon, "");
        assert_eq!(
            (serial_of_answer(), host.on_client(version)),
            (mark.into(), Ok(mark))
        );
    }
    host.file("test.zone", "@ IN SOA broken\n");
    refused_reload(&daemon);
    assert_eq!((serial_of_answer(), host.on_client(version)), (4, Ok(4)));
}

#[test]
fn watched_files_are_reloaded_when_they_change() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let zone = |mark| marked_zone(mark) + "$INCLUDE more.zone\n";
    host.file("more.zone", "more NS ns.void.\n");
    let path = host.file("test.zone", &zone(1));
    let daemon = host.start(&format!(
        "--iface {SERVER} --zone test.={} --watch",
        path.display()
    ));
    assert_eq!(daemon.status()["settings"]["watch"], true);
    // As a transfer does, and many editors.
    let other = host.file("other", &zone(2));
    fs::rename(&other, &path).expect("renamed");
    wait_for("the zone of the new file answers", || serial(&daemon) == 2);
    assert_eq!(daemon.status()["last_reload"]["asked_by"], "--watch");
    // One that fails is made good by the next.
    host.file("test.zone", "broken");
    wait_for("it has failed", || {
        daemon.status()["last_reload"]["ok"] == false
    });
    assert_eq!(serial(&daemon), 2);
    host.file("test.zone", &zone(3));
    wait_for("it has not failed", || serial(&daemon) == 3);

    host.file("more.zone", "more NS ns.void.\nstill NS ns.void.\n");
    wait_for("what is included counts", || {
        daemon.status()["zones"][1]["delegations"] == 3
    });
}

/// It would be taken for changed each time it is read, and the next reload would
/// wait for one who writes to it.
#[test]
fn pipes_cannot_be_watched() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let path = host.path("test.zone");
    let arguments = format!("--iface {SERVER} --zone test.={} --watch", path.display());
    let check = |words: &str, pipe: &str| {
        assert!(words.contains("--watch: zone test. comes"), "{words}");
        assert!(words.contains(pipe), "{words}");
    };
    // Without waiting for one who writes.
    make_pipe(&host, "test.zone");
    check(&host.refusal(&arguments), "/test.zone,");

    let zone = |mark| marked_zone(mark) + "$INCLUDE more.zone\n";
    let more = "more NS ns.void.\n";
    let write_to = |pipe: &str| {
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).custom_flags(libc::O_NONBLOCK);
        let pipe = options.open(host.path(pipe));
        pipe.and_then(|mut pipe| pipe.write_all(more.as_bytes()))
    };
    let next = host.file("next.zone", &zone(1));
    fs::rename(next, &path).expect("renamed");
    make_pipe(&host, "more.zone");
    thread::scope(|scope| {
        let refused = scope.spawn(|| host.refusal(&arguments));
        wait_for("it reads", || write_to("more.zone").is_ok());
        check(&refused.join().expect("a refusal"), "/more.zone,");
    });
    assert_eq!(host.program_on(SERVER), None);

    fs::remove_file(host.path("more.zone")).expect("removed");
    host.file("more.zone", more);
    let daemon = host.start(&arguments);
    host.file("piped.zone", &zone(2).replace("more.zone", "later.zone"));
    make_pipe(&host, "later.zone");
    fs::rename(host.path("piped.zone"), &path).expect("renamed");
    wait_for("it reads", || write_to("later.zone").is_ok());
    wait_for("it has failed", || {
        daemon.status()["last_reload"]["ok"] == false
    });
    let outcome = daemon.status()["last_reload"]["outcome"].to_string();
    check(&outcome, "/later.zone,");
    assert_eq!(serial(&daemon), 1);
    // What is a file again makes it good.
    fs::rename(host.path("more.zone"), host.path("later.zone")).expect("renamed");
    wait_for("the new version answers", || serial(&daemon) == 2);
    let reloads = daemon.log().matches("--watch: reading the zones").count();
    assert_eq!(reloads, 2, "{}", daemon.log());
}

/// Each version in a folder of its own, and a link to the one that counts.
#[test]
fn a_folder_that_is_replaced_is_watched_on() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let release = |name: &str, mark| {
        let folder = host.path("releases").join(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("test.zone"), marked_zone(mark)).expect("written");
    };
    let lead_to = |name: &str| {
        let target = format!("releases/{name}");
        symlink(target, host.path("new")).expect("a link");
        fs::rename(host.path("new"), host.path("current")).expect("renamed");
    };
    release("a", 1);
    lead_to("a");
    let daemon = host.start(&format!(
        "--iface {SERVER} --zone test.={} --watch",
        host.path("current/test.zone").display()
    ));
    release("b", 2);
    lead_to("b");
    wait_for("the link is followed", || serial(&daemon) == 2);
    fs::remove_dir_all(host.path("releases")).expect("removed");
    release("b", 3);
    wait_for("the new folder is seen", || serial(&daemon) == 3);
    release("b", 4);
    wait_for("and what is written in it", || serial(&daemon) == 4);
}

/// Nothing that is asked for while the first zones are compiled is forgotten.
#[test]
fn a_reload_may_be_asked_for_before_there_is_anything_to_reload() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let slow = SlowZone::new(&host, 1, marked_zone(2));
    let zone = host.path("test.zone");
    let mut daemon =
        host.start_unready(&format!("--iface {SERVER} --zone test.={}", zone.display()));
    wait_for("it compiles", || {
        let output = daemon.command("status");
        String::from_utf8_lossy(&output.stderr).contains("the zones are being compiled")
    });
    daemon.signal(libc::SIGHUP);
    slow.finish();
    daemon.wait_until_ready();
    wait_for("the second version answers", || serial(&daemon) == 2);
    assert_eq!(daemon.status()["last_reload"]["asked_by"], "SIGHUP");
}
