//! A generation: everything that the program needs to know of the zones.

use dns_glue_common::index::{Bucket, Depths, HashSecret, Index, Secret};
use dns_glue_common::referral::{Pieces, Slab};

use super::earlier::Tables;

/// The maps of one generation, in memory; immutable once it is built.
///
/// It answers the same lookups as the maps in the kernel, so `explain` and the
/// tests run the program's own decisions on it.
pub struct Generation {
    /// Map `INDEX`.
    pub buckets: Vec<Bucket>,
    /// Map `PIECES`.
    pub slabs: Vec<Slab>,
    /// Global `SECRET`.
    pub secret: Box<HashSecret>,
    /// Global `DEPTHS`.
    pub depths: Depths,
    /// Bits of `Policy::flags` that follow from the zones: `HOLDS_DELEG`,
    /// `SERVES_ROOT`.
    pub policy_flags: u32,
}

impl Generation {
    /// For a later one that takes zones over.
    #[must_use]
    pub fn tables(&self) -> Tables<'_> {
        Tables {
            buckets: &self.buckets,
            slabs: &self.slabs,
            secret: &self.secret,
            depths: &self.depths,
        }
    }
}

impl Secret for Generation {
    fn constant_terms(&self) -> [u64; 4] {
        self.secret.constant_terms()
    }

    fn keys(&self, word: usize) -> [u64; 4] {
        self.secret.keys(word)
    }
}

impl Index for Generation {
    fn buckets(&self) -> u32 {
        u32::try_from(self.buckets.len()).expect("the compiler bounds the number of buckets")
    }

    fn bucket(&self, number: u32) -> Option<&Bucket> {
        self.buckets.get(number as usize)
    }

    fn depth(&self, labels: usize) -> u8 {
        self.depths.0.get(labels).copied().unwrap_or_default()
    }
}

impl Pieces for Generation {
    fn slab(&self, number: u32) -> Option<&Slab> {
        self.slabs.get(number as usize)
    }
}
