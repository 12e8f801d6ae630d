//! Directives: $ORIGIN, $TTL and $INCLUDE.

use std::path::{Path, PathBuf};

use domain::base::Name;

use super::entries::{Reader, Refusal, State, syntax};
use super::head::read_ttl;
use super::pieces::Text;
use crate::zone::errors::ZoneErrorKind;
use crate::zone::lexer::{Entry, Token};
use crate::zone::name_text::read_name;

/// Levels of files within files.
const MAX_INCLUDE_DEPTH: usize = 16;

impl Reader {
    /// Reads $ORIGIN, $TTL or $INCLUDE.
    pub(super) fn read_directive(
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
        if self.is_ahead && directive == b"$INCLUDE" {
            return Err(syntax(tokens[0].position, "a file is read in its turn"));
        }
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
        let included = match Text::open(&path) {
            Ok(included) => included,
            Err(error) => return Err((position, ZoneErrorKind::UnreadableInclude { path, error })),
        };
        let Some(file) = self.errors.add_file(&path, position) else {
            let what = "too many included files";
            return Err((position, ZoneErrorKind::TooManyIncludes { path, what }));
        };
        let inner = state.included(file, origin);
        self.open_files.push(path.clone());
        let read = self.read_open(included, inner);
        self.open_files.pop();
        read.map_err(|error| (position, ZoneErrorKind::UnreadableInclude { path, error }))
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
}
