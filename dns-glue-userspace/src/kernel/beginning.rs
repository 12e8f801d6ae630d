//! What a start makes in the pin folder while it may yet fail: it is in sight
//! only when the takeover begins, and one that fails takes it back.
//!
//! ```text
//! prepare   layout-1 fits: it is used. Otherwise what is needed is made in layout-1-next
//! settle    layout-1 -> layout-1-2 (if there is one), layout-1-next -> layout-1
//! keep      the takeover is done
//! ```
//!
//! *Invariant:* what ends before `keep` leaves the folder as it was found. Held
//! by `a_start_that_is_short_of_descriptors_leaves_the_pins_as_they_are`.

use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::{fs, io};

use super::pins::{PinFolder, PinsError, is_there, make_folder, remove_if_there, system};
use super::shared;

/// How far it is.
#[derive(Debug, Default)]
pub(super) enum Beginning {
    /// In the folder of the layout, or about to be made beside it.
    #[default]
    InPlace,
    /// In a folder beside that of the layout, which is not there or does not
    /// fit.
    Beside,
    /// The folder beside is that of the layout now; where the one is that was
    /// found.
    Settled(Option<PathBuf>),
    /// It has not failed.
    Kept,
}

/// What of the folder is not as it was found.
#[derive(Debug, Default)]
pub(super) struct Changes {
    beginning: Beginning,
    /// Pins of maps that the layout did not have.
    made: Vec<PathBuf>,
}

/// A folder of pins that has another name now.
#[derive(Debug)]
pub struct Moved {
    from: PathBuf,
    to: PathBuf,
}

impl Moved {
    /// Where what was at `path` is now.
    pub(super) fn follow(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.from).ok()?;
        Some(self.to.join(below))
    }
}

impl PinFolder {
    /// Looks whether what is pinned there is of this layout, and has a place
    /// made for it if not.
    ///
    /// # Errors
    ///
    /// The kernel does not tell, or the file system says no.
    pub fn prepare(&self) -> Result<(), PinsError> {
        let (ours, beside) = (self.final_layout(), self.beside());
        if is_there(&beside)? {
            // Of one that was killed: there are no links in it.
            fs::remove_dir_all(&beside).map_err(system(&beside, "remove it"))?;
        }
        if is_there(&ours)? && shared::fit(&ours)? {
            return Ok(());
        }
        make_folder(&beside).map_err(|error| match (self.path(), error) {
            (None, PinsError::System { what, cause, .. }) => PinsError::Private { what, cause },
            (_, error) => error,
        })?;
        self.changes().beginning = Beginning::Beside;
        Ok(())
    }

    /// Where everything of this version's layout is.
    pub(super) fn layout(&self) -> PathBuf {
        match self.changes().beginning {
            Beginning::Beside => self.beside(),
            Beginning::InPlace | Beginning::Settled(_) | Beginning::Kept => self.final_layout(),
        }
    }

    /// Remembers the pin of a map that was not there.
    pub(super) fn note_made(&self, path: PathBuf) {
        self.changes().made.push(path);
    }

    /// Puts what was made into the place of what is pinned there and does not
    /// fit; what has another name for it.
    ///
    /// # Errors
    ///
    /// The file system says no. Then everything is where it was.
    pub fn settle(&self) -> Result<Option<Moved>, PinsError> {
        let (ours, beside) = (self.final_layout(), self.beside());
        let mut changes = self.changes();
        let Beginning::Beside = changes.beginning else {
            return Ok(None);
        };
        let aside = is_there(&ours)?.then(|| self.free_place()).transpose()?;
        if let Some(aside) = &aside {
            rename(&ours, aside)?;
        }
        if let Err(error) = rename(&beside, &ours) {
            if let Some(aside) = &aside {
                rename(aside, &ours)?;
            }
            return Err(error);
        }
        changes.beginning = Beginning::Settled(aside.clone());
        Ok(aside.map(|to| Moved { from: ours, to }))
    }

    /// Undoes [`PinFolder::settle`].
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn unsettle(&self) -> Result<(), PinsError> {
        let (ours, beside) = (self.final_layout(), self.beside());
        let mut changes = self.changes();
        let Beginning::Settled(aside) = &changes.beginning else {
            return Ok(());
        };
        rename(&ours, &beside)?;
        if let Some(aside) = aside {
            rename(aside, &ours)?;
        }
        changes.beginning = Beginning::Beside;
        Ok(())
    }

    /// From now on what was made stays.
    pub fn keep(&self) {
        self.changes().beginning = Beginning::Kept;
    }

    /// At the end: takes back what was made, unless it was kept. Whether the
    /// folder is as it was found.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn give_up(&self) -> Result<bool, PinsError> {
        let beside = self.beside();
        let mut changes = self.changes();
        if let Beginning::Settled(_) | Beginning::Kept = changes.beginning {
            return Ok(false);
        }
        // One by one: a folder cannot be read without a descriptor.
        for path in changes.made.drain(..) {
            remove_if_there(&path).map_err(system(&path, "remove it"))?;
        }
        if let Beginning::Beside = changes.beginning {
            match fs::remove_dir(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(system(&beside, "remove it")(error));
                }
                _ => changes.beginning = Beginning::InPlace,
            }
        }
        Ok(true)
    }

    fn beside(&self) -> PathBuf {
        self.with_ending("-next")
    }

    /// Where a folder is that has this after the name of our layout's.
    fn with_ending(&self, ending: &str) -> PathBuf {
        let mut path = self.final_layout().into_os_string();
        path.push(ending);
        path.into()
    }

    /// Where nothing is yet, under a name that counts as one of another layout.
    fn free_place(&self) -> Result<PathBuf, PinsError> {
        let mut number = 2_u32;
        loop {
            let path = self.with_ending(&format!("-{number}"));
            if !is_there(&path)? {
                return Ok(path);
            }
            number += 1;
        }
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        let changes = self.changes.lock();
        changes.unwrap_or_else(PoisonError::into_inner)
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), PinsError> {
    fs::rename(from, to).map_err(system(from, "give it another name"))
}
