//! What stands between the owner and the data of a record.

use domain::base::iana::{Class, Rtype};

use super::entries::{Refusal, syntax};
use crate::zone::builder::{BuildErrorKind, MAX_TTL};
use crate::zone::lexer::{Entry, Token};
use crate::zone::position::Position;
use crate::zone::ttl_text::read_seconds;

/// What stands between the owner and the data of a record.
pub(super) struct Head {
    pub(super) ttl: Option<u32>,
    pub(super) class: Class,
    class_at: Position,
    pub(super) rtype: Rtype,
    pub(super) type_at: Position,
    /// How many tokens it has.
    pub(super) tokens: usize,
}

impl Head {
    /// Where in the entry the fault lies; `owner` is the place of its owner.
    pub(super) fn place_of(&self, kind: &BuildErrorKind, owner: Position) -> Position {
        match kind {
            BuildErrorKind::NotInternet { .. } => self.class_at,
            BuildErrorKind::MetaType { .. } | BuildErrorKind::BadRdata { .. } => self.type_at,
            _ => owner,
        }
    }
}

/// Reads `[TTL] [class] type` or `[class] [TTL] type`.
pub(super) fn read_head(entry: Entry, tokens: &[Token], text: &[u8]) -> Result<Head, Refusal> {
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
pub(super) fn read_ttl(token: &Token, text: &[u8]) -> Result<u32, Refusal> {
    let Some(ttl) = read_seconds(token.raw(text)) else {
        let what = "bad TTL: want seconds, or numbers with units as in 1h30m";
        return Err(syntax(token.position, what));
    };
    match u32::try_from(ttl) {
        Ok(ttl) if ttl <= MAX_TTL => Ok(ttl),
        _ => Err((token.position, BuildErrorKind::TtlOutOfRange { ttl }.into())),
    }
}
