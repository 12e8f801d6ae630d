//! What the workers make, and what is taken over, put together.

use std::ops::Range;

use dns_glue_common::index::{Bucket, HashSecret, Slot};
use dns_glue_common::referral::Slab;

use super::batch::Batch;
use super::depths::{ChosenDepths, LabelCounts};
use super::earlier::{Damage, Earlier, Share};
use super::pieces::{PieceCounts, PieceId, Pieces};
use super::stop_entry;
use super::table::{NameHasher, Table};
use crate::zone::cuts::Stop;
use crate::zone::faults::Fault;

/// Entries that are taken over before they are put into the table.
const TAKEN_AT_ONCE: usize = 1024;

/// Puts together what the workers hand over, in the order of the parts: so the
/// same zone and secret give the same generation, whichever worker was faster.
pub struct Merger<'z> {
    pieces: Pieces,
    /// `None` once an entry found no place.
    table: Option<Table>,
    /// The pieces that each worker made.
    made: Vec<Vec<PieceId>>,
    faults: Vec<Fault<'z>>,
}

impl<'z> Merger<'z> {
    /// Nothing yet, with room for so many entries.
    pub fn new(entries: usize) -> Self {
        Self {
            pieces: Pieces::new(),
            table: Some(Table::for_entries(entries)),
            made: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Adds stops that are known before any part is looked at.
    pub fn add_stops(&mut self, stops: &[Stop<'z>], depths: &ChosenDepths, secret: &HashSecret) {
        let mut hasher = NameHasher::new(secret);
        let looked_for = stops.iter().filter(|stop| depths.hold(stop.name));
        let slots: Vec<Slot> = looked_for
            .filter_map(|stop| stop_entry(stop, &mut hasher))
            .collect();
        self.insert(&slots);
    }

    /// Takes over what zones have in an earlier generation.
    ///
    /// # Errors
    ///
    /// It is not what was made: then nothing is to become of what is here.
    pub fn take_over(&mut self, earlier: &Earlier<'_>) -> Result<(), Damage> {
        let shares = earlier.shares.iter().enumerate();
        let starts: Vec<Option<usize>> = shares
            .map(|(zone, share)| {
                let slabs = &earlier.tables.slabs[share.as_ref()?.slabs.clone()];
                Some(self.pieces.take_over(zone, slabs))
            })
            .collect();
        let mut slots = Vec::with_capacity(TAKEN_AT_ONCE);
        earlier.each_entry(&starts, |entry| {
            if entry.signed_glue != 0 {
                self.pieces.relink(entry.slot.glue, entry.signed_glue);
            }
            slots.push(entry.slot);
            if slots.len() == TAKEN_AT_ONCE {
                self.insert(&slots);
                slots.clear();
            }
        })?;
        self.insert(&slots);
        Ok(())
    }

    fn insert(&mut self, slots: &[Slot]) {
        if let Some(table) = &mut self.table
            && table.insert_all(slots).is_none()
        {
            self.table = None;
        }
    }

    /// Adds what a worker made of a part; returns the notes.
    pub fn add<N>(&mut self, worker: usize, batch: Batch<'z, N>) -> N {
        let Batch {
            pieces,
            mut slots,
            stop_slots,
            mut faults,
            notes,
        } = batch;
        if self.made.len() <= worker {
            self.made.resize_with(worker + 1, Vec::new);
        }
        let made = &mut self.made[worker];
        for piece in pieces.iter() {
            let with_signatures = piece
                .with_signatures
                .and_then(|number| piece_of(made, number.get()));
            self.pieces.go_to_zone(piece.zone);
            made.push(
                self.pieces
                    .intern(piece.encoded, with_signatures, piece.base),
            );
        }
        for slot in &mut slots {
            if slot.name_octets != 0
                && let Some(proof) = piece_of(made, slot.proof)
            {
                self.pieces.note_proof(proof);
            }
            for number in [&mut slot.ns, &mut slot.proof, &mut slot.glue] {
                if let Some(id) = piece_of(made, *number) {
                    *number = self.pieces.use_once(id);
                }
            }
        }
        slots.retain(|slot| slot.name_octets != 0);
        self.insert(&slots);
        self.insert(&stop_slots);
        self.faults.append(&mut faults);
        notes
    }

    /// What it has come to; `None` if an entry found no place.
    pub fn finish(self) -> Option<Merged<'z>> {
        Some(Merged {
            buckets: self.table?.finish(),
            counts: self.pieces.counts(),
            proof_counts: self.pieces.proof_counts(),
            of_zones: self.pieces.slabs_of_zones().to_vec(),
            slabs: self.pieces.into_slabs(),
            faults: self.faults,
        })
    }
}

/// Everything put together.
pub struct Merged<'z> {
    /// The index.
    pub buckets: Vec<Bucket>,
    /// All pieces.
    pub slabs: Vec<Slab>,
    /// The slabs of each zone, by its number, that has any.
    of_zones: Vec<Range<usize>>,
    /// How many pieces were made.
    pub counts: PieceCounts,
    /// How many of them are proofs.
    pub proof_counts: PieceCounts,
    /// The faults of delegations.
    pub faults: Vec<Fault<'z>>,
}

impl Merged<'_> {
    /// What each zone has in it.
    pub fn shares(&self, labels: Vec<LabelCounts>) -> Vec<Share> {
        let zones = labels.into_iter().enumerate();
        zones
            .map(|(zone, labels)| Share {
                slabs: self.of_zones.get(zone).cloned().unwrap_or_default(),
                labels,
            })
            .collect()
    }
}

/// The piece of a number plus one; `None` for 0.
fn piece_of(made: &[PieceId], number: u32) -> Option<PieceId> {
    let index = number.checked_sub(1)?;
    Some(made[index as usize])
}
