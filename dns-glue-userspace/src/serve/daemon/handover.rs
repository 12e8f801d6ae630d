//! Links that were pinned, and are taken over by a process that keeps them to
//! itself (`--fallback embedded`).
//!
//! Until their pins are removed they outlive the process: if it is killed then,
//! the kernel ends their answers after [`SECONDS`], and the word that is in
//! the folder says so.

use dns_glue_common::deadlines::Deadline;

use super::DaemonError;
use super::generation::Made;
use super::guard::set_deadlines;
use super::tell::write_word;
use crate::kernel::{About, PinFolder, clock};
use crate::serve::status::{LastWord, unix_seconds};

/// How long answers go on at the most if the process dies.
const SECONDS: u64 = 5;

/// A handover that is under way.
pub(super) struct Handover<'m> {
    made: &'m Made,
    /// Where word is left, and the one that was there.
    about: Option<(About, LastWord)>,
}

impl<'m> Handover<'m> {
    /// Before what was loaded takes over. `before` is what is told of the links
    /// until now.
    ///
    /// # Errors
    ///
    /// No word can be left.
    pub(super) fn begin(
        made: &'m Made,
        folder: &PinFolder,
        before: Option<LastWord>,
    ) -> Result<Self, DaemonError> {
        set_all(made, Deadline::At(clock::now() + SECONDS * 1_000_000_000));
        let Some(before) = before else {
            return Ok(Self { made, about: None });
        };
        let mut about = About::open(folder)?;
        let now = unix_seconds();
        let word = LastWord {
            at: now,
            attended_until: Some(now + SECONDS),
            ..before.clone()
        };
        leave(&mut about, &word);
        let about = Some((about, before));
        Ok(Self { made, about })
    }

    /// The pins are gone: nothing outlives the process.
    pub(super) fn finish(self) {
        set_all(self.made, Deadline::Never);
    }

    /// It has failed: what answered answers on.
    pub(super) fn take_back(self) {
        if let Some((mut about, before)) = self.about {
            leave(&mut about, &before);
        }
    }
}

fn leave(about: &mut About, word: &LastWord) {
    if let Err(error) = write_word(about, word) {
        log::warn!("`dns-glue status` will not know of this handover: {error}");
    }
}

fn set_all(made: &Made, deadline: Deadline) {
    set_deadlines(&made.zones, &made.loaded.deadlines, |_| deadline);
}
