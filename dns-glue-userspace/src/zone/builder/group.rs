//! The records of the owner that is being read.

use domain::base::iana::Rtype;

use super::rdata;
use crate::zone::position::Position;

/// A record that waits until all of its owner have come.
#[derive(Clone, Copy)]
pub(super) struct Pending {
    /// Offset of its RDATA among the octets of the group.
    pub(super) start: usize,
    /// Where the record stands.
    pub(super) position: Position,
    /// TTL in seconds.
    pub(super) ttl: u32,
    /// The type.
    pub(super) rtype: Rtype,
    /// Octets of RDATA.
    pub(super) length: u16,
    /// Whether the record is of an RRset that was whole before, and had
    /// different TTLs, of which `ttl` is the lowest.
    pub(super) ttl_mismatch: bool,
}

/// The records that an owner has in one place of the text.
#[derive(Default)]
pub(super) struct Group {
    /// The owner's name, empty if there is none yet.
    pub(super) owner: Vec<u8>,
    /// In the order in which they came.
    pub(super) records: Vec<Pending>,
    /// Their RDATA, one after the other.
    octets: Vec<u8>,
}

impl Group {
    /// Adds a record; `record.start` is set here.
    pub(super) fn push(&mut self, rdata: &[u8], record: Pending) {
        let start = self.octets.len();
        self.octets.extend_from_slice(rdata);
        self.records.push(Pending { start, ..record });
    }

    /// RDATA of one of the records.
    pub(super) fn rdata(&self, record: &Pending) -> &[u8] {
        &self.octets[record.start..][..usize::from(record.length)]
    }

    /// Puts the records in the order of their RRsets, and those of each in
    /// canonical order (RFC 4034 section 6.3); equal ones as they came.
    pub(super) fn sort(&mut self) {
        let octets = &self.octets;
        let rdata = |record: &Pending| &octets[record.start..][..usize::from(record.length)];
        let compare = |left: &Pending, right: &Pending| {
            let (left_rdata, right_rdata) = (rdata(left), rdata(right));
            rdata::slot(left.rtype, left_rdata)
                .cmp(&rdata::slot(right.rtype, right_rdata))
                .then_with(|| rdata::compare_rdata(left.rtype, left_rdata, right_rdata))
        };
        self.records.sort_by(compare);
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self) {
        self.owner.clear();
        self.records.clear();
        self.octets.clear();
    }
}
