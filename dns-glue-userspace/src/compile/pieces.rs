//! The pieces of a generation: each stored once for its zone, laid out in slabs.
//!
//! *Invariant:* no slab holds pieces of two zones, so that a later generation can
//! take over those of one of them ([`super::earlier`]).

use std::hash::BuildHasher as _;
use std::ops::Range;

use bytemuck::Zeroable;
use dns_glue_common::referral::{PIECE_ALIGN, SLAB_OCTETS, Slab};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::encode::{Base, EncodedView, WITH_SIGNATURES_AT};

/// A piece that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PieceId(u32);

/// What is known of a piece beside its octets, which are in its slab.
struct Stored {
    /// Its place, in units of [`PIECE_ALIGN`] octets.
    reference: u32,
    /// Octets in its slab.
    octets: u16,
    /// The same glue with signatures.
    with_signatures: Option<PieceId>,
    hash: u32,
    /// Delegations that use it: 0, 1, or 2 for more.
    users: u8,
    /// Whether it is the proof of a delegation.
    is_proof: bool,
}

/// The pieces of a generation under way, equal ones found.
///
/// The octets in the slabs are all that is kept of a piece: what comes is laid
/// out for the place that the stored one was made for, and compared.
pub struct Pieces {
    slabs: Vec<Slab>,
    /// Those of each zone, by its number, that any are of.
    of_zones: Vec<Range<usize>>,
    /// The zone whose pieces come, if any have.
    zone: Option<usize>,
    /// Where the next piece starts in the last slab.
    next: usize,
    stored: Vec<Stored>,
    /// Numbers of those in `stored` that are of this zone, by their hashes.
    known: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Where a piece is laid out.
    layout: Vec<u8>,
}

/// How many pieces there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PieceCounts {
    /// Different ones.
    pub stored: usize,
    /// Those that more than one delegation uses.
    pub shared: usize,
}

impl Pieces {
    /// None yet.
    pub fn new() -> Self {
        Self {
            slabs: Vec::new(),
            of_zones: Vec::new(),
            zone: None,
            next: 0,
            stored: Vec::new(),
            known: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            layout: Vec::new(),
        }
    }

    /// Pieces of the zone of that number come, all of them before those of
    /// another.
    pub fn go_to_zone(&mut self, zone: usize) {
        if self.zone.replace(zone) == Some(zone) {
            return;
        }
        self.known.clear();
        let start = self.slabs.len();
        self.slabs.push(Slab::zeroed());
        // Reference 0 means none.
        self.next = PIECE_ALIGN;
        self.set_slabs(zone, start..start + 1);
    }

    /// Takes over all slabs of a zone; returns the number of the first.
    pub fn take_over(&mut self, zone: usize, slabs: &[Slab]) -> usize {
        let start = self.slabs.len();
        self.slabs.extend_from_slice(slabs);
        self.set_slabs(zone, start..self.slabs.len());
        start
    }

    fn set_slabs(&mut self, zone: usize, slabs: Range<usize>) {
        if self.of_zones.len() <= zone {
            self.of_zones.resize(zone + 1, 0..0);
        }
        let of_zone = &mut self.of_zones[zone];
        assert!(
            of_zone.start == of_zone.end,
            "the pieces of a zone come one behind the other"
        );
        *of_zone = slabs;
    }

    /// The slabs of each zone, by its number, that has any.
    pub fn slabs_of_zones(&self) -> &[Range<usize>] {
        &self.of_zones
    }

    /// Lets a piece that was taken over name its brother with signatures where
    /// that lies now. `reference` is in the slabs that were taken over.
    pub fn relink(&mut self, reference: u32, with_signatures: u32) {
        let place = reference as usize * PIECE_ALIGN;
        let at = place % SLAB_OCTETS + WITH_SIGNATURES_AT;
        let Slab(octets) = &mut self.slabs[place / SLAB_OCTETS];
        octets[at..at + 4].copy_from_slice(&with_signatures.to_le_bytes());
    }

    /// The piece with these records, new if the zone has none yet: then it is
    /// laid out for `base`.
    pub fn intern(
        &mut self,
        encoded: EncodedView<'_>,
        with_signatures: Option<PieceId>,
        base: Base,
    ) -> PieceId {
        // A piece with and without a signed brother: rare enough to collide.
        let hash = self.hasher.hash_one(encoded) as u32;
        if let Some(id) = self.find(hash, encoded, with_signatures) {
            return id;
        }
        let id = u32::try_from(self.stored.len()).expect("each piece has more octets than one");
        self.lay_out(encoded, with_signatures, base);
        let stored = Stored {
            reference: self.append(),
            octets: u16::try_from(self.layout.len()).expect("a piece ends in its slab"),
            with_signatures,
            hash,
            users: 0,
            is_proof: false,
        };
        self.stored.push(stored);
        let stored = &self.stored;
        self.known
            .insert_unique(spread(hash), id, |id| spread(stored[*id as usize].hash));
        PieceId(id)
    }

    /// The piece with these records, if it is stored.
    fn find(
        &mut self,
        hash: u32,
        encoded: EncodedView<'_>,
        with_signatures: Option<PieceId>,
    ) -> Option<PieceId> {
        let Self {
            slabs,
            stored,
            known,
            layout,
            ..
        } = self;
        let is_it = |id: &u32| {
            let other = &stored[*id as usize];
            if other.hash != hash || other.with_signatures != with_signatures {
                return false;
            }
            let signed = with_signatures.map_or(0, |PieceId(id)| stored[id as usize].reference);
            let octets = octets_of(slabs, other);
            encoded.place(base_of(octets), signed, layout);
            layout == octets
        };
        known.find(spread(hash), is_it).copied().map(PieceId)
    }

    fn lay_out(&mut self, encoded: EncodedView<'_>, with_signatures: Option<PieceId>, base: Base) {
        let signed = with_signatures.map_or(0, |id| self.reference(id));
        encoded.place(base, signed, &mut self.layout);
    }

    /// Puts what was laid out behind the last piece; returns its reference.
    fn append(&mut self) -> u32 {
        if self.next >= SLAB_OCTETS {
            self.slabs.push(Slab::zeroed());
            self.next = 0;
            let zone = self.zone.and_then(|zone| self.of_zones.get_mut(zone));
            zone.expect("a zone is begun before its pieces").end += 1;
        }
        let place = (self.slabs.len() - 1) * SLAB_OCTETS + self.next;
        let end = self.next + self.layout.len();
        let slab = self.slabs.last_mut().expect("a zone begins with one");
        // A slab has slack for the longest piece behind its last start.
        slab.0[self.next..end].copy_from_slice(&self.layout);
        self.next = end.next_multiple_of(PIECE_ALIGN);
        u32::try_from(place / PIECE_ALIGN)
            .expect("32 GiB of pieces are more than the index can name")
    }

    /// Notes that one more delegation uses a piece; returns the reference.
    pub fn use_once(&mut self, id: PieceId) -> u32 {
        let stored = &mut self.stored[id.0 as usize];
        stored.users = stored.users.saturating_add(1).min(2);
        let reference = stored.reference;
        if let Some(signed) = stored.with_signatures {
            self.use_once(signed);
        }
        reference
    }

    /// Notes that a piece is the proof of a delegation.
    pub fn note_proof(&mut self, id: PieceId) {
        self.stored[id.0 as usize].is_proof = true;
    }

    fn reference(&self, id: PieceId) -> u32 {
        self.stored[id.0 as usize].reference
    }

    /// How many pieces there are.
    pub fn counts(&self) -> PieceCounts {
        count(self.stored.iter())
    }

    /// How many of them are proofs.
    pub fn proof_counts(&self) -> PieceCounts {
        count(self.stored.iter().filter(|piece| piece.is_proof))
    }

    /// The slabs that hold all pieces.
    pub fn into_slabs(self) -> Vec<Slab> {
        self.slabs
    }
}

fn count<'p>(pieces: impl Iterator<Item = &'p Stored>) -> PieceCounts {
    let mut counts = PieceCounts::default();
    for piece in pieces {
        counts.stored += 1;
        counts.shared += usize::from(piece.users > 1);
    }
    counts
}

/// The octets of a stored piece.
fn octets_of<'s>(slabs: &'s [Slab], piece: &Stored) -> &'s [u8] {
    let place = piece.reference as usize * PIECE_ALIGN;
    let start = place % SLAB_OCTETS;
    &slabs[place / SLAB_OCTETS].0[start..start + usize::from(piece.octets)]
}

/// What a laid out piece was made for.
fn base_of(octets: &[u8]) -> Base {
    Base {
        qname: octets[16],
        start: u16::from_le_bytes([octets[18], octets[19]]),
    }
}

/// A hash of 32 bits as the table wants it: of 64, all of which tell names
/// apart.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
