//! The pieces of a generation: each stored once, packed into slabs.

use super::encode::Encoded;
use bytemuck::Zeroable;
use dns_glue_common::referral::{PIECE_ALIGN, SLAB_OCTETS, Slab};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A piece that was interned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PieceId(u32);

/// A piece with the place that it is made for: that of its first user.
struct Interned {
    encoded: Encoded,
    /// The same glue with signatures.
    with_signatures: Option<PieceId>,
    base: u8,
    base_start: u16,
    users: u32,
}

/// Pieces under way, equal ones found.
#[derive(Default)]
pub struct Pieces {
    pieces: Vec<Interned>,
    ids: HashMap<(Encoded, Option<u32>), PieceId>,
}

impl Pieces {
    /// The piece with these octets, new if there is none yet, for a QNAME of
    /// `base` octets and a start of `base_start` octets behind the question.
    pub fn intern(
        &mut self,
        encoded: Encoded,
        with_signatures: Option<PieceId>,
        base: u8,
        base_start: u16,
    ) -> PieceId {
        match self
            .ids
            .entry((encoded, with_signatures.map(|PieceId(id)| id)))
        {
            Entry::Occupied(entry) => {
                let id = *entry.get();
                self.pieces[id.0 as usize].users += 1;
                id
            }
            Entry::Vacant(entry) => {
                let id = PieceId(
                    u32::try_from(self.pieces.len())
                        .expect("each piece takes more octets than its number"),
                );
                self.pieces.push(Interned {
                    encoded: entry.key().0.clone(),
                    with_signatures,
                    base,
                    base_start,
                    users: 1,
                });
                entry.insert(id);
                id
            }
        }
    }

    /// Different pieces.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Pieces that more than one delegation uses.
    pub fn shared(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.users > 1).count()
    }

    /// Whether more than one delegation uses a piece.
    pub fn is_shared(&self, id: PieceId) -> bool {
        self.pieces[id.0 as usize].users > 1
    }

    /// Lays all pieces out; a piece's reference is at its id's place.
    pub fn pack(&self) -> (Vec<Slab>, Vec<u32>) {
        let mut slabs = vec![Slab::zeroed()];
        // Reference 0 means none.
        let mut next = PIECE_ALIGN;
        let mut references: Vec<u32> = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            // A piece is interned after the one that it names.
            let with_signatures = piece
                .with_signatures
                .map_or(0, |PieceId(id)| references[id as usize]);
            let octets = piece
                .encoded
                .place(piece.base, piece.base_start, with_signatures);
            if next >= SLAB_OCTETS {
                slabs.push(Slab::zeroed());
                next = 0;
            }
            let place = (slabs.len() - 1) * SLAB_OCTETS + next;
            let slab = slabs.last_mut().expect("there is always a slab");
            // A slab has slack for the longest piece behind its last start.
            slab.0[next..next + octets.len()].copy_from_slice(&octets);
            references.push(
                u32::try_from(place / PIECE_ALIGN)
                    .expect("32 GiB of pieces are more than the index can name"),
            );
            next = (next + octets.len()).next_multiple_of(PIECE_ALIGN);
        }
        (slabs, references)
    }
}

impl PieceId {
    /// The piece's reference among those of [`Pieces::pack`].
    pub fn reference(self, references: &[u32]) -> u32 {
        references[self.0 as usize]
    }
}
