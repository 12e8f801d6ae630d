//! Puts gathered owners in canonical order (RFC 4034 section 6.1), each once.
//!
//! Names are compared eight octets at a time, by numbers that sort as the names
//! do: first all of them on every core, then again those that were equal so
//! far. A name is looked at once or twice, not each time that it is compared.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::gathered::Gathered;
use super::group::Group;
use crate::zone::name_order;
use crate::zone::records::{NodeEntry, RrsetEntry};

/// An owner while owners are sorted.
#[derive(Clone, Copy)]
struct Ranked {
    /// Eight octets of its name: see [`rank`]. Once all are sorted, the offset
    /// of the name.
    rank: u64,
    node: u32,
    /// Octets of its name in the lowest 8 bits, number of its RRsets above; 0 if
    /// it is left out.
    sizes: u32,
}

impl Ranked {
    fn name_octets(&self) -> usize {
        (self.sizes & 0xff) as usize
    }

    fn rrsets(&self) -> usize {
        (self.sizes >> 8) as usize
    }
}

const _: () = assert!(size_of::<Ranked>() == 16);

/// Owners that are written at a time.
const BATCH: usize = 1 << 16;

/// Owners in canonical order.
pub(super) struct Order(Vec<Ranked>);

/// Finds the canonical order of the owners. Records of owners that came more
/// than once are joined. `apex_length` are the octets of the name that all
/// owners end with.
pub(super) fn find(gathered: &mut Gathered, apex_length: usize) -> Order {
    let mut owners: Vec<Ranked> = (0..gathered.nodes.len())
        .into_par_iter()
        .map(|node| ranked(gathered, node, apex_length))
        .collect();
    owners.par_sort_unstable_by_key(|owner| (owner.rank, owner.node));
    owners
        .par_chunk_by_mut(|left, right| left.rank == right.rank)
        .for_each(|equal| refine(gathered, equal, apex_length, 1));
    join(gathered, &mut owners, apex_length);
    Order(owners)
}

/// An owner with the start of its name.
fn ranked(gathered: &Gathered, node: usize, apex_length: usize) -> Ranked {
    let name = gathered.name(node);
    let rrsets = gathered.rrsets_of(node).len();
    Ranked {
        rank: rank(name, apex_length, 0),
        node: index(node),
        // One RRset for each type at most, and a name has 255 octets at most.
        sizes: index(rrsets << 8 | name.len()),
    }
}

/// Sorts owners whose names are equal in the first `depth` numbers by the rest.
fn refine(gathered: &Gathered, equal: &mut [Ranked], apex_length: usize, depth: usize) {
    if equal.len() < 2 {
        return;
    }
    for owner in &mut *equal {
        owner.rank = rank(gathered.name(owner.node as usize), apex_length, depth);
    }
    equal.sort_unstable_by_key(|owner| (owner.rank, owner.node));
    for equal in equal.chunk_by_mut(|left, right| left.rank == right.rank) {
        // Nothing follows after nothing.
        if equal[0].rank != 0 {
            refine(gathered, equal, apex_length, depth + 1);
        }
    }
}

/// The octets of a name, as a number, that decide in the canonical order after
/// the first `8 * depth`: labels from the apex down, letters in lower case, and
/// a zero after each label. So that nothing else is zero, octet 0 is written as
/// 1 and 1, octet 1 as 1 and 2.
fn rank(name: &[u8], apex_length: usize, depth: usize) -> u64 {
    let mut labels = [0_u8; 128];
    let mut count = 0;
    let mut at = 0;
    while at + apex_length < name.len() {
        labels[count] = u8::try_from(at).expect("a name has 255 octets at most");
        count += 1;
        at += 1 + usize::from(name[at]);
    }
    let mut octets = [0_u8; 8];
    // Places are counted from the first octet that is wanted.
    let mut place = -8 * isize::try_from(depth).expect("a name is short");
    let mut put = |octet: u8| {
        if let Ok(place) = usize::try_from(place)
            && let Some(wanted) = octets.get_mut(place)
        {
            *wanted = octet;
        }
        place += 1;
        place >= 8
    };
    'labels: for start in labels[..count].iter().rev() {
        let start = usize::from(*start);
        for octet in &name[start + 1..][..usize::from(name[start])] {
            let full = match octet {
                0 | 1 => put(1) | put(octet + 1),
                _ => put(octet.to_ascii_lowercase()),
            };
            if full {
                break 'labels;
            }
        }
        put(0);
    }
    u64::from_be_bytes(octets)
}

/// Joins owners that came more than once: makes a new one of all their records,
/// and leaves the old ones out.
fn join(gathered: &mut Gathered, owners: &mut Vec<Ranked>, apex_length: usize) {
    let same = |left: &Ranked, right: &Ranked| {
        let name = |owner: &Ranked| gathered.name(owner.node as usize);
        left.rank == right.rank
            && left.name_octets() == right.name_octets()
            && name_order::compare(name(left), name(right)) == Ordering::Equal
    };
    let mut repeated = Vec::new();
    let mut start = 0;
    for equal in owners.chunk_by(same) {
        if equal.len() > 1 {
            repeated.push(start..start + equal.len());
        }
        start += equal.len();
    }
    if repeated.is_empty() {
        return;
    }
    let mut group = Group::default();
    let mut left_out = Vec::new();
    for equal in repeated {
        for old in &mut owners[equal.clone()] {
            gathered.give_back(old.node as usize, &mut group);
            gathered.uncount(old.node as usize);
            left_out.push(old.node);
            old.sizes = 0;
        }
        let new = gathered.nodes.len();
        gathered.add(&mut group);
        group.clear();
        if new < gathered.nodes.len() {
            owners[equal.start] = ranked(gathered, new, apex_length);
        }
    }
    left_out.sort_unstable();
    gathered
        .singles
        .retain(|single| left_out.binary_search(&single.node).is_err());
    owners.retain(|owner| owner.sizes != 0);
}

impl Order {
    /// Puts the owners and their RRsets in this order: first the RRsets, then
    /// the rest, so that not everything is there twice at once.
    pub(super) fn apply(self, gathered: &mut Gathered) {
        let Self(mut owners) = self;
        let rrset_count = owners.iter().map(|owner| owner.rrsets()).sum();
        let mut rrsets = vec![RrsetEntry::EMPTY; rrset_count];
        let mut rest = &mut rrsets[..];
        let mut first_node = 0;
        let batches = owners.chunks_mut(BATCH).map(|owners| {
            let count = owners.iter().map(|owner| owner.rrsets()).sum();
            let batch = RrsetBatch {
                first_node,
                rrsets: split(&mut rest, count),
                owners,
            };
            first_node += batch.owners.len();
            batch
        });
        let batches: Vec<_> = batches.collect();
        let from = &*gathered;
        batches.into_par_iter().for_each(|batch| batch.write(from));
        gathered.rrsets = rrsets;
        gathered.nodes = Vec::new();
        write_names(gathered, &owners);
    }
}

/// Some owners, and where to write their RRsets.
struct RrsetBatch<'b> {
    owners: &'b mut [Ranked],
    rrsets: &'b mut [RrsetEntry],
    /// Owners in front of it.
    first_node: usize,
}

impl RrsetBatch<'_> {
    /// Writes the RRsets, and keeps where the names lie in place of the ranks.
    fn write(self, from: &Gathered) {
        let mut rrsets = self.rrsets;
        for (owner, node) in self.owners.iter_mut().zip(self.first_node..) {
            let old = from.nodes[owner.node as usize];
            owner.rank = old.name;
            let count = owner.rrsets();
            let old = &from.rrsets[old.first_rrset as usize..][..count];
            for (new, old) in split(&mut rrsets, count).iter_mut().zip(old) {
                *new = RrsetEntry {
                    node: index(node),
                    ..*old
                };
            }
        }
    }
}

/// Writes the owners with their names. In place of its rank each has where its
/// name lies.
fn write_names(gathered: &mut Gathered, owners: &[Ranked]) {
    let mut names = vec![0; sizes(owners).0];
    let mut nodes = vec![NodeEntry::default(); owners.len()];
    let mut rest = (&mut names[..], &mut nodes[..]);
    let mut before = (0, 0);
    let batches = owners.chunks(BATCH).map(|owners| {
        let (octets, rrsets) = sizes(owners);
        let batch = NameBatch {
            owners,
            names: split(&mut rest.0, octets),
            nodes: split(&mut rest.1, owners.len()),
            before,
        };
        before = (before.0 + octets, before.1 + rrsets);
        batch
    });
    let batches: Vec<_> = batches.collect();
    let from = &gathered.names[..];
    batches.into_par_iter().for_each(|batch| batch.write(from));
    gathered.names = names;
    gathered.nodes = nodes;
}

/// Some owners, and where to write them.
struct NameBatch<'b> {
    owners: &'b [Ranked],
    names: &'b mut [u8],
    nodes: &'b mut [NodeEntry],
    /// Octets of names and RRsets in front of it.
    before: (usize, usize),
}

impl NameBatch<'_> {
    /// Writes the owners with their names, which lie `from` there.
    fn write(self, from: &[u8]) {
        let mut names = self.names;
        let (mut name, mut first_rrset) = self.before;
        for (owner, node) in self.owners.iter().zip(self.nodes) {
            let octets = owner.name_octets();
            let old = &from[owner.rank as usize..][..octets];
            split(&mut names, octets).copy_from_slice(old);
            *node = NodeEntry {
                name: name as u64,
                first_rrset: index(first_rrset),
            };
            name += octets;
            first_rrset += owner.rrsets();
        }
    }
}

/// Octets of the names of some owners, and number of their RRsets.
fn sizes(owners: &[Ranked]) -> (usize, usize) {
    owners.iter().fold((0, 0), |(names, rrsets), owner| {
        (names + owner.name_octets(), rrsets + owner.rrsets())
    })
}

/// Takes the first `count` elements off.
fn split<'s, T>(rest: &mut &'s mut [T], count: usize) -> &'s mut [T] {
    let (first, behind) = std::mem::take(rest).split_at_mut(count);
    *rest = behind;
    first
}

/// An index of a table whose entries are bounded.
fn index(place: usize) -> u32 {
    u32::try_from(place).expect("the builder bounds owners and RRsets")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::Name;
    use domain::base::iana::{Class, Rtype};
    use proptest::prelude::*;

    use crate::zone::builder::ZoneBuilder;

    /// Names with long beginnings in common, as seen from the apex.
    fn any_name() -> impl Strategy<Value = Vec<u8>> {
        let part = prop::sample::select(vec![
            &b"abcdefg"[..],
            b"ABCDEFG",
            b"abcdefgh",
            b"\0",
            b"\0\0\0\0",
            b"\x01",
            b"\x01\x01",
            b"\x02",
            b"z",
            b"\xff",
        ]);
        let label = prop::collection::vec(part, 1..5).prop_map(|parts| parts.concat());
        prop::collection::vec(label, 0..5).prop_map(|labels| {
            let mut name = Vec::new();
            for label in labels {
                name.push(u8::try_from(label.len()).expect("short"));
                name.extend(label);
            }
            name.extend(b"\x04apex\0");
            name
        })
    }

    proptest! {
        #[test]
        fn owners_come_out_as_names_compare(
            mut names in prop::collection::vec(any_name(), 1..60),
        ) {
            let apex = b"\x04apex\0";
            let mut builder = ZoneBuilder::new(Name::from_octets(apex.to_vec()).expect("a name"));
            for name in &names {
                let owner = Name::from_slice(name).expect("a name");
                builder.push(owner, Class::IN, 1, Rtype::A, &[0; 4]).expect("taken");
            }
            builder.end_owner();
            let mut gathered = builder.gathered;
            find(&mut gathered, apex.len()).apply(&mut gathered);
            let found: Vec<_> = (0..gathered.nodes.len()).map(|node| gathered.name(node)).collect();
            names.sort_by(|left, right| name_order::compare(left, right));
            names.dedup_by(|right, left| right.eq_ignore_ascii_case(left));
            prop_assert_eq!(found, names);
            prop_assert_eq!(gathered.rrsets.len(), gathered.nodes.len());
        }
    }
}
