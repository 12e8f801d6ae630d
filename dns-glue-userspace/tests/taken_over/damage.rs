//! Zones that are taken over from tables to which somebody has written.

use std::collections::HashSet;

use dns_glue::compile::encode::WITH_SIGNATURES_AT;
use dns_glue::conform::random::{Draw as _, Random};
use dns_glue_common::index::{Bucket, EntryKind, NameKey, Slot};
use dns_glue_common::referral::{PIECE_ALIGN, SLAB_OCTETS};
use proptest::prelude::*;

use super::{Compiled, Folder, answers_to, assert_as_from_scratch, compile, next, taken, zones};

/// Two siblings, of which the second changes.
const APEXES: [&str; 2] = ["test.", "example."];

/// References in a slab.
const SLAB: u32 = (SLAB_OCTETS / PIECE_ALIGN) as u32;

/// The slots of delegations that have all kinds of pieces.
fn has_everything(slot: &Slot) -> bool {
    let is_delegation = slot.name_octets != 0 && slot.kind == EntryKind::Delegation as u8;
    is_delegation && slot.has(Slot::SIGNED_GLUE) && slot.proof != 0
}

/// Zones of which the first has a delegation with all kinds of pieces.
fn before(folder: &Folder) -> Compiled {
    let choice = folder.choice(&APEXES);
    folder.write("1", &zones::text(3));
    let seed = (1..).find(|seed| {
        folder.write("0", &zones::text(*seed));
        slots(&mut compile(&choice)).any(|slot| slot.zone == 0 && has_everything(slot))
    });
    assert!(seed.is_some());
    compile(&choice)
}

fn slots(compiled: &mut Compiled) -> impl Iterator<Item = &mut Slot> {
    let buckets = compiled.generation.buckets.iter_mut();
    buckets.flat_map(|Bucket(slots)| slots)
}

/// What can be seen to be wrong is not taken over.
#[test]
fn entries_that_are_not_those_that_were_made_are_compiled_anew() {
    /// What is wrong with a slot, and how it comes to be so.
    type Change = (&'static str, fn(&mut Slot));
    let changes: [Change; 13] = [
        ("no such slab", |slot| slot.glue = u32::MAX),
        ("no such slab", |slot| slot.ns = 1000 * SLAB),
        ("no such slab", |slot| slot.proof |= 1 << 31),
        // The slabs of the other zone lie behind those of this one, or before.
        ("another zone's", |slot| slot.glue ^= SLAB),
        ("another zone's", |slot| slot.ns ^= SLAB),
        ("none", |slot| slot.glue = 0),
        ("another place", |slot| slot.key.0[..2].fill(0)),
        ("another zone", |slot| slot.zone = 1),
        ("no zone", |slot| slot.zone = 77),
        ("gone", |slot| slot.name_octets = 0),
        ("gone", |slot| *slot = Slot::EMPTY),
        ("an apex", |slot| slot.kind = EntryKind::Apex as u8),
        ("nothing", |slot| slot.kind = 99),
    ];
    let folder = Folder::new();
    let choice = folder.choice(&APEXES);
    for (what, change) in changes {
        let mut before = before(&folder);
        let slabs = before.generation.slabs.len();
        assert_eq!(slabs, 2, "one a zone");
        let slot = slots(&mut before).find(|slot| slot.zone == 0 && has_everything(slot));
        change(slot.expect("it was looked for"));
        folder.write("1", &zones::text(4));
        let after = next(&choice, &before, &choice);
        assert_eq!(taken(&before, &after), [false, false], "{what}");
        assert_as_from_scratch(&after, &choice);
    }
}

/// A piece that names what is no piece of its zone.
#[test]
fn glue_that_names_no_piece_with_signatures_is_compiled_anew() {
    let folder = Folder::new();
    let choice = folder.choice(&APEXES);
    for reference in [u32::MAX, 1 << 20] {
        let mut before = before(&folder);
        let slot = slots(&mut before).find(|slot| slot.zone == 0 && has_everything(slot));
        let place = slot.expect("it was looked for").glue as usize * PIECE_ALIGN;
        let slab = &mut before.generation.slabs[place / SLAB_OCTETS];
        let named = place % SLAB_OCTETS + WITH_SIGNATURES_AT;
        slab.0[named..named + 4].copy_from_slice(&reference.to_le_bytes());
        folder.write("1", &zones::text(4));
        let after = next(&choice, &before, &choice);
        assert_eq!(taken(&before, &after), [false, false], "{reference}");
        assert_as_from_scratch(&after, &choice);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever was written there: something comes of it, and the zone that is
    /// read is answered for as it is, unless an entry came to the other one that
    /// is none of its own.
    #[test]
    fn scribbles_end_nothing_and_reach_no_other_zone(
        zone: u64,
        times in 1_usize..6,
        at_entries: bool,
        seed: u64,
    ) {
        let folder = Folder::new();
        let choice = folder.choice(&APEXES);
        folder.write("0", &zones::text(zone));
        folder.write("1", &zones::text(!zone));
        let mut before = compile(&choice);
        let mut random = Random(seed);
        let keys = keys_of_first(&mut before);
        for _ in 0..times {
            scribble(&mut before, at_entries, &mut random);
        }
        let has_strangers = !keys_of_first(&mut before).is_subset(&keys);
        folder.write("1", &zones::text(seed));
        let after = next(&choice, &before, &choice);
        let scratch = compile(&choice);
        let names = || {
            let names = zones::names().into_iter();
            names.filter(|name| name.ends_with("example.")).collect()
        };
        let [own, other] = [&after, &scratch].map(|one| answers_to(&one.generation, names()));
        prop_assert!(has_strangers || own == other, "{own:?} instead of {other:?}");
        match taken(&before, &after)[..] {
            [false, false] => assert_as_from_scratch(&after, &choice),
            // What is taken over is what was written there.
            _ => drop(super::answers(&after.generation)),
        }
    }
}

/// The keys of what is said to be of the first zone.
fn keys_of_first(compiled: &mut Compiled) -> HashSet<NameKey> {
    let entries = slots(compiled).filter(|slot| slot.name_octets != 0 && slot.zone == 0);
    entries.map(|slot| slot.key).collect()
}

/// Writes something somewhere: as an entry would have it, or any octets.
fn scribble(compiled: &mut Compiled, at_entries: bool, random: &mut Random) {
    if at_entries && random.once_in(2) {
        scribble_at_slot(compiled, random);
        return;
    }
    let octets: &mut [u8] = if at_entries {
        bytemuck::cast_slice_mut(&mut compiled.generation.buckets)
    } else {
        bytemuck::cast_slice_mut(&mut compiled.generation.slabs)
    };
    let count = *random.pick(&[1, 4, 8, 32, 64]);
    // Where something is, mostly: most of a slab is empty.
    let near = if random.once_in(2) {
        4096
    } else {
        octets.len()
    };
    let start = random.below(near.min(octets.len()) / count) * count;
    for octet in &mut octets[start..start + count] {
        *octet = *random.pick(&[0, 1, 0x7f, 0x80, 0xff]);
        if random.once_in(2) {
            *octet = random.next() as u8;
        }
    }
}

fn scribble_at_slot(compiled: &mut Compiled, random: &mut Random) {
    // Of pieces, of glue that names a brother, or of anything, some in no slab.
    let references = (compiled.generation.slabs.len() + 1) * SLAB as usize;
    let anywhere = random.below(references) as u32;
    let pieces = slots(compiled).flat_map(|slot| [slot.ns, slot.proof, slot.glue]);
    let pieces: Vec<u32> = pieces.chain([anywhere]).collect();
    let signed = slots(compiled).filter(|slot| slot.has(Slot::SIGNED_GLUE));
    let signed: Vec<u32> = signed.map(|slot| slot.glue).chain([anywhere]).collect();
    let slots = slots(compiled).filter(|slot| slot.name_octets != 0);
    let mut slots: Vec<&mut Slot> = slots.collect();
    let place = random.below(slots.len());
    let slot = &mut slots[place];
    match random.below(6) {
        0 => slot.ns = *random.pick(&pieces),
        1 => slot.proof = *random.pick(&pieces),
        2 | 3 => {
            slot.glue = *random.pick(&signed);
            slot.flags |= Slot::SIGNED_GLUE;
        }
        4 => slot.zone = random.below(3) as u8,
        _ => slot.flags = random.next() as u8,
    }
}
