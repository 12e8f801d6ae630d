//! Pipes among the files of zones: they cannot be watched, and a reload for the
//! sake of another file would wait for somebody to write to them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;

use crate::serve::compiled::{CompiledZones, ZoneChoice};

/// A zone that cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error(
    "--watch: zone {apex} comes out of the pipe {}, which can be neither watched nor read again: \
     give a file, or leave out --watch and ask for reloads",
    .pipe.display()
)]
pub struct PipeError {
    apex: String,
    pipe: PathBuf,
    /// The files that were read, the pipe among them.
    pub files: BTreeSet<PathBuf>,
}

/// Refuses zones that the operator has in pipes, before anybody reads these.
///
/// # Errors
///
/// There is one.
pub fn refuse_named(choice: &ZoneChoice) -> Result<(), PipeError> {
    for source in &choice.sources {
        // What cannot be looked at is told by whoever reads it.
        if fs::metadata(&source.path).is_ok_and(|facts| facts.file_type().is_fifo()) {
            return Err(PipeError {
                apex: source.apex.fmt_with_dot().to_string(),
                pipe: source.path.clone(),
                files: BTreeSet::from([source.path.clone()]),
            });
        }
    }
    Ok(())
}

/// Refuses zones that were read out of pipes: those that `$INCLUDE` names are
/// not known before.
///
/// # Errors
///
/// There is one.
pub fn refuse_read(zones: &CompiledZones) -> Result<(), PipeError> {
    match zones.pipe() {
        Some((apex, pipe)) => Err(PipeError {
            apex: apex.to_owned(),
            pipe: pipe.to_path_buf(),
            files: zones.files(),
        }),
        None => Ok(()),
    }
}
