//! The owners of a zone and their RRsets in the order of the text.

use domain::base::iana::Rtype;

use super::errors::{BuildError, BuildErrorKind};
use super::group::{Group, Pending};
use super::shared::SharedData;
use super::{name_at, name_of, rdata};
use crate::zone::name_order;
use crate::zone::position::Position;
use crate::zone::records::{DELEG, NodeEntry, RrsetData, RrsetEntry};

/// A record that stands alone, or should.
#[derive(Clone, Copy)]
pub(super) struct Single {
    /// Index of the owner.
    pub(super) node: u32,
    /// Which of its RRset's different records it is.
    pub(super) place: u32,
    /// Where it stands.
    pub(super) position: Position,
    /// Its type.
    pub(super) rtype: Rtype,
}

/// Owners and RRsets. An owner is there once for each place of the text where
/// it has records.
#[derive(Default)]
pub(super) struct Gathered {
    /// Names of the owners.
    pub(super) names: Vec<u8>,
    /// Data of the RRsets.
    pub(super) data: Vec<u8>,
    /// The owners.
    pub(super) nodes: Vec<NodeEntry>,
    /// The RRsets. In place of the owner's index each has the line of its first
    /// record.
    pub(super) rrsets: Vec<RrsetEntry>,
    /// In which file the lines are: from which RRset on.
    pub(super) files: Vec<(u32, u16)>,
    /// The records that should stand alone, in the order of their owners.
    pub(super) singles: Vec<Single>,
    /// Whether an owner is not after the one before it.
    pub(super) unsorted: bool,
    /// Records, RRSIGs included and duplicates left out.
    pub(super) record_count: usize,
    pub(super) holds_deleg: bool,
    pub(super) errors: Vec<BuildError>,
    pub(super) shared: SharedData,
}

impl Gathered {
    /// Adds an owner and its records, and leaves the group to be filled again.
    pub(super) fn add(&mut self, group: &mut Group) {
        if group.records.is_empty() {
            return;
        }
        group.sort();
        let (Ok(node), Ok(first_rrset)) = (
            u32::try_from(self.nodes.len()),
            u32::try_from(self.rrsets.len()),
        ) else {
            self.refuse_once(BuildErrorKind::TooLarge);
            return;
        };
        self.note_order(&group.owner);
        let name = self.names.len() as u64;
        self.names.extend_from_slice(&group.owner);
        self.nodes.push(NodeEntry { name, first_rrset });

        let slot = |record: &Pending| rdata::slot(record.rtype, group.rdata(record)).0;
        let sets = || {
            let sets = group
                .records
                .chunk_by(|left, right| slot(left) == slot(right));
            sets.map(|set| set.split_at(set.partition_point(|one| one.rtype != Rtype::RRSIG)))
        };
        for (records, signatures) in sets().filter(|(records, _)| !records.is_empty()) {
            self.note_singles(node, group, records);
            self.add_rrset(group, records, signatures);
        }
        // What they cover may still come: those of each type stay together.
        for (_, strays) in sets().filter(|(records, _)| records.is_empty()) {
            self.add_rrset(group, strays, &[]);
        }
    }

    /// Notes whether an owner is after the last one.
    pub(super) fn note_order(&mut self, owner: &[u8]) {
        if !self.unsorted
            && let Some(last) = self.nodes.last()
        {
            let last = name_at(&self.names, last.name);
            self.unsorted = name_order::compare(last, owner).is_ge();
        }
    }

    /// Notes the places of the records of one type that should stand alone.
    fn note_singles(&mut self, node: u32, group: &Group, records: &[Pending]) {
        let rtype = records[0].rtype;
        if !rdata::stands_alone(rtype) {
            return;
        }
        let mut place = 0;
        for (index, record) in records.iter().enumerate() {
            if index > 0 && !is_same(group, &records[index - 1], record) {
                place += 1;
            }
            self.singles.push(Single {
                node,
                place,
                position: record.position,
                rtype,
            });
        }
    }

    /// Adds one RRset. `records` are sorted, so that duplicates are neighbours.
    fn add_rrset(&mut self, group: &Group, records: &[Pending], signatures: &[Pending]) {
        let rtype = records[0].rtype;
        let (ttl, signature_ttl) = (Ttls::of(records), Ttls::of(signatures));
        let first = records.iter().chain(signatures).map(|record| {
            let position = record.position;
            (position.file, position.line)
        });
        let (file, line) = first.min().unwrap_or_default();
        let start = self.data.len();
        if !signatures.is_empty() {
            self.data
                .extend_from_slice(&signature_ttl.lowest.to_ne_bytes());
        }
        let record_count = self.add_rdata(group, records);
        let signature_count = self.add_rdata(group, signatures);
        self.record_count += record_count + signature_count;
        let (Ok(records), Ok(signatures)) =
            (u16::try_from(record_count), u16::try_from(signature_count))
        else {
            self.data.truncate(start);
            let owner = name_of(&group.owner);
            let kind = BuildErrorKind::TooManyRecords { owner, rtype };
            let position = place_of_line(file, line);
            self.errors.push(BuildError { position, kind });
            return;
        };
        self.holds_deleg |= rtype == DELEG;
        let data = if signatures == 0 {
            self.shared.place(&mut self.data, start)
        } else {
            start as u64
        };
        self.note_file(file);
        self.rrsets.push(RrsetEntry {
            data,
            node: line,
            ttl: ttl.lowest,
            rtype,
            records,
            signatures,
            ttl_mismatch: ttl.differ || signature_ttl.differ,
        });
    }

    /// Appends the RDATA of each record, duplicates once; returns how many.
    fn add_rdata(&mut self, group: &Group, records: &[Pending]) -> usize {
        let mut count = 0;
        let mut previous = None;
        for record in records {
            if previous.is_some_and(|previous| is_same(group, previous, record)) {
                continue;
            }
            self.data.extend_from_slice(&record.length.to_ne_bytes());
            self.data.extend_from_slice(group.rdata(record));
            previous = Some(record);
            count += 1;
        }
        count
    }

    /// Notes in which file the next RRset stands.
    fn note_file(&mut self, file: u16) {
        if self.files.last().is_none_or(|last| last.1 != file)
            && let Ok(from) = u32::try_from(self.rrsets.len())
        {
            self.files.push((from, file));
        }
    }

    /// The name of an owner.
    pub(super) fn name(&self, node: usize) -> &[u8] {
        name_at(&self.names, self.nodes[node].name)
    }

    /// The indices of an owner's RRsets.
    pub(super) fn rrsets_of(&self, node: usize) -> std::ops::Range<usize> {
        let end = self.nodes.get(node + 1).map(|next| next.first_rrset);
        self.nodes[node].first_rrset as usize..end.map_or(self.rrsets.len(), |end| end as usize)
    }

    /// Whether the last owner has that name, case ignored.
    pub(super) fn ends_with(&self, owner: &[u8]) -> bool {
        let last = self.nodes.last();
        last.is_some_and(|last| name_at(&self.names, last.name).eq_ignore_ascii_case(owner))
    }

    /// Adds the records of an owner to a group, which has its name then.
    pub(super) fn give_back(&self, node: usize, group: &mut Group) {
        if group.owner.is_empty() {
            group.owner.extend_from_slice(self.name(node));
        }
        for index in self.rrsets_of(node) {
            let rrset = &self.rrsets[index];
            let file = self.files.partition_point(|file| file.0 as usize <= index);
            let file = self.files[file - 1].1;
            let position = place_of_line(file, rrset.node);
            let data = RrsetData::of(&self.data, rrset);
            let pending = |rdata: &[u8], ttl, rtype| Pending {
                start: 0,
                position,
                ttl,
                rtype,
                length: u16::try_from(rdata.len()).expect("it was a record before"),
                ttl_mismatch: rrset.ttl_mismatch,
            };
            let records: Vec<&[u8]> = data.rdata.collect();
            let (records, signatures) = records.split_at(usize::from(rrset.records));
            if rdata::stands_alone(rrset.rtype) {
                for single in self.singles_of(node, rrset.rtype) {
                    let rdata = records[single.place as usize];
                    let record = pending(rdata, rrset.ttl, rrset.rtype);
                    let position = single.position;
                    group.push(rdata, Pending { position, ..record });
                }
            } else {
                for rdata in records {
                    group.push(rdata, pending(rdata, rrset.ttl, rrset.rtype));
                }
            }
            for rdata in signatures {
                group.push(rdata, pending(rdata, data.signature_ttl, Rtype::RRSIG));
            }
        }
    }

    /// The records of one type that an owner should have only one of.
    fn singles_of(&self, node: usize, rtype: Rtype) -> impl Iterator<Item = &Single> {
        let first = self
            .singles
            .partition_point(|single| (single.node as usize) < node);
        self.singles[first..]
            .iter()
            .take_while(move |single| single.node as usize == node)
            .filter(move |single| single.rtype == rtype)
    }

    /// Takes the records of an owner out of the count.
    pub(super) fn uncount(&mut self, node: usize) {
        for rrset in &self.rrsets[self.rrsets_of(node)] {
            self.record_count -= usize::from(rrset.records) + usize::from(rrset.signatures);
        }
    }

    /// Takes the last owner back, with its records.
    pub(super) fn take_back_last(&mut self, group: &mut Group) {
        let Some(last) = self.nodes.len().checked_sub(1) else {
            return;
        };
        let rrsets = self.rrsets_of(last);
        self.give_back(last, group);
        self.uncount(last);
        self.names.truncate(self.nodes[last].name as usize);
        self.nodes.truncate(last);
        self.rrsets.truncate(rrsets.start);
        while self
            .files
            .pop_if(|file| file.0 as usize >= rrsets.start)
            .is_some()
        {}
        while self
            .singles
            .pop_if(|single| single.node as usize >= last)
            .is_some()
        {}
    }

    /// Gives the RRsets the index of their owner. Lines of records are lost.
    pub(super) fn number_owners(&mut self) {
        for node in 0..self.nodes.len() {
            let rrsets = self.rrsets_of(node);
            let node = u32::try_from(node).expect("the builder bounds the owners");
            for rrset in &mut self.rrsets[rrsets] {
                rrset.node = node;
            }
        }
    }

    /// Notes an error without a place, unless it is noted already.
    pub(super) fn refuse_once(&mut self, kind: BuildErrorKind) {
        let error = BuildError {
            position: Position::default(),
            kind,
        };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }
}

/// The lowest TTL of some records.
struct Ttls {
    lowest: u32,
    /// Whether they were not all the same.
    differ: bool,
}

impl Ttls {
    fn of(records: &[Pending]) -> Self {
        let ttls = || records.iter().map(|record| record.ttl);
        let lowest = ttls().min().unwrap_or(u32::MAX);
        Self {
            lowest,
            differ: ttls().any(|ttl| ttl != lowest)
                || records.iter().any(|record| record.ttl_mismatch),
        }
    }
}

/// Whether two records of an RRset are the same.
fn is_same(group: &Group, left: &Pending, right: &Pending) -> bool {
    rdata::compare_rdata(left.rtype, group.rdata(left), group.rdata(right)).is_eq()
}

/// The start of a line.
fn place_of_line(file: u16, line: u32) -> Position {
    Position {
        file,
        line,
        column: u16::from(line != 0),
    }
}
