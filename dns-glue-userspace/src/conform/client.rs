//! Asking a name server: many queries at a time over UDP, one after the other
//! over TCP.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::frame::{SERVER_V4, SERVER_V6};
use crate::testbed::interrupt;
use crate::testbed::network::Namespace;
use crate::testbed::socket;

/// Rounds in which queries without a reply are sent again.
const ROUNDS: usize = 5;
/// What is waited for the next reply in one of them.
const ROUND: Duration = Duration::from_millis(400);
/// What is waited for a reply over TCP.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is waited for a reply that may not come, at first, and when it is asked
/// for again.
const SHORT_SILENCE: Duration = Duration::from_millis(100);
const SILENCE: Duration = Duration::from_millis(500);
/// Queries that are under way at a time, each with a socket of its own.
const AT_A_TIME: usize = 64;
/// The same over TCP: a server has a short queue of connections to take, and
/// one that finds no place there comes a second later.
const CONNECTIONS_AT_A_TIME: usize = 8;

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The service address of this version.
    pub fn server(self) -> SocketAddr {
        match self {
            Self::V4 => (SERVER_V4, 53).into(),
            Self::V6 => (SERVER_V6, 53).into(),
        }
    }

    fn any(self) -> SocketAddr {
        match self {
            Self::V4 => ([0, 0, 0, 0], 0).into(),
            Self::V6 => ([0u16; 8], 0).into(),
        }
    }
}

/// Sockets of both families to the service addresses, in a namespace.
#[derive(Debug)]
pub struct Udp {
    sockets: [UdpSocket; 2],
}

impl Udp {
    /// Opens them.
    ///
    /// # Errors
    ///
    /// There is no route, or no socket.
    pub fn open(namespace: &Namespace) -> Result<Self> {
        let open = |family: Family| -> io::Result<UdpSocket> {
            let socket = socket::open(family.server())?;
            socket.set_read_timeout(Some(ROUND))?;
            Ok(socket)
        };
        let [v4, v6] = namespace.within(|| Family::BOTH.map(open))?;
        Ok(Self {
            sockets: [v4.context("IPv4")?, v6.context("IPv6")?],
        })
    }

    /// The replies to queries, in their order. The ID of each query is its
    /// place; `meanwhile` is done while the server is at work.
    ///
    /// # Errors
    ///
    /// A query gets no reply.
    pub fn ask(
        &self,
        queries: &[(Family, Vec<u8>)],
        meanwhile: impl FnOnce() -> Result<()>,
    ) -> Result<Vec<Vec<u8>>> {
        let mut replies: Vec<Vec<u8>> = vec![Vec::new(); queries.len()];
        let mut meanwhile = Some(meanwhile);
        let mut buffer = [0; 65_535];
        for _ in 0..ROUNDS {
            interrupt::check()?;
            let mut open = [0, 0];
            for ((family, query), reply) in queries.iter().zip(&replies) {
                if reply.is_empty() {
                    self.sockets[*family as usize].send(query)?;
                    open[*family as usize] += 1;
                }
            }
            if let Some(meanwhile) = meanwhile.take() {
                meanwhile()?;
            }
            for (family, mut open) in Family::BOTH.into_iter().zip(open) {
                while open > 0 {
                    let Ok(octets) = self.sockets[family as usize].recv(&mut buffer) else {
                        break;
                    };
                    let reply = &buffer[..octets];
                    let Some((place, _)) = reply
                        .first_chunk()
                        .map(|id| usize::from(u16::from_be_bytes(*id)))
                        .and_then(|place| Some((place, queries.get(place)?)))
                        // A late reply may be to a query of an earlier window.
                        .filter(|(_, (asked, query))| *asked == family && is_about(reply, query))
                    else {
                        continue;
                    };
                    if replies[place].is_empty() {
                        replies[place] = reply.to_vec();
                        open -= 1;
                    }
                }
            }
            if replies.iter().all(|reply| !reply.is_empty()) {
                return Ok(replies);
            }
        }
        let silent = replies.iter().position(Vec::is_empty).unwrap_or_default();
        bail!("no reply to {:02x?}", queries[silent])
    }
}

/// Whether a reply has the question of a query.
fn is_about(reply: &[u8], query: &[u8]) -> bool {
    let mut end = 12;
    while let Some(label @ 1..=63) = query.get(end) {
        end += 1 + usize::from(*label);
    }
    let question = 12..end + 5;
    reply.get(question.clone()) == query.get(question)
}

/// A TCP connection to a service address, made when it is needed.
#[derive(Debug)]
pub struct Tcp<'n> {
    namespace: &'n Namespace,
    family: Family,
    stream: Option<TcpStream>,
}

impl<'n> Tcp<'n> {
    /// None yet.
    pub fn new(namespace: &'n Namespace, family: Family) -> Self {
        Self {
            namespace,
            family,
            stream: None,
        }
    }

    /// The reply to a query.
    ///
    /// # Errors
    ///
    /// There is none, not on a new connection either.
    pub fn ask(&mut self, query: &[u8]) -> Result<Vec<u8>> {
        if let Some(stream) = &mut self.stream
            && let Ok(reply) = send(stream, query).and_then(|()| receive(stream))
        {
            return Ok(reply);
        }
        // None yet, or the server has closed it.
        let server = self.family.server();
        let stream = self.namespace.within(|| connect(server))?;
        let mut stream = stream.with_context(|| format!("connect to {server}"))?;
        let reply = send(&mut stream, query).and_then(|()| receive(&mut stream));
        let reply = reply.context("ask over TCP")?;
        self.stream = Some(stream);
        Ok(reply)
    }
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn send(stream: &mut TcpStream, query: &[u8]) -> io::Result<()> {
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat())
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

/// The replies to any octets over UDP, each from a socket of its own, so that
/// no reply is taken for another's. `None` where no reply comes, not to a
/// second query either.
///
/// # Errors
///
/// There is no socket or no route.
pub fn ask_each(
    namespace: &Namespace,
    family: Family,
    queries: &[Vec<u8>],
) -> Result<Vec<Option<Vec<u8>>>> {
    let start = |query: &Vec<u8>| -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(family.any())?;
        socket.connect(family.server())?;
        socket.send(query)?;
        Ok(socket)
    };
    let finish = |socket: UdpSocket, deadline| -> io::Result<Vec<u8>> {
        socket.set_read_timeout(Some(until(deadline)))?;
        let mut reply = vec![0; 65_535];
        let octets = socket.recv(&mut reply)?;
        reply.truncate(octets);
        Ok(reply)
    };
    ask_again(namespace, queries, AT_A_TIME, start, finish).context("ask over UDP")
}

/// The same over TCP, each over a connection of its own.
///
/// # Errors
///
/// The server takes no connection.
pub fn ask_each_over_tcp(
    namespace: &Namespace,
    family: Family,
    queries: &[Vec<u8>],
) -> Result<Vec<Option<Vec<u8>>>> {
    let start = |query: &Vec<u8>| -> io::Result<TcpStream> {
        let mut stream = connect(family.server())?;
        send(&mut stream, query)?;
        Ok(stream)
    };
    let finish = |mut stream: TcpStream, deadline| {
        stream.set_read_timeout(Some(until(deadline)))?;
        receive(&mut stream)
    };
    let at_a_time = CONNECTIONS_AT_A_TIME;
    ask_again(namespace, queries, at_a_time, start, finish).context("ask over TCP")
}

/// What is left until then, but not nothing: that would mean for ever.
fn until(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left.max(Duration::from_millis(1))
}

/// Starts queries, many at a time, and takes what comes for them; again for
/// those that get nothing, until that helps none of them.
fn ask_again<S>(
    namespace: &Namespace,
    queries: &[Vec<u8>],
    at_a_time: usize,
    start: impl Fn(&Vec<u8>) -> io::Result<S> + Send + Sync,
    finish: impl Fn(S, Instant) -> io::Result<Vec<u8>> + Send + Sync,
) -> Result<Vec<Option<Vec<u8>>>> {
    let mut replies = vec![None; queries.len()];
    let mut silent: Vec<usize> = (0..queries.len()).collect();
    let mut patience = SHORT_SILENCE;
    loop {
        let received: io::Result<Vec<Vec<_>>> = namespace.within(|| {
            let receive = |places: &[usize]| {
                interrupt::check()?;
                let started = places.iter().map(|place| start(&queries[*place]));
                let started: Vec<S> = started.collect::<io::Result<_>>()?;
                let deadline = Instant::now() + patience;
                let finish = |started| finish(started, deadline).ok();
                Ok(started.into_iter().map(finish).collect())
            };
            silent.chunks(at_a_time).map(receive).collect()
        })?;
        for (place, reply) in silent.iter().zip(received?.into_iter().flatten()) {
            replies[*place] = reply;
        }
        let asked = silent.len();
        silent.retain(|place| replies[*place].is_none());
        if silent.is_empty() || (silent.len() == asked && patience == SILENCE) {
            return Ok(replies);
        }
        patience = SILENCE;
    }
}
