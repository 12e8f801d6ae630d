//! The client's end of the veth pair of `cargo xtask run`.
//!
//! A veth pair is no network card: it hands the socket buffers of one end to
//! the XDP program of the other, in frames with next to no room behind the
//! data, and it takes back what that program transmits only into queues that
//! an XDP program of its own has opened. The two programs here make the
//! client's end behave like a wire, so that the lab shows what a card would.
#![no_std]
#![no_main]
#![expect(
    missing_docs,
    reason = "the macros give their entry points no documentation"
)]

use aya_ebpf::{
    EbpfContext as _,
    bindings::{TC_ACT_OK, xdp_action},
    helpers::generated::bpf_skb_change_tail,
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};

/// Octets of a padded frame: any reply (1400 octets at most) with its headers
/// finds room in it, and it fits an MTU of 1500.
const PADDED_OCTETS: u32 = 1500;

const ETHERNET_OCTETS: usize = 14;
const ETHERTYPE_OFFSET: usize = 12;
const IPV4: u16 = 0x0800;
const IPV4_PROTOCOL_OFFSET: usize = ETHERNET_OCTETS + 9;
const IPV6: u16 = 0x86dd;
const IPV6_OCTETS: usize = 40;
const IPV6_NEXT_HEADER_OFFSET: usize = ETHERNET_OCTETS + 6;
const UDP: u8 = 17;
const DESTINATION_PORT_OFFSET: usize = 2;
const DNS_PORT: u16 = 53;

/// Passes what arrives: that it is there opens the queues into which the other
/// end's `XDP_TX` puts its frames.
#[xdp(frags)]
pub fn pass_all(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Pads queries on their way out, as Ethernet pads short frames: behind the
/// end of the IP packet, with zeros.
#[classifier]
pub fn pad_queries(ctx: TcContext) -> i32 {
    if ctx.len() < PADDED_OCTETS && is_query(&ctx) == Some(true) {
        // SAFETY: the context is the one that the kernel gave the program, and
        // no pointer into the packet is held. If the helper fails, the frame is
        // as it was, and the counters of the server tell.
        let _ = unsafe { bpf_skb_change_tail(ctx.as_ptr().cast(), PADDED_OCTETS, 0) };
    }
    TC_ACT_OK
}

/// Whether the frame carries UDP to the port of DNS; nothing if it is too
/// short for its headers.
#[inline(always)]
fn is_query(ctx: &TcContext) -> Option<bool> {
    let (protocol_offset, udp_offset) = match number(ctx, ETHERTYPE_OFFSET)? {
        IPV4 => {
            let words = octet(ctx, ETHERNET_OCTETS)? & 0x0f;
            let octets = usize::from(words) * 4;
            (IPV4_PROTOCOL_OFFSET, ETHERNET_OCTETS + octets)
        }
        IPV6 => (IPV6_NEXT_HEADER_OFFSET, ETHERNET_OCTETS + IPV6_OCTETS),
        _ => return Some(false),
    };
    if octet(ctx, protocol_offset)? != UDP {
        return Some(false);
    }
    Some(number(ctx, udp_offset + DESTINATION_PORT_OFFSET)? == DNS_PORT)
}

#[inline(always)]
fn octet(ctx: &TcContext, offset: usize) -> Option<u8> {
    ctx.load(offset).ok()
}

#[inline(always)]
fn number(ctx: &TcContext, offset: usize) -> Option<u16> {
    ctx.load(offset).ok().map(u16::from_be)
}

dns_glue_ebpf::object!();
