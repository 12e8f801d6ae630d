//! The program's way on the host: frames and addresses in memory, for
//! `explain`, `check` and the tests.
//!
//! Nothing is decided here: [`respond`] is the function that the XDP program
//! runs.

pub mod routes;

use crate::compile::Generation;
use dns_glue_common::deadlines::{Deadline, Deadlines, NEVER};
use dns_glue_common::decide::Plan;
use dns_glue_common::frame::checksum::Sum;
use dns_glue_common::frame::{Frame, Scratch, Unfit, WireHeader};
use dns_glue_common::host::Host;
use dns_glue_common::kept::{KeptBodies, KeptBody};
use dns_glue_common::limits::{KEPT_BODIES, MAX_NSID_OCTETS, MAX_QUERY_OCTETS, MAX_UDP_OCTETS};
use dns_glue_common::maps::{AddressKey, Interface, Vlan, mac_number};
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::{Action, Reason};
use dns_glue_common::referral::{PIECE_HEAD_OCTETS, Piece};
use dns_glue_common::respond::respond;
use dns_glue_common::route::RouteLookup;
use dns_glue_common::wire::{Message, MessageBuffer};
use routes::Routes;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A frame in memory, with room around it as a driver leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryFrame {
    /// The octets of the frame.
    pub octets: Vec<u8>,
    /// Octets by which its end can move.
    pub tail_room: usize,
    /// Octets by which its start can move.
    pub head_room: usize,
    /// Index of the interface that it came in on.
    pub interface: u32,
    /// How the kernel would send datagrams.
    pub routes: Routes,
}

impl Frame for MemoryFrame {
    type Rest<'r> = &'r mut [u8];

    fn linear_octets(&self) -> usize {
        self.octets.len()
    }

    fn interface(&self) -> u32 {
        self.interface
    }

    fn find_route(&self, lookup: &mut RouteLookup) -> bool {
        self.routes.find(lookup)
    }

    fn header<T: WireHeader>(&self, offset: usize) -> Option<&T> {
        let octets = self.octets.get(offset..)?.get(..size_of::<T>())?;
        // SAFETY: there are as many octets as T has, T takes any bit pattern
        // and has no alignment.
        Some(unsafe { &*octets.as_ptr().cast() })
    }

    fn read_message(
        &self,
        offset: usize,
        octets: usize,
        buffer: &mut MessageBuffer,
    ) -> Option<Sum> {
        assert!((8..=MAX_QUERY_OCTETS).contains(&octets));
        let message = self.octets.get(offset..offset + octets)?;
        buffer.0[..octets].copy_from_slice(message);
        Some(Message::new(buffer, octets).sum::<{ MAX_QUERY_OCTETS / 8 }>(0, octets))
    }

    fn resize(&mut self, octets: usize, kept: usize, _: &mut MessageBuffer) -> Result<(), Unfit> {
        let growth = octets.saturating_sub(self.octets.len());
        if growth > self.tail_room && growth > self.head_room {
            return Err(Unfit::NoRoom);
        }
        self.octets.truncate(kept);
        // What must not be relied on.
        self.octets.resize(octets, 0xa5);
        Ok(())
    }

    fn place<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]> {
        self.octets.get_mut(offset..)?.first_chunk_mut()
    }

    fn rest(&mut self, offset: usize) -> Option<&mut [u8]> {
        self.octets.get_mut(offset..)
    }

    fn write_piece(&mut self, offset: usize, piece: &Piece<'_>, octets: usize) -> bool {
        let records = piece.start + PIECE_HEAD_OCTETS;
        let Some(place) = self.octets.get_mut(offset..offset + octets) else {
            return false;
        };
        place.copy_from_slice(&piece.slab.0[records..records + octets]);
        true
    }

    fn write_body(&mut self, offset: usize, body: &[u8; MAX_UDP_OCTETS], octets: usize) -> bool {
        let Some(place) = self.octets.get_mut(offset..offset + octets) else {
            return false;
        };
        place.copy_from_slice(&body[..octets]);
        true
    }

    fn read_body(&self, offset: usize, octets: usize, body: &mut [u8; MAX_UDP_OCTETS]) -> bool {
        let Some(source) = self.octets.get(offset..offset + octets) else {
            return false;
        };
        body[..octets].copy_from_slice(source);
        true
    }

    fn write_identifier(
        &mut self,
        offset: usize,
        identifier: &[u8; MAX_NSID_OCTETS],
        octets: usize,
    ) -> bool {
        let Some(place) = self.octets.get_mut(offset..offset + octets) else {
            return false;
        };
        place.copy_from_slice(&identifier[..octets]);
        true
    }
}

/// A host with one interface.
#[derive(Clone, Debug)]
pub struct MemoryHost {
    /// The index of the interface.
    pub index: u32,
    /// The interface.
    pub interface: Interface,
    /// The service addresses.
    pub addresses: HashSet<AddressKey>,
    /// From when on the host counts as unattended; `deadlines::NEVER` if it
    /// never does.
    pub attended_until: u64,
    /// MAC addresses that are answered for beside the interface's own.
    pub virtual_macs: Vec<[u8; 6]>,
    /// VLAN interfaces by index.
    pub vlans: HashMap<u32, Vlan>,
}

impl Host for MemoryHost {
    fn interface(&self, index: u32) -> Option<&Interface> {
        (index == self.index).then_some(&self.interface)
    }

    fn is_service_address(&self, address: &AddressKey) -> bool {
        self.addresses.contains(address)
    }

    fn attended_until(&self) -> u64 {
        self.attended_until
    }

    fn has_virtual_mac(&self, index: u32, mac: u64) -> bool {
        index == self.index
            && self
                .virtual_macs
                .iter()
                .any(|other| mac_number(*other) == mac)
    }

    fn vlan(&self, index: u32) -> Option<&Vlan> {
        self.vlans.get(&index)
    }
}

/// Deadlines of zones, and a clock that stands still; by default there are no
/// deadlines.
#[derive(Clone, Debug, Default)]
pub struct MemoryDeadlines {
    /// The time, nanoseconds.
    pub now: u64,
    /// By the number of the zone; zones that are not here never expire.
    pub zones: HashMap<u8, Deadline>,
}

impl Deadlines for MemoryDeadlines {
    fn now(&self) -> u64 {
        self.now
    }

    fn of_zone(&self, zone: u8) -> u64 {
        let deadline = self.zones.get(&zone).copied();
        deadline.unwrap_or(Deadline::Never).time()
    }
}

/// Places for bodies that are kept.
#[derive(Clone)]
pub struct MemoryKept(Vec<KeptBody>);

impl Default for MemoryKept {
    fn default() -> Self {
        Self(vec![KeptBody::EMPTY; KEPT_BODIES])
    }
}

impl KeptBodies for MemoryKept {
    fn place(&mut self, place: u32) -> Option<&mut KeptBody> {
        self.0.get_mut(place as usize)
    }
}

/// Octets in front of the message of a frame by [`frame_ipv6`].
const IPV6_FRONT_OCTETS: usize = 14 + 40 + 8;
/// Room that is always enough.
const PLENTY: usize = 4096;

/// The service address in those frames.
pub const SERVER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// The client's address in those frames.
pub const CLIENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

/// The program with a generation loaded: any number of DNS messages, one after
/// the other, through the same buffers.
pub struct Runner<'g> {
    generation: &'g Generation,
    policy: Policy,
    host: MemoryHost,
    frame: MemoryFrame,
    kept: MemoryKept,
    scratch: Box<Scratch>,
}

impl<'g> Runner<'g> {
    /// The program as the operator's choices make it.
    pub fn new(generation: &'g Generation, policy: Policy) -> Self {
        let host = MemoryHost {
            index: 1,
            interface: Interface {
                mac: [2, 0, 0, 0, 0, 1],
                mtu: u16::MAX,
            },
            addresses: HashSet::from([AddressKey::from_ipv6(SERVER.octets())]),
            attended_until: NEVER,
            virtual_macs: Vec::new(),
            vlans: HashMap::new(),
        };
        let frame = MemoryFrame {
            octets: Vec::with_capacity(PLENTY),
            tail_room: PLENTY,
            head_room: 0,
            interface: host.index,
            routes: Routes::default(),
        };
        Self {
            generation,
            policy,
            host,
            frame,
            kept: MemoryKept::default(),
            scratch: Box::new(Scratch::EMPTY),
        }
    }

    /// Asks what becomes of a DNS message, all through the program's way: the
    /// reply and its outcome, or the reason why the message passes.
    ///
    /// # Errors
    ///
    /// The reason why the message passes.
    pub fn answer(&mut self, message: &[u8]) -> Result<(&[u8], Reason), Reason> {
        let Self {
            generation,
            policy,
            host,
            frame,
            kept,
            scratch,
        } = self;
        let mac = host.interface.mac;
        write_frame(&mut frame.octets, &ends_ipv6(mac, policy.port), message);
        let deadlines = &MemoryDeadlines::default();
        let reason = respond(frame, host, *generation, deadlines, kept, policy, scratch);
        match reason.action() {
            Action::Transmit => Ok((&frame.octets[IPV6_FRONT_OCTETS..], reason)),
            Action::Pass | Action::Abort => Err(reason),
        }
    }

    /// What the last reply was made of; of no meaning after a message that
    /// passed.
    pub fn plan(&self) -> &Plan {
        &self.scratch.plan
    }
}

/// Asks a generation what it makes of one DNS message: see [`Runner::answer`].
///
/// # Errors
///
/// The reason why the message passes.
pub fn answer(
    generation: &Generation,
    policy: &Policy,
    message: &[u8],
) -> Result<(Vec<u8>, Reason), Reason> {
    let mut runner = Runner::new(generation, *policy);
    let (reply, reason) = runner.answer(message)?;
    Ok((reply.to_vec(), reason))
}

/// Between whom a query in a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The MAC address that the frame is sent to.
    pub mac: [u8; 6],
    /// Who asks.
    pub client: IpAddr,
    /// Who is asked, of the same family.
    pub server: IpAddr,
    /// The UDP port of the service.
    pub port: u16,
}

/// A DNS message from [`CLIENT`] to [`SERVER`], over UDP and IPv6, in an Ethernet
/// frame to `mac`.
pub fn frame_ipv6(mac: [u8; 6], port: u16, message: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write_frame(&mut frame, &ends_ipv6(mac, port), message);
    frame
}

const fn ends_ipv6(mac: [u8; 6], port: u16) -> Ends {
    Ends {
        mac,
        client: IpAddr::V6(CLIENT),
        server: IpAddr::V6(SERVER),
        port,
    }
}

/// Makes `frame` a DNS message over UDP in an Ethernet frame.
///
/// # Panics
///
/// If the ends are not of the same family.
pub fn write_frame(frame: &mut Vec<u8>, ends: &Ends, message: &[u8]) {
    const CLIENT_PORT: u16 = 0xc000;
    let udp_octets = u16::try_from(8 + message.len()).unwrap_or(u16::MAX);
    frame.clear();
    frame.extend(ends.mac);
    frame.extend([2, 0, 0, 0, 0, 2]);
    let address_octets = match (ends.client, ends.server) {
        (IpAddr::V4(client), IpAddr::V4(server)) => {
            write_ipv4(frame, client, server, udp_octets);
            4
        }
        (IpAddr::V6(client), IpAddr::V6(server)) => {
            write_ipv6(frame, client, server, udp_octets);
            16
        }
        _ => panic!("a packet has addresses of one family"),
    };
    let udp = frame.len();
    frame.extend(CLIENT_PORT.to_be_bytes());
    frame.extend(ends.port.to_be_bytes());
    frame.extend(udp_octets.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(message);
    // The pseudo-header's addresses lie right in front of the UDP header.
    let addresses = udp - 2 * address_octets;
    let checksum = sum(&frame[addresses..])
        .number(UDP.into())
        .number(udp_octets)
        .finish_udp();
    frame[udp + 6..udp + 8].copy_from_slice(&checksum.to_ne_bytes());
}

/// The number of UDP among the protocols over IP.
const UDP: u8 = 17;

fn write_ipv4(frame: &mut Vec<u8>, client: Ipv4Addr, server: Ipv4Addr, udp_octets: u16) {
    const HEADER_OCTETS: u16 = 20;
    frame.extend([0x08, 0x00]);
    let ip = frame.len();
    frame.extend([0x45, 0]);
    frame.extend(udp_octets.saturating_add(HEADER_OCTETS).to_be_bytes());
    // Identification, flags, fragment offset; TTL; the checksum's place.
    frame.extend([0, 0, 0, 0, 64, UDP, 0, 0]);
    frame.extend(client.octets());
    frame.extend(server.octets());
    let checksum = sum(&frame[ip..]).finish();
    frame[ip + 10..ip + 12].copy_from_slice(&checksum.to_ne_bytes());
}

fn write_ipv6(frame: &mut Vec<u8>, client: Ipv6Addr, server: Ipv6Addr, udp_octets: u16) {
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    frame.extend(udp_octets.to_be_bytes());
    frame.extend([UDP, 64]);
    frame.extend(client.octets());
    frame.extend(server.octets());
}

/// The sum of octets of which the first is at an even offset.
pub(crate) fn sum(octets: &[u8]) -> Sum {
    octets
        .chunks(2)
        .map(|pair| u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]))
        .fold(Sum::ZERO, Sum::number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071: what is received sums to all ones.
    #[test]
    fn frames_have_valid_checksums() {
        let ipv4 = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        for (client, server, ip_octets, pseudo) in [
            (ipv4(2), ipv4(1), 20, 8),
            (IpAddr::V6(CLIENT), IpAddr::V6(SERVER), 40, 32),
        ] {
            let ends = Ends {
                mac: [2, 0, 0, 0, 0, 1],
                client,
                server,
                port: 53,
            };
            for octets in 12..40_u8 {
                let message: Vec<u8> = (0..octets).map(|octet| octet.wrapping_mul(37)).collect();
                let mut frame = Vec::new();
                write_frame(&mut frame, &ends, &message);
                let udp = 14 + ip_octets;
                let whole = sum(&frame[udp - pseudo..])
                    .number(UDP.into())
                    .number(u16::from(octets) + 8);
                assert_eq!(whole.finish(), 0, "UDP");
                assert_eq!(frame[udp + 8..], message);
                if ip_octets == 20 {
                    assert_eq!(sum(&frame[14..udp]).finish(), 0, "IPv4");
                }
            }
        }
    }
}
