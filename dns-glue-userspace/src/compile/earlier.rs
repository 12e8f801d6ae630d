//! Zones that are taken over from an earlier generation: as they lie there,
//! without a look at their text.
//!
//! The keys of their names are those of the earlier generation's secret, which
//! the new one keeps. Each zone has slabs of its own, so its pieces go along
//! slab by slab, and every reference to one shifts by the same. Nothing else
//! of the earlier generation is looked at, so nothing of a zone that has
//! changed stays behind.
//!
//! The maps are frozen once they are filled. What would follow from octets that
//! somebody has changed all the same is not taken on trust where it is seen at
//! no cost: no zone gets the pieces of another, nothing is written outside of
//! its own, and every entry is there, where a lookup finds it. An entry of another
//! zone in the place of one of its own is not seen, if it names no piece; the pieces
//! themselves are copied as they are: to know them again would take a digest of
//! all of them with every generation.

use std::ops::Range;

use dns_glue_common::index::{Bucket, Depths, EntryKind, HashSecret, Slot};
use dns_glue_common::referral::{PIECE_ALIGN, Piece, Pieces, SLAB_OCTETS, Slab};

use super::depths::{ChosenDepths, LabelCounts};

/// Why nothing of a generation is taken over: its tables are not those that the
/// compiler made, so somebody has written to its maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A lookup of its name would not find it.
    #[error("an entry of zone number {0} does not lie where its key belongs")]
    Misplaced(u8),
    /// It is no delegation and no stop.
    #[error("an entry of zone number {zone} is of an unknown kind ({kind})")]
    Kind {
        /// The number of its zone.
        zone: u8,
        /// What stands there.
        kind: u8,
    },
    /// A referral would be made of other octets.
    #[error("an entry of zone number {0} names a piece outside of its zone's")]
    Reference(u8),
    /// Entries are missing, or there are some that nobody has made.
    #[error("zone number {zone} has {found} entries instead of {made}")]
    Entries {
        /// The number of the zone.
        zone: usize,
        /// How many there are.
        found: usize,
        /// How many the compiler has made.
        made: usize,
    },
}

/// References to pieces in one slab.
const SLAB_REFERENCES: usize = SLAB_OCTETS / PIECE_ALIGN;

/// What a generation is made of, in memory or in its maps.
#[derive(Clone, Copy)]
pub struct Tables<'t> {
    /// Map `INDEX`.
    pub buckets: &'t [Bucket],
    /// Map `PIECES`.
    pub slabs: &'t [Slab],
    /// Global `SECRET`.
    pub secret: &'t HashSecret,
    /// Global `DEPTHS`.
    pub depths: &'t Depths,
}

impl Pieces for Tables<'_> {
    fn slab(&self, number: u32) -> Option<&Slab> {
        self.slabs.get(number as usize)
    }
}

/// What a zone has in a generation, by which a later one takes it over.
#[derive(Clone, Debug)]
pub struct Share {
    /// The slabs with its pieces, and with no others.
    pub(super) slabs: Range<usize>,
    /// Of its delegations and stops, but for the apex.
    pub(super) labels: LabelCounts,
}

/// A generation from which zones are taken over.
pub struct Earlier<'e> {
    /// Its tables.
    pub tables: Tables<'e>,
    /// What each zone that is taken over has in it, by the number of the zone,
    /// which is the same there and here; `None` for the others.
    pub shares: Vec<Option<&'e Share>>,
    /// Whether one that is taken over holds DELEG records.
    pub holds_deleg: bool,
}

impl Earlier<'_> {
    /// How many zones are taken over.
    pub(super) fn zones(&self) -> usize {
        self.shares.iter().flatten().count()
    }

    /// Whether what is taken over is just what the program looks for with these
    /// depths: names may have been left out that it would have to find now, or
    /// the other way round.
    pub(super) fn fits(&self, depths: &ChosenDepths) -> bool {
        let before = ChosenDepths::of_table(self.tables.depths);
        let shares = self.shares.iter().flatten();
        shares
            .flat_map(|share| share.labels.used())
            .all(|labels| before.hold_labels(labels) == depths.hold_labels(labels))
    }

    /// Hands the entries of zones that are taken over to `each`, bucket by
    /// bucket. `starts` are the slabs at which their pieces begin now, by the
    /// number of the zone.
    ///
    /// # Errors
    ///
    /// They are not those that were made; some were handed over.
    pub(super) fn each_entry(
        &self,
        starts: &[Option<usize>],
        mut each: impl FnMut(TakenEntry),
    ) -> Result<(), Damage> {
        let mut moves: Vec<Option<Move>> = self.moves(starts).collect();
        let buckets = self.tables.buckets;
        let count = u32::try_from(buckets.len()).expect("the compiler bounds the entries");
        for (place, Bucket(slots)) in (0..).zip(buckets) {
            for slot in slots.iter().filter(|slot| is_of_a_zone(slot)) {
                let Some(Some(of_zone)) = moves.get_mut(usize::from(slot.zone)) else {
                    continue;
                };
                let (first, second) = slot.key.places(count);
                if place != first && place != second {
                    return Err(Damage::Misplaced(slot.zone));
                }
                of_zone.found += 1;
                each(self.moved(slot, of_zone)?);
            }
        }
        let moves = moves.iter().enumerate();
        let counts = moves.filter_map(|(zone, of_zone)| Some((zone, of_zone.as_ref()?)));
        for (zone, Move { found, made, .. }) in counts {
            let (found, made) = (*found, *made);
            if found != made {
                return Err(Damage::Entries { zone, found, made });
            }
        }
        Ok(())
    }

    /// Of each zone what becomes of its references, by its number.
    fn moves(&self, starts: &[Option<usize>]) -> impl Iterator<Item = Option<Move>> {
        let depths = ChosenDepths::of_table(self.tables.depths);
        let shares = self.shares.iter().zip(starts);
        shares.map(move |(share, start)| {
            let (share, start) = ((*share)?, (*start)?);
            let [first, end] = [share.slabs.start, share.slabs.end];
            let shift = start.wrapping_sub(first);
            Some(Move {
                references: first * SLAB_REFERENCES..end * SLAB_REFERENCES,
                // Only the low bits count, as the sum is a reference again.
                shift: shift.wrapping_mul(SLAB_REFERENCES) as u32,
                found: 0,
                made: share.labels.held(&depths),
            })
        })
    }

    fn moved(&self, slot: &Slot, of_zone: &Move) -> Result<TakenEntry, Damage> {
        let Slot { zone, kind, .. } = *slot;
        if !KINDS.contains(&kind) {
            return Err(Damage::Kind { zone, kind });
        }
        let moved = |reference: u32| of_zone.moved(reference).ok_or(Damage::Reference(zone));
        let signed = match (slot.has(Slot::SIGNED_GLUE), slot.glue) {
            (false, _) => 0,
            (true, 0) => return Err(Damage::Reference(zone)),
            (true, glue) => {
                moved(glue)?;
                let glue = Piece::at(&self.tables, glue);
                glue.map_or(0, |glue| glue.with_signatures())
            }
        };
        Ok(TakenEntry {
            slot: Slot {
                // It is for the table to say.
                flags: slot.flags & !Slot::OVERFLOWED,
                ns: moved(slot.ns)?,
                proof: moved(slot.proof)?,
                glue: moved(slot.glue)?,
                ..*slot
            },
            signed_glue: moved(signed)?,
        })
    }
}

/// What becomes of the references of a zone.
struct Move {
    /// Those to its own pieces.
    references: Range<usize>,
    /// What each gains.
    shift: u32,
    /// Entries so far.
    found: usize,
    /// Entries that the compiler has made.
    made: usize,
}

impl Move {
    /// Where a piece lies now, 0 staying 0; `None` if it is none of the zone.
    fn moved(&self, reference: u32) -> Option<u32> {
        match reference {
            0 => Some(0),
            _ if !self.references.contains(&(reference as usize)) => None,
            _ => Some(reference.wrapping_add(self.shift)),
        }
    }
}

/// An entry of a zone that is taken over.
pub(super) struct TakenEntry {
    /// With references that hold now.
    pub(super) slot: Slot,
    /// What its glue has to name as its brother with signatures; 0 for none.
    pub(super) signed_glue: u32,
}

/// What entries of a zone are, but for its apex.
const KINDS: [u8; 3] = [
    EntryKind::Delegation as u8,
    EntryKind::Dname as u8,
    EntryKind::Refused as u8,
];

/// Whether a slot holds a name of a zone other than its apex; those are added
/// to every generation anew.
fn is_of_a_zone(slot: &Slot) -> bool {
    let apex = [EntryKind::Apex as u8, EntryKind::Served as u8];
    slot.name_octets != 0 && !apex.contains(&slot.kind)
}
