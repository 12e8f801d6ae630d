//! Hosts and daemons for the tests of `dns-glue run`.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod packet;

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dns_glue::kernel::pins::PrivateFileSystem;
use dns_glue::testbed::needs;
use dns_glue::testbed::network::Namespace;

/// The interface of a host on which the daemon runs.
pub const SERVER: &str = "dgserver";
/// The interface of its client, in another namespace.
pub const CLIENT: &str = "dgclient";
/// The addresses of the two.
pub const SERVER_IP: &str = "192.0.2.1";
pub const CLIENT_IP: &str = "192.0.2.2";

/// Anything slower than this is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the test can run: see [`needs::root`].
pub fn is_root() -> bool {
    needs::root("attaching an XDP program")
}

/// The programs on the client's end.
pub struct Wire(Child);

impl Drop for Wire {
    fn drop(&mut self) {
        // It ends with its standard input too, should this fail.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A host with one network interface, and a client at its other end; each in a
/// network namespace of its own.
pub struct Host {
    client: Namespace,
    host: Namespace,
    folder: PathBuf,
    /// Where the pins of its daemons are: what they leave ends with the test.
    file_system: PrivateFileSystem,
}

impl Host {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("daemon-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(format!("dns-glue-{name}"));
        fs::create_dir_all(&folder).expect("a folder");
        let file_system = PrivateFileSystem::new().expect("a BPF file system");
        let namespace = |name| Namespace::new(name).expect("a network namespace");
        let host = Self {
            client: namespace(format!("{name}c")),
            host: namespace(name),
            folder,
            file_system,
        };
        host.ip(&format!(
            "link add {SERVER} type veth peer name {CLIENT} netns {}",
            host.client.name()
        ));
        host.ip(&format!("addr add {SERVER_IP}/24 dev {SERVER}"));
        host.ip("link set lo up");
        host.ip(&format!("link set {SERVER} up"));
        host.client_ip(&format!("addr add {CLIENT_IP}/24 dev {CLIENT}"));
        host.client_ip(&format!("link set {CLIENT} up"));
        // Partial checksums are not valid on the wire: such queries pass.
        let mut offloads = Command::new("ethtool");
        offloads.args(["-K", CLIENT, "tx", "off"]);
        confine(&mut offloads, &host.client);
        run(&mut offloads);
        host
    }

    /// Makes the client's end take what XDP sends back, and leave room for it:
    /// see `dns-glue-lab`. It lasts as long as what is returned.
    pub fn like_a_wire(&self) -> Wire {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dns-glue-lab"));
        command
            .arg(CLIENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        confine(&mut command, &self.client);
        let mut child = command.spawn().expect("dns-glue-lab starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says when it is ready");
        assert_eq!(line.trim_end(), "ready", "dns-glue-lab");
        Wire(child)
    }

    /// Runs `ip` on the host.
    pub fn ip(&self, arguments: &str) -> String {
        ip_inside(&self.host, arguments)
    }

    /// The name of its network namespace.
    pub fn name(&self) -> &str {
        self.host.name()
    }

    /// Runs `ip` on the client.
    pub fn client_ip(&self, arguments: &str) -> String {
        ip_inside(&self.client, arguments)
    }

    /// Does something on the host.
    pub fn enter<T>(&self, action: impl FnOnce() -> T + Send) -> T
    where
        T: Send,
    {
        self.host.within(action).expect("a namespace")
    }

    /// Does something on the client.
    pub fn on_client<T>(&self, action: impl FnOnce() -> T + Send) -> T
    where
        T: Send,
    {
        self.client.within(action).expect("a namespace")
    }

    /// A file of the test.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("a file is written");
        path
    }

    /// A path in the folder of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The pin folder of its daemons.
    pub fn pins(&self) -> PathBuf {
        self.file_system.path().join("pins")
    }

    /// The number of the XDP program on an interface of the host.
    pub fn program_on(&self, interface: &str) -> Option<u64> {
        let text = self.ip(&format!("-j -d link show dev {interface}"));
        let links: serde_json::Value = serde_json::from_str(&text).expect("ip prints JSON");
        links[0]["xdp"]["prog"]["id"].as_u64()
    }

    /// The words of the command line that runs a daemon.
    pub fn run_command(&self, arguments: &str) -> Command {
        let zone = self.file("example.zone", ZONE);
        let mut command = Command::new(env!("CARGO_BIN_EXE_dns-glue"));
        command.arg("run");
        if !arguments.contains("--control") {
            command.arg("--control").arg(self.path("control.sock"));
        }
        // With the fallback there is a folder only if a test wants it.
        let wanted = arguments.contains("--pins-of-the-host");
        let given = arguments.contains("--pins ") || arguments.contains("--fallback embedded");
        if wanted || !given {
            command.arg("--pins").arg(self.pins());
        }
        let arguments = arguments.replace("--pins-of-the-host", "");
        command
            .arg("--zone")
            .arg(format!("example.={}", zone.display()))
            .args(arguments.split_whitespace());
        confine(&mut command, &self.host);
        command
    }

    /// Starts a daemon and waits until it answers.
    pub fn start(&self, arguments: &str) -> Daemon {
        let mut daemon = self.start_unready(arguments);
        daemon.wait_until_ready();
        daemon
    }

    /// Starts a daemon.
    pub fn start_unready(&self, arguments: &str) -> Daemon {
        self.spawn(&mut self.run_command(arguments))
    }

    /// Starts a daemon that may have so many descriptors, and waits until it
    /// answers or ends.
    ///
    /// # Errors
    ///
    /// What it wrote, if it has ended.
    pub fn start_with_descriptors(&self, number: u64, arguments: &str) -> Result<Daemon, String> {
        let mut command = self.run_command(arguments);
        limit_descriptors(&mut command, number);
        let mut daemon = self.spawn(&mut command);
        let mut has_ended = false;
        wait_for("the daemon answers or ends", || {
            has_ended = daemon.child.try_wait().expect("a child").is_some();
            has_ended || daemon.log().contains("ready:")
        });
        match has_ended {
            true => Err(daemon.log()),
            false => Ok(daemon),
        }
    }

    fn spawn(&self, command: &mut Command) -> Daemon {
        let log = self.path("log");
        let stderr = File::create(&log).expect("a log");
        let child = command
            .stderr(stderr)
            .stdout(Stdio::null())
            .spawn()
            .expect("dns-glue starts");
        Daemon {
            child,
            control: self.path("control.sock"),
            pins: self.pins(),
            log,
        }
    }

    /// Runs a daemon that must refuse to start; its error.
    pub fn refusal(&self, arguments: &str) -> String {
        refusal(&mut self.run_command(arguments))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{}: {error}", self.folder.display());
        }
    }
}

/// One delegation, and what a zone must have.
pub const ZONE: &str = "\
$TTL 3600
@ IN SOA ns.example. hostmaster.example. 7 3600 600 86400 300
@ IN NS ns.example.
ns IN A 192.0.2.1
child IN NS ns.child
ns.child IN A 192.0.2.129
";

/// Runs a daemon that must refuse to start; its error.
pub fn refusal(command: &mut Command) -> String {
    let output = command.output().expect("dns-glue starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it did not refuse: {text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// Lets a command, and nothing else, have so many descriptors.
pub fn limit_descriptors(command: &mut Command, number: u64) {
    let limit = libc::rlimit {
        rlim_cur: number,
        rlim_max: number,
    };
    let apply = move || {
        // SAFETY: the pointer leads to a whole rlimit.
        match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec only setrlimit(2) is called, a plain system
    // call.
    unsafe { command.pre_exec(apply) };
}

/// A running daemon, ended with the test.
pub struct Daemon {
    child: Child,
    control: PathBuf,
    pins: PathBuf,
    log: PathBuf,
}

impl Daemon {
    /// Waits until it answers.
    pub fn wait_until_ready(&mut self) {
        wait_for("the daemon answers", || {
            let ended = self.child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "the daemon ended: {}", self.log());
            self.command("status").status.success()
        });
    }

    /// Speaks to it.
    pub fn command(&self, arguments: &str) -> Output {
        self.speaker(arguments).output().expect("dns-glue starts")
    }

    /// The words of the command line that speaks to it.
    pub fn speaker(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dns-glue"));
        command
            .args(arguments.split_whitespace())
            .arg("--control")
            .arg(&self.control);
        let needs_daemon = ["reload", "interfaces"];
        if !needs_daemon.iter().any(|one| arguments.starts_with(one)) {
            command.arg("--pins").arg(&self.pins);
        }
        command
    }

    /// Its state.
    pub fn status(&self) -> serde_json::Value {
        let output = self.command("status --json");
        assert!(output.status.success(), "{output:?}; {}", self.log());
        serde_json::from_slice(&output.stdout).expect("status prints JSON")
    }

    /// One of its counters.
    pub fn counter(&self, name: &str) -> u64 {
        let status = self.status();
        let counters = status["counters"].as_array().expect("counters");
        let counter = counters.iter().find(|counter| counter["name"] == name);
        let counter = counter.unwrap_or_else(|| panic!("no counter {name}"));
        counter["packets"].as_u64().expect("a number")
    }

    /// What it wrote to stderr.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    /// Sends it a signal.
    pub fn signal(&self, number: i32) {
        let pid = self.child.id().cast_signed();
        // SAFETY: our own child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, number) }, 0);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the daemon ends", || {
            status = self.child.try_wait().expect("a child can be asked");
            status.is_some()
        });
        status.expect("it has ended")
    }
}

impl Drop for Daemon {
    /// As an operator ends it: killed, it would leave its program behind.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal(libc::SIGTERM);
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!("the daemon does not end: it is killed");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a condition holds.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A query for the name, IN A, without EDNS.
pub fn query(name: &str) -> Vec<u8> {
    let mut octets = vec![0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).expect("a short label"));
        octets.extend(label.as_bytes());
    }
    octets.extend([0, 0, 1, 0, 1]);
    octets
}

/// Sends a datagram and waits a while for the reply.
pub fn exchange(server: &str, query: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let server: SocketAddr = format!("{server}:53").parse().expect("an address");
    socket.send_to(query, server)?;
    let mut reply = [0; 4096];
    let octets = socket.recv(&mut reply)?;
    Ok(reply[..octets].to_vec())
}

/// What a client has sent to a server that stands in for the one behind, if
/// anything; not what the daemon on the same host has asked it.
pub fn from_a_client(server: &UdpSocket) -> Option<Vec<u8>> {
    server.set_nonblocking(true).expect("a socket");
    let mut octets = [0; 4096];
    loop {
        let (length, source) = server.recv_from(&mut octets).ok()?;
        if source.ip().to_string() == CLIENT_IP {
            return Some(octets[..length].to_vec());
        }
    }
}

/// Runs `ip`, which must succeed; what it printed.
fn ip_inside(namespace: &Namespace, arguments: &str) -> String {
    let mut command = Command::new("ip");
    command.args(["-n", namespace.name()]);
    command.args(arguments.split_whitespace());
    run(&mut command)
}

/// Runs a program that must succeed; what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Lets a command run inside.
fn confine(command: &mut Command, namespace: &Namespace) {
    namespace.confine(command).expect("a namespace");
}
