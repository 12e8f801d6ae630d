//! Placeholder: passes every packet.
#![no_std]
#![no_main]
#![expect(
    missing_docs,
    reason = "the xdp macro gives its entry point no documentation"
)]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

/// Passes every packet to the kernel's stack.
#[xdp]
pub fn dns_glue(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Never reached: the program has no panicking path.
#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel gives its tracing helpers to GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
