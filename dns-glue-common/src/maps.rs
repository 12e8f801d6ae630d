//! The maps between the program and the daemon: names, keys, values.
//!
//! Everything is octets or numbers without padding, in the byte order that each
//! item states. Maps that belong to one generation of the zones ([`INDEX`],
//! [`PIECES`] and the globals) are filled before the program runs and never
//! change, and [`KEPT`] holds what they were last put together to; [`DEADLINES`]
//! belongs to the generation too, but the daemon changes it word by word.
//! [`SCRATCH`] is of no meaning between packets, [`CLOCK`] between ticks. But for
//! [`DEADLINES`] these are frozen: no process can write to them. The others
//! belong to the host: its counters, and what [`host`](crate::host) says.

use crate::frame::checksum::Sum;
use crate::frame::vlan::Vlans;
use crate::limits::MAX_ZONES;
use crate::policy::Policy;
use bytemuck::{Pod, Zeroable};
use core::net::IpAddr;

/// The XDP program's name.
pub const PROGRAM: &str = "dns_glue";

/// Array of [`Bucket`](crate::index::Bucket): the delegation index.
pub const INDEX: &str = "INDEX";
/// Array of [`Slab`](crate::referral::Slab): the pieces of referrals.
pub const PIECES: &str = "PIECES";
/// Per-CPU array of [`COUNTER_SLOTS`](crate::reason::COUNTER_SLOTS) counters of
/// 64 bits.
pub const COUNTERS: &str = "COUNTERS";
/// Per-CPU array of one [`Scratch`](crate::frame::Scratch).
pub const SCRATCH: &str = "SCRATCH";
/// Per-CPU array of one [`Reading`].
pub const CLOCK: &str = "CLOCK";
/// Per-CPU array of [`KEPT_BODIES`](crate::limits::KEPT_BODIES)
/// [`KeptBody`](crate::kept::KeptBody), all empty at first.
pub const KEPT: &str = "KEPT";
/// Array of [`DEADLINE_SLOTS`] numbers of 64 bits: until when the zone of that
/// number is answered for, as [`deadlines`](crate::deadlines) has it.
pub const DEADLINES: &str = "DEADLINES";
/// Array of two [`HostTable`](crate::host::HostTable), one of them in sight.
pub const HOST: &str = "HOST";
/// Array of one number of 32 bits: which of the two is in sight.
pub const HOST_SELECTOR: &str = "HOST_SELECTOR";

/// Global: [`Settings`].
pub const SETTINGS: &str = "SETTINGS";
/// Global: [`HashSecret`](crate::index::HashSecret).
pub const SECRET: &str = "SECRET";
/// Global: [`Depths`](crate::index::Depths).
pub const DEPTHS: &str = "DEPTHS";

/// Entries of [`DEADLINES`]: one for every number that a zone can have, so that
/// a lookup never misses.
pub const DEADLINE_SLOTS: usize = 256;
const _: () = assert!(MAX_ZONES < DEADLINE_SLOTS);

/// Interfaces that one daemon can serve.
pub const MAX_INTERFACES: u32 = 64;
/// Service addresses that one daemon can serve.
pub const MAX_ADDRESSES: u32 = 1024;
/// MAC addresses, beside the interfaces' own, that one daemon can serve: one
/// for all interfaces counts once for each.
pub const MAX_VIRTUAL_MACS: u32 = 256;
/// VLAN interfaces that replies of one daemon can go out by.
pub const MAX_VLANS: u32 = 256;

/// What is fixed for one loaded program. Host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Settings {
    /// The operator's choices, and flags that follow from the zones.
    pub policy: Policy,
    /// Buckets of the index.
    pub buckets: u32,
}
const _: () = assert!(size_of::<Settings>() == 80);

/// What a CPU read from the clock last. Host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Reading {
    /// The number of the kernel's tick at which it did, in jiffies.
    pub tick: u64,
    /// The time, nanoseconds of `CLOCK_MONOTONIC`.
    pub time: u64,
}

/// An interface that the program is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Interface {
    /// Its MAC address: queries to any other pass, but for virtual ones.
    pub mac: [u8; 6],
    /// Its MTU, octets, host byte order; 65535 stands for anything larger.
    pub mtu: u16,
}
const _: () = assert!(size_of::<Interface>() == 8);

/// A MAC address as a number: six octets would be compared one by one.
#[inline(always)]
pub const fn mac_number([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u32::from_ne_bytes([a, b, c, d]) as u64 | (u16::from_ne_bytes([e, f]) as u64) << 32
}

/// A VLAN interface on top of one that the program is attached to. Host byte
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Vlan {
    /// The index of the interface that carries its frames.
    pub carrier: u32,
    /// What its frames are tagged with.
    pub vlans: Vlans,
}
const _: () = assert!(size_of::<Vlan>() == 12);

/// An IP address in network byte order; IPv4 is mapped (RFC 4291 2.5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct AddressKey([u32; 4]);
const _: () = assert!(size_of::<AddressKey>() == 16);

/// The third word of every mapped IPv4 address.
const MAPPED: u32 = u32::from_be(0x0000_ffff);

impl AddressKey {
    /// The unspecified IPv6 address, `::`.
    pub const UNSPECIFIED: Self = Self([0; 4]);

    /// The key of an IPv4 address.
    #[inline(always)]
    pub const fn from_ipv4(octets: [u8; 4]) -> Self {
        Self([0, 0, MAPPED, u32::from_ne_bytes(octets)])
    }

    /// The key of an IPv6 address.
    #[inline(always)]
    pub const fn from_ipv6(octets: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
        Self([
            u32::from_ne_bytes([a, b, c, d]),
            u32::from_ne_bytes([e, f, g, h]),
            u32::from_ne_bytes([i, j, k, l]),
            u32::from_ne_bytes([m, n, o, p]),
        ])
    }

    /// The 16 octets.
    #[inline(always)]
    pub const fn octets(&self) -> [u8; 16] {
        let [a, b, c, d] = self.0;
        let [a0, a1, a2, a3] = a.to_ne_bytes();
        let [b0, b1, b2, b3] = b.to_ne_bytes();
        let [c0, c1, c2, c3] = c.to_ne_bytes();
        let [d0, d1, d2, d3] = d.to_ne_bytes();
        [
            a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3,
        ]
    }

    /// The first and the last eight octets, memory order.
    #[inline(always)]
    pub const fn halves(&self) -> [u64; 2] {
        let [a, b, c, d] = self.0;
        [a as u64 | (b as u64) << 32, c as u64 | (d as u64) << 32]
    }

    /// Whether this is an IPv4 address in its mapped form.
    #[inline(always)]
    pub const fn is_mapped(&self) -> bool {
        let [a, b, c, _] = self.0;
        a == 0 && b == 0 && c == MAPPED
    }

    /// The last four octets, memory order: the IPv4 address of a mapped one.
    #[inline(always)]
    pub const fn ipv4_word(&self) -> u32 {
        let [_, _, _, word] = self.0;
        word
    }

    /// Adds all 16 octets to a checksum.
    #[inline(always)]
    pub const fn add_to(&self, sum: Sum) -> Sum {
        let [a, b, c, d] = self.0;
        sum.words(a).words(b).words(c).words(d)
    }

    /// Whether a reply may be sent to the address: not multicast, not
    /// reserved or broadcast (from 240/4 on), not 0/8, not loopback, not
    /// unspecified (RFC 1122 3.2.1.3, RFC 4291 2.5).
    #[inline(always)]
    pub const fn is_answerable(&self) -> bool {
        let [a, b, c, d] = self.0;
        if self.is_mapped() {
            let [first, ..] = d.to_ne_bytes();
            return first != 0 && first != 127 && first < 224;
        }
        if a == 0 && b == 0 {
            // The unspecified address, loopback, and the deprecated
            // IPv4-compatible addresses: nobody sends from there.
            return c != 0;
        }
        let [first, ..] = a.to_ne_bytes();
        first != 0xff
    }
}

impl From<IpAddr> for AddressKey {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::from_ipv4(address.octets()),
            IpAddr::V6(address) => Self::from_ipv6(address.octets()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn every_first_octet_of_ipv4() {
        for first in 0..=u8::MAX {
            let address = Ipv4Addr::new(first, 2, 3, 4);
            let answerable =
                !(first == 0 || address.is_loopback() || address.is_multicast() || first >= 240);
            let key = AddressKey::from_ipv4(address.octets());
            assert_eq!(key.is_answerable(), answerable, "{address}");
            assert_eq!(key.octets(), address.to_ipv6_mapped().octets());
        }
    }

    #[test]
    fn sources_of_ipv6() {
        for (text, answerable) in [
            ("::", false),
            ("::1", false),
            ("::192.0.2.1", false),
            ("ff02::1", false),
            ("fe80::1", true),
            ("2001:db8::1", true),
            ("fd00::1", true),
            ("64:ff9b::192.0.2.1", true),
        ] {
            let address: Ipv6Addr = text.parse().expect("an address");
            let key = AddressKey::from_ipv6(address.octets());
            assert_eq!(key.is_answerable(), answerable, "{address}");
            assert_eq!(key.octets(), address.octets());
        }
    }
}
