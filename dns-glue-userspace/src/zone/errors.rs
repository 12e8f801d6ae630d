//! Why a zone is refused: every error, each with its place.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::builder::BuildErrorKind;
use super::position::Position;
use crate::shortage::hint;

/// How many errors are kept and shown; of the rest only their number.
pub const MAX_SHOWN: usize = 20;

/// One thing that is wrong with the source of a zone.
#[derive(Debug, Error)]
pub enum ZoneErrorKind {
    /// The zone's file cannot be read.
    #[error("cannot read the file: {}{}", .0, hint(.0))]
    Unreadable(io::Error),
    /// A file named by $INCLUDE cannot be read.
    #[error("cannot read the included file {}: {error}{}", .path.display(), hint(.error))]
    UnreadableInclude {
        /// The included file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file includes itself, perhaps by way of others.
    #[error("the included file {} is the one being read, or includes it", .0.display())]
    IncludeCycle(PathBuf),
    /// Includes within includes, too many levels of them or too many files.
    #[error("cannot include {}: {what}", .path.display())]
    TooManyIncludes {
        /// The file not read.
        path: PathBuf,
        /// Which limit.
        what: &'static str,
    },
    /// The text does not follow the grammar of master files, or the data of a
    /// record not that of its type.
    #[error("{0}")]
    Syntax(String),
    /// The record does not belong to the zone, or the zone is not whole.
    #[error("{0}")]
    Build(#[from] BuildErrorKind),
}

/// One error and its place.
#[derive(Debug)]
pub struct ZoneError {
    /// Where; not known if the file could not be read.
    pub position: Position,
    /// What.
    pub kind: ZoneErrorKind,
}

/// A file that was read for a zone.
#[derive(Debug)]
struct SourceFile {
    path: PathBuf,
    /// Where the $INCLUDE stands that names it.
    included_at: Option<Position>,
}

/// All that is wrong with a zone.
///
/// Its `Display` has a line for each error: `FILE:LINE:COLUMN: what is wrong`.
#[derive(Debug)]
pub struct ZoneErrors {
    files: Vec<SourceFile>,
    errors: Vec<ZoneError>,
    /// Errors beyond those kept.
    more: usize,
}

impl ZoneErrors {
    /// Begins with no errors, for a zone whose file is `path`.
    pub(super) fn new(path: &Path) -> Self {
        let file = SourceFile {
            path: path.to_path_buf(),
            included_at: None,
        };
        Self {
            files: vec![file],
            errors: Vec::new(),
            more: 0,
        }
    }

    /// Adds a file that `$INCLUDE` at `included_at` names and returns its
    /// number, or `None` when there are too many.
    pub(super) fn add_file(&mut self, path: &Path, included_at: Position) -> Option<u16> {
        let number = u16::try_from(self.files.len()).ok()?;
        self.files.push(SourceFile {
            path: path.to_path_buf(),
            included_at: Some(included_at),
        });
        Some(number)
    }

    /// Adds an error, or only counts it when there are enough.
    pub(super) fn push(&mut self, position: Position, kind: ZoneErrorKind) {
        if self.errors.len() < MAX_SHOWN {
            self.errors.push(ZoneError { position, kind });
        } else {
            self.more += 1;
        }
    }

    /// Puts the errors in the order of their places.
    pub(super) fn sort(&mut self) {
        self.errors.sort_by_key(|error| error.position);
    }

    /// The errors kept, at most [`MAX_SHOWN`], file by file in the order of
    /// their places.
    #[must_use]
    pub fn errors(&self) -> &[ZoneError] {
        &self.errors
    }

    /// How many errors there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.errors.len() + self.more
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The files that were read, the zone's own first.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// The file that a position is in.
    #[must_use]
    pub fn file(&self, position: Position) -> &Path {
        &self.files[usize::from(position.file)].path
    }
}

impl fmt::Display for ZoneErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ZoneError { position, kind }) in self.errors.iter().enumerate() {
            if index != 0 {
                writeln!(f)?;
            }
            write_place(f, self.file(*position), *position)?;
            write!(f, ": {kind}")?;
            let mut file = position.file;
            while let Some(included_at) = self.files[usize::from(file)].included_at {
                write!(f, ", included from ")?;
                write_place(f, self.file(included_at), included_at)?;
                file = included_at.file;
            }
        }
        match self.more {
            0 => Ok(()),
            1 => write!(f, "\nand 1 more error"),
            more => write!(f, "\nand {more} more errors"),
        }
    }
}

impl std::error::Error for ZoneErrors {}

/// Writes `FILE:LINE:COLUMN`, or the file alone if that is all that is known.
fn write_place(f: &mut fmt::Formatter<'_>, file: &Path, position: Position) -> fmt::Result {
    write!(f, "{}", file.display())?;
    if position.is_known() {
        write!(f, ":{}:{}", position.line, position.column)?;
    }
    Ok(())
}
