//! What a referral is made of: pieces, where they may end, what shifts in them.
//!
//! A referral is a header, the client's own question, up to three *pieces*, and
//! an OPT record. The pieces are the NS records; with DO the proof (DS, or the
//! denial, with signatures); and the glue. Many delegations share a piece, so
//! a piece knows nothing of where it will stand:
//!
//! - **Relocations**: the compression pointers in a piece. Each shifts by a
//!   number that depends on its [`Kind`], all of them 0 when the piece stands
//!   where it was made for.
//! - **Cut points**: after which records a piece may end, and what the piece
//!   up to there is: octets, records, pointers, and its checksum.
//!
//! # Layout of a piece
//!
//! ```text
//! 0   Extent  the whole piece                          16 octets
//! 16  u8      base: octets of the QNAME it was made for
//! 17  u8      cut points before the whole (0 to 126)
//! 18  u16     start it was made for, from the end of the question
//! 20  u32     the same glue with signatures: a piece, or 0
//! 24  u64     zero
//! 32          the records
//!             relocations, u16 each: kind (2 bits), offset (14 bits)
//!             cut points, an Extent each, from short to long
//! ```
//!
//! The records and the relocations are each padded to 8 octets. Numbers are
//! little-endian, except in the records.

use crate::frame::checksum::fold;
use crate::frame::read_back;
use crate::limits::{MAX_CUT_POINTS, MAX_RELOCATIONS, MAX_UDP_OCTETS};
use crate::reason::Reason;
use bytemuck::{Pod, Zeroable};

/// Octets of a slab in which a piece may start.
pub const SLAB_OCTETS: usize = 1 << 16;
/// Octets behind them, for the end of a piece that starts near the end.
pub const SLAB_SLACK: usize = 4096;
/// Pieces start at multiples of this, octets.
pub const PIECE_ALIGN: usize = 8;
/// Octets in front of a piece's records.
pub const PIECE_HEAD_OCTETS: usize = 32;
const _: () = assert!(
    PIECE_HEAD_OCTETS
        + MAX_UDP_OCTETS.next_multiple_of(8)
        + (2 * MAX_RELOCATIONS).next_multiple_of(8)
        + MAX_CUT_POINTS * size_of::<Extent>()
        <= SLAB_SLACK
);

/// A value of the map of pieces.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(8))]
pub struct Slab(pub [u8; SLAB_OCTETS + SLAB_SLACK]);

/// What shifts a compression pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Points to the whole cut name in the question: shifts by the octets of
    /// QNAME in front of it.
    Cut = 0,
    /// Points into the pieces, counted from the end of the question, or to a
    /// suffix of the cut name, counted from there too: shifts by the octets of
    /// QNAME beyond the base.
    Body = 1,
    /// Points into the piece itself: shifts like `Body`, and with the start of
    /// the piece.
    Own = 2,
}

/// Relocations that are read at once.
pub const RELOCATION_GROUP: usize = 4;

/// A relocation: kind in the two upper bits, offset among the records below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation(pub u16);

impl Relocation {
    /// A pointer at `offset` of a piece's records.
    pub const fn new(kind: Kind, offset: u16) -> Self {
        Self((kind as u16) << 14 | offset)
    }

    /// Offset among the records, octets.
    #[inline(always)]
    pub const fn offset(self) -> usize {
        (self.0 & 0x3fff) as usize
    }
}

/// A piece, or the part of it up to a cut point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Pod, Zeroable)]
#[repr(C)]
pub struct Extent {
    /// Octets of the records. Valid values: `0..=MAX_UDP_OCTETS`.
    pub octets: u16,
    /// Sum of the records as if they began at an even offset, modulo 65535;
    /// a number, not memory order.
    pub sum: u16,
    /// What the sum gains for each octet that pointers of `Kind::Cut` shift:
    /// 1 for each at an even offset, 256 for each at an odd one.
    pub gain_cut: u16,
    /// The same for `Kind::Body`.
    pub gain_body: u16,
    /// The same for `Kind::Own`.
    pub gain_own: u16,
    /// Relocations up to here. Valid values: `0..=MAX_RELOCATIONS`.
    pub relocations: u8,
    /// Records of the authority section.
    pub authority: u8,
    /// Records of the additional section.
    pub additional: u8,
    /// Bits: `Extent::TRUNCATED`, `Extent::PARTIAL`.
    pub flags: u8,
    /// Zero.
    pub unused: u16,
}
const _: () = assert!(size_of::<Extent>() == 16);

impl Extent {
    /// A reply that ends here must say TC=1.
    pub const TRUNCATED: u8 = 1 << 0;
    /// A reply that ends here lacks optional addresses, although it is the end
    /// of the piece: there are more than fit into any reply.
    pub const PARTIAL: u8 = 1 << 1;

    /// No octets.
    pub const EMPTY: Self = Self {
        octets: 0,
        sum: 0,
        gain_cut: 0,
        gain_body: 0,
        gain_own: 0,
        relocations: 0,
        authority: 0,
        additional: 0,
        flags: 0,
        unused: 0,
    };
}

/// How far the pointers of a piece shift, modulo 2^16: 16 bits for each
/// [`Kind`], from the lowest.
///
/// # Verifier
///
/// One number, so that a pointer's shift is cut out of a register, not chosen by
/// a branch: with three ways for each of 128 pointers the verifier would not
/// come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Shift(u64);

impl Shift {
    /// Not at all.
    pub const NONE: Self = Self(0);

    /// By these, for `Kind::Cut`, `Kind::Body` and `Kind::Own`.
    #[inline(always)]
    pub const fn new(cut: u16, body: u16, own: u16) -> Self {
        Self(cut as u64 | (body as u64) << 16 | (own as u64) << 32)
    }

    /// Whether no pointer shifts.
    #[inline(always)]
    pub const fn is_none(&self) -> bool {
        self.0 == 0
    }

    /// By how much a pointer shifts.
    #[inline(always)]
    pub const fn of(&self, relocation: Relocation) -> u16 {
        // Sixteen times the kind, in one shift and one mask.
        (self.0 >> (relocation.0 >> 10 & 0x30)) as u16
    }

    /// The sum of the records up to `extent` once its pointers are shifted,
    /// modulo 65535; a number.
    #[inline(always)]
    pub const fn sum(&self, extent: &Extent) -> u16 {
        let Self(shifts) = *self;
        let sum = extent.sum as u64
            + extent.gain_cut as u64 * residue(shifts as u16)
            + extent.gain_body as u64 * residue((shifts >> 16) as u16)
            + extent.gain_own as u64 * residue((shifts >> 32) as u16);
        fold(sum)
    }
}

/// A shift modulo 2^16 as a shift modulo 65535.
///
/// Shifts lie between -2^15 and 2^15; a pointer plus a shift never leaves 14
/// bits, so adding modulo 2^16 is adding, and the sum changes by the shift.
#[inline(always)]
const fn residue(shift: u16) -> u64 {
    if shift >= 0x8000 {
        // 65535 + (shift - 65536)
        shift as u64 - 1
    } else {
        shift as u64
    }
}

/// Where the pieces are.
pub trait Pieces {
    /// The slab of that number.
    fn slab(&self, number: u32) -> Option<&Slab>;
}

/// A piece in its slab.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// The slab.
    pub slab: &'a Slab,
    /// Offset of the piece in the slab. Valid values: `0..SLAB_OCTETS`.
    pub start: usize,
}

impl<'a> Piece<'a> {
    /// The piece that `reference` names: its place in units of
    /// [`PIECE_ALIGN`] octets over all slabs, never 0.
    ///
    /// # Errors
    ///
    /// `Inconsistent` if there is no such slab.
    #[inline(always)]
    pub fn at<P: Pieces>(pieces: &'a P, reference: u32) -> Result<Self, Reason> {
        const SHIFT: u32 = (SLAB_OCTETS / PIECE_ALIGN).trailing_zeros();
        let slab = pieces
            .slab(reference >> SHIFT)
            .ok_or(Reason::Inconsistent)?;
        Ok(Self {
            slab,
            start: (reference as usize * PIECE_ALIGN) & (SLAB_OCTETS - PIECE_ALIGN),
        })
    }

    /// The whole piece.
    #[inline(always)]
    pub fn whole(&self) -> Extent {
        self.extent_at(0)
    }

    /// Octets of the QNAME that the piece was made for.
    #[inline(always)]
    pub fn base(&self) -> u16 {
        self.number(16) & 0xff
    }

    /// Cut points before the whole.
    #[inline(always)]
    pub fn cut_points(&self) -> usize {
        (self.number(16) >> 8) as usize & MAX_CUT_POINTS
    }

    /// The start that the piece was made for, octets from the end of the
    /// question.
    #[inline(always)]
    pub fn base_start(&self) -> u16 {
        self.number(18)
    }

    /// The same glue with signatures, or 0.
    #[inline(always)]
    pub fn with_signatures(&self) -> u32 {
        self.number(20) as u32 | (self.number(22) as u32) << 16
    }

    /// Relocations `4 * group` to `4 * group + 3` of those that begin at offset
    /// `first`, a multiple of 8. Valid groups: those of which the first is below
    /// `whole().relocations`; the others are what is behind if they are not.
    ///
    /// # Verifier
    ///
    /// As `number`; four at a time, because the masks take as long as the load.
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "both terms are masked: their sum is below the slab's size, no panic is left"
    )]
    pub fn relocations(&self, first: usize, group: usize) -> [Relocation; RELOCATION_GROUP] {
        let offset = first + size_of::<u64>() * group;
        let at = (self.start & (SLAB_OCTETS - PIECE_ALIGN)) + (offset & (SLAB_SLACK - PIECE_ALIGN));
        let (groups, _) = self.slab.0.as_chunks::<8>();
        let group = u64::from_le_bytes(groups[at / 8]);
        [0, 16, 32, 48].map(|bit| Relocation((group >> bit) as u16))
    }

    /// The longest part of the piece that has at most `room` octets, of those
    /// that end at a cut point. The first cut point has 0 octets.
    ///
    /// # Verifier
    ///
    /// `note` is in map memory and holds where the search stands: each step
    /// reads it back, or there would be a way for each of the cut points.
    #[inline(always)]
    pub fn longest_within(&self, whole: &Extent, room: usize, note: &mut u16) -> Extent {
        let count = self.cut_points();
        let first = relocations_start(whole.octets) + padded(2 * whole.relocations as usize);
        let cut_point = |place: usize| first + size_of::<Extent>() * (place & MAX_CUT_POINTS);
        *note = 0;
        // Cut points are at most 127, so seven bits tell the last that fits.
        let mut step = 64;
        for _ in 0..7 {
            let candidate = read_back(note) as usize + step;
            if candidate < count && self.number(cut_point(candidate)) as usize <= room {
                *note = candidate as u16;
            }
            step >>= 1;
        }
        self.extent_at(cut_point(read_back(note) as usize))
    }

    #[inline(always)]
    fn extent_at(&self, offset: usize) -> Extent {
        let [relocations, authority] = self.number(offset + 10).to_le_bytes();
        let [additional, flags] = self.number(offset + 12).to_le_bytes();
        Extent {
            octets: self.number(offset),
            sum: self.number(offset + 2),
            gain_cut: self.number(offset + 4),
            gain_body: self.number(offset + 6),
            gain_own: self.number(offset + 8),
            relocations,
            authority,
            additional,
            flags,
            unused: 0,
        }
    }

    /// The number at `offset` of the piece, which is even.
    ///
    /// # Verifier
    ///
    /// Start and offset are masked, so their sum is below the slab's size by
    /// constants alone. By pairs of octets, so that a number is one load.
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "both terms are masked: their sum is below the slab's size, no panic is left"
    )]
    fn number(&self, offset: usize) -> u16 {
        let at = (self.start & (SLAB_OCTETS - PIECE_ALIGN)) + (offset & (SLAB_SLACK - 2));
        let (pairs, _) = self.slab.0.as_chunks::<2>();
        u16::from_le_bytes(pairs[at / 2])
    }
}

/// Offset of the relocations in a piece.
#[inline(always)]
pub const fn relocations_start(records_octets: u16) -> usize {
    PIECE_HEAD_OCTETS + padded(records_octets as usize)
}

/// Octets with their padding; without the branch that `next_multiple_of` has.
#[inline(always)]
const fn padded(octets: usize) -> usize {
    (octets + (PIECE_ALIGN - 1)) & !(PIECE_ALIGN - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_memory::{PlainPiece, slab};
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The sum of octets from an even offset, modulo 65535.
    fn sum(octets: &[u8]) -> u64 {
        let words = octets.chunks(2).map(|pair| {
            let low = pair.get(1).copied().unwrap_or(0);
            u64::from(u16::from_be_bytes([
                pair.first().copied().unwrap_or(0),
                low,
            ]))
        });
        words.sum::<u64>() % 0xffff
    }

    #[test]
    fn every_shift_is_its_residue() {
        for shift in i16::MIN..=i16::MAX {
            let residue = residue(shift as u16);
            assert!(residue < 0xffff);
            assert_eq!(
                residue,
                i64::from(shift).rem_euclid(0xffff) as u64,
                "{shift}"
            );
        }
    }

    #[test]
    fn every_relocation_shifts_by_its_kind() {
        let shift = Shift::new(1, 2, 3);
        for (kind, expected) in [(Kind::Cut, 1), (Kind::Body, 2), (Kind::Own, 3)] {
            for offset in 0..1 << 14 {
                let relocation = Relocation::new(kind, offset);
                assert_eq!(relocation.offset(), usize::from(offset));
                assert_eq!(shift.of(relocation), expected);
            }
        }
        assert!(Shift::NONE.is_none());
        for at in 0..16 {
            let bit = 1 << at;
            assert!(!Shift::new(bit, 0, 0).is_none());
            assert!(!Shift::new(0, bit, 0).is_none());
            assert!(!Shift::new(0, 0, bit).is_none());
        }
    }

    proptest! {
        /// However pointers shift, the sum that is computed is the sum of the
        /// records that are sent.
        #[test]
        fn the_sum_follows_the_pointers(
            mut records in proptest::collection::vec(any::<u8>(), 2..600),
            // Kind, and octets between a pointer and the one before.
            pointers in proptest::collection::vec((0_u8..3, 0_usize..20, 0_u16..0x4000), 0..128),
            shifts in [-0x4000_i32..0x4000, -0x4000..0x4000, -0x4000..0x4000],
        ) {
            let mut extent = Extent { octets: records.len() as u16, ..Extent::EMPTY };
            let mut moved = records.clone();
            let mut at = 0;
            for (kind, gap, pointer) in pointers {
                at += gap;
                if at + 2 > records.len() {
                    break;
                }
                // What points must point inside 14 bits before and after.
                let shift = *shifts.get(usize::from(kind)).expect("one of three");
                let target = i32::from(pointer) + shift;
                let (pointer, target) = if (0..0x4000).contains(&target) {
                    (pointer, target as u16)
                } else {
                    (0x2000, (0x2000 + shift.clamp(-0x2000, 0x1fff)) as u16)
                };
                if i32::from(target) - i32::from(pointer) != shift {
                    continue;
                }
                records.as_mut_slice()[at..at + 2].copy_from_slice(&(0xc000 | pointer).to_be_bytes());
                moved.as_mut_slice()[at..at + 2].copy_from_slice(&(0xc000 | target).to_be_bytes());
                let gain = if at % 2 == 0 { 1 } else { 256 };
                match kind {
                    0 => extent.gain_cut += gain,
                    1 => extent.gain_body += gain,
                    _ => extent.gain_own += gain,
                }
                at += 2;
            }
            extent.sum = fold(sum(&records));
            let [cut, body, own] = shifts.map(|shift| shift as u16);
            let shifted = Shift::new(cut, body, own).sum(&extent);
            prop_assert_eq!(u64::from(shifted) % 0xffff, sum(&moved));
        }
    }

    #[test]
    fn every_room_of_every_number_of_cut_points() {
        for count in 1..MAX_CUT_POINTS {
            // Ends at 0, 11, 22 and so on, and the whole behind the last.
            let ends: Vec<Extent> = (0..=count)
                .map(|place| Extent {
                    octets: 11 * place as u16,
                    sum: place as u16,
                    authority: place as u8,
                    ..Extent::EMPTY
                })
                .collect();
            let octets = 11 * count;
            let piece = PlainPiece {
                base: 0,
                base_start: 0,
                records: std::vec![0xee; octets],
                relocations: (0..count).map(|at| Relocation(at as u16)).collect(),
                ends: ends.clone(),
            };
            // The last place in a slab at which a piece may start.
            let start = SLAB_OCTETS - PIECE_ALIGN;
            let mut whole = *ends.last().expect("an end");
            whole.relocations = count as u8;
            let mut laid_out = piece.lay_out();
            laid_out.as_mut_slice()[..16].copy_from_slice(bytemuck::bytes_of(&whole));
            let slab = slab(start, &laid_out);
            let piece = Piece { slab: &slab, start };
            assert_eq!(piece.whole(), whole);
            assert_eq!(piece.cut_points(), count);
            for at in 0..count {
                let first = relocations_start(whole.octets);
                let group = piece.relocations(first, at / RELOCATION_GROUP);
                assert_eq!(group[at % RELOCATION_GROUP], Relocation(at as u16));
            }
            for room in 0..=octets + 1 {
                let mut note = 0xffff;
                let longest = piece.longest_within(&whole, room, &mut note);
                let fitting = ends.iter().take(count).rev();
                let expected = fitting.clone().find(|end| usize::from(end.octets) <= room);
                assert_eq!(Some(&longest), expected, "{count} {room}");
            }
        }
    }

    #[test]
    fn every_number_of_every_piece_is_read_from_its_place() {
        let mut slab = slab(0, &[]);
        for (at, octet) in slab.0.iter_mut().enumerate() {
            *octet = (at.wrapping_mul(0x9e37_79b1) >> 13) as u8;
        }
        for start in (0..SLAB_OCTETS).step_by(PIECE_ALIGN) {
            let piece = Piece { slab: &slab, start };
            for offset in (0..SLAB_SLACK).step_by(2) {
                let at = start + offset;
                let octets = slab.0.as_slice();
                let expected = u16::from_le_bytes([octets[at], octets[at + 1]]);
                assert_eq!(piece.number(offset), expected);
            }
        }
    }

    /// Tells which slab was asked for.
    struct Numbered(std::cell::Cell<u32>, std::boxed::Box<Slab>);

    impl Pieces for Numbered {
        fn slab(&self, number: u32) -> Option<&Slab> {
            self.0.set(number);
            Some(&self.1)
        }
    }

    #[test]
    fn a_reference_is_a_place_in_units_of_eight_octets() {
        let pieces = Numbered(std::cell::Cell::new(0), slab(0, &[]));
        let first_slabs = 0..4 * (SLAB_OCTETS / PIECE_ALIGN) as u32;
        for reference in first_slabs.chain(u32::MAX - 0x4000..=u32::MAX) {
            let piece = Piece::at(&pieces, reference).expect("a slab");
            let place = u64::from(pieces.0.get()) * SLAB_OCTETS as u64 + piece.start as u64;
            assert_eq!(place, u64::from(reference) * PIECE_ALIGN as u64);
        }
    }

    #[test]
    fn every_length_is_padded_to_eight_octets() {
        for octets in 0..=u16::MAX {
            let expected = PIECE_HEAD_OCTETS + usize::from(octets).next_multiple_of(8);
            assert_eq!(relocations_start(octets), expected);
        }
    }
}
