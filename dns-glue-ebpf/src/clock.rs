//! The clock, read once a tick.

use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_ktime_get_coarse_ns};
use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use dns_glue_common::maps::Reading;

#[map]
static CLOCK: PerCpuArray<Reading> = PerCpuArray::with_max_entries(1, 0);

/// The time, nanoseconds of `CLOCK_MONOTONIC` as of the kernel's last tick, or
/// of the one before: the kernel counts a tick first, and moves its clock then.
///
/// To ask for the clock is a call, to ask for the number of ticks is one read,
/// which the kernel puts into the program.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: it takes nothing and reads a number.
    let tick = unsafe { bpf_jiffies64() };
    let Some(reading) = CLOCK.get_ptr_mut(0) else {
        return read();
    };
    // SAFETY: as the scratch: one user at a time, any bit pattern is valid. A
    // tick of 0 would be the map as it was made, but the kernel does not count
    // from there.
    let reading = unsafe { &mut *reading };
    if reading.tick != tick {
        reading.time = read();
        reading.tick = tick;
    }
    reading.time
}

#[inline(always)]
fn read() -> u64 {
    // SAFETY: it takes nothing and reads a clock.
    unsafe { bpf_ktime_get_coarse_ns() }
}
