//! Gathers records in any order and makes them a [`Zone`].

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use domain::base::Name;
use domain::base::iana::{Class, Rtype};
use thiserror::Error;

use super::name_order;
use super::nsec3::Chain;
use super::position::Position;
use super::records::{DELEG, Denial, NameRef, NodeEntry, RrsetEntry, Zone};

/// The highest TTL (RFC 2181 section 8).
pub const MAX_TTL: u32 = 0x7fff_ffff;

/// Why records do not make a zone, or one record does not belong to it.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{kind}")]
pub struct BuildError {
    /// Where the record stands; not known when the fault is an absence.
    pub position: Position,
    /// What is wrong.
    pub kind: BuildErrorKind,
}

/// What is wrong with a zone or with a record in it.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum BuildErrorKind {
    /// No SOA record at the apex (RFC 1035 section 5.2).
    #[error("the zone {} has no SOA record at its apex", .apex.fmt_with_dot())]
    MissingSoa {
        /// The apex.
        apex: Name<Vec<u8>>,
    },
    /// Two SOA records that differ (RFC 1035 section 5.2).
    #[error("a second SOA record, not equal to the first")]
    SecondSoa,
    /// An SOA record elsewhere than at the apex.
    #[error("an SOA record at {}, which is not the apex of the zone", .owner.fmt_with_dot())]
    SoaBelowApex {
        /// Its owner.
        owner: Name<Vec<u8>>,
    },
    /// The apex has no NS record (RFC 1035 section 5.2).
    #[error("the zone {} has no NS record at its apex", .apex.fmt_with_dot())]
    MissingApexNs {
        /// The apex.
        apex: Name<Vec<u8>>,
    },
    /// A record whose owner is not at or below the apex.
    #[error("{} lies outside the zone {}", .owner.fmt_with_dot(), .apex.fmt_with_dot())]
    OutsideZone {
        /// The record's owner.
        owner: Name<Vec<u8>>,
        /// The zone's apex.
        apex: Name<Vec<u8>>,
    },
    /// A record of another class than IN.
    #[error("class {found}: only class IN is served")]
    NotInternet {
        /// The class found.
        found: Class,
    },
    /// A TTL above 2^31 - 1 (RFC 2181 section 8).
    #[error("TTL {ttl} is out of range: the highest is {MAX_TTL}")]
    TtlOutOfRange {
        /// The TTL found, in seconds.
        ttl: u64,
    },
    /// A CNAME record beside other data (RFC 2181 section 10.1).
    #[error("{} owns a CNAME record beside other data ({other})", .owner.fmt_with_dot())]
    CnameAndOther {
        /// The owner.
        owner: Name<Vec<u8>>,
        /// The type of the first other RRset.
        other: Rtype,
    },
    /// Several CNAME (RFC 2181 section 10.1) or DNAME (RFC 6672 section 2.4)
    /// records at one owner.
    #[error("{} owns more than one {rtype} record", .owner.fmt_with_dot())]
    NotSingle {
        /// The owner.
        owner: Name<Vec<u8>>,
        /// CNAME or DNAME.
        rtype: Rtype,
    },
    /// A meta type (RFC 6895 section 3.1), which no zone may hold.
    #[error("{rtype} is not a type of records that a zone may hold")]
    MetaType {
        /// The type.
        rtype: Rtype,
    },
    /// RDATA that does not have the shape its type demands.
    #[error("the data of this {rtype} record is malformed")]
    BadRdata {
        /// The type.
        rtype: Rtype,
    },
    /// More records in an RRset than any message could carry.
    #[error("the {rtype} RRset of {} holds more than 65535 records", .owner.fmt_with_dot())]
    TooManyRecords {
        /// The owner.
        owner: Name<Vec<u8>>,
        /// The type.
        rtype: Rtype,
    },
    /// The zone is signed, but not a single record proves absence.
    #[error(
        "the zone {} is signed, but has neither NSEC nor NSEC3 records to prove what it does \
         not have", .apex.fmt_with_dot()
    )]
    NoDenial {
        /// The apex.
        apex: Name<Vec<u8>>,
    },
    /// The zone is signed with NSEC3, but no chain can be used.
    #[error(
        "the zone {} is signed with NSEC3, but has no chain: no NSEC3 record belongs to an \
         NSEC3PARAM record at the apex with flags 0 and hash algorithm 1 (RFC 5155 section 4.1.2)",
        .apex.fmt_with_dot()
    )]
    NoNsec3Chain {
        /// The apex.
        apex: Name<Vec<u8>>,
    },
    /// More than 2^32 - 1 owners or RRsets.
    #[error("the zone is too large: more than 4294967295 RRsets")]
    TooLarge,
}

/// A record that waits to be sorted.
struct Pending {
    /// Offset of the owner's name in the builder's octets.
    owner: u64,
    /// Offset of the RDATA.
    rdata: u64,
    /// Where the record stands.
    position: Position,
    /// TTL in seconds.
    ttl: u32,
    /// The type.
    rtype: Rtype,
    /// Octets of RDATA.
    rdata_length: u16,
}

const _: () = assert!(size_of::<Pending>() == 32);

/// Gathers the records of one zone.
pub struct ZoneBuilder {
    apex: Name<Vec<u8>>,
    /// Names and RDATA, one after the other.
    octets: Vec<u8>,
    /// Offset of the last owner pushed: records of one owner mostly follow
    /// each other and share its name.
    last_owner: Option<u64>,
    pending: Vec<Pending>,
}

impl ZoneBuilder {
    /// Begins a zone of that name.
    #[must_use]
    pub fn new(apex: Name<Vec<u8>>) -> Self {
        Self {
            apex,
            octets: Vec::new(),
            last_owner: None,
            pending: Vec::new(),
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
        let refuse = |kind| Err(BuildError { position, kind });
        if class != Class::IN {
            return refuse(BuildErrorKind::NotInternet { found: class });
        }
        if !name_order::is_at_or_below(owner.as_slice(), self.apex.as_slice()) {
            let (owner, apex) = (owned(owner), self.apex.clone());
            return refuse(BuildErrorKind::OutsideZone { owner, apex });
        }
        if ttl > MAX_TTL {
            return refuse(BuildErrorKind::TtlOutOfRange { ttl: ttl.into() });
        }
        if is_meta(rtype) {
            return refuse(BuildErrorKind::MetaType { rtype });
        }
        if rtype == Rtype::SOA && owner.len() != self.apex.len() {
            return refuse(BuildErrorKind::SoaBelowApex {
                owner: owned(owner),
            });
        }
        let rdata_length = match u16::try_from(rdata.len()) {
            Ok(length) if is_well_formed(rtype, rdata) => length,
            _ => return refuse(BuildErrorKind::BadRdata { rtype }),
        };
        let owner = self.intern_owner(owner);
        let at = self.octets.len() as u64;
        self.octets.extend_from_slice(rdata);
        self.pending.push(Pending {
            owner,
            rdata: at,
            position,
            ttl,
            rtype,
            rdata_length,
        });
        Ok(())
    }

    /// Number of records pushed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether no record was pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The offset of an owner's name, stored unless it is the last one again.
    fn intern_owner(&mut self, owner: &NameRef) -> u64 {
        if let Some(last) = self.last_owner
            && self.octets[last as usize..].starts_with(owner.as_slice())
        {
            return last;
        }
        let at = self.octets.len() as u64;
        self.octets.extend_from_slice(owner.as_slice());
        self.last_owner = Some(at);
        at
    }

    /// Makes the records a zone.
    ///
    /// # Errors
    ///
    /// Every reason for which they do not make one: see [`BuildErrorKind`].
    pub fn finish(mut self) -> Result<Zone, Vec<BuildError>> {
        let octets = &self.octets;
        self.pending.sort_by(|left, right| {
            if left.owner == right.owner {
                return Ordering::Equal;
            }
            name_order::compare(name_at(octets, left.owner), name_at(octets, right.owner))
        });
        let mut assembly = Assembly::new(octets, self.pending.len());
        let mut first = 0;
        while first < self.pending.len() {
            let owner = name_at(octets, self.pending[first].owner);
            let mut end = first + 1;
            while self.pending.get(end).is_some_and(|next| {
                next.owner == self.pending[first].owner
                    || name_at(octets, next.owner).eq_ignore_ascii_case(owner)
            }) {
                end += 1;
            }
            assembly.add_owner(owner, &mut self.pending[first..end]);
            first = end;
        }
        assembly.finish(&self.apex)
    }
}

/// A zone while its owners are added one after the other.
struct Assembly<'b> {
    /// The builder's octets.
    source: &'b [u8],
    arena: Vec<u8>,
    nodes: Vec<NodeEntry>,
    rrsets: Vec<RrsetEntry>,
    record_count: usize,
    holds_deleg: bool,
    /// Unsigned RRset data by hash: the offset where the data lies already.
    shared: HashMap<u64, u64>,
    hasher: RandomState,
    errors: Vec<BuildError>,
}

impl<'b> Assembly<'b> {
    /// Begins with nothing.
    fn new(source: &'b [u8], records: usize) -> Self {
        Self {
            source,
            arena: Vec::with_capacity(source.len() / 2),
            nodes: Vec::new(),
            rrsets: Vec::with_capacity(records / 3),
            record_count: 0,
            holds_deleg: false,
            shared: HashMap::new(),
            hasher: RandomState::new(),
            errors: Vec::new(),
        }
    }

    /// Adds an owner and all its records.
    fn add_owner(&mut self, owner: &[u8], records: &mut [Pending]) {
        let source = self.source;
        records.sort_by(|left, right| {
            slot(source, left).cmp(&slot(source, right)).then_with(|| {
                compare_rdata(left.rtype, rdata_of(source, left), rdata_of(source, right))
            })
        });
        let (Ok(node), Ok(first_rrset)) = (
            u32::try_from(self.nodes.len()),
            u32::try_from(self.rrsets.len()),
        ) else {
            self.refuse_once(BuildErrorKind::TooLarge);
            return;
        };
        let name = self.arena.len() as u64;
        self.arena.extend_from_slice(owner);
        self.nodes.push(NodeEntry { name, first_rrset });

        let mut strays = Vec::new();
        for group in records.chunk_by(|left, right| slot(source, left).0 == slot(source, right).0) {
            let signatures = group.partition_point(|record| record.rtype != Rtype::RRSIG);
            let (plain, signatures) = group.split_at(signatures);
            if plain.is_empty() {
                strays.extend(signatures);
            } else {
                self.check_single(owner, plain);
                self.add_rrset(node, owner, plain, signatures);
            }
        }
        if !strays.is_empty() {
            self.add_rrset(node, owner, &strays, &[]);
        }
        self.check_cname(owner, first_rrset as usize, records);
    }

    /// Adds one RRset. `records` are sorted, so that duplicates are neighbours.
    fn add_rrset<R: std::borrow::Borrow<Pending>>(
        &mut self,
        node: u32,
        owner: &[u8],
        records: &[R],
        signatures: &[Pending],
    ) {
        let first: &Pending = records[0].borrow();
        let rtype = first.rtype;
        let data = self.arena.len();
        let mut signature_ttl = TtlRange::default();
        for signature in signatures {
            signature_ttl.add(signature.ttl);
        }
        if !signatures.is_empty() {
            self.arena
                .extend_from_slice(&signature_ttl.lowest.to_ne_bytes());
        }
        let mut ttl = TtlRange::default();
        for record in records {
            ttl.add(record.borrow().ttl);
        }
        let record_count = self.add_rdata(records);
        let signature_count = self.add_rdata(signatures);
        self.record_count += record_count + signature_count;
        let (Ok(record_count), Ok(signature_count)) =
            (u16::try_from(record_count), u16::try_from(signature_count))
        else {
            let owner = name_of(owner);
            let kind = BuildErrorKind::TooManyRecords { owner, rtype };
            self.errors.push(BuildError {
                position: first.position,
                kind,
            });
            return;
        };
        self.holds_deleg |= rtype == DELEG;
        let data = if signature_count == 0 {
            self.share(data)
        } else {
            data as u64
        };
        self.rrsets.push(RrsetEntry {
            data,
            node,
            ttl: ttl.lowest,
            rtype,
            records: record_count,
            signatures: signature_count,
            ttl_mismatch: ttl.differ() || signature_ttl.differ(),
        });
    }

    /// Appends the RDATA of each record, duplicates once; returns how many.
    fn add_rdata<R: std::borrow::Borrow<Pending>>(&mut self, records: &[R]) -> usize {
        let source = self.source;
        let mut count = 0;
        let mut previous = None;
        for record in records {
            let record: &Pending = record.borrow();
            let rdata = rdata_of(source, record);
            if previous.is_some_and(|previous| compare_rdata(record.rtype, previous, rdata).is_eq())
            {
                continue;
            }
            self.arena
                .extend_from_slice(&record.rdata_length.to_ne_bytes());
            self.arena.extend_from_slice(rdata);
            previous = Some(rdata);
            count += 1;
        }
        count
    }

    /// Returns where the same data as that at the arena's end from `start` on
    /// lies already, and takes the new copy back; else `start`.
    fn share(&mut self, start: usize) -> u64 {
        let (before, data) = self.arena.split_at(start);
        let hash = self.hasher.hash_one(data);
        match self.shared.get(&hash) {
            // Equal octets from the offset on are enough: the entry says how
            // many records to read, so that what follows them does not matter.
            Some(&offset) if before[offset as usize..].starts_with(data) => {
                self.arena.truncate(start);
                offset
            }
            _ => {
                self.shared.insert(hash, start as u64);
                start as u64
            }
        }
    }

    /// Refuses several different CNAME, DNAME or SOA records at one owner.
    fn check_single(&mut self, owner: &[u8], records: &[Pending]) {
        let source = self.source;
        let rtype = records[0].rtype;
        if !matches!(rtype, Rtype::CNAME | Rtype::DNAME | Rtype::SOA) {
            return;
        }
        let first = rdata_of(source, &records[0]);
        let differing = records
            .iter()
            .filter(|record| compare_rdata(rtype, first, rdata_of(source, record)).is_ne())
            .chain(&records[..1])
            .map(|record| record.position);
        // Sorted by data, not by place: the later one in the text is at fault.
        let position = differing.max().unwrap_or_default();
        if records
            .iter()
            .all(|record| compare_rdata(rtype, first, rdata_of(source, record)).is_eq())
        {
            return;
        }
        let kind = if rtype == Rtype::SOA {
            BuildErrorKind::SecondSoa
        } else {
            BuildErrorKind::NotSingle {
                owner: name_of(owner),
                rtype,
            }
        };
        self.errors.push(BuildError { position, kind });
    }

    /// Refuses a CNAME beside anything but what DNSSEC adds to it
    /// (RFC 4035 section 2.5).
    fn check_cname(&mut self, owner: &[u8], first_rrset: usize, records: &[Pending]) {
        let rrsets = &self.rrsets[first_rrset..];
        if !rrsets.iter().any(|rrset| rrset.rtype == Rtype::CNAME) {
            return;
        }
        let allowed = [Rtype::CNAME, Rtype::RRSIG, Rtype::NSEC, Rtype::KEY];
        let other = rrsets
            .iter()
            .map(|rrset| rrset.rtype)
            .find(|rtype| !allowed.contains(rtype));
        let Some(other) = other else { return };
        let position = records
            .iter()
            .find(|record| record.rtype == Rtype::CNAME)
            .map_or_else(Position::default, |record| record.position);
        let kind = BuildErrorKind::CnameAndOther {
            owner: name_of(owner),
            other,
        };
        self.errors.push(BuildError { position, kind });
    }

    /// Notes an error without a place, unless it is noted already.
    fn refuse_once(&mut self, kind: BuildErrorKind) {
        let error = BuildError {
            position: Position::default(),
            kind,
        };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Looks at the apex and hands out the zone.
    fn finish(mut self, apex: &Name<Vec<u8>>) -> Result<Zone, Vec<BuildError>> {
        if u32::try_from(self.rrsets.len()).is_err() {
            self.refuse_once(BuildErrorKind::TooLarge);
        }
        // The apex sorts before every name below it, and others are refused.
        let has_apex = self
            .nodes
            .first()
            .is_some_and(|node| name_at(&self.arena, node.name).len() == apex.len());
        let end = self
            .nodes
            .get(1)
            .map_or(self.rrsets.len(), |node| node.first_rrset as usize);
        let at_apex = if has_apex { &self.rrsets[..end] } else { &[] };
        let position = |rtype| at_apex.iter().position(|rrset| rrset.rtype == rtype);
        let soa = position(Rtype::SOA);
        let has_ns = position(Rtype::NS).is_some();
        let signed = position(Rtype::DNSKEY).is_some()
            && soa.is_some_and(|soa| at_apex[soa].signatures != 0);
        if !has_ns {
            self.refuse_once(BuildErrorKind::MissingApexNs { apex: apex.clone() });
        }
        let Some(soa) = soa else {
            self.refuse_once(BuildErrorKind::MissingSoa { apex: apex.clone() });
            return Err(self.into_errors());
        };
        if !self.errors.is_empty() {
            return Err(self.into_errors());
        }
        self.arena.shrink_to_fit();
        self.nodes.shrink_to_fit();
        self.rrsets.shrink_to_fit();
        let mut zone = Zone {
            arena: self.arena,
            nodes: self.nodes,
            rrsets: self.rrsets,
            soa: u32::try_from(soa).expect("the number of RRsets was checked"),
            denial: Denial::Unsigned,
            nsec3: None,
            holds_deleg: self.holds_deleg,
            record_count: self.record_count,
        };
        if signed && let Err(kind) = find_denial(&mut zone) {
            return Err(vec![BuildError {
                position: Position::default(),
                kind,
            }]);
        }
        Ok(zone)
    }

    /// The errors in the order of their places.
    fn into_errors(mut self) -> Vec<BuildError> {
        self.errors.sort_by_key(|error| error.position);
        self.errors
    }
}

/// RDATA of a record among the builder's octets.
fn rdata_of<'b>(source: &'b [u8], record: &Pending) -> &'b [u8] {
    &source[record.rdata as usize..][..usize::from(record.rdata_length)]
}

/// What a record's RRset is sorted by: the type that it has or, if it is a
/// signature, covers; signatures after what they cover.
fn slot(source: &[u8], record: &Pending) -> (u16, bool) {
    if record.rtype == Rtype::RRSIG {
        (type_covered(rdata_of(source, record)).to_int(), true)
    } else {
        (record.rtype.to_int(), false)
    }
}

/// Finds how a signed zone proves absence: see [`Denial`].
fn find_denial(zone: &mut Zone) -> Result<(), BuildErrorKind> {
    let holds = |zone: &Zone, rtype| zone.rrsets.iter().any(|rrset| rrset.rtype == rtype);
    let nsec = holds(zone, Rtype::NSEC);
    match Chain::find(zone) {
        Some(chain) if chain.is_complete() || !nsec => {
            zone.nsec3 = Some(chain);
            zone.denial = Denial::Nsec3;
            Ok(())
        }
        _ if nsec => {
            zone.denial = Denial::Nsec;
            Ok(())
        }
        _ => {
            let apex = owned(zone.apex());
            Err(
                if holds(zone, Rtype::NSEC3) || holds(zone, Rtype::NSEC3PARAM) {
                    BuildErrorKind::NoNsec3Chain { apex }
                } else {
                    BuildErrorKind::NoDenial { apex }
                },
            )
        }
    }
}

/// The lowest and the highest of some TTLs.
struct TtlRange {
    lowest: u32,
    highest: u32,
}

impl Default for TtlRange {
    fn default() -> Self {
        Self {
            lowest: u32::MAX,
            highest: 0,
        }
    }
}

impl TtlRange {
    /// Takes one more in.
    fn add(&mut self, ttl: u32) {
        self.lowest = self.lowest.min(ttl);
        self.highest = self.highest.max(ttl);
    }

    /// Whether they were not all the same.
    fn differ(&self) -> bool {
        self.lowest < self.highest
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

/// A copy of a name.
fn owned(name: &NameRef) -> Name<Vec<u8>> {
    name_of(name.as_slice())
}

/// Types of queries and of the protocol itself (RFC 6895 section 3.1).
fn is_meta(rtype: Rtype) -> bool {
    matches!(rtype.to_int(), 0 | 41 | 128..=255)
}

/// The type that an RRSIG record covers: its first field (RFC 4034 3.1.1).
fn type_covered(rdata: &[u8]) -> Rtype {
    Rtype::from_int(u16::from_be_bytes([rdata[0], rdata[1]]))
}

/// Whether RDATA has the shape that this crate relies on later. RDATA given in
/// the form of RFC 3597 passes no other check.
fn is_well_formed(rtype: Rtype, rdata: &[u8]) -> bool {
    match rtype {
        Rtype::A => rdata.len() == 4,
        Rtype::AAAA => rdata.len() == 16,
        Rtype::NS | Rtype::CNAME | Rtype::DNAME => names_length(rdata, 1) == Some(rdata.len()),
        Rtype::SOA => names_length(rdata, 2) == rdata.len().checked_sub(20),
        Rtype::RRSIG => {
            rdata.len() > 18
                && names_length(&rdata[18..], 1).is_some_and(|name| rdata.len() > 18 + name)
        }
        Rtype::NSEC => names_length(rdata, 1).is_some(),
        Rtype::DS => rdata.len() > 4,
        Rtype::NSEC3 => nsec3_types(rdata).is_some(),
        Rtype::NSEC3PARAM => rdata.len() >= 5 && rdata.len() == 5 + usize::from(rdata[4]),
        _ => true,
    }
}

/// The type bitmap of NSEC3 RDATA of any algorithm; `None` if a field in front
/// of it is cut short (RFC 5155 section 3.2).
fn nsec3_types(rdata: &[u8]) -> Option<&[u8]> {
    let (salt_length, rest) = rdata.get(4..)?.split_first()?;
    let (hash_length, rest) = rest.get(usize::from(*salt_length)..)?.split_first()?;
    rest.get(usize::from(*hash_length)..)
}

/// Octets that `count` uncompressed names at the start of `rdata` take, or
/// `None` if they are not there.
fn names_length(rdata: &[u8], count: usize) -> Option<usize> {
    let mut end = 0;
    for _ in 0..count {
        let start = end;
        loop {
            let length = usize::from(*rdata.get(end)?);
            if length > 63 {
                return None;
            }
            end += 1 + length;
            if length == 0 {
                break;
            }
        }
        if end - start > 255 {
            return None;
        }
    }
    Some(end)
}

/// The part of RDATA that consists of names, which compare without case
/// (RFC 4034 section 6.2; RFC 6840 section 5.1). Empty for all other types.
fn names_in_rdata(rtype: Rtype, length: usize) -> std::ops::Range<usize> {
    let range = match rtype {
        Rtype::NS
        | Rtype::MD
        | Rtype::MF
        | Rtype::CNAME
        | Rtype::MB
        | Rtype::MG
        | Rtype::MR
        | Rtype::PTR
        | Rtype::DNAME
        | Rtype::MINFO
        | Rtype::RP => 0..length,
        Rtype::SOA => 0..length.saturating_sub(20),
        Rtype::MX | Rtype::AFSDB | Rtype::RT | Rtype::KX | Rtype::PX => 2..length,
        Rtype::SRV => 6..length,
        _ => 0..0,
    };
    range.start.min(length)..range.end
}

/// Compares RDATA of one type in canonical form (RFC 4034 section 6.3).
fn compare_rdata(rtype: Rtype, left: &[u8], right: &[u8]) -> Ordering {
    canonical_octets(rtype, left).cmp(canonical_octets(rtype, right))
}

/// RDATA with the letters of its names in lower case. Folding the length
/// octets of labels too changes nothing: they are at most 63, below any letter.
fn canonical_octets(rtype: Rtype, rdata: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let names = names_in_rdata(rtype, rdata.len());
    rdata.iter().enumerate().map(move |(index, octet)| {
        if names.contains(&index) {
            octet.to_ascii_lowercase()
        } else {
            *octet
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name<Vec<u8>> {
        Name::vec_from_str(text).expect("a valid name")
    }

    fn soa() -> Vec<u8> {
        let mut rdata = b"\x01m\0\x01h\0".to_vec();
        for word in [7_u32, 1, 2, 3, 300] {
            rdata.extend(word.to_be_bytes());
        }
        rdata
    }

    fn push(builder: &mut ZoneBuilder, owner: &str, ttl: u32, rtype: Rtype, rdata: &[u8]) {
        builder
            .push(name(owner).for_slice(), Class::IN, ttl, rtype, rdata)
            .expect("the record belongs to the zone");
    }

    fn begun() -> ZoneBuilder {
        let mut builder = ZoneBuilder::new(name("example."));
        push(&mut builder, "example.", 900, Rtype::SOA, &soa());
        push(&mut builder, "example.", 900, Rtype::NS, b"\x01m\0");
        builder
    }

    fn kinds(builder: ZoneBuilder) -> Vec<BuildErrorKind> {
        let errors = builder.finish().expect_err("the zone is broken");
        errors.into_iter().map(|error| error.kind).collect()
    }

    #[test]
    fn gathers_rrsets_whatever_the_order_and_case() {
        let mut builder = begun();
        push(&mut builder, "B.example.", 60, Rtype::NS, b"\x01X\0");
        push(&mut builder, "a.example.", 60, Rtype::A, &[192, 0, 2, 1]);
        push(&mut builder, "b.example.", 30, Rtype::NS, b"\x01y\0");
        push(&mut builder, "b.EXAMPLE.", 60, Rtype::NS, b"\x01x\0");
        let zone = builder.finish().expect("a zone");
        let names: Vec<_> = zone.nodes().map(|node| node.name().to_string()).collect();
        assert_eq!(names, ["example", "a.example", "B.example"]);
        let ns = zone
            .find(name("b.example.").for_slice())
            .and_then(|node| node.rrset(Rtype::NS))
            .expect("the RRset");
        assert_eq!(ns.records().collect::<Vec<_>>(), [b"\x01X\0", b"\x01y\0"]);
        assert_eq!((ns.ttl(), ns.ttl_mismatch(), ns.len()), (30, true, 2));
        assert_eq!(zone.record_count(), 5);
        assert_eq!((zone.serial(), zone.negative_ttl()), (7, 300));
        assert_eq!(zone.denial(), Denial::Unsigned);
    }

    #[test]
    fn equal_rrsets_share_their_data() {
        let mut builder = begun();
        for index in 0..1000 {
            let owner = format!("d{index:03}.example.");
            push(
                &mut builder,
                &owner,
                60,
                Rtype::NS,
                b"\x0bnameserver1\x08provider\0",
            );
            push(
                &mut builder,
                &owner,
                60,
                Rtype::NS,
                b"\x0bnameserver2\x08provider\0",
            );
        }
        let zone = builder.finish().expect("a zone");
        // 24 octets an RRset, 12 an owner, 14 its name.
        assert!(zone.memory() < 1000 * 52, "{} octets", zone.memory());
        for node in zone.nodes().skip(1) {
            let ns = node.rrset(Rtype::NS).expect("each owns NS");
            assert_eq!(ns.len(), 2);
            assert!(ns.records().all(|rdata| rdata.len() == 22));
        }
    }

    #[test]
    fn signatures_go_with_what_they_cover() {
        let rrsig = |covered: Rtype| {
            let mut rdata = covered.to_int().to_be_bytes().to_vec();
            rdata.extend([0; 16]);
            rdata.extend(b"\x01s\0signature");
            rdata
        };
        let mut builder = begun();
        push(
            &mut builder,
            "example.",
            900,
            Rtype::RRSIG,
            &rrsig(Rtype::SOA),
        );
        push(
            &mut builder,
            "example.",
            800,
            Rtype::RRSIG,
            &rrsig(Rtype::TXT),
        );
        push(
            &mut builder,
            "example.",
            900,
            Rtype::DNSKEY,
            &[1, 1, 3, 8, 1],
        );
        push(
            &mut builder,
            "example.",
            300,
            Rtype::NSEC,
            b"\x07example\0\0\x01\x22",
        );
        let zone = builder.finish().expect("a zone");
        assert_eq!(zone.denial(), Denial::Nsec);
        assert_eq!(zone.soa().signatures().count(), 1);
        assert_eq!(zone.soa().signature_ttl(), 900);
        let apex = zone.nodes().next().expect("the apex");
        assert!(apex.rrset(Rtype::RRSIG).is_none());
        assert_eq!(apex.rrsets().count(), 4);
        assert_eq!(
            apex.stray_signatures().collect::<Vec<_>>(),
            [rrsig(Rtype::TXT)]
        );
    }

    #[test]
    fn the_apex_needs_an_soa_and_ns() {
        let mut builder = ZoneBuilder::new(name("example."));
        push(&mut builder, "a.example.", 60, Rtype::A, &[192, 0, 2, 1]);
        let apex = name("example.");
        assert_eq!(
            kinds(builder),
            [
                BuildErrorKind::MissingApexNs { apex: apex.clone() },
                BuildErrorKind::MissingSoa { apex },
            ]
        );
    }

    #[test]
    fn an_equal_second_soa_is_taken_and_another_refused() {
        let mut builder = begun();
        push(&mut builder, "example.", 900, Rtype::SOA, &soa());
        assert_eq!(builder.finish().expect("a zone").record_count(), 2);

        let mut builder = begun();
        let mut other = soa();
        *other.last_mut().expect("not empty") += 1;
        push(&mut builder, "example.", 900, Rtype::SOA, &other);
        assert_eq!(kinds(builder), [BuildErrorKind::SecondSoa]);
    }

    #[test]
    fn a_cname_stands_alone() {
        let mut builder = begun();
        push(&mut builder, "c.example.", 60, Rtype::CNAME, b"\x01x\0");
        push(
            &mut builder,
            "c.example.",
            60,
            Rtype::NSEC,
            b"\x01x\0\0\x01\x04",
        );
        push(&mut builder, "d.example.", 60, Rtype::CNAME, b"\x01x\0");
        push(&mut builder, "d.example.", 60, Rtype::A, &[192, 0, 2, 1]);
        push(&mut builder, "e.example.", 60, Rtype::CNAME, b"\x01x\0");
        push(&mut builder, "e.example.", 60, Rtype::CNAME, b"\x01y\0");
        assert_eq!(
            kinds(builder),
            [
                BuildErrorKind::CnameAndOther {
                    owner: name("d.example."),
                    other: Rtype::A
                },
                BuildErrorKind::NotSingle {
                    owner: name("e.example."),
                    rtype: Rtype::CNAME
                },
            ]
        );
    }

    #[test]
    fn refuses_records_that_cannot_belong() {
        let mut builder = begun();
        let mut refused = |owner: &str, class, ttl, rtype, rdata: &[u8]| {
            builder
                .push(name(owner).for_slice(), class, ttl, rtype, rdata)
                .expect_err("the record does not belong")
                .kind
        };
        let found = Class::CH;
        assert_eq!(
            refused("example.", found, 0, Rtype::A, &[0; 4]),
            BuildErrorKind::NotInternet { found }
        );
        assert!(matches!(
            refused("example.net.", Class::IN, 0, Rtype::A, &[0; 4]),
            BuildErrorKind::OutsideZone { .. }
        ));
        let ttl = MAX_TTL + 1;
        assert_eq!(
            refused("example.", Class::IN, ttl, Rtype::A, &[0; 4]),
            BuildErrorKind::TtlOutOfRange { ttl: ttl.into() }
        );
        for (rtype, rdata) in [
            (Rtype::A, &[0; 5][..]),
            (Rtype::AAAA, &[0; 4]),
            (Rtype::NS, b"\x01a"),
            (Rtype::NS, b"\x01a\0\0"),
            (Rtype::NS, b"\xc0\x0c"),
            (Rtype::SOA, b"\0\0\0"),
            (Rtype::RRSIG, b"\0\x06"),
            (Rtype::DS, b"\0"),
        ] {
            assert_eq!(
                refused("example.", Class::IN, 0, rtype, rdata),
                BuildErrorKind::BadRdata { rtype }
            );
        }
        assert!(builder.finish().is_ok(), "the builder is as it was");
    }
}
