//! `dns-glue run`, `status`, `reload` and `stop` on a host of their own.

#[path = "daemon/behind.rs"]
mod behind;
mod daemon_support;
#[path = "daemon/detached.rs"]
mod detached;
#[path = "daemon/last_word.rs"]
mod last_word;
#[path = "daemon/load.rs"]
mod load;
#[path = "daemon/maps.rs"]
mod maps;
#[path = "daemon/namespaces.rs"]
mod namespaces;
#[path = "daemon/pins.rs"]
mod pins;
#[path = "daemon/reload.rs"]
mod reload;
#[path = "daemon/replace.rs"]
mod replace;
#[path = "daemon/rollback.rs"]
mod rollback;
#[path = "daemon/shortage.rs"]
mod shortage;
#[path = "daemon/takeover.rs"]
mod takeover;

use std::net::{TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use daemon_support::{
    CLIENT, Host, SERVER, SERVER_IP, exchange, from_a_client, is_root, query, refusal, wait_for,
};

/// A name below no zone: the program looks it up, and passes it.
const OUTSIDE: &str = "outside.test";

#[test]
fn each_mode_attaches_as_it_says_and_detaches_on_sigterm() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    for (arguments, mode) in [
        ("--mode native", "native"),
        ("--mode generic", "generic"),
        ("--mode auto", "native"),
    ] {
        let mut daemon = host.start(&format!("--iface {SERVER} {arguments}"));
        let status = daemon.status();
        assert_eq!(status["interfaces"][0]["name"], SERVER);
        assert_eq!(status["interfaces"][0]["mode"], mode);
        assert_eq!(status["interfaces"][0]["attached"], true);
        assert_eq!(host.program_on(SERVER), status["program"]["id"].as_u64());
        let flag = if mode == "native" {
            " xdp "
        } else {
            " xdpgeneric "
        };
        let link = host.ip(&format!("link show dev {SERVER}"));
        assert!(link.contains(flag), "{link}");

        daemon.signal(libc::SIGTERM);
        assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
        assert_eq!(host.program_on(SERVER), None);
        assert!(!host.path("control.sock").exists());
    }
}

#[test]
fn auto_falls_back_to_generic_and_says_why() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = host.start(&format!("--iface {SERVER} lo"));
    let status = daemon.status();
    assert_eq!(status["interfaces"][0]["mode"], "native");
    assert_eq!(status["interfaces"][1]["mode"], "generic");
    let log = daemon.log();
    assert!(
        log.contains("lo: attached in generic mode: cannot attach to lo in native mode"),
        "{log}"
    );
    drop(daemon);

    let error = host.refusal("--iface lo --mode native");
    assert!(
        error.contains("--mode generic works on any interface"),
        "{error}"
    );
}

#[test]
fn sigint_and_stop_detach() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let mut daemon = host.start(&format!("--iface {SERVER}"));
    daemon.signal(libc::SIGINT);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    assert_eq!(host.program_on(SERVER), None);

    let mut daemon = host.start(&format!("--iface {SERVER}"));
    let output = daemon.command("stop");
    // Not waited for: `stop` has done that.
    assert_eq!(host.program_on(SERVER), None);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    let output = daemon.command("status");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("no dns-glue runs"), "{error}");
}

#[test]
fn a_killed_daemon_with_the_fallback_leaves_no_program() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let mut daemon = host.start(&format!(
        "--iface {SERVER} lo --mode auto --fallback embedded"
    ));
    assert!(host.program_on(SERVER).is_some());
    assert!(host.program_on("lo").is_some());
    daemon.signal(libc::SIGKILL);
    let killed = Instant::now();
    wait_for("the program goes", || {
        host.program_on(SERVER).is_none() && host.program_on("lo").is_none()
    });
    assert!(killed.elapsed() < Duration::from_secs(5));
    assert!(!daemon.wait().success());

    // What it left behind does not stop the next one.
    assert!(host.path("control.sock").exists());
    drop(daemon);
    assert!(!host.pins().exists());
    let daemon = host.start(&format!("--iface {SERVER}"));
    assert_eq!(
        host.program_on(SERVER),
        daemon.status()["program"]["id"].as_u64()
    );
}

/// A query that the kernel answers.
fn referred_query() -> Vec<u8> {
    query("www.child.example")
}

#[test]
fn referrals_come_from_the_kernel_until_the_daemon_is_stopped() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let server = host.enter(|| UdpSocket::bind((SERVER_IP, 53)).expect("port 53 is free"));
    let daemon = host.start(&format!("--iface {SERVER}"));
    let ask = || host.on_client(|| exchange(SERVER_IP, &referred_query()));

    let reply = ask().expect("a referral");
    assert_eq!(reply[..2], referred_query()[..2], "the ID");
    assert_eq!(
        reply[2..4],
        [0x80, 0],
        "a response, no error, not authoritative"
    );
    assert_eq!(reply[4..12], [0, 1, 0, 0, 0, 1, 0, 1], "NS and glue");
    assert_eq!(daemon.counter("referral"), 1);
    assert_eq!(
        from_a_client(&server),
        None,
        "the server behind saw nothing"
    );

    assert!(daemon.command("stop").status.success());
    assert_eq!(host.program_on(SERVER), None);
    ask().expect_err("answers have stopped");
    assert_eq!(
        from_a_client(&server),
        Some(referred_query()),
        "the query passes"
    );
}

#[test]
fn the_embedded_fallback_answers_what_passes_on_every_address() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = host.start(&format!("--iface {SERVER} --fallback embedded"));
    let apex = query("example");
    let ask = |server: &'static str| {
        let sent = apex.clone();
        host.on_client(move || exchange(server, &sent))
    };
    let reply = ask(SERVER_IP).expect("the fallback answers");
    assert_eq!(reply[2] & 0x84, 0x84, "authoritative");
    assert_eq!(daemon.counter("no-cut"), 1, "the kernel passed it");
    host.on_client(|| exchange(SERVER_IP, &referred_query()))
        .expect("the kernel answers");
    assert_eq!(daemon.counter("referral"), 1);

    host.ip(&format!("addr add 192.0.2.7/24 dev {SERVER}"));
    wait_for("the fallback listens there", || ask("192.0.2.7").is_ok());
    host.on_client(|| TcpStream::connect(("192.0.2.7", 53)).expect("over TCP too"));
    host.ip(&format!("addr del 192.0.2.7/24 dev {SERVER}"));
    wait_for("the address is let go", || {
        host.enter(|| {
            // Bindable without the address being there, if nobody holds it.
            let listing = Command::new("ss").args(["-Hlntu"]).output();
            let listing = String::from_utf8(listing.expect("ss").stdout).expect("text");
            !listing.contains("192.0.2.7")
        })
    });

    daemon.signal(libc::SIGTERM);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    ask(SERVER_IP).expect_err("neither answers any more");
    host.on_client(|| exchange(SERVER_IP, &referred_query()))
        .expect_err("nor the kernel");
}

#[test]
fn an_address_in_use_is_not_answered_until_the_fallback_has_it() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = host.start(&format!("--iface {SERVER} --fallback embedded"));
    // Taken before the host has the address, or the daemon might be faster.
    let taken = host.enter(|| {
        let nonlocal = "/proc/sys/net/ipv4/ip_nonlocal_bind";
        std::fs::write(nonlocal, "1").expect("a setting of the namespace");
        let taken = UdpSocket::bind("192.0.2.8:53").expect("nobody else is there");
        std::fs::write(nonlocal, "0").expect("a setting of the namespace");
        taken
    });
    host.ip("addr add 192.0.2.8/32 dev lo");
    wait_for("the daemon tells", || {
        daemon.log().contains("192.0.2.8:53 is not served")
    });
    assert_eq!(daemon.status()["addresses"], serde_json::json!([SERVER_IP]));
    drop(taken);
    wait_for("it tries again", || {
        daemon.status()["addresses"] == serde_json::json!([SERVER_IP, "192.0.2.8"])
    });
}

#[test]
fn jumbo_frames_are_no_obstacle() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    host.ip(&format!("link set {SERVER} mtu 9000"));
    host.client_ip(&format!("link set {CLIENT} mtu 9000"));
    for mode in ["native", "generic"] {
        let daemon = host.start(&format!("--iface {SERVER} --mode {mode}"));
        assert_eq!(daemon.status()["interfaces"][0]["mode"], mode);
        assert_eq!(daemon.status()["interfaces"][0]["mtu"], 9000);
    }
}

#[test]
fn stop_works_while_zones_are_compiled() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    // A pipe that nobody writes to: a zone that takes for ever to read.
    let pipe = host.path("pipe.zone");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let mut run = host.run_command(&format!("--iface {SERVER} --zone test.={}", pipe.display()));
    let mut child = run.stderr(Stdio::null()).spawn().expect("dns-glue starts");
    let call = |command: &str| {
        Command::new(env!("CARGO_BIN_EXE_dns-glue"))
            .arg(command)
            .arg("--control")
            .arg(host.path("control.sock"))
            .output()
            .expect("dns-glue starts")
    };
    wait_for("it says what it does", || {
        let output = call("status");
        String::from_utf8_lossy(&output.stderr).contains("the zones are being compiled")
    });
    assert!(call("stop").status.success());
    let status = child.wait().expect("its end");
    assert_eq!(status.code(), Some(0));
    assert_eq!(host.program_on(SERVER), None);
}

#[test]
fn what_passes_reaches_the_server_behind() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let server = host.enter(|| UdpSocket::bind((SERVER_IP, 53)).expect("port 53 is free"));
    let daemon = host.start(&format!("--iface {SERVER}"));
    let before = daemon.counter("outside-zones");
    let query = query(OUTSIDE);
    let sent = query.clone();
    // Nobody answers; what counts is what arrives.
    host.on_client(move || exchange(SERVER_IP, &sent))
        .expect_err("no answer");
    assert_eq!(from_a_client(&server), Some(query), "the query has arrived");
    assert_eq!(daemon.counter("outside-zones"), before + 1);
}

#[test]
fn addresses_are_followed_as_they_come_and_go() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = host.start(&format!("--iface {SERVER}"));
    let addresses = || daemon.status()["addresses"].clone();
    assert_eq!(addresses(), serde_json::json!([SERVER_IP]));

    // The address is known to the client whether the host has it or not.
    let link = host.ip(&format!("-j link show dev {SERVER}"));
    let link: serde_json::Value = serde_json::from_str(&link).expect("ip prints JSON");
    let mac = link[0]["address"].as_str().expect("a MAC address");
    let neighbour = format!("neigh replace 192.0.2.7 lladdr {mac} dev {CLIENT}");
    host.client_ip(&neighbour);
    let ask = || {
        let sent = host.on_client(|| exchange("192.0.2.7", &query(OUTSIDE)));
        sent.expect_err("nobody answers");
    };

    ask();
    assert_eq!(daemon.counter("outside-zones"), 0);
    assert_eq!(daemon.counter("foreign-address"), 1);
    host.ip(&format!("addr add 192.0.2.7/32 dev {SERVER}"));
    wait_for("the address is served", || {
        addresses() == serde_json::json!([SERVER_IP, "192.0.2.7"])
    });
    ask();
    assert_eq!(daemon.counter("outside-zones"), 1);
    host.ip(&format!("addr del 192.0.2.7/32 dev {SERVER}"));
    wait_for("the address is served no more", || {
        addresses() == serde_json::json!([SERVER_IP])
    });
    ask();
    assert_eq!(daemon.counter("outside-zones"), 1);
    assert_eq!(daemon.counter("foreign-address"), 2);

    // IPv6 too, and on lo; loopback and link-local addresses are left out.
    host.ip("addr add 2001:db8::53/128 dev lo");
    wait_for("the address is served", || {
        addresses() == serde_json::json!([SERVER_IP, "2001:db8::53"])
    });
}

#[test]
fn given_addresses_stay_as_given() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = host.start(&format!("--iface {SERVER} --address 192.0.2.9 2001:db8::9"));
    let given = serde_json::json!(["192.0.2.9", "2001:db8::9"]);
    assert_eq!(daemon.status()["addresses"], given);
    assert!(
        daemon
            .log()
            .contains("--address 192.0.2.9: no interface has it"),
        "{}",
        daemon.log()
    );
    host.ip(&format!("addr add 192.0.2.10/24 dev {SERVER}"));
    host.ip(&format!("link set {SERVER} mtu 1400"));
    wait_for("the host was looked at", || {
        daemon.status()["interfaces"][0]["mtu"] == 1400
    });
    assert_eq!(daemon.status()["addresses"], given);
}

#[test]
fn mtu_and_mac_address_are_followed() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = host.start(&format!("--iface {SERVER}"));
    let ask = || {
        let sent = host.on_client(|| exchange(SERVER_IP, &query(OUTSIDE)));
        sent.expect_err("nobody answers");
    };
    ask();
    assert_eq!(daemon.counter("outside-zones"), 1);

    // The client keeps the old MAC address: its queries are for another host.
    let neighbour = host.client_ip("-j neigh show 192.0.2.1");
    let neighbour: serde_json::Value = serde_json::from_str(&neighbour).expect("JSON");
    let old = neighbour[0]["lladdr"].as_str().expect("a MAC address");
    host.client_ip(&format!(
        "neigh replace {SERVER_IP} lladdr {old} dev {CLIENT} nud permanent"
    ));
    host.ip(&format!(
        "link set {SERVER} address 02:00:00:00:00:53 mtu 1300"
    ));
    wait_for("the change is known", || {
        let interface = daemon.status()["interfaces"][0].clone();
        interface["mac"] == "02:00:00:00:00:53" && interface["mtu"] == 1300
    });
    ask();
    assert_eq!(daemon.counter("outside-zones"), 1);
    assert_eq!(daemon.counter("foreign-mac"), 1);
}

#[test]
fn an_interface_may_vanish() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = host.start(&format!("--iface {SERVER} lo"));
    host.ip(&format!("link del {SERVER}"));
    wait_for("the loss is known", || {
        daemon.status()["interfaces"][0]["attached"] == false
    });
    assert_eq!(daemon.status()["interfaces"][1]["attached"], true);
    assert!(
        daemon.log().contains(&format!("{SERVER} is gone")),
        "{}",
        daemon.log()
    );
}

#[test]
fn foreign_programs_are_never_replaced() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let first = host.start(&format!("--iface {SERVER}"));
    let id = host.program_on(SERVER).expect("a program");
    let other = host.path("other.sock");
    let pins = host.pins().with_file_name("other");
    let error = host.refusal(&format!(
        "--iface {SERVER} --control {} --pins {}",
        other.display(),
        pins.display()
    ));
    assert!(!pins.exists());
    assert!(
        error.contains(&format!(
            "{SERVER} has an XDP program already: number {id} (dns_glue)"
        )),
        "{error}"
    );
    assert_eq!(host.program_on(SERVER), Some(id));
    assert!(!other.exists());
    drop(first);
}

#[test]
fn a_second_daemon_is_refused() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let first = host.start(&format!("--iface {SERVER}"));
    let error = host.refusal("--iface lo");
    let pid = first.status()["pid"].as_u64().expect("a process");
    assert!(
        error.contains(&format!("another dns-glue (process {pid})")),
        "{error}"
    );
    assert!(first.command("status").status.success());

    let other = host.path("other.sock");
    let error = host.refusal(&format!("--iface lo --control {}", other.display()));
    assert!(
        error.contains("another dns-glue uses this folder"),
        "{error}"
    );
    assert!(error.contains("--pins"), "{error}");
}

#[test]
fn refusals_come_before_anything_is_attached() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let error = host.refusal(&format!("--iface {SERVER} dgnone"));
    assert!(
        error.contains("--iface dgnone: no such interface"),
        "{error}"
    );

    let broken = host.file("broken.zone", "@ IN SOA broken\n\nchild IN A 192.0.2.300\n");
    let error = host.refusal(&format!(
        "--iface {SERVER} --zone test.={}",
        broken.display()
    ));
    assert!(
        error.contains("broken.zone:1:") && error.contains("broken.zone:3:"),
        "{error}"
    );
    assert_eq!(host.program_on(SERVER), None);

    let taken = host.enter(|| UdpSocket::bind((SERVER_IP, 53)).expect("port 53 is free"));
    let error = host.refusal(&format!("--iface {SERVER} --fallback embedded"));
    assert!(error.contains("cannot listen on 192.0.2.1:53"), "{error}");
    assert!(error.contains("another name server has it"), "{error}");
    drop(taken);
    assert_eq!(host.program_on(SERVER), None);
}

#[test]
fn missing_capabilities_are_named() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let run = host.run_command(&format!("--iface {SERVER}"));
    for (dropped, missing) in [
        ("-bpf,-sys_admin", "missing CAP_BPF:"),
        ("-net_admin", "missing CAP_NET_ADMIN:"),
        ("-all", "missing CAP_NET_ADMIN and CAP_BPF and CAP_PERFMON:"),
    ] {
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--bounding-set={dropped}"))
            .arg(format!("--inh-caps={dropped}"));
        command.arg(run.get_program()).args(run.get_args());
        let error = refusal(&mut command);
        assert!(error.contains(missing), "{error}");
    }
}

#[test]
fn status_counts_every_outcome() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = host.start(&format!(
        "--iface {SERVER} --max-udp 1400 --cookies pass --port 53"
    ));
    let status = daemon.status();
    let counters = status["counters"].as_array().expect("counters");
    assert_eq!(counters.len(), dns_glue_common::reason::Reason::ALL.len());
    assert_eq!(status["zones"][0]["apex"], "example.");
    assert_eq!(status["zones"][0]["serial"], 7);
    assert_eq!(status["zones"][0]["delegations"], 1);
    assert_eq!(status["settings"]["max_udp"], 1400);
    assert_eq!(status["settings"]["cookies"], "pass");
    assert!(
        status["program"]["verified_instructions"]
            .as_u64()
            .is_some_and(|count| count > 0)
    );
    assert!(
        status["program"]["map_octets"]
            .as_u64()
            .is_some_and(|octets| octets > 4096)
    );

    let text = String::from_utf8(daemon.command("status --all").stdout).expect("text");
    for part in [
        "native",
        "example.",
        "outside-zones",
        "write-failed",
        SERVER_IP,
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn faults_of_zones_are_told_before_it_is_ready() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let zone = host.file(
        "faulty.zone",
        "$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n\
         *.wild NS ns.void.\nchild NS ns.void.\nchild NS ns2.void.\n",
    );
    let daemon = host.start(&format!("--iface {SERVER} --zone test.={}", zone.display()));
    wait_for("it is ready", || daemon.log().contains("ready: "));
    let log = daemon.log();
    let (before, _) = log.split_once("ready: ").expect("it is ready");
    let warning = before
        .lines()
        .find(|line| line.contains("*.wild.test.: NS at a wildcard"));
    let warning = warning.unwrap_or_else(|| panic!("{log}"));
    assert!(warning.contains("WARN"), "{warning}");
    assert!(warning.contains("wildcard-ns: "), "{warning}");

    let zones = daemon.status()["zones"].clone();
    for (place, apex, delegations, refused) in [(0, "example.", 1, 0), (1, "test.", 1, 1)] {
        assert_eq!(zones[place]["apex"], apex);
        assert_eq!(zones[place]["delegations"], delegations);
        assert_eq!(zones[place]["refused"], refused);
        assert_eq!(zones[place]["too_deep"], 0);
        assert_eq!(zones[place]["denial"], "unsigned");
        assert_eq!(zones[place]["proofs"]["unsigned"], delegations);
    }
    let text = String::from_utf8(daemon.command("status").stdout).expect("text");
    for part in ["DENIAL", "REFUSED", "TOO DEEP"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn tag_offloads_can_be_read_and_set() {
    use dns_glue::serve::offloads::{set_tag_offloads, tag_offloads};
    if !is_root() {
        return;
    }
    let host = Host::new();
    host.enter(|| {
        let on = tag_offloads(SERVER).expect("a veth knows features");
        let names: Vec<&str> = on.iter().map(|offload| offload.name).collect();
        assert_eq!(names, ["rxvlan", "rx-vlan-stag-hw-parse"]);
        assert!(on.iter().all(|offload| offload.changeable));
        set_tag_offloads(SERVER, &on, false).expect("a veth can be told");
        assert_eq!(tag_offloads(SERVER).expect("still there"), []);
        let ethtool = Command::new("ethtool").args(["-k", SERVER]).output();
        let text = String::from_utf8(ethtool.expect("ethtool").stdout).expect("text");
        assert!(text.contains("rx-vlan-offload: off\n"), "{text}");
        set_tag_offloads(SERVER, &on, true).expect("and back");
        assert_eq!(tag_offloads(SERVER).expect("still there"), on);
        assert_eq!(tag_offloads("lo").expect("lo knows features"), []);
        tag_offloads("dgnone").expect_err("no such interface");
    });
}

#[test]
fn a_bridge_is_refused_for_its_ports() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    host.ip("link add dgbridge type bridge");
    let error = host.refusal("--iface dgbridge");
    assert!(error.contains("--iface PORT..., with"), "{error}");

    host.ip(&format!("link set {SERVER} master dgbridge"));
    let error = host.refusal("--iface dgbridge");
    assert!(
        error.contains("--iface dgbridge: it is a bridge"),
        "{error}"
    );
    assert!(
        error.contains(&format!(
            "--iface {SERVER}, with --address for the addresses of dgbridge"
        )),
        "{error}"
    );

    let warning = format!("{SERVER} is a port of the bridge dgbridge");
    let daemon = host.start(&format!("--iface {SERVER}"));
    assert!(daemon.log().contains(&warning), "{}", daemon.log());
    drop(daemon);
    let daemon = host.start(&format!("--iface {SERVER} --address {SERVER_IP}"));
    assert!(!daemon.log().contains(&warning), "{}", daemon.log());
}

#[test]
fn the_last_interface_may_come_back() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    host.ip("link add dgother type veth peer name dgpeer");
    let mut daemon = host.start(&format!("--iface {SERVER} dgother --fallback embedded"));
    host.ip("link del dgother");
    wait_for("the first loss is known", || {
        daemon.status()["interfaces"][1]["attached"] == false
    });
    assert_eq!(daemon.status()["interfaces"][0]["attached"], true);
    host.ip(&format!("link del {SERVER}"));
    wait_for("the last loss is known", || {
        daemon.log().contains("no interface is left")
    });
    let log = daemon.log();
    assert!(log.contains("dgother is gone"), "{log}");
    assert!(log.contains(&format!("{SERVER} is gone")), "{log}");
    host.ip("link add dgother type veth peer name dgpeer");
    wait_for("one is back", || {
        daemon.status()["interfaces"][1]["attached"] == true
    });
    daemon.signal(libc::SIGTERM);
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    assert_eq!(host.program_on("dgother"), None);
    assert_eq!(daemon.log().matches("no interface is left").count(), 1);
}

#[test]
fn lost_messages_of_the_kernel_are_survived() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let daemon = host.start(&format!("--iface {SERVER}"));
    // More changes than the socket can hold while nobody reads it.
    daemon.signal(libc::SIGSTOP);
    let mut changes = String::new();
    for mtu in (1300..1400).cycle().take(3000) {
        changes += &format!("link set {SERVER} mtu {mtu}\n");
    }
    let batch = host.file("changes", &changes);
    host.ip(&format!("-batch {}", batch.display()));
    host.ip(&format!("addr add 192.0.2.7/24 dev {SERVER}"));
    let sockets = host.enter(|| {
        std::fs::read_to_string("/proc/thread-self/net/netlink").expect("a table of sockets")
    });
    let drops = |line: &str| line.split_whitespace().nth(8).map(str::to_owned);
    assert_eq!(drops(&sockets).as_deref(), Some("Drops"), "{sockets}");
    let has_lost = |line| drops(line).is_some_and(|count| count != "0");
    assert!(sockets.lines().skip(1).any(has_lost), "{sockets}");
    daemon.signal(libc::SIGCONT);
    let served = |addresses: serde_json::Value| daemon.status()["addresses"] == addresses;
    wait_for("the host is known", || {
        served(serde_json::json!([SERVER_IP, "192.0.2.7"]))
    });
    // And it is followed as before.
    host.ip(&format!("addr del 192.0.2.7/24 dev {SERVER}"));
    wait_for("the host is followed", || {
        served(serde_json::json!([SERVER_IP]))
    });
    assert_eq!(daemon.status()["interfaces"][0]["attached"], true);
}
