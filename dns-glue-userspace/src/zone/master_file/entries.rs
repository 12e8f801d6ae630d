//! Entries of a text, one after the other.

use std::path::{Path, PathBuf};

use domain::base::Name;
use domain::base::iana::Rtype;
use memchr::memrchr_iter;

use super::head::{Head, read_head};
use super::usual::{self, Before, Room};
use crate::zone::builder::{BuildErrorKind, ZoneBuilder};
use crate::zone::errors::{ZoneErrorKind, ZoneErrors};
use crate::zone::lexer::{Entry, Lexer, Place, Token};
use crate::zone::name_text::read_name;
use crate::zone::position::Position;
use crate::zone::rdata_scanner::read_rdata;
use crate::zone::records::{NameRef, Zone};
use crate::zone::texts::Texts;
use crate::zone::ttl_text::read_seconds;

/// A zone while its files are read.
pub(super) struct Reader {
    pub(super) builder: ZoneBuilder,
    pub(super) errors: ZoneErrors,
    /// The files being read: the zone's own and the includes down to the
    /// current one.
    pub(super) open_files: Vec<PathBuf>,
    /// What the files held that are read; `None` if that is not to be known.
    pub(super) texts: Option<Texts>,
    /// Whether what stands before the text is known only in part: see
    /// [`Reader::ahead`].
    pub(super) is_ahead: bool,
    /// Whether records in the usual way are read as all others are.
    #[cfg(test)]
    pub(super) is_general: bool,
    /// Names and data of the current record.
    room: Room,
    /// Tokens of the current entry.
    tokens: Vec<Token>,
}

/// What entries of one file take from those before them.
#[derive(Clone)]
pub(super) struct State {
    /// Number of the file.
    file: u16,
    /// Where the next entry begins.
    pub(super) place: Place,
    /// Completes relative names.
    pub(super) origin: Name<Vec<u8>>,
    /// Owner of records that name none; empty if there is none.
    owner: Vec<u8>,
    /// What $TTL says (RFC 2308 section 4).
    pub(super) default_ttl: Option<u32>,
    /// The last TTL given with a record, for files without $TTL.
    last_ttl: Option<u32>,
}

/// An error of the current entry.
pub(super) type Refusal = (Position, ZoneErrorKind);

/// An error in the grammar.
pub(super) fn syntax(position: Position, what: impl Into<String>) -> Refusal {
    (position, ZoneErrorKind::Syntax(what.into()))
}

impl State {
    /// At the start of the zone's own file.
    pub(super) fn of_zone(apex: &Name<Vec<u8>>) -> Self {
        Self {
            file: 0,
            place: Place::START,
            origin: apex.clone(),
            owner: Vec::new(),
            default_ttl: None,
            last_ttl: None,
        }
    }

    /// At the start of a file that is included here.
    pub(super) fn included(&self, file: u16, origin: Option<Name<Vec<u8>>>) -> Self {
        Self {
            file,
            place: Place::START,
            origin: origin.unwrap_or_else(|| self.origin.clone()),
            ..self.clone()
        }
    }

    /// At the start of a later piece of the same file, as far as it can be
    /// told without reading those between: no owner and no last TTL.
    pub(super) fn guessed(&self) -> Self {
        Self {
            file: self.file,
            place: Place::START,
            origin: self.origin.clone(),
            owner: Vec::new(),
            default_ttl: self.default_ttl,
            last_ttl: None,
        }
    }

    /// Goes past the directives that a piece seems to have, as far as one line
    /// shows them: the last $ORIGIN and the last $TTL.
    pub(super) fn pass_directives(&mut self, text: &[u8]) {
        let (mut has_origin, mut has_ttl) = (false, false);
        let begins_line = |at: &usize| at.checked_sub(1).is_none_or(|end| text[end] == b'\n');
        for start in memrchr_iter(b'$', text).filter(begins_line) {
            let mut words = text[start..]
                .split(|octet| octet.is_ascii_whitespace() || *octet == b';')
                .take(2);
            let (directive, argument) = (words.next(), words.next().unwrap_or_default());
            match directive {
                Some(b"$ORIGIN") if !has_origin => {
                    has_origin = true;
                    if let Some(origin) = usual::name(argument, self.origin.as_slice()) {
                        self.origin = origin;
                    }
                }
                Some(b"$TTL") if !has_ttl => {
                    has_ttl = true;
                    let ttl = read_seconds(argument).and_then(|ttl| u32::try_from(ttl).ok());
                    self.default_ttl = ttl.or(self.default_ttl);
                }
                _ => {}
            }
            if has_origin && has_ttl {
                break;
            }
        }
    }

    /// Goes to the end of a piece that was read from the [`Self::guessed`]
    /// state on.
    pub(super) fn go_to(&mut self, end: Self) {
        self.place.add_lines(end.place);
        self.origin = end.origin;
        self.default_ttl = end.default_ttl;
        if !end.owner.is_empty() {
            self.owner = end.owner;
        }
        self.last_ttl = end.last_ttl.or(self.last_ttl);
    }
}

impl Reader {
    /// Begins with no records.
    pub(super) fn new(apex: &Name<Vec<u8>>, path: &Path) -> Self {
        Self::with_builder(ZoneBuilder::new(apex.clone()), path)
    }

    /// Begins with an empty builder.
    fn with_builder(builder: ZoneBuilder, path: &Path) -> Self {
        Self {
            builder,
            errors: ZoneErrors::new(path),
            open_files: vec![path.to_path_buf()],
            texts: None,
            is_ahead: false,
            #[cfg(test)]
            is_general: false,
            room: Room::default(),
            tokens: Vec::new(),
        }
    }

    /// A reader of texts whose start is only guessed at. For it everything is
    /// an error that could mean something else after another start.
    pub(super) fn ahead(builder: ZoneBuilder) -> Self {
        Self {
            is_ahead: true,
            ..Self::with_builder(builder, Path::new(""))
        }
    }

    /// Makes the records a zone.
    pub(super) fn finish(self) -> Result<Zone, ZoneErrors> {
        let mut errors = self.errors;
        let incomplete = !errors.is_empty();
        match self.builder.finish() {
            Ok(mut zone) if errors.is_empty() => {
                zone.files = errors.files().map(Path::to_path_buf).collect();
                zone.texts = self.texts;
                return Ok(zone);
            }
            Ok(_) => {}
            Err(refusals) => {
                for refusal in refusals {
                    let absence = matches!(
                        refusal.kind,
                        BuildErrorKind::MissingSoa { .. }
                            | BuildErrorKind::MissingApexNs { .. }
                            | BuildErrorKind::NoDenial { .. }
                            | BuildErrorKind::NoNsec3Chain { .. }
                    );
                    // What is absent may stand in an entry refused before.
                    if absence && incomplete {
                        continue;
                    }
                    let position = if refusal.position.is_known() {
                        refusal.position
                    } else {
                        Position {
                            file: 0,
                            line: 1,
                            column: 1,
                        }
                    };
                    errors.push(position, refusal.kind.into());
                }
            }
        }
        errors.sort();
        Err(errors)
    }

    /// Reads all entries of a text. If `more` text of the file follows, the last
    /// entry may be cut off; returns the offset after those that are whole.
    pub(super) fn read_entries(&mut self, text: &[u8], state: &mut State, more: bool) -> usize {
        let mut lexer = Lexer::new(text, state.file, state.place, more);
        let mut tokens = std::mem::take(&mut self.tokens);
        loop {
            if self.read_usual(&mut lexer, text, state) {
                continue;
            }
            let Some(entry) = lexer.next_entry(&mut tokens) else {
                break;
            };
            let result = match entry {
                Ok(entry) => self.read_entry(entry, &tokens, text, state),
                Err(error) => Err(syntax(error.position, error.what)),
            };
            if let Err((position, kind)) = result {
                self.errors.push(position, kind);
                if self.is_ahead {
                    break;
                }
            }
        }
        self.tokens = tokens;
        state.place = lexer.place();
        lexer.offset()
    }

    /// Reads the next entry if it is a record that belongs to the zone and is
    /// written as most are.
    fn read_usual(&mut self, lexer: &mut Lexer<'_>, text: &[u8], state: &mut State) -> bool {
        let before = Before {
            origin: state.origin.as_slice(),
            owner: &state.owner,
            default_ttl: state.default_ttl,
            last_ttl: state.last_ttl,
        };
        #[cfg(test)]
        if self.is_general {
            return false;
        }
        let Some(record) = usual::read(text, lexer.offset(), &before, &mut self.room) else {
            return false;
        };
        let owner = match &self.room.owner[..] {
            [] => &state.owner,
            owner => owner,
        };
        let position = lexer.position_of(record.start);
        let (ttl, rtype, rdata) = (record.ttl, record.rtype, &self.room.rdata);
        let pushed = self.builder.push_record(position, owner, ttl, rtype, rdata);
        if pushed.is_err() {
            return false;
        }
        if !self.room.owner.is_empty() {
            std::mem::swap(&mut state.owner, &mut self.room.owner);
        }
        state.last_ttl = record.own_ttl.or(state.last_ttl);
        lexer.skip(record.end, record.lines);
        true
    }

    /// Reads one entry: a directive or a record.
    fn read_entry(
        &mut self,
        entry: Entry,
        tokens: &[Token],
        text: &[u8],
        state: &mut State,
    ) -> Result<(), Refusal> {
        let first = &tokens[0];
        if !entry.indented && !first.quoted && first.raw(text).starts_with(b"$") {
            self.read_directive(entry, tokens, text, state)
        } else {
            self.read_record(entry, tokens, text, state)
        }
    }

    /// Reads a record.
    fn read_record(
        &mut self,
        entry: Entry,
        tokens: &[Token],
        text: &[u8],
        state: &mut State,
    ) -> Result<(), Refusal> {
        let mut next = 0;
        if !entry.indented {
            match read_name(&tokens[0], text, state.origin.for_slice()) {
                Ok(owner) => state.owner = owner.into_octets(),
                Err(what) => return Err(syntax(tokens[0].position, what)),
            }
            next = 1;
        }
        let head = read_head(entry, &tokens[next..], text)?;
        next += head.tokens;
        if state.owner.is_empty() {
            return Err(syntax(
                tokens[0].position,
                "no owner: no record before this one names any",
            ));
        }
        if let Some(ttl) = head.ttl {
            state.last_ttl = Some(ttl);
        }
        let rdata = &mut self.room.rdata;
        rdata.clear();
        let origin = state.origin.for_slice();
        read_rdata(head.rtype, &tokens[next..], entry.end, text, origin, rdata).map_err(
            |(position, error)| syntax(position, format!("{} record: {error}", head.rtype)),
        )?;
        let ttl = self.ttl_of(&head, state)?;
        self.builder
            .push_at(
                tokens[0].position,
                NameRef::from_slice(&state.owner).expect("it was read from a name"),
                head.class,
                ttl,
                head.rtype,
                &self.room.rdata,
            )
            .map_err(|error| {
                (
                    head.place_of(&error.kind, tokens[0].position),
                    error.kind.into(),
                )
            })
    }

    /// The TTL of the record whose data was just read.
    fn ttl_of(&self, head: &Head, state: &mut State) -> Result<u32, Refusal> {
        let is_soa = head.rtype == Rtype::SOA;
        if is_soa && self.is_ahead && state.last_ttl.is_none() {
            return Err(syntax(head.type_at, "the last TTL is not known"));
        }
        let ttl = match head.ttl.or(state.default_ttl).or(state.last_ttl) {
            Some(ttl) => ttl,
            None if is_soa => self.soa_minimum(),
            None => {
                return Err(syntax(
                    head.type_at,
                    "no TTL, and no $TTL or record before gives one",
                ));
            }
        };
        if is_soa {
            // Without any TTL in the file, the records after the SOA take its.
            state.last_ttl.get_or_insert(ttl);
        }
        Ok(ttl)
    }

    /// The last field of the SOA RDATA just read.
    fn soa_minimum(&self) -> u32 {
        self.room
            .rdata
            .last_chunk()
            .map_or(0, |octets| u32::from_be_bytes(*octets))
    }
}
