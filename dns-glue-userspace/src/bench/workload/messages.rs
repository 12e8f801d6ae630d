//! Many queries in wire form, close together.

use domain::base::iana::Rtype;

/// As many as a workload may have.
pub const MAX_QUERIES: usize = 1 << 23;

/// The OPT record of a query (RFC 6891 section 6.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// The client's UDP size, octets.
    pub octets: u16,
    /// DO (RFC 3225).
    pub dnssec_ok: bool,
}

impl Edns {
    /// What resolvers send that do not validate.
    pub const PLAIN: Self = Self {
        octets: 1232,
        dnssec_ok: false,
    };
    /// What resolvers send that do.
    pub const DNSSEC: Self = Self {
        octets: 1232,
        dnssec_ok: true,
    };
}

/// DNS messages, one after the other in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    octets: Vec<u8>,
    /// Where each message ends in `octets`.
    ends: Vec<u32>,
}

impl Messages {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            octets: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Adds a query for a name in wire form, class IN, RD clear. Its ID is its
    /// number, modulo 65536.
    ///
    /// # Panics
    ///
    /// If there are [`MAX_QUERIES`] already.
    pub fn push(&mut self, name: &[u8], rtype: Rtype, edns: Option<Edns>) {
        assert!(self.len() < MAX_QUERIES, "a workload of bounded size");
        let id = (self.len() & 0xffff) as u16;
        self.octets.extend(id.to_be_bytes());
        let opt_records = u8::from(edns.is_some());
        self.octets.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, opt_records]);
        self.octets.extend(name);
        self.octets.extend(rtype.to_int().to_be_bytes());
        self.octets.extend([0, 1]);
        if let Some(edns) = edns {
            self.octets.extend([0, 0, 41]);
            self.octets.extend(edns.octets.to_be_bytes());
            let flags = if edns.dnssec_ok { 0x80 } else { 0 };
            self.octets.extend([0, 0, flags, 0, 0, 0]);
        }
        self.end();
    }

    /// Adds a message as it is.
    pub(super) fn copy(&mut self, message: &[u8]) {
        self.octets.extend(message);
        self.end();
    }

    fn end(&mut self) {
        // 2^23 messages of at most 282 octets.
        let end = u32::try_from(self.octets.len()).expect("below 2^32 octets");
        self.ends.push(end);
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One of them; the first is number 0.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)? as usize;
        let before = number.checked_sub(1).and_then(|place| self.ends.get(place));
        let start = before.map_or(0, |end| *end as usize);
        self.octets.get(start..end)
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    /// Those that are chosen, in their order.
    #[must_use]
    pub fn chosen(&self, mut choose: impl FnMut(&[u8]) -> bool) -> Self {
        let mut chosen = Self::new();
        for message in self.iter().filter(|message| choose(message)) {
            chosen.copy(message);
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::query::Query;

    #[test]
    fn messages_are_queries_and_stay_apart() {
        let mut messages = Messages::new();
        messages.push(b"\x01a\0", Rtype::A, None);
        messages.push(b"\x03www\x01b\0", Rtype::AAAA, Some(Edns::PLAIN));
        messages.push(b"\0", Rtype::NS, Some(Edns::DNSSEC));
        assert_eq!(messages.len(), 3);
        assert_eq!(messages.get(3), None);
        let query = |number| Query::parse(messages.get(number).unwrap()).unwrap();
        let (first, second, third) = (query(0), query(1), query(2));
        assert_eq!((first.name(), first.size), (&b"\x01a\0"[..], None));
        assert_eq!(second.name(), b"\x03www\x01b\0");
        assert_eq!(
            (second.id, second.size, second.dnssec),
            (1, Some(1232), false)
        );
        assert_eq!((third.name(), third.dnssec), (&b"\0"[..], true));
        assert_eq!(second.question[second.question.len() - 4..], [0, 28, 0, 1]);
    }

    #[test]
    fn what_is_chosen_is_as_it_was() {
        let mut messages = Messages::new();
        for label in *b"abc" {
            messages.push(&[1, label, 0], Rtype::A, None);
        }
        let chosen = messages.chosen(|message| message[13] != b'b');
        assert_eq!(chosen.len(), 2);
        assert_eq!(chosen.get(0), messages.get(0));
        assert_eq!(chosen.get(1), messages.get(2));
    }
}
