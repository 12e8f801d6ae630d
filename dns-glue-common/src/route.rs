//! The way of a reply by the kernel's routing table (`--reply-via fib`).
//!
//! A reply goes out of the interface that its query came in by, or not at all
//! from here. By default it goes to the MAC address that the query came from.
//! That is wrong where queries come from one router and replies must go to
//! another: then the routing table and the neighbours decide. Whatever they say
//! that the program cannot do by sending the frame back is left to the kernel's
//! own stack, with the server behind.
//!
//! The MTU is the one by which the kernel would forward a datagram: that of the
//! interface, or a smaller one of the path that it has learned of. One that a
//! route was given counts only if it is locked (`ip route ... mtu lock 1400`), or
//! under `net.ipv4.ip_forward_use_pmtu`.

use crate::frame::Frame;
use crate::frame::parse::{Datagram, Family, PROTOCOL_UDP};
use crate::frame::vlan::Vlans;
use crate::host::Host;
use crate::maps::AddressKey;
use crate::reason::Reason;
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};
use network_types::udp::UdpHdr;

/// Address families of Linux.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// The interface that datagrams of this host come from (`iif lo` in its routing
/// rules).
///
/// A lookup for a frame that came in by another interface would be that of a
/// router: the kernel refuses it where forwarding is off, and hosts keep it
/// off. It asks for forwarding on `lo` too, where there is nothing to forward.
pub const LOOPBACK_INTERFACE: u32 = 1;

/// A question to the kernel's routing table and its neighbours, and the answer;
/// laid out as `struct bpf_fib_lookup` (linux/bpf.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct RouteLookup {
    /// `AF_INET` or `AF_INET6`.
    family: u8,
    /// The IP protocol.
    protocol: u8,
    /// The reply's source port, network byte order.
    source_port: [u8; 2],
    /// The reply's destination port, network byte order.
    destination_port: [u8; 2],
    /// Asked: octets of the reply with its IP header. Answered: the MTU of the
    /// route.
    pub octets: u16,
    /// Asked: where the reply comes from. Answered: where it goes out.
    pub interface: u32,
    /// Asked: type of service, or flow label. Answered: the route's metric.
    flow: u32,
    /// The reply's source address, network byte order; IPv4 in the first word.
    source: [u32; 4],
    /// Its destination. Answered: the next hop.
    destination: [u32; 4],
    /// A number of a table, or VLANs that the kernel never fills in.
    table: u32,
    /// Answered: the interface's MAC address.
    source_mac: [u8; 6],
    /// Answered: the next hop's.
    pub next_hop: [u8; 6],
}
const _: () = assert!(size_of::<RouteLookup>() == 64);

impl RouteLookup {
    /// Nobody's.
    pub const EMPTY: Self = Self {
        family: 0,
        protocol: 0,
        source_port: [0; 2],
        destination_port: [0; 2],
        octets: 0,
        interface: 0,
        flow: 0,
        source: [0; 4],
        destination: [0; 4],
        table: 0,
        source_mac: [0; 6],
        next_hop: [0; 6],
    };

    /// The address that the reply comes from, or that it goes to.
    fn address(&self, words: [u32; 4]) -> AddressKey {
        if self.family == AF_INET {
            let [word, ..] = words;
            AddressKey::from_ipv4(word.to_ne_bytes())
        } else {
            AddressKey::from_ipv6(bytemuck::cast(words))
        }
    }

    /// The address that the reply comes from.
    pub fn source(&self) -> AddressKey {
        self.address(self.source)
    }

    /// The address that it goes to.
    pub fn destination(&self) -> AddressKey {
        self.address(self.destination)
    }

    /// Asks for the way of a reply of so many octets to the datagram of a frame.
    #[inline(always)]
    fn ask<F: Frame>(
        &mut self,
        frame: &F,
        datagram: &Datagram,
        message_octets: usize,
    ) -> Option<()> {
        let ip_start = datagram.ip_start as usize;
        // Field by field: all of it at once would go over the stack.
        match datagram.family {
            Family::V4 => {
                let ip: &Ipv4Hdr = frame.header(ip_start)?;
                self.family = AF_INET;
                self.source = [u32::from_ne_bytes(ip.dst_addr), 0, 0, 0];
                self.destination = [u32::from_ne_bytes(ip.src_addr), 0, 0, 0];
            }
            Family::V6 => {
                let ip: &Ipv6Hdr = frame.header(ip_start)?;
                self.family = AF_INET6;
                self.source = words(ip.dst_addr);
                self.destination = words(ip.src_addr);
            }
        }
        let ip_octets = datagram.family.header_octets();
        let udp: &UdpHdr = frame.header(ip_start + ip_octets)?;
        self.source_port = udp.dst;
        self.destination_port = udp.src;
        self.protocol = PROTOCOL_UDP;
        self.octets = (ip_octets + UdpHdr::LEN + message_octets) as u16;
        self.interface = LOOPBACK_INTERFACE;
        self.flow = 0;
        self.table = 0;
        Some(())
    }
}

/// An IPv6 address as words in memory order.
#[inline(always)]
const fn words(octets: [u8; 16]) -> [u32; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
    [
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
        u32::from_ne_bytes([i, j, k, l]),
        u32::from_ne_bytes([m, n, o, p]),
    ]
}

/// Finds the next hop of a reply with a DNS message of so many octets, and notes
/// it in `lookup`.
///
/// # Errors
///
/// [`Reason::NoRoute`]: the kernel has no way, no neighbour or too small an MTU
/// for it, or it would have it leave by another interface or VLAN.
#[inline(always)]
pub fn find_next_hop<F: Frame, H: Host>(
    frame: &F,
    host: &H,
    datagram: &Datagram,
    message_octets: usize,
    lookup: &mut RouteLookup,
) -> Result<(), Reason> {
    let asked = lookup.ask(frame, datagram, message_octets);
    if asked.is_some() && frame.find_route(lookup) && leads_back(frame, host, datagram, lookup) {
        Ok(())
    } else {
        Err(Reason::NoRoute)
    }
}

/// Whether a frame that is sent back as it came, tags and all, goes where the
/// kernel would send the reply.
#[inline(always)]
fn leads_back<F: Frame, H: Host>(
    frame: &F,
    host: &H,
    datagram: &Datagram,
    lookup: &RouteLookup,
) -> bool {
    let Some(vlans) = Vlans::of(frame, datagram.ip_start as usize) else {
        return false;
    };
    let ingress = frame.interface();
    if lookup.interface == ingress {
        return vlans == Vlans::NONE;
    }
    host.vlan(lookup.interface)
        .is_some_and(|vlan| vlan.carrier == ingress && vlan.vlans == vlans)
}
