//! Record data from its text: hands the tokens of an entry to the `domain`
//! crate, which knows the presentation format of every type.

use std::fmt;

use domain::base::charstr::CharStr;
use domain::base::iana::Rtype;
use domain::base::name::Name;
use domain::base::rdata::ComposeRecordData;
use domain::base::scan::{ConvertSymbols, EntrySymbol, Scan, Scanner, ScannerError, Symbol};
use domain::dep::octseq::str::Str;
use domain::rdata::ZoneRecordData;

use super::lexer::Token;
use super::name_text::read_name;
use super::position::Position;
use super::records::NameRef;
use super::ttl_text::read_seconds;

/// What is wrong with the data of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ScanError {
    /// The entry ends before the data does.
    EndOfEntry,
    /// Anything else.
    Other(&'static str),
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndOfEntry => "entry ends too early",
            Self::Other(what) => what,
        })
    }
}

impl std::error::Error for ScanError {}

impl ScannerError for ScanError {
    fn custom(msg: &'static str) -> Self {
        Self::Other(msg)
    }

    fn end_of_entry() -> Self {
        Self::EndOfEntry
    }

    fn short_buf() -> Self {
        Self::Other("data is too long")
    }

    fn trailing_tokens() -> Self {
        Self::Other("trailing data")
    }
}

/// A token, as the end of the data, that stands where it should not.
const BAD_CHARACTER: ScanError = ScanError::Other("character not allowed here");

/// The `domain` crate refuses a type without looking at any token.
const NO_READER: ScanError =
    ScanError::Other("data of this type can only be read in the form \\# LENGTH HEX of RFC 3597");

/// Reads the data of a record of type `rtype` from `tokens` and appends it,
/// uncompressed, to `rdata`. `end` is the place after the last token.
///
/// # Errors
///
/// What is wrong, and where.
pub(super) fn read_rdata(
    rtype: Rtype,
    tokens: &[Token],
    end: Position,
    text: &[u8],
    origin: &NameRef,
    rdata: &mut Vec<u8>,
) -> Result<(), (Position, ScanError)> {
    let mut scanner = TokenScanner {
        tokens,
        next: 0,
        text,
        origin,
    };
    let place = |scanner: &TokenScanner<'_>, error: &ScanError| match error {
        ScanError::EndOfEntry => end,
        // The token that was being read is the one before the next.
        ScanError::Other(_) => tokens
            .get(scanner.next.saturating_sub(1))
            .map_or(end, |token| token.position),
    };
    if let Err(error) = scanner.read_any(rtype, rdata) {
        return Err((place(&scanner, &error), error));
    }
    match tokens.get(scanner.next) {
        None => Ok(()),
        Some(token) => Err((token.position, ScanError::trailing_tokens())),
    }
}

/// The tokens of one entry, from its data on.
struct TokenScanner<'t> {
    tokens: &'t [Token],
    next: usize,
    text: &'t [u8],
    origin: &'t NameRef,
}

impl<'t> TokenScanner<'t> {
    /// Reads the data of a type, or data in the form of RFC 3597.
    fn read_any(&mut self, rtype: Rtype, rdata: &mut Vec<u8>) -> Result<(), ScanError> {
        let unknown = self
            .tokens
            .first()
            .is_some_and(|token| token.raw(self.text) == b"\\#");
        if rtype == Rtype::SOA && !unknown {
            return self.read_soa(rdata);
        }
        let data = ZoneRecordData::scan(rtype, self).map_err(|error| {
            if self.next == 0 && self.continues() {
                NO_READER
            } else {
                error
            }
        })?;
        match data.compose_rdata(rdata) {
            Ok(()) => Ok(()),
            Err(never) => match never {},
        }
    }

    /// Reads an SOA. The `domain` crate takes its times in seconds only, where
    /// people write `2h`.
    fn read_soa(&mut self, rdata: &mut Vec<u8>) -> Result<(), ScanError> {
        for _ in 0..2 {
            rdata.extend_from_slice(self.scan_name()?.as_slice());
        }
        rdata.extend(u32::scan(self)?.to_be_bytes());
        for _ in 0..4 {
            let seconds = read_seconds(self.take()?.raw(self.text));
            let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
            rdata.extend(seconds.ok_or(ScanError::Other("bad time"))?.to_be_bytes());
        }
        Ok(())
    }

    /// Takes the next token.
    fn take(&mut self) -> Result<&'t Token, ScanError> {
        let token = self.tokens.get(self.next).ok_or(ScanError::EndOfEntry)?;
        self.next += 1;
        Ok(token)
    }

    /// The characters of a token.
    fn symbols(&self, token: &Token) -> impl Iterator<Item = Result<Symbol, ScanError>> + use<'t> {
        token
            .symbols(self.text)
            .map(|symbol| symbol.map_err(ScanError::Other))
    }

    /// Appends the octets that a token stands for.
    fn append_octets(&self, token: &Token, octets: &mut Vec<u8>) -> Result<(), ScanError> {
        for symbol in self.symbols(token) {
            octets.push(symbol?.into_octet().map_err(|_| BAD_CHARACTER)?);
        }
        Ok(())
    }
}

impl Scanner for TokenScanner<'_> {
    type Octets = Vec<u8>;
    type OctetsBuilder = Vec<u8>;
    type Name = Name<Vec<u8>>;
    type Error = ScanError;

    fn has_space(&self) -> bool {
        self.tokens.get(self.next).is_some_and(|token| token.spaced)
    }

    fn continues(&mut self) -> bool {
        self.next < self.tokens.len()
    }

    fn scan_symbols<F>(&mut self, mut op: F) -> Result<(), ScanError>
    where
        F: FnMut(Symbol) -> Result<(), ScanError>,
    {
        let token = self.take()?;
        // An empty quoted string would otherwise read as the number 0.
        if token.start == token.end {
            return Err(ScanError::Other("empty string"));
        }
        self.symbols(token).try_for_each(|symbol| op(symbol?))
    }

    fn scan_entry_symbols<F>(&mut self, mut op: F) -> Result<(), ScanError>
    where
        F: FnMut(EntrySymbol) -> Result<(), ScanError>,
    {
        loop {
            let token = self.take()?;
            self.symbols(token)
                .try_for_each(|symbol| op(symbol?.into()))?;
            op(EntrySymbol::EndOfToken)?;
            if !self.continues() {
                return Ok(());
            }
        }
    }

    fn convert_token<C: ConvertSymbols<Symbol, ScanError>>(
        &mut self,
        mut convert: C,
    ) -> Result<Vec<u8>, ScanError> {
        let token = self.take()?;
        let mut octets = Vec::new();
        for symbol in self.symbols(token) {
            octets.extend_from_slice(convert.process_symbol(symbol?)?.unwrap_or_default());
        }
        octets.extend_from_slice(convert.process_tail()?.unwrap_or_default());
        Ok(octets)
    }

    fn convert_entry<C: ConvertSymbols<EntrySymbol, ScanError>>(
        &mut self,
        mut convert: C,
    ) -> Result<Vec<u8>, ScanError> {
        let mut octets = Vec::new();
        while self.continues() {
            let token = self.take()?;
            for symbol in self.symbols(token) {
                let data = convert.process_symbol(symbol?.into())?;
                octets.extend_from_slice(data.unwrap_or_default());
            }
        }
        octets.extend_from_slice(convert.process_tail()?.unwrap_or_default());
        Ok(octets)
    }

    fn scan_octets(&mut self) -> Result<Vec<u8>, ScanError> {
        let token = self.take()?;
        let mut octets = Vec::with_capacity(token.end - token.start);
        self.append_octets(token, &mut octets)?;
        Ok(octets)
    }

    fn scan_svcb_octets(&mut self) -> Result<Vec<u8>, ScanError> {
        let mut octets = self.scan_octets()?;
        // A quoted value stands beside its key without white space.
        if let Some(token) = self.tokens.get(self.next)
            && token.quoted
            && !token.spaced
        {
            self.next += 1;
            self.append_octets(token, &mut octets)?;
        }
        Ok(octets)
    }

    fn scan_ascii_str<F, T>(&mut self, op: F) -> Result<T, ScanError>
    where
        F: FnOnce(&str) -> Result<T, ScanError>,
    {
        let octets = self.scan_octets()?;
        match std::str::from_utf8(&octets) {
            Ok(text) if text.is_ascii() => op(text),
            _ => Err(BAD_CHARACTER),
        }
    }

    fn scan_name(&mut self) -> Result<Name<Vec<u8>>, ScanError> {
        let token = self.take()?;
        read_name(token, self.text, self.origin).map_err(ScanError::Other)
    }

    fn scan_charstr(&mut self) -> Result<CharStr<Vec<u8>>, ScanError> {
        CharStr::from_octets(self.scan_octets()?)
            .map_err(|_| ScanError::Other("character string is longer than 255 octets"))
    }

    fn scan_string(&mut self) -> Result<Str<Vec<u8>>, ScanError> {
        Str::from_utf8(self.scan_octets()?).map_err(|_| ScanError::Other("text is not UTF-8"))
    }

    fn scan_charstr_entry(&mut self) -> Result<Vec<u8>, ScanError> {
        let mut octets = Vec::new();
        loop {
            let string = self.scan_charstr()?;
            octets.push(u8::try_from(string.len()).expect("a character string has 255 at most"));
            octets.extend_from_slice(string.as_slice());
            if !self.continues() {
                return Ok(octets);
            }
        }
    }

    fn scan_opt_unknown_marker(&mut self) -> Result<bool, ScanError> {
        let found = self
            .tokens
            .get(self.next)
            .is_some_and(|token| !token.quoted && token.raw(self.text) == b"\\#");
        self.next += usize::from(found);
        Ok(found)
    }

    fn octets_builder(&mut self) -> Result<Vec<u8>, ScanError> {
        Ok(Vec::new())
    }
}
