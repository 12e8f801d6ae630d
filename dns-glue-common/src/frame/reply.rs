//! The headers of a reply, made of the query's where they stand: IP, UDP and
//! DNS, and in front of them the MAC addresses.
//!
//! EtherType, VLAN tags, the message's ID and the question stay as they came.

use super::checksum::Sum;
use super::parse::PROTOCOL_UDP;
use crate::limits::HEADER_OCTETS;
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};
use network_types::udp::UdpHdr;

/// TTL and hop limit of a reply.
const HOPS: u8 = 64;
/// "Don't fragment", in the IPv4 flags and fragment offset (RFC 9715).
const DONT_FRAGMENT: u16 = 0x4000;

/// Octets of the headers of IPv4, UDP and DNS.
pub const IPV4_OCTETS: usize = Ipv4Hdr::LEN + UdpHdr::LEN + HEADER_OCTETS;
/// Octets of the headers of IPv6, UDP and DNS.
pub const IPV6_OCTETS: usize = Ipv6Hdr::LEN + UdpHdr::LEN + HEADER_OCTETS;

/// What is new in the headers of a reply.
#[derive(Clone, Copy)]
pub struct Numbers {
    /// Octets of the UDP datagram.
    pub udp_octets: u16,
    /// The UDP checksum, memory order.
    pub checksum: u16,
    /// The DNS header but for its ID.
    pub header: [u16; 5],
}

/// Swaps the MAC addresses at the start of a frame.
#[inline(always)]
pub fn swap_macs(macs: &mut [u8; 12]) {
    // As numbers: six octets would be copied one by one.
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *macs;
    put(macs, 0, &u32::from_ne_bytes([g, h, i, j]).to_ne_bytes());
    put(macs, 4, &u16::from_ne_bytes([k, l]).to_ne_bytes());
    put(macs, 6, &u32::from_ne_bytes([a, b, c, d]).to_ne_bytes());
    put(macs, 10, &u16::from_ne_bytes([e, f]).to_ne_bytes());
}

/// Sends a frame to another MAC address.
#[inline(always)]
pub fn send_to(macs: &mut [u8; 12], [a, b, c, d, e, f]: [u8; 6]) {
    put(macs, 0, &u32::from_ne_bytes([a, b, c, d]).to_ne_bytes());
    put(macs, 4, &u16::from_ne_bytes([e, f]).to_ne_bytes());
}

/// Makes the headers of a query over IPv4 those of its reply.
#[inline(always)]
pub fn write_ipv4(front: &mut [u8; IPV4_OCTETS], numbers: &Numbers) {
    const VERSION_AND_TOS: u16 = 0x4500;
    const HOPS_AND_PROTOCOL: u16 = u16::from_be_bytes([HOPS, PROTOCOL_UDP]);
    let [source, destination] = [word(front, 12), word(front, 16)];
    let total = numbers.udp_octets.wrapping_add(Ipv4Hdr::LEN as u16);
    let checksum = Sum::ZERO
        .number(VERSION_AND_TOS)
        .number(total)
        .number(DONT_FRAGMENT)
        .number(HOPS_AND_PROTOCOL)
        .words(source)
        .words(destination)
        .finish();
    put(front, 0, &VERSION_AND_TOS.to_be_bytes());
    put(front, 2, &total.to_be_bytes());
    // The identification of what is never fragmented means nothing
    // (RFC 6864 4.1).
    put(front, 4, &(DONT_FRAGMENT as u32).to_be_bytes());
    put(front, 8, &HOPS_AND_PROTOCOL.to_be_bytes());
    put(front, 10, &checksum.to_ne_bytes());
    put(front, 12, &destination.to_ne_bytes());
    put(front, 16, &source.to_ne_bytes());
    write_udp_and_dns(front, Ipv4Hdr::LEN, numbers);
}

/// Makes the headers of a query over IPv6 those of its reply.
#[inline(always)]
pub fn write_ipv6(front: &mut [u8; IPV6_OCTETS], numbers: &Numbers) {
    let source = [double_word(front, 8), double_word(front, 16)];
    let destination = [double_word(front, 24), double_word(front, 32)];
    put(front, 0, &[0x60, 0, 0, 0]);
    put(front, 4, &numbers.udp_octets.to_be_bytes());
    put(front, 6, &[PROTOCOL_UDP, HOPS]);
    for (at, half) in [8, 16, 24, 32]
        .into_iter()
        .zip(destination.into_iter().chain(source))
    {
        put(front, at, &half.to_ne_bytes());
    }
    write_udp_and_dns(front, Ipv6Hdr::LEN, numbers);
}

/// The message's ID as a word in memory order, by the end of the headers.
#[inline(always)]
pub fn message_id<const N: usize>(front: &[u8; N]) -> u32 {
    let start = N - HEADER_OCTETS;
    let id = front.get(start..).and_then(|rest| rest.first_chunk());
    id.map_or(0, |id| u16::from_ne_bytes(*id) as u32)
}

/// Writes what is behind the IP header.
#[inline(always)]
fn write_udp_and_dns<const N: usize>(front: &mut [u8; N], udp: usize, numbers: &Numbers) {
    let ports = word(front, udp);
    put(front, udp, &ports.rotate_left(16).to_ne_bytes());
    put(front, udp + 4, &numbers.udp_octets.to_be_bytes());
    put(front, udp + 6, &numbers.checksum.to_ne_bytes());
    let header = udp + UdpHdr::LEN;
    for (at, number) in [2, 4, 6, 8, 10].into_iter().zip(numbers.header) {
        put(front, header + at, &number.to_be_bytes());
    }
}

/// Four octets at `at`, memory order; the offsets above are all inside.
#[inline(always)]
fn word<const N: usize>(front: &[u8; N], at: usize) -> u32 {
    let octets = front.get(at..).and_then(|rest| rest.first_chunk());
    octets.map_or(0, |octets| u32::from_ne_bytes(*octets))
}

/// Eight octets at `at`, memory order.
#[inline(always)]
fn double_word<const N: usize>(front: &[u8; N], at: usize) -> u64 {
    let octets = front.get(at..).and_then(|rest| rest.first_chunk());
    octets.map_or(0, |octets| u64::from_ne_bytes(*octets))
}

/// Copies `octets` to `at`.
#[inline(always)]
fn put<const N: usize, const M: usize>(front: &mut [u8; N], at: usize, octets: &[u8; M]) {
    if let Some(place) = front.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = *octets;
    }
}
