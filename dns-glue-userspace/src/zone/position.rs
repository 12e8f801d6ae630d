//! Where in the source of a zone something stands.

/// A place in the text of a zone, kept in 8 octets because every record has
/// one while a zone is read.
///
/// Lines and columns count from 1; columns count octets. Values beyond the
/// width of a field stay at its maximum. Zeroes throughout mean that the
/// record has no text (it came from a transfer, say).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// Which file, as an index into the files that were read, the zone's own
    /// first and each $INCLUDE after it.
    pub file: u16,
    /// Line, from 1.
    pub line: u32,
    /// Column of the first octet, from 1.
    pub column: u16,
}

const _: () = assert!(size_of::<Position>() == 8);

impl Position {
    /// Whether this is a place in a text at all.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.line != 0
    }

    /// The place in a file of a place in a part of it, before which the file
    /// has so many lines.
    pub(super) fn further_down(self, lines: u32) -> Self {
        Self {
            line: self.line.saturating_add(lines),
            ..self
        }
    }
}
