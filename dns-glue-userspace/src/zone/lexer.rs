//! Cuts the text of a master file into entries, and entries into tokens
//! (RFC 1035 section 5.1).
//!
//! An entry is a line, or several when parentheses join them. Whatever is wrong
//! with one entry, the next call goes on after it, so that all errors of a file
//! come out in one reading. Each octet is looked at once, but for an unclosed
//! parenthesis: then reading goes on at the next line, a bounded number of times.

use domain::base::scan::Symbol;

use super::position::Position;

/// How often an unclosed parenthesis may send the lexer back before it gives
/// the rest of the file up.
const MAX_RETRIES: u32 = 20;

/// Tokens in an entry. RDATA has at most 65535 octets, written in hexadecimal
/// at most 131070 digits, each of which could be a token.
const MAX_TOKENS: usize = 140_000;

/// A token of an entry: where it stands and how it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// Offset of its first octet, without the quote.
    pub(super) start: usize,
    /// Offset after its last octet, without the quote.
    pub(super) end: usize,
    /// Place of its first octet.
    pub(super) position: Position,
    /// Whether it stood in double quotes.
    pub(super) quoted: bool,
    /// Whether white space, a parenthesis or a comment came before it.
    pub(super) spaced: bool,
}

impl Token {
    /// Its octets as they stand in the text, escapes included.
    pub(super) fn raw<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.start..self.end]
    }

    /// Its characters, escapes decoded. Octets from 0x80 on stand for
    /// themselves, whatever the encoding of the file.
    pub(super) fn symbols<'t>(
        &self,
        text: &'t [u8],
    ) -> impl Iterator<Item = Result<Symbol, &'static str>> + use<'t> {
        let raw = self.raw(text);
        let mut at = 0;
        std::iter::from_fn(move || {
            let octet = *raw.get(at)?;
            let (symbol, next) = match octet {
                b'\\' => match Symbol::from_slice_index(raw, at) {
                    Ok(Some(found)) => found,
                    _ => {
                        at = raw.len();
                        return Some(Err("bad escape: want \\DDD up to \\255 or \\X"));
                    }
                },
                0x80.. => (Symbol::DecimalEscape(octet), at + 1),
                0x00..=0x1f | 0x7f if octet != b'\t' => {
                    at = raw.len();
                    return Some(Err("control character; write it as \\DDD"));
                }
                b'\t' => (Symbol::DecimalEscape(octet), at + 1),
                _ => (Symbol::Char(char::from(octet)), at + 1),
            };
            at = next;
            Some(Ok(symbol))
        })
    }
}

/// Something that does not follow the grammar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct LexError {
    /// Where.
    pub(super) position: Position,
    /// What.
    pub(super) what: &'static str,
}

/// An entry as far as the lexer knows it; its tokens are the caller's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Whether its first line begins with white space, which stands for the
    /// owner of the record before it.
    pub(super) indented: bool,
    /// Place after its last octet.
    pub(super) end: Position,
}

/// How far a file was read, at the start of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// The line, from 1.
    line: u32,
    /// How often an unclosed parenthesis has sent the lexer back.
    retries: u32,
}

impl Place {
    /// The start of a file.
    pub(super) const START: Self = Self {
        line: 1,
        retries: 0,
    };

    /// Lines of the file before this place.
    pub(super) fn lines_before(self) -> u32 {
        self.line - 1
    }

    /// Goes so many lines down as `end` has before it.
    pub(super) fn add_lines(&mut self, end: Self) {
        self.line = self.line.saturating_add(end.lines_before());
    }

    /// Whether the rest of the file was given up.
    pub(super) fn is_given_up(self) -> bool {
        self.retries > MAX_RETRIES
    }
}

/// Reads entries one after the other.
pub(super) struct Lexer<'t> {
    text: &'t [u8],
    file: u16,
    at: usize,
    line: u32,
    line_start: usize,
    retries: u32,
    /// Whether the file goes on after the text.
    more: bool,
}

/// A place to go back to.
#[derive(Clone, Copy)]
struct Mark {
    at: usize,
    line: u32,
    position: Position,
}

impl<'t> Lexer<'t> {
    /// Begins at the start of `text`, which is at `place` in file number
    /// `file`. If `more` of the file follows, the text is whole lines.
    pub(super) fn new(text: &'t [u8], file: u16, place: Place, more: bool) -> Self {
        Self {
            text,
            file,
            at: 0,
            line: place.line,
            line_start: 0,
            retries: place.retries,
            more,
        }
    }

    /// How far the file was read: the start of a line, after an entry.
    pub(super) fn place(&self) -> Place {
        Place {
            line: self.line,
            retries: self.retries,
        }
    }

    /// Offset of the next octet.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The place of an offset in the current line.
    pub(super) fn position_of(&self, offset: usize) -> Position {
        let column = offset - self.line_start + 1;
        Position {
            file: self.file,
            line: self.line,
            column: u16::try_from(column).unwrap_or(u16::MAX),
        }
    }

    /// Goes to `end`, after an entry with so many line ends.
    pub(super) fn skip(&mut self, end: usize, lines: u32) {
        self.at = end;
        self.line = self.line.saturating_add(lines);
        self.line_start = end;
    }

    /// Reads the next entry that has any token into `tokens`; `None` at the
    /// end of the text, or before an entry of which the end is missing while
    /// more text follows.
    pub(super) fn next_entry(
        &mut self,
        tokens: &mut Vec<Token>,
    ) -> Option<Result<Entry, LexError>> {
        tokens.clear();
        let start = self.mark();
        let mut error = None;
        let mut open: Option<Mark> = None;
        let mut depth = 0_usize;
        let mut indented = self.is_indented();
        let mut spaced = indented;
        loop {
            let Some(&octet) = self.text.get(self.at) else {
                if open.is_some() && self.more {
                    self.at = start.at;
                    self.line = start.line;
                    self.line_start = start.at;
                    return None;
                }
                if let Some(mark) = open {
                    return Some(Err(self.retry_after(mark, "parenthesis is never closed")));
                }
                break;
            };
            if tokens.len() > MAX_TOKENS {
                let mark = open.unwrap_or_else(|| self.mark());
                return Some(Err(self.retry_after(mark, "entry is too long")));
            }
            match octet {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => self.skip_to_line_end(),
                b'\n' => {
                    let end = self.position();
                    self.next_line();
                    if depth == 0 {
                        if let Some(error) = error {
                            return Some(Err(error));
                        }
                        if !tokens.is_empty() {
                            return Some(Ok(Entry { indented, end }));
                        }
                        indented = self.is_indented();
                    }
                }
                b'(' => {
                    open.get_or_insert(self.mark());
                    depth += 1;
                    self.at += 1;
                }
                b')' => {
                    match depth.checked_sub(1) {
                        Some(less) => depth = less,
                        None => note(&mut error, self.position(), "parenthesis was never opened"),
                    }
                    if depth == 0 {
                        open = None;
                    }
                    self.at += 1;
                }
                _ => {
                    match self.token(octet == b'"', spaced) {
                        Ok(token) => tokens.push(token),
                        Err(found) => note(&mut error, found.position, found.what),
                    }
                    spaced = false;
                    continue;
                }
            }
            spaced = true;
        }
        match error {
            Some(error) => Some(Err(error)),
            None if tokens.is_empty() => None,
            None => Some(Ok(Entry {
                indented,
                end: self.position(),
            })),
        }
    }

    /// Reads the token at the current octet.
    fn token(&mut self, quoted: bool, spaced: bool) -> Result<Token, LexError> {
        let position = self.position();
        self.at += usize::from(quoted);
        let start = self.at;
        loop {
            match self.text.get(self.at) {
                None | Some(b'\n') if quoted => {
                    return Err(LexError {
                        position,
                        what: "quoted string is not closed on its line",
                    });
                }
                Some(b'"') if quoted => break,
                Some(b'\\') => match self.text.get(self.at + 1) {
                    None | Some(b'\n') => {
                        let position = self.position();
                        self.at += 1;
                        return Err(LexError {
                            position,
                            what: "nothing follows the backslash",
                        });
                    }
                    Some(_) => self.at += 2,
                },
                None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b';' | b'"')
                    if !quoted =>
                {
                    break;
                }
                _ => self.at += 1,
            }
        }
        let end = self.at;
        self.at += usize::from(quoted);
        Ok(Token {
            start,
            end,
            position,
            quoted,
            spaced,
        })
    }

    /// Whether the current line begins with white space.
    fn is_indented(&self) -> bool {
        matches!(self.text.get(self.at), Some(b' ' | b'\t'))
    }

    /// Goes to the line feed that ends the current line.
    fn skip_to_line_end(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest
            .iter()
            .position(|octet| *octet == b'\n')
            .unwrap_or(rest.len());
    }

    /// Goes past the line feed at the current octet.
    fn next_line(&mut self) {
        self.at += 1;
        self.line = self.line.saturating_add(1);
        self.line_start = self.at;
    }

    /// The current place.
    fn position(&self) -> Position {
        self.position_of(self.at)
    }

    /// The current place, to come back to.
    fn mark(&self) -> Mark {
        Mark {
            at: self.at,
            line: self.line,
            position: self.position(),
        }
    }

    /// Goes back to the line after `mark` and says what is wrong there; to the
    /// end of the text when that has happened too often.
    fn retry_after(&mut self, mark: Mark, what: &'static str) -> LexError {
        self.retries += 1;
        if self.retries > MAX_RETRIES {
            self.at = self.text.len();
        } else {
            self.at = mark.at;
            self.line = mark.line;
            self.skip_to_line_end();
            if self.at < self.text.len() {
                self.next_line();
            }
        }
        LexError {
            position: mark.position,
            what,
        }
    }
}

/// Keeps the first error of an entry.
fn note(error: &mut Option<LexError>, position: Position, what: &'static str) {
    error.get_or_insert(LexError { position, what });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries as lists of tokens, errors as `line:column what`.
    fn lex(text: &str) -> Vec<String> {
        let mut lexer = Lexer::new(text.as_bytes(), 0, Place::START, false);
        let mut tokens = Vec::new();
        let mut lexed = Vec::new();
        while let Some(result) = lexer.next_entry(&mut tokens) {
            lexed.push(match result {
                Ok(entry) => {
                    let mut line = String::from(if entry.indented { "_" } else { "" });
                    for token in &tokens {
                        let raw = String::from_utf8_lossy(token.raw(text.as_bytes()));
                        line += if token.spaced { " " } else { "|" };
                        line += &if token.quoted {
                            format!("<{raw}>")
                        } else {
                            raw.into()
                        };
                    }
                    line
                }
                Err(LexError { position, what }) => {
                    format!("{}:{} {what}", position.line, position.column)
                }
            });
        }
        lexed
    }

    #[test]
    fn entries_and_tokens() {
        let text = "a IN A 1 ; comment (\n\n  ; only a comment\n\tb\\;c \"x \\\" y\"k=\"v\"\n\
                    c ( d ; e )\n \n\"\" ) f\r\nlast";
        assert_eq!(
            lex(text),
            [
                "|a IN A 1",
                "_ b\\;c <x \\\" y>|k=|<v>",
                "|c d <> f",
                "|last"
            ]
        );
    }

    #[test]
    fn goes_on_after_an_error() {
        let text = "a \"open\nb )\nc \\\nd (\n e )\nf ( g\nh\n";
        assert_eq!(
            lex(text),
            [
                "1:3 quoted string is not closed on its line",
                "2:3 parenthesis was never opened",
                "3:3 nothing follows the backslash",
                "|d e",
                "6:3 parenthesis is never closed",
                "|h",
            ]
        );
    }

    #[test]
    fn an_error_inside_parentheses_ends_with_them() {
        assert_eq!(
            lex("a ( \"open\n b )\nc\n"),
            ["1:5 quoted string is not closed on its line", "|c"]
        );
    }

    #[test]
    fn many_unclosed_parentheses_end_the_file_early() {
        let text = "(\n".repeat(100_000);
        assert_eq!(lex(&text).len(), 21);
    }
}
