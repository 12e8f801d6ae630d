//! A reply as sets of records, in which order, compression and case are gone.

use std::collections::BTreeSet;
use std::fmt;

use domain::base::iana::{Opcode, OptRcode};
use domain::base::name::ToName;
use domain::base::rdata::ComposeRecordData;
use domain::base::{Message, ParsedName, Rtype};
use domain::rdata::AllRecordData;

/// A record, comparable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// The owner in lower case.
    pub owner: String,
    /// The type.
    pub rtype: Rtype,
    /// The class.
    pub class: u16,
    /// The TTL, seconds.
    pub ttl: u32,
    /// The data in canonical form: uncompressed, names in lower case.
    pub data: Vec<u8>,
    /// The data as text in lower case, for people.
    pub text: String,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.owner, self.ttl, self.rtype, self.text
        )
    }
}

/// The OPT record of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opt {
    /// The server's UDP size, octets.
    pub size: u16,
    /// The version.
    pub version: u8,
    /// The DO flag.
    pub dnssec_ok: bool,
    /// The options, octet by octet.
    pub options: Vec<u8>,
}

/// A reply, comparable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code, extended if there is an OPT record.
    pub rcode: OptRcode,
    /// The opcode.
    pub opcode: Opcode,
    /// AA, TC, RD, RA, AD.
    pub flags: [bool; 5],
    /// The question section, octet by octet.
    pub question: Vec<u8>,
    /// Answer, authority, additional without OPT.
    pub sections: [BTreeSet<Record>; 3],
    /// The OPT record.
    pub opt: Option<Opt>,
    /// Octets of the message.
    pub length: usize,
}

impl Reply {
    /// Parses a reply strictly: every record to the last octet, no record
    /// twice in a section, OPT last.
    pub fn parse(octets: &[u8]) -> Self {
        let message = Message::from_octets(octets).expect("a header");
        let header = message.header();
        assert!(header.qr(), "a reply has QR set");
        assert!(!header.z(), "Z is clear");
        let (_, answer, authority, additional) = message.sections().expect("sections");
        let question_end = answer.pos();
        let mut opt = None;
        let mut end = question_end;
        let mut sections: [BTreeSet<Record>; 3] = Default::default();
        for (index, mut section) in [answer, authority, additional].into_iter().enumerate() {
            for record in section.by_ref() {
                let record = record.expect("a record");
                let last = opt.is_none() || record.rtype() == Rtype::TSIG;
                assert!(last, "OPT is the last record but TSIG");
                let owner = record.owner().to_vec().to_string().to_ascii_lowercase();
                let class = record.class().to_int();
                let ttl = record.ttl().as_secs();
                let rtype = record.rtype();
                let record = record
                    .to_any_record::<AllRecordData<&[u8], ParsedName<&[u8]>>>()
                    .expect("record data");
                let mut data = Vec::new();
                record
                    .data()
                    .compose_canonical_rdata(&mut data)
                    .expect("a vector has room");
                if rtype == Rtype::OPT {
                    assert_eq!(index, 2, "OPT stands in the additional section");
                    opt = Some(Opt {
                        size: class,
                        version: (ttl >> 16) as u8,
                        dnssec_ok: ttl & 0x8000 != 0,
                        options: data,
                    });
                    assert_eq!(ttl & 0x7FFF, 0, "no flag but DO is set");
                    continue;
                }
                let text = record.data().to_string().to_ascii_lowercase();
                let new = sections[index].insert(Record {
                    owner,
                    rtype,
                    class,
                    ttl,
                    data,
                    text,
                });
                assert!(new, "a record twice in a section: {octets:02x?}");
            }
            end = section.pos();
        }
        assert_eq!(end, octets.len(), "octets after the last record");
        Self {
            rcode: message.opt_rcode(),
            opcode: header.opcode(),
            flags: [
                header.aa(),
                header.tc(),
                header.rd(),
                header.ra(),
                header.ad(),
            ],
            question: octets[12..question_end].to_vec(),
            sections,
            opt,
            length: octets.len(),
        }
    }

    /// The TC flag.
    pub fn truncated(&self) -> bool {
        self.flags[1]
    }

    /// The AA flag.
    pub fn authoritative(&self) -> bool {
        self.flags[0]
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [aa, tc, rd, ra, ad] = self.flags;
        writeln!(
            f,
            "{} {} aa={aa} tc={tc} rd={rd} ra={ra} ad={ad} {} octets, opt {:?}",
            self.opcode, self.rcode, self.length, self.opt
        )?;
        for (title, section) in ["answer", "authority", "additional"]
            .iter()
            .zip(&self.sections)
        {
            for record in section {
                writeln!(f, "  {title}: {record}")?;
            }
        }
        Ok(())
    }
}
