//! Interfaces on which an earlier daemon left the program: they answer on
//! while this one starts, and are taken over.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use super::{DaemonError, system};
use crate::kernel::attach::{self, AttachError, Move};
use crate::kernel::beginning::Moved;
use crate::kernel::{Loaded, PinFolder, PinnedLink, PinsError};
use crate::serve::network::{Link, Network, Snapshot};
use crate::serve::status::LastWord;

/// The links that were found pinned.
pub(super) struct Found {
    /// The pin folder.
    root: PathBuf,
    links: Vec<PinnedLink>,
}

/// A found link, with the interface that it is on.
pub(super) struct Adopted {
    pub(super) link: Link,
    pub(super) pinned: PinnedLink,
    /// The program behind it, if this process may have it.
    program: Option<OwnedFd>,
}

impl Found {
    /// All that are pinned in a folder, also those whose interface is gone.
    pub(super) fn in_folder(folder: &PinFolder) -> Result<Self, PinsError> {
        let root = folder.path().map(Path::to_path_buf);
        Ok(Self {
            root: root.unwrap_or_default(),
            links: folder.links()?,
        })
    }

    /// Refuses links that answer in another network namespace: numbers of
    /// interfaces, by which links are pinned, are another one's there.
    ///
    /// A link tells the number of its interface alone. It is here if that
    /// interface of `snapshot`, which must be younger, has its program: a
    /// program is never attached in two network namespaces. If not, its
    /// interface may have been moved away from here: then those who pinned it
    /// have left word that they were here.
    ///
    /// # Errors
    ///
    /// There are some, or the kernel does not tell.
    pub(super) fn check_namespace(
        &self,
        network: &Network,
        snapshot: &Snapshot,
    ) -> Result<(), PinsError> {
        let mut elsewhere = Vec::new();
        for pinned in &self.links {
            let is_here = |link: &Link| holds(pinned, link);
            if snapshot.links.iter().any(is_here) {
                continue;
            }
            // Of those that are gone, some went after they were found.
            let Some(interface) = pinned.interface_now()? else {
                continue;
            };
            let word = LastWord::newest(&pinned.words()?);
            if word.and_then(|word| word.network_namespace) != Some(network.namespace()) {
                elsewhere.push(interface);
            }
        }
        match elsewhere.is_empty() {
            true => Ok(()),
            false => Err(PinsError::OtherNamespace {
                path: self.root.clone(),
                interfaces: elsewhere,
            }),
        }
    }

    /// Whether one of them holds the program on an interface. A number alone
    /// does not tell: the interface may be in another network namespace.
    pub(super) fn is_on(&self, link: &Link) -> bool {
        self.place(link).is_some()
    }

    fn place(&self, link: &Link) -> Option<usize> {
        self.links.iter().position(|pinned| holds(pinned, link))
    }

    /// Divides interfaces into those with one of the links, which is taken out,
    /// and those without.
    ///
    /// # Errors
    ///
    /// The programs behind the links, without which there is no way back,
    /// cannot be held.
    pub(super) fn divide(
        &mut self,
        links: Vec<Link>,
    ) -> Result<(Vec<Adopted>, Vec<Link>), DaemonError> {
        let (mut adopted, mut others) = (Vec::new(), Vec::new());
        for link in links {
            let Some(place) = self.place(&link) else {
                others.push(link);
                continue;
            };
            let pinned = self.links.swap_remove(place);
            let program = attach::running_program(pinned.facts.program);
            adopted.push(Adopted {
                program: program.map_err(system("hold the program of an earlier daemon"))?,
                link,
                pinned,
            });
        }
        Ok((adopted, others))
    }

    /// Their folder has another name now.
    pub(super) fn follow(&mut self, moved: &Moved) {
        for pinned in &mut self.links {
            pinned.follow(moved);
        }
    }

    /// Pins those again whose places were taken.
    pub(super) fn pin_again(&self) {
        for pinned in &self.links {
            if let Err(error) = pinned.pin_again() {
                log::error!("{error}");
            }
        }
    }

    /// Takes the program off the interfaces of those that are left.
    pub(super) fn discard(self, folder: &PinFolder) -> Result<(), PinsError> {
        for pinned in self.links {
            if let Some(interface) = pinned.facts.interface {
                log::info!(
                    "interface {interface}: served by an earlier daemon, not by this one: detached"
                );
            }
            pinned.discard()?;
        }
        folder.remove_other_layouts()
    }
}

/// Whether a link holds the program on an interface of this network namespace.
fn holds(pinned: &PinnedLink, link: &Link) -> bool {
    pinned.facts.interface == Some(link.index) && link.xdp_program == Some(pinned.facts.program)
}

/// Puts the new program behind the links of all of them, or of none.
pub(super) fn replace(adopted: &[Adopted], to: &Loaded) -> Result<(), AttachError> {
    attach::replace(&moves(adopted), to)
}

/// Puts their own programs behind the links again, after [`replace`].
pub(super) fn replace_back(adopted: &[Adopted], now: &Loaded) -> Result<(), AttachError> {
    attach::replace_back(&moves(adopted), now)
}

fn moves(adopted: &[Adopted]) -> Vec<Move<'_>> {
    let moves = adopted.iter().map(|adopted| Move {
        interface: &adopted.link.name,
        link: &adopted.pinned.link,
        from: adopted.program.as_ref().map(|program| program.as_fd()),
    });
    moves.collect()
}
