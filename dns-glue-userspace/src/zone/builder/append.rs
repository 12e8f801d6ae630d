//! Adds what was gathered from one text behind what was gathered from another.

use super::errors::BuildErrorKind;
use super::gathered::{Gathered, Single};
use super::shared::SharedData;
use crate::zone::records::{NodeEntry, RrsetData, RrsetEntry};

impl Gathered {
    /// Adds all owners of `other` but the first `skip`. `lines_before` are the
    /// lines of the file before the text that `other` was read from.
    pub(super) fn append(&mut self, other: &mut Self, skip: usize, lines_before: u32) {
        self.errors.append(&mut other.errors);
        let Some(from) = other.nodes.get(skip).copied() else {
            return;
        };
        let (Ok(node_count), Ok(rrset_count)) = (
            u32::try_from(self.nodes.len()),
            u32::try_from(self.rrsets.len()),
        ) else {
            self.refuse_once(BuildErrorKind::TooLarge);
            return;
        };
        self.note_order(other.name(skip));
        self.unsorted |= other.unsorted;
        self.holds_deleg |= other.holds_deleg;
        let name_base = self.names.len() as u64;
        self.names
            .extend_from_slice(&other.names[from.name as usize..]);
        let nodes = other.nodes[skip..].iter().map(|node| NodeEntry {
            name: node.name - from.name + name_base,
            first_rrset: node.first_rrset - from.first_rrset + rrset_count,
        });
        self.nodes.extend(nodes);
        for (first, file) in &other.files {
            let first = first.saturating_sub(from.first_rrset) + rrset_count;
            while self.files.pop_if(|later| later.0 >= first).is_some() {}
            self.files.push((first, *file));
        }
        let singles = other.singles.iter().filter(|one| one.node as usize >= skip);
        self.singles.extend(singles.map(|single| Single {
            node: single.node - skip as u32 + node_count,
            position: single.position.further_down(lines_before),
            ..*single
        }));
        self.append_rrsets(other, from.first_rrset as usize, lines_before);
    }

    /// Takes everything out.
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.data.clear();
        self.nodes.clear();
        self.rrsets.clear();
        self.files.clear();
        self.singles.clear();
        self.errors.clear();
        self.shared.clear();
        (self.unsorted, self.holds_deleg) = (false, false);
        self.record_count = 0;
    }

    /// Adds all RRsets of `other` but the first `skip`.
    fn append_rrsets(&mut self, other: &mut Self, skip: usize, lines_before: u32) {
        // Each RRset brings its data, behind that of those before it, or has
        // the same as one of them.
        let mut seen = 0;
        for index in 0..other.rrsets.len() {
            let rrset = other.rrsets[index];
            let data = if rrset.data as usize == seen {
                let length = RrsetData::length(&other.data, &rrset);
                let place = self.append_data(&other.data[seen..seen + length], &rrset);
                if SharedData::is_shareable(length) {
                    // Those that follow with the same data find its new place.
                    other.data[seen..seen + 8].copy_from_slice(&place.to_ne_bytes());
                }
                seen += length;
                place
            } else {
                let place = other.data[rrset.data as usize..].first_chunk();
                u64::from_ne_bytes(*place.expect("shared data has more octets"))
            };
            if index >= skip {
                self.record_count += usize::from(rrset.records) + usize::from(rrset.signatures);
                self.rrsets.push(RrsetEntry {
                    data,
                    node: rrset.node.saturating_add(lines_before),
                    ..rrset
                });
            }
        }
    }

    /// Adds the data of an RRset, or finds where it lies already.
    fn append_data(&mut self, data: &[u8], rrset: &RrsetEntry) -> u64 {
        let start = self.data.len();
        self.data.extend_from_slice(data);
        if rrset.signatures == 0 {
            self.shared.place(&mut self.data, start)
        } else {
            start as u64
        }
    }
}
