//! The client: queries as any resolver sends them, over sockets of the system.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result};
use domain::base::{Message, MessageBuilder, Name, Rtype, iana::Rcode};

use super::namespace::Namespace;

/// A reply that takes longer is lost.
const PATIENCE: Duration = Duration::from_secs(3);

/// What carries a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// The EDNS part of a query.
#[derive(Clone, Copy, Debug)]
pub struct Edns {
    /// Octets that the client takes.
    pub octets: u16,
    /// Whether it wants DNSSEC records (DO).
    pub dnssec: bool,
}

/// A query.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// QNAME.
    pub name: &'a str,
    /// QTYPE.
    pub rtype: Rtype,
    /// OPT, if it has one.
    pub edns: Option<Edns>,
    /// How it is sent.
    pub transport: Transport,
}

impl Query<'_> {
    /// The query as a message.
    fn message(&self) -> Result<Message<Vec<u8>>> {
        let name: Name<Vec<u8>> = self
            .name
            .parse()
            .with_context(|| format!("read the name {}", self.name))?;
        let mut message = MessageBuilder::new_vec();
        message.header_mut().set_random_id();
        let mut question = message.question();
        question.push((name, self.rtype))?;
        let mut additional = question.additional();
        if let Some(edns) = self.edns {
            additional.opt(|opt| {
                opt.set_udp_payload_size(edns.octets);
                opt.set_dnssec_ok(edns.dnssec);
                Ok(())
            })?;
        }
        Ok(additional.into_message())
    }

    /// Asks a server from inside a namespace.
    ///
    /// # Errors
    /// When no reply comes in time, or one that belongs to no such query.
    pub fn ask(&self, from: &Namespace, server: IpAddr) -> Result<Message<Vec<u8>>> {
        let query = self.message()?;
        let server = SocketAddr::new(server, 53);
        let reply = from.within(|| match self.transport {
            Transport::Udp => over_udp(server, query.as_slice()),
            Transport::Tcp => over_tcp(server, query.as_slice()),
        })?;
        let reply = Message::from_octets(reply).context("the reply is shorter than a header")?;
        anyhow::ensure!(
            // The server may refuse to repeat the question.
            reply.is_answer(&query) || reply.header().rcode() != Rcode::NOERROR,
            "the reply belongs to another query"
        );
        Ok(reply)
    }
}

fn over_udp(server: SocketAddr, query: &[u8]) -> Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).context("open a socket")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    // Connected: the kernel takes replies from the server's address only.
    socket.connect(server).context("connect")?;
    socket.send(query).context("send the query")?;
    let mut reply = vec![0; usize::from(u16::MAX)];
    let octets = socket.recv(&mut reply).context("no reply over UDP")?;
    reply.truncate(octets);
    Ok(reply)
}

fn over_tcp(server: SocketAddr, query: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE).context("connect over TCP")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = u16::try_from(query.len()).context("the query is too long")?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(query);
    stream.write_all(&framed).context("send the query")?;
    let mut length = [0; 2];
    stream
        .read_exact(&mut length)
        .context("no reply over TCP")?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream
        .read_exact(&mut reply)
        .context("the reply ends early")?;
    Ok(reply)
}
