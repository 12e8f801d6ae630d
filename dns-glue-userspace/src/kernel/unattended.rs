//! A program that answers without a daemon: what its pin folder tells.

use std::path::Path;

use dns_glue_common::reason::Reason;

use super::pinned_link::{self, PinnedLink};
use super::pins::{self, PinsError};
use super::shared::COUNTERS;
use super::{Counters, about};

/// What is in a pin folder.
#[derive(Debug)]
pub struct Unattended {
    /// Whether a daemon holds the folder.
    pub is_attended: bool,
    /// The links that are pinned.
    pub links: Vec<PinnedLink>,
    /// What daemons have left word of: one, unless a start was killed that took
    /// over from another layout.
    pub words: Vec<String>,
    /// The counters at this moment; `None` if this version has none there.
    pub counters: Option<Vec<(Reason, u64)>>,
}

/// Looks into a pin folder, without changing anything. `None` if there is
/// none.
///
/// # Errors
///
/// It cannot be read: it opens to its owner only.
pub fn look(root: &Path) -> Result<Option<Unattended>, PinsError> {
    if !pins::is_there(root)? {
        return Ok(None);
    }
    let layout = pins::layout(root);
    let counters = COUNTERS.find(&layout)?.and_then(Counters::of);
    let counters = counters.map(|counters| counters.read()).transpose();
    Ok(Some(Unattended {
        is_attended: pins::is_attended(root)?,
        links: pinned_link::find(root)?,
        words: about::words(root)?,
        counters: counters.map_err(|cause| COUNTERS.refused(&layout, cause))?,
    }))
}
