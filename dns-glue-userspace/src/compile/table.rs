//! The delegation index: a cuckoo table of buckets with two slots.
//!
//! A lookup that has to go on to the second place waits for memory once more,
//! which with many entries is what it waits for most. So entries are to lie in
//! their first places: there they push out guests, entries that are in their
//! second.

use dns_glue_common::index::{Bucket, HashSecret, NameKey, Slot, hash_suffix};
use dns_glue_common::limits::{HEADER_OCTETS, MAX_QUERY_OCTETS};
use dns_glue_common::wire::{Message, MessageBuffer};

/// Slots for each entry, in percent. Two-choice tables with buckets of two fill
/// to about 89 % before an insertion fails; at 70 % one entry in four lies in its
/// second place, at 82 % it would be one in three.
const SLOTS_PER_ENTRY_PERCENT: usize = 143;
/// How often an entry may push out another before another secret is drawn.
const MAX_MOVES: usize = 1000;
/// Entries whose places are fetched together.
const AHEAD: usize = 16;

/// Hashes names as the program does.
pub struct NameHasher<'s> {
    secret: &'s HashSecret,
    /// Where the program has the name in a query.
    buffer: Box<MessageBuffer>,
}

impl<'s> NameHasher<'s> {
    /// Hashes with this secret.
    pub fn new(secret: &'s HashSecret) -> Self {
        Self {
            secret,
            buffer: Box::new(MessageBuffer::EMPTY),
        }
    }

    /// The key of a name in wire form.
    pub fn hash(&mut self, name: &[u8]) -> NameKey {
        // What an earlier name left behind this one is not read.
        self.buffer.0[HEADER_OCTETS..HEADER_OCTETS + name.len()].copy_from_slice(name);
        let message = Message::new(&self.buffer, MAX_QUERY_OCTETS);
        hash_suffix(&message, 0, name.len(), self.secret)
    }

    /// The entry of a name: `slot` with key and length.
    pub fn entry(&mut self, name: &[u8], slot: Slot) -> Slot {
        Slot {
            key: self.hash(name),
            name_octets: u8::try_from(name.len()).expect("a name has at most 255 octets"),
            ..slot
        }
    }
}

/// The table under way.
pub struct Table {
    buckets: Vec<Bucket>,
    count: u32,
    /// Chooses which slot is pushed out: a xorshift generator, because entries
    /// that take turns soon go round in circles.
    chance: u32,
}

impl Table {
    /// An empty table for so many entries.
    pub fn for_entries(entries: usize) -> Self {
        // Two more, so that a handful of entries find places too.
        let count = entries * SLOTS_PER_ENTRY_PERCENT / 200 + 2;
        Self {
            buckets: bytemuck::zeroed_vec(count),
            count: u32::try_from(count).expect("the compiler bounds the entries"),
            chance: 0x9e37_79b9,
        }
    }

    /// Adds entries, in their order; `None` if this secret does not do, because
    /// two names have the same key or an entry finds no place: then another is
    /// drawn.
    pub fn insert_all(&mut self, slots: &[Slot]) -> Option<()> {
        for slots in slots.chunks(AHEAD) {
            self.fetch(slots);
            for slot in slots {
                self.insert(*slot)?;
            }
        }
        Some(())
    }

    /// Looks at the places of some entries, without any order among them: so
    /// the processor waits for the memory of all of them at once.
    fn fetch(&self, slots: &[Slot]) {
        let lengths = slots.iter().map(|slot| {
            let (first, second) = slot.key.places(self.count);
            let [Bucket(first), Bucket(second)] =
                [first, second].map(|place| &self.buckets[place as usize]);
            u32::from(first[0].name_octets) + u32::from(second[0].name_octets)
        });
        std::hint::black_box(lengths.sum::<u32>());
    }

    /// The table, once all entries are in it.
    pub fn finish(mut self) -> Vec<Bucket> {
        self.mark_overflows();
        self.buckets
    }

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
        let mut homeless = slot;
        let mut place = first;
        for _ in 0..MAX_MOVES {
            if self.put(place, homeless) {
                return Some(());
            }
            // Full: take the place of an entry, which goes to its other one.
            let victim = self.choose_victim(place, &homeless);
            let Bucket(slots) = &mut self.buckets[place as usize];
            std::mem::swap(&mut slots[victim], &mut homeless);
            place = other_place(&homeless, place, self.count);
        }
        None
    }

    /// Which of the two has to leave a full bucket: for an entry that is in its
    /// first place a guest, if there is one.
    fn choose_victim(&mut self, place: u32, newcomer: &Slot) -> usize {
        let Bucket(slots) = &self.buckets[place as usize];
        let is_guest = |slot: &Slot| slot.key.places(self.count).0 != place;
        match slots.each_ref().map(is_guest) {
            [true, false] if !is_guest(newcomer) => 0,
            [false, true] if !is_guest(newcomer) => 1,
            _ => self.next_chance(),
        }
    }

    fn next_chance(&mut self) -> usize {
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
    use bytemuck::Zeroable;
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

    fn build(entries: &[(&Vec<u8>, Slot)], secret: &HashSecret) -> Option<Vec<Bucket>> {
        let mut hasher = NameHasher::new(secret);
        let slots: Vec<Slot> = entries
            .iter()
            .map(|(name, slot)| hasher.entry(name, *slot))
            .collect();
        let mut table = Table::for_entries(slots.len());
        table.insert_all(&slots)?;
        Some(table.finish())
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
            let entry = |ns| Slot {
                kind: EntryKind::Delegation as u8,
                ns,
                ..Slot::EMPTY
            };
            let entries: Vec<_> = names.iter().zip((1..).map(entry)).collect();
            let (table, secret) = (1..20)
                .find_map(|seed| Some((build(&entries, &secret(seed))?, secret(seed))))
                .expect("one of a few secrets does");
            let index = InMemory(table, secret);
            for (name, ns) in names.iter().zip(1..) {
                let upper = name.to_ascii_uppercase();
                let key = NameHasher::new(&index.1).hash(&upper);
                let slot = find(&index, &key, name.len()).expect("a consistent index");
                assert_eq!(slot.map(|slot| slot.ns), Some(ns));
            }
            for stranger in 0..1000 {
                let name = format!("\x06x{stranger:05}\x02nu\0");
                let key = NameHasher::new(&index.1).hash(name.as_bytes());
                assert_eq!(find(&index, &key, name.len()), Ok(None));
            }
        }
    }

    /// By chance it would be two in five.
    #[test]
    fn most_entries_lie_in_their_first_place() {
        let names = names(50_000);
        let slot = Slot {
            kind: EntryKind::Delegation as u8,
            ..Slot::EMPTY
        };
        let entries: Vec<_> = names.iter().map(|name| (name, slot)).collect();
        let table = build(&entries, &secret(7)).expect("a table");
        let buckets = table.len() as u32;
        let is_guest = |(place, slot): &(u32, &Slot)| slot.key.places(buckets).0 != *place;
        let slots = (0..).zip(&table).flat_map(|(place, Bucket(slots))| {
            let taken = slots.iter().filter(|slot| slot.name_octets != 0);
            taken.map(move |slot| (place, slot))
        });
        let guests = slots.filter(is_guest).count();
        assert!(guests * 100 < names.len() * 27, "{guests} guests");
    }

    #[test]
    fn the_same_name_twice_is_refused() {
        let name = b"\x02nu\x00".to_vec();
        let slot = Slot {
            kind: EntryKind::Apex as u8,
            ..Slot::EMPTY
        };
        assert!(build(&[(&name, slot)], &secret(7)).is_some());
        assert!(build(&[(&name, slot), (&name, slot)], &secret(7)).is_none());
    }
}
