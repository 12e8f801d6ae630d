//! The records of one zone, compact and read only.
//!
//! *Invariant:* a [`Zone`] never changes once built. All octets lie in two
//! rows, one of owner names and one of record data; beside them stand two tables, one of owners
//! in canonical order and one of RRsets in the order of their owners. There is
//! no allocation per record: an RRset costs 24 octets and an owner 12 beside
//! their data, and RRsets without signatures that hold the same data (in a TLD
//! most delegations have the same few NS RRsets) share it.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::path::PathBuf;

use domain::base::Name;
use domain::base::iana::Rtype;

use super::texts::Texts;
use super::{name_order, nsec3};

pub use super::builder::{BuildError, BuildErrorKind, ZoneBuilder};

/// An uncompressed wire-format name, in the case it was written in;
/// comparisons ignore ASCII case (RFC 4343).
pub type NameRef = Name<[u8]>;

/// How a zone proves that something does not exist.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Denial {
    /// The zone is not signed: it lacks a DNSKEY RRset at the apex or an RRSIG
    /// covering the SOA.
    Unsigned,
    /// Signed, with NSEC records (RFC 4034 section 4).
    Nsec,
    /// Signed, with an NSEC3 chain that an NSEC3PARAM with flags 0 at the apex
    /// announces (RFC 5155 sections 4.1.2 and 7.3). While a zone moves between
    /// NSEC and NSEC3 it may own both: then the NSEC3 chain counts if it is
    /// complete (RFC 5155 sections 10.4 and 10.5). Without NSEC one with gaps
    /// counts too.
    Nsec3,
}

impl Denial {
    /// A word that does not change: `unsigned`, `NSEC` or `NSEC3`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Nsec => "NSEC",
            Self::Nsec3 => "NSEC3",
        }
    }
}

/// What the table of RRsets holds of each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RrsetEntry {
    /// Offset of its data in that of all RRsets: if there are signatures their TTL
    /// (4 octets, native order), then each record and each signature as its
    /// length (2 octets, native order) and its RDATA.
    pub(super) data: u64,
    /// Index of the owner in the table of owners.
    pub(super) node: u32,
    /// The lowest TTL of the records, in seconds.
    pub(super) ttl: u32,
    /// The type; RRSIG for signatures of one type that the owner does not have.
    pub(super) rtype: Rtype,
    /// Number of records.
    pub(super) records: u16,
    /// Number of RRSIG records covering them.
    pub(super) signatures: u16,
    /// Whether the records, or the signatures, had different TTLs.
    pub(super) ttl_mismatch: bool,
}

const _: () = assert!(size_of::<RrsetEntry>() == 24);

impl RrsetEntry {
    /// What stands in a table until its entries are written.
    pub(super) const EMPTY: Self = Self {
        data: 0,
        node: 0,
        ttl: 0,
        rtype: Rtype::from_int(0),
        records: 0,
        signatures: 0,
        ttl_mismatch: false,
    };
}

/// What the table of owners holds of each.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, packed(4))]
pub(super) struct NodeEntry {
    /// Offset of the name in those of all owners.
    pub(super) name: u64,
    /// Index of its first RRset; the next owner's ends them.
    pub(super) first_rrset: u32,
}

const _: () = assert!(size_of::<NodeEntry>() == 12);

/// One zone: its owners in canonical order and their RRsets.
pub struct Zone {
    /// Names of the owners, uncompressed.
    pub(super) names: Vec<u8>,
    /// Data of the RRsets: see [`RrsetEntry::data`].
    pub(super) data: Vec<u8>,
    /// Owners in canonical order, the apex first.
    pub(super) nodes: Vec<NodeEntry>,
    /// RRsets in the order of their owners, ascending types within each.
    pub(super) rrsets: Vec<RrsetEntry>,
    /// Index of the SOA in the table of RRsets.
    pub(super) soa: u32,
    /// How absence is proved.
    pub(super) denial: Denial,
    /// The chain, exactly if absence is proved by NSEC3.
    pub(super) nsec3: Option<nsec3::Chain>,
    /// Whether any owner has a DELEG RRset.
    pub(super) holds_deleg: bool,
    /// Records, RRSIGs included and duplicates left out.
    pub(super) record_count: usize,
    /// The files that it was read from, its own first; none if it was not.
    pub(super) files: Vec<PathBuf>,
    /// What those files held; `None` if there were none.
    pub(super) texts: Option<Texts>,
}

/// DELEG (draft-ietf-deleg), by the number that Knot DNS uses.
pub const DELEG: Rtype = Rtype::from_int(61440);

impl Zone {
    /// The name of the zone.
    #[must_use]
    pub fn apex(&self) -> &NameRef {
        self.name_of(0)
    }

    /// The files that it was read from: its own, and then those that
    /// `$INCLUDE` names, as often as it does.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What those files held; `None` if there were none.
    #[must_use]
    pub fn texts(&self) -> Option<&Texts> {
        self.texts.as_ref()
    }

    /// The serial of the zone's SOA record.
    #[must_use]
    pub fn serial(&self) -> u32 {
        self.soa_word(0)
    }

    /// The SOA RRset, of exactly one record.
    #[must_use]
    pub fn soa(&self) -> Rrset<'_> {
        Rrset {
            zone: self,
            index: self.soa,
        }
    }

    /// How long, in seconds, a negative answer may be kept: the lower of the
    /// SOA's TTL and its MINIMUM (RFC 2308 section 5).
    #[must_use]
    pub fn negative_ttl(&self) -> u32 {
        self.soa().ttl().min(self.soa_word(4))
    }

    /// How long, in seconds, a secondary may serve the zone without news of it:
    /// the SOA's EXPIRE (RFC 1035 section 3.3.13).
    #[must_use]
    pub fn expire(&self) -> u32 {
        self.soa_word(3)
    }

    /// The 32-bit fields of the SOA: serial, refresh, retry, expire, minimum.
    fn soa_word(&self, field: usize) -> u32 {
        let rdata = self
            .soa()
            .records()
            .next()
            .expect("the SOA RRset has one record");
        let at = rdata.len() - 20 + 4 * field;
        u32::from_be_bytes(rdata[at..at + 4].try_into().expect("four octets"))
    }

    /// How the zone proves absence.
    #[must_use]
    pub fn denial(&self) -> Denial {
        self.denial
    }

    /// The NSEC3 chain by which the zone proves absence; `Some` exactly if
    /// [`Zone::denial`] is [`Denial::Nsec3`].
    #[must_use]
    pub fn nsec3(&self) -> Option<nsec3::ChainRef<'_>> {
        self.nsec3.as_ref().map(|chain| chain.of(self))
    }

    /// Whether the zone holds a DELEG RRset; queries that set the DE flag must
    /// then be left to a server that knows it.
    #[must_use]
    pub fn holds_deleg(&self) -> bool {
        self.holds_deleg
    }

    /// Number of records, RRSIGs included, duplicates counted once.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.record_count
    }

    /// Octets of memory that the zone's data takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.names.capacity()
            + self.data.capacity()
            + self.nodes.capacity() * size_of::<NodeEntry>()
            + self.rrsets.capacity() * size_of::<RrsetEntry>()
            + self.nsec3.as_ref().map_or(0, nsec3::Chain::memory)
    }

    /// Every owner in canonical order (RFC 4034 section 6.1), the apex first.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node<'_>> + ExactSizeIterator {
        self.range(0..self.nodes.len())
    }

    /// The owner of that name, case ignored.
    #[must_use]
    pub fn find(&self, name: &NameRef) -> Option<Node<'_>> {
        let index = self
            .nodes
            .binary_search_by(|node| {
                name_order::compare(self.name_octets(node.name), name.as_slice())
            })
            .ok()?;
        Some(self.node(index))
    }

    /// The owners at or below `name`, in canonical order. A name without an
    /// owner but with owners below it is an empty non-terminal.
    pub fn below<'z>(
        &'z self,
        name: &NameRef,
    ) -> impl DoubleEndedIterator<Item = Node<'z>> + ExactSizeIterator + use<'z> {
        let name = name.as_slice();
        let start = self.nodes.partition_point(|node| {
            name_order::compare(self.name_octets(node.name), name) == Ordering::Less
        });
        // Names at or below another are contiguous in canonical order.
        let length = self.nodes[start..]
            .partition_point(|node| name_order::is_at_or_below(self.name_octets(node.name), name));
        self.range(start..start + length)
    }

    /// The owners that are not after `name` in canonical order. The last of
    /// them is that of the NSEC record that matches or covers it, glue and
    /// owners of NSEC3 apart.
    pub fn up_to<'z>(
        &'z self,
        name: &NameRef,
    ) -> impl DoubleEndedIterator<Item = Node<'z>> + ExactSizeIterator + use<'z> {
        let after = self.nodes.partition_point(|node| {
            name_order::compare(self.name_octets(node.name), name.as_slice()) != Ordering::Greater
        });
        self.range(0..after)
    }

    /// The owners of an index range.
    fn range<'z>(
        &'z self,
        range: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = Node<'z>> + ExactSizeIterator + use<'z> {
        range.map(move |index| self.node(index))
    }

    /// The owner of that index.
    fn node(&self, index: usize) -> Node<'_> {
        Node {
            zone: self,
            index: u32::try_from(index).expect("the builder bounds the owners"),
        }
    }

    /// The owner of that index, as [`Node::index`] gave it.
    pub(super) fn owner(&self, index: u32) -> Node<'_> {
        Node { zone: self, index }
    }

    /// The first label of the owner of that index.
    pub(super) fn first_label(&self, index: u32) -> &[u8] {
        let at = place(self.nodes[index as usize].name);
        &self.names[at + 1..][..usize::from(self.names[at])]
    }

    /// The name at that offset.
    fn name_octets(&self, offset: u64) -> &[u8] {
        let from = &self.names[place(offset)..];
        let mut length = 0;
        while from[length] != 0 {
            length += 1 + usize::from(from[length]);
        }
        &from[..=length]
    }

    /// The name of the owner of that index.
    fn name_of(&self, node: u32) -> &NameRef {
        let octets = self.name_octets(self.nodes[node as usize].name);
        NameRef::from_slice(octets).expect("the builder takes valid names only")
    }
}

/// An offset as an index.
fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("the octets lie in memory")
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone")
            .field("apex", &format_args!("{}", self.apex().fmt_with_dot()))
            .field("serial", &self.serial())
            .field("records", &self.record_count)
            .finish_non_exhaustive()
    }
}

/// An owner of records in a zone.
#[derive(Clone, Copy)]
pub struct Node<'z> {
    zone: &'z Zone,
    index: u32,
}

impl<'z> Node<'z> {
    /// Its name, in the case it was first written in.
    #[must_use]
    pub fn name(&self) -> &'z NameRef {
        self.zone.name_of(self.index)
    }

    /// Its place in the canonical order of the zone's owners, the apex's 0.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// The RRset of that type. `None` for RRSIG: signatures come with what
    /// they cover.
    #[must_use]
    pub fn rrset(&self, rtype: Rtype) -> Option<Rrset<'z>> {
        if rtype == Rtype::RRSIG {
            return None;
        }
        self.entries().find(|rrset| rrset.rtype() == rtype)
    }

    /// Its RRsets by ascending type, without RRSIG.
    pub fn rrsets(&self) -> impl Iterator<Item = Rrset<'z>> + use<'z> {
        self.entries().filter(|rrset| rrset.rtype() != Rtype::RRSIG)
    }

    /// RDATA of RRSIG records that cover no RRset of this owner.
    pub fn stray_signatures(&self) -> impl Iterator<Item = &'z [u8]> + use<'z> {
        self.entries()
            .filter(|rrset| rrset.rtype() == Rtype::RRSIG)
            .flat_map(|rrset| rrset.records())
    }

    /// All its entries in the table of RRsets.
    fn entries(&self) -> impl Iterator<Item = Rrset<'z>> + use<'z> {
        let zone = self.zone;
        let index = self.index as usize;
        let first = zone.nodes[index].first_rrset;
        let end = match zone.nodes.get(index + 1) {
            Some(next) => next.first_rrset,
            None => u32::try_from(zone.rrsets.len()).expect("the builder bounds the RRsets"),
        };
        (first..end).map(move |index| Rrset { zone, index })
    }
}

impl PartialEq for Node<'_> {
    /// Whether both are the same owner of the same zone in memory.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.zone, other.zone) && self.index == other.index
    }
}

impl Eq for Node<'_> {}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.name().fmt_with_dot())
    }
}

/// The records of one owner and type, and the signatures covering them.
#[derive(Clone, Copy)]
pub struct Rrset<'z> {
    zone: &'z Zone,
    index: u32,
}

impl<'z> Rrset<'z> {
    /// The owner's name, in the case it was first written in.
    #[must_use]
    pub fn owner(&self) -> &'z NameRef {
        self.zone.name_of(self.entry().node)
    }

    /// The type of the records.
    #[must_use]
    pub fn rtype(&self) -> Rtype {
        self.entry().rtype
    }

    /// Seconds that the records may be kept: the lowest TTL among them
    /// (RFC 2181 section 5.2).
    #[must_use]
    pub fn ttl(&self) -> u32 {
        self.entry().ttl
    }

    /// Number of records, never 0.
    #[expect(clippy::len_without_is_empty, reason = "an RRset is never empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.entry().records)
    }

    /// RDATA of each record, uncompressed and in the case it was written in,
    /// without duplicates, in canonical order (RFC 4034 section 6.3).
    pub fn records(&self) -> impl Iterator<Item = &'z [u8]> + use<'z> {
        let entry = self.entry();
        self.data().take(usize::from(entry.records))
    }

    /// RDATA of each RRSIG record covering the records.
    pub fn signatures(&self) -> impl Iterator<Item = &'z [u8]> + use<'z> {
        let entry = self.entry();
        self.data().skip(usize::from(entry.records))
    }

    /// The lowest TTL of the signatures in seconds; that of the records when
    /// there are none.
    #[must_use]
    pub fn signature_ttl(&self) -> u32 {
        let entry = self.entry();
        if entry.signatures == 0 {
            return entry.ttl;
        }
        self.all_data().signature_ttl
    }

    /// Whether any RRSIG covers the records.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.entry().signatures != 0
    }

    /// Whether the records were given different TTLs (RFC 2181 section 5.2
    /// forbids that), or the signatures.
    #[must_use]
    pub fn ttl_mismatch(&self) -> bool {
        self.entry().ttl_mismatch
    }

    /// Its entry in the table of RRsets.
    fn entry(&self) -> &'z RrsetEntry {
        &self.zone.rrsets[self.index as usize]
    }

    /// RDATA of the records, then of the signatures.
    fn data(&self) -> impl Iterator<Item = &'z [u8]> + use<'z> {
        self.all_data().rdata
    }

    /// Its data.
    fn all_data(&self) -> RrsetData<'z> {
        RrsetData::of(&self.zone.data, self.entry())
    }
}

/// The data of an RRset: see [`RrsetEntry::data`].
pub(super) struct RrsetData<'d> {
    /// The lowest TTL of the signatures in seconds; 0 without any.
    pub(super) signature_ttl: u32,
    /// RDATA of the records, then of the signatures.
    pub(super) rdata: RdataIter<'d>,
}

impl<'d> RrsetData<'d> {
    /// Finds it in the data of all RRsets.
    pub(super) fn of(data: &'d [u8], entry: &RrsetEntry) -> Self {
        let mut rest = &data[place(entry.data)..];
        let mut signature_ttl = 0;
        if entry.signatures != 0 {
            let (ttl, after) = rest
                .split_first_chunk()
                .expect("the builder wrote the TTL of the signatures");
            signature_ttl = u32::from_ne_bytes(*ttl);
            rest = after;
        }
        let left = u32::from(entry.records) + u32::from(entry.signatures);
        let rdata = RdataIter { rest, left };
        Self {
            signature_ttl,
            rdata,
        }
    }

    /// Octets that it takes.
    pub(super) fn length(data: &'d [u8], entry: &RrsetEntry) -> usize {
        let mut rdata = Self::of(data, entry).rdata;
        rdata.by_ref().for_each(drop);
        data.len() - place(entry.data) - rdata.rest.len()
    }
}

/// RDATA of some records, one after the other.
pub(super) struct RdataIter<'d> {
    rest: &'d [u8],
    /// How many records are to come.
    left: u32,
}

impl<'d> Iterator for RdataIter<'d> {
    type Item = &'d [u8];

    fn next(&mut self) -> Option<&'d [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (length, after) = self
            .rest
            .split_first_chunk()
            .expect("the builder wrote each length");
        let (rdata, after) = after.split_at(usize::from(u16::from_ne_bytes(*length)));
        self.rest = after;
        Some(rdata)
    }
}

impl PartialEq for Rrset<'_> {
    /// Whether both are the same RRset of the same zone in memory.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.zone, other.zone) && self.index == other.index
    }
}

impl Eq for Rrset<'_> {}

impl Hash for Rrset<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.hash(state);
    }
}

impl fmt::Debug for Rrset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Rrset({} {} x{})",
            self.owner().fmt_with_dot(),
            self.rtype(),
            self.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::ToName;
    use domain::base::iana::Class;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn any_owner() -> impl Strategy<Value = Name<Vec<u8>>> {
        let label = prop::sample::select(vec!["a", "A", "b", "ab", "\\000", "\\255", "*", "-"]);
        prop::collection::vec(label, 0..5)
            .prop_map(|labels| [labels, vec!["test."]].concat().join("."))
            .prop_map(|text| Name::vec_from_str(&text).expect("a valid name"))
    }

    proptest! {
        /// Whatever records go in, in whatever order, the zone answers as a
        /// plain map ordered by the `domain` crate does.
        #[test]
        fn agrees_with_a_plain_map(
            records in prop::collection::vec((any_owner(), 0..3_u8, 0..9_u32), 0..40),
            asked in any_owner(),
        ) {
            let apex = Name::vec_from_str("test.").expect("a valid name");
            let mut builder = ZoneBuilder::new(apex.clone());
            let mut map = BTreeMap::<Name<Vec<u8>>, BTreeMap<u8, u32>>::new();
            let soa = [b"\0\0".as_slice(), &[0; 20]].concat();
            for (rtype, rdata) in [(Rtype::SOA, &soa[..]), (Rtype::NS, b"\0")] {
                builder.push(apex.for_slice(), Class::IN, 1, rtype, rdata).expect("taken");
            }
            map.entry(apex).or_default();
            for (owner, octet, ttl) in records {
                let rdata = [192, 0, 2, octet];
                builder.push(owner.for_slice(), Class::IN, ttl, Rtype::A, &rdata).expect("taken");
                map.entry(owner).or_default().entry(octet).and_modify(|t| *t = ttl.min(*t)).or_insert(ttl);
            }
            let zone = builder.finish().expect("a zone");

            let names: Vec<_> = zone.nodes().map(|node| node.name().to_owned_vec()).collect();
            prop_assert_eq!(&names, &map.keys().cloned().collect::<Vec<_>>());
            for (node, addresses) in zone.nodes().zip(map.values()) {
                let found = node.rrset(Rtype::A);
                let octets = found.iter().flat_map(|rrset| rrset.records().map(|rdata| rdata[3]));
                prop_assert_eq!(octets.collect::<Vec<_>>(), addresses.keys().copied().collect::<Vec<_>>());
                prop_assert_eq!(found.map(|rrset| rrset.ttl()), addresses.values().min().copied());
            }

            let asked = asked.for_slice();
            prop_assert_eq!(zone.find(asked).is_some(), map.keys().any(|name| name == asked));
            let below: Vec<_> = zone.below(asked).map(|node| node.name().to_owned_vec()).collect();
            let expected: Vec<_> = map.keys().filter(|name| name.ends_with(asked)).cloned().collect();
            prop_assert_eq!(below, expected);
            let before = zone.up_to(asked).next_back().map(|node| node.name().to_owned_vec());
            let expected = map.keys().rfind(|name| name.name_cmp(asked).is_le()).cloned();
            prop_assert_eq!(before, expected);
        }
    }

    trait ToOwnedVec {
        fn to_owned_vec(&self) -> Name<Vec<u8>>;
    }

    impl ToOwnedVec for NameRef {
        fn to_owned_vec(&self) -> Name<Vec<u8>> {
            Name::from_octets(self.as_slice().to_vec()).expect("a name")
        }
    }
}
