//! Knot, started by hand on a loopback port, in a folder of its own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dns_glue::testbed::needs;
use domain::base::Rtype;

use super::{ZoneFile, name, query};

/// A running knotd; ended when dropped.
pub struct Knot {
    _process: Process,
    folder: PathBuf,
    udp: UdpSocket,
    tcp: TcpStream,
}

impl Knot {
    /// Starts knotd on `zones`, in `folder`. `None` with a printed reason when
    /// it is not installed; then `DNS_GLUE_REQUIRE_PEERS=1` fails the test.
    pub fn start(folder: &Path, zones: &[ZoneFile]) -> Option<Self> {
        let knotd = needs::peer("knotd", "knot")?;
        let address = free_port();
        let config = folder.join("knot.conf");
        std::fs::write(&config, configuration(folder, address, zones)).expect("write knot.conf");
        let log = std::fs::File::create(folder.join("knot.log")).expect("create knot.log");
        let process = Command::new(knotd)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("clone a file"))
            .stderr(log)
            .spawn()
            .map(Process)
            .expect("start knotd");
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind a socket");
        udp.connect(address).expect("connect a datagram socket");
        udp.set_read_timeout(Some(Duration::from_millis(200)))
            .expect("set a timeout");
        wait_for_zones(&udp, zones, folder);
        udp.set_read_timeout(Some(Duration::from_secs(2)))
            .expect("set a timeout");
        let tcp = connect(address);
        Some(Self {
            _process: process,
            folder: folder.to_owned(),
            udp,
            tcp,
        })
    }

    /// The reply over UDP; `None` if there is none within a short time.
    pub fn ask_udp_or_nothing(&self, request: &[u8]) -> Option<Vec<u8>> {
        self.udp
            .set_read_timeout(Some(Duration::from_millis(300)))
            .expect("set a timeout");
        self.udp.send(request).expect("send to knotd");
        let mut buffer = [0; 65_535];
        let reply = self
            .udp
            .recv(&mut buffer)
            .ok()
            .map(|length| buffer[..length].to_vec());
        self.udp
            .set_read_timeout(Some(Duration::from_secs(2)))
            .expect("set a timeout");
        reply
    }

    /// The reply over UDP.
    pub fn ask_udp(&self, request: &[u8]) -> Vec<u8> {
        let mut buffer = [0; 65_535];
        for _ in 0..3 {
            self.udp.send(request).expect("send to knotd");
            // A late reply to an earlier attempt has another ID.
            while let Ok(length) = self.udp.recv(&mut buffer) {
                if buffer[..2] == request[..2] {
                    return buffer[..length].to_vec();
                }
            }
        }
        panic!(
            "knotd does not answer; see {}",
            self.folder.join("knot.log").display()
        );
    }

    /// The reply over TCP, on one connection for all.
    pub fn ask_tcp(&mut self, request: &[u8]) -> Vec<u8> {
        // Knot closes a connection that was idle for long.
        match exchange(&mut self.tcp, request) {
            Ok(reply) => reply,
            Err(_) => {
                self.tcp = connect(self.tcp.peer_addr().unwrap_or_else(|_| self.peer()));
                exchange(&mut self.tcp, request).expect("a reply over TCP")
            }
        }
    }

    /// Where it listens.
    pub fn peer(&self) -> SocketAddr {
        self.udp.peer_addr().expect("a connected socket")
    }
}

/// The child process; ended when dropped, a failing test included.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // The child's own handle: nothing else can be hit.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One request and its reply on a stream (RFC 1035 section 4.2.2).
pub fn exchange(stream: &mut TcpStream, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut framed = u16::try_from(request.len())
        .expect("a DNS message")
        .to_be_bytes()
        .to_vec();
    framed.extend_from_slice(request);
    stream.write_all(&framed)?;
    read_message(stream)
}

/// The next message of a stream.
pub fn read_message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connect to knotd");
    stream.set_nodelay(true).expect("set TCP_NODELAY");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("set a timeout");
    stream
}

/// A port of the loopback address that is free for UDP and TCP just now.
pub fn free_port() -> SocketAddr {
    for _ in 0..50 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind a socket");
        let address = udp.local_addr().expect("a bound socket");
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port");
}

fn configuration(folder: &Path, address: SocketAddr, zones: &[ZoneFile]) -> String {
    let folder = folder.display();
    let mut text = format!(
        "server:\n    rundir: {folder}\n    listen: {}@{}\n    udp-workers: 1\n    \
         tcp-workers: 1\n    background-workers: 1\n    udp-max-payload: 1232\n    nsid: \"\"\n\
         database:\n    storage: {folder}\n\
         log:\n  - target: stderr\n    any: warning\n\
         template:\n  - id: default\n    journal-content: none\n    zonefile-sync: -1\n    \
         semantic-checks: soft\nzone:\n",
        address.ip(),
        address.port(),
    );
    for ZoneFile { apex, path } in zones {
        text += &format!("  - domain: {apex}\n    file: {}\n", path.display());
    }
    text
}

/// Waits until knotd answers for each zone.
fn wait_for_zones(udp: &UdpSocket, zones: &[ZoneFile], folder: &Path) {
    let give_up = Instant::now() + Duration::from_secs(30);
    for zone in zones {
        let request = query(1, name(zone.apex).for_slice(), Rtype::SOA, None);
        let mut buffer = [0; 512];
        loop {
            // Sending fails while nothing listens.
            let _ = udp.send(&request);
            let answered = udp
                .recv(&mut buffer)
                .is_ok_and(|length| length > 12 && buffer[7] == 1);
            if answered {
                break;
            }
            assert!(
                Instant::now() < give_up,
                "knotd does not serve {}: {}",
                zone.apex,
                std::fs::read_to_string(folder.join("knot.log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    // Replies to repeated questions must not be taken for later ones.
    while udp.recv(&mut [0; 512]).is_ok() {}
}
