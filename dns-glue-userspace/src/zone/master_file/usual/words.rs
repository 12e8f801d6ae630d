//! Words of an entry that is written in the usual way.

/// Something that the usual way does not know: the entry is left to the reader
/// of all ways.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unusual;

/// Words of an entry at most. The usual ones have some ten.
const MAX_WORDS: u32 = 1000;

/// What an octet outside of quotes and comments means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Part of a word.
    Word,
    Blank,
    LineEnd,
    Open,
    Close,
    Comment,
    /// Quotes, escapes, control characters, octets beyond ASCII.
    Unusual,
}

/// What each octet means.
const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Unusual; 256];
    let mut octet = b'!';
    while octet <= b'~' {
        kinds[octet as usize] = match octet {
            b'(' => Kind::Open,
            b')' => Kind::Close,
            b';' => Kind::Comment,
            b'"' | b'\\' => Kind::Unusual,
            _ => Kind::Word,
        };
        octet += 1;
    }
    kinds[b' ' as usize] = Kind::Blank;
    kinds[b'\t' as usize] = Kind::Blank;
    kinds[b'\r' as usize] = Kind::Blank;
    kinds[b'\n' as usize] = Kind::LineEnd;
    kinds
};

/// Goes through the words of one entry.
pub(super) struct Words<'t> {
    text: &'t [u8],
    /// Offset of the next octet.
    at: usize,
    /// Open parentheses.
    depth: u32,
    /// Line ends passed.
    lines: u32,
    words: u32,
    ended: bool,
}

impl<'t> Words<'t> {
    /// Begins at an offset of the text, the start of an entry.
    pub(super) fn new(text: &'t [u8], at: usize) -> Self {
        Self {
            text,
            at,
            depth: 0,
            lines: 0,
            words: 0,
            ended: false,
        }
    }

    /// The next word; an empty one at the end of the entry.
    #[inline]
    pub(super) fn next(&mut self) -> Result<&'t [u8], Unusual> {
        if self.ended {
            return Ok(&[]);
        }
        loop {
            let kind = self.text.get(self.at).map(|octet| kind(*octet));
            match kind {
                Some(Kind::Word) => return self.word(),
                Some(Kind::Blank) => {}
                Some(Kind::LineEnd) => {
                    self.lines += 1;
                    if self.depth == 0 {
                        self.at += 1;
                        self.ended = true;
                        return Ok(&[]);
                    }
                }
                Some(Kind::Open) => self.depth += 1,
                Some(Kind::Close) => self.depth = self.depth.checked_sub(1).ok_or(Unusual)?,
                Some(Kind::Comment) => {
                    self.skip_comment();
                    continue;
                }
                None if self.depth == 0 => {
                    self.ended = true;
                    return Ok(&[]);
                }
                Some(Kind::Unusual) | None => return Err(Unusual),
            }
            self.at += 1;
        }
    }

    /// A word that there must be.
    #[inline]
    pub(super) fn want(&mut self) -> Result<&'t [u8], Unusual> {
        match self.next()? {
            [] => Err(Unusual),
            word => Ok(word),
        }
    }

    /// The word that begins at the current octet.
    #[inline]
    fn word(&mut self) -> Result<&'t [u8], Unusual> {
        self.words += 1;
        if self.words > MAX_WORDS {
            return Err(Unusual);
        }
        let rest = &self.text[self.at..];
        let end = rest
            .iter()
            .position(|octet| kind(*octet) != Kind::Word)
            .unwrap_or(rest.len());
        self.at += end;
        Ok(&rest[..end])
    }

    /// Goes to the line end after a comment.
    fn skip_comment(&mut self) {
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|octet| *octet == b'\n');
        self.at += end.unwrap_or(rest.len());
    }

    /// After the end of the entry: the offset after it, and the line ends in it.
    pub(super) fn end(&self) -> (usize, u32) {
        (self.at, self.lines)
    }

    /// Offset of the next octet.
    pub(super) fn at(&self) -> usize {
        self.at
    }
}

/// What an octet means.
#[inline]
fn kind(octet: u8) -> Kind {
    KINDS[usize::from(octet)]
}
