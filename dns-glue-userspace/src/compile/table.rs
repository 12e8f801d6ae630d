//! The delegation index: a cuckoo table of buckets with two slots.

use bytemuck::Zeroable;
use dns_glue_common::index::{Bucket, HashSecret, NameKey, Slot, hash_suffix};
use dns_glue_common::limits::{HEADER_OCTETS, MAX_QUERY_OCTETS};
use dns_glue_common::wire::{Message, MessageBuffer};

/// Slots for each entry, in percent: two-choice tables with buckets of two
/// fill to about 89 % before an insertion fails.
const SLOTS_PER_ENTRY_PERCENT: usize = 122;
/// How often an entry may push out another before another secret is drawn.
const MAX_MOVES: usize = 1000;

/// An entry before its name is hashed.
pub struct NamedEntry<'z> {
    /// Owner name, wire form.
    pub name: &'z [u8],
    /// Everything but key and length.
    pub slot: Slot,
}

/// Hashes a name as the program does.
pub fn hash_name(name: &[u8], secret: &HashSecret) -> NameKey {
    let mut buffer = MessageBuffer::EMPTY;
    buffer.0[HEADER_OCTETS..HEADER_OCTETS + name.len()].copy_from_slice(name);
    hash_suffix(
        &Message::new(&buffer, MAX_QUERY_OCTETS),
        0,
        name.len(),
        secret,
    )
}

/// Builds the table; `None` if this secret does not do, because two names have
/// the same key or an entry finds no place: then another is drawn.
pub fn build(entries: &[NamedEntry<'_>], secret: &HashSecret) -> Option<Vec<Bucket>> {
    // Two more, so that a handful of entries find places too.
    let count = entries.len() * SLOTS_PER_ENTRY_PERCENT / 200 + 2;
    let mut table = Table {
        buckets: vec![Bucket::zeroed(); count],
        count: u32::try_from(count).expect("the compiler bounds the entries"),
        chance: 0x9e37_79b9,
    };
    for entry in entries {
        let slot = Slot {
            key: hash_name(entry.name, secret),
            name_octets: u8::try_from(entry.name.len()).expect("a name has at most 255 octets"),
            ..entry.slot
        };
        table.insert(slot)?;
    }
    table.mark_overflows();
    Some(table.buckets)
}

struct Table {
    buckets: Vec<Bucket>,
    count: u32,
    /// Chooses which slot is pushed out: a xorshift generator, because entries
    /// that take turns soon go round in circles.
    chance: u32,
}

impl Table {
    fn insert(&mut self, slot: Slot) -> Option<()> {
        let (first, second) = slot.key.places(self.count);
        let known = |bucket: &Bucket| {
            let Bucket(slots) = bucket;
            slots
                .iter()
                .any(|other| other.name_octets == slot.name_octets && other.key == slot.key)
        };
        if known(&self.buckets[first as usize]) || known(&self.buckets[second as usize]) {
            return None;
        }
        if self.put(first, slot) || self.put(second, slot) {
            return Some(());
        }
        let mut homeless = slot;
        let mut place = second;
        for _ in 0..MAX_MOVES {
            // Full: take the place of an entry, which goes to its other one.
            let victim = self.next_victim();
            let Bucket(slots) = &mut self.buckets[place as usize];
            std::mem::swap(&mut slots[victim], &mut homeless);
            place = other_place(&homeless, place, self.count);
            if self.put(place, homeless) {
                return Some(());
            }
        }
        None
    }

    fn next_victim(&mut self) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 17;
        self.chance ^= self.chance << 5;
        (self.chance >> 16 & 1) as usize
    }

    fn put(&mut self, place: u32, slot: Slot) -> bool {
        let Bucket(slots) = &mut self.buckets[place as usize];
        match slots.iter_mut().find(|slot| slot.name_octets == 0) {
            Some(empty) => {
                *empty = slot;
                true
            }
            None => false,
        }
    }

    /// Tells each bucket whether a key that belongs there first lies
    /// elsewhere, so that a miss need not look.
    fn mark_overflows(&mut self) {
        for place in 0..self.count {
            for index in 0..2 {
                let Bucket(slots) = &self.buckets[place as usize];
                let slot = slots[index];
                let (first, _) = slot.key.places(self.count);
                if slot.name_octets != 0 && first != place {
                    let Bucket(slots) = &mut self.buckets[first as usize];
                    slots[0].flags |= Slot::OVERFLOWED;
                }
            }
        }
    }
}

fn other_place(slot: &Slot, place: u32, count: u32) -> u32 {
    let (first, second) = slot.key.places(count);
    if place == first { second } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dns_glue_common::index::{Depths, EntryKind, Index, Secret, find};

    struct InMemory(Vec<Bucket>, HashSecret);

    impl Secret for InMemory {
        fn constant_terms(&self) -> [u64; 4] {
            self.1.constant_terms()
        }
        fn keys(&self, word: usize) -> [u64; 4] {
            self.1.keys(word)
        }
    }

    impl Index for InMemory {
        fn buckets(&self) -> u32 {
            self.0.len() as u32
        }
        fn bucket(&self, number: u32) -> Option<&Bucket> {
            self.0.get(number as usize)
        }
        fn depth(&self, _labels: usize) -> u8 {
            Depths::zeroed().0[0]
        }
    }

    fn secret(seed: u64) -> HashSecret {
        let mut state = seed;
        let mut secret = HashSecret::zeroed();
        for key in secret.0.as_flattened_mut() {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *key = mixed ^ (mixed >> 31);
        }
        secret
    }

    fn names(count: usize) -> Vec<Vec<u8>> {
        (0..count)
            .map(|number| {
                let label = format!("d{number:x}");
                let mut name = vec![label.len() as u8];
                name.extend(label.as_bytes());
                name.extend(b"\x02nu\x00");
                name
            })
            .collect()
    }

    #[test]
    fn every_entry_is_found_and_no_other() {
        for count in [0, 1, 2, 3, 10, 1000, 50_000] {
            let names = names(count);
            let entries: Vec<_> = names
                .iter()
                .zip(1..)
                .map(|(name, ns)| NamedEntry {
                    name,
                    slot: Slot {
                        kind: EntryKind::Delegation as u8,
                        ns,
                        ..Slot::EMPTY
                    },
                })
                .collect();
            let (table, secret) = (1..20)
                .find_map(|seed| Some((build(&entries, &secret(seed))?, secret(seed))))
                .expect("one of a few secrets does");
            let index = InMemory(table, secret);
            for (name, ns) in names.iter().zip(1..) {
                let upper = name.to_ascii_uppercase();
                let key = hash_name(&upper, &index.1);
                let slot = find(&index, &key, name.len()).expect("a consistent index");
                assert_eq!(slot.map(|slot| slot.ns), Some(ns));
            }
            for stranger in 0..1000 {
                let name = format!("\x06x{stranger:05}\x02nu\0");
                let key = hash_name(name.as_bytes(), &index.1);
                assert_eq!(find(&index, &key, name.len()), Ok(None));
            }
        }
    }

    #[test]
    fn the_same_name_twice_is_refused() {
        let entry = || NamedEntry {
            name: b"\x02nu\x00",
            slot: Slot {
                kind: EntryKind::Apex as u8,
                ..Slot::EMPTY
            },
        };
        assert!(build(&[entry(), entry()], &secret(7)).is_none());
    }
}
