//! Zones as their files hold them when nobody writes to these.

use super::CompileError;
use crate::progress::Progress;
use crate::zone::records::Zone;
use crate::zone::source::{self, ZoneSource};
use crate::zone::texts::Texts;

/// Reads zones, to tell of the errors of all of them at once.
///
/// Files that are others once all are read may have been read half before that
/// and half after: the zones that they make are read once more, and no others.
/// One that comes out of a pipe too cannot be, and is refused. What other zones
/// had out of pipes is lost then too: there is no next generation to keep it for.
///
/// # Errors
///
/// Everything that is wrong with any of them, or files that do not settle.
pub(super) fn load_settled(
    sources: &[&ZoneSource],
    progress: &dyn Progress,
) -> Result<Vec<Zone>, CompileError> {
    // Each that has to be read again is dropped before.
    let mut settled = Vec::with_capacity(sources.len());
    for zone in load_each(sources, progress)? {
        let is_settled = is_settled(&zone);
        if !is_settled && is_out_of_a_pipe(&zone) {
            return Err(unsettled(&zone));
        }
        settled.push(is_settled.then_some(zone));
    }
    let both = sources.iter().zip(&settled);
    let rest = both.filter_map(|(source, zone)| zone.is_none().then_some(*source));
    let again = load_each(&rest.collect::<Vec<_>>(), progress)?;
    if let Some(zone) = again.iter().find(|zone| !is_settled(zone)) {
        return Err(unsettled(zone));
    }
    let mut again = again.into_iter();
    let zones = settled.into_iter();
    Ok(zones
        .filter_map(|zone| zone.or_else(|| again.next()))
        .collect())
}

fn load_each(sources: &[&ZoneSource], progress: &dyn Progress) -> Result<Vec<Zone>, CompileError> {
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    progress.begin("reading zones", sources.len() as u64);
    let mut zones = Vec::with_capacity(sources.len());
    let mut errors = Vec::new();
    for source in sources {
        match source::load(source) {
            Ok(zone) => zones.push(zone),
            Err(error) => errors.push(error),
        }
        progress.advance(1);
    }
    if errors.is_empty() {
        Ok(zones)
    } else {
        Err(CompileError::Zones(errors))
    }
}

/// Whether the files of a zone still hold what was read; a pipe holds nothing.
///
/// Their octets are read again. Size, times and inode number of before and after
/// would cost less and miss more: two writes within a tick of the kernel's clock
/// have the same time, and a write to memory that is mapped has that of the
/// first one since the page was last written out.
fn is_settled(zone: &Zone) -> bool {
    zone.texts().is_none_or(Texts::files_are_unchanged)
}

/// Whether it cannot be read again, or not whole.
fn is_out_of_a_pipe(zone: &Zone) -> bool {
    zone.texts().is_some_and(|texts| !texts.pipes().is_empty())
}

fn unsettled(zone: &Zone) -> CompileError {
    CompileError::Unsettled(zone.apex().fmt_with_dot().to_string())
}
