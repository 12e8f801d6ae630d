//! One piece of a referral in wire form: records, compressed names, and what
//! has to be known to send it anywhere.
//!
//! Offsets are counted from the end of the question, where the NS records
//! start. What a pointer leads to is written down as a *target*; the octets of
//! the pointer are those of a QNAME of length 0 until [`EncodedView::place`] makes
//! them those of a real one. So two delegations with the same name servers
//! have the same [`Encoded`] octets.

use dns_glue_common::frame::checksum::fold;
use dns_glue_common::limits::{HEADER_OCTETS, QUESTION_FIXED_OCTETS};
use dns_glue_common::referral::{Extent, Kind, PIECE_HEAD_OCTETS, Relocation};
use domain::base::iana::{Class, Rtype};

/// Octets beyond which a piece is too long for any reply and grows no further.
const TOO_LONG_OCTETS: usize = 4096;
/// The two bits that mark a compression pointer (RFC 1035 4.1.4).
const POINTER: u16 = 0xc000;
/// Offset of the QNAME in a message.
const NAME_START: u16 = HEADER_OCTETS as u16;
/// Octets of a message in front of the pieces, QNAME not counted.
const FRONT_OCTETS: u16 = (HEADER_OCTETS + QUESTION_FIXED_OCTETS) as u16;

/// Where a name can be pointed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The cut name in the question.
    Cut,
    /// An offset from the end of the question, negative inside the question.
    Body(i16),
    /// An offset in the piece under way.
    Own(u16),
}

/// The names that the pieces of one referral can point to.
///
/// A referral has at most a few dozen names, so a list is searched.
#[derive(Debug, Default)]
pub struct Names<'n> {
    known: Vec<(&'n [u8], Target)>,
}

impl<'n> Names<'n> {
    /// Knows those in the question for `cut` (wire form) and no others: the cut
    /// name and, below it, its ancestors but the root.
    pub fn begin_question(&mut self, cut: &'n [u8]) {
        self.known.clear();
        for suffix in suffixes(cut) {
            let target = if suffix.len() == cut.len() {
                Target::Cut
            } else {
                in_every_question(suffix)
            };
            self.add(suffix, target);
        }
    }

    /// Knows those in every question for a cut of the zone `apex` (wire form)
    /// and no others: the apex and its ancestors but the root. A piece that
    /// points to nothing else is the same for all cuts.
    pub fn begin_zone(&mut self, apex: &'n [u8]) {
        self.known.clear();
        for suffix in suffixes(apex) {
            self.add(suffix, in_every_question(suffix));
        }
    }

    /// Turns what was noted of the piece just encoded into what the pieces
    /// behind it may point to, if it always stands at the same place.
    pub fn fix_piece(&mut self) {
        for (_, target) in &mut self.known {
            if let Target::Own(offset) = *target {
                *target = Target::Body(i16::try_from(offset).expect("a piece is below 2^15"));
            }
        }
    }

    /// Forgets the names of the piece just encoded: no other may point into
    /// it.
    pub fn forget_piece(&mut self) {
        self.known
            .retain(|(_, target)| !matches!(target, Target::Own(_)));
    }

    fn find(&self, name: &[u8]) -> Option<Target> {
        self.known
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, target)| *target)
    }

    fn add(&mut self, name: &'n [u8], target: Target) {
        self.known.push((name, target));
    }
}

/// Where the question has an ancestor of the cut: in front of QTYPE, at the end
/// of QNAME.
fn in_every_question(ancestor: &[u8]) -> Target {
    let octets = ancestor.len() + QUESTION_FIXED_OCTETS;
    Target::Body(-i16::try_from(octets).expect("a name has at most 255 octets"))
}

/// The suffixes of a name that start at a label, the root left out.
fn suffixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let suffix = rest;
        let (&length, _) = suffix.split_first()?;
        if length == 0 {
            return None;
        }
        rest = suffix.get(1 + usize::from(length)..)?;
        Some(suffix)
    })
}

/// The section of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Authority.
    Authority,
    /// Additional.
    Additional,
}

/// A piece under way, or done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Records; pointers as for a QNAME of length 0 and a piece that starts at
    /// the end of the question.
    pub records: Vec<u8>,
    /// Where the pointers are and what shifts them.
    pub relocations: Vec<(Kind, u16)>,
    /// Where the piece may end, the whole last.
    pub ends: Vec<End>,
    authority: u8,
    additional: u8,
}

/// A place where a piece may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    octets: u16,
    relocations: u8,
    authority: u8,
    additional: u8,
    /// As in [`Extent::flags`].
    flags: u8,
}

impl Encoded {
    /// Becomes a piece without records and ends, and keeps its memory.
    pub fn clear(&mut self) {
        let Self {
            records,
            relocations,
            ends,
            authority,
            additional,
        } = self;
        records.clear();
        relocations.clear();
        ends.clear();
        (*authority, *additional) = (0, 0);
    }

    /// Octets of the records.
    pub fn octets(&self) -> usize {
        self.records.len()
    }

    /// What there is to store.
    pub fn as_view(&self) -> EncodedView<'_> {
        EncodedView {
            records: &self.records,
            relocations: &self.relocations,
            ends: &self.ends,
        }
    }

    /// Records of both sections.
    pub fn record_count(&self) -> usize {
        usize::from(self.authority) + usize::from(self.additional)
    }

    /// Adds a record, with compressed RDATA if it is NS: no other type of a
    /// referral may have that (RFC 3597 4).
    ///
    /// A piece that is too long for any reply stays as it is.
    pub fn add_record<'n>(
        &mut self,
        names: &mut Names<'n>,
        section: Section,
        owner: &'n [u8],
        rtype: Rtype,
        ttl: u32,
        rdata: &'n [u8],
    ) {
        if self.records.len() > TOO_LONG_OCTETS {
            return;
        }
        self.add_name(names, owner);
        self.records.extend(rtype.to_int().to_be_bytes());
        self.records.extend(Class::IN.to_int().to_be_bytes());
        self.records.extend(ttl.to_be_bytes());
        let length_at = self.records.len();
        self.records.extend([0, 0]);
        if rtype == Rtype::NS {
            self.add_name(names, rdata);
        } else {
            self.records.extend(rdata);
        }
        let length = u16::try_from(self.records.len() - length_at - 2)
            .expect("RDATA has at most 65535 octets");
        self.records[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        // More than 255 never fit into a reply: the caller looks at the octets.
        match section {
            Section::Authority => self.authority = self.authority.saturating_add(1),
            Section::Additional => self.additional = self.additional.saturating_add(1),
        }
    }

    /// Notes that the piece may end here, and whether that means TC=1.
    pub fn end(&mut self, truncated: bool) {
        self.ends.push(End {
            octets: u16::try_from(self.records.len()).unwrap_or(u16::MAX),
            relocations: u8::try_from(self.relocations.len()).unwrap_or(u8::MAX),
            authority: self.authority,
            additional: self.additional,
            flags: if truncated { Extent::TRUNCATED } else { 0 },
        });
    }

    /// Takes back what was added after the last end.
    pub fn back_to_end(&mut self) {
        let Some(end) = self.ends.last() else {
            return;
        };
        self.records.truncate(usize::from(end.octets));
        self.relocations.truncate(usize::from(end.relocations));
        self.authority = end.authority;
        self.additional = end.additional;
    }

    /// Says TC=1 wherever the piece ends.
    pub fn truncate_all(&mut self) {
        for end in &mut self.ends {
            end.flags |= Extent::TRUNCATED;
        }
    }

    /// Says that the whole piece lacks something optional.
    pub fn mark_partial(&mut self) {
        if let Some(end) = self.ends.last_mut() {
            end.flags |= Extent::PARTIAL;
        }
    }

    fn add_name<'n>(&mut self, names: &mut Names<'n>, name: &'n [u8]) {
        for suffix in suffixes(name) {
            if let Some(target) = names.find(suffix) {
                self.add_pointer(target);
                return;
            }
            let offset = u16::try_from(self.records.len()).expect("a piece is below 2^15");
            names.add(suffix, Target::Own(offset));
            let label_octets = 1 + usize::from(suffix[0]);
            self.records.extend(&suffix[..label_octets]);
        }
        self.records.push(0);
    }

    fn add_pointer(&mut self, target: Target) {
        let (kind, pointer) = match target {
            Target::Cut => (Kind::Cut, POINTER | NAME_START),
            Target::Body(offset) => {
                let from_start = FRONT_OCTETS.wrapping_add_signed(offset);
                (Kind::Body, POINTER.wrapping_add(from_start))
            }
            Target::Own(offset) => (Kind::Own, POINTER | (FRONT_OCTETS + offset)),
        };
        let at = u16::try_from(self.records.len()).expect("a piece is below 2^15");
        self.relocations.push((kind, at));
        self.records.extend(pointer.to_be_bytes());
    }
}

/// A piece to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EncodedView<'e> {
    /// As in [`Encoded`].
    pub records: &'e [u8],
    /// As in [`Encoded`].
    pub relocations: &'e [(Kind, u16)],
    /// As in [`Encoded`].
    pub ends: &'e [End],
}

/// Where a piece needs no pointer to shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Octets of the QNAME.
    pub qname: u8,
    /// Octets between the question and the piece.
    pub start: u16,
}

/// Offset, in a piece, of the reference to the same glue with signatures.
pub const WITH_SIGNATURES_AT: usize = size_of::<Extent>() + 4;

impl EncodedView<'_> {
    /// Writes the octets of the piece as the program wants it to `octets`, in
    /// place of what is there. `with_signatures` is another piece, or 0.
    pub fn place(&self, base: Base, with_signatures: u32, octets: &mut Vec<u8>) {
        octets.clear();
        // The whole piece's extent, when the pointers are what they are.
        octets.extend([0; size_of::<Extent>()]);
        let cut_points = self.ends.len() - 1;
        octets.push(base.qname);
        octets.push(u8::try_from(cut_points).expect("the caller bounds the cut points"));
        octets.extend(base.start.to_le_bytes());
        debug_assert_eq!(octets.len(), WITH_SIGNATURES_AT);
        octets.extend(with_signatures.to_le_bytes());
        octets.extend([0; 8]);
        octets.extend(self.records);
        let records = PIECE_HEAD_OCTETS..octets.len();
        self.shift(base, &mut octets[records.clone()]);
        pad(octets);
        for (kind, at) in self.relocations {
            octets.extend(Relocation::new(*kind, *at).0.to_le_bytes());
        }
        pad(octets);
        let (whole, cut_points) = self.ends.split_last().expect("a piece ends at its end");
        for end in cut_points {
            let extent = self.extent(&octets[records.clone()], end);
            octets.extend(bytemuck::bytes_of(&extent));
        }
        let whole = self.extent(&octets[records], whole);
        octets[..size_of::<Extent>()].copy_from_slice(bytemuck::bytes_of(&whole));
    }

    /// Makes the pointers in `records` lead to their targets.
    fn shift(&self, base: Base, records: &mut [u8]) {
        for (kind, at) in self.relocations {
            let shift = match kind {
                Kind::Cut => 0,
                Kind::Body => u16::from(base.qname),
                Kind::Own => u16::from(base.qname) + base.start,
            };
            let at = usize::from(*at);
            let pointer = u16::from_be_bytes([records[at], records[at + 1]]).wrapping_add(shift);
            records[at..at + 2].copy_from_slice(&pointer.to_be_bytes());
        }
    }

    fn extent(&self, records: &[u8], end: &End) -> Extent {
        let mut gains = [0u64; 3];
        for (kind, at) in &self.relocations[..usize::from(end.relocations)] {
            gains[*kind as usize] += if at % 2 == 0 { 1 } else { 256 };
        }
        let sum = records[..usize::from(end.octets)]
            .chunks(2)
            .map(|pair| u64::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
            .sum();
        let [gain_cut, gain_body, gain_own] = gains.map(fold);
        Extent {
            octets: end.octets,
            sum: fold(sum),
            gain_cut,
            gain_body,
            gain_own,
            relocations: end.relocations,
            authority: end.authority,
            additional: end.additional,
            flags: end.flags,
            unused: 0,
        }
    }
}

/// Pads to the 8 octets that the parts of a piece are aligned to.
fn pad(octets: &mut Vec<u8>) {
    octets.resize(octets.len().next_multiple_of(8), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_share_their_tails() {
        let cut = b"\x04glue\x07example\x00";
        let mut names = Names::default();
        names.begin_question(cut);
        let mut piece = Encoded::default();
        let authority = Section::Authority;
        piece.add_record(
            &mut names,
            authority,
            cut,
            Rtype::NS,
            1,
            b"\x01a\x04GLUE\x07example\x00",
        );
        piece.add_record(
            &mut names,
            authority,
            cut,
            Rtype::NS,
            1,
            b"\x01b\x07EXAMPLE\x00",
        );
        piece.add_record(
            &mut names,
            authority,
            cut,
            Rtype::NS,
            1,
            b"\x01c\x03net\x00",
        );
        piece.add_record(
            &mut names,
            authority,
            cut,
            Rtype::NS,
            1,
            b"\x01d\x03net\x00",
        );
        piece.end(false);
        // Owner 2, fixed 10, then the target's label and pointer; one target
        // in full.
        assert_eq!(piece.octets(), 4 * 12 + 4 + 4 + 7 + 4);
        let kinds: Vec<Kind> = piece.relocations.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::Cut,
                Kind::Cut,
                Kind::Cut,
                Kind::Body,
                Kind::Cut,
                Kind::Cut,
                Kind::Own
            ]
        );
    }

    #[test]
    fn delegations_with_the_same_servers_have_the_same_octets() {
        let encode = |cut: &[u8]| {
            let mut names = Names::default();
            names.begin_question(cut);
            let mut piece = Encoded::default();
            for target in [
                &b"\x02ns\x08provider\x02nu\x00"[..],
                b"\x02ns\x05other\x03net\x00",
            ] {
                piece.add_record(&mut names, Section::Authority, cut, Rtype::NS, 9, target);
            }
            piece.end(false);
            piece
        };
        assert_eq!(
            encode(b"\x03one\x02nu\x00"),
            encode(b"\x0esomething-else\x02nu\x00")
        );
    }

    #[test]
    fn what_names_nothing_below_the_apex_is_the_same_for_all_cuts() {
        let apex = b"\x03tld\x00";
        let owner = [&b"\x20"[..], &[b'h'; 32], apex].concat();
        let mut names = Names::default();
        names.begin_zone(apex);
        let mut piece = Encoded::default();
        for rtype in [Rtype::NSEC3, Rtype::RRSIG, Rtype::RRSIG] {
            piece.add_record(&mut names, Section::Authority, &owner, rtype, 9, &[1, 2, 3]);
        }
        piece.end(false);
        // The label and a pointer to the apex, then pointers to the owner.
        assert_eq!(piece.octets(), (33 + 2 + 13) + 2 * (2 + 13));
        assert_eq!(
            piece.relocations,
            [(Kind::Body, 33), (Kind::Own, 48), (Kind::Own, 63)]
        );
        // The apex stands in front of QTYPE and QCLASS, whatever is before it.
        assert_eq!(
            piece.records[33..35],
            (POINTER | (FRONT_OCTETS - 9)).to_be_bytes()
        );
    }
}
