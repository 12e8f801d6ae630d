//! Knot as a child process, asked over IPv4, IPv6 and TCP, many queries at a
//! time.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dns_glue::testbed::needs;

use crate::program_support::query::{Query, rtype};

/// Queries under way at a time: few enough for a socket's buffer.
const WINDOW: usize = 64;
/// Anything slower than this is a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running knotd, ended when dropped.
pub struct Knot {
    child: Child,
    folder: PathBuf,
    port: u16,
}

/// A folder of the test's own.
pub fn folder(test: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("dns-glue-{test}-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A command that starts knotd with the configuration in `folder`; `None` with
/// a printed reason when it is not installed. Then `DNS_GLUE_REQUIRE_PEERS=1`
/// fails the test.
///
/// `zones` are names and texts; an empty `nsid` is none.
pub fn command(
    folder: &Path,
    listen: &[SocketAddr],
    zones: &[(&str, &[u8])],
    nsid: &str,
) -> Option<Command> {
    let knotd = needs::peer("knotd", "knot")?;
    let show = folder.display();
    let listen: Vec<String> = listen
        .iter()
        .map(|address| format!("{}@{}", address.ip(), address.port()))
        .collect();
    let mut text = format!(
        "server:\n    rundir: {show}\n    listen: [ {} ]\n    udp-workers: 1\n    \
         tcp-workers: 1\n    background-workers: 1\n    udp-max-payload: 1232\n    nsid: \"{nsid}\"\n\
         database:\n    storage: {show}\nlog:\n  - target: stderr\n    any: warning\n\
         template:\n  - id: default\n    journal-content: none\n    zonefile-sync: -1\n    \
         semantic-checks: soft\nzone:\n",
        listen.join(", ")
    );
    for (apex, zone) in zones {
        let path = folder.join(format!("{apex}zone"));
        std::fs::write(&path, zone).expect("a zone file is written");
        text += &format!("  - domain: {apex}\n    file: {}\n", path.display());
    }
    let config = folder.join("knot.conf");
    std::fs::write(&config, text).expect("knot.conf is written");
    let log = std::fs::File::create(folder.join("knot.log")).expect("a log");
    let mut command = Command::new(knotd);
    command
        .arg("-c")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log);
    // SAFETY: prctl is a plain system call. knotd ends with the test, however
    // the test ends.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    Some(command)
}

impl Knot {
    /// Starts knotd on a free port of 127.0.0.1 and ::1.
    pub fn start(zones: &[(&str, &[u8])]) -> Option<Self> {
        Self::start_with_nsid(zones, "")
    }

    /// The same with an identifier, as Knot's configuration takes it.
    pub fn start_with_nsid(zones: &[(&str, &[u8])], nsid: &str) -> Option<Self> {
        let folder = folder("knot");
        let port = free_port();
        let listen = [
            SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
        ];
        let child = command(&folder, &listen, zones, nsid)?
            .spawn()
            .expect("knotd starts");
        let knot = Self {
            child,
            folder,
            port,
        };
        // It listens when the zones are loaded, or a little before.
        let start = Instant::now();
        let (apex, _) = zones.first().expect("a zone");
        let query = Query::new(apex).qtype(rtype::SOA).octets();
        while !knot.answers(&query) {
            assert!(start.elapsed() < PATIENCE, "knotd does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(knot)
    }

    /// Whether it answers the question for the SOA of a zone.
    fn answers(&self, query: &[u8]) -> bool {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let timeout = Some(Duration::from_millis(200));
        socket.set_read_timeout(timeout).expect("a timeout");
        let sent = socket.send_to(query, (Ipv4Addr::LOCALHOST, self.port));
        let mut reply = [0; 4096];
        sent.is_ok()
            && socket
                .recv(&mut reply)
                .is_ok_and(|octets| octets > 12 && reply[3] & 0xf == 0)
    }

    /// The replies to `queries` over UDP, in their order.
    ///
    /// The IDs of the queries are overwritten, those of the replies are 0.
    pub fn ask(&self, family: Family, queries: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let address: SocketAddr = match family {
            Family::V4 => (Ipv4Addr::LOCALHOST, self.port).into(),
            Family::V6 => (Ipv6Addr::LOCALHOST, self.port).into(),
        };
        let socket = UdpSocket::bind((address.ip(), 0)).expect("a socket");
        socket.connect(address).expect("a connected socket");
        let timeout = Some(Duration::from_millis(500));
        socket.set_read_timeout(timeout).expect("a timeout");
        let mut replies = Vec::with_capacity(queries.len());
        for window in queries.chunks(WINDOW) {
            replies.extend(self.ask_window(&socket, window));
        }
        replies
    }

    /// Asks a few queries at once, and again what gets no reply.
    fn ask_window(&self, socket: &UdpSocket, queries: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut replies: HashMap<usize, Vec<u8>> = HashMap::new();
        let mut buffer = [0; 65_535];
        for _ in 0..5 {
            for (place, query) in queries.iter().enumerate() {
                if !replies.contains_key(&place) {
                    let mut query = query.clone();
                    query[..2].copy_from_slice(&(place as u16).to_be_bytes());
                    socket.send(&query).expect("a query is sent");
                }
            }
            while replies.len() < queries.len() {
                let Ok(octets) = socket.recv(&mut buffer) else {
                    break;
                };
                let reply = &buffer[..octets];
                let place = usize::from(u16::from_be_bytes([reply[0], reply[1]]));
                // A late reply to a query of an earlier window asks otherwise.
                let query = queries.get(place);
                if query.is_some_and(|query| is_about(reply, query)) {
                    let mut reply = reply.to_vec();
                    reply[..2].fill(0);
                    replies.insert(place, reply);
                }
            }
            if replies.len() == queries.len() {
                return (0..queries.len())
                    .map(|place| replies.remove(&place).expect("a reply to each"))
                    .collect();
            }
        }
        panic!("knotd does not answer; see {}", self.folder.display());
    }

    /// The replies to `queries` over TCP, in their order.
    pub fn ask_tcp(&self, queries: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = stream.expect("knotd takes connections");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut replies = Vec::with_capacity(queries.len());
        for window in queries.chunks(WINDOW) {
            let mut octets = Vec::new();
            for query in window {
                octets.extend((query.len() as u16).to_be_bytes());
                octets.extend(query);
            }
            stream.write_all(&octets).expect("queries are sent");
            for _ in window {
                let mut length = [0; 2];
                stream.read_exact(&mut length).expect("a reply");
                let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut reply).expect("a reply");
                replies.push(reply);
            }
        }
        replies
    }
}

impl Drop for Knot {
    fn drop(&mut self) {
        // The child's own handle: nothing else can be hit.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Whether a reply has the question of a query.
fn is_about(reply: &[u8], query: &[u8]) -> bool {
    let end = super::message::question_end(query);
    reply.get(12..end) == query.get(12..end)
}

/// A port that is free for UDP and TCP, on both addresses, just now.
fn free_port() -> u16 {
    for _ in 0..50 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let port = udp.local_addr().expect("a bound socket").port();
        if UdpSocket::bind((Ipv6Addr::LOCALHOST, port)).is_ok()
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok()
        {
            return port;
        }
    }
    panic!("no free port");
}
