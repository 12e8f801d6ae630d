//! Knot on a host of its own, dns-glue in front of it, and a client.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dns_glue::conform::frame::{SERVER_V4, SERVER_V6};
use dns_glue::testbed::daemon::{Counters, Daemon};
use dns_glue::testbed::hosts::{CLIENT_INTERFACE, Hosts, SERVER_INTERFACE};
use dns_glue::testbed::process::{Process, wait_for};
use dns_glue::testbed::socket;
use dns_glue::zone::source::ZoneSource;

use super::knot;

/// The service addresses.
pub const SERVICE: [IpAddr; 2] = [IpAddr::V4(SERVER_V4), IpAddr::V6(SERVER_V6)];
/// Anything slower than this is a failure.
const PATIENCE: Duration = Duration::from_secs(30);
/// A query that gets no reply is given up after this.
const SILENCE: Duration = Duration::from_millis(400);

/// The two hosts; dropped, they are gone, after what runs there.
pub struct Site {
    daemon: Option<Daemon>,
    wire: Option<Process>,
    _knotd: Process,
    hosts: Hosts,
    folder: PathBuf,
}

impl Site {
    /// Makes the hosts, and starts Knot on the service addresses; `None` where
    /// Knot is not installed.
    pub fn new(zones: &[(&str, &[u8])]) -> Option<Self> {
        let folder = knot::folder("behind");
        let listen = SERVICE.map(|address| SocketAddr::new(address, 53));
        let mut knotd = knot::command(&folder, &listen, zones, "")?;
        let hosts = Hosts::new("conform").expect("namespaces");
        let knotd = Process::spawn(&mut knotd, hosts.server()).expect("knotd starts");
        let site = Self {
            daemon: None,
            wire: None,
            _knotd: knotd,
            hosts,
            folder,
        };
        let soa = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];
        wait_for("knotd answers", || {
            let mut servers = SERVICE.into_iter();
            Ok(servers.all(|server| site.ask(server, &soa).is_some()))
        })
        .expect("a name server");
        Some(site)
    }

    /// A file of the test.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Turns TX checksum offload of the client off, and nothing else.
    pub fn finish_checksums(&self) {
        self.on_client(&format!("ethtool -K {CLIENT_INTERFACE} tx off"));
    }

    /// Makes the client's end behave like a wire.
    pub fn make_client_a_wire(&mut self) {
        let wire = self.hosts.make_wire(binaries());
        self.wire = Some(wire.expect("dns-glue-lab starts"));
    }

    /// Starts dns-glue on the server's interface, and waits until it is
    /// attached.
    pub fn start_dns_glue(&mut self, zones: &[(&str, &[u8])]) {
        let write = |(apex, text): &(&str, &[u8])| {
            let path = self.path(&format!("{apex}compiled"));
            fs::write(&path, text).expect("a zone file is written");
            let apex = apex.parse().expect("a name");
            ZoneSource { apex, path }
        };
        let zones: Vec<ZoneSource> = zones.iter().map(write).collect();
        let (host, folder) = (self.hosts.server(), &self.folder);
        let daemon = Daemon::start(host, SERVER_INTERFACE, &zones, &[], folder, binaries());
        self.daemon = Some(daemon.expect("dns-glue starts"));
    }

    fn counters(&self) -> Counters {
        let daemon = self.daemon.as_ref().expect("it was started");
        daemon.counters().expect("dns-glue answers")
    }

    /// One of the counters of dns-glue.
    pub fn counter(&self, name: &str) -> u64 {
        self.counters().packets(name)
    }

    /// Queries that the kernel has answered.
    pub fn answered(&self) -> u64 {
        self.counters().answered()
    }

    /// The reply over UDP, if there is one within a while.
    pub fn ask(&self, server: IpAddr, query: &[u8]) -> Option<Vec<u8>> {
        self.ask_all(server, &[query.to_vec()]).remove(0)
    }

    /// The replies over UDP, one query after the other.
    pub fn ask_all(&self, server: IpAddr, queries: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let ask = |query: &Vec<u8>| {
            // A socket for each, so that no reply comes too late for its own
            // query and in time for the next.
            let socket = socket::open((server, 53).into()).expect("a socket");
            socket.set_read_timeout(Some(SILENCE)).expect("a timeout");
            socket.send(query).ok()?;
            let mut reply = vec![0; 65_535];
            let octets = socket.recv(&mut reply).ok()?;
            reply.truncate(octets);
            Some(reply)
        };
        let ask_all = || queries.iter().map(ask).collect();
        let client = self.hosts.client();
        client.within(ask_all).expect("a namespace")
    }

    /// The replies over one TCP connection.
    pub fn ask_tcp(&self, server: IpAddr, queries: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let ask = || {
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
        };
        self.hosts.client().within(ask).expect("a namespace")
    }

    /// What dig prints on the client.
    pub fn dig(&self, arguments: &str) -> String {
        self.on_client(&format!("dig {arguments}"))
    }

    /// Runs a program on the client, which must succeed; what it printed.
    fn on_client(&self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words);
        let client = self.hosts.client();
        client.confine(&mut command).expect("a namespace");
        let output = command.output();
        let output = output.unwrap_or_else(|error| panic!("{line}: {error}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        String::from_utf8(output.stdout).expect("it prints text")
    }
}

/// Where the programs of this build are.
fn binaries() -> &'static Path {
    let binary = Path::new(env!("CARGO_BIN_EXE_dns-glue"));
    binary.parent().expect("a folder")
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("logs are in {}", self.folder.display());
        } else if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{}: {error}", self.folder.display());
        }
    }
}
