//! The maps that belong to the host: interfaces and service addresses.
//!
//! They may change at any time, an entry at once.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aya::{
    Ebpf,
    maps::{HashMap, MapData, MapError},
};
use dns_glue_common::maps::{ADDRESSES, AddressKey, INTERFACES, Interface, MAX_ADDRESSES};

use super::LoadError;
use super::value::Value;

/// Interfaces and service addresses as the program sees them.
pub struct HostMaps {
    interfaces: HashMap<MapData, u32, Value<Interface>>,
    addresses: HashMap<MapData, Value<AddressKey>, u8>,
    /// What is in `addresses`.
    served: BTreeSet<IpAddr>,
}

/// What an update of the service addresses did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AddressChanges {
    /// Now served.
    pub added: Vec<IpAddr>,
    /// No longer served.
    pub removed: Vec<IpAddr>,
    /// Not served although wanted: the map is full.
    pub beyond: Vec<IpAddr>,
}

#[expect(
    clippy::needless_borrows_for_generic_args,
    reason = "this aya takes values too, the next one references only"
)]
impl HostMaps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        let mut take = |name| ebpf.take_map(name).ok_or(LoadError::Missing(name));
        Ok(Self {
            interfaces: take(INTERFACES)?.try_into()?,
            addresses: take(ADDRESSES)?.try_into()?,
            served: BTreeSet::new(),
        })
    }

    /// Tells the program the MAC address and MTU of an interface.
    ///
    /// # Errors
    ///
    /// The map is full (64 interfaces).
    pub fn set_interface(&mut self, index: u32, interface: Interface) -> Result<(), MapError> {
        self.interfaces.insert(&index, &Value(interface), 0)
    }

    /// Makes the program pass everything that comes in on an interface.
    ///
    /// # Errors
    ///
    /// The system call failed; it is no error if the interface is not there.
    pub fn remove_interface(&mut self, index: u32) -> Result<(), MapError> {
        match self.interfaces.remove(&index) {
            Err(MapError::KeyNotFound) => Ok(()),
            other => other,
        }
    }

    /// Makes `wanted` the service addresses: first removes, then adds.
    ///
    /// # Errors
    ///
    /// A system call failed; what was done until then stays done and known.
    pub fn set_addresses(&mut self, wanted: &BTreeSet<IpAddr>) -> Result<AddressChanges, MapError> {
        let mut changes = AddressChanges::default();
        let gone: Vec<IpAddr> = self.served.difference(wanted).copied().collect();
        for address in gone {
            match self.addresses.remove(&Value(AddressKey::from(address))) {
                Ok(()) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(error),
            }
            self.served.remove(&address);
            changes.removed.push(address);
        }
        let new: Vec<IpAddr> = wanted.difference(&self.served).copied().collect();
        for address in new {
            if self.served.len() >= MAX_ADDRESSES as usize {
                changes.beyond.push(address);
                continue;
            }
            self.addresses
                .insert(&Value(AddressKey::from(address)), &1, 0)?;
            self.served.insert(address);
            changes.added.push(address);
        }
        Ok(changes)
    }

    /// The service addresses.
    pub fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.served
    }
}
