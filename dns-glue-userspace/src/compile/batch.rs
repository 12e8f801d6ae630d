//! What a worker hands over: pieces that are not stored yet, and entries that
//! name them.

use std::num::NonZero;

use dns_glue_common::index::Slot;
use dns_glue_common::referral::Kind;

use super::encode::{Base, Encoded, EncodedView, End};
use crate::zone::faults::Fault;

/// What a worker makes of a part of the delegations.
pub struct Batch<'z, N> {
    /// The pieces that were not met in an earlier part of the same worker.
    pub pieces: PieceRun,
    /// Delegations; pieces by number plus one. Length 0 if the name is not
    /// looked for by the program.
    pub slots: Vec<Slot>,
    /// Names found at which the search stops.
    pub stop_slots: Vec<Slot>,
    /// The faults that make them stops.
    pub faults: Vec<Fault<'z>>,
    /// What is wanted to be known of each delegation.
    pub notes: N,
}

/// Pieces one behind the other, without an allocation for each.
#[derive(Default)]
pub struct PieceRun {
    records: Vec<u8>,
    relocations: Vec<(Kind, u16)>,
    ends: Vec<End>,
    pieces: Vec<Made>,
    /// The number of the zone of the next piece.
    zone: usize,
    /// Pieces of earlier runs of the same worker.
    earlier: u32,
}

/// A piece of a run: where its parts end.
struct Made {
    records: usize,
    relocations: usize,
    ends: usize,
    with_signatures: Option<NonZero<u32>>,
    base: Base,
    zone: usize,
}

/// A piece of a run.
pub struct MadePiece<'r> {
    /// The piece.
    pub encoded: EncodedView<'r>,
    /// The number plus one of the same glue with signatures.
    pub with_signatures: Option<NonZero<u32>>,
    /// What it is to be laid out for, if it is new.
    pub base: Base,
    /// The number of its zone.
    pub zone: usize,
}

impl PieceRun {
    /// The next run of a worker that has made so many pieces.
    pub fn behind(earlier: u32) -> Self {
        Self {
            earlier,
            ..Self::default()
        }
    }

    /// Pieces of all runs up to here.
    pub fn made(&self) -> u32 {
        let own = u32::try_from(self.pieces.len()).expect("a piece has more octets than one");
        self.earlier + own
    }

    /// The next pieces are of the zone of that number.
    pub fn go_to_zone(&mut self, zone: usize) {
        self.zone = zone;
    }

    /// Adds a piece; returns its number plus one.
    pub fn push(
        &mut self,
        piece: &Encoded,
        with_signatures: Option<NonZero<u32>>,
        base: Base,
    ) -> u32 {
        self.records.extend_from_slice(&piece.records);
        self.relocations.extend_from_slice(&piece.relocations);
        self.ends.extend_from_slice(&piece.ends);
        self.pieces.push(Made {
            records: self.records.len(),
            relocations: self.relocations.len(),
            ends: self.ends.len(),
            with_signatures,
            base,
            zone: self.zone,
        });
        self.made()
    }

    /// The pieces of this run in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = MadePiece<'_>> {
        let (mut records, mut relocations, mut ends) = (0, 0, 0);
        self.pieces.iter().map(move |made| {
            let encoded = EncodedView {
                records: &self.records[records..made.records],
                relocations: &self.relocations[relocations..made.relocations],
                ends: &self.ends[ends..made.ends],
            };
            (records, relocations, ends) = (made.records, made.relocations, made.ends);
            MadePiece {
                encoded,
                with_signatures: made.with_signatures,
                base: made.base,
                zone: made.zone,
            }
        })
    }
}
