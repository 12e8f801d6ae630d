//! A text in pieces that end where an entry does, as far as one line shows it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Octets of a piece: enough that the same data of neighbouring owners is
/// mostly found in it, little beside what is made of it.
pub(super) const PIECE: usize = 2 << 20;

/// Octets of the first piece. It has the directives that hold for the rest.
const FIRST: usize = 64 << 10;

/// Cuts what is read into pieces of whole lines.
pub(super) struct Pieces<R> {
    source: R,
    /// Octets of a piece, if the lines allow it.
    size: usize,
    /// What was read and not yet handed out.
    waiting: Vec<u8>,
    /// Pieces that were handed out and are not needed any longer.
    used: Vec<Vec<u8>>,
    /// Whether all is read.
    read: bool,
}

/// Opens a file to read. Nothing else is: to open a pipe, or to read from it,
/// may take for ever, and who serves a zone could never reload again.
///
/// # Errors
///
/// There is no regular file, or it cannot be opened.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

impl<R: Read> Pieces<R> {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// If nothing can be read.
    pub(super) fn begin(source: R, size: usize) -> io::Result<Self> {
        let mut pieces = Self {
            source,
            size,
            waiting: Vec::new(),
            used: Vec::new(),
            read: false,
        };
        pieces.fill(size.min(FIRST))?;
        Ok(pieces)
    }

    /// The next piece; `None` after the last.
    ///
    /// # Errors
    ///
    /// If the source cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut wanted = self.waiting.len().max(1);
        loop {
            if self.read {
                let last = std::mem::take(&mut self.waiting);
                return Ok(Some(last).filter(|last| !last.is_empty()));
            }
            if let Some(end) = last_start(&self.waiting) {
                let mut next = self.used.pop().unwrap_or_default();
                next.clear();
                next.reserve(self.size);
                next.extend_from_slice(&self.waiting[end..]);
                self.waiting.truncate(end);
                let piece = std::mem::replace(&mut self.waiting, next);
                self.fill(self.size)?;
                return Ok(Some(piece));
            }
            wanted = wanted.max(self.size).saturating_mul(2);
            self.fill(wanted)?;
        }
    }

    /// Takes a piece back, for its memory.
    pub(super) fn reuse(&mut self, piece: Vec<u8>) {
        self.used.push(piece);
    }

    /// Whether there are no further pieces.
    pub(super) fn is_at_end(&self) -> bool {
        self.read && self.waiting.is_empty()
    }

    /// Reads until so many octets wait, or all is read.
    fn fill(&mut self, octets: usize) -> io::Result<()> {
        let missing = octets.saturating_sub(self.waiting.len());
        if missing == 0 {
            return Ok(());
        }
        let mut part = (&mut self.source).take(missing as u64);
        let count = part.read_to_end(&mut self.waiting)?;
        self.read = count < missing;
        Ok(())
    }
}

/// The start of the last line that looks like the start of an entry: it begins
/// with what may be a name or a directive. Within parentheses such a line may
/// go on with an entry; whoever reads the piece finds that out.
fn last_start(text: &[u8]) -> Option<usize> {
    let begins = |octet: u8| !b" \t\r\n();\"".contains(&octet);
    (1..text.len())
        .rev()
        .find(|at| text[at - 1] == b'\n' && begins(text[*at]))
}
