//! Interfaces on which an earlier daemon left the program: they answer on
//! while this one starts, and are taken over.

use std::os::fd::{AsFd as _, OwnedFd};

use crate::kernel::attach::{self, AttachError, Move};
use crate::kernel::{Loaded, PinFolder, PinnedLink, PinsError};
use crate::serve::network::Link;

/// The links that were found pinned.
pub(super) struct Found(Vec<PinnedLink>);

/// A found link, with the interface that it is on.
pub(super) struct Adopted {
    pub(super) link: Link,
    pub(super) pinned: PinnedLink,
    /// The program behind it, if this process may have it.
    program: Option<OwnedFd>,
}

impl Found {
    /// All that are pinned in a folder. Those whose interface is gone are
    /// removed.
    pub(super) fn in_folder(folder: &PinFolder) -> Result<Self, PinsError> {
        let mut found = Vec::new();
        for pinned in folder.links()? {
            match pinned.facts.interface {
                Some(_) => found.push(pinned),
                None => folder.discard(pinned)?,
            }
        }
        Ok(Self(found))
    }

    /// Whether one of them holds the program on an interface. A number alone
    /// does not tell: the interface may be in another network namespace.
    pub(super) fn is_on(&self, link: &Link) -> bool {
        self.place(link).is_some()
    }

    fn place(&self, link: &Link) -> Option<usize> {
        let Self(found) = self;
        found.iter().position(|pinned| {
            pinned.facts.interface == Some(link.index)
                && link.xdp_program == Some(pinned.facts.program)
        })
    }

    /// Divides interfaces into those with one of the links, which is taken out,
    /// and those without.
    pub(super) fn divide(&mut self, links: Vec<Link>) -> (Vec<Adopted>, Vec<Link>) {
        let (mut adopted, mut others) = (Vec::new(), Vec::new());
        for link in links {
            let Some(place) = self.place(&link) else {
                others.push(link);
                continue;
            };
            let pinned = self.0.swap_remove(place);
            adopted.push(Adopted {
                program: attach::running_program(pinned.facts.program),
                link,
                pinned,
            });
        }
        (adopted, others)
    }

    /// Takes the program off the interfaces of those that are left.
    pub(super) fn discard(self, folder: &PinFolder) -> Result<(), PinsError> {
        let Self(found) = self;
        for pinned in found {
            let interface = pinned.facts.interface.unwrap_or_default();
            log::info!(
                "interface {interface}: served by an earlier daemon, not by this one: detached"
            );
            folder.discard(pinned)?;
        }
        folder.remove_other_layouts()
    }
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
