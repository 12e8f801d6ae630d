//! A zone that tells which version of it answers, and clients that ask for it
//! without pause.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::daemon_support::{Host, SERVER_IP, exchange, from_a_client, query};

/// Clients at a time.
const CLIENTS: usize = 4;

/// Version `mark` of the zone `test.`: serial, name server and glue tell it.
pub fn marked_zone(mark: u8) -> String {
    marked_zone_with_serial(mark, mark.into())
}

pub fn marked_zone_with_serial(mark: u8, serial: u32) -> String {
    format!(
        "$TTL 60\n@ SOA ns.void. h.void. {serial} 3600 600 86400 300\n@ NS ns.void.\n\
         child NS n{mark:03}.child\nn{mark:03}.child A 192.0.2.{mark}\n"
    )
}

/// The version that answers; `Err` if nobody does in time, or other than by a
/// referral of one version.
pub fn version() -> Result<u8, String> {
    let reply = exchange(SERVER_IP, &query("www.child.test")).map_err(|error| error.to_string())?;
    // NS, and glue with no OPT.
    if reply[4..12] != [0, 1, 0, 0, 0, 1, 0, 1] {
        return Err(format!("no referral: {reply:?}"));
    }
    // The label stands once; the other name is compressed.
    let label = reply
        .windows(5)
        .find(|window| window[..2] == *b"\x04n")
        .ok_or_else(|| format!("no name server: {reply:?}"))?;
    let digits = std::str::from_utf8(&label[2..]).map_err(|error| error.to_string())?;
    let of_name: u8 = digits
        .parse()
        .map_err(|error| format!("{digits}: {error}"))?;
    match reply.last_chunk() {
        Some([192, 0, 2, of_glue]) if *of_glue == of_name => Ok(of_name),
        _ => Err(format!("name server {of_name} with other glue: {reply:?}")),
    }
}

/// What came of the load.
pub struct Served {
    /// Queries that were asked, and answered.
    pub replies: u64,
}

/// Ends the clients when it is dropped.
struct Stopped<'a>(&'a AtomicBool);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does something while clients ask, each of them again as soon as it is
/// answered. Fails if a query is not answered by a whole referral of one
/// version, or reaches the server behind.
pub fn under_load<T: Send>(host: &Host, action: impl FnOnce() -> T + Send) -> (T, Served) {
    let behind = host.enter(|| UdpSocket::bind((SERVER_IP, 53)).expect("port 53 is free"));
    let (stop, replies) = (AtomicBool::new(false), AtomicU64::new(0));
    let ask = || {
        host.on_client(|| {
            while !stop.load(Ordering::Relaxed) {
                version()?;
                replies.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), String>(())
        })
    };
    let value = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        // If it fails too: the clients would not let it tell.
        let value = {
            let _stopped = Stopped(&stop);
            action()
        };
        for client in clients {
            client
                .join()
                .expect("a client")
                .expect("every query is answered");
        }
        value
    });
    let passed = from_a_client(&behind);
    assert_eq!(passed, None, "no query reaches the server behind");
    let replies = replies.into_inner();
    (value, Served { replies })
}
