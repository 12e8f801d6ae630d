//! NSEC3: the chain by which a zone proves what it does not have (RFC 5155).
//!
//! *Invariant:* a chain holds each owner of an NSEC3 record of its
//! parameters once, in the order of their hashes. Owner labels in base32hex
//! sort as the hashes do (RFC 5155 section 1.3), so that is the canonical order
//! of the zone's owners, and only the start of each hash is stored.

mod base32hex;
mod parameters;
mod record;

use std::cmp::Ordering;

use domain::base::iana::Rtype;

use super::name_order;
use super::records::{NameRef, Node, Rrset, Zone};

pub use parameters::{HASH_OCTETS, Hash, Parameters};
pub use record::Nsec3;

/// The owners of the NSEC3 records of one chain.
#[derive(Debug)]
pub(super) struct Chain {
    parameters: Parameters,
    /// Indices of the owners in the order of their hashes; never empty.
    owners: Vec<u32>,
    /// How the hash of each begins: see [`start_of`].
    starts: Vec<u32>,
    /// Whether each record leads to the next one, the last to the first, and
    /// one of them matches the apex.
    complete: bool,
}

impl Chain {
    /// The chain to use of those that the apex announces with an NSEC3PARAM of
    /// flags 0 (RFC 5155 sections 4.1.2 and 7.3). `None` if no NSEC3 record
    /// belongs to any.
    ///
    /// The first complete one counts, in the canonical order of NSEC3PARAM;
    /// without one that with the most records.
    pub(super) fn find(zone: &Zone) -> Option<Self> {
        let apex = zone.nodes().next().expect("a zone has an apex");
        let announced = apex.rrset(Rtype::NSEC3PARAM)?;
        let mut longest: Option<Self> = None;
        for parameters in announced.records().filter_map(Parameters::of_nsec3param) {
            let Some(chain) = Self::gather(zone, parameters) else {
                continue;
            };
            if chain.complete {
                return Some(chain);
            }
            if longest
                .as_ref()
                .is_none_or(|longest| longest.owners.len() < chain.owners.len())
            {
                longest = Some(chain);
            }
        }
        longest
    }

    /// The owners of NSEC3 records with these parameters; `None` without any.
    fn gather(zone: &Zone, parameters: Parameters) -> Option<Self> {
        let (mut owners, mut starts) = (Vec::new(), Vec::new());
        for node in zone.nodes() {
            if let Some(hash) = owner_hash(zone, node)
                && let Some(rrset) = node.rrset(Rtype::NSEC3)
                && record_of(rrset, &parameters).is_some()
            {
                owners.push(node.index());
                starts.push(start_of(&hash));
            }
        }
        if owners.is_empty() {
            return None;
        }
        owners.shrink_to_fit();
        starts.shrink_to_fit();
        let mut chain = Self {
            parameters,
            owners,
            starts,
            complete: false,
        };
        chain.complete = chain.of(zone).closes();
        Some(chain)
    }

    /// The chain with the zone that it is of.
    pub(super) fn of<'z>(&'z self, zone: &'z Zone) -> ChainRef<'z> {
        ChainRef { zone, chain: self }
    }

    /// Whether it has no gaps: see [`ChainRef::is_complete`].
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Octets of memory that it takes.
    pub(super) fn memory(&self) -> usize {
        (self.owners.capacity() + self.starts.capacity()) * size_of::<u32>()
            + self.parameters.salt.len()
    }
}

/// The NSEC3 chain of a zone. NSEC3 records of other parameters do not count.
#[derive(Clone, Copy, Debug)]
pub struct ChainRef<'z> {
    zone: &'z Zone,
    chain: &'z Chain,
}

impl<'z> ChainRef<'z> {
    /// How its hashes are made.
    #[must_use]
    pub fn parameters(&self) -> &'z Parameters {
        &self.chain.parameters
    }

    /// The apex of its zone.
    #[must_use]
    pub fn apex(&self) -> &'z NameRef {
        self.zone.apex()
    }

    /// Number of NSEC3 RRsets.
    #[expect(clippy::len_without_is_empty, reason = "a chain is never empty")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.chain.owners.len()
    }

    /// The hash of a name under the parameters of the chain.
    #[must_use]
    pub fn hash(&self, name: &NameRef) -> Hash {
        self.chain.parameters.hash(name)
    }

    /// The NSEC3 RRset that matches `name`: its owner is the hash of the name.
    #[must_use]
    pub fn matching(&self, name: &NameRef) -> Option<Rrset<'z>> {
        self.matching_hash(&self.hash(name))
    }

    /// The NSEC3 RRset that covers `name`: the hash of the name lies between
    /// its owner and the next hash, and is neither of them. `None` if the chain
    /// has a gap there, or the name is matched.
    #[must_use]
    pub fn covering(&self, name: &NameRef) -> Option<Rrset<'z>> {
        self.covering_hash(&self.hash(name))
    }

    /// As [`ChainRef::matching`], for a hash of [`ChainRef::hash`].
    #[must_use]
    pub fn matching_hash(&self, hash: &Hash) -> Option<Rrset<'z>> {
        self.place(hash).ok().map(|place| self.rrset(place))
    }

    /// As [`ChainRef::covering`], for a hash of [`ChainRef::hash`].
    #[must_use]
    pub fn covering_hash(&self, hash: &Hash) -> Option<Rrset<'z>> {
        self.covering_place(hash).map(|place| self.rrset(place))
    }

    /// The place in the chain of the RRset that [`ChainRef::covering_hash`]
    /// finds.
    pub(super) fn covering_place(&self, hash: &Hash) -> Option<usize> {
        let after = self.place(hash).err()?;
        // Before the first owner only the interval of the last one can be.
        let place = after.checked_sub(1).unwrap_or(self.len() - 1);
        if self.is_complete() {
            // Each interval ends where the next begins.
            return Some(place);
        }
        let next = *self.record(self.rrset(place)).next();
        let before_next = *hash < next;
        // The last interval goes round past the highest hash.
        let covers = match (after > 0, before_next) {
            (true, true) => true,
            (false, false) => false,
            _ => next <= self.owner_hash(place),
        };
        covers.then_some(place)
    }

    /// The record of the chain in an RRset that a method of it returned. There
    /// is no other record in it, unless two chains have met at one hash: such
    /// an RRset proves nothing certain.
    #[must_use]
    pub fn record(&self, rrset: Rrset<'z>) -> Nsec3<'z> {
        record_of(rrset, &self.chain.parameters)
            .expect("the RRsets of a chain have a record of its parameters")
    }

    /// Whether each record leads to the next one, the last to the first, and
    /// one of them matches the apex.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.chain.is_complete()
    }

    /// Looks at every record, to know that once.
    fn closes(&self) -> bool {
        let count = self.len();
        let in_turn = (0..count).all(|place| {
            let next = self.owner_hash((place + 1) % count);
            *self.record(self.rrset(place)).next() == next
        });
        in_turn && self.matching(self.zone.apex()).is_some()
    }

    /// The place of the owner of that hash, or where it would have to be.
    fn place(&self, hash: &Hash) -> Result<usize, usize> {
        let starts = &self.chain.starts;
        let start = start_of(hash);
        let first = first_not_below(starts, start);
        // Nearly always one or none begins in the same way.
        let same = starts[first..].iter().take_while(|other| **other == start);
        let same = first..first + same.count();
        for place in same.clone() {
            match self.owner_hash(place).cmp(hash) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(place),
                Ordering::Greater => return Err(place),
            }
        }
        Err(same.end)
    }

    /// The NSEC3 RRset at a place of the chain.
    pub(super) fn rrset(&self, place: usize) -> Rrset<'z> {
        self.zone
            .owner(self.chain.owners[place])
            .rrset(Rtype::NSEC3)
            .expect("the owners of a chain have NSEC3")
    }

    /// The hash that the owner at a place of the chain stands for.
    fn owner_hash(&self, place: usize) -> Hash {
        base32hex::decode(self.zone.first_label(self.chain.owners[place]))
            .expect("the owners of a chain are hashes")
    }
}

/// The record of those parameters in an NSEC3 RRset, the first of several.
fn record_of<'z>(rrset: Rrset<'z>, parameters: &Parameters) -> Option<Nsec3<'z>> {
    rrset
        .records()
        .filter_map(Nsec3::parse)
        .find(|record| record.is_of(parameters))
}

/// The hash that an owner stands for: its first label, with the apex behind it.
fn owner_hash(zone: &Zone, node: Node<'_>) -> Option<Hash> {
    let name = node.name().as_slice();
    let parent = name_order::parent(name)?;
    if parent.len() != zone.apex().len() {
        return None;
    }
    base32hex::decode(&name[1..name.len() - parent.len()])
}

/// How a hash begins, as a number: numbers are in the order of the hashes.
fn start_of(hash: &Hash) -> u32 {
    let (start, _) = hash
        .split_first_chunk()
        .expect("a hash is longer than that");
    u32::from_be_bytes(*start)
}

/// The place of the first of `sorted` that is not below `wanted`.
///
/// Hashes are spread evenly, so it lies near where it would lie if the spaces
/// between them were equal: the search begins there, and touches a few lines
/// of the cache, not one for each halving.
fn first_not_below(sorted: &[u32], wanted: u32) -> usize {
    let count = sorted.len();
    let guess = ((u64::from(wanted) * count as u64) >> 32) as usize;
    let spread = count.isqrt() + 1;
    let (mut from, mut step) = (guess.saturating_sub(spread), spread);
    while from > 0 && sorted[from] >= wanted {
        step *= 2;
        from = from.saturating_sub(step);
    }
    let (mut to, mut step) = (count.min(guess + spread), spread);
    while to < count && sorted[to] < wanted {
        step *= 2;
        to = count.min(to + step);
    }
    from + sorted[from..to].partition_point(|other| *other < wanted)
}

#[cfg(test)]
mod tests;
