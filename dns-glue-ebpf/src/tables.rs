//! The maps and globals of the program; their meaning is in
//! `dns_glue_common::maps`.

use aya_ebpf::Global;
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray};
use core::ptr;
use dns_glue_common::deadlines::{Deadlines, WITHHELD};
use dns_glue_common::frame::Scratch;
use dns_glue_common::host::HostTable;
use dns_glue_common::index::{Bucket, Depths, HashSecret, Index, Secret};
use dns_glue_common::kept::{KeptBodies, KeptBody};
use dns_glue_common::limits::{KEPT_BODIES, MAX_LABELS};
use dns_glue_common::maps::{DEADLINE_SLOTS, Settings};
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::{COUNTER_SLOTS, Reason};
use dns_glue_common::referral::{Pieces, Slab};
use dns_glue_ebpf::opaque;

use crate::clock;

/// The number of buckets is set when the program is loaded.
#[map]
static INDEX: Array<Bucket> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The number of slabs is set when the program is loaded.
#[map]
static PIECES: Array<Slab> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// The loader fills it before the program runs.
#[map]
static DEADLINES: Array<u64> = Array::with_max_entries(DEADLINE_SLOTS as u32, BPF_F_MMAPABLE);

#[map]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(COUNTER_SLOTS as u32, 0);

#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

#[map]
static KEPT: PerCpuArray<KeptBody> = PerCpuArray::with_max_entries(KEPT_BODIES as u32, 0);

#[map]
static HOST: Array<HostTable> = Array::with_max_entries(2, 0);

#[map]
static HOST_SELECTOR: Array<u32> = Array::with_max_entries(1, 0);

#[unsafe(no_mangle)]
static SETTINGS: Global<Settings> = Global::new(Settings {
    policy: Policy::DEFAULT,
    buckets: 1,
});

#[unsafe(no_mangle)]
static SECRET: Global<HashSecret> = Global::new(HashSecret([[0; 4]; 65]));

#[unsafe(no_mangle)]
static DEPTHS: Global<Depths> = Global::new(Depths([0; MAX_LABELS + 1]));

/// This CPU's scratch.
///
/// XDP programs do not nest on a CPU and are not interrupted by each other, so
/// there is one user at a time. Before Linux 6.3 a run by `BPF_PROG_TEST_RUN`
/// is no such run: the daemon's commands do not run a program there that serves.
#[inline(always)]
pub fn scratch() -> Option<&'static mut Scratch> {
    let scratch = SCRATCH.get_ptr_mut(0)?;
    // SAFETY: the value lives as long as the program and has one user at a
    // time; zeros are valid, and only this program writes.
    Some(unsafe { &mut *scratch })
}

/// What the loader wrote: hidden from the optimiser, which would else take the
/// values above for it.
#[inline(always)]
fn settings() -> &'static Settings {
    let settings = opaque((&raw const SETTINGS) as usize) as *const Settings;
    // SAFETY: a global of the program, of that type, which nobody writes while
    // the program runs.
    unsafe { &*settings }
}

/// The operator's choices.
#[inline(always)]
pub fn policy() -> &'static Policy {
    &settings().policy
}

/// What the host is.
#[inline(always)]
pub fn host() -> Option<&'static HostTable> {
    let selector = HOST_SELECTOR.get_ptr(0)?;
    // SAFETY: one word, which the daemon replaces under us; volatile, so that it
    // is read once.
    HOST.get(unsafe { ptr::read_volatile(selector) })
}

/// Counts an outcome.
#[inline(always)]
pub fn count(reason: Reason) {
    if let Some(counter) = COUNTERS.get_ptr_mut(reason as u32) {
        // SAFETY: the counter is this CPU's own.
        unsafe { *counter += 1 };
    }
}

/// The maps, as the traits of dns-glue-common want them.
pub struct Tables;

/// This CPU's places for bodies.
pub struct Kept;

impl KeptBodies for Kept {
    #[inline(always)]
    fn place(&mut self, place: u32) -> Option<&mut KeptBody> {
        let place = KEPT.get_ptr_mut(place)?;
        // SAFETY: as the scratch: one user at a time, any bit pattern is
        // valid, and whoever asks for another place gives this one up.
        Some(unsafe { &mut *place })
    }
}

impl Secret for Tables {
    #[inline(always)]
    fn constant_terms(&self) -> [u64; 4] {
        let keys = (&raw const SECRET).cast::<[u64; 4]>();
        // SAFETY: the first entry. Volatile, because the loader writes it, not
        // the compiler.
        unsafe { ptr::read_volatile(keys) }
    }

    #[inline(always)]
    fn keys(&self, word: usize) -> [u64; 4] {
        let keys = (&raw const SECRET).cast::<[u64; 4]>();
        // SAFETY: masked to the 64 entries behind the first; volatile as
        // above.
        unsafe { ptr::read_volatile(keys.add(1 + (word & 63))) }
    }
}

impl Index for Tables {
    #[inline(always)]
    fn buckets(&self) -> u32 {
        settings().buckets
    }

    #[inline(always)]
    fn bucket(&self, number: u32) -> Option<&Bucket> {
        INDEX.get(number)
    }

    #[inline(always)]
    fn depth(&self, labels: usize) -> u8 {
        let depths = (&raw const DEPTHS).cast::<u8>();
        // SAFETY: masked to the 128 entries; volatile as above.
        unsafe { ptr::read_volatile(depths.add(labels & MAX_LABELS)) }
    }
}

impl Pieces for Tables {
    #[inline(always)]
    fn slab(&self, number: u32) -> Option<&Slab> {
        PIECES.get(number)
    }
}

impl Deadlines for Tables {
    #[inline(always)]
    fn now(&self) -> u64 {
        clock::now()
    }

    #[inline(always)]
    fn of_zone(&self, zone: u8) -> u64 {
        match DEADLINES.get_ptr(zone.into()) {
            // SAFETY: one word, which the daemon replaces under us; volatile,
            // so that it is read once.
            Some(deadline) => unsafe { ptr::read_volatile(deadline) },
            // There is an entry for every number.
            None => WITHHELD,
        }
    }
}
