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
///
/// # Errors
///
/// Everything that is wrong with any of them, or files that do not settle.
pub(super) fn load_settled(
    sources: &[&ZoneSource],
    progress: &dyn Progress,
) -> Result<Vec<Zone>, CompileError> {
    let zones = load_each(sources, progress)?.into_iter();
    // Each that has to be read again is dropped before.
    let settled: Vec<Option<Zone>> = zones
        .map(|zone| is_settled(&zone).then_some(zone))
        .collect();
    let both = sources.iter().zip(&settled);
    let rest = both.filter_map(|(source, zone)| zone.is_none().then_some(*source));
    let again = load_each(&rest.collect::<Vec<_>>(), progress)?;
    if let Some(zone) = again.iter().find(|zone| !is_settled(zone)) {
        let name = zone.apex().fmt_with_dot().to_string();
        return Err(CompileError::Unsettled(name));
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
    zone.texts().is_none_or(Texts::are_unchanged)
}
