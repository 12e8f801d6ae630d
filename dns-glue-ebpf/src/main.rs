//! The XDP program of dns-glue.
//!
//! It answers queries that are due a referral and passes everything else, octet
//! for octet as it came. What is answered is decided in dns-glue-common; this
//! crate moves bytes: [`packet`] reads and writes the frame, [`tables`] reads
//! the maps, [`clock`] the time.
#![no_std]
#![no_main]
#![expect(
    missing_docs,
    reason = "the xdp macro gives its entry point no documentation"
)]

mod clock;
mod packet;
mod tables;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use aya_log_ebpf::{debug, error};
use dns_glue_common::reason::{Action, Reason};
use dns_glue_common::respond::respond;
use packet::Packet;
use tables::{Kept, Tables};

/// Answers or passes a packet, and counts what became of it.
#[xdp(frags)]
pub fn dns_glue(ctx: XdpContext) -> u32 {
    let reason = match (tables::scratch(), tables::host()) {
        (Some(scratch), Some(host)) => respond(
            &mut Packet::new(&ctx),
            host,
            &Tables,
            &Tables,
            &mut Kept,
            tables::policy(),
            scratch,
        ),
        _ => Reason::Inconsistent,
    };
    tables::count(reason);
    log_faults(&ctx, reason);
    match reason.action() {
        Action::Pass => xdp_action::XDP_PASS,
        Action::Transmit => xdp_action::XDP_TX,
        Action::Abort => xdp_action::XDP_ABORTED,
    }
}

/// Logs what an operator may want to look into, packet by packet. All of it is
/// off the way of a query that is answered or missed.
#[inline(always)]
fn log_faults(ctx: &XdpContext, reason: Reason) {
    match reason {
        Reason::NoRoom => debug!(ctx, "no room in a frame: the query passes"),
        Reason::Inconsistent => error!(ctx, "a map entry is missing: the packet passes"),
        Reason::WriteFailed => error!(ctx, "a checked write failed: the packet is dropped"),
        _ => {}
    }
}

dns_glue_ebpf::object!();
