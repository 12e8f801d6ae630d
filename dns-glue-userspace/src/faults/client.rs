//! A client: it asks at its own pace, looks at every octet of every reply, and
//! knows of each query what became of it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::judge::{Judgement, judge};
use super::query::{Due, Query};
use super::tally::Tally;
use super::versions::{Knowledge, Versions};
use crate::conform::random::{Draw as _, Random};
use crate::testbed::socket;

/// Queries of a client that are under way at a time. An end of a veth pair
/// holds 256 frames, and several clients share it.
const WINDOW: usize = 32;
/// A query without a reply for so long is lost.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause between two looks at the socket.
const PAUSE: Duration = Duration::from_millis(1);
/// Different replies to one query that are remembered: there are as many as
/// versions, and a wrong one now and then.
const REMEMBERED: usize = 8;
/// Octets of the ID, which is not part of what is remembered.
const ID_OCTETS: usize = 2;

/// To whom a client speaks, which decides when a fault excuses its losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// To the addresses that nothing happens to.
    Steady,
    /// To the address that comes and goes.
    Wandering,
    /// To the addresses of the interface that things happen to.
    Troubled,
    /// To the server behind.
    Behind,
}

/// What a client is.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// To whom it speaks.
    pub group: Group,
    /// The address.
    pub server: IpAddr,
    /// Queries in a second.
    pub pace: u32,
}

/// What the clients of a phase have in common.
#[derive(Debug, Default)]
pub struct Moment {
    /// Whether nothing more is to be asked.
    over: AtomicBool,
    /// A number that changes with the versions that may answer, and in its low
    /// octet these.
    allowed: AtomicU64,
}

impl Moment {
    /// Says which versions the kernel may answer from. A query that is under
    /// way just now may still be answered from those of before.
    pub fn allow(&self, versions: Versions) {
        let number = self.allowed.load(Ordering::SeqCst) >> 8;
        let allowed = (number + 1) << 8 | u64::from(versions.0);
        self.allowed.store(allowed, Ordering::SeqCst);
    }

    /// Ends it.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    fn now(&self) -> u64 {
        self.allowed.load(Ordering::SeqCst)
    }

    /// What may answer a query that was sent then and is answered now.
    fn since(&self, then: u64) -> Versions {
        match self.now() {
            now if now == then => Versions(now as u8),
            _ => Versions::EITHER,
        }
    }
}

/// A query under way.
#[derive(Debug)]
struct Open {
    place: usize,
    sent: Instant,
    /// [`Moment::now`] when it was sent.
    moment: u64,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    role: Role,
    socket: UdpSocket,
    knowledge: Arc<Knowledge>,
    queries: Arc<[Query]>,
    order: Random,
    next_id: u16,
    open: HashMap<u16, Open>,
    /// IDs in the order of their sending, those that were answered among them.
    sent: VecDeque<(u16, Instant)>,
    given_up: HashSet<u16>,
    /// Replies that were judged before, without their IDs, by query.
    judged: Vec<Vec<(Box<[u8]>, Judgement)>>,
    tally: Tally,
    is_excused: bool,
}

impl Client {
    /// One with a socket in the namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// There is no route to the server, or no socket.
    pub fn open(
        role: Role,
        knowledge: Arc<Knowledge>,
        queries: Arc<[Query]>,
        seed: u64,
    ) -> io::Result<Self> {
        let socket = socket::open((role.server, 53).into())?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            role,
            socket,
            knowledge,
            judged: vec![Vec::new(); queries.len()],
            queries,
            order: Random(seed),
            next_id: 0,
            open: HashMap::new(),
            sent: VecDeque::new(),
            given_up: HashSet::new(),
            tally: Tally::default(),
            is_excused: false,
        })
    }

    /// To whom it speaks.
    pub fn group(&self) -> Group {
        self.role.group
    }

    /// Asks until the moment is over and every query has its reply or is given
    /// up; what became of them. `is_excused` says that they may be lost or pass.
    pub fn ask(&mut self, moment: &Moment, is_excused: bool) -> Tally {
        self.is_excused = is_excused;
        let mut start = Instant::now();
        let mut begun = 0;
        loop {
            let is_over = moment.over.load(Ordering::SeqCst);
            if !is_over {
                let due = (start.elapsed().as_secs_f64() * f64::from(self.role.pace)) as u64;
                while begun < due && self.open.len() < WINDOW {
                    begun += 1;
                    if !self.send(moment) {
                        break;
                    }
                }
                if begun < due {
                    // What could not be asked in its time is not made up for.
                    start = Instant::now();
                    begun = 0;
                }
            }
            self.receive(moment);
            self.give_up();
            if is_over && self.open.is_empty() {
                return std::mem::take(&mut self.tally);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Sends a query; whether that was possible.
    fn send(&mut self, moment: &Moment) -> bool {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        if self.open.contains_key(&id) {
            return false;
        }
        let place = self.order.below(self.queries.len());
        let mut message = self.queries[place].message.clone();
        message[..ID_OCTETS].copy_from_slice(&id.to_be_bytes());
        let now = moment.now();
        // The first send after an ICMP error tells of that, and sends nothing.
        let sent = self.socket.send(&message);
        if sent.or_else(|_| self.socket.send(&message)).is_err() {
            self.tally.unsent += 1;
            return false;
        }
        let sent = Instant::now();
        self.tally.asked += 1;
        self.given_up.remove(&id);
        self.sent.push_back((id, sent));
        let open = Open {
            place,
            sent,
            moment: now,
        };
        self.open.insert(id, open);
        true
    }

    /// Takes everything that has come.
    fn receive(&mut self, moment: &Moment) {
        let mut buffer = [0; 65_535];
        loop {
            let octets = match self.socket.recv(&mut buffer) {
                Ok(octets) => octets,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP error: the query that it is about stays without a
                // reply, and is given up.
                Err(_) => continue,
            };
            self.take(&buffer[..octets], moment);
        }
    }

    fn take(&mut self, reply: &[u8], moment: &Moment) {
        let id = reply.first_chunk().map(|id| u16::from_be_bytes(*id));
        let Some((id, open)) = id.and_then(|id| Some((id, self.open.remove(&id)?))) else {
            match id.is_some_and(|id| self.given_up.remove(&id)) {
                true => self.tally.late += 1,
                false => self.tally.unasked += 1,
            }
            return;
        };
        debug_assert!(!self.given_up.contains(&id), "it was open");
        let query = &self.queries[open.place];
        let is_due = query.due == Due::Apex;
        let known = &mut self.judged[open.place];
        let remembered = known
            .iter()
            .find(|(octets, _)| **octets == reply[ID_OCTETS..]);
        let fresh;
        let judgement = match remembered {
            Some((_, judgement)) => judgement,
            None => {
                fresh = judge(&self.knowledge, query, reply);
                if known.len() < REMEMBERED {
                    known.push((reply[ID_OCTETS..].into(), fresh.clone()));
                }
                &fresh
            }
        };
        let allowed = moment.since(open.moment);
        self.tally
            .count(judgement, allowed, is_due, self.is_excused);
    }

    /// Gives up queries that have waited for too long.
    fn give_up(&mut self) {
        while let Some((id, sent)) = self.sent.front() {
            let is_this = |open: &Open| open.sent == *sent;
            if self.open.get(id).is_some_and(is_this) {
                if sent.elapsed() < PATIENCE {
                    return;
                }
                let open = self.open.remove(id).expect("it was there");
                self.given_up.insert(*id);
                let server = self.role.server;
                let due = self.queries[open.place].due;
                self.tally
                    .lose(self.is_excused, || format!("a query to {server}, {due:?}"));
            }
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::SocketAddr;

    use domain::base::Name;

    use super::*;
    use crate::faults::{marked, query};
    use crate::zone::source::ZoneSource;

    fn knowledge() -> Knowledge {
        let folder = std::env::temp_dir().join(format!("dns-glue-client-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let sources = [1, 2, 3].map(|version| {
            let path = folder.join(format!("{version}.zone"));
            fs::write(&path, marked::zone(version, 3)).expect("a file");
            let apex = Name::vec_from_str(marked::APEX).expect("a name");
            ZoneSource { apex, path }
        });
        let knowledge = Knowledge::read(&sources).expect("zones");
        fs::remove_dir_all(&folder).expect("the folder goes");
        knowledge
    }

    /// A client that asks a socket of ours for the apex, and that socket.
    fn pair() -> (Client, UdpSocket) {
        let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let knowledge = Arc::new(knowledge());
        let role = Role {
            group: Group::Behind,
            server: [127, 0, 0, 1].into(),
            pace: 1000,
        };
        let queries: Arc<[Query]> = query::apex(&knowledge).into();
        let client = Client::open(role, knowledge, queries, 1).expect("a client");
        let address = server.local_addr().expect("it has one");
        client.socket.connect(address).expect("a route");
        (client, server)
    }

    /// What the server behind says to a query for the apex.
    fn reply(client: &Client, query: &[u8]) -> Vec<u8> {
        let mut reply = query[..client.queries[0].question_end].to_vec();
        reply[2] = 0x84;
        reply[7] = 1;
        reply.extend(client.knowledge.soa_behind.as_slice());
        reply.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        reply
    }

    /// Lets the client ask one query, which the server gets.
    fn ask_one(client: &mut Client, server: &UdpSocket, moment: &Moment) -> (Vec<u8>, SocketAddr) {
        assert!(client.send(moment));
        let mut buffer = [0; 512];
        let (octets, from) = server.recv_from(&mut buffer).expect("a query");
        (buffer[..octets].to_vec(), from)
    }

    fn receive(client: &mut Client, moment: &Moment) {
        // Loopback hands over at once, but not to whoever does not wait at all.
        std::thread::sleep(Duration::from_millis(20));
        client.receive(moment);
    }

    #[test]
    fn every_query_is_answered_lost_or_late_and_nothing_else_comes() {
        let (mut client, server) = pair();
        let moment = Moment::default();
        moment.allow(Versions::FIRST);

        let (query, from) = ask_one(&mut client, &server, &moment);
        let answer = reply(&client, &query);
        server.send_to(&answer, from).expect("sent");
        receive(&mut client, &moment);
        assert_eq!((client.tally.asked, client.tally.behind), (1, 1));

        // The same once more: nobody asked.
        server.send_to(&answer, from).expect("sent");
        receive(&mut client, &moment);
        assert_eq!(client.tally.unasked, 1);

        // One that gets no reply in its time.
        let (query, from) = ask_one(&mut client, &server, &moment);
        client.give_up();
        assert_eq!(client.tally.lost, 0);
        let long_ago = Instant::now()
            .checked_sub(2 * PATIENCE)
            .expect("a boot long ago");
        let id = u16::from_be_bytes([query[0], query[1]]);
        client.open.get_mut(&id).expect("it is open").sent = long_ago;
        client.sent.back_mut().expect("it was sent").1 = long_ago;
        client.give_up();
        assert_eq!((client.tally.asked, client.tally.lost), (2, 1));
        server.send_to(&reply(&client, &query), from).expect("sent");
        receive(&mut client, &moment);
        assert_eq!((client.tally.late, client.tally.unasked), (1, 1));

        // A wrong one.
        let (query, from) = ask_one(&mut client, &server, &moment);
        let mut wrong = reply(&client, &query);
        wrong[3] = 2;
        server.send_to(&wrong, from).expect("sent");
        receive(&mut client, &moment);
        assert_eq!((client.tally.asked, client.tally.wrong), (3, 1));
    }

    #[test]
    fn a_reply_is_judged_by_what_was_allowed_from_its_query_on() {
        let moment = Moment::default();
        moment.allow(Versions::FIRST);
        let then = moment.now();
        assert_eq!(moment.since(then), Versions::FIRST);
        moment.allow(Versions::SECOND);
        assert_eq!(moment.since(then), Versions::EITHER);
        assert_eq!(moment.since(moment.now()), Versions::SECOND);
        // The same versions again are another time.
        moment.allow(Versions::FIRST);
        assert_eq!(moment.since(then), Versions::EITHER);
    }
}
