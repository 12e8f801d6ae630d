//! A record that can be compared.

use std::fmt;

use domain::base::name::ToName as _;
use domain::base::{Message, Name, ParsedName, ParsedRecord, Record as WireRecord};
use domain::dep::octseq::Parser;
use domain::rdata::AllRecordData;

use super::reply::Malformed;

/// Octets of a record between its owner and its data: type, class, TTL, length.
const FIXED_OCTETS: usize = 10;

/// A record in canonical form (RFC 4034 section 6.2): uncompressed, owner in
/// lower case, names in the data of the types of that section in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    octets: Box<[u8]>,
    owner_octets: u8,
}

impl Record {
    /// From a record of a message.
    ///
    /// # Errors
    ///
    /// Its data is not what its type asks for.
    pub fn of(parsed: &ParsedRecord<'_, [u8]>) -> Result<Self, Malformed> {
        let record = parsed
            .to_any_record::<AllRecordData<&[u8], ParsedName<&[u8]>>>()
            .map_err(|_| Malformed::Data)?;
        let mut octets = Vec::with_capacity(64);
        record
            .compose_canonical(&mut octets)
            .expect("a vector has room");
        Ok(Self {
            owner_octets: name_octets(&octets),
            octets: octets.into(),
        })
    }

    /// From its owner in wire form, type, TTL in seconds and data without
    /// compression; of class IN.
    ///
    /// # Errors
    ///
    /// The owner is no name, or the data is not what the type asks for.
    pub fn new(owner: &[u8], rtype: u16, ttl: u32, data: &[u8]) -> Result<Self, Malformed> {
        // A message with this record as its answer.
        let mut octets = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        octets.extend(owner);
        octets.extend(rtype.to_be_bytes());
        octets.extend([0, 1]);
        octets.extend(ttl.to_be_bytes());
        let data_octets = u16::try_from(data.len()).map_err(|_| Malformed::Data)?;
        octets.extend(data_octets.to_be_bytes());
        octets.extend(data);
        let message = Message::from_slice(&octets).map_err(|_| Malformed::Header)?;
        let mut answer = message.answer().map_err(|_| Malformed::Section)?;
        let record = answer.next().ok_or(Malformed::Section)?;
        Self::of(&record.map_err(|_| Malformed::Section)?)
    }

    /// It in wire form.
    pub fn as_slice(&self) -> &[u8] {
        &self.octets
    }

    /// The owner in wire form, lower case.
    pub fn owner(&self) -> &[u8] {
        &self.octets[..usize::from(self.owner_octets)]
    }

    /// The type.
    pub fn rtype(&self) -> u16 {
        let at = usize::from(self.owner_octets);
        u16::from_be_bytes([self.octets[at], self.octets[at + 1]])
    }

    /// The data, names in it uncompressed.
    pub fn data(&self) -> &[u8] {
        &self.octets[usize::from(self.owner_octets) + FIXED_OCTETS..]
    }

    /// Octets of it in a message, if its owner takes so many and nothing in its
    /// data is compressed.
    pub fn octets_behind(&self, owner_octets: usize) -> usize {
        owner_octets + FIXED_OCTETS + self.data().len()
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        type Data<'a> = AllRecordData<&'a [u8], ParsedName<&'a [u8]>>;
        let octets: &[u8] = &self.octets;
        let mut parser = Parser::from_ref(&octets);
        match WireRecord::<ParsedName<&[u8]>, Data<'_>>::parse(&mut parser) {
            Ok(Some(record)) => write!(
                f,
                "{} {} {} {}",
                record.owner().fmt_with_dot(),
                record.ttl().as_secs(),
                record.rtype(),
                record.data()
            ),
            Ok(None) | Err(_) => write!(f, "{:02x?}", self.octets),
        }
    }
}

/// Octets of the uncompressed name at the start.
fn name_octets(octets: &[u8]) -> u8 {
    let mut at = 0;
    while octets[at] != 0 {
        at += 1 + usize::from(octets[at]);
    }
    u8::try_from(at + 1).expect("a name has at most 255 octets")
}

/// A name in wire form as text.
pub(super) fn text_of(name: &[u8]) -> String {
    Name::from_slice(name).map_or_else(
        |_| format!("{name:02x?}"),
        |name| name.fmt_with_dot().to_string(),
    )
}
