//! The program of `dns-glue check-nic --probe`: measures how far the frames of
//! an interface can grow, and passes each as it came.
#![no_std]
#![no_main]
#![expect(
    missing_docs,
    reason = "the macros give their entry points no documentation"
)]

use aya_ebpf::{
    bindings::xdp_action,
    helpers::generated::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len},
    macros::{map, xdp},
    maps::PerCpuArray,
    programs::XdpContext,
};
use dns_glue_common::room::{
    FIRST_HEAD_STEP, FIRST_TAIL_STEP, FrameRoom, LAST_STEP, LONGEST_FRAME_OCTETS,
};

#[map]
static ROOM: PerCpuArray<FrameRoom> = PerCpuArray::with_max_entries(1, 0);

/// Takes programs that know several buffers, as that of dns-glue does: a driver
/// that refuses one refuses the other.
#[xdp(frags)]
pub fn measure_room(ctx: XdpContext) -> u32 {
    // SAFETY: the context is the one that the kernel gave the program.
    let octets = (unsafe { bpf_xdp_get_buff_len(ctx.ctx) }) as usize;
    let is_linear = octets == ctx.data_end() - ctx.data();
    if is_linear && octets <= LONGEST_FRAME_OCTETS {
        let head = head_room(&ctx);
        let grown = octets as u64 + tail_room(&ctx);
        if let Some(room) = ROOM.get_ptr_mut(0) {
            // SAFETY: the value is this CPU's own.
            unsafe { (*room).add(grown, head) };
        }
    }
    xdp_action::XDP_PASS
}

/// The octets by which the frame can grow at its tail, which is then put back.
#[inline(always)]
fn tail_room(ctx: &XdpContext) -> u64 {
    let (mut room, mut step) = (0, FIRST_TAIL_STEP);
    while step >= LAST_STEP {
        // SAFETY: as above; the helper leaves the frame as it was if there is
        // no room.
        if unsafe { bpf_xdp_adjust_tail(ctx.ctx, step) } == 0 {
            room += step;
        }
        step /= 2;
    }
    // SAFETY: as above; taking off what was added.
    unsafe { bpf_xdp_adjust_tail(ctx.ctx, -room) };
    room as u64
}

/// As [`tail_room`], at its head.
#[inline(always)]
fn head_room(ctx: &XdpContext) -> u64 {
    let (mut room, mut step) = (0, FIRST_HEAD_STEP);
    while step >= LAST_STEP {
        // SAFETY: as for the tail.
        if unsafe { bpf_xdp_adjust_head(ctx.ctx, -step) } == 0 {
            room += step;
        }
        step /= 2;
    }
    // SAFETY: as for the tail.
    unsafe { bpf_xdp_adjust_head(ctx.ctx, room) };
    room as u64
}

dns_glue_ebpf::object!();
