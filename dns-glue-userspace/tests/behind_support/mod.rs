//! A host as the README describes it: a name server with the README's
//! configuration, dns-glue in front of it, and a client on another host.

pub mod message;
pub mod readme;

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dns_glue::kernel::pins::PrivateFileSystem;
use dns_glue::testbed::needs;
use dns_glue::testbed::network::Namespace;
use dns_glue::testbed::process::{Process, wait_for};
use message::Reply;

/// The interface that dns-glue is attached to, as the README names it.
const SERVER_INTERFACE: &str = "eth0";
const CLIENT_INTERFACE: &str = "client0";
/// The service addresses of the configurations.
pub const SERVER_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 53));
pub const SERVER_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53));
/// The folder of the configurations, which a test replaces by its own.
const FOLDER: &str = "/srv/dns";
/// The zone of the configurations, as a file in that folder.
const ZONE_FILE: &str = "glue.example.zone";

/// A reply that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(3);
/// A reply that will not come is not waited for longer.
const SHORT_PATIENCE: Duration = Duration::from_millis(300);

/// A name server of the README.
pub struct Peer {
    /// As the README's heading names it.
    pub heading: &'static str,
    /// Its binary, and the Debian package that has it.
    pub program: &'static str,
    pub package: &'static str,
    /// What keeps it in the foreground and names the configuration.
    pub arguments: &'static [&'static str],
    /// The example.
    pub config: &'static str,
}

/// Everything that is made for a test; dropped, it is gone, in this order.
pub struct Site {
    daemon: Process,
    /// Where its pins are; it ends after the process.
    _pins: PrivateFileSystem,
    server: Option<Process>,
    _client_end: Process,
    client: Namespace,
    host: Namespace,
    folder: Folder,
}

impl Site {
    /// Starts the server, and dns-glue as the README says, with the example
    /// zone. `None` with a printed reason when that is not possible here.
    pub fn new(peer: &Peer) -> Option<Self> {
        Self::serving(peer, &example_zone())
    }

    /// The same with another zone of that name.
    pub fn serving(peer: &Peer, zone: &str) -> Option<Self> {
        if !needs::root("attaching an XDP program") {
            return None;
        }
        let program = needs::peer(peer.program, peer.package)?;
        let folder = Folder::new();
        fs::write(folder.0.join(ZONE_FILE), zone).expect("a zone file is written");
        let (host, client) = link(&folder.name());
        let client_end = start_client_end(&client);
        let config = write_config(&folder.0, peer.config);
        let server = Process::start(
            Command::new(program).args(peer.arguments).arg(config),
            &host,
            &folder.0.join("server.log"),
        )
        .expect("the server starts");
        let arguments = readme::command_line(peer.heading).replace(FOLDER, &folder.text());
        let pins = PrivateFileSystem::new().expect("a BPF file system");
        let daemon = Process::start(
            Command::new(env!("CARGO_BIN_EXE_dns-glue"))
                .args(arguments.split_whitespace())
                .arg("--pins")
                .arg(pins.path().join("pins"))
                .arg("--control")
                .arg(folder.0.join("control.sock")),
            &host,
            &folder.0.join("dns-glue.log"),
        )
        .expect("dns-glue starts");
        let mut site = Self {
            daemon,
            _pins: pins,
            server: Some(server),
            _client_end: client_end,
            client,
            host,
            folder,
        };
        site.wait();
        Some(site)
    }

    /// Waits for both to answer.
    fn wait(&mut self) {
        wait_for("dns-glue answers", || {
            self.daemon.ensure_running()?;
            Ok(self.control("status").status.success())
        })
        .expect("dns-glue runs");
        let query = message::query("glue.example", message::SOA);
        wait_for("the server behind answers", || {
            self.server.as_mut().expect("a server").ensure_running()?;
            let reply = self.udp(SERVER_IPV4, &query);
            Ok(reply.is_some_and(|reply| reply.header().aa()))
        })
        .expect("the server runs");
        assert!(
            self.tcp(SERVER_IPV4, &query).header().aa(),
            "the server behind does not answer over TCP"
        );
    }

    fn control(&self, command: &str) -> std::process::Output {
        Command::new(env!("CARGO_BIN_EXE_dns-glue"))
            .args([command, "--json", "--control"])
            .arg(self.folder.0.join("control.sock"))
            .output()
            .expect("dns-glue starts")
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        let output = self.control("status");
        assert!(output.status.success(), "{output:?}");
        let status: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("status prints JSON");
        let counters = status["counters"].as_array().expect("counters");
        let read = |counter: &serde_json::Value| {
            let text = |key: &str| counter[key].as_str().expect("a text").to_owned();
            let packets = counter["packets"].as_u64().expect("a number");
            (text("name"), text("action"), packets)
        };
        Counters(counters.iter().map(read).collect())
    }

    /// Asks over UDP, which must count as one packet of `outcome`.
    pub fn ask(&self, server: IpAddr, query: &[u8], outcome: &str) -> Reply {
        let before = self.counters();
        let reply = self.udp(server, query);
        let after = self.counters();
        let reply = reply.unwrap_or_else(|| panic!("no reply; {outcome} was expected"));
        let counted = after.packets(outcome) - before.packets(outcome);
        assert_eq!(counted, 1, "{outcome}; {after:?}");
        let is_answered = ["referral", "referral-partial", "referral-truncated"].contains(&outcome);
        assert_eq!(
            after.answered() - before.answered(),
            u64::from(is_answered),
            "{outcome}"
        );
        reply
    }

    /// Asks over UDP what the kernel must answer, in whatever way.
    pub fn ask_kernel(&self, server: IpAddr, query: &[u8]) -> Reply {
        let before = self.counters().answered();
        let reply = self.udp(server, query);
        assert_eq!(self.counters().answered(), before + 1);
        reply.expect("a reply of the kernel")
    }

    /// Asks the server behind over UDP, from its own host: the query comes over
    /// no interface that dns-glue is on.
    pub fn ask_server(&self, server: IpAddr, query: &[u8]) -> Reply {
        let octets = self
            .host
            .within(|| over_udp(server, query, PATIENCE))
            .expect("a namespace");
        message::read(query, octets.expect("a reply of the server behind"))
    }

    /// Asks over TCP, of which the kernel must answer nothing.
    pub fn ask_tcp(&self, server: IpAddr, query: &[u8]) -> Reply {
        let before = self.counters();
        let reply = self.tcp(server, query);
        assert_eq!(self.counters().answered(), before.answered());
        reply
    }

    /// A query that nobody must answer.
    pub fn is_silent(&self, server: IpAddr, query: &[u8]) -> bool {
        self.client
            .within(|| over_udp(server, query, SHORT_PATIENCE))
            .expect("a namespace")
            .is_err()
    }

    /// Runs `dns-glue verify` on the host.
    pub fn verify(&self, arguments: &str) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dns-glue"));
        command
            .arg("verify")
            .args(arguments.split_whitespace())
            .arg("--control")
            .arg(self.folder.0.join("control.sock"));
        self.host.confine(&mut command).expect("the host is there");
        command.output().expect("dns-glue starts")
    }

    /// Sets the MTU of the interface, and waits until dns-glue knows.
    pub fn set_mtu(&self, octets: u32) {
        let mut command = Command::new("ip");
        let mtu = octets.to_string();
        command.args(["link", "set", SERVER_INTERFACE, "mtu", &mtu]);
        self.host.confine(&mut command).expect("the host is there");
        assert!(command.status().expect("ip starts").success());
        wait_for("dns-glue follows the MTU", || {
            let status = self.control("status").stdout;
            let status: serde_json::Value = serde_json::from_slice(&status).expect("JSON");
            Ok(status["interfaces"][0]["mtu"] == octets)
        })
        .expect("it does");
    }

    /// Ends the server behind and starts it anew, with the zone as `change`
    /// makes it; dns-glue goes on with what it has compiled.
    pub fn restart_server(&mut self, peer: &Peer, change: impl FnOnce(String) -> String) {
        let zone = self.folder.0.join(ZONE_FILE);
        let text = fs::read_to_string(&zone).expect("the zone");
        let changed = change(text.clone());
        assert_ne!(changed, text, "the change changes nothing");
        fs::write(&zone, changed).expect("a zone file is written");
        self.stop_server();
        let program = needs::installed(peer.program).expect("it was there before");
        let server = Process::start(
            Command::new(program)
                .args(peer.arguments)
                .arg(self.folder.0.join(peer.config)),
            &self.host,
            &self.folder.0.join("server.log"),
        );
        self.server = Some(server.expect("the server starts"));
        self.wait();
    }

    /// Ends the server behind.
    pub fn stop_server(&mut self) {
        drop(self.server.take());
    }

    fn udp(&self, server: IpAddr, query: &[u8]) -> Option<Reply> {
        let octets = self
            .client
            .within(|| over_udp(server, query, PATIENCE))
            .expect("a namespace");
        Some(message::read(query, octets.ok()?))
    }

    fn tcp(&self, server: IpAddr, query: &[u8]) -> Reply {
        let octets = self
            .client
            .within(|| over_tcp(server, query))
            .expect("a namespace");
        message::read(query, octets.expect("a reply over TCP"))
    }
}

/// The counters of a daemon at one moment: name, action, packets.
pub struct Counters(Vec<(String, String, u64)>);

impl fmt::Debug for Counters {
    /// Those that are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = self.0.iter().filter(|(.., packets)| *packets != 0);
        f.debug_map()
            .entries(counted.map(|(name, _, packets)| (name, packets)))
            .finish()
    }
}

impl Counters {
    pub fn packets(&self, name: &str) -> u64 {
        let counter = self.0.iter().find(|(other, ..)| other == name);
        counter.unwrap_or_else(|| panic!("no counter {name}")).2
    }

    /// Packets that the kernel answered.
    pub fn answered(&self) -> u64 {
        let answered = self.0.iter().filter(|(_, action, _)| action == "answered");
        answered.map(|(.., packets)| packets).sum()
    }
}

/// A folder of the test, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("docs-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn name(&self) -> String {
        let name = self.0.file_name().expect("a name");
        name.to_string_lossy().into_owned()
    }

    fn text(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["server.log", "dns-glue.log"] {
                let text = fs::read_to_string(self.0.join(name)).unwrap_or_default();
                eprintln!("--- {name}\n{text}");
            }
        }
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}

/// The example zone, without the records below its DNAME: NSD and Knot refuse
/// such a zone (RFC 6672 section 2.4).
fn example_zone() -> String {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/example.zone");
    let text = fs::read_to_string(example).expect("the example zone");
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("hidden.renamed"))
        .collect();
    assert_eq!(kept.len() + 1, text.lines().count());
    kept.join("\n") + "\n"
}

/// The example, but for its folder.
fn write_config(folder: &Path, name: &str) -> PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples");
    let text = fs::read_to_string(example.join(name)).expect("an example");
    assert!(text.contains(FOLDER), "{name}");
    let path = folder.join(name);
    let text = text.replace(FOLDER, &folder.display().to_string());
    fs::write(&path, text).expect("a configuration is written");
    path
}

/// A host and a client, joined by a veth pair.
fn link(name: &str) -> (Namespace, Namespace) {
    let namespace = |name| Namespace::new(name).expect("a namespace");
    let host = namespace(name.to_owned());
    let client = namespace(format!("{name}c"));
    let ip = |namespace: &Namespace, arguments: &str| {
        namespace.ip(arguments).expect("ip does it");
    };
    ip(
        &host,
        &format!(
            "link add {SERVER_INTERFACE} type veth peer name {CLIENT_INTERFACE} netns {}",
            client.name()
        ),
    );
    for (namespace, interface, last) in [
        (&host, SERVER_INTERFACE, "53"),
        (&client, CLIENT_INTERFACE, "100"),
    ] {
        for arguments in [
            format!("addr add 192.0.2.{last}/24 dev {interface}"),
            format!("addr add 2001:db8::{last}/64 dev {interface} nodad"),
            String::from("link set lo up"),
            format!("link set {interface} up"),
        ] {
            ip(namespace, &arguments);
        }
    }
    (host, client)
}

/// Makes the client's end of the veth pair behave like a wire.
fn start_client_end(client: &Namespace) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dns-glue-lab"));
    command.arg(CLIENT_INTERFACE);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = Process::spawn(&mut command, client).expect("dns-glue-lab starts");
    let stdout = process.child().stdout.take().expect("a pipe");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert_eq!(line.trim_end(), "ready", "dns-glue-lab");
    process
}

fn over_udp(server: IpAddr, query: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_read_timeout(Some(patience))?;
    // Connected: the kernel takes replies from the server's address only.
    socket.connect(SocketAddr::new(server, 53))?;
    socket.send(query)?;
    let mut reply = vec![0; usize::from(u16::MAX)];
    let octets = socket.recv(&mut reply)?;
    reply.truncate(octets);
    Ok(reply)
}

fn over_tcp(server: IpAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(server, 53), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = u16::try_from(query.len()).expect("a short query");
    stream.write_all(&[&length.to_be_bytes(), query].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}
