//! Encoding a reply within a limit: names compressed, RRsets whole.

use domain::base::iana::Class;
use domain::base::message_builder::HashCompressor;
use domain::base::wire::Composer;
use domain::base::{Name, Rtype};
use domain::dep::octseq::{OctetsBuilder, Truncate};

use super::lookup::{Answer, Data, Need, Part};
use crate::zone::records::NameRef;

/// Octets of a message header (RFC 1035 section 4.1.1).
pub(super) const HEADER_OCTETS: usize = 12;

/// Octets of an OPT record without options (RFC 6891 section 6.1.2).
pub(super) const OPT_OCTETS: usize = 11;

/// A section of records: its place among the counts of the header.
#[derive(Clone, Copy)]
enum Section {
    /// ANCOUNT.
    Answer,
    /// NSCOUNT.
    Authority,
    /// ARCOUNT.
    Additional,
}

impl Section {
    /// Where the header counts the section's records, octets from its start.
    fn count_offset(self) -> usize {
        match self {
            Self::Answer => 6,
            Self::Authority => 8,
            Self::Additional => 10,
        }
    }
}

/// The record did not fit.
#[derive(Debug)]
struct Full;

/// A reply under construction.
pub(super) struct MessageWriter {
    /// The octets so far, and where names stand in them.
    octets: HashCompressor<Vec<u8>>,
    /// The records of a section end here at the latest, octets.
    limit: usize,
}

impl MessageWriter {
    /// Starts with a header of zeros. `reserved` octets of `limit` are kept
    /// free for [`Self::push_opt`].
    pub(super) fn new(limit: usize, reserved: usize) -> Self {
        let mut octets = HashCompressor::new(Vec::with_capacity(limit.min(1500)));
        append(&mut octets, &[0; HEADER_OCTETS]);
        Self {
            octets,
            limit: limit.saturating_sub(reserved),
        }
    }

    /// The header, to be filled in.
    pub(super) fn header_mut(&mut self) -> &mut [u8] {
        &mut self.octets.as_slice_mut()[..HEADER_OCTETS]
    }

    /// Adds the question, its name with the case it was asked in.
    pub(super) fn push_question(&mut self, qname: &NameRef, qtype: Rtype, qclass: Class) {
        append_name(&mut self.octets, qname);
        append(&mut self.octets, &qtype.to_int().to_be_bytes());
        append(&mut self.octets, &qclass.to_int().to_be_bytes());
        self.header_mut()[4..6].copy_from_slice(&1u16.to_be_bytes());
    }

    /// Adds the sections of an answer in order, RRset by RRset, up to the
    /// first that does not fit. Returns whether TC is due.
    #[must_use]
    pub(super) fn push_answer(&mut self, answer: &Answer<'_>) -> bool {
        let sections = [
            (Section::Answer, &answer.answer),
            (Section::Authority, &answer.authority),
            (Section::Additional, &answer.additional),
        ];
        for (section, parts) in sections {
            for part in parts {
                if self.push_part(section, part).is_err() {
                    return part.need == Need::Required;
                }
            }
        }
        false
    }

    /// Adds an OPT record, into the room that was kept for it: own UDP size,
    /// extended code, DO, and options as they are on the wire.
    pub(super) fn push_opt(
        &mut self,
        udp_size: u16,
        extended_rcode: u8,
        dnssec_ok: bool,
        options: &[u8],
    ) {
        append(&mut self.octets, &[0]);
        append(&mut self.octets, &Rtype::OPT.to_int().to_be_bytes());
        append(&mut self.octets, &udp_size.to_be_bytes());
        append(
            &mut self.octets,
            &[extended_rcode, 0, u8::from(dnssec_ok) << 7, 0],
        );
        let length = u16::try_from(options.len()).expect("own options are short");
        append(&mut self.octets, &length.to_be_bytes());
        append(&mut self.octets, options);
        self.add_to_count(Section::Additional, 1)
            .expect("a reply has no 65,535 records");
    }

    /// The finished message.
    pub(super) fn finish(self) -> Vec<u8> {
        self.octets.into_target()
    }

    /// Adds all records of a part, or none.
    fn push_part(&mut self, section: Section, part: &Part<'_>) -> Result<(), Full> {
        let start = self.octets.as_slice().len();
        let pushed = self
            .push_records(part)
            .and_then(|count| self.add_to_count(section, count));
        if pushed.is_err() {
            self.octets.truncate(start);
        }
        pushed
    }

    /// Adds the records of a part; how many. After an error some remain.
    fn push_records(&mut self, part: &Part<'_>) -> Result<u16, Full> {
        let mut count = 0u16;
        let mut push = |rdata: &[u8]| {
            count = count.checked_add(1).ok_or(Full)?;
            self.push_record(part, rdata)
        };
        match &part.data {
            Data::Records(rrset) => rrset.records().try_for_each(&mut push)?,
            Data::Signatures(rrset) => rrset.signatures().try_for_each(&mut push)?,
            Data::Synthesised { target } => push(target.name().as_slice())?,
        }
        Ok(count)
    }

    /// Adds one record with uncompressed data.
    fn push_record(&mut self, part: &Part<'_>, rdata: &[u8]) -> Result<(), Full> {
        let rtype = part.data.rtype();
        append_name(&mut self.octets, part.owner.name());
        append(&mut self.octets, &rtype.to_int().to_be_bytes());
        append(&mut self.octets, &Class::IN.to_int().to_be_bytes());
        append(&mut self.octets, &part.ttl.to_be_bytes());
        let start = self.octets.as_slice().len() + 2;
        append(&mut self.octets, &[0; 2]);
        self.push_rdata(rtype, rdata);
        let end = self.octets.as_slice().len();
        if end > self.limit {
            return Err(Full);
        }
        let length = u16::try_from(end - start).map_err(|_| Full)?;
        self.octets.as_slice_mut()[start - 2..start].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Adds record data, its names compressed where RFC 3597 section 4 allows.
    fn push_rdata(&mut self, rtype: Rtype, rdata: &[u8]) {
        let (fixed, names) = compressible(rtype);
        let mut rest = rdata;
        if let Some((head, tail)) = rest.split_at_checked(fixed)
            && names > 0
        {
            append(&mut self.octets, head);
            rest = tail;
            for _ in 0..names {
                let Some((name, tail)) = split_name(rest) else {
                    break;
                };
                append_name(&mut self.octets, name);
                rest = tail;
            }
        }
        append(&mut self.octets, rest);
    }

    /// Counts records of a section.
    fn add_to_count(&mut self, section: Section, records: u16) -> Result<(), Full> {
        let offset = section.count_offset();
        let header = self.header_mut();
        let count = u16::from_be_bytes([header[offset], header[offset + 1]]);
        let count = count.checked_add(records).ok_or(Full)?;
        header[offset..offset + 2].copy_from_slice(&count.to_be_bytes());
        Ok(())
    }
}

/// How record data begins when its names may be compressed: so many octets,
/// then so many names. The types of RFC 1035 section 3.3 only.
fn compressible(rtype: Rtype) -> (usize, usize) {
    match rtype {
        Rtype::NS | Rtype::CNAME | Rtype::PTR | Rtype::MB | Rtype::MG | Rtype::MR => (0, 1),
        Rtype::SOA | Rtype::MINFO => (0, 2),
        Rtype::MX => (2, 1),
        _ => (0, 0),
    }
}

/// Splits the uncompressed name off the front of `octets`.
pub(super) fn split_name(octets: &[u8]) -> Option<(&NameRef, &[u8])> {
    let mut end = 0;
    loop {
        let length = *octets.get(end)?;
        end += usize::from(length) + 1;
        if length == 0 {
            let (name, rest) = octets.split_at_checked(end)?;
            // Refuses label types other than the ordinary one, and names
            // longer than 255 octets.
            return Some((Name::from_slice(name).ok()?, rest));
        }
    }
}

/// Appends octets; a vector has always room.
fn append(target: &mut HashCompressor<Vec<u8>>, octets: &[u8]) {
    match target.append_slice(octets) {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// Appends a name, compressed; a vector has always room.
fn append_name(target: &mut HashCompressor<Vec<u8>>, name: &NameRef) {
    match target.append_compressed_name(name) {
        Ok(()) => {}
        Err(never) => match never {},
    }
}
