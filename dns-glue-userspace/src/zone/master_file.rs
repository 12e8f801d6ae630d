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
use super::ttl_text::read_seconds;

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

/// Reads a TTL: seconds, or numbers with units.
fn read_ttl(token: &Token, text: &[u8]) -> Result<u32, Refusal> {
    let Some(ttl) = read_seconds(token.raw(text)) else {
        let what = "bad TTL: want seconds, or numbers with units as in 1h30m";
        return Err(syntax(token.position, what));
    };
    match u32::try_from(ttl) {
        Ok(ttl) if ttl <= MAX_TTL => Ok(ttl),
        _ => Err((token.position, BuildErrorKind::TtlOutOfRange { ttl }.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::records::Denial;
    use proptest::prelude::*;

    fn name(text: &str) -> Name<Vec<u8>> {
        Name::vec_from_str(text).expect("a valid name")
    }

    fn read(text: &[u8]) -> Result<Zone, ZoneErrors> {
        read_text(&name("example."), Path::new("test.zone"), text)
    }

    fn good(text: &str) -> Zone {
        match read(text.as_bytes()) {
            Ok(zone) => zone,
            Err(errors) => panic!("{errors}"),
        }
    }

    /// The first record of that owner and type, with its TTL.
    fn record(zone: &Zone, owner: &str, rtype: Rtype) -> (u32, Vec<u8>) {
        let node = zone.find(name(owner).for_slice()).expect("the owner");
        let rrset = node.rrset(rtype).expect("the RRset");
        (
            rrset.ttl(),
            rrset.records().next().expect("a record").to_vec(),
        )
    }

    #[test]
    fn forms_of_entries() {
        let zone = good(
            "$TTL 1h30m\n\
             @ IN SOA ns1 host.example. ( 1 ; serial\n 2 3 4\n 5 )\n\
             \x20 NS ns1\n\
             ns1 60 IN A 192.0.2.1\n\
             ns2 IN 61 A 192.0.2.2\n\
             ns3 62 A 192.0.2.3\n\
             ns4 in a 192.0.2.4\n\
             \tTYPE65280 \\# 3 01 0203\n\
             \tCLASS1 TYPE28 \\# 16 20010db8000000000000000000000001\n\
             $ORIGIN sub.example.\n\
             x TXT \"a b\" c\\100e \"\"\n\
             $origin Deep\n\
             @ MX 10 x\n",
        );
        assert_eq!(record(&zone, "example.", Rtype::NS).0, 5400);
        assert_eq!(
            record(&zone, "ns1.example.", Rtype::A),
            (60, vec![192, 0, 2, 1])
        );
        assert_eq!(record(&zone, "ns2.example.", Rtype::A).0, 61);
        assert_eq!(record(&zone, "ns3.example.", Rtype::A).0, 62);
        assert_eq!(record(&zone, "ns4.example.", Rtype::A).0, 5400);
        assert_eq!(
            record(&zone, "ns4.example.", Rtype::from_int(65280)).1,
            [1, 2, 3]
        );
        assert_eq!(record(&zone, "ns4.example.", Rtype::AAAA).1.len(), 16);
        assert_eq!(
            record(&zone, "x.sub.example.", Rtype::TXT).1,
            b"\x03a b\x03cde\0"
        );
        assert_eq!(
            record(&zone, "deep.sub.example.", Rtype::MX).1,
            b"\0\x0a\x01x\x04Deep\x03sub\x07example\0"
        );
        assert_eq!(zone.serial(), 1);
        assert_eq!(zone.denial(), Denial::Unsigned);
    }

    #[test]
    fn ttls_without_a_directive() {
        let zone = good("@ SOA n h 1 2 3 4 77\n@ NS n\na 5 A 192.0.2.1\nb A 192.0.2.1\n");
        assert_eq!(zone.soa().ttl(), 77);
        assert_eq!(record(&zone, "example.", Rtype::NS).0, 77);
        assert_eq!(record(&zone, "b.example.", Rtype::A).0, 5);
    }

    #[test]
    fn ttl_units() {
        let ttl = |text: &str| {
            let zone = read(format!("$TTL {text}\n@ SOA n h 1 2 3 4 5\n@ NS n\n").as_bytes());
            zone.ok().map(|zone| zone.soa().ttl())
        };
        assert_eq!(ttl("0"), Some(0));
        assert_eq!(
            ttl("1w2D3h4M5s"),
            Some(604_800 + 2 * 86_400 + 3 * 3600 + 4 * 60 + 5)
        );
        assert_eq!(ttl("1h30"), Some(3630));
        assert_eq!(ttl("2147483647"), Some(2_147_483_647));
        for bad in [
            "2147483648",
            "99999999999999999999999999w",
            "h",
            "1hh",
            "-1",
            "1.5",
            "\"\"",
        ] {
            assert_eq!(ttl(bad), None, "{bad}");
        }
    }

    #[test]
    fn svcb_parameters_in_quotes() {
        let zone = good(
            "@ 60 SOA n h 1 2 3 4 5\n@ 60 NS n\n\
             a 60 SVCB 1 . alpn=\"h2,h3\" port=53 ipv4hint=192.0.2.1\n",
        );
        let (_, rdata) = record(&zone, "a.example.", Rtype::SVCB);
        assert!(rdata.starts_with(b"\0\x01\0\0\x01\0\x06\x02h2\x02h3\0\x03\0\x02\0\x35"));
    }

    #[test]
    fn soa_with_units_and_without_names_of_its_own() {
        let zone = good("@ 60 SOA @ . ( 4294967295 2h 15m 2w 1h )\n@ 60 NS n\n");
        let (_, rdata) = record(&zone, "example.", Rtype::SOA);
        let words: Vec<_> = rdata[10..]
            .chunks(4)
            .map(|w| u32::from_be_bytes(w.try_into().expect("4")))
            .collect();
        assert_eq!(words, [u32::MAX, 7200, 900, 1_209_600, 3600]);
        assert_eq!(zone.negative_ttl(), 60);
        for bad in [
            "@ . 1h 2 3 4 5",
            "@ . 1 2 3 4",
            "@ . 1 2 3 4 9999999999",
            "@ . 1 2 3 4 5 6",
        ] {
            assert!(
                read(format!("@ 60 SOA {bad}\n@ 60 NS n\n").as_bytes()).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn axfr_form_and_line_ends_of_other_systems() {
        let soa = "example.\t60\tIN\tSOA\tn. h. 1 2 3 4 5\r\n";
        let zone = good(&format!("{soa}example. 60 IN NS n.\r\n{soa}"));
        assert_eq!(zone.record_count(), 2);
    }

    #[test]
    fn octets_beyond_ascii_stand_for_themselves() {
        let text = b"@ 60 SOA n h 1 2 3 4 5\n@ 60 NS n\n\xe9 60 TXT \xff \"\xc3\xa9\"\n";
        let zone = read(text).expect("a zone");
        let (_, rdata) = record(&zone, "\\233.example.", Rtype::TXT);
        assert_eq!(rdata, b"\x01\xff\x02\xc3\xa9");
    }

    #[test]
    fn what_an_include_sets_ends_with_it() {
        let folder = std::env::temp_dir().join(format!("dns-glue-include-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("parts")).expect("a folder");
        let main = folder.join("main.zone");
        std::fs::write(
            &main,
            "$TTL 60\n@ SOA n h 1 2 3 4 5\n@ NS n\nlast A 192.0.2.1\n\
             $INCLUDE parts/one.zone\n\tTXT after\n$INCLUDE \"parts/one.zone\" other\nz A 192.0.2.9\n",
        )
        .expect("written");
        std::fs::write(
            folder.join("parts/one.zone"),
            "in A 192.0.2.2\n$INCLUDE two.zone\n",
        )
        .expect("written");
        std::fs::write(
            folder.join("parts/two.zone"),
            "$TTL 9\n$ORIGIN deep\n@ A 192.0.2.3\n",
        )
        .expect("written");
        let zone = read_file(&name("example."), &main).expect("a zone");
        std::fs::remove_dir_all(&folder).expect("removed");
        let owners: Vec<_> = zone.nodes().map(|node| node.name().to_string()).collect();
        assert_eq!(
            owners,
            [
                "example",
                "deep.example",
                "in.example",
                "last.example",
                "deep.other.example",
                "in.other.example",
                "z.example"
            ]
        );
        assert_eq!(record(&zone, "last.example.", Rtype::TXT).0, 60);
        assert_eq!(record(&zone, "deep.example.", Rtype::A).0, 9);
    }

    /// Words of master files, so that random texts get far into the grammar.
    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let words = [
            "@",
            "a",
            "b.example.",
            ".",
            "IN",
            "CH",
            "60",
            "1h",
            "A",
            "NS",
            "SOA",
            "DS",
            "RRSIG",
            "NSEC",
            "NSEC3",
            "NSEC3PARAM",
            "DNSKEY",
            "TXT",
            "SVCB",
            "HTTPS",
            "CAA",
            "NAPTR",
            "TYPE1",
            "TYPE65535",
            "IPSECKEY",
            "SSHFP",
            "TLSA",
            "OPENPGPKEY",
            "ZONEMD",
            "CDS",
            "HINFO",
            "\\#",
            "4",
            "c0000201",
            "192.0.2.1",
            "2001:db8::1",
            "20260101000000",
            "99999999999999",
            "alpn=\"h2\"",
            "key65535=",
            "mandatory=alpn",
            "\"",
            "(",
            ")",
            ";",
            "\\",
            "\\065",
            "\\256",
            "$ORIGIN",
            "$TTL",
            "$INCLUDE",
            "AAAA",
            "AQAB",
            "ZZZ=",
            "\u{e9}",
            "\u{0}",
            "-",
            "\n",
            "\n",
            "\n",
            " ",
            " ",
            "\t",
            "\r\n",
            "*",
        ];
        let word = prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec());
        let octets = prop::collection::vec(any::<u8>(), 0..4);
        let piece = prop_oneof![9 => word, 1 => octets];
        let piece = (piece, prop::bool::weighted(0.7)).prop_map(|(mut piece, space)| {
            if space {
                piece.push(b' ');
            }
            piece
        });
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    /// Record types with random words as their data: what the data parsers of
    /// all types make of anything at all.
    fn any_record() -> impl Strategy<Value = Vec<u8>> {
        (any_text(), 0..300_u16).prop_map(|(text, rtype)| {
            let mut record = format!("a 60 {} ", Rtype::from_int(rtype)).into_bytes();
            record.extend(
                text.into_iter()
                    .map(|octet| if octet == b'\n' { b' ' } else { octet }),
            );
            record
        })
    }

    fn check_places(text: &[u8], errors: &ZoneErrors) -> Result<(), TestCaseError> {
        prop_assert!(!errors.is_empty());
        let lines: Vec<_> = text.split(|octet| *octet == b'\n').collect();
        for error in errors.errors() {
            if error.position.file != 0 {
                continue;
            }
            let line = error.position.line as usize;
            prop_assert!((1..=lines.len()).contains(&line), "{errors}");
            let columns = lines[line - 1].len() + 1;
            prop_assert!(
                (1..=columns).contains(&usize::from(error.position.column)),
                "{errors}"
            );
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_text_is_a_zone_or_has_errors_at_places(text in any_text()) {
            if let Err(errors) = read(&text) {
                check_places(&text, &errors)?;
            }
        }

        #[test]
        fn any_data_of_any_type_is_taken_or_refused(record in any_record()) {
            let mut text = b"@ 60 SOA n h 1 2 3 4 5\n@ 60 NS n\n".to_vec();
            text.extend(record);
            match read(&text) {
                Ok(zone) => prop_assert!(zone.record_count() >= 2),
                Err(errors) => check_places(&text, &errors)?,
            }
        }
    }
}
