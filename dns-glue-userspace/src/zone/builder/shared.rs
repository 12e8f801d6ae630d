//! Data that several RRsets have in common is stored once.

use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Octets of data that is looked for: shorter data, single addresses mostly,
/// is hardly worth its place in the table, and the length has 16 bits there.
const SHAREABLE: std::ops::RangeInclusive<usize> = 24..=0xffff;

/// Where the data lies that further RRsets may have too.
#[derive(Default)]
pub(super) struct SharedData {
    places: HashTable<Place>,
    hasher: DefaultHashBuilder,
}

/// A stretch of all data: its offset in the upper 48 bits, its length below.
#[derive(Clone, Copy)]
struct Place(u64);

impl Place {
    /// So many octets from `offset` on, if they can be shared.
    fn new(offset: usize, length: usize) -> Option<Self> {
        let offset = offset as u64;
        let fits = SHAREABLE.contains(&length) && offset < 1 << 48;
        fits.then_some(Self(offset << 16 | length as u64))
    }

    fn offset(self) -> u64 {
        self.0 >> 16
    }

    fn of(self, data: &[u8]) -> &[u8] {
        &data[self.offset() as usize..][..(self.0 & 0xffff) as usize]
    }
}

impl SharedData {
    /// Whether further RRsets may have the same data if it is so many octets
    /// long.
    pub(super) fn is_shareable(length: usize) -> bool {
        SHAREABLE.contains(&length)
    }

    /// Forgets all data.
    pub(super) fn clear(&mut self) {
        self.places.clear();
    }

    /// Where the octets lie already that `data` has from `start` on; they are
    /// then taken off its end. Else `start`, and they will be found from now on.
    pub(super) fn place(&mut self, data: &mut Vec<u8>, start: usize) -> u64 {
        let Some(new) = Place::new(start, data.len() - start) else {
            return start as u64;
        };
        let hasher = &self.hasher;
        let found = self.places.entry(
            hasher.hash_one(new.of(data)),
            |place| place.of(data) == new.of(data),
            |place| hasher.hash_one(place.of(data)),
        );
        match found {
            Entry::Occupied(place) => {
                data.truncate(start);
                place.get().offset()
            }
            Entry::Vacant(vacant) => {
                vacant.insert(new);
                start as u64
            }
        }
    }
}
