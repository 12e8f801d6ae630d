//! A text in pieces that end where an entry does, as far as one line shows it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

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

/// How long a pipe may give nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A zone's text: a file, or a pipe that somebody writes to.
pub(super) enum Text {
    File(File),
    /// Not blocking: one who never writes would else end reloading for good.
    Pipe(File),
}

impl Text {
    /// Opens a file or a pipe.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be opened; it is something else.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let file = options.open(path)?;
        let kind = file.metadata()?.file_type();
        if kind.is_file() {
            Ok(Self::File(file))
        } else if kind.is_fifo() {
            Ok(Self::Pipe(file))
        } else if kind.is_dir() {
            Err(io::ErrorKind::IsADirectory.into())
        } else {
            Err(io::Error::other("neither a file nor a pipe"))
        }
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let pipe = match self {
            Self::File(file) => return file.read(buffer),
            Self::Pipe(pipe) => pipe,
        };
        loop {
            wait_for_text(pipe, PATIENCE)?;
            match pipe.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

/// Waits until there is something to read, or the last writer has gone.
fn wait_for_text(pipe: &File, patience: Duration) -> io::Result<()> {
    let mut poll = libc::pollfd {
        fd: pipe.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let milliseconds = libc::c_int::try_from(patience.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: one entry, which is there.
    match unsafe { libc::poll(&raw mut poll, 1, milliseconds) } {
        0 => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "nobody writes to the pipe for {} seconds",
                patience.as_secs()
            ),
        )),
        1.. => Ok(()),
        _ => match io::Error::last_os_error() {
            // To be tried again, by one who finds nothing to read.
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        },
    }
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

    /// What the pieces were read from.
    pub(super) fn into_source(self) -> R {
        self.source
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
