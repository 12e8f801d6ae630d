//! The headers of a reply: Ethernet, VLAN tags, IP, UDP.
//!
//! They end where the message begins, at the end of the head of a [`Scratch`](super::Scratch), so every
//! field but the MAC addresses has a constant offset for its family.

use super::HEAD_ROOM;
use super::checksum::Sum;
use super::parse::{Datagram, Family, PROTOCOL_UDP};
use crate::limits::MAX_VLAN_TAGS;
use network_types::eth::EthHdr;
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};
use network_types::udp::UdpHdr;

/// TTL and hop limit of a reply.
const HOPS: u8 = 64;
/// "Don't fragment", in the IPv4 flags and fragment offset (RFC 9715).
const DONT_FRAGMENT: u16 = 0x4000;

const UDP_START: usize = HEAD_ROOM - UdpHdr::LEN;

/// Octets of the headers in front of the reply's message.
#[inline(always)]
pub const fn head_octets(datagram: &Datagram) -> usize {
    EthHdr::LEN + 4 * datagram.tag_count as usize + datagram.family.header_octets() + UdpHdr::LEN
}

/// Writes the headers of a reply of `message_octets` octets, whose UDP checksum
/// field is `checksum`, in memory order.
#[inline(always)]
pub fn write_headers(
    head: &mut [u8; HEAD_ROOM],
    datagram: &Datagram,
    message_octets: usize,
    checksum: u16,
) {
    let udp_octets = (UdpHdr::LEN + message_octets) as u16;
    match datagram.family {
        Family::V4 => {
            write_ethernet(head, datagram, UDP_START - Ipv4Hdr::LEN);
            write_ipv4(head, datagram, udp_octets);
        }
        Family::V6 => {
            write_ethernet(head, datagram, UDP_START - Ipv6Hdr::LEN);
            write_ipv6(head, datagram, udp_octets);
        }
    }
    put(head, UDP_START, &datagram.udp.dst);
    put(head, UDP_START + 2, &datagram.udp.src);
    put(head, UDP_START + 4, &udp_octets.to_be_bytes());
    put(head, UDP_START + 6, &checksum.to_ne_bytes());
}

#[inline(always)]
fn write_ipv4(head: &mut [u8; HEAD_ROOM], datagram: &Datagram, udp_octets: u16) {
    const START: usize = UDP_START - Ipv4Hdr::LEN;
    const VERSION_AND_TOS: u16 = 0x4500;
    const HOPS_AND_PROTOCOL: u16 = u16::from_be_bytes([HOPS, PROTOCOL_UDP]);
    let total = udp_octets.wrapping_add(Ipv4Hdr::LEN as u16);
    let checksum = Sum::ZERO
        .number(VERSION_AND_TOS)
        .number(total)
        .number(DONT_FRAGMENT)
        .number(HOPS_AND_PROTOCOL)
        .words(datagram.source.ipv4_word())
        .words(datagram.destination.ipv4_word())
        .finish();
    put(head, START, &VERSION_AND_TOS.to_be_bytes());
    put(head, START + 2, &total.to_be_bytes());
    // The identification of what is never fragmented means nothing
    // (RFC 6864 4.1).
    put(head, START + 4, &[0, 0]);
    put(head, START + 6, &DONT_FRAGMENT.to_be_bytes());
    put(head, START + 8, &HOPS_AND_PROTOCOL.to_be_bytes());
    put(head, START + 10, &checksum.to_ne_bytes());
    put(
        head,
        START + 12,
        &datagram.destination.ipv4_word().to_ne_bytes(),
    );
    put(head, START + 16, &datagram.source.ipv4_word().to_ne_bytes());
}

#[inline(always)]
fn write_ipv6(head: &mut [u8; HEAD_ROOM], datagram: &Datagram, udp_octets: u16) {
    const START: usize = UDP_START - Ipv6Hdr::LEN;
    put(head, START, &[0x60, 0, 0, 0]);
    put(head, START + 4, &udp_octets.to_be_bytes());
    put(head, START + 6, &[PROTOCOL_UDP, HOPS]);
    put(head, START + 8, &datagram.destination.octets());
    put(head, START + 24, &datagram.source.octets());
}

/// Writes what ends at `ip_start`: MAC addresses swapped, tags and EtherType as
/// they came.
///
/// # Verifier
///
/// A way for each number of tags keeps every offset a constant.
#[inline(always)]
fn write_ethernet(head: &mut [u8; HEAD_ROOM], datagram: &Datagram, ip_start: usize) {
    const { assert!(MAX_VLAN_TAGS == 2) };
    let [outer, inner] = &datagram.tags;
    match datagram.tag_count {
        0 => write_addresses(head, datagram, ip_start - EthHdr::LEN),
        1 => {
            write_addresses(head, datagram, ip_start - EthHdr::LEN - 4);
            put(head, ip_start - 4, outer);
        }
        _ => {
            write_addresses(head, datagram, ip_start - EthHdr::LEN - 8);
            put(head, ip_start - 8, outer);
            put(head, ip_start - 4, inner);
        }
    }
}

#[inline(always)]
fn write_addresses(head: &mut [u8; HEAD_ROOM], datagram: &Datagram, start: usize) {
    put_mac(head, start, datagram.ethernet.src_addr);
    put_mac(head, start + 6, datagram.ethernet.dst_addr);
    put(
        head,
        start + 12,
        &datagram.ethernet.ether_type.to_ne_bytes(),
    );
}

/// Copies a MAC address as two numbers: six octets are copied one by one.
#[inline(always)]
fn put_mac(head: &mut [u8; HEAD_ROOM], at: usize, [a, b, c, d, e, f]: [u8; 6]) {
    put(head, at, &u32::from_ne_bytes([a, b, c, d]).to_ne_bytes());
    put(head, at + 4, &u16::from_ne_bytes([e, f]).to_ne_bytes());
}

/// Copies `octets` to `at`; the offsets above are all inside.
#[inline(always)]
fn put<const N: usize>(head: &mut [u8; HEAD_ROOM], at: usize, octets: &[u8; N]) {
    if let Some(place) = head.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = *octets;
    }
}
