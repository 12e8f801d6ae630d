//! From a frame to the UDP datagram in it, if it may be a query for us.

use super::Frame;
use super::checksum::Sum;
use crate::limits::{HEADER_OCTETS, MAX_QUERY_OCTETS, MAX_VLAN_TAGS, QUESTION_FIXED_OCTETS};
use crate::maps::{AddressKey, Interface};
use crate::policy::Policy;
use crate::reason::Reason;
use network_types::eth::EthHdr;
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};
use network_types::udp::UdpHdr;

/// EtherType of IPv4.
const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of IPv6.
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// EtherType of an 802.1Q tag.
const ETHERTYPE_VLAN: u16 = 0x8100;
/// EtherType of an 802.1ad service tag.
const ETHERTYPE_SERVICE_VLAN: u16 = 0x88a8;
/// IP protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;

/// What the host is: the interfaces and addresses that are answered for.
pub trait Host {
    /// The interface of that index, if the program was attached to it.
    fn interface(&self, index: u32) -> Option<Interface>;

    /// Whether the address is answered for.
    fn is_service_address(&self, address: &AddressKey) -> bool;
}

/// The IP version of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Family {
    /// IPv4 without options.
    V4 = 0,
    /// IPv6 without extension headers.
    V6 = 1,
}

impl Family {
    /// Octets of the IP header.
    #[inline(always)]
    pub const fn header_octets(self) -> usize {
        match self {
            Self::V4 => Ipv4Hdr::LEN,
            Self::V6 => Ipv6Hdr::LEN,
        }
    }
}

/// A UDP datagram for a service address, and the way back to its sender.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Datagram {
    /// MAC addresses and EtherType as they came.
    pub ethernet: EthHdr,
    /// VLAN tags as they came: TCI, then the EtherType that follows.
    pub tags: [[u8; 4]; MAX_VLAN_TAGS],
    /// How many tags there are.
    pub tag_count: u8,
    /// IP version.
    pub family: Family,
    /// Sender; IPv4 is mapped (RFC 4291 2.5.5.2).
    pub source: AddressKey,
    /// The service address.
    pub destination: AddressKey,
    /// The UDP header as it came.
    pub udp: UdpHdr,
    /// Offset of the DNS message in the frame.
    pub message_start: u16,
    /// Octets of the DNS message. Valid values: 17..=`MAX_QUERY_OCTETS`.
    pub message_octets: u16,
    /// Octets of the largest DNS message that the interface's MTU lets out.
    pub mtu_octets: u16,
}

impl Datagram {
    /// All zeros: nobody's.
    pub const EMPTY: Self = Self {
        ethernet: EthHdr {
            dst_addr: [0; 6],
            src_addr: [0; 6],
            ether_type: 0,
        },
        tags: [[0; 4]; MAX_VLAN_TAGS],
        tag_count: 0,
        family: Family::V4,
        source: AddressKey::UNSPECIFIED,
        destination: AddressKey::UNSPECIFIED,
        udp: UdpHdr {
            src: [0; 2],
            dst: [0; 2],
            len: [0; 2],
            check: [0; 2],
        },
        message_start: 0,
        message_octets: 0,
        mtu_octets: 0,
    };
}

/// Parses the headers of a frame into `datagram`.
///
/// The cheap refusals come first: most packets of a host that are not queries
/// leave at the EtherType, the protocol or the port.
///
/// # Errors
///
/// The reason why the frame is not a query for us: it passes.
#[inline(always)]
pub fn parse<F: Frame, H: Host>(
    frame: &F,
    host: &H,
    policy: &Policy,
    datagram: &mut Datagram,
) -> Result<(), Reason> {
    let (ether_type, ip_start) = parse_ethernet(frame, datagram)?;
    let payload_octets = match ether_type {
        ETHERTYPE_IPV4 => parse_ipv4(frame, ip_start, datagram)?,
        ETHERTYPE_IPV6 => parse_ipv6(frame, ip_start, datagram)?,
        _ => return Err(Reason::NotIp),
    };
    let ip_octets = datagram.family.header_octets();
    let udp_start = ip_start + ip_octets;
    datagram.udp = frame.header(udp_start).ok_or(Reason::ShortFrame)?;
    if datagram.udp.dst_port() != policy.port {
        return Err(Reason::OtherPort);
    }
    let message_octets = check_udp(&datagram.udp, payload_octets)?;
    let linear_octets = frame.linear_octets();
    if frame.octets() != linear_octets {
        return Err(Reason::MultiBuffer);
    }
    if udp_start + payload_octets > linear_octets {
        return Err(Reason::Length);
    }
    let interface = host
        .interface(frame.interface())
        .ok_or(Reason::UnknownInterface)?;
    if datagram.ethernet.dst_addr != interface.mac {
        return Err(Reason::ForeignMac);
    }
    if !host.is_service_address(&datagram.destination) {
        return Err(Reason::ForeignAddress);
    }
    if !datagram.source.is_answerable() || host.is_service_address(&datagram.source) {
        return Err(Reason::SourceAddress);
    }
    datagram.message_start = (udp_start + UdpHdr::LEN) as u16;
    datagram.message_octets = message_octets as u16;
    datagram.mtu_octets = interface
        .mtu
        .saturating_sub((ip_octets + UdpHdr::LEN) as u16);
    Ok(())
}

/// Parses the Ethernet header and the VLAN tags; returns the EtherType and the
/// offset of what they carry.
#[inline(always)]
fn parse_ethernet<F: Frame>(frame: &F, datagram: &mut Datagram) -> Result<(u16, usize), Reason> {
    datagram.ethernet = frame.header(0).ok_or(Reason::ShortFrame)?;
    let mut ether_type = u16::from_be(datagram.ethernet.ether_type);
    let mut offset = EthHdr::LEN;
    let mut tag_count = 0;
    for tag in &mut datagram.tags {
        if ether_type != ETHERTYPE_VLAN && ether_type != ETHERTYPE_SERVICE_VLAN {
            break;
        }
        *tag = frame.header(offset).ok_or(Reason::ShortFrame)?;
        let [_, _, high, low] = *tag;
        ether_type = u16::from_be_bytes([high, low]);
        offset += 4;
        tag_count += 1;
    }
    datagram.tag_count = tag_count;
    Ok((ether_type, offset))
}

/// Parses an IPv4 header; returns the octets behind it.
#[inline(always)]
fn parse_ipv4<F: Frame>(
    frame: &F,
    offset: usize,
    datagram: &mut Datagram,
) -> Result<usize, Reason> {
    let header: Ipv4Hdr = frame.header(offset).ok_or(Reason::ShortFrame)?;
    if header.proto != PROTOCOL_UDP {
        return Err(Reason::NotUdp);
    }
    if header.vihl != 0x45 {
        return Err(Reason::Ipv4Options);
    }
    // Only DF may be set: neither MF, nor an offset, nor the reserved bit.
    if u16::from_be_bytes(header.frags) & 0xbfff != 0 {
        return Err(Reason::Ipv4Fragment);
    }
    let source = AddressKey::from_ipv4(header.src_addr);
    let destination = AddressKey::from_ipv4(header.dst_addr);
    let intact = Sum::ZERO
        .number(u16::from_be_bytes([header.vihl, header.tos]))
        .number(u16::from_be_bytes(header.tot_len))
        .number(u16::from_be_bytes(header.id))
        .number(u16::from_be_bytes(header.frags))
        .number(u16::from_be_bytes([header.ttl, header.proto]))
        .number(u16::from_be_bytes(header.check))
        .words(source.ipv4_word())
        .words(destination.ipv4_word())
        .is_intact();
    if !intact {
        return Err(Reason::Ipv4Checksum);
    }
    datagram.family = Family::V4;
    datagram.source = source;
    datagram.destination = destination;
    let total = u16::from_be_bytes(header.tot_len) as usize;
    total.checked_sub(Ipv4Hdr::LEN).ok_or(Reason::Length)
}

/// Parses an IPv6 header; returns the octets behind it.
#[inline(always)]
fn parse_ipv6<F: Frame>(
    frame: &F,
    offset: usize,
    datagram: &mut Datagram,
) -> Result<usize, Reason> {
    let header: Ipv6Hdr = frame.header(offset).ok_or(Reason::ShortFrame)?;
    if header.next_hdr != PROTOCOL_UDP {
        return Err(Reason::NotUdp);
    }
    let [first, ..] = header.vcf;
    if first >> 4 != 6 {
        return Err(Reason::Ipv6Version);
    }
    let source = AddressKey::from_ipv6(header.src_addr);
    let destination = AddressKey::from_ipv6(header.dst_addr);
    // Mapped addresses stand for IPv4 and never appear on the wire.
    if source.is_mapped() {
        return Err(Reason::SourceAddress);
    }
    if destination.is_mapped() {
        return Err(Reason::ForeignAddress);
    }
    datagram.family = Family::V6;
    datagram.source = source;
    datagram.destination = destination;
    Ok(u16::from_be_bytes(header.payload_len) as usize)
}

/// Checks the UDP header but for its checksum; returns the octets of the
/// message.
#[inline(always)]
fn check_udp(udp: &UdpHdr, payload_octets: usize) -> Result<usize, Reason> {
    let udp_octets = udp.len() as usize;
    if udp_octets != payload_octets {
        return Err(Reason::Length);
    }
    let message_octets = udp_octets.checked_sub(UdpHdr::LEN).ok_or(Reason::Length)?;
    if message_octets < HEADER_OCTETS + 1 + QUESTION_FIXED_OCTETS {
        return Err(Reason::ShortQuery);
    }
    if message_octets > MAX_QUERY_OCTETS {
        return Err(Reason::LongQuery);
    }
    match udp.src_port() {
        // Nobody listens on 0; the others answer anything (BIND drops them).
        0 | 7 | 13 | 19 | 37 => Err(Reason::SourcePort),
        _ => Ok(message_octets),
    }
}

/// Whether the UDP checksum of a datagram is right (RFC 768, RFC 8200 8.1).
///
/// `message_sum` is the sum of all octets of the DNS message. Over IPv4 a
/// checksum of 0 means that there is none.
#[inline(always)]
pub fn udp_checksum_is_right(datagram: &Datagram, message_sum: Sum) -> bool {
    if u16::from_be_bytes(datagram.udp.check) == 0 {
        return matches!(datagram.family, Family::V4);
    }
    pseudo_header(datagram, message_sum, datagram.udp.len())
        .number(datagram.udp.src_port())
        .number(datagram.udp.dst_port())
        .number(datagram.udp.len())
        .number(u16::from_be_bytes(datagram.udp.check))
        .is_intact()
}

/// Adds the pseudo-header, which is the same in both directions.
#[inline(always)]
pub fn pseudo_header(datagram: &Datagram, sum: Sum, udp_octets: u16) -> Sum {
    let sum = match datagram.family {
        Family::V4 => sum
            .words(datagram.source.ipv4_word())
            .words(datagram.destination.ipv4_word()),
        Family::V6 => datagram.destination.add_to(datagram.source.add_to(sum)),
    };
    sum.number(PROTOCOL_UDP as u16).number(udp_octets)
}
