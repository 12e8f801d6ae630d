//! The service addresses: which they are now, and the two that must know.
//!
//! *Invariant:* with the embedded fallback the program answers for no address
//! on which the fallback does not listen: a reply with TC=1 would be a dead
//! end there. So an address is bound before the program is told of it, and
//! taken from the program before its sockets are closed.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};

use dns_glue_common::maps::MAX_ADDRESSES;

use super::fallback::FallbackZones;
use super::fallback::server::Fallback;
use super::network::Snapshot;
use crate::kernel::host_maps::AddressChanges;
use crate::kernel::{HostMaps, LoadError};

/// Why the service addresses cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The fallback cannot listen there.
    #[error(
        "--fallback embedded: cannot listen on {address}: {cause}{}",
        hint(cause)
    )]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The map cannot be changed.
    #[error(transparent)]
    Map(#[from] LoadError),
}

fn hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse => {
            " (another name server has it: stop that one, or leave --fallback out and let it answer)"
        }
        io::ErrorKind::AddrNotAvailable => " (no interface of this host has it)",
        io::ErrorKind::PermissionDenied => " (ports below 1024 need CAP_NET_BIND_SERVICE)",
        _ => "",
    }
}

/// The service addresses of a daemon.
pub struct ServiceAddresses {
    given: Option<BTreeSet<IpAddr>>,
    port: u16,
    fallback: Option<Fallback>,
    /// Wanted, but the fallback cannot listen there for now.
    unbound: BTreeSet<IpAddr>,
}

impl ServiceAddresses {
    /// `given` by the operator, or all of the interfaces'; with the embedded
    /// fallback, which listens nowhere yet.
    pub fn new(given: Option<BTreeSet<IpAddr>>, port: u16, fallback: Option<Fallback>) -> Self {
        Self {
            given,
            port,
            fallback,
            unbound: BTreeSet::new(),
        }
    }

    /// The addresses to be served on these interfaces, the first: the fallback
    /// listens there already, the program does not know of them.
    ///
    /// # Errors
    ///
    /// An address cannot be bound.
    pub async fn begin(
        &mut self,
        snapshot: &Snapshot,
        interfaces: &[u32],
    ) -> Result<BTreeSet<IpAddr>, AddressError> {
        if self.fallback.is_none() {
            self.warn_of_foreign_addresses(snapshot);
        }
        let wanted = self.wanted(snapshot, interfaces);
        if let Some(fallback) = &mut self.fallback {
            for address in &wanted {
                let address = SocketAddr::new(*address, self.port);
                fallback
                    .add_address(address)
                    .await
                    .map_err(|cause| AddressError::Bind { address, cause })?;
            }
        }
        if wanted.is_empty() {
            log::warn!("no service address: everything passes");
        }
        Ok(wanted)
    }

    /// Follows the host: addresses that have come are served, those that have
    /// gone no longer.
    ///
    /// # Errors
    ///
    /// The map cannot be changed. An address that cannot be bound is left out
    /// and logged; see [`Self::is_complete`].
    pub async fn update(
        &mut self,
        snapshot: &Snapshot,
        interfaces: &[u32],
        host_maps: &mut HostMaps,
    ) -> Result<(), AddressError> {
        let mut wanted = self.wanted(snapshot, interfaces);
        if let Some(fallback) = &mut self.fallback {
            let mut unbound = BTreeSet::new();
            for address in &wanted {
                let socket = SocketAddr::new(*address, self.port);
                if let Err(error) = fallback.add_address(socket).await {
                    // Tried again and again, told once.
                    if !self.unbound.contains(address) {
                        log::error!("{socket} is not served: {error}{}", hint(&error));
                    }
                    unbound.insert(*address);
                }
            }
            wanted.retain(|address| !unbound.contains(address));
            self.unbound = unbound;
        }
        log_changes(&host_maps.set_addresses(&wanted).map_err(LoadError::from)?);
        if let Some(fallback) = &mut self.fallback {
            let gone: Vec<SocketAddr> = fallback
                .addresses()
                .filter(|bound| !wanted.contains(&bound.ip()))
                .collect();
            for address in gone {
                fallback.remove_address(address).await;
            }
        }
        Ok(())
    }

    /// Whether the fallback listens wherever it should; if not, another
    /// [`Self::update`] may help.
    pub fn is_complete(&self) -> bool {
        self.unbound.is_empty()
    }

    /// Whether the operator gave them.
    pub fn are_given(&self) -> bool {
        self.given.is_some()
    }

    /// Lets the fallback, if there is one, answer from other zones.
    pub fn replace_zones(&self, zones: FallbackZones) {
        if let Some(fallback) = &self.fallback {
            fallback.replace_zones(zones);
        }
    }

    /// The fallback, for its end.
    pub fn into_fallback(self) -> Option<Fallback> {
        self.fallback
    }

    /// What was given, or what the host has.
    fn wanted(&self, snapshot: &Snapshot, interfaces: &[u32]) -> BTreeSet<IpAddr> {
        match &self.given {
            Some(given) => given.clone(),
            None => snapshot.default_service_addresses(interfaces),
        }
    }

    fn warn_of_foreign_addresses(&self, snapshot: &Snapshot) {
        for address in self.given.iter().flatten() {
            if !snapshot.has_address(*address) {
                log::warn!(
                    "--address {address}: no interface has it; queries that reach this host are \
                     answered all the same, but what passes is lost unless something here takes it"
                );
            }
        }
    }
}

/// Tells the log what is served from now on, and what no longer.
pub fn log_changes(changes: &AddressChanges) {
    for address in &changes.removed {
        log::info!("no longer served: {address}");
    }
    for address in &changes.added {
        log::info!("service address {address}");
    }
    if !changes.beyond.is_empty() {
        log::error!(
            "{} addresses are not served: {MAX_ADDRESSES} are the most",
            changes.beyond.len()
        );
    }
}
