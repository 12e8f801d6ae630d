//! Gathers records in any order and makes them a [`Zone`].
//!
//! The records of one owner mostly follow each other: they are made RRsets as
//! soon as another owner comes, data that was there before is found then, and
//! nothing is kept of single records. What is left to do at the end is to sort
//! the owners, if the text does not, and to join those that came more than once.

mod append;
mod errors;
mod gathered;
mod group;
mod order;
mod rdata;
mod shared;
mod whole;

use domain::base::Name;
use domain::base::iana::{Class, Rtype};

use super::name_order;
use super::position::Position;
use super::records::{NameRef, Zone};
use gathered::Gathered;
use group::{Group, Pending};

pub use errors::{BuildError, BuildErrorKind};

/// The highest TTL (RFC 2181 section 8).
pub const MAX_TTL: u32 = 0x7fff_ffff;

/// Gathers the records of one zone.
pub struct ZoneBuilder {
    apex: Name<Vec<u8>>,
    /// The records of the owner that came last.
    group: Group,
    /// All owners before it.
    gathered: Gathered,
    /// Records pushed.
    pushed: usize,
}

impl ZoneBuilder {
    /// Begins a zone of that name.
    #[must_use]
    pub fn new(apex: Name<Vec<u8>>) -> Self {
        Self {
            apex,
            group: Group::default(),
            gathered: Gathered::default(),
            pushed: 0,
        }
    }

    /// The zone's name.
    #[must_use]
    pub fn apex(&self) -> &NameRef {
        self.apex.for_slice()
    }

    /// Adds a record that has no place in a text. `rdata` is uncompressed.
    ///
    /// # Errors
    ///
    /// As [`ZoneBuilder::push_at`].
    pub fn push(
        &mut self,
        owner: &NameRef,
        class: Class,
        ttl: u32,
        rtype: Rtype,
        rdata: &[u8],
    ) -> Result<(), BuildError> {
        self.push_at(Position::default(), owner, class, ttl, rtype, rdata)
    }

    /// Adds a record and remembers where it stands. `rdata` is uncompressed.
    ///
    /// # Errors
    ///
    /// If the record cannot belong to the zone: another class than IN, an
    /// owner outside the zone, a TTL out of range, a meta type, or RDATA too
    /// long or too short for the types that this crate looks into. The builder
    /// is as it was before.
    pub fn push_at(
        &mut self,
        position: Position,
        owner: &NameRef,
        class: Class,
        ttl: u32,
        rtype: Rtype,
        rdata: &[u8],
    ) -> Result<(), BuildError> {
        if class != Class::IN {
            let kind = BuildErrorKind::NotInternet { found: class };
            return Err(BuildError { position, kind });
        }
        self.push_record(position, owner.as_slice(), ttl, rtype, rdata)
    }

    /// As [`ZoneBuilder::push_at`], of class IN. `owner` is an uncompressed name.
    pub(super) fn push_record(
        &mut self,
        position: Position,
        owner: &[u8],
        ttl: u32,
        rtype: Rtype,
        rdata: &[u8],
    ) -> Result<(), BuildError> {
        let refuse = |kind| Err(BuildError { position, kind });
        let is_last = owner == self.group.owner;
        if !is_last && !name_order::is_at_or_below(owner, self.apex.as_slice()) {
            let (owner, apex) = (name_of(owner), self.apex.clone());
            return refuse(BuildErrorKind::OutsideZone { owner, apex });
        }
        if ttl > MAX_TTL {
            return refuse(BuildErrorKind::TtlOutOfRange { ttl: ttl.into() });
        }
        if rdata::is_meta(rtype) {
            return refuse(BuildErrorKind::MetaType { rtype });
        }
        if rtype == Rtype::SOA && owner.len() != self.apex.len() {
            let owner = name_of(owner);
            return refuse(BuildErrorKind::SoaBelowApex { owner });
        }
        let length = match u16::try_from(rdata.len()) {
            Ok(length) if rdata::is_well_formed(rtype, rdata) => length,
            _ => return refuse(BuildErrorKind::BadRdata { rtype }),
        };
        if !is_last && !owner.eq_ignore_ascii_case(&self.group.owner) {
            self.begin_owner(owner);
        }
        let record = Pending {
            start: 0,
            position,
            ttl,
            rtype,
            length,
            ttl_mismatch: false,
        };
        self.group.push(rdata, record);
        self.pushed += 1;
        Ok(())
    }

    /// Number of records pushed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pushed
    }

    /// Whether no record was pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pushed == 0
    }

    /// Makes RRsets of the records of the last owner, and begins with another.
    fn begin_owner(&mut self, owner: &[u8]) {
        if self.group.owner.is_empty() && self.gathered.ends_with(owner) {
            // What was appended ends with the same owner.
            self.gathered.take_back_last(&mut self.group);
            return;
        }
        self.end_owner();
        self.group.owner.extend_from_slice(owner);
    }

    /// Makes RRsets of the records of the last owner.
    fn end_owner(&mut self) {
        self.gathered.add(&mut self.group);
        self.group.clear();
    }

    /// Begins another one for the same zone.
    pub(super) fn another(&self) -> Self {
        Self::new(self.apex.clone())
    }

    /// Adds the records of another builder for the same zone, behind those of
    /// this one, as if they had been pushed, and leaves it empty.
    /// `lines_before` are the lines of the file before those that the other one
    /// counts.
    pub(super) fn append(&mut self, other: &mut Self, lines_before: u32) {
        self.end_owner();
        other.end_owner();
        let mut joined = 0;
        if !other.gathered.nodes.is_empty() && self.gathered.ends_with(other.gathered.name(0)) {
            self.gathered.take_back_last(&mut self.group);
            let before = self.group.records.len();
            other.gathered.give_back(0, &mut self.group);
            for record in &mut self.group.records[before..] {
                record.position = record.position.further_down(lines_before);
            }
            self.end_owner();
            joined = 1;
        }
        self.gathered
            .append(&mut other.gathered, joined, lines_before);
        other.gathered.clear();
        self.pushed += std::mem::take(&mut other.pushed);
    }

    /// Makes the records a zone.
    ///
    /// # Errors
    ///
    /// Every reason for which they do not make one: see [`BuildErrorKind`].
    pub fn finish(mut self) -> Result<Zone, Vec<BuildError>> {
        self.end_owner();
        whole::finish(self.gathered, &self.apex)
    }
}

/// The name at an offset.
fn name_at(octets: &[u8], offset: u64) -> &[u8] {
    let from = &octets[offset as usize..];
    let mut length = 0;
    while from[length] != 0 {
        length += 1 + usize::from(from[length]);
    }
    &from[..=length]
}

/// A name of its own, from octets known to be valid.
fn name_of(octets: &[u8]) -> Name<Vec<u8>> {
    Name::from_octets(octets.to_vec()).expect("only valid names are pushed")
}

#[cfg(test)]
mod tests;
