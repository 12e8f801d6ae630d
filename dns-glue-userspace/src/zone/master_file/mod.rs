//! Master files (RFC 1035 section 5): directives, owners, TTLs, classes and
//! types of their entries, with every error of a file and its includes.
//!
//! A file in AXFR form, with the SOA at both ends, is a master file too: equal
//! records count once.
//!
//! ```text
//! pieces of the text -> crew (each piece on some core) -> entries, in their order -> builder
//! entry -> usual (as most records are written), or lexer and head, rdata_scanner
//! ```

mod crew;
mod directives;
mod entries;
mod head;
mod pieces;
mod usual;

use std::path::Path;

use domain::base::Name;

use super::errors::{ZoneErrorKind, ZoneErrors};
use super::position::Position;
use super::records::Zone;
use super::texts::Texts;
use entries::{Reader, State};
use pieces::{PIECE, Pieces, Text};

/// Reads the zone `apex` from the master file at `path`.
///
/// # Errors
///
/// Everything that is wrong with the file.
pub fn read_file(apex: &Name<Vec<u8>>, path: &Path) -> Result<Zone, ZoneErrors> {
    let mut reader = Reader::new(apex, path);
    reader.texts = Some(Texts::default());
    let read = Text::open(path).and_then(|text| reader.read_open(text, State::of_zone(apex)));
    if let Err(error) = read {
        reader
            .errors
            .push(Position::default(), ZoneErrorKind::Unreadable(error));
    }
    reader.finish()
}

/// Reads the zone `apex` from `text`. `path` is what errors call it, and what
/// paths of included files are relative to.
///
/// # Errors
///
/// Everything that is wrong with the text.
pub fn read_text(apex: &Name<Vec<u8>>, path: &Path, text: &[u8]) -> Result<Zone, ZoneErrors> {
    let mut reader = Reader::new(apex, path);
    Pieces::begin(text, PIECE)
        .and_then(|mut pieces| reader.read_pieces(&mut pieces, State::of_zone(apex)))
        .expect("octets in memory can be read");
    reader.finish()
}

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;
