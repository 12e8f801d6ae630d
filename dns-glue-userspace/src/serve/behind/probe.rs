//! One round of questions to the server behind, at one address.
//!
//! Each query has the address asked as its source too: from any other address
//! it could leave the host for another that has the same, as anycast addresses
//! are had by many.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::base::iana::Rtype;
use domain::base::{Message, Name};
use domain::net::client::dgram;
use domain::net::client::protocol::{AsyncConnect, AsyncDgramRecv, AsyncDgramSend};
use domain::net::client::request::{ComposeRequest as _, Error, RequestMessage, SendRequest as _};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::reply::{self, Problem};
use super::{ProbedZone, Timing};
use crate::report::query::write_query;
use crate::zone::records::NameRef;

/// How often a query over UDP is sent: one lost datagram is no fault.
const TRIES: u8 = 3;
/// What a TCP connection, and each reply over it, may take of the patience for
/// a datagram: nothing is sent again here but by TCP itself, after a second.
const TCP_PATIENCE: u32 = TRIES as u32;
/// UDP size that the queries tell (RFC 9715).
const UDP_OCTETS: u16 = 1232;
/// Zones that are asked about at a time over UDP.
const AT_A_TIME: usize = 8;

/// A query.
type Request = RequestMessage<Vec<u8>>;
/// A reply to it.
type Reply = Message<Vec<u8>>;

/// What the server behind said of one zone at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The serial, asked over UDP.
    pub udp: Result<u32, Problem>,
    /// The serial, asked over TCP.
    pub tcp: Result<u32, Problem>,
    /// For a name that is not below any delegation; `None` if it was not asked,
    /// because the server was silent or another name is too long.
    pub miss: Option<Result<(), Problem>>,
    /// For a delegated name; `None` if it was not asked, because there is none
    /// or the server has another version of the zone, and may have no such
    /// delegation.
    pub referral: Option<Result<(), Problem>>,
}

/// Asks the server at an address about each zone; the answers, in the order of
/// the zones.
pub async fn probe(server: SocketAddr, zones: &[ProbedZone], timing: &Timing) -> Vec<Answers> {
    let (over_udp, over_tcp) = tokio::join!(
        probe_udp(server, zones, timing.patience),
        probe_tcp(server, zones, timing.patience * TCP_PATIENCE)
    );
    let both = over_udp.into_iter().zip(over_tcp);
    both.map(|(udp, tcp)| Answers { tcp, ..udp }).collect()
}

/// Over UDP; `tcp` of the answers is without meaning.
async fn probe_udp(server: SocketAddr, zones: &[ProbedZone], patience: Duration) -> Vec<Answers> {
    let Some((first, others)) = zones.split_first() else {
        return Vec::new();
    };
    let mut answers = vec![Udp::new(server, TRIES, patience).probe(first).await];
    // A server that hangs is silent for each zone: that is known by now.
    let silent = answers[0].udp == Err(Problem::NoReply);
    let udp = Udp::new(server, if silent { 1 } else { TRIES }, patience);
    let others: Vec<_> = others.iter().map(|zone| udp.probe(zone)).collect();
    let others = stream::iter(others).buffered(AT_A_TIME);
    answers.extend(others.collect::<Vec<Answers>>().await);
    answers
}

/// Asks over UDP, each query from a port of its own.
struct Udp(dgram::Connection<Local>);

impl Udp {
    fn new(server: SocketAddr, tries: u8, patience: Duration) -> Self {
        let mut config = dgram::Config::new();
        config.set_max_retries(tries.saturating_sub(1));
        config.set_read_timeout(patience);
        config.set_udp_payload_size(Some(UDP_OCTETS));
        Self(dgram::Connection::with_config(Local(server), config))
    }

    async fn probe(&self, zone: &ProbedZone) -> Answers {
        let apex = zone.apex.for_slice();
        let udp = match self.ask(apex, Rtype::SOA).await {
            Ok(reply) => reply::serial(reply.for_slice(), apex),
            Err(problem) => Err(problem),
        };
        let is_silent = udp.as_ref().is_err_and(Problem::is_silence);
        let missing = missing_name(apex).filter(|_| !is_silent);
        let miss = match missing {
            Some(name) => {
                let reply = self.ask(name.for_slice(), Rtype::A).await;
                Some(reply.and_then(|reply| reply::check_miss(reply.for_slice())))
            }
            None => None,
        };
        let cut = zone.delegation.as_ref().map(Name::for_slice);
        let referral = match cut.filter(|_| udp == Ok(zone.serial)) {
            Some(cut) => {
                let reply = self.ask(cut, Rtype::A).await;
                Some(reply.and_then(|reply| reply::check_referral(reply.for_slice(), cut)))
            }
            None => None,
        };
        Answers {
            tcp: udp.clone(),
            udp,
            miss,
            referral,
        }
    }

    async fn ask(&self, name: &NameRef, rtype: Rtype) -> Result<Reply, Problem> {
        let Self(connection) = self;
        let mut pending = connection.send_request(request(name, rtype));
        let reply = pending.get_response().await.map_err(problem_of)?;
        Ok(Message::from_octets(reply.as_slice().to_vec()).expect("it was a message"))
    }
}

/// What the transport's error means.
fn problem_of(error: Error) -> Problem {
    match error {
        // Nobody else has it.
        Error::Dgram(error) => {
            Arc::into_inner(error).map_or(Problem::NoReply, |error| Problem::of(&error.io_error()))
        }
        other => Problem::System(other.to_string()),
    }
}

/// Makes sockets from an address to itself.
#[derive(Clone, Copy, Debug)]
struct Local(SocketAddr);

impl AsyncConnect for Local {
    type Connection = LocalSocket;
    type Fut = Pin<Box<dyn Future<Output = io::Result<LocalSocket>> + Send + Sync>>;

    fn connect(&self) -> Self::Fut {
        let Self(server) = *self;
        Box::pin(async move {
            let socket = UdpSocket::bind((server.ip(), 0)).await?;
            socket.connect(server).await?;
            Ok(LocalSocket(socket))
        })
    }
}

/// A socket that tells at once when nobody listens.
///
/// Within a host the ICMP message of a closed port comes while the query is
/// sent. Who waits until a tokio socket can be read is not woken by it.
#[derive(Debug)]
struct LocalSocket(UdpSocket);

impl AsyncDgramSend for LocalSocket {
    fn poll_send(&self, context: &mut Context<'_>, query: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(context, query)
    }
}

impl AsyncDgramRecv for LocalSocket {
    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        reply: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.0.take_error()? {
            Some(error) => Poll::Ready(Err(error)),
            None => self.0.poll_recv(context, reply),
        }
    }
}

/// Over TCP, one connection for all zones as long as the server keeps it.
async fn probe_tcp(
    server: SocketAddr,
    zones: &[ProbedZone],
    patience: Duration,
) -> Vec<Result<u32, Problem>> {
    let mut serials = Vec::with_capacity(zones.len());
    let mut tcp = Tcp {
        server,
        patience,
        stream: None,
    };
    let mut hopeless = None;
    for zone in zones {
        let apex = zone.apex.for_slice();
        let serial = match &hopeless {
            Some(problem) => Err(Problem::clone(problem)),
            None => match tcp.ask(&request(apex, Rtype::SOA)).await {
                Ok(reply) => reply::serial(reply.for_slice(), apex),
                Err(problem) => {
                    // A closed connection may have been for this zone's sake;
                    // with anything else it is not for the zones' sake.
                    hopeless = (problem != Problem::Closed).then(|| problem.clone());
                    Err(problem)
                }
            },
        };
        serials.push(serial);
    }
    serials
}

/// A connection, made when it is needed.
struct Tcp {
    server: SocketAddr,
    patience: Duration,
    stream: Option<TcpStream>,
}

impl Tcp {
    /// The reply to a query. A connection that the server has closed since the
    /// last query is made anew.
    async fn ask(&mut self, request: &Request) -> Result<Reply, Problem> {
        let mut query = request.clone();
        query.header_mut().set_random_id();
        query.set_udp_payload_size(UDP_OCTETS);
        let octets = query.to_vec().map_err(|_| Problem::Malformed)?;
        let reply = match self.stream.take() {
            Some(stream) => match self.exchange(stream, &octets).await {
                Err(error) if Problem::of(&error) == Problem::Closed => {
                    self.exchange_anew(&octets).await
                }
                other => other,
            },
            None => self.exchange_anew(&octets).await,
        };
        let reply = reply.map_err(|error| Problem::of(&error))?;
        let reply = Message::from_octets(reply).map_err(|_| Problem::Malformed)?;
        if query.is_answer(reply.for_slice()) {
            Ok(reply)
        } else {
            Err(Problem::Malformed)
        }
    }

    async fn exchange_anew(&mut self, query: &[u8]) -> io::Result<Vec<u8>> {
        let server = self.server;
        let stream = timeout(self.patience, connect(server)).await??;
        self.exchange(stream, query).await
    }

    /// Sends a query and waits for the reply; keeps the connection if it comes.
    async fn exchange(&mut self, mut stream: TcpStream, query: &[u8]) -> io::Result<Vec<u8>> {
        let length = u16::try_from(query.len()).map_err(io::Error::other)?;
        let message = [&length.to_be_bytes(), query].concat();
        let reply = timeout(self.patience, async {
            stream.write_all(&message).await?;
            let length = stream.read_u16().await?;
            let mut reply = vec![0; length.into()];
            stream.read_exact(&mut reply).await?;
            io::Result::Ok(reply)
        });
        let reply = reply.await??;
        self.stream = Some(stream);
        Ok(reply)
    }
}

async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let socket = match server {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.bind(SocketAddr::new(server.ip(), 0))?;
    socket.connect(server).await
}

fn request(name: &NameRef, rtype: Rtype) -> Request {
    let mut query = Vec::new();
    write_query(&mut query, name, rtype, None);
    let query = Message::from_octets(query).expect("a query is a message");
    RequestMessage::new(query).expect("it asks for no transfer")
}

/// A name directly below the apex that no zone has: its label is drawn anew
/// each time. `None` if there is no room below the apex, or the system draws no
/// numbers.
fn missing_name(apex: &NameRef) -> Option<Name<Vec<u8>>> {
    let drawn = getrandom::u64().ok()?;
    let label = format!("dns-glue-probe-{drawn:016x}");
    let octets = u8::try_from(label.len()).ok()?;
    Name::from_octets([&[octets], label.as_bytes(), apex.as_slice()].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_port_is_no_silence() {
        // Bound to nothing a moment later.
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let server = socket.local_addr().expect("an address");
        drop(socket);
        let zone = ProbedZone {
            apex: Name::vec_from_str("glue.example.").expect("a name"),
            serial: 1,
            delegation: None,
        };
        let zones = [zone.clone(), zone];
        for answers in probe(server, &zones, &Timing::default()).await {
            assert_eq!(answers.udp, Err(Problem::NotListening));
            assert_eq!(answers.tcp, Err(Problem::NotListening));
            assert_eq!((answers.miss, answers.referral), (None, None));
        }
    }

    #[test]
    fn missing_names_are_drawn_below_the_apex() {
        let apex = Name::vec_from_str("glue.example.").expect("a name");
        let first = missing_name(apex.for_slice()).expect("room");
        assert_eq!(first.label_count(), apex.label_count() + 1);
        assert!(first.ends_with(&apex));
        assert_ne!(missing_name(apex.for_slice()), Some(first));
        let label = "x".repeat(63);
        let long = format!("{label}.{label}.{label}.{}.", "x".repeat(40));
        let long = Name::vec_from_str(&long).expect("a long name");
        assert_eq!(missing_name(long.for_slice()), None);
    }
}
