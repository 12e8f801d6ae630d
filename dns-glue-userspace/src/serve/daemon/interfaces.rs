//! Interfaces that come and go while the daemon runs: those that are made anew
//! under their names, or lose the program, and those that the operator adds and
//! removes.

use super::{Daemon, DaemonError};
use crate::kernel::LoadError;
use crate::serve::control::Reply;
use crate::serve::interfaces::{self, InterfaceError, Served};
use crate::serve::network::Snapshot;
use crate::shortage::in_full;

impl Daemon {
    /// Serves interfaces again that are gone and have come back: other ones,
    /// under the same names. And those from which somebody took the program: who
    /// wants one not to be served removes it, or stops the daemon.
    pub(super) fn bring_back(&mut self, snapshot: &Snapshot) -> Result<(), DaemonError> {
        for place in 0..self.served.len() {
            let Some(gone) = self.served.get_mut(place).filter(|served| served.is_gone()) else {
                continue;
            };
            let name = gone.name().to_owned();
            if snapshot.link(&name).is_none() {
                gone.forget_refusal();
                continue;
            }
            let result = self.take_interface(&name, snapshot);
            let Some(gone) = self.served.get_mut(place) else {
                continue;
            };
            match result {
                Ok(served) => {
                    log::info!("{name}: served again");
                    *gone = served;
                }
                // Tried again and again, told once.
                Err(error) => gone.note_refusal(in_full(&error)),
            }
        }
        Ok(())
    }

    /// Puts the program on one more interface, if that can be served.
    fn take_interface(&mut self, name: &str, snapshot: &Snapshot) -> Result<Served, DaemonError> {
        let mut names: Vec<String> = self
            .served
            .iter()
            .map(|served| served.name().to_owned())
            .filter(|other| other != name)
            .collect();
        names.push(name.to_owned());
        self.config.paths.check_number(&names)?;
        let chosen = interfaces::choose(&[name.to_owned()], snapshot, |_| false)?;
        let [link] = <[_; 1]>::try_from(chosen).expect("one was asked for");
        interfaces::warn_of_master(&link, snapshot, self.addresses.are_given());
        let fixed = interfaces::check_tags(&link, snapshot, self.config.fix_offload)?;
        let index = link.index;
        if let Some(entry) = self.config.paths.entry(&link, snapshot) {
            let known = self.host_maps.set_interface(index, entry);
            known.map_err(LoadError::from)?;
        }
        let attached = Served::attach(&self.generation.loaded, link, self.config.mode)
            .map_err(DaemonError::from)
            .and_then(|served| {
                if let (true, Some((_, link))) = (self.keeps_links(), served.program_link()) {
                    self.folder.pin(link, index)?;
                }
                Ok(served)
            });
        match attached {
            Ok(served) => {
                self.fixed_offloads.extend(fixed);
                Ok(served)
            }
            Err(error) => {
                let removed = self.host_maps.remove_interface(index);
                removed.map_err(LoadError::from)?;
                Err(error)
            }
        }
    }

    /// Does what `dns-glue interfaces add` asks for.
    pub(super) async fn add_interface(&mut self, name: &str) -> Reply {
        let result = self.try_to_add(name).await;
        self.interfaces_reply(result)
    }

    async fn try_to_add(&mut self, name: &str) -> Result<(), DaemonError> {
        let snapshot = self.look().await?;
        self.adapt(&snapshot).await?;
        if self.served.iter().any(|served| served.name() == name) {
            return Err(InterfaceError::Served(name.to_owned()).into());
        }
        if self.served.len() >= dns_glue_common::maps::MAX_INTERFACES as usize {
            return Err(InterfaceError::TooMany.into());
        }
        let served = self.take_interface(name, &snapshot)?;
        self.served.push(served);
        // The service addresses follow the interfaces. Looked at again: on the
        // host of before there was no program.
        let snapshot = self.look().await?;
        self.adapt(&snapshot).await
    }

    /// Does what `dns-glue interfaces remove` asks for.
    pub(super) async fn remove_interface(&mut self, name: &str) -> Reply {
        let result = self.try_to_remove(name).await;
        self.interfaces_reply(result)
    }

    async fn try_to_remove(&mut self, name: &str) -> Result<(), DaemonError> {
        let named = |served: &Served| served.name() == name;
        let Some(place) = self.served.iter().position(named) else {
            let names = self.served.iter().map(|served| served.name().to_owned());
            return Err(InterfaceError::NotServed {
                name: name.to_owned(),
                served: names.collect(),
            }
            .into());
        };
        if self.served.len() == 1 {
            return Err(InterfaceError::Last(name.to_owned()).into());
        }
        let snapshot = self.look().await?;
        let served = self.served.remove(place);
        let index = served.index();
        self.folder.unpin(index)?;
        served.detach();
        let removed = self.host_maps.remove_interface(index);
        removed.map_err(LoadError::from)?;
        self.fixed_offloads
            .retain(|fixed| fixed.interface() != name);
        self.adapt(&snapshot).await
    }

    fn interfaces_reply(&mut self, result: Result<(), DaemonError>) -> Reply {
        self.leave_word();
        match result {
            Ok(()) => Reply::Interfaces {
                names: self
                    .served
                    .iter()
                    .map(|served| served.name().to_owned())
                    .collect(),
            },
            Err(error) => {
                log::error!("dns-glue interfaces: {error}");
                Reply::Error {
                    message: in_full(&error),
                }
            }
        }
    }
}
