//! The kernel's routing table and its neighbours, in memory.

use std::collections::HashMap;

use dns_glue_common::maps::AddressKey;
use dns_glue_common::route::{LOOPBACK_INTERFACE, RouteLookup};

/// Where datagrams to an address go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The index of the interface that they leave by.
    pub interface: u32,
    /// The MAC address of the next hop, if it is known.
    pub next_hop: Option<[u8; 6]>,
    /// Octets of the longest IP packet.
    pub mtu: u16,
}

/// A routing table with routes to single addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(HashMap<AddressKey, Route>);

impl Routes {
    /// Adds a route, in the place of one that is there for the address.
    pub fn add(&mut self, destination: AddressKey, route: Route) {
        self.0.insert(destination, route);
    }

    /// Answers as the kernel does.
    pub fn find(&self, lookup: &mut RouteLookup) -> bool {
        if lookup.interface != LOOPBACK_INTERFACE {
            return false;
        }
        let Some(route) = self.0.get(&lookup.destination()) else {
            return false;
        };
        let Some(next_hop) = route.next_hop.filter(|_| lookup.octets <= route.mtu) else {
            return false;
        };
        lookup.octets = route.mtu;
        lookup.interface = route.interface;
        lookup.next_hop = next_hop;
        true
    }
}
