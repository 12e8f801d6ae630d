//! A name server and its client, each in a network namespace of its own,
//! joined by a veth pair.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dns_glue::kernel::pins::PrivateFileSystem;

use super::knot;

/// The interface of the server.
pub const SERVER: &str = "dgserver";
const CLIENT: &str = "dgclient";
/// The service addresses.
pub const SERVICE: [&str; 2] = ["192.0.2.1", "2001:db8:1::1"];
/// Anything slower than this is a failure.
const PATIENCE: Duration = Duration::from_secs(30);
/// A query that gets no reply is given up after this.
const SILENCE: Duration = Duration::from_millis(400);

/// The two namespaces; removed when dropped, with what runs there.
pub struct Site {
    name: String,
    folder: PathBuf,
    children: Vec<Child>,
    /// Where the pins of dns-glue are; it ends after the process.
    pins: Option<PrivateFileSystem>,
}

impl Site {
    /// Makes the namespaces and the pair, and starts Knot on the service
    /// addresses; `None` where Knot is not installed.
    pub fn new(zones: &[(&str, &[u8])]) -> Option<Self> {
        let folder = knot::folder("behind");
        let listen: Vec<SocketAddr> = SERVICE
            .iter()
            .map(|address| (address.parse::<IpAddr>().expect("an address"), 53).into())
            .collect();
        let mut knotd = knot::command(&folder, &listen, zones, "")?;
        let mut site = Self {
            name: format!("conform-{}", std::process::id()),
            folder,
            children: Vec::new(),
            pins: None,
        };
        let client = site.client();
        run("ip", &format!("netns add {}", site.name));
        run("ip", &format!("netns add {client}"));
        site.ip(&format!(
            "link add {SERVER} type veth peer name {CLIENT} netns {client}"
        ));
        site.ip(&format!("addr add 192.0.2.1/24 dev {SERVER}"));
        site.ip(&format!("addr add 2001:db8:1::1/64 dev {SERVER} nodad"));
        site.ip("link set lo up");
        site.ip(&format!("link set {SERVER} up"));
        let on_client = |arguments: &str| run("ip", &format!("-n {client} {arguments}"));
        on_client(&format!("addr add 192.0.2.2/24 dev {CLIENT}"));
        on_client(&format!("addr add 2001:db8:1::2/64 dev {CLIENT} nodad"));
        on_client(&format!("link set {CLIENT} up"));
        enter_before_exec(&mut knotd, &site.name);
        site.children.push(knotd.spawn().expect("knotd starts"));
        let soa = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];
        wait_for("knotd answers", || {
            SERVICE
                .iter()
                .all(|address| site.ask(address, &soa).is_some())
        });
        Some(site)
    }

    fn client(&self) -> String {
        format!("{}c", self.name)
    }

    fn ip(&self, arguments: &str) {
        run("ip", &format!("-n {} {arguments}", self.name));
    }

    /// A file of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Turns TX checksum offload of the client off, and nothing else.
    pub fn finish_checksums(&self) {
        let client = self.client();
        run(
            "ip",
            &format!("netns exec {client} ethtool -K {CLIENT} tx off"),
        );
    }

    /// Makes the client's end behave like a wire.
    pub fn make_client_a_wire(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dns-glue-lab"));
        command
            .arg(CLIENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        enter_before_exec(&mut command, &self.client());
        let mut child = command.spawn().expect("dns-glue-lab starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        self.children.push(child);
        assert!(read.is_ok() && line == "ready\n", "dns-glue-lab: {line:?}");
    }

    /// Starts dns-glue on the server's interface, and waits until it is
    /// attached.
    pub fn start_dns_glue(&mut self, zones: &[(&str, &[u8])]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dns-glue"));
        command.args(["run", "--iface", SERVER, "--mode", "native", "--control"]);
        command.arg(self.path("control"));
        // Not where a daemon of this host may have its own.
        let pins = PrivateFileSystem::new().expect("a BPF file system");
        command.arg("--pins").arg(pins.path().join("pins"));
        self.pins = Some(pins);
        for (apex, text) in zones {
            let path = self.path(&format!("{apex}compiled"));
            fs::write(&path, text).expect("a zone file is written");
            command
                .arg("--zone")
                .arg(format!("{apex}={}", path.display()));
        }
        let log = self.path("dns-glue.log");
        command
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log"));
        enter_before_exec(&mut command, &self.name);
        self.children
            .push(command.spawn().expect("dns-glue starts"));
        let control = self.path("control");
        wait_for("dns-glue answers", || {
            let daemon = self.children.last_mut().expect("it was started");
            let ended = daemon.try_wait().expect("a child can be asked");
            let log = fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "dns-glue ended: {log}");
            status(&control).is_some_and(|status| {
                status["zones"]
                    .as_array()
                    .is_some_and(|served| served.len() == zones.len())
            })
        });
    }

    /// One of the counters of dns-glue.
    pub fn counter(&self, name: &str) -> u64 {
        let status = status(&self.path("control")).expect("dns-glue answers");
        let counters = status["counters"].as_array().expect("counters");
        let counter = counters.iter().find(|counter| counter["name"] == name);
        let packets = counter.and_then(|counter| counter["packets"].as_u64());
        packets.unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// Queries that the kernel has answered.
    pub fn answered(&self) -> u64 {
        ["referral", "referral-partial", "referral-truncated"]
            .iter()
            .map(|name| self.counter(name))
            .sum()
    }

    /// The reply over UDP, if there is one within a while.
    pub fn ask(&self, server: &str, query: &[u8]) -> Option<Vec<u8>> {
        self.ask_all(server, &[query.to_vec()]).remove(0)
    }

    /// The replies over UDP, one query after the other.
    pub fn ask_all(&self, server: &str, queries: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let server: IpAddr = server.parse().expect("an address");
        within(&self.client(), || {
            let any: IpAddr = match server {
                IpAddr::V4(_) => "0.0.0.0".parse().expect("an address"),
                IpAddr::V6(_) => "::".parse().expect("an address"),
            };
            let ask = |query: &Vec<u8>| {
                // A socket for each, so that no reply comes too late for its
                // own query and in time for the next.
                let socket = UdpSocket::bind((any, 0)).expect("a socket");
                socket.connect((server, 53)).expect("a route");
                socket.set_read_timeout(Some(SILENCE)).expect("a timeout");
                socket.send(query).ok()?;
                let mut reply = vec![0; 65_535];
                let octets = socket.recv(&mut reply).ok()?;
                reply.truncate(octets);
                Some(reply)
            };
            queries.iter().map(ask).collect()
        })
    }

    /// The replies over one TCP connection.
    pub fn ask_tcp(&self, server: &str, queries: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let server: IpAddr = server.parse().expect("an address");
        within(&self.client(), || {
            let mut stream = TcpStream::connect((server, 53)).expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let exchange = |query: &Vec<u8>| {
                let mut octets = (query.len() as u16).to_be_bytes().to_vec();
                octets.extend(query);
                stream.write_all(&octets).expect("a query is sent");
                let mut length = [0; 2];
                stream.read_exact(&mut length).expect("a reply");
                let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut reply).expect("a reply");
                reply
            };
            queries.iter().map(exchange).collect()
        })
    }

    /// What dig prints on the client.
    pub fn dig(&self, arguments: &str) -> String {
        run(
            "ip",
            &format!("netns exec {} dig {arguments}", self.client()),
        )
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            // Our own children; one that has ended already is no fault.
            let _ = child.kill();
            let _ = child.wait();
        }
        for name in [self.client(), self.name.clone()] {
            let deleted = Command::new("ip").args(["netns", "del", &name]).output();
            if !deleted.is_ok_and(|output| output.status.success()) {
                eprintln!("network namespace {name} is left over");
            }
        }
        if std::thread::panicking() {
            eprintln!("logs are in {}", self.folder.display());
        } else if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{}: {error}", self.folder.display());
        }
    }
}

fn status(control: &Path) -> Option<serde_json::Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_dns-glue"))
        .args(["status", "--json", "--control"])
        .arg(control)
        .output()
        .expect("dns-glue starts");
    serde_json::from_slice(&output.stdout).ok()
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a program that must succeed; what it printed.
fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {errors}");
    String::from_utf8(output.stdout).expect("it prints text")
}

fn set_namespace(namespace: &File) -> io::Result<()> {
    // SAFETY: changes the namespace of the calling thread only.
    if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn namespace(name: &str) -> File {
    File::open(format!("/run/netns/{name}")).expect("a namespace")
}

/// Runs on a thread of its own, whose namespace ends with it.
fn within<T: Send>(name: &str, action: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            set_namespace(&namespace(name)).expect("root enters a namespace");
            action()
        });
        match thread.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn enter_before_exec(command: &mut Command, name: &str) {
    let namespace = namespace(name);
    // SAFETY: between fork and exec only setns(2) is called, a plain system
    // call.
    unsafe {
        command.pre_exec(move || set_namespace(&namespace));
    }
}
