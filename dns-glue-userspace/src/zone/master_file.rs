//! Master files (RFC 1035 section 5): directives, owners, TTLs, classes and
//! types of their entries, with every error of a file and its includes.
//!
//! A file in AXFR form, with the SOA at both ends, is a master file too: equal
//! records count once.

use std::path::{Path, PathBuf};

use domain::base::Name;
use domain::base::iana::{Class, Rtype};

use super::builder::{BuildErrorKind, MAX_TTL, ZoneBuilder};
use super::errors::{ZoneErrorKind, ZoneErrors};
use super::lexer::{Entry, Lexer, Token};
use super::name_text::read_name;
use super::position::Position;
use super::rdata_scanner::read_rdata;
use super::records::Zone;

/// Levels of files within files.
const MAX_INCLUDE_DEPTH: usize = 16;

/// Reads the zone `apex` from the master file at `path`.
///
/// # Errors
///
/// Everything that is wrong with the file.
pub fn read_file(apex: &Name<Vec<u8>>, path: &Path) -> Result<Zone, ZoneErrors> {
    let mut reader = Reader::new(apex, path);
    match std::fs::read(path) {
        Ok(text) => reader.read_whole(&text),
        Err(error) => reader
            .errors
            .push(Position::default(), ZoneErrorKind::Unreadable(error)),
    }
    // The text is gone by now: it need not lie in memory beside the zone.
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
    reader.read_whole(text);
    reader.finish()
}

/// A zone while its files are read.
struct Reader {
    builder: ZoneBuilder,
    errors: ZoneErrors,
    /// The files being read: the zone's own and the includes down to the
    /// current one.
    open_files: Vec<PathBuf>,
    /// RDATA of the current record, kept to spare allocations.
    rdata: Vec<u8>,
}

/// What entries of one file take from those before them.
#[derive(Clone)]
struct State {
    /// Number of the file.
    file: u16,
    /// Completes relative names.
    origin: Name<Vec<u8>>,
    /// Owner of records that name none.
    owner: Option<Name<Vec<u8>>>,
    /// What $TTL says (RFC 2308 section 4).
    default_ttl: Option<u32>,
    /// The last TTL given with a record, for files without $TTL.
    last_ttl: Option<u32>,
}

/// An error of the current entry.
type Refusal = (Position, ZoneErrorKind);

/// An error in the grammar.
fn syntax(position: Position, what: impl Into<String>) -> Refusal {
    (position, ZoneErrorKind::Syntax(what.into()))
}

impl Reader {
    /// Begins with no records.
    fn new(apex: &Name<Vec<u8>>, path: &Path) -> Self {
        Self {
            builder: ZoneBuilder::new(apex.clone()),
            errors: ZoneErrors::new(path),
            open_files: vec![path.to_path_buf()],
            rdata: Vec::new(),
        }
    }

    /// Reads the text of the zone's own file.
    fn read_whole(&mut self, text: &[u8]) {
        let origin = Name::from_octets(self.builder.apex().as_slice().to_vec());
        let origin = origin.expect("the apex is a name");
        let state = State {
            file: 0,
            origin,
            owner: None,
            default_ttl: None,
            last_ttl: None,
        };
        self.read_entries(text, state);
    }

    /// Makes the records a zone.
    fn finish(self) -> Result<Zone, ZoneErrors> {
        let mut errors = self.errors;
        let incomplete = !errors.is_empty();
        match self.builder.finish() {
            Ok(zone) if errors.is_empty() => return Ok(zone),
            Ok(_) => {}
            Err(refusals) => {
                for refusal in refusals {
                    let absence = matches!(
                        refusal.kind,
                        BuildErrorKind::MissingSoa { .. } | BuildErrorKind::MissingApexNs { .. }
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
        Err(errors)
    }

    /// Reads all entries of a text.
    fn read_entries(&mut self, text: &[u8], mut state: State) {
        let mut lexer = Lexer::new(text, state.file);
        let mut tokens = Vec::new();
        while let Some(entry) = lexer.next_entry(&mut tokens) {
            let result = match entry {
                Ok(entry) => self.read_entry(entry, &tokens, text, &mut state),
                Err(error) => Err(syntax(error.position, error.what)),
            };
            if let Err((position, kind)) = result {
                self.errors.push(position, kind);
            }
        }
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

    /// Reads $ORIGIN, $TTL or $INCLUDE.
    fn read_directive(
        &mut self,
        entry: Entry,
        tokens: &[Token],
        text: &[u8],
        state: &mut State,
    ) -> Result<(), Refusal> {
        let directive = tokens[0].raw(text).to_ascii_uppercase();
        let most = match &directive[..] {
            b"$ORIGIN" | b"$TTL" => 2,
            b"$INCLUDE" => 3,
            _ => {
                let directive = String::from_utf8_lossy(&directive)
                    .escape_debug()
                    .to_string();
                return Err(syntax(
                    tokens[0].position,
                    format!("unknown directive {directive}"),
                ));
            }
        };
        let argument = tokens
            .get(1)
            .ok_or_else(|| syntax(entry.end, "argument is missing"))?;
        if let Some(trailing) = tokens.get(most) {
            return Err(syntax(trailing.position, "trailing data"));
        }
        let name = |token: &Token| {
            read_name(token, text, state.origin.for_slice())
                .map_err(|what| syntax(token.position, what))
        };
        match &directive[..] {
            b"$ORIGIN" => state.origin = name(argument)?,
            b"$TTL" => state.default_ttl = Some(read_ttl(argument, text)?),
            _ => {
                let origin = tokens.get(2).map(name).transpose()?;
                self.include(argument, origin, text, state)?;
            }
        }
        Ok(())
    }

    /// Reads an included file. Its origin is the one given or the current one;
    /// what it sets itself ends with it (RFC 1035 section 5.1).
    fn include(
        &mut self,
        argument: &Token,
        origin: Option<Name<Vec<u8>>>,
        text: &[u8],
        state: &State,
    ) -> Result<(), Refusal> {
        let position = argument.position;
        let path = self.included_path(argument, text)?;
        if self.open_files.len() > MAX_INCLUDE_DEPTH {
            let what = "includes are nested too deeply";
            return Err((position, ZoneErrorKind::TooManyIncludes { path, what }));
        }
        // The same file may have several names.
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let real = canonical(&path);
        if self.open_files.iter().any(|open| canonical(open) == real) {
            return Err((position, ZoneErrorKind::IncludeCycle(path)));
        }
        let included = match std::fs::read(&path) {
            Ok(included) => included,
            Err(error) => return Err((position, ZoneErrorKind::UnreadableInclude { path, error })),
        };
        let Some(file) = self.errors.add_file(&path, position) else {
            let what = "too many included files";
            return Err((position, ZoneErrorKind::TooManyIncludes { path, what }));
        };
        let mut inner = State {
            file,
            ..state.clone()
        };
        if let Some(origin) = origin {
            inner.origin = origin;
        }
        self.open_files.push(path);
        self.read_entries(&included, inner);
        self.open_files.pop();
        Ok(())
    }

    /// The path that an $INCLUDE names, relative to the including file.
    fn included_path(&self, argument: &Token, text: &[u8]) -> Result<PathBuf, Refusal> {
        let mut octets = Vec::new();
        for symbol in argument.symbols(text) {
            let octet = symbol.map(|symbol| symbol.into_octet());
            match octet {
                Ok(Ok(octet)) => octets.push(octet),
                _ => return Err(syntax(argument.position, "bad character in a path")),
            }
        }
        let Ok(path) = String::from_utf8(octets) else {
            return Err(syntax(argument.position, "the path is not UTF-8"));
        };
        let including = self.open_files.last().expect("the zone's own file is open");
        let folder = including.parent().unwrap_or(Path::new(""));
        Ok(folder.join(path))
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
                Ok(owner) if state.owner.as_ref().is_some_and(|last| same(last, &owner)) => {}
                Ok(owner) => state.owner = Some(owner),
                Err(what) => return Err(syntax(tokens[0].position, what)),
            }
            next = 1;
        }
        let head = read_head(entry, &tokens[next..], text)?;
        next += head.tokens;
        let Some(owner) = &state.owner else {
            return Err(syntax(
                tokens[0].position,
                "no owner: no record before this one names any",
            ));
        };
        if let Some(ttl) = head.ttl {
            state.last_ttl = Some(ttl);
        }
        self.rdata.clear();
        let origin = state.origin.for_slice();
        read_rdata(
            head.rtype,
            &tokens[next..],
            entry.end,
            text,
            origin,
            &mut self.rdata,
        )
        .map_err(|(position, error)| syntax(position, format!("{} record: {error}", head.rtype)))?;
        let ttl = match head.ttl.or(state.default_ttl).or(state.last_ttl) {
            Some(ttl) => ttl,
            None if head.rtype == Rtype::SOA => self.soa_minimum(),
            None => {
                return Err(syntax(
                    head.type_at,
                    "no TTL, and no $TTL or record before gives one",
                ));
            }
        };
        if head.rtype == Rtype::SOA {
            // Without any TTL in the file, the records after the SOA take its.
            state.last_ttl.get_or_insert(ttl);
        }
        self.builder
            .push_at(
                tokens[0].position,
                owner.for_slice(),
                head.class,
                ttl,
                head.rtype,
                &self.rdata,
            )
            .map_err(|error| {
                (
                    head.place_of(&error.kind, tokens[0].position),
                    error.kind.into(),
                )
            })
    }

    /// The last field of the SOA RDATA just read.
    fn soa_minimum(&self) -> u32 {
        self.rdata
            .last_chunk()
            .map_or(0, |octets| u32::from_be_bytes(*octets))
    }
}

/// Whether two names are the same octet for octet.
fn same(left: &Name<Vec<u8>>, right: &Name<Vec<u8>>) -> bool {
    left.as_slice() == right.as_slice()
}

/// What stands between the owner and the data of a record.
struct Head {
    ttl: Option<u32>,
    class: Class,
    class_at: Position,
    rtype: Rtype,
    type_at: Position,
    /// How many tokens it has.
    tokens: usize,
}

impl Head {
    /// Where in the entry the fault lies; `owner` is the place of its owner.
    fn place_of(&self, kind: &BuildErrorKind, owner: Position) -> Position {
        match kind {
            BuildErrorKind::NotInternet { .. } => self.class_at,
            BuildErrorKind::MetaType { .. } | BuildErrorKind::BadRdata { .. } => self.type_at,
            _ => owner,
        }
    }
}

/// Reads `[TTL] [class] type` or `[class] [TTL] type`.
fn read_head(entry: Entry, tokens: &[Token], text: &[u8]) -> Result<Head, Refusal> {
    let mut ttl = None;
    let mut class = None;
    for (index, token) in tokens.iter().enumerate() {
        let raw = token.raw(text);
        if ttl.is_none() && !token.quoted && raw.first().is_some_and(u8::is_ascii_digit) {
            ttl = Some(read_ttl(token, text)?);
            continue;
        }
        let Some(word) = std::str::from_utf8(raw).ok().filter(|_| !token.quoted) else {
            return Err(syntax(token.position, "want a TTL, a class or a type here"));
        };
        if class.is_none()
            && let Ok(found) = word.parse::<Class>()
            // The query class ANY has the name of a type.
            && found != Class::ANY
        {
            class = Some((found, token.position));
            continue;
        }
        let Ok(rtype) = word.parse::<Rtype>() else {
            let word = word.escape_debug();
            return Err(syntax(
                token.position,
                format!("'{word}' is no type, class or TTL"),
            ));
        };
        let (class, class_at) = class.unwrap_or((Class::IN, token.position));
        let (type_at, tokens) = (token.position, index + 1);
        return Ok(Head {
            ttl,
            class,
            class_at,
            rtype,
            type_at,
            tokens,
        });
    }
    Err(syntax(entry.end, "type of the record is missing"))
}

/// Reads a TTL: seconds, or numbers with the units w, d, h, m and s as in
/// `1h30m`.
fn read_ttl(token: &Token, text: &[u8]) -> Result<u32, Refusal> {
    let raw = token.raw(text);
    let bad = || {
        syntax(
            token.position,
            "bad TTL: want seconds, or numbers with units as in 1h30m",
        )
    };
    let mut seconds = 0_u64;
    let mut number: Option<u64> = None;
    for octet in raw {
        let unit = match octet.to_ascii_lowercase() {
            digit @ b'0'..=b'9' => {
                let digit = u64::from(digit - b'0');
                number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit));
                continue;
            }
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return Err(bad()),
        };
        let number = number.take().ok_or_else(bad)?;
        seconds = seconds.saturating_add(number.saturating_mul(unit));
    }
    if raw.is_empty() {
        return Err(bad());
    }
    let ttl = seconds.saturating_add(number.unwrap_or(0));
    match u32::try_from(ttl) {
        Ok(ttl) if ttl <= MAX_TTL => Ok(ttl),
        _ => Err((token.position, BuildErrorKind::TtlOutOfRange { ttl }.into())),
    }
}
