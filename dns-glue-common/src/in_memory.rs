//! Frames, a host and a generation in memory, for the tests of this crate.

use crate::deadlines::{Deadlines, NEVER};
use crate::decide::Generation;
use crate::frame::checksum::Sum;
use crate::frame::vlan::{ETHERTYPE_VLAN, Vlans};
use crate::frame::{Frame, Scratch, Unfit, WireHeader};
use crate::host::Host;
use crate::index::{Bucket, Depths, EntryKind, HashSecret, Index, Secret, Slot, hash_suffix};
use crate::kept::{KeptBodies, KeptBody};
use crate::limits::{HEADER_OCTETS, MAX_LABELS, MAX_NSID_OCTETS, MAX_QUERY_OCTETS, MAX_UDP_OCTETS};
use crate::maps::{AddressKey, DEADLINE_SLOTS, Interface, Vlan, mac_number};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::referral::{
    Extent, PIECE_HEAD_OCTETS, Piece, Pieces, Relocation, SLAB_OCTETS, SLAB_SLACK, Slab,
    relocations_start,
};
use crate::respond::respond;
use crate::route::{LOOPBACK_INTERFACE, RouteLookup};
use crate::wire::tests::buffer;
use crate::wire::{Message, MessageBuffer};
use std::boxed::Box;
use std::vec::Vec;

/// The interface's MAC address, the service addresses, and the client's.
pub(crate) const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const SERVER_V4: [u8; 4] = [192, 0, 2, 53];
pub(crate) const SERVER_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53];
pub(crate) const CLIENT_V4: [u8; 4] = [198, 51, 100, 7];
pub(crate) const CLIENT_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

/// Another MAC address that is answered for.
pub(crate) const VIRTUAL_MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 7];
/// The index of the interface, and of one for VLAN 7 on top of it.
pub(crate) const INTERFACE: u32 = 3;
pub(crate) const VLAN_INTERFACE: u32 = 4;

pub(crate) const POLICY: Policy = Policy::DEFAULT;

/// The number of the zone that the one delegation is from.
pub(crate) const ZONE: u8 = 2;

/// A frame, and the octets by which its end can move.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MemoryFrame {
    pub(crate) octets: Vec<u8>,
    pub(crate) room: usize,
    /// What the kernel's routing table has for its sender.
    pub(crate) route: Option<MemoryRoute>,
}

/// A route to the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MemoryRoute {
    /// Where it leads out.
    pub(crate) interface: u32,
    /// The next hop.
    pub(crate) mac: [u8; 6],
    pub(crate) mtu: u16,
}

impl Frame for MemoryFrame {
    type Rest<'r> = &'r mut [u8];

    fn linear_octets(&self) -> usize {
        self.octets.len()
    }

    fn interface(&self) -> u32 {
        INTERFACE
    }

    fn find_route(&self, lookup: &mut RouteLookup) -> bool {
        let ends = (lookup.source(), lookup.destination());
        let of_ipv4 = [SERVER_V4, CLIENT_V4].map(AddressKey::from_ipv4);
        let of_ipv6 = [SERVER_V6, CLIENT_V6].map(AddressKey::from_ipv6);
        assert!([of_ipv4.into(), of_ipv6.into()].contains(&ends));
        assert_eq!(lookup.interface, LOOPBACK_INTERFACE);
        match self.route {
            Some(route) if lookup.octets <= route.mtu => {
                lookup.interface = route.interface;
                lookup.next_hop = route.mac;
                true
            }
            _ => false,
        }
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
        buffer.0.as_mut_slice()[..octets].copy_from_slice(message);
        Some(Message::new(buffer, octets).sum::<{ MAX_QUERY_OCTETS / 8 }>(0, octets))
    }

    fn resize(&mut self, octets: usize, kept: usize, _: &mut MessageBuffer) -> Result<(), Unfit> {
        if octets > self.octets.len() + self.room {
            return Err(Unfit::NoRoom);
        }
        self.octets.truncate(kept);
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
        let slab = piece.slab.0.as_slice();
        self.put(offset, &slab[records..records + octets])
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
        self.put(offset, &identifier[..octets])
    }
}

impl MemoryFrame {
    fn put(&mut self, offset: usize, octets: &[u8]) -> bool {
        match self.octets.get_mut(offset..offset + octets.len()) {
            Some(place) => {
                place.copy_from_slice(octets);
                true
            }
            None => false,
        }
    }
}

/// A host with one interface and an address of each family.
pub(crate) struct MemoryHost {
    pub(crate) interface: Interface,
    pub(crate) attended_until: u64,
    pub(crate) vlan: Vlan,
}

impl MemoryHost {
    /// A host with that MTU, and VLAN 7, attended until that time.
    pub(crate) fn new(mtu: u16, attended_until: u64) -> Self {
        Self {
            interface: Interface { mac: MAC, mtu },
            attended_until,
            vlan: Vlan {
                carrier: INTERFACE,
                vlans: Vlans::NONE.inside(ETHERTYPE_VLAN, 7).expect("one tag"),
            },
        }
    }
}

impl Host for MemoryHost {
    fn interface(&self, index: u32) -> Option<&Interface> {
        (index == INTERFACE).then_some(&self.interface)
    }

    fn has_virtual_mac(&self, index: u32, mac: u64) -> bool {
        index == INTERFACE && mac == mac_number(VIRTUAL_MAC)
    }

    fn vlan(&self, index: u32) -> Option<&Vlan> {
        (index == VLAN_INTERFACE).then_some(&self.vlan)
    }

    fn is_service_address(&self, address: &AddressKey) -> bool {
        [
            AddressKey::from_ipv4(SERVER_V4),
            AddressKey::from_ipv6(SERVER_V6),
        ]
        .contains(address)
    }

    fn attended_until(&self) -> u64 {
        self.attended_until
    }
}

/// Deadlines by the number of the zone, and a clock that stands still.
pub(crate) struct MemoryDeadlines {
    pub(crate) now: u64,
    pub(crate) zones: [u64; DEADLINE_SLOTS],
}

impl MemoryDeadlines {
    /// No zone has one.
    pub(crate) const NONE: Self = Self {
        now: 0,
        zones: [NEVER; DEADLINE_SLOTS],
    };
}

impl Deadlines for MemoryDeadlines {
    fn now(&self) -> u64 {
        self.now
    }

    fn of_zone(&self, zone: u8) -> u64 {
        self.zones.as_slice()[usize::from(zone)]
    }
}

/// A piece before it is laid out: records, relocations, and its ends, the
/// whole last.
pub(crate) struct PlainPiece {
    pub(crate) base: u8,
    pub(crate) base_start: u16,
    pub(crate) records: Vec<u8>,
    pub(crate) relocations: Vec<Relocation>,
    pub(crate) ends: Vec<Extent>,
}

impl PlainPiece {
    /// The piece as octets of a slab.
    pub(crate) fn lay_out(&self) -> Vec<u8> {
        let (whole, cut_points) = self.ends.split_last().expect("a piece has an end");
        let mut octets = bytemuck::bytes_of(whole).to_vec();
        octets.push(self.base);
        octets.push(u8::try_from(cut_points.len()).expect("127 at most"));
        octets.extend(self.base_start.to_le_bytes());
        octets.resize(PIECE_HEAD_OCTETS, 0);
        octets.extend(&self.records);
        octets.resize(relocations_start(whole.octets), 0);
        for relocation in &self.relocations {
            octets.extend(relocation.0.to_le_bytes());
        }
        octets.resize(octets.len().next_multiple_of(8), 0);
        octets.extend(bytemuck::cast_slice::<_, u8>(cut_points));
        octets
    }
}

/// A slab with `piece` at offset `start`, and octets around it that must not be
/// read.
pub(crate) fn slab(start: usize, piece: &[u8]) -> Box<Slab> {
    let mut slab = Box::new(Slab([0xa5; SLAB_OCTETS + SLAB_SLACK]));
    slab.0.as_mut_slice()[start..start + piece.len()].copy_from_slice(piece);
    slab
}

/// A generation with one delegation, of a name with one label.
pub(crate) struct OneDelegation {
    slab: Box<Slab>,
    bucket: Bucket,
    secret: HashSecret,
    depths: Depths,
}

impl OneDelegation {
    /// The delegation of `name`; `pieces` are NS records, proof and glue.
    pub(crate) fn new(name: &[u8], flags: u8, pieces: [Option<&PlainPiece>; 3]) -> Self {
        let mut slab = slab(0, &[]);
        let mut next = 8;
        let [ns, proof, glue] = pieces.map(|piece| {
            let Some(piece) = piece else { return 0 };
            let octets = piece.lay_out();
            let start = next;
            slab.0.as_mut_slice()[start..start + octets.len()].copy_from_slice(&octets);
            next += octets.len();
            (start / 8) as u32
        });
        let mut secret = HashSecret([[0; 4]; 65]);
        for (word, keys) in secret.0.iter_mut().enumerate() {
            *keys = [1, 2, 3, 4]
                .map(|lane| 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(word as u64 * 4 + lane));
        }
        let mut message = std::vec![0; HEADER_OCTETS];
        message.extend(name);
        let key = hash_suffix(
            &Message::new(&buffer(&message), message.len()),
            0,
            name.len(),
            &secret,
        );
        let slot = Slot {
            key,
            name_octets: name.len() as u8,
            kind: EntryKind::Delegation as u8,
            flags,
            zone: ZONE,
            ns,
            proof,
            glue,
        };
        let mut depths = Depths([1; MAX_LABELS + 1]);
        let [root, ..] = &mut depths.0;
        *root = 0;
        Self {
            slab,
            bucket: Bucket([slot, Slot::EMPTY]),
            secret,
            depths,
        }
    }
}

impl Secret for OneDelegation {
    fn constant_terms(&self) -> [u64; 4] {
        self.secret.constant_terms()
    }

    fn keys(&self, word: usize) -> [u64; 4] {
        self.secret.keys(word)
    }
}

impl Index for OneDelegation {
    fn buckets(&self) -> u32 {
        1
    }

    fn bucket(&self, number: u32) -> Option<&Bucket> {
        (number == 0).then_some(&self.bucket)
    }

    fn depth(&self, labels: usize) -> u8 {
        self.depths.0.get(labels).copied().unwrap_or_default()
    }
}

impl Pieces for OneDelegation {
    fn slab(&self, number: u32) -> Option<&Slab> {
        (number == 0).then_some(&self.slab)
    }
}

/// The way of a frame through the program.
pub(crate) fn run<G: Generation>(
    frame: &mut MemoryFrame,
    mtu: u16,
    generation: &G,
    policy: &Policy,
) -> Reason {
    let mut kept = MemoryKept(Vec::new());
    run_with(frame, mtu, generation, &mut kept, policy)
}

/// The same with bodies kept from one frame to the next.
pub(crate) fn run_with<G: Generation>(
    frame: &mut MemoryFrame,
    mtu: u16,
    generation: &G,
    kept: &mut MemoryKept,
    policy: &Policy,
) -> Reason {
    let host = MemoryHost::new(mtu, NEVER);
    run_at(
        frame,
        &host,
        generation,
        &MemoryDeadlines::NONE,
        kept,
        policy,
    )
}

/// The same at any time.
pub(crate) fn run_at<G: Generation>(
    frame: &mut MemoryFrame,
    host: &MemoryHost,
    generation: &G,
    deadlines: &MemoryDeadlines,
    kept: &mut MemoryKept,
    policy: &Policy,
) -> Reason {
    let mut scratch = Box::new(Scratch::EMPTY);
    respond(
        frame,
        host,
        generation,
        deadlines,
        kept,
        policy,
        &mut scratch,
    )
}

/// Places for bodies that are kept.
pub(crate) struct MemoryKept(pub(crate) Vec<KeptBody>);

impl KeptBodies for MemoryKept {
    fn place(&mut self, place: u32) -> Option<&mut KeptBody> {
        self.0.get_mut(place as usize)
    }
}

/// A query in a frame to the host, as octets and where its parts start.
pub(crate) struct Asked {
    pub(crate) octets: Vec<u8>,
    pub(crate) ip: usize,
    pub(crate) udp: usize,
    pub(crate) is_ipv6: bool,
}

impl Asked {
    /// A message from port 40000, in VLANs.
    pub(crate) fn new(is_ipv6: bool, tags: &[[u8; 4]], message: &[u8]) -> Self {
        let mut octets = [MAC, [2, 0, 0, 0, 0, 9]].concat();
        octets.extend(tags.as_flattened());
        let ip = octets.len() + 2;
        let udp_octets = (8 + message.len()) as u16;
        if is_ipv6 {
            octets.extend([0x86, 0xdd, 0x60, 0x31, 0x23, 0x45]);
            octets.extend(udp_octets.to_be_bytes());
            octets.extend([17, 57]);
            octets.extend([CLIENT_V6, SERVER_V6].as_flattened());
        } else {
            octets.extend([8, 0, 0x45, 3]);
            octets.extend((20 + udp_octets).to_be_bytes());
            octets.extend([0xbe, 0xef, 0x40, 0, 57, 17, 0, 0]);
            octets.extend([CLIENT_V4, SERVER_V4].as_flattened());
        }
        let udp = octets.len();
        octets.extend(40_000_u16.to_be_bytes());
        octets.extend(53_u16.to_be_bytes());
        octets.extend(udp_octets.to_be_bytes());
        octets.extend([0, 0]);
        octets.extend(message);
        let mut asked = Self {
            octets,
            ip,
            udp,
            is_ipv6,
        };
        asked.fix_checksums();
        asked
    }

    /// Writes a number, and checksums that are right for it.
    pub(crate) fn with(mut self, at: usize, number: u16) -> Self {
        self.put(at, number);
        self.fix_checksums();
        self
    }

    fn put(&mut self, at: usize, number: u16) {
        self.octets.as_mut_slice()[at..at + 2].copy_from_slice(&number.to_be_bytes());
    }

    fn fix_checksums(&mut self) {
        if !self.is_ipv6 {
            self.put(self.ip + 10, 0);
            self.put(
                self.ip + 10,
                checksum(0, &self.octets[self.ip..self.ip + 20]),
            );
        }
        self.put(self.udp + 6, 0);
        // 0 would say that there is none.
        let checksum = match udp_checksum(&self.octets, self.udp, self.is_ipv6) {
            0 => 0xffff,
            checksum => checksum,
        };
        self.put(self.udp + 6, checksum);
    }

    /// The frame, with room behind it.
    pub(crate) fn frame(&self, room: usize) -> MemoryFrame {
        MemoryFrame {
            octets: self.octets.clone(),
            room,
            route: None,
        }
    }
}

/// The UDP checksum of a datagram by the length that its header states; 0 if it
/// holds the right one.
pub(crate) fn udp_checksum(frame: &[u8], udp: usize, is_ipv6: bool) -> u16 {
    let addresses = udp - if is_ipv6 { 32 } else { 8 };
    let octets = usize::from(u16::from_be_bytes([frame[udp + 4], frame[udp + 5]]));
    let end = (udp + octets).min(frame.len());
    checksum(17 + octets as u32, &frame[addresses..end])
}

/// The checksum of octets from an even offset, by RFC 1071.
pub(crate) fn checksum(start: u32, octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([
            pair.first().copied().unwrap_or(0),
            low,
        ]))
    });
    let mut sum = start + words.sum::<u32>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
