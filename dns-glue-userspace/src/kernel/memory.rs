//! How much memory the maps of a generation take.

mod control_group;

use std::fs;

use dns_glue_common::frame::Scratch;
use dns_glue_common::host::HostTable;
use dns_glue_common::index::Bucket;
use dns_glue_common::kept::KeptBody;
use dns_glue_common::limits::KEPT_BODIES;
use dns_glue_common::maps::DEADLINE_SLOTS;
use dns_glue_common::reason::COUNTER_SLOTS;
use dns_glue_common::referral::Slab;

use crate::compile::Generation;

/// The unit in which the kernel hands out the arrays.
const PAGE_OCTETS: u64 = 4096;

/// Octets of map memory, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapMemory {
    /// The index.
    pub index: u64,
    /// The pieces.
    pub pieces: u64,
    /// Everything that does not grow with the zones.
    pub fixed: u64,
}

impl MapMemory {
    /// What the maps of `generation` take on a host with `cpus` processors.
    pub fn of(generation: &Generation, cpus: u64) -> Self {
        let (buckets, slabs) = entries(generation);
        let kept = KEPT_BODIES * size_of::<KeptBody>();
        let per_cpu = (COUNTER_SLOTS * size_of::<u64>() + size_of::<Scratch>() + kept) as u64;
        let host = 2 * size_of::<HostTable>() as u64;
        let deadlines = array(DEADLINE_SLOTS as u32, size_of::<u64>());
        Self {
            index: array(buckets, size_of::<Bucket>()),
            pieces: array(slabs, size_of::<Slab>()),
            fixed: cpus * per_cpu + host + deadlines,
        }
    }

    /// All of it, octets.
    pub fn total(&self) -> u64 {
        let Self {
            index,
            pieces,
            fixed,
        } = self;
        index + pieces + fixed
    }
}

/// Processors that the machine can have: the kernel makes the maps with a value
/// for each processor for all of them, running or not.
pub fn possible_cpus() -> u64 {
    aya::util::nr_cpus().map_or(1, |cpus| cpus as u64)
}

/// Entries of the maps `INDEX` and `PIECES`: at least one, because the kernel
/// makes no empty arrays.
pub(super) fn entries(generation: &Generation) -> (u32, u32) {
    let entries = |length: usize| {
        u32::try_from(length.max(1)).expect("the compiler bounds the sizes of a generation")
    };
    (
        entries(generation.buckets.len()),
        entries(generation.slabs.len()),
    )
}

/// Octets of an mmapable array.
fn array(entries: u32, value_octets: usize) -> u64 {
    let octets = u64::from(entries) * value_octets.next_multiple_of(8) as u64;
    octets.next_multiple_of(PAGE_OCTETS)
}

/// Octets that could be allocated without swapping (`MemAvailable`), or that
/// the control groups of this process leave, if that is less: the kernel counts
/// maps there too. `None` if the system does not tell.
pub(super) fn available() -> Option<u64> {
    let system = parse_available(&fs::read_to_string("/proc/meminfo").ok()?);
    system.into_iter().chain(control_group::available()).min()
}

fn parse_available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibioctets: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibioctets.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dns_glue_common::index::{Depths, HashSecret};

    fn generation(buckets: usize) -> Generation {
        Generation {
            buckets: vec![bytemuck::Zeroable::zeroed(); buckets],
            slabs: Vec::new(),
            secret: Box::new(HashSecret(bytemuck::Zeroable::zeroed())),
            depths: Depths(bytemuck::Zeroable::zeroed()),
            policy_flags: 0,
        }
    }

    #[test]
    fn arrays_are_whole_pages_and_never_empty() {
        let memory = MapMemory::of(&generation(0), 2);
        assert_eq!(memory.index, 4096);
        assert_eq!(memory.pieces, size_of::<Slab>() as u64);
        assert_eq!(MapMemory::of(&generation(65), 2).index, 8192);
    }

    #[test]
    fn what_does_not_grow_with_the_zones_stays_small() {
        // Less than half a mebioctet a processor, most of it kept bodies.
        let memory = MapMemory::of(&generation(1), 64);
        assert!(memory.fixed < 64 << 19, "{memory:?}");
    }

    #[test]
    fn available_memory() {
        let meminfo = "MemTotal:       24684096 kB\nMemAvailable:   24245180 kB\n";
        assert_eq!(parse_available(meminfo), Some(24_245_180 * 1024));
        assert_eq!(parse_available("MemTotal: 1 kB\n"), None);
        assert!(available().is_some_and(|octets| octets > 0));
    }
}
