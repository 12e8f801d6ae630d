//! The sockets of the fallback, one pair (UDP, TCP) for each address.
//!
//! Bound address by address, not to the wildcard, so that every reply leaves
//! from the address that was asked (RFC 2181 section 4.1). The addresses
//! follow those of the host: [`Fallback::add_address`] and
//! [`Fallback::remove_address`] may be called at any time.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::base::message_builder::AdditionalBuilder;
use domain::base::question::ComposeQuestion;
use domain::base::record::ComposeRecord;
use domain::base::wire::Composer;
use domain::base::{Message, MessageBuilder, StreamTarget};
use domain::net::server::message::Request;
use domain::net::server::service::{CallResult, Service, ServiceError, ServiceResult};
use domain::net::server::{ConnectionConfig, dgram, stream};
use futures_util::stream::{Iter, iter};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::FallbackZones;
use super::response::{Settings, Transport, answer};
use super::transport::{
    Connections, Datagram, DatagramBuffers, DatagramSocket, Frame, FrameBuffers, Listener,
};

/// What clients may take of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TCP connections at a time.
    pub connections: usize,
    /// TCP connections at a time from one client address.
    pub connections_per_client: usize,
    /// How long a connection may stay without a whole query (RFC 7766 section
    /// 6.2.3).
    pub idle_timeout: Duration,
    /// How long a client may take to read a reply.
    pub write_timeout: Duration,
    /// Queries of one connection that may await their replies, at least 1;
    /// further ones are not read until one is sent.
    pub unanswered: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            connections_per_client: 64,
            idle_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(5),
            unanswered: 128,
        }
    }
}

/// What every server of the fallback answers from.
#[derive(Debug)]
struct Shared {
    /// The zones, replaced as a whole.
    zones: RwLock<Arc<FallbackZones>>,
    /// How it answers.
    settings: Settings,
}

impl Shared {
    /// Answers out of the zones of this moment.
    fn answer(&self, request: &[u8], transport: Transport) -> Option<Vec<u8>> {
        // The lock is held for a clone only: a reload never waits for an
        // answer, nor an answer for a reload.
        let zones = Arc::clone(&self.zones.read().unwrap_or_else(PoisonError::into_inner));
        answer(&zones, &self.settings, request, transport)
    }
}

/// The running fallback. Dropping it closes all sockets.
#[derive(Debug)]
pub struct Fallback {
    shared: Arc<Shared>,
    limits: Limits,
    connections: Arc<Connections>,
    bound: BTreeMap<SocketAddr, Bound>,
}

impl Fallback {
    /// Starts without an address. Needs a tokio runtime from
    /// [`Self::add_address`] on.
    #[must_use]
    pub fn new(zones: FallbackZones, settings: Settings, limits: Limits) -> Self {
        Self {
            shared: Arc::new(Shared {
                zones: RwLock::new(Arc::new(zones)),
                settings,
            }),
            limits,
            connections: Connections::new(limits.connections, limits.connections_per_client),
            bound: BTreeMap::new(),
        }
    }

    /// Serves other zones from now on. Each answer comes out of the old ones
    /// or the new ones as a whole.
    pub fn replace_zones(&self, zones: FallbackZones) {
        *self
            .shared
            .zones
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(zones);
    }

    /// Listens on an address too, over UDP and TCP. Does nothing if it does
    /// already. With port 0 the system chooses one, the same for both.
    ///
    /// Returns the address with its port.
    ///
    /// # Errors
    ///
    /// What binding says: the port is taken, the address is not (or not yet:
    /// IPv6 addresses while they are tentative) the host's, or privileges lack.
    /// Neither socket remains then.
    pub async fn add_address(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        if self.bound.contains_key(&address) {
            return Ok(address);
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let socket = UdpSocket::bind(address).await?;
        let bound = Bound::new(socket, listener, self);
        self.bound.insert(address, bound);
        log::debug!("fallback: listening on {address}");
        Ok(address)
    }

    /// Ceases to listen on an address; queries under way are answered, and
    /// connections closed. Returns whether it had listened there.
    pub async fn remove_address(&mut self, address: SocketAddr) -> bool {
        let Some(bound) = self.bound.remove(&address) else {
            return false;
        };
        bound.shut_down();
        bound.close().await;
        log::debug!("fallback: no longer listening on {address}");
        true
    }

    /// The addresses it listens on.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = SocketAddr> + '_ {
        self.bound.keys().copied()
    }

    /// The number of open TCP connections.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.connections.count()
    }

    /// Stops: no further query is taken, those under way are answered, for at
    /// most `patience`; then every socket is closed.
    pub async fn stop(mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let bound = std::mem::take(&mut self.bound);
        for server in bound.values() {
            server.shut_down();
        }
        for (_, server) in bound {
            server.finish(deadline).await;
        }
    }
}

/// The UDP server of one address.
type UdpServer = dgram::DgramServer<DatagramSocket, DatagramBuffers, Responder>;
/// The TCP server of one address.
type TcpServer = stream::StreamServer<Listener, FrameBuffers, Responder>;

/// The servers of one address. Dropping it shuts them down.
struct Bound {
    udp: Arc<UdpServer>,
    tcp: Arc<TcpServer>,
    udp_task: JoinHandle<()>,
    tcp_task: JoinHandle<()>,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").finish_non_exhaustive()
    }
}

impl Bound {
    /// Starts both servers.
    fn new(socket: UdpSocket, listener: TcpListener, fallback: &Fallback) -> Self {
        let Limits {
            idle_timeout,
            write_timeout,
            unanswered,
            connections,
            ..
        } = fallback.limits;
        let responder = Responder(Arc::clone(&fallback.shared));

        let mut config = dgram::Config::new();
        config.set_write_timeout(write_timeout);
        let udp = Arc::new(UdpServer::with_config(
            DatagramSocket(socket),
            DatagramBuffers,
            responder.clone(),
            config,
        ));

        let mut connection = ConnectionConfig::new();
        connection.set_idle_timeout(idle_timeout);
        connection.set_response_write_timeout(write_timeout);
        // One queue holds them all, so that domain never has to drop a reply.
        connection.set_max_queued_responses(usize::from(unanswered.max(1)));
        let mut config = stream::Config::new();
        config.set_max_concurrent_connections(connections);
        config.set_connection_config(connection);
        let listener = Listener::new(
            listener,
            Arc::clone(&fallback.connections),
            u64::from(unanswered.max(1)),
        );
        let tcp = Arc::new(TcpServer::with_config(
            listener,
            FrameBuffers,
            responder,
            config,
        ));

        let udp_task = tokio::spawn({
            let udp = Arc::clone(&udp);
            async move { udp.run().await }
        });
        let tcp_task = tokio::spawn({
            let tcp = Arc::clone(&tcp);
            async move { tcp.run().await }
        });
        Self {
            udp,
            tcp,
            udp_task,
            tcp_task,
        }
    }

    /// Tells both servers, and the connections, to end.
    fn shut_down(&self) {
        // Fails only if the server has ended by itself.
        let _ = self.udp.shutdown();
        let _ = self.tcp.shutdown();
    }

    /// Waits for the end of what was under way, then closes the sockets.
    async fn finish(self, deadline: Instant) {
        let left = || deadline.saturating_duration_since(Instant::now());
        let _ = self.udp.await_shutdown(left()).await;
        let _ = self.tcp.await_shutdown(left()).await;
        self.close().await;
    }

    /// Closes the sockets of servers that were told to end: waits until their
    /// tasks have let go of them.
    async fn close(mut self) {
        // They end by themselves; an error would be a panic in domain's code,
        // after which the task holds nothing either.
        let _ = (&mut self.udp_task).await;
        let _ = (&mut self.tcp_task).await;
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.shut_down();
        // The servers hold the sockets; their tasks must not hold the servers.
        self.udp_task.abort();
        self.tcp_task.abort();
    }
}

/// domain's service: hands requests to [`answer`].
#[derive(Clone, Debug)]
struct Responder(Arc<Shared>);

/// The replies to one request: one, or none.
type Replies = Iter<std::option::IntoIter<ServiceResult<Vec<u8>>>>;

impl Responder {
    /// The reply in the form in which domain's servers send it.
    fn respond(&self, request: &[u8], transport: Transport) -> Ready<Replies> {
        let reply = self.0.answer(request, transport).map(|reply| {
            rebuild(&reply)
                .map(CallResult::new)
                .map_err(|()| ServiceError::InternalError)
        });
        ready(iter(reply))
    }
}

impl Service<Datagram, ()> for Responder {
    type Target = Vec<u8>;
    type Stream = Replies;
    type Future = Ready<Replies>;

    fn call(&self, request: Request<Datagram, ()>) -> Self::Future {
        self.respond(request.message().as_slice(), Transport::Udp)
    }
}

impl Service<Frame, ()> for Responder {
    type Target = Vec<u8>;
    type Stream = Replies;
    type Future = Ready<Replies>;

    fn call(&self, request: Request<Frame, ()>) -> Self::Future {
        self.respond(request.message().as_slice(), Transport::Tcp)
    }
}

/// Octets of a finished message, appended as they are: their compression
/// pointers stay right because every octet keeps its place.
struct Raw<'a>(&'a [u8]);

impl ComposeQuestion for Raw<'_> {
    fn compose_question<Target: Composer + ?Sized>(
        &self,
        target: &mut Target,
    ) -> Result<(), Target::AppendError> {
        target.append_slice(self.0)
    }
}

impl ComposeRecord for Raw<'_> {
    fn compose_record<Target: Composer + ?Sized>(
        &self,
        target: &mut Target,
    ) -> Result<(), Target::AppendError> {
        target.append_slice(self.0)
    }
}

/// A finished message as the builder that domain's servers take. They accept
/// nothing else, and a builder counts the records that it is given: so each
/// is handed over, as octets.
fn rebuild(reply: &[u8]) -> Result<AdditionalBuilder<StreamTarget<Vec<u8>>>, ()> {
    let message = Message::from_octets(reply).map_err(drop)?;
    let mut builder = MessageBuilder::new_stream_vec();
    *builder.header_mut() = message.header();

    let mut start = 12;
    let mut octets = |end: usize| {
        let raw = reply.get(start..end).map(Raw).ok_or(());
        start = end;
        raw
    };
    let mut builder = builder.question();
    let mut questions = message.question();
    while let Some(question) = questions.next() {
        question.map_err(drop)?;
        builder.push(octets(questions.pos())?).map_err(drop)?;
    }
    let mut section = questions.answer().map_err(drop)?;
    let mut builder = builder.answer();
    while let Some(record) = section.next() {
        record.map_err(drop)?;
        builder.push(octets(section.pos())?).map_err(drop)?;
    }
    let mut section = section.next_section().map_err(drop)?.ok_or(())?;
    let mut builder = builder.authority();
    while let Some(record) = section.next() {
        record.map_err(drop)?;
        builder.push(octets(section.pos())?).map_err(drop)?;
    }
    let mut section = section.next_section().map_err(drop)?.ok_or(())?;
    let mut builder = builder.additional();
    while let Some(record) = section.next() {
        record.map_err(drop)?;
        builder.push(octets(section.pos())?).map_err(drop)?;
    }
    Ok(builder)
}
