//! From a frame to the UDP datagram in it, if it may be a query for us.

use super::Frame;
use super::checksum::Sum;
use super::vlan::{ETHERTYPE_SERVICE_VLAN, ETHERTYPE_VLAN, TAG_OCTETS};
use crate::host::Host;
use crate::limits::{HEADER_OCTETS, MAX_QUERY_OCTETS, MAX_VLAN_TAGS, QUESTION_FIXED_OCTETS};
use crate::maps::{AddressKey, mac_number};
use crate::policy::Policy;
use crate::reason::Reason;
use network_types::eth::EthHdr;
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};
use network_types::udp::UdpHdr;

/// EtherType of IPv4.
const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of IPv6.
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// IP protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;

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
    /// What is in the pseudo-header and the UDP header in both directions:
    /// addresses, ports, protocol.
    pub ends: Sum,
    /// Offset of the IP header in the frame.
    pub ip_start: u16,
    /// Offset of the DNS message in the frame.
    pub message_start: u16,
    /// Octets of the DNS message. Valid values: 17..=`MAX_QUERY_OCTETS`.
    pub message_octets: u16,
    /// Octets of the largest DNS message that the interface's MTU lets out.
    pub mtu_octets: u16,
    /// The UDP checksum as it came, memory order.
    pub checksum: u16,
    /// IP version.
    pub family: Family,
}

impl Datagram {
    /// All zeros: nobody's.
    pub const EMPTY: Self = Self {
        ends: Sum::ZERO,
        ip_start: 0,
        message_start: 0,
        message_octets: 0,
        mtu_octets: 0,
        checksum: 0,
        family: Family::V4,
    };
}

/// What an IP header says.
struct Ip {
    family: Family,
    source: AddressKey,
    destination: AddressKey,
    /// Octets behind the header.
    payload_octets: usize,
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
    let (destination_mac, ether_type, ip_start) = parse_ethernet(frame)?;
    let ip = match ether_type {
        ETHERTYPE_IPV4 => parse_ipv4(frame, ip_start)?,
        ETHERTYPE_IPV6 => parse_ipv6(frame, ip_start)?,
        _ => return Err(Reason::NotIp),
    };
    let ip_octets = ip.family.header_octets();
    let udp_start = ip_start + ip_octets;
    let udp: &UdpHdr = frame.header(udp_start).ok_or(Reason::ShortFrame)?;
    if udp.dst_port() != policy.port {
        return Err(Reason::OtherPort);
    }
    let message_octets = check_udp(udp, ip.payload_octets)?;
    if udp_start + ip.payload_octets > frame.linear_octets() {
        return Err(Reason::Length);
    }
    let index = frame.interface();
    let interface = host.interface(index).ok_or(Reason::UnknownInterface)?;
    if destination_mac != mac_number(interface.mac) && !host.has_virtual_mac(index, destination_mac)
    {
        return Err(Reason::ForeignMac);
    }
    if !host.is_service_address(&ip.destination) {
        return Err(Reason::ForeignAddress);
    }
    if !ip.source.is_answerable() || host.is_service_address(&ip.source) {
        return Err(Reason::SourceAddress);
    }
    let addresses = match ip.family {
        Family::V4 => Sum::ZERO
            .words(ip.source.ipv4_word())
            .words(ip.destination.ipv4_word()),
        Family::V6 => ip.destination.add_to(ip.source.add_to(Sum::ZERO)),
    };
    datagram.ends = addresses
        .number(udp.src_port())
        .number(udp.dst_port())
        .number(PROTOCOL_UDP as u16);
    datagram.ip_start = ip_start as u16;
    datagram.message_start = (udp_start + UdpHdr::LEN) as u16;
    datagram.message_octets = message_octets as u16;
    datagram.mtu_octets = interface
        .mtu
        .saturating_sub((ip_octets + UdpHdr::LEN) as u16);
    datagram.checksum = u16::from_ne_bytes(udp.check);
    datagram.family = ip.family;
    Ok(())
}

/// Parses the Ethernet header and the VLAN tags; returns the destination, the
/// EtherType and the offset of what they carry.
#[inline(always)]
fn parse_ethernet<F: Frame>(frame: &F) -> Result<(u64, u16, usize), Reason> {
    let [a, b, c, d, e, f, _, _, _, _, _, _, high, low] = *frame
        .header::<[u8; EthHdr::LEN]>(0)
        .ok_or(Reason::ShortFrame)?;
    let destination = mac_number([a, b, c, d, e, f]);
    const { assert!(MAX_VLAN_TAGS == 2) };
    let ether_type = u16::from_be_bytes([high, low]);
    let outer = EthHdr::LEN;
    if !is_vlan(ether_type) {
        return Ok((destination, ether_type, outer));
    }
    let ether_type = parse_tag(frame, outer)?;
    let inner = outer + TAG_OCTETS;
    if !is_vlan(ether_type) {
        return Ok((destination, ether_type, inner));
    }
    Ok((destination, parse_tag(frame, inner)?, inner + TAG_OCTETS))
}

/// Whether a tag follows.
#[inline(always)]
const fn is_vlan(ether_type: u16) -> bool {
    ether_type == ETHERTYPE_VLAN || ether_type == ETHERTYPE_SERVICE_VLAN
}

/// The EtherType of what the tag at `offset` is in front of.
#[inline(always)]
fn parse_tag<F: Frame>(frame: &F, offset: usize) -> Result<u16, Reason> {
    let [_, _, high, low] = *frame
        .header::<[u8; TAG_OCTETS]>(offset)
        .ok_or(Reason::ShortFrame)?;
    Ok(u16::from_be_bytes([high, low]))
}

/// Parses an IPv4 header.
#[inline(always)]
fn parse_ipv4<F: Frame>(frame: &F, offset: usize) -> Result<Ip, Reason> {
    let header: &Ipv4Hdr = frame.header(offset).ok_or(Reason::ShortFrame)?;
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
        .words(pair([header.vihl, header.tos], header.tot_len))
        .words(pair(header.id, header.frags))
        .words(pair([header.ttl, header.proto], header.check))
        .words(source.ipv4_word())
        .words(destination.ipv4_word())
        .is_intact();
    if !intact {
        return Err(Reason::Ipv4Checksum);
    }
    let total = u16::from_be_bytes(header.tot_len) as usize;
    Ok(Ip {
        family: Family::V4,
        source,
        destination,
        payload_octets: total.checked_sub(Ipv4Hdr::LEN).ok_or(Reason::Length)?,
    })
}

/// Two words of a header, memory order.
#[inline(always)]
const fn pair([a, b]: [u8; 2], [c, d]: [u8; 2]) -> u32 {
    u32::from_ne_bytes([a, b, c, d])
}

/// Parses an IPv6 header.
#[inline(always)]
fn parse_ipv6<F: Frame>(frame: &F, offset: usize) -> Result<Ip, Reason> {
    let header: &Ipv6Hdr = frame.header(offset).ok_or(Reason::ShortFrame)?;
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
    Ok(Ip {
        family: Family::V6,
        source,
        destination,
        payload_octets: u16::from_be_bytes(header.payload_len) as usize,
    })
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
    if datagram.checksum == 0 {
        return matches!(datagram.family, Family::V4);
    }
    with_ends(datagram, message_sum, datagram.message_octets)
        .words(datagram.checksum as u32)
        .is_intact()
}

/// Adds the pseudo-header and the UDP header, but for its checksum, to the sum
/// of a message of so many octets.
#[inline(always)]
pub fn with_ends(datagram: &Datagram, message_sum: Sum, message_octets: u16) -> Sum {
    let udp_octets = (UdpHdr::LEN as u16).wrapping_add(message_octets);
    // The length is in both headers.
    message_sum
        .sum(datagram.ends)
        .number(udp_octets)
        .number(udp_octets)
}
