//! A reply as sets of records, in which order, compression and case are gone.

use std::fmt;

use domain::base::iana::Rtype;
use domain::base::{Message, RecordSection, UnknownRecordData};

use super::record::Record;

/// Bits of the second word of the header (RFC 1035 section 4.1.1, RFC 4035
/// section 3).
pub mod flag {
    /// A reply.
    pub const QR: u16 = 0x8000;
    /// Authoritative.
    pub const AA: u16 = 0x0400;
    /// Truncated.
    pub const TC: u16 = 0x0200;
    /// Recursion desired.
    pub const RD: u16 = 0x0100;
    /// Recursion available.
    pub const RA: u16 = 0x0080;
    /// Checking disabled.
    pub const CD: u16 = 0x0010;
}

/// Why octets are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than a header.
    #[error("shorter than a header")]
    Header,
    /// A question or record that cannot be told from what follows it.
    #[error("a section ends before its last record")]
    Section,
    /// Data of a record that its type does not allow.
    #[error("the data of a record is not what its type asks for")]
    Data,
    /// The same record twice in a section.
    #[error("a record twice in a section")]
    Duplicate,
    /// An OPT record that is not the last record of the message.
    #[error("an OPT record that is not the last record")]
    OptNotLast,
    /// Octets behind the last record.
    #[error("octets behind the last record")]
    Trailing,
}

/// The OPT record of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opt {
    /// The server's UDP size, octets.
    pub size: u16,
    /// The version.
    pub version: u8,
    /// The flags, DO the highest of them.
    pub flags: u16,
    /// Its options as they were sent.
    pub options: Box<[u8]>,
}

/// A record as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The record.
    pub record: Record,
    /// Octets that it took.
    pub octets: usize,
}

/// The records of a section in the order of the message, OPT left out.
#[derive(Clone, Debug, Default)]
pub struct Section(pub Vec<Sent>);

impl Section {
    /// The records.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.0.iter().map(|sent| &sent.record)
    }

    /// The records, sorted.
    pub fn sorted(&self) -> Vec<&Record> {
        let mut records: Vec<&Record> = self.records().collect();
        records.sort_unstable();
        records
    }

    /// Whether the record is one of them.
    pub fn has(&self, record: &Record) -> bool {
        self.records().any(|other| other == record)
    }
}

impl PartialEq for Section {
    /// The same records, in any order and however they were sent.
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.sorted() == other.sorted()
    }
}

impl Eq for Section {}

/// A reply, comparable.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The ID.
    pub id: u16,
    /// The second word of the header: flags, OPCODE, RCODE.
    pub flags: u16,
    /// The code, extended if there is an OPT record.
    pub rcode: u16,
    /// The question section, octet by octet.
    pub question: Box<[u8]>,
    /// Answer, authority, additional.
    pub sections: [Section; 3],
    /// The OPT record.
    pub opt: Option<Opt>,
    /// Octets of the message.
    pub octets: usize,
}

impl Reply {
    /// Reads a reply strictly: every record to the last octet, no record twice
    /// in a section, OPT last.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn parse(octets: &[u8]) -> Result<Self, Malformed> {
        let message = Message::from_slice(octets).map_err(|_| Malformed::Header)?;
        let mut answer = message.answer().map_err(|_| Malformed::Section)?;
        let question = octets[12..answer.pos()].into();
        let mut opt = None;
        let mut sections: [Section; 3] = Default::default();
        sections[0] = read_section(&mut answer, &mut opt)?;
        let mut authority = next_section(answer)?;
        sections[1] = read_section(&mut authority, &mut opt)?;
        let mut additional = next_section(authority)?;
        sections[2] = read_section(&mut additional, &mut opt)?;
        if additional.pos() != octets.len() {
            return Err(Malformed::Trailing);
        }
        let number = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        Ok(Self {
            id: number(0),
            flags: number(2),
            rcode: message.opt_rcode().to_int(),
            question,
            sections,
            opt,
            octets: octets.len(),
        })
    }

    /// The TC flag.
    pub fn truncated(&self) -> bool {
        self.flags & flag::TC != 0
    }

    /// The AA flag.
    pub fn authoritative(&self) -> bool {
        self.flags & flag::AA != 0
    }
}

/// The section behind one that has been read.
fn next_section(section: RecordSection<'_, [u8]>) -> Result<RecordSection<'_, [u8]>, Malformed> {
    let next = section.next_section().map_err(|_| Malformed::Section)?;
    Ok(next.expect("asked of the first two sections only"))
}

/// The records of a section; an OPT record becomes `opt`.
fn read_section(
    section: &mut RecordSection<'_, [u8]>,
    opt: &mut Option<Opt>,
) -> Result<Section, Malformed> {
    let mut records = Section::default();
    let mut start = section.pos();
    while let Some(record) = section.next() {
        let record = record.map_err(|_| Malformed::Section)?;
        // A signature of the transaction comes behind everything.
        if opt.is_some() && record.rtype() != Rtype::TSIG {
            return Err(Malformed::OptNotLast);
        }
        let octets = section.pos() - start;
        start = section.pos();
        if record.rtype() == Rtype::OPT {
            let ttl = record.ttl().as_secs();
            let generic = record
                .to_record::<UnknownRecordData<&[u8]>>()
                .map_err(|_| Malformed::Data)?
                .ok_or(Malformed::Data)?;
            *opt = Some(Opt {
                size: record.class().to_int(),
                version: (ttl >> 16) as u8,
                flags: ttl as u16,
                options: (*generic.data().data()).into(),
            });
            continue;
        }
        records.0.push(Sent {
            record: Record::of(&record)?,
            octets,
        });
    }
    if records.sorted().windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Malformed::Duplicate);
    }
    Ok(records)
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "flags {:#06x}, rcode {}", self.flags, self.rcode)?;
        write!(f, ", {} octets", self.octets)?;
        match &self.opt {
            Some(opt) => write!(f, ", OPT size {} flags {:#06x}", opt.size, opt.flags)?,
            None => write!(f, ", no OPT")?,
        }
        for (title, section) in ["answer", "authority", "additional"]
            .iter()
            .zip(&self.sections)
        {
            for record in section.records() {
                write!(f, "\n  {title}: {record}")?;
            }
        }
        Ok(())
    }
}
