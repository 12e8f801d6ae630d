//! The maps that belong to the host: interfaces, service addresses, and until
//! when the daemon looks after them.
//!
//! They may change at any time; a packet sees all of a change or nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::mem;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use aya::{
    Ebpf,
    maps::{Array, MapData, MapError},
};
use bytemuck::Zeroable as _;
use dns_glue_common::deadlines::NEVER;
use dns_glue_common::frame::vlan::Vlans;
use dns_glue_common::host::{Host as _, HostTable};
use dns_glue_common::maps::{
    AddressKey, HOST, HOST_SELECTOR, Interface, MAX_ADDRESSES, MAX_INTERFACES, MAX_VLANS, Vlan,
};

use super::LoadError;
use super::shared::SharedMaps;
use super::test_run::LOOPBACK;
use super::value::Value;

/// How long a table that went out of sight is left alone where the kernel does
/// not tell that all packets of before are done: longer by far than the program
/// takes for one.
const GRACE: Duration = Duration::from_millis(10);
/// Multipliers that are tried: nearly always the first will do.
const MAX_MULTIPLIERS: usize = 64;

/// An interface with all that the program needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedInterface {
    /// Its MAC address and its MTU.
    pub interface: Interface,
    /// MAC addresses that are answered for beside its own.
    pub virtual_macs: BTreeSet<[u8; 6]>,
    /// The VLAN interfaces on top of it, by index: only replies that the
    /// kernel's routing table sends need them.
    pub vlans: BTreeMap<u32, Vlans>,
}

impl From<Interface> for ServedInterface {
    fn from(interface: Interface) -> Self {
        Self {
            interface,
            virtual_macs: BTreeSet::new(),
            vlans: BTreeMap::new(),
        }
    }
}

/// What the host is, as the program sees it.
pub struct HostMaps {
    tables: Array<MapData, Value<HostTable>>,
    selector: Array<MapData, u32>,
    /// The table in sight.
    selected: u32,
    /// When it came into sight.
    since: Option<Instant>,
    /// Whether the table in sight was never written: whoever looks at it passes
    /// everything.
    is_unwritten: bool,
    interfaces: BTreeMap<u32, ServedInterface>,
    served: BTreeSet<IpAddr>,
    attended_until: u64,
}

/// What is written down, and not in sight yet.
#[derive(Debug)]
pub struct NextTable {
    interfaces: BTreeMap<u32, ServedInterface>,
    served: BTreeSet<IpAddr>,
    changes: AddressChanges,
}

/// What an update of the service addresses did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AddressChanges {
    /// Now served.
    pub added: Vec<IpAddr>,
    /// No longer served.
    pub removed: Vec<IpAddr>,
    /// Not served although wanted: there are too many.
    pub beyond: Vec<IpAddr>,
}

impl HostMaps {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        let mut take = |name| ebpf.take_map(name).ok_or(LoadError::Missing(name));
        Ok(Self {
            tables: take(HOST)?.try_into()?,
            selector: take(HOST_SELECTOR)?.try_into()?,
            selected: 0,
            since: None,
            is_unwritten: true,
            interfaces: BTreeMap::new(),
            served: BTreeSet::new(),
            attended_until: NEVER,
        })
    }

    /// Those of all generations. The program sees what
    /// it saw until the first change; with that it is attended until
    /// `attended_until` ([`HostMaps::set_attended_until`]).
    ///
    /// # Errors
    ///
    /// The maps cannot be read.
    pub fn open(maps: &SharedMaps, attended_until: u64) -> Result<Self, MapError> {
        let tables: Array<MapData, Value<HostTable>> = maps.host.array()?;
        let selector: Array<MapData, u32> = maps.host_selector.array()?;
        // Of two: the program sees nothing under any other number.
        let selected = selector.get(&0, 0)?.min(1);
        let Value(in_sight) = tables.get(&selected, 0)?;
        let is_unwritten = in_sight.attended_until() == 0;
        Ok(Self {
            tables,
            selector,
            selected,
            // Another daemon may have written the other table just now.
            since: Some(Instant::now()),
            is_unwritten,
            interfaces: BTreeMap::new(),
            served: BTreeSet::new(),
            attended_until,
        })
    }

    /// Whether the table in sight was never written: whoever looks at it passes
    /// everything.
    pub fn are_unwritten(&self) -> bool {
        self.is_unwritten
    }

    /// Writes down these as all the interfaces, and `wanted` as the service
    /// addresses, as many as there may be, where the program does not look yet.
    ///
    /// # Errors
    ///
    /// There are too many interfaces, or a system call failed.
    pub fn write_all(
        &mut self,
        interfaces: BTreeMap<u32, ServedInterface>,
        wanted: &BTreeSet<IpAddr>,
    ) -> Result<NextTable, MapError> {
        check_number(&interfaces)?;
        let (changes, served) = self.changes(wanted);
        self.write(&interfaces, &served)?;
        Ok(NextTable {
            interfaces,
            served,
            changes,
        })
    }

    /// Lets the program see what was written down last, and nothing else since.
    ///
    /// # Errors
    ///
    /// A system call failed. The program sees what it saw.
    pub fn show(&mut self, next: NextTable) -> Result<AddressChanges, MapError> {
        self.select()?;
        self.interfaces = next.interfaces;
        self.served = next.served;
        Ok(next.changes)
    }

    /// Takes the last change back, for a daemon that does not serve after all:
    /// the program sees what it saw before. There must be no other change after
    /// that.
    ///
    /// # Errors
    ///
    /// A system call failed.
    pub fn take_back(&mut self) -> Result<(), MapError> {
        self.select()
    }

    /// Tells the program of an interface, unless it knows all that already.
    ///
    /// # Errors
    ///
    /// There are too many (64 interfaces, 256 virtual MAC addresses), or a
    /// system call failed. The program sees what it saw.
    pub fn set_interface(
        &mut self,
        index: u32,
        interface: impl Into<ServedInterface>,
    ) -> Result<(), MapError> {
        let interface = interface.into();
        if self.interfaces.get(&index) == Some(&interface) {
            return Ok(());
        }
        let mut interfaces = self.interfaces.clone();
        interfaces.insert(index, interface);
        check_number(&interfaces)?;
        self.publish(interfaces, self.served.clone())
    }

    /// Makes the loopback interface, which test runs come in on
    /// ([`Loaded::test_run`]), the only interface, with these service
    /// addresses: for a program that is attached to none.
    ///
    /// # Errors
    ///
    /// There are too many addresses, or a system call failed. The program sees
    /// what it saw.
    ///
    /// [`Loaded::test_run`]: super::Loaded::test_run
    pub fn set_loopback(
        &mut self,
        interface: Interface,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), MapError> {
        let interfaces = BTreeMap::from([(LOOPBACK, interface.into())]);
        self.publish(interfaces, addresses.into_iter().collect())
    }

    /// Makes the program pass everything that comes in on an interface.
    ///
    /// # Errors
    ///
    /// A system call failed; it is no error if the interface is not there.
    pub fn remove_interface(&mut self, index: u32) -> Result<(), MapError> {
        let mut interfaces = self.interfaces.clone();
        match interfaces.remove(&index) {
            Some(_) => self.publish(interfaces, self.served.clone()),
            None => Ok(()),
        }
    }

    /// Makes `wanted` the service addresses, as many as there may be; those
    /// that are served already stay.
    ///
    /// # Errors
    ///
    /// A system call failed: the addresses are what they were.
    pub fn set_addresses(&mut self, wanted: &BTreeSet<IpAddr>) -> Result<AddressChanges, MapError> {
        let (changes, served) = self.changes(wanted);
        if served != self.served {
            self.publish(self.interfaces.clone(), served)?;
        }
        Ok(changes)
    }

    /// What making `wanted` the service addresses changes, and what they are
    /// then.
    fn changes(&self, wanted: &BTreeSet<IpAddr>) -> (AddressChanges, BTreeSet<IpAddr>) {
        let removed: Vec<IpAddr> = self.served.difference(wanted).copied().collect();
        let mut added: Vec<IpAddr> = wanted.difference(&self.served).copied().collect();
        let kept = self.served.len() - removed.len();
        let beyond = added.split_off(added.len().min(MAX_ADDRESSES as usize - kept));
        let kept = self.served.intersection(wanted);
        let served = kept.chain(&added).copied().collect();
        let changes = AddressChanges {
            added,
            removed,
            beyond,
        };
        (changes, served)
    }

    /// Moves the time from when on the program takes the host for unattended,
    /// and passes everything: nanoseconds of the clock of
    /// [`clock`](super::clock), or [`NEVER`], which it is at first.
    ///
    /// # Errors
    ///
    /// A system call failed: the time is what it was.
    pub fn set_attended_until(&mut self, time: u64) -> Result<(), MapError> {
        let before = mem::replace(&mut self.attended_until, time);
        let published = self.publish(self.interfaces.clone(), self.served.clone());
        if published.is_err() {
            self.attended_until = before;
        }
        published
    }

    /// The service addresses.
    pub fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.served
    }

    /// Writes the table that is out of sight and brings it into sight.
    fn publish(
        &mut self,
        interfaces: BTreeMap<u32, ServedInterface>,
        served: BTreeSet<IpAddr>,
    ) -> Result<(), MapError> {
        self.write(&interfaces, &served)?;
        self.select()?;
        self.interfaces = interfaces;
        self.served = served;
        Ok(())
    }

    /// Writes the table that is out of sight.
    fn write(
        &mut self,
        interfaces: &BTreeMap<u32, ServedInterface>,
        served: &BTreeSet<IpAddr>,
    ) -> Result<(), MapError> {
        let mut table = table(interfaces, served)?;
        table.set_attended_until(self.attended_until);
        if let Some(since) = self.since
            && !wait_for_packets_under_way()
        {
            thread::sleep(GRACE.saturating_sub(since.elapsed()));
        }
        self.tables.set(1 - self.selected, Value(*table), 0)
    }

    /// Brings the table that is out of sight into sight.
    fn select(&mut self) -> Result<(), MapError> {
        let other = 1 - self.selected;
        self.selector.set(0, other, 0)?;
        self.selected = other;
        self.is_unwritten = false;
        self.since = Some(Instant::now());
        Ok(())
    }
}

/// Waits until every packet that the program has begun with is done; false if
/// the kernel does not offer that (`nohz_full`).
///
/// A program runs within an RCU read-side critical section, and the command
/// waits for a grace period.
fn wait_for_packets_under_way() -> bool {
    // SAFETY: a call without pointers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
    result == 0
}

fn check_number(interfaces: &BTreeMap<u32, ServedInterface>) -> Result<(), MapError> {
    if interfaces.len() > MAX_INTERFACES as usize {
        return Err(MapError::OutOfBounds {
            index: MAX_INTERFACES,
            max_entries: MAX_INTERFACES,
        });
    }
    Ok(())
}

/// The table of these interfaces and addresses, not more than there may be.
fn table(
    interfaces: &BTreeMap<u32, ServedInterface>,
    served: &BTreeSet<IpAddr>,
) -> Result<Box<HostTable>, MapError> {
    let mut table: Box<HostTable> = Box::new(HostTable::EMPTY);
    for _ in 0..MAX_MULTIPLIERS {
        let mut multipliers = <[u64; 2]>::zeroed();
        getrandom::fill(bytemuck::bytes_of_mut(&mut multipliers)).map_err(|error| {
            MapError::IoError(std::io::Error::other(format!(
                "no random numbers from the operating system: {error}"
            )))
        })?;
        let filled = table.fill(
            multipliers.map(|multiplier| multiplier | 1),
            interfaces
                .iter()
                .map(|(index, served)| (*index, served.interface)),
            served
                .iter()
                .filter(|address| !address.is_unspecified())
                .map(|address| AddressKey::from(*address))
                // An IPv4 address has another form.
                .collect::<HashSet<_>>(),
        );
        if filled
            && table.add_virtual_macs(virtual_macs(interfaces))
            && table.add_vlans(vlans(interfaces))
        {
            return Ok(table);
        }
    }
    Err(MapError::IoError(std::io::Error::other(format!(
        "no table of {} interfaces and {} addresses with {MAX_MULTIPLIERS} pairs of multipliers",
        interfaces.len(),
        served.len()
    ))))
}

fn virtual_macs(
    interfaces: &BTreeMap<u32, ServedInterface>,
) -> impl Iterator<Item = (u32, [u8; 6])> {
    interfaces
        .iter()
        .flat_map(|(index, served)| served.virtual_macs.iter().map(|mac| (*index, *mac)))
}

/// As many as there may be: queries in the others pass.
fn vlans(interfaces: &BTreeMap<u32, ServedInterface>) -> impl Iterator<Item = (u32, Vlan)> {
    let vlans = interfaces.iter().flat_map(|(carrier, served)| {
        served.vlans.iter().map(|(index, vlans)| {
            let vlan = Vlan {
                carrier: *carrier,
                vlans: *vlans,
            };
            (*index, vlan)
        })
    });
    vlans.take(MAX_VLANS as usize)
}
