//! Links that are found pinned, in folders of any layout.
//!
//! One link may have several pins: a start that is killed while it takes links
//! over from another layout leaves those with which it found them beside its
//! own. They are told apart by the kernel's number of the link, so that none is
//! detached because another of its pins is not needed.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::about;
use super::beginning::Moved;
use super::link::{LinkFacts, XdpLink};
use super::pins::{
    LINK_PREFIX, PinsError, children, has_prefix, is_there, layouts, remove_if_there, system,
};

/// A link that was found pinned.
#[derive(Debug)]
pub struct PinnedLink {
    /// The link.
    pub link: XdpLink,
    /// What the kernel tells of it.
    pub facts: LinkFacts,
    /// Where it was found; at least one.
    pins: Vec<Pin>,
}

/// A pin, and not another one that came to its path.
#[derive(Debug)]
struct Pin {
    path: PathBuf,
    number: PinNumber,
}

/// What tells a pin from all others: the numbers of its file system and of its
/// inode.
type PinNumber = (u64, u64);

impl PinnedLink {
    /// The number of the interface at this moment; `None` when it is gone.
    ///
    /// # Errors
    ///
    /// The kernel does not tell.
    pub fn interface_now(&self) -> Result<Option<u32>, PinsError> {
        let facts = self.link.facts();
        let facts = facts.map_err(system(self.path(), "ask for the link"))?;
        Ok(facts.interface)
    }

    /// The words that the daemons have left which pinned it.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn words(&self) -> Result<Vec<String>, PinsError> {
        let layouts = self.pins.iter().filter_map(|pin| pin.path.parent());
        let words = layouts.map(about::read);
        words.filter_map(Result::transpose).collect()
    }

    /// Its pins in a folder that has another name now are below that.
    pub fn follow(&mut self, moved: &Moved) {
        for pin in &mut self.pins {
            if let Some(path) = moved.follow(&pin.path) {
                pin.path = path;
            }
        }
    }

    /// Where it was found first.
    fn path(&self) -> &Path {
        let first = self.pins.first();
        first.map_or(Path::new(""), |pin| &pin.path)
    }

    /// Whether it was found there.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.pins.iter().any(|pin| pin.path == path)
    }

    /// Removes the pins with which it was found, and no other ones that came to
    /// their paths.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn unpin(&self) -> Result<(), PinsError> {
        for Pin { path, number } in &self.pins {
            let there = pin_number(path).map_err(system(path, "look at it"))?;
            if there == Some(*number) {
                remove_if_there(path).map_err(system(path, "remove it"))?;
            }
        }
        Ok(())
    }

    /// Pins it where it was found and nothing is any more.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn pin_again(&self) -> Result<(), PinsError> {
        for Pin { path, .. } in &self.pins {
            if !is_there(path)? {
                let pinned = self.link.pin(path);
                pinned.map_err(system(path, "pin a link there"))?;
            }
        }
        Ok(())
    }

    /// Takes the program off its interface, and removes the pins.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn discard(self) -> Result<(), PinsError> {
        if let Err(error) = self.link.detach() {
            // As when the interface is gone.
            log::debug!("{}: {error}", self.path().display());
        }
        self.unpin()
    }
}

/// The links that are pinned below a pin folder, each once.
pub(super) fn find(root: &Path) -> Result<Vec<PinnedLink>, PinsError> {
    let mut found: Vec<PinnedLink> = Vec::new();
    for layout in layouts(root)? {
        for path in children(&layout)? {
            if !has_prefix(&path, LINK_PREFIX) {
                continue;
            }
            let Some(mut pinned) = open(path)? else {
                continue;
            };
            let mut others = found.iter_mut();
            match others.find(|other| other.facts.id == pinned.facts.id) {
                Some(same) => same.pins.append(&mut pinned.pins),
                None => found.push(pinned),
            }
        }
    }
    Ok(found)
}

/// The link that is pinned at a path. What is no link of a program is told of,
/// and must not keep the others from being found; a link that cannot be opened
/// must, because it would be taken for none.
fn open(path: PathBuf) -> Result<Option<PinnedLink>, PinsError> {
    let open = || -> io::Result<Option<(XdpLink, LinkFacts, PinNumber)>> {
        let Some(number) = pin_number(&path)? else {
            return Ok(None);
        };
        if !fs::metadata(&path)?.is_file() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let link = XdpLink::open(&path)?;
        let facts = link.facts()?;
        Ok(Some((link, facts, number)))
    };
    match open() {
        Ok(found) => Ok(found.map(|(link, facts, number)| PinnedLink {
            link,
            facts,
            pins: vec![Pin { path, number }],
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            log::warn!("{}: no link of a program", path.display());
            Ok(None)
        }
        Err(error) => Err(system(&path, "open the link")(error)),
    }
}

/// The pin at a path, if there is one.
fn pin_number(path: &Path) -> io::Result<Option<PinNumber>> {
    match fs::symlink_metadata(path) {
        Ok(facts) => Ok(Some((facts.dev(), facts.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
