//! The sockets that domain's servers run on, and what those servers leave to
//! their sockets and buffers.
//!
//! - A datagram server hands its whole buffer on, not the part that was
//!   received: [`Datagram`] keeps the length.
//! - It answers responses with FORMERR, so that two of them could keep each
//!   other busy: [`DatagramSocket`] drops what has QR set. Streams have no such
//!   loop; [`Frame`] makes a response unreadable, which closes the stream.
//! - It ends at the first error of its socket: [`DatagramSocket`] reports none.
//! - A stream server counts connections of one listener, and spins while
//!   accepting fails: [`Listener`] counts over all of them, and rests.
//! - It drops replies when more of a connection wait than its queue takes:
//!   [`Stream`] lets it read no further query until one is written.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Future, Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeBounds;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready as poll_ready};
use std::time::Duration;

use domain::dep::octseq::Octets;
use domain::net::server::buf::BufSource;
use domain::net::server::sock::{AsyncAccept, AsyncDgramSock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{Sleep, sleep};

/// The longest query over UDP, octets; longer ones arrive cut off, and do not
/// parse. What a query can need: a question and some options.
const DATAGRAM_OCTETS: usize = 4096;

/// Octets behind the message in a [`Datagram`] that hold its length.
const LENGTH_OCTETS: usize = 2;

/// How long accepting rests after it failed, for want of file descriptors say.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Octets of a message up to its flags' first octet, in which QR is.
const FLAGS_OFFSET: usize = 2;

/// Whether a message is a response.
fn is_response(message: &[u8]) -> bool {
    message
        .get(FLAGS_OFFSET)
        .is_some_and(|flags| flags & 0x80 != 0)
}

/// A buffer for one datagram, with the length of the message at its end.
pub(super) struct Datagram(Box<[u8]>);

impl AsRef<[u8]> for Datagram {
    /// The message.
    fn as_ref(&self) -> &[u8] {
        let (message, length) = self.0.split_at(DATAGRAM_OCTETS);
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        &message[..length.min(DATAGRAM_OCTETS)]
    }
}

impl Octets for Datagram {
    type Range<'a> = &'a [u8];

    fn range(&self, range: impl RangeBounds<usize>) -> &[u8] {
        self.as_ref().range(range)
    }
}

impl AsMut<[u8]> for Datagram {
    /// The whole buffer, as [`DatagramSocket`] fills it.
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// Makes buffers for datagrams.
#[derive(Clone, Copy, Debug)]
pub(super) struct DatagramBuffers;

impl BufSource for DatagramBuffers {
    type Output = Datagram;

    fn create_buf(&self) -> Datagram {
        Datagram(vec![0; DATAGRAM_OCTETS + LENGTH_OCTETS].into())
    }

    fn create_sized(&self, _octets: usize) -> Datagram {
        // Only stream servers ask for a size.
        self.create_buf()
    }
}

/// A UDP socket that hands on queries only.
#[derive(Debug)]
pub(super) struct DatagramSocket(pub(super) UdpSocket);

impl AsyncDgramSock for DatagramSocket {
    fn poll_send_to(
        &self,
        context: &mut Context<'_>,
        reply: &[u8],
        client: &SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send_to(context, reply, *client)
    }

    fn readable(&self) -> Pin<Box<dyn Future<Output = io::Result<()>> + '_ + Send>> {
        Box::pin(self.0.readable())
    }

    fn try_recv_buf_from(&self, buffer: &mut ReadBuf<'_>) -> io::Result<(usize, SocketAddr)> {
        let buffer = buffer.initialize_unfilled();
        let (message, length) = buffer.split_at_mut(DATAGRAM_OCTETS);
        let (octets, client) = self.0.try_recv_from(message).map_err(|error| {
            if error.kind() != io::ErrorKind::WouldBlock {
                log::debug!("receiving a datagram: {error}");
            }
            // Anything else would end the server for all clients.
            io::ErrorKind::WouldBlock
        })?;
        // Port 0 cannot be answered.
        if is_response(&message[..octets]) || client.port() == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let word = u16::try_from(octets).expect("the buffer is shorter");
        length.copy_from_slice(&word.to_be_bytes());
        Ok((octets, client))
    }
}

/// One message of a stream.
pub(super) struct Frame(Vec<u8>);

impl AsRef<[u8]> for Frame {
    /// The message; nothing if it is a response.
    fn as_ref(&self) -> &[u8] {
        if is_response(&self.0) { &[] } else { &self.0 }
    }
}

impl Octets for Frame {
    type Range<'a> = &'a [u8];

    fn range(&self, range: impl RangeBounds<usize>) -> &[u8] {
        self.as_ref().range(range)
    }
}

impl AsMut<[u8]> for Frame {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// Makes buffers for the messages of streams.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameBuffers;

impl BufSource for FrameBuffers {
    type Output = Frame;

    fn create_buf(&self) -> Frame {
        Frame(Vec::new())
    }

    fn create_sized(&self, octets: usize) -> Frame {
        Frame(vec![0; octets])
    }
}

/// How many connections there may be, and how many there are.
#[derive(Debug)]
pub(super) struct Connections {
    /// In all, over every listener.
    max: usize,
    /// From one client address.
    max_per_client: usize,
    /// The open ones.
    open: Mutex<Open>,
}

/// The open connections.
#[derive(Debug, Default)]
struct Open {
    /// In all.
    total: usize,
    /// By client address; no entry is 0.
    by_client: HashMap<IpAddr, usize>,
}

impl Connections {
    /// None open yet.
    pub(super) fn new(max: usize, max_per_client: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_client,
            open: Mutex::default(),
        })
    }

    /// The number of open connections.
    pub(super) fn count(&self) -> usize {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .total
    }

    /// Admits one more, until the permit is dropped.
    fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Permit> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.total >= self.max {
            return None;
        }
        let count = open.by_client.entry(client).or_default();
        if *count >= self.max_per_client {
            return None;
        }
        *count += 1;
        open.total += 1;
        Some(Permit {
            connections: Arc::clone(self),
            client,
        })
    }
}

/// The right to one connection.
#[derive(Debug)]
pub(super) struct Permit {
    connections: Arc<Connections>,
    client: IpAddr,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self
            .connections
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Entry::Occupied(mut count) = open.by_client.entry(self.client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// A TCP listener that admits a bounded number of connections and closes
/// further ones at once, so that a client does not wait for what cannot come.
#[derive(Debug)]
pub(super) struct Listener {
    listener: TcpListener,
    connections: Arc<Connections>,
    /// Queries of one connection that may await their replies.
    max_unanswered: u64,
    /// Set while accepting rests after a failure.
    rest: Mutex<Option<Pin<Box<Sleep>>>>,
}

impl Listener {
    /// Takes a bound listener.
    pub(super) fn new(
        listener: TcpListener,
        connections: Arc<Connections>,
        max_unanswered: u64,
    ) -> Self {
        Self {
            listener,
            connections,
            max_unanswered,
            rest: Mutex::default(),
        }
    }
}

impl AsyncAccept for Listener {
    type Error = io::Error;
    type StreamType = Stream;
    type Future = Ready<io::Result<Stream>>;

    fn poll_accept(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(Self::Future, SocketAddr)>> {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(sleeping) = rest.as_mut() {
                poll_ready!(sleeping.as_mut().poll(context));
                *rest = None;
            }
            match poll_ready!(self.listener.poll_accept(context)) {
                Ok((stream, client)) => {
                    let Some(permit) = self.connections.admit(client.ip()) else {
                        continue;
                    };
                    // Replies are written whole: waiting for more only delays.
                    let _ = stream.set_nodelay(true);
                    let stream = Stream {
                        stream,
                        queries: Messages::default(),
                        replies: Messages::default(),
                        max_unanswered: self.max_unanswered,
                        reader: None,
                        _permit: permit,
                    };
                    return Poll::Ready(Ok((ready(Ok(stream)), client)));
                }
                Err(error) => {
                    log::warn!("accepting a TCP connection: {error}");
                    *rest = Some(Box::pin(sleep(ACCEPT_REST)));
                }
            }
        }
    }
}

/// Counts the messages in a stream, each led by its length (RFC 1035 section
/// 4.2.2).
#[derive(Debug, Default)]
struct Messages {
    /// Messages that have passed as a whole.
    passed: u64,
    /// The first octet of a length whose second has not come yet.
    half_length: Option<u8>,
    /// Octets that the message under way still lacks.
    left: usize,
}

impl Messages {
    /// Sees the next octets of the stream.
    fn advance(&mut self, mut octets: &[u8]) {
        while let Some((&first, rest)) = octets.split_first() {
            if self.left > 0 {
                let taken = self.left.min(octets.len());
                self.left -= taken;
                octets = &octets[taken..];
                self.passed += u64::from(self.left == 0);
            } else if let Some(high) = self.half_length.take() {
                self.left = usize::from(u16::from_be_bytes([high, first]));
                octets = rest;
                self.passed += u64::from(self.left == 0);
            } else {
                self.half_length = Some(first);
                octets = rest;
            }
        }
    }
}

/// An admitted connection.
///
/// Each query that is read is answered, or else the connection is closed: so
/// the difference of both counts is the number that await their replies.
#[derive(Debug)]
pub(super) struct Stream {
    stream: TcpStream,
    /// What was read.
    queries: Messages,
    /// What was written.
    replies: Messages,
    /// How far the counts may differ before nothing more is read.
    max_unanswered: u64,
    /// Whom to wake when reading may go on.
    reader: Option<Waker>,
    _permit: Permit,
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.queries.passed.saturating_sub(this.replies.passed) >= this.max_unanswered {
            this.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        poll_ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.queries.advance(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = poll_ready!(Pin::new(&mut this.stream).poll_write(context, octets))?;
        this.replies.advance(&octets[..written]);
        if let Some(reader) = this.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn messages_are_counted_however_they_are_cut(
            lengths in vec(0u16..400, 0..20),
            pieces in vec(1usize..50, 1..20),
        ) {
            let mut octets = Vec::new();
            for length in &lengths {
                octets.extend_from_slice(&length.to_be_bytes());
                octets.resize(octets.len() + usize::from(*length), 0xFF);
            }
            let mut messages = Messages::default();
            let mut rest = octets.as_slice();
            for piece in pieces.iter().cycle() {
                let (head, tail) = rest.split_at((*piece).min(rest.len()));
                messages.advance(head);
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(messages.passed, lengths.len() as u64);
        }
    }
}
