//! Zones that are taken over from an earlier generation: as they lie there,
//! without a look at their text.
//!
//! The keys of their names are those of the earlier generation's secret, which
//! the new one keeps. Each zone has slabs of its own, so its pieces go along
//! slab by slab, and every reference to one shifts by the same. Nothing else
//! of the earlier generation is looked at, so nothing of a zone that has
//! changed stays behind.

use std::ops::Range;

use dns_glue_common::index::{Bucket, Depths, EntryKind, HashSecret, Slot};
use dns_glue_common::referral::{PIECE_ALIGN, Piece, Pieces, SLAB_OCTETS, Slab};

use super::depths::{ChosenDepths, LabelCounts};

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

    /// The entries of zones that are taken over, bucket by bucket. `starts` are
    /// the slabs at which their pieces begin now, by the number of the zone.
    pub(super) fn entries(&self, starts: &[Option<usize>]) -> impl Iterator<Item = TakenEntry> {
        let shifts: Vec<Option<u32>> = self
            .shares
            .iter()
            .zip(starts)
            .map(|(share, start)| {
                let shift = start.as_ref()?.wrapping_sub(share.as_ref()?.slabs.start);
                // Only the low bits count, as the sum is a reference again.
                Some(shift.wrapping_mul(SLAB_REFERENCES) as u32)
            })
            .collect();
        let slots = self.tables.buckets.iter().flat_map(|Bucket(slots)| slots);
        slots.filter_map(move |slot| {
            let shift = shifts.get(usize::from(slot.zone)).copied().flatten();
            shift
                .filter(|_| is_of_a_zone(slot))
                .map(|shift| self.shifted(slot, shift))
        })
    }

    fn shifted(&self, slot: &Slot, shift: u32) -> TakenEntry {
        let moved = |reference: u32| match reference {
            0 => 0,
            reference => reference.wrapping_add(shift),
        };
        let signed = match slot.has(Slot::SIGNED_GLUE) {
            true => Piece::at(&self.tables, slot.glue).map_or(0, |glue| glue.with_signatures()),
            false => 0,
        };
        TakenEntry {
            slot: Slot {
                // It is for the table to say.
                flags: slot.flags & !Slot::OVERFLOWED,
                ns: moved(slot.ns),
                proof: moved(slot.proof),
                glue: moved(slot.glue),
                ..*slot
            },
            signed_glue: moved(signed),
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

/// Whether a slot holds a name of a zone other than its apex; those are added
/// to every generation anew.
fn is_of_a_zone(slot: &Slot) -> bool {
    let apex = [EntryKind::Apex as u8, EntryKind::Served as u8];
    slot.name_octets != 0 && !apex.contains(&slot.kind)
}
