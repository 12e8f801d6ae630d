//! From a loaded program to one that answers: on interfaces that have none, and
//! on those where that of an earlier daemon does.
//!
//! *Invariant:* nothing that answers is changed before all that can be refused
//! was done, and what goes wrong later is taken back. In this order:
//!
//! ```text
//! attach to the interfaces without a program   the table in sight has none of them: all passes
//! settle the pin folder                        maps of another layout are put aside for new ones
//! pin                                          beside the pins that there are
//! write the host's next table                  out of sight
//! replace the program behind found links       on all or on none
//! show the table
//! unpin, where nothing is to stay
//! ```
//!
//! The new program, with the table of before, answers on the interfaces and at
//! the addresses of before, and from its own zones. But programs of another
//! layout have maps of their own, and those of this layout tell of nothing: then
//! the table is shown before the programs are replaced. No program answers by
//! it yet, and the one that comes must find it.
//!
//! Held by `a_start_that_fails_leaves_what_answers_alone`,
//! `a_link_that_cannot_be_pinned_leaves_what_answers_alone`,
//! `a_layout_is_put_aside_by_no_start_that_fails`,
//! `folders_of_other_versions_are_taken_over_and_removed`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::adopt::{self, Adopted, Found};
use super::{Config, DaemonError, keeps_links};
use crate::kernel::host_maps::{AddressChanges, NextTable};
use crate::kernel::{HostMaps, LoadError, Loaded, PinFolder, ServedInterface};
use crate::serve::interfaces::Served;
use crate::serve::network::Link;

/// What is to be known of the host when the program answers.
pub(super) struct HostView {
    pub(super) interfaces: BTreeMap<u32, ServedInterface>,
    pub(super) addresses: BTreeSet<IpAddr>,
}

/// A takeover that may yet fail.
pub(super) struct Takeover<'a> {
    loaded: &'a Loaded,
    config: &'a Config,
    folder: &'a PinFolder,
    host_maps: &'a mut HostMaps,
    adopted: Vec<Adopted>,
    /// Interfaces that had no program.
    attached: Vec<Served>,
    /// The numbers of interfaces whose links were pinned.
    pinned: Vec<u32>,
    /// How many of the found links were unpinned.
    unpinned: usize,
    is_replaced: bool,
    /// What has changed for the program, once it sees it.
    shown: Option<AddressChanges>,
}

impl<'a> Takeover<'a> {
    pub(super) fn new(
        loaded: &'a Loaded,
        config: &'a Config,
        folder: &'a PinFolder,
        host_maps: &'a mut HostMaps,
        adopted: Vec<Adopted>,
    ) -> Self {
        Self {
            loaded,
            config,
            folder,
            host_maps,
            adopted,
            attached: Vec::new(),
            pinned: Vec::new(),
            unpinned: 0,
            is_replaced: false,
            shown: None,
        }
    }

    /// Lets the program answer on `fresh` and on the found interfaces. `others`
    /// were found too, and their interfaces are not served.
    ///
    /// # Errors
    ///
    /// An interface, the pin folder or the kernel says no. What answered before
    /// does so again, and nothing else.
    pub(super) fn run(
        mut self,
        fresh: Vec<Link>,
        host: HostView,
        others: &mut Found,
    ) -> Result<(Vec<Served>, AddressChanges), DaemonError> {
        match self.attempt(fresh, host, others) {
            Ok(()) => Ok(self.finish()),
            Err(error) => {
                self.take_back(others);
                Err(error)
            }
        }
    }

    fn attempt(
        &mut self,
        fresh: Vec<Link>,
        host: HostView,
        others: &mut Found,
    ) -> Result<(), DaemonError> {
        for link in fresh {
            let served = Served::attach(self.loaded, link, self.config.mode)?;
            self.attached.push(served);
        }
        if let Some(moved) = self.folder.settle()? {
            others.follow(&moved);
            for adopted in &mut self.adopted {
                adopted.pinned.follow(&moved);
            }
        }
        if keeps_links(self.config) {
            self.pin()?;
        }
        let next = self.host_maps.write_all(host.interfaces, &host.addresses);
        let next = next.map_err(LoadError::from)?;
        if self.host_maps.are_unwritten() {
            self.show(next)?;
            self.replace()?;
        } else {
            self.replace()?;
            self.show(next)?;
        }
        if !keeps_links(self.config) {
            self.unpin()?;
        }
        Ok(())
    }

    fn pin(&mut self) -> Result<(), DaemonError> {
        for interface in &self.attached {
            if let Some((_, link)) = interface.program_link() {
                self.folder.pin(link, interface.index())?;
                self.pinned.push(interface.index());
            }
        }
        for Adopted { link, pinned, .. } in &self.adopted {
            if self.folder.pin_too(pinned, link.index)? {
                self.pinned.push(link.index);
            }
        }
        Ok(())
    }

    fn replace(&mut self) -> Result<(), DaemonError> {
        adopt::replace(&self.adopted, self.loaded)?;
        self.is_replaced = true;
        Ok(())
    }

    fn show(&mut self, next: NextTable) -> Result<(), DaemonError> {
        self.shown = Some(self.host_maps.show(next).map_err(LoadError::from)?);
        Ok(())
    }

    fn unpin(&mut self) -> Result<(), DaemonError> {
        for adopted in &self.adopted {
            adopted.pinned.unpin()?;
            self.unpinned += 1;
        }
        Ok(())
    }

    /// What was found is ours.
    fn finish(self) -> (Vec<Served>, AddressChanges) {
        let mut served = self.attached;
        for Adopted { link, pinned, .. } in self.adopted {
            if self.pinned.contains(&link.index)
                && let Err(error) = pinned.unpin()
            {
                log::error!("{error}");
            }
            served.push(Served::adopt(link, pinned.link, self.config.mode));
        }
        (served, self.shown.unwrap_or_default())
    }

    /// Everything as it was. What was attached is let go.
    fn take_back(self, others: &Found) {
        for adopted in self.adopted.iter().take(self.unpinned) {
            if let Err(error) = adopted.pinned.pin_again() {
                log::error!("{error}");
            }
        }
        if self.shown.is_some()
            && let Err(error) = self.host_maps.take_back()
        {
            log::error!("{error}");
        }
        if self.is_replaced
            && let Err(error) = adopt::replace_back(&self.adopted, self.loaded)
        {
            log::error!("{error}");
        }
        for interface in self.pinned {
            if let Err(error) = self.folder.unpin(interface) {
                log::error!("{error}");
            }
        }
        others.pin_again();
        if let Err(error) = self.folder.unsettle() {
            log::error!("{error}");
        }
    }
}
