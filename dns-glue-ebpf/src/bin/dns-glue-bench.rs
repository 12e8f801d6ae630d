//! The programs of `cargo xtask bench`: what dns-glue is compared with, and
//! what lets one packet be answered a million times.
//!
//! `BPF_PROG_TEST_RUN` repeats a program without restoring the packet, so the
//! second run of a responder would see its own answer. [`again`] puts the query
//! back and then goes on to the program that is measured, by a tail call; what
//! that costs by itself is measured in the same run.
#![no_std]
#![no_main]
#![expect(
    missing_docs,
    reason = "the macros give their entry points no documentation"
)]

use aya_ebpf::{
    Global,
    bindings::{BPF_F_MMAPABLE, xdp_action},
    helpers::generated::{bpf_xdp_adjust_tail, bpf_xdp_get_buff_len, bpf_xdp_store_bytes},
    macros::{map, xdp},
    maps::{Array, ProgramArray},
    programs::XdpContext,
};
use core::ptr;
use dns_glue_common::limits::MAX_UDP_OCTETS;
use dns_glue_common::traffic::{LINE_OCTETS, MAX_READS, Reading};
use dns_glue_ebpf::opaque;
use dns_glue_ebpf::rest::{OFFSET_MASK, PacketRest};

/// Does nothing: what every measurement takes beside the program that it is of.
#[xdp(frags)]
pub fn nothing(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Octets of the longest frame that is put back, less one: a mask.
const FRAME_MASK: usize = 0x3ff;

/// A frame of the length in its first four octets.
#[map]
static QUERY: Array<[u8; 4 + FRAME_MASK + 1]> = Array::with_max_entries(1, 0);

/// The program that is measured.
#[map]
static MEASURED: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Octets by which the second reflector grows a frame.
const GROWTH_OCTETS: i32 = 64;

/// Sends a frame back: what no responder can be faster than.
#[xdp(frags)]
pub fn reflect(ctx: XdpContext) -> u32 {
    swap_addresses(&ctx)
}

/// Sends a frame back after making it longer: what a responder has to do.
#[xdp(frags)]
pub fn reflect_longer(ctx: XdpContext) -> u32 {
    // SAFETY: the context is the one that the kernel gave the program; packet
    // pointers are taken afterwards.
    if unsafe { bpf_xdp_adjust_tail(ctx.ctx, GROWTH_OCTETS) } != 0 {
        return xdp_action::XDP_ABORTED;
    }
    swap_addresses(&ctx)
}

/// Looks at the addresses of a frame and passes it: what no program in front of
/// a server can be faster than for what it leaves to the server.
#[xdp(frags)]
pub fn pass(ctx: XdpContext) -> u32 {
    let start = ctx.data();
    if start + 14 > ctx.data_end() {
        return xdp_action::XDP_ABORTED;
    }
    let destination = start as *const [u8; 6];
    // SAFETY: six octets of the packet, checked above; octets have no alignment.
    let [first, ..] = unsafe { destination.read_volatile() };
    // No frame that is meant for one interface is to a group.
    if first & 1 != 0 {
        return xdp_action::XDP_DROP;
    }
    xdp_action::XDP_PASS
}

/// Octets that the third reflector writes: about those behind the question of
/// a referral from the root zone, without DNSSEC records.
const REPLY_OCTETS: usize = 736;

/// What it writes.
#[map]
static REPLY: Array<[u8; MAX_UDP_OCTETS]> = Array::with_max_entries(1, 0);

/// Sends a frame back with as much behind it as a referral has, written as
/// dns-glue does it: what no responder can be faster than that writes so.
#[xdp(frags)]
pub fn reflect_written(ctx: XdpContext) -> u32 {
    let Some(reply) = REPLY.get_ptr(0) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: the context is the one that the kernel gave the program; packet
    // pointers are taken afterwards.
    if unsafe { bpf_xdp_adjust_tail(ctx.ctx, REPLY_OCTETS as i32) } != 0 {
        return xdp_action::XDP_ABORTED;
    }
    let (start, end) = (ctx.data(), ctx.data_end());
    let octets = (end - start).wrapping_sub(REPLY_OCTETS);
    let mut rest = PacketRest::new(start + (opaque(octets) & OFFSET_MASK), end);
    // SAFETY: the map's value has MAX_UDP_OCTETS.
    if !unsafe { rest.copy(reply.cast(), REPLY_OCTETS) } {
        return xdp_action::XDP_ABORTED;
    }
    swap_addresses(&ctx)
}

/// Cache lines in an array like those of dns-glue; how many there are is set when
/// the program is loaded.
#[map]
static LINES: Array<Line> = Array::with_max_entries(1, BPF_F_MMAPABLE);

type Line = [u64; LINE_OCTETS / 8];

#[unsafe(no_mangle)]
static READING: Global<Reading> = Global::new(Reading::NONE);

/// Sends a frame back with a cache line behind it that its QNAME leads to, by way
/// of others, each of which tells the next: what no responder can be faster than
/// that looks up a name among so many octets.
#[xdp(frags)]
pub fn reflect_reading(ctx: XdpContext) -> u32 {
    let Some(line) = hash_of_name(&ctx).and_then(read_lines) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: the context is the one that the kernel gave the program, and a
    // line has as many octets; packet pointers are taken afterwards.
    let is_written = unsafe {
        let octets = bpf_xdp_get_buff_len(ctx.ctx) as u32;
        bpf_xdp_adjust_tail(ctx.ctx, LINE_OCTETS as i32) == 0
            && bpf_xdp_store_bytes(ctx.ctx, octets, line.cast_mut().cast(), LINE_OCTETS as u32) == 0
    };
    if !is_written {
        return xdp_action::XDP_ABORTED;
    }
    swap_addresses(&ctx)
}

/// Reads lines, the first where the hash says; returns the last.
#[inline(always)]
fn read_lines(mut hash: u64) -> Option<*const Line> {
    // SAFETY: a global of the program; volatile, because the loader writes it.
    let Reading { lines, reads } = unsafe { ptr::read_volatile((&raw const READING).cast()) };
    let mut line = LINES.get_ptr(0)?;
    for read in 0..MAX_READS {
        if read >= reads {
            break;
        }
        let place = (hash >> 32).wrapping_mul(lines as u64) >> 32;
        line = LINES.get_ptr(place as u32)?;
        // SAFETY: a map value. Volatile: what is read is always 0, which nobody
        // may know before it is there.
        let first = unsafe { line.cast::<u64>().read_volatile() };
        hash = spread(hash ^ first);
    }
    Some(line)
}

/// A hash of the first three words of QNAME, or of it and what is behind it.
#[inline(always)]
fn hash_of_name(ctx: &XdpContext) -> Option<u64> {
    const IPV4: u16 = 0x0800_u16.to_be();
    let start = ctx.data();
    if start + 14 > ctx.data_end() {
        return None;
    }
    // SAFETY: two octets of the packet, checked above.
    let ether_type = unsafe { ((start + 12) as *const u16).read_unaligned() };
    // Ethernet, IP, UDP, the header of the message.
    let name = start + 14 + if ether_type == IPV4 { 20 } else { 40 } + 8 + 12;
    let mut hash = 0;
    for word in 0..3 {
        let word = name + 8 * word;
        if word + 8 > ctx.data_end() {
            break;
        }
        // SAFETY: eight octets of the packet, just checked.
        hash = spread(hash ^ unsafe { (word as *const u64).read_unaligned() });
    }
    Some(hash)
}

/// A number of which the upper half depends on all bits of another.
#[inline(always)]
const fn spread(number: u64) -> u64 {
    let mixed = (number ^ number >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[inline(always)]
fn swap_addresses(ctx: &XdpContext) -> u32 {
    let start = ctx.data();
    if start + 14 > ctx.data_end() {
        return xdp_action::XDP_ABORTED;
    }
    let addresses = start as *mut [[u8; 6]; 2];
    // SAFETY: 12 octets of the packet, checked above; octets have no alignment.
    unsafe {
        let [destination, source] = addresses.read();
        addresses.write([source, destination]);
    }
    xdp_action::XDP_TX
}

/// Puts the query back and runs the program that is measured.
#[xdp(frags)]
pub fn again(ctx: XdpContext) -> u32 {
    if restore(&ctx).is_none() {
        return xdp_action::XDP_ABORTED;
    }
    // SAFETY: the map holds XDP programs only; it returns if there is none.
    unsafe { MEASURED.tail_call(&ctx, 0) };
    xdp_action::XDP_ABORTED
}

#[inline(always)]
fn restore(ctx: &XdpContext) -> Option<()> {
    let query = QUERY.get_ptr(0)?.cast::<u8>();
    // SAFETY: the value is longer than the four octets of the length, and the
    // mask bounds the length below the rest; the helpers check the packet.
    unsafe {
        let octets = opaque(query.cast::<u32>().read_unaligned() as usize);
        let octets = (octets & FRAME_MASK) + 1;
        let now = bpf_xdp_get_buff_len(ctx.ctx) as i32;
        if bpf_xdp_adjust_tail(ctx.ctx, octets as i32 - now) != 0 {
            return None;
        }
        let frame = query.add(4).cast_mut().cast();
        (bpf_xdp_store_bytes(ctx.ctx, 0, frame, octets as u32) == 0).then_some(())
    }
}

dns_glue_ebpf::object!();
