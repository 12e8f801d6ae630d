//! What a daemon has told of the server behind when it dies, and what the next
//! one makes of that. A word is left about once a minute, whatever happens: none
//! of these tests takes so long.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::daemon_support::{Daemon, Host, SERVER_IP, is_root, wait_for};
use super::load::version;
use super::pins::{kill, start, unattended_status};

/// A server behind that knows nothing but serials, over UDP.
struct Behind {
    /// That of `test.`; 0 for no reply.
    serial: Arc<AtomicU32>,
    has_ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Behind {
    fn begin(host: &Host, serial: u32) -> Self {
        let socket = host.enter(|| UdpSocket::bind((SERVER_IP, 53)).expect("port 53 is free"));
        let pause = Some(Duration::from_millis(50));
        socket.set_read_timeout(pause).expect("a socket");
        let serial = Arc::new(AtomicU32::new(serial));
        let has_ended = Arc::new(AtomicBool::new(false));
        let (told, ended) = (Arc::clone(&serial), Arc::clone(&has_ended));
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let _: Option<()> = answer(&socket, told.load(Ordering::Relaxed));
            }
        });
        Self {
            serial,
            has_ended,
            thread: Some(thread),
        }
    }

    fn tell(&self, serial: u32) {
        self.serial.store(serial, Ordering::Relaxed);
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.has_ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Answers a query, if one comes and there is a serial, with an SOA record of
/// the name that was asked for.
fn answer(socket: &UdpSocket, serial: u32) -> Option<()> {
    let mut query = [0; 512];
    let (octets, client) = socket.recv_from(&mut query).ok()?;
    if serial == 0 {
        return None;
    }
    let name = query[12..octets].iter().position(|octet| *octet == 0)?;
    let question = query.get(12..12 + name + 5)?;
    let mut reply = query[..2].to_vec();
    // QR and AA; a question and an answer.
    reply.extend([0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
    reply.extend(question);
    // Of the question's name: SOA, IN, TTL 0, 22 octets.
    reply.extend([0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22]);
    // Both names are the root's.
    reply.extend([0, 0]);
    reply.extend(serial.to_be_bytes());
    reply.extend([0; 16]);
    let sent: io::Result<usize> = socket.send_to(&reply, client);
    sent.ok().map(|_| ())
}

/// What is told of `test.` and the server behind.
fn of_zone(status: &Value) -> Value {
    let zones = status["behind"]["zones"].as_array().expect("zones");
    let zone = zones.iter().find(|zone| zone["apex"] == "test.");
    zone.expect("the zone").clone()
}

fn wait_for_agreement(daemon: &Daemon, agreement: &str) {
    wait_for(agreement, || {
        of_zone(&daemon.status())["agreement"] == agreement
    });
}

/// What is told of the zone when nobody is there.
fn left_of_zone(daemon: &mut Daemon) -> Value {
    kill(daemon);
    of_zone(&unattended_status(daemon)["status"])
}

#[test]
fn serials_that_differ_are_told_by_a_daemon_that_dies_at_once() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let behind = Behind::begin(&host, 1);
    let mut daemon = start(&host, 1, "--max-lag 1h");
    wait_for_agreement(&daemon, "agrees");
    behind.tell(2);
    wait_for_agreement(&daemon, "lags");
    let left = left_of_zone(&mut daemon);
    assert_eq!(left["agreement"], "lags");
    assert!(left["differs_seconds"].is_u64(), "{left}");
    assert_eq!(left["withheld"], Value::Null);

    let mut daemon = start(&host, 1, "--max-lag 1h");
    wait_for_agreement(&daemon, "lags");
    behind.tell(1);
    wait_for_agreement(&daemon, "agrees");
    let left = left_of_zone(&mut daemon);
    assert_eq!(left["agreement"], "agrees");
    assert_eq!(left["differs_seconds"], Value::Null);
}

#[test]
fn a_zone_that_was_withheld_stays_so_however_soon_the_daemon_dies() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let behind = Behind::begin(&host, 1);
    let mut daemon = start(&host, 1, "--max-lag 1s");
    wait_for_agreement(&daemon, "agrees");
    assert_eq!(host.on_client(version), Ok(1));
    behind.tell(2);
    wait_for("it is withheld", || {
        of_zone(&daemon.status())["withheld"] == "lag"
    });
    // The next daemon learns nothing of the server behind itself.
    behind.tell(0);
    let left = left_of_zone(&mut daemon);
    assert_eq!(left["withheld"], "lag");

    let daemon = start(&host, 1, "--max-lag 1s");
    let zone = of_zone(&daemon.status());
    assert_eq!(zone["withheld"], "lag");
    let reply = host.on_client(version);
    assert!(reply.is_err(), "{reply:?}");
    assert!(daemon.counter("zone-withheld") >= 1);
}
