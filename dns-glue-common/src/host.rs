//! What the host is: the interfaces that the program is attached to, their
//! virtual MAC addresses and VLANs, the service addresses, and until when the
//! daemon looks after them.
//!
//! *Invariant:* a table that the program can see never changes. There are two;
//! a change is written to the one that is out of sight, and then a selector,
//! one word, brings it into sight. So every packet sees one state of the host.
//!
//! Every entry lies at one of two places that its key tells, so a lookup is
//! two comparisons at most, and there is no call into the kernel.

use crate::deadlines::NEVER;
use crate::frame::vlan::Vlans;
use crate::maps::{AddressKey, Interface, Vlan, mac_number};
use bytemuck::{Pod, Zeroable};

/// Places for interfaces: four times [`MAX_INTERFACES`](crate::maps::MAX_INTERFACES).
const INTERFACE_PLACES: usize = 256;
/// Places for addresses: four times [`MAX_ADDRESSES`](crate::maps::MAX_ADDRESSES).
const ADDRESS_PLACES: usize = 4096;
/// Places for virtual MAC addresses: four times
/// [`MAX_VIRTUAL_MACS`](crate::maps::MAX_VIRTUAL_MACS).
const MAC_PLACES: usize = 1024;
/// Places for VLAN interfaces: four times [`MAX_VLANS`](crate::maps::MAX_VLANS).
const VLAN_PLACES: usize = 1024;
/// Entries that are moved to make place for another, before other multipliers
/// are worth a try.
const MAX_MOVES: usize = 64;

/// What the host is: the interfaces and addresses that are answered for, and
/// until when.
pub trait Host {
    /// The interface of that index, if the program was attached to it. Indices
    /// begin with 1.
    fn interface(&self, index: u32) -> Option<&Interface>;

    /// Whether the address is answered for.
    fn is_service_address(&self, address: &AddressKey) -> bool;

    /// From when on the host counts as unattended, unless the daemon moves that
    /// time: nanoseconds, as [`deadlines`](crate::deadlines) has them.
    fn attended_until(&self) -> u64;

    /// Whether frames to a MAC address, as [`mac_number`] has it, are ours on
    /// the interface of that index although the address is not its own.
    fn has_virtual_mac(&self, index: u32, mac: u64) -> bool;

    /// The VLAN interface of that index, if one that the program was attached
    /// to carries its frames.
    fn vlan(&self, index: u32) -> Option<&Vlan>;
}

/// The interfaces with what belongs to them, and the service addresses. Host
/// byte order.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct HostTable {
    /// Odd numbers that spread the keys.
    multipliers: [u64; 2],
    /// See [`Host::attended_until`].
    attended_until: u64,
    interfaces: [InterfaceEntry; INTERFACE_PLACES],
    /// The unspecified address where there is none.
    addresses: [AddressKey; ADDRESS_PLACES],
    virtual_macs: [MacEntry; MAC_PLACES],
    vlans: [VlanEntry; VLAN_PLACES],
}

/// An interface with its index; index 0, which no interface has, where there is
/// none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct InterfaceEntry {
    index: u32,
    unused: u32,
    interface: Interface,
}

impl InterfaceEntry {
    const NONE: Self = Self {
        index: 0,
        unused: 0,
        interface: Interface {
            mac: [0; 6],
            mtu: 0,
        },
    };
}

/// A virtual MAC address of an interface; index 0 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct MacEntry {
    /// As [`mac_number`] has it.
    mac: u64,
    index: u32,
    unused: u32,
}

impl MacEntry {
    const NONE: Self = Self::new(0, 0);

    #[inline(always)]
    const fn new(index: u32, mac: u64) -> Self {
        Self {
            mac,
            index,
            unused: 0,
        }
    }
}

/// A VLAN interface with its index; index 0 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
struct VlanEntry {
    index: u32,
    vlan: Vlan,
}

impl VlanEntry {
    const NONE: Self = Self {
        index: 0,
        vlan: Vlan {
            carrier: 0,
            vlans: Vlans::NONE,
        },
    };
}

/// The two places of an interface.
///
/// # Verifier
///
/// The uppermost bits are taken by shifts, which bound the places by
/// themselves.
#[inline(always)]
const fn interface_places(multiplier: u64, index: u32) -> [usize; 2] {
    let spread = multiplier.wrapping_mul(index as u64);
    [(spread >> 56) as usize, (spread << 8 >> 56) as usize]
}

/// The two places of a virtual MAC address, or of a VLAN interface with 0 for
/// the address.
#[inline(always)]
const fn link_places([first, second]: [u64; 2], index: u32, mac: u64) -> [usize; 2] {
    let spread = first
        .wrapping_mul(mac)
        .wrapping_add(second.wrapping_mul(index as u64));
    [(spread >> 54) as usize, (spread << 10 >> 54) as usize]
}

/// The two places of an address.
///
/// As numbers, because neighbours differ in their last octets: only what is
/// low in a number spreads all over the product.
#[inline(always)]
const fn address_places(multipliers: [u64; 2], address: &AddressKey) -> [usize; 2] {
    let [first, second] = multipliers;
    let [low, high] = address.halves();
    let spread = first
        .wrapping_mul(low.to_be())
        .wrapping_add(second.wrapping_mul(high.to_be()));
    [(spread >> 52) as usize, (spread << 12 >> 52) as usize]
}

impl HostTable {
    /// Nothing is served.
    pub const EMPTY: Self = Self {
        multipliers: [1; 2],
        attended_until: NEVER,
        interfaces: [InterfaceEntry::NONE; INTERFACE_PLACES],
        addresses: [AddressKey::UNSPECIFIED; ADDRESS_PLACES],
        virtual_macs: [MacEntry::NONE; MAC_PLACES],
        vlans: [VlanEntry::NONE; VLAN_PLACES],
    };

    /// Makes this the table of these interfaces, by index, and addresses, none
    /// of them unspecified, no key twice; attended for ever.
    ///
    /// False if they find no place with these multipliers: then another two
    /// random odd numbers are to be tried. There is place for
    /// [`MAX_INTERFACES`](crate::maps::MAX_INTERFACES) and
    /// [`MAX_ADDRESSES`](crate::maps::MAX_ADDRESSES) with nearly all.
    pub fn fill(
        &mut self,
        multipliers: [u64; 2],
        interfaces: impl IntoIterator<Item = (u32, Interface)>,
        addresses: impl IntoIterator<Item = AddressKey>,
    ) -> bool {
        *self = Self {
            multipliers,
            ..Self::EMPTY
        };
        let [multiplier, _] = multipliers;
        interfaces.into_iter().all(|(index, interface)| {
            let entry = InterfaceEntry {
                index,
                interface,
                ..InterfaceEntry::NONE
            };
            let places = |entry: &InterfaceEntry| interface_places(multiplier, entry.index);
            find_place(&mut self.interfaces, entry, InterfaceEntry::NONE, places)
        }) && addresses.into_iter().all(|address| {
            let places = |address: &AddressKey| address_places(multipliers, address);
            let none = AddressKey::UNSPECIFIED;
            find_place(&mut self.addresses, address, none, places)
        })
    }

    /// Sets [`Host::attended_until`].
    pub const fn set_attended_until(&mut self, time: u64) {
        self.attended_until = time;
    }

    /// Adds virtual MAC addresses of interfaces, by index, none of them twice.
    ///
    /// False if they find no place: then the table is to be filled anew, with
    /// other multipliers. There is place for
    /// [`MAX_VIRTUAL_MACS`](crate::maps::MAX_VIRTUAL_MACS) with nearly all.
    pub fn add_virtual_macs(&mut self, macs: impl IntoIterator<Item = (u32, [u8; 6])>) -> bool {
        let multipliers = self.multipliers;
        macs.into_iter().all(|(index, mac)| {
            let entry = MacEntry::new(index, mac_number(mac));
            let places = |entry: &MacEntry| link_places(multipliers, entry.index, entry.mac);
            find_place(&mut self.virtual_macs, entry, MacEntry::NONE, places)
        })
    }

    /// Adds VLAN interfaces, by index, none of them twice.
    ///
    /// False as [`Self::add_virtual_macs`]; there is place for
    /// [`MAX_VLANS`](crate::maps::MAX_VLANS).
    pub fn add_vlans(&mut self, vlans: impl IntoIterator<Item = (u32, Vlan)>) -> bool {
        let multipliers = self.multipliers;
        vlans.into_iter().all(|(index, vlan)| {
            let entry = VlanEntry { index, vlan };
            let places = |entry: &VlanEntry| link_places(multipliers, entry.index, 0);
            find_place(&mut self.vlans, entry, VlanEntry::NONE, places)
        })
    }
}

impl Host for HostTable {
    #[inline(always)]
    fn interface(&self, index: u32) -> Option<&Interface> {
        let [multiplier, _] = self.multipliers;
        for place in interface_places(multiplier, index) {
            if let Some(entry) = self.interfaces.get(place)
                && entry.index == index
            {
                return Some(&entry.interface);
            }
        }
        None
    }

    #[inline(always)]
    fn is_service_address(&self, address: &AddressKey) -> bool {
        if *address == AddressKey::UNSPECIFIED {
            return false;
        }
        for place in address_places(self.multipliers, address) {
            if self.addresses.get(place) == Some(address) {
                return true;
            }
        }
        false
    }

    #[inline(always)]
    fn attended_until(&self) -> u64 {
        self.attended_until
    }

    #[inline(always)]
    fn has_virtual_mac(&self, index: u32, mac: u64) -> bool {
        let wanted = MacEntry::new(index, mac);
        for place in link_places(self.multipliers, index, mac) {
            if self.virtual_macs.get(place) == Some(&wanted) {
                return true;
            }
        }
        false
    }

    #[inline(always)]
    fn vlan(&self, index: u32) -> Option<&Vlan> {
        for place in link_places(self.multipliers, index, 0) {
            if let Some(entry) = self.vlans.get(place)
                && entry.index == index
            {
                return Some(&entry.vlan);
            }
        }
        None
    }
}

/// Puts an entry at one of its places, and moves others to their second ones
/// if it must.
fn find_place<T: Copy + PartialEq>(
    table: &mut [T],
    mut entry: T,
    none: T,
    places: impl Fn(&T) -> [usize; 2],
) -> bool {
    for turn in 0..MAX_MOVES {
        let [first, second] = places(&entry);
        for place in [first, second] {
            if let Some(free) = table.get_mut(place).filter(|at| **at == none) {
                *free = entry;
                return true;
            }
        }
        let place = if turn % 2 == 0 { first } else { second };
        if let Some(taken) = table.get_mut(place) {
            core::mem::swap(taken, &mut entry);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::vlan::ETHERTYPE_VLAN;
    use crate::maps::{MAX_ADDRESSES, MAX_INTERFACES, MAX_VIRTUAL_MACS, MAX_VLANS};
    use proptest::prelude::*;
    use std::boxed::Box;
    use std::collections::{HashMap, HashSet};
    use std::vec::Vec;

    const MULTIPLIERS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];

    fn interface(index: u32) -> Interface {
        Interface {
            mac: [2, 0, 0, 0, 0, index as u8],
            mtu: index as u16,
        }
    }

    fn table(interfaces: &[u32], addresses: &[AddressKey]) -> Box<HostTable> {
        let mut table = Box::new(HostTable::EMPTY);
        let interfaces = interfaces.iter().map(|index| (*index, interface(*index)));
        assert!(table.fill(MULTIPLIERS, interfaces, addresses.iter().copied()));
        table
    }

    #[test]
    fn an_empty_table_serves_nothing() {
        let empty = &HostTable::EMPTY;
        assert!((1..10_000).all(|index| empty.interface(index).is_none()));
        assert!((1..10_000).all(|index| empty.vlan(index).is_none()));
        assert!((1..10_000).all(|index| !empty.has_virtual_mac(index, 0)));
        assert!(!empty.is_service_address(&AddressKey::UNSPECIFIED));
        assert!(!empty.is_service_address(&AddressKey::from_ipv4([192, 0, 2, 1])));
    }

    /// Neighbours, as addresses of one host mostly are, and as many as there
    /// may be.
    #[test]
    fn the_most_entries_find_their_places() {
        let indices: Vec<u32> = (1..=MAX_INTERFACES).collect();
        let mapped = |number: u32| AddressKey::from_ipv4((0xc000_0200 + number).to_be_bytes());
        let addresses: Vec<AddressKey> = (0..MAX_ADDRESSES).map(mapped).collect();
        let table = table(&indices, &addresses);
        for index in 1..1000 {
            let expected = indices.contains(&index).then(|| interface(index));
            assert_eq!(table.interface(index).copied(), expected);
        }
        for number in 0..10 * MAX_ADDRESSES {
            let is_served = number < MAX_ADDRESSES;
            assert_eq!(table.is_service_address(&mapped(number)), is_served);
        }
        assert!(!table.is_service_address(&AddressKey::UNSPECIFIED));
    }

    /// The time does not stand in the way of anything else, and goes when the
    /// table is filled anew.
    #[test]
    fn a_table_is_attended_until_it_is_told_otherwise() {
        let address = AddressKey::from_ipv4([192, 0, 2, 1]);
        let mut table = table(&[3], &[address]);
        assert_eq!(table.attended_until(), NEVER);
        table.set_attended_until(0x0123_4567_89ab_cdef);
        assert_eq!(table.attended_until(), 0x0123_4567_89ab_cdef);
        assert_eq!(table.interface(3), Some(&interface(3)));
        assert!(table.is_service_address(&address));
        assert!(table.fill(MULTIPLIERS, [], []));
        assert_eq!(table.attended_until(), NEVER);
    }

    /// A virtual router's MAC address (RFC 9568 7.3).
    fn virtual_mac(number: u32) -> [u8; 6] {
        [0, 0, 0x5e, 0, (number >> 8) as u8, number as u8]
    }

    fn vlan(index: u32) -> Vlan {
        Vlan {
            carrier: index % 3,
            vlans: Vlans::NONE
                .inside(ETHERTYPE_VLAN, index as u16)
                .expect("one tag"),
        }
    }

    /// All on one interface, and a few on many.
    #[test]
    fn the_most_virtual_macs_and_vlans_find_their_places() {
        for interfaces in [1, 64] {
            let macs = |number: u32| (1 + number % interfaces, virtual_mac(number / interfaces));
            let vlans = (1..=MAX_VLANS).map(|index| (index, vlan(index)));
            let mut table = table(&[7], &[]);
            assert!(table.add_virtual_macs((0..MAX_VIRTUAL_MACS).map(macs)));
            assert!(table.add_vlans(vlans));
            for number in 0..4 * MAX_VIRTUAL_MACS {
                let (index, mac) = macs(number);
                let is_served = number < MAX_VIRTUAL_MACS;
                assert_eq!(table.has_virtual_mac(index, mac_number(mac)), is_served);
                // That of another interface is not this one's.
                assert!(!table.has_virtual_mac(index + 1000, mac_number(mac)));
            }
            for index in 1..4 * MAX_VLANS {
                let expected = (index <= MAX_VLANS).then(|| vlan(index));
                assert_eq!(table.vlan(index).copied(), expected);
            }
            assert_eq!(table.interface(7), Some(&interface(7)));
            assert!(table.fill(MULTIPLIERS, [], []));
            assert!(!table.has_virtual_mac(1, mac_number(virtual_mac(0))));
            assert_eq!(table.vlan(1), None);
        }
    }

    /// With multipliers that put everything at one place there is no table.
    #[test]
    fn multipliers_that_do_not_spread_are_refused() {
        let mut table = Box::new(HostTable::EMPTY);
        let interfaces = (1..4).map(|index| (index, interface(index)));
        assert!(!table.fill([0, 0], interfaces, []));
        assert!(table.fill([0, 0], [], []));
        assert!(!table.add_virtual_macs((1..4).map(|index| (index, virtual_mac(1)))));
        assert!(!table.add_vlans((1..4).map(|index| (index, vlan(index)))));
    }

    proptest! {
        #[test]
        fn holds_what_was_put_in_and_nothing_else(
            multipliers: [u64; 2],
            interfaces in proptest::collection::hash_map(1_u32.., any::<u16>(), 0..30),
            addresses in proptest::collection::hash_set(any::<[u8; 16]>(), 0..200),
            others in proptest::collection::vec(any::<[u8; 16]>(), 20),
        ) {
            let multipliers = multipliers.map(|multiplier| multiplier | 1);
            let interfaces: HashMap<u32, Interface> = interfaces
                .into_iter()
                .map(|(index, mtu)| (index, Interface { mac: [1; 6], mtu }))
                .collect();
            let addresses: HashSet<AddressKey> = addresses
                .into_iter()
                .map(AddressKey::from_ipv6)
                .filter(|address| *address != AddressKey::UNSPECIFIED)
                .collect();
            let mut table = Box::new(HostTable::EMPTY);
            prop_assume!(table.fill(
                multipliers,
                interfaces.iter().map(|(index, interface)| (*index, *interface)),
                addresses.iter().copied(),
            ));
            let near = interfaces.keys().flat_map(|index| [*index, index ^ 1, index << 1]);
            for index in near.filter(|index| *index != 0) {
                prop_assert_eq!(table.interface(index), interfaces.get(&index));
            }
            let others = others.into_iter().map(AddressKey::from_ipv6);
            for address in addresses.iter().copied().chain(others) {
                prop_assert_eq!(table.is_service_address(&address), addresses.contains(&address));
            }
        }
    }
}
