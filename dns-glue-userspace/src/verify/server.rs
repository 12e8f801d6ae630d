//! The server behind, asked over UDP and TCP.

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use domain::base::Message;
use domain::base::iana::Rtype;

use crate::compare::Reply;
use crate::report::query::write_query;
use crate::serve::behind::reply;
use crate::zone::records::NameRef;

/// How often a query over UDP is sent before the server counts as silent.
const TRIES: usize = 3;
/// How long one reply is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The server at an address.
pub struct Server {
    address: SocketAddr,
    socket: UdpSocket,
    /// Kept open as long as the server does.
    stream: RefCell<Option<TcpStream>>,
}

/// Why the server cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No socket, no route, or nobody there.
    #[error("--against {address}: {cause}")]
    System {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// No reply.
    #[error("--against {0}: no reply over UDP, asked {TRIES} times")]
    Silent(SocketAddr),
    /// A reply that is no message.
    #[error("--against {address}: its reply over TCP cannot be read: {cause}")]
    Malformed {
        /// The address.
        address: SocketAddr,
        /// What is wrong with it.
        cause: crate::compare::reply::Malformed,
    },
}

impl Server {
    /// The server at an address.
    ///
    /// # Errors
    ///
    /// There is no socket or no route.
    pub fn at(address: SocketAddr) -> Result<Self, ServerError> {
        let open = || {
            let any: IpAddr = match address {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            let socket = UdpSocket::bind((any, 0))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            // Connected: datagrams of others do not come, and a closed port is
            // told at once.
            socket.connect(address)?;
            Ok(socket)
        };
        Ok(Self {
            address,
            socket: open().map_err(|cause| ServerError::System { address, cause })?,
            stream: RefCell::new(None),
        })
    }

    /// Its reply over UDP.
    ///
    /// # Errors
    ///
    /// [`ServerError::System`] or [`ServerError::Silent`].
    pub fn ask_udp(&self, query: &[u8]) -> Result<Vec<u8>, ServerError> {
        let mut buffer = vec![0; usize::from(u16::MAX)];
        for _ in 0..TRIES {
            self.socket.send(query).map_err(|cause| self.error(cause))?;
            if let Some(octets) = self.receive(query, &mut buffer)? {
                buffer.truncate(octets);
                return Ok(buffer);
            }
        }
        Err(ServerError::Silent(self.address))
    }

    /// Octets of the reply to `query`, if it comes in time; late replies to
    /// others before it are left out.
    fn receive(&self, query: &[u8], buffer: &mut [u8]) -> Result<Option<usize>, ServerError> {
        loop {
            match self.socket.recv(buffer) {
                Ok(octets) if is_reply_to(query, &buffer[..octets]) => return Ok(Some(octets)),
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(self.error(error)),
            }
        }
    }

    /// Its reply over TCP.
    ///
    /// # Errors
    ///
    /// There is no connection, or no reply that can be read.
    pub fn ask_tcp(&self, query: &[u8]) -> Result<Reply, ServerError> {
        let octets = self
            .exchange(query)
            // The server may have closed a connection that was idle.
            .or_else(|_| {
                self.stream.take();
                self.exchange(query)
            })
            .map_err(|cause| self.error(cause))?;
        Reply::parse(&octets).map_err(|cause| ServerError::Malformed {
            address: self.address,
            cause,
        })
    }

    /// The serial of its zone `apex`; `None` if it does not answer with
    /// authority for it.
    ///
    /// # Errors
    ///
    /// As of [`Server::ask_udp`].
    pub fn serial(&self, apex: &NameRef) -> Result<Option<u32>, ServerError> {
        let mut query = Vec::new();
        write_query(&mut query, apex, Rtype::SOA, None);
        let reply = self.ask_udp(&query)?;
        let reply = Message::from_slice(&reply).ok();
        Ok(reply.and_then(|reply| reply::serial(reply, apex).ok()))
    }

    fn exchange(&self, query: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let octets = u16::try_from(query.len()).expect("a query is short");
        stream.write_all(&[&octets.to_be_bytes(), query].concat())?;
        let mut octets = [0; 2];
        stream.read_exact(&mut octets)?;
        let mut reply = vec![0; usize::from(u16::from_be_bytes(octets))];
        stream.read_exact(&mut reply)?;
        self.stream.replace(Some(stream));
        Ok(reply)
    }

    fn error(&self, cause: io::Error) -> ServerError {
        ServerError::System {
            address: self.address,
            cause,
        }
    }
}

/// Whether a message has the ID of the query. IDs differ from query to query,
/// so that a late reply is not taken for one to the next query.
fn is_reply_to(query: &[u8], message: &[u8]) -> bool {
    message.len() >= 2 && message.get(..2) == query.get(..2)
}
