//! The client of `cargo xtask bench --only load`: one program makes queries, another
//! counts replies.
//!
//! [`send_query`] is run by `BPF_PROG_TEST_RUN` on live frames, and what it
//! makes leaves by the interface that the run names. The other end of that veth
//! pair gets frames with the room of a page, as a network card gives them.
#![no_std]
#![no_main]
#![expect(
    missing_docs,
    reason = "the macros give their entry points no documentation"
)]

use aya_ebpf::{
    bindings::xdp_action,
    helpers::generated::{
        bpf_ktime_get_ns, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len, bpf_xdp_store_bytes,
    },
    macros::{map, xdp},
    maps::{Array, PerCpuArray},
    programs::XdpContext,
};
use dns_glue_common::frame::checksum::Sum;
use dns_glue_common::traffic::{
    Course, Front, IPV4_FRONT_OCTETS, IPV6_FRONT_OCTETS, LATENCY_CLASSES, MAX_MESSAGE_OCTETS,
    MESSAGE_ALIGNMENT, MESSAGE_HEAD_OCTETS, MessageHead, MessageSlab, Progress, Returned,
    SLAB_OCTETS, TIMED_PORT, latency_class,
};
use dns_glue_ebpf::opaque;

#[map]
static MESSAGES: Array<MessageSlab> = Array::with_max_entries(1, 0);
#[map]
static COURSE: Array<Course> = Array::with_max_entries(1, 0);
#[map]
static PROGRESS: Array<Progress> = Array::with_max_entries(1, 0);
#[map]
static RETURNED: PerCpuArray<Returned> = PerCpuArray::with_max_entries(1, 0);
#[map]
static LATENCIES: PerCpuArray<u64> = PerCpuArray::with_max_entries(LATENCY_CLASSES, 0);
/// When timed queries were sent, by their IDs; 0: none is under way.
#[map]
static SEND_TIMES: Array<u64> = Array::with_max_entries(1 << 16, 0);

/// Queries that may leave at once when they are late.
const BURST: u64 = 16;
const DNS_PORT: u16 = 53;
const ETHERNET_OCTETS: usize = 14;

/// Turns any frame into the next query, when it is due.
#[xdp]
pub fn send_query(mut ctx: XdpContext) -> u32 {
    let (Some(course), Some(progress)) = (COURSE.get_ptr(0), PROGRESS.get_ptr_mut(0)) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: map values live as long as the program; only this processor
    // writes the progress, and the course does not change during a run.
    let (course, progress) = unsafe { (&*course, &mut *progress) };
    if progress.started == 0 {
        progress.started = now();
    }
    if !is_due(course, progress) {
        return xdp_action::XDP_DROP;
    }
    match send(&mut ctx, course, progress) {
        Some(()) => xdp_action::XDP_TX,
        None => xdp_action::XDP_ABORTED,
    }
}

#[inline(always)]
fn is_due(course: &Course, progress: &mut Progress) -> bool {
    let interval = course.interval;
    if interval == 0 {
        return true;
    }
    progress.latest = now();
    let now = progress.latest << 8;
    if now < progress.due {
        return false;
    }
    // What a pause left behind is not made up for in one go.
    let earliest = now - interval * BURST;
    progress.due = progress.due.max(earliest) + interval;
    true
}

#[inline(always)]
fn send(ctx: &mut XdpContext, course: &Course, progress: &mut Progress) -> Option<()> {
    let (head, message) = next_message(course, progress)?;
    let ipv6 = head.family != 0;
    let front_octets = if ipv6 {
        IPV6_FRONT_OCTETS
    } else {
        IPV4_FRONT_OCTETS
    };
    // Keeps the bound on the very register that the helper is given.
    let octets = opaque(usize::from(head.octets) - 1);
    let octets = (octets & (MAX_MESSAGE_OCTETS - 1)) as u32 + 1;
    let growth = front_octets as i32 + octets as i32 - (ctx.data_end() - ctx.data()) as i32;
    // SAFETY: packet pointers are taken afterwards.
    if growth != 0 && unsafe { bpf_xdp_adjust_tail(ctx.ctx, growth) } != 0 {
        return None;
    }
    let message_offset = front_octets as u32;
    // SAFETY: a slab holds that many octets behind any place at which a message
    // starts; the helper checks the packet.
    let stored =
        unsafe { bpf_xdp_store_bytes(ctx.ctx, message_offset, message.cast_mut().cast(), octets) };
    if stored != 0 {
        return None;
    }
    let (port, id) = identity(course, progress);
    let udp_octets = octets as u16 + 8;
    let query = Query {
        sum: head.sum,
        udp_octets,
        port,
        id,
    };
    let [ipv4_front, ipv6_front] = &course.fronts;
    match ipv6 {
        true => write_ipv6(ctx, ipv6_front, &query),
        false => write_ipv4(ctx, ipv4_front, &query),
    }?;
    progress.sent += 1;
    Some(())
}

/// The next message and its head; the progress is then behind it.
#[inline(always)]
fn next_message(course: &Course, progress: &mut Progress) -> Option<(MessageHead, *const u8)> {
    let mut at = entry(progress)?;
    if at.0.octets == 0 {
        let next = progress.slab + 1;
        progress.slab = if next < course.slabs { next } else { 0 };
        progress.offset = 0;
        at = entry(progress)?;
    }
    let octets = MESSAGE_HEAD_OCTETS as u32 + u32::from(at.0.octets);
    progress.offset += octets.next_multiple_of(MESSAGE_ALIGNMENT as u32);
    Some(at)
}

#[inline(always)]
fn entry(progress: &Progress) -> Option<(MessageHead, *const u8)> {
    let slab = MESSAGES.get_ptr(progress.slab)?.cast::<u8>();
    let offset = opaque(progress.offset as usize) & (SLAB_OCTETS - MESSAGE_ALIGNMENT);
    // SAFETY: the offset is below `SLAB_OCTETS`, and a slab is longer than that
    // by a head and the longest message.
    unsafe {
        let head = slab.add(offset);
        Some((
            head.cast::<MessageHead>().read(),
            head.add(MESSAGE_HEAD_OCTETS),
        ))
    }
}

/// Source port and ID of the next query, in memory order; one in as many as the
/// course says has the port of those whose time is taken.
#[inline(always)]
fn identity(course: &Course, progress: &mut Progress) -> (u16, u16) {
    let shift = course.timed_shift & 63;
    let number = progress.sent >> shift;
    if number << shift == progress.sent {
        let slot = number as u16;
        progress.latest = now();
        if let Some(time) = SEND_TIMES.get_ptr_mut(slot.into()) {
            // SAFETY: a map value; the other program may read it at any time.
            unsafe { time.write_volatile(progress.latest) };
        }
        return (TIMED_PORT.to_be(), slot);
    }
    // Marsaglia's xorshift64.
    let mut random = progress.random;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    progress.random = random;
    let port = random as u16;
    let port = if port <= TIMED_PORT {
        port + TIMED_PORT + 1
    } else {
        port
    };
    (port.to_be(), (random >> 16) as u16)
}

/// What differs from one query to the next. Port and ID are in memory order.
struct Query {
    /// Sum of the message.
    sum: u16,
    /// Octets of the UDP datagram.
    udp_octets: u16,
    port: u16,
    id: u16,
}

impl Query {
    /// The UDP checksum: the length stands in the header and in the
    /// pseudo-header.
    #[inline(always)]
    fn checksum(&self, front: &Front) -> u16 {
        Sum::ZERO
            .words(front.udp_sum)
            .words(u32::from(self.sum))
            .words(u32::from(self.port))
            .words(u32::from(self.id))
            .number(self.udp_octets)
            .number(self.udp_octets)
            .finish_udp()
    }

    /// The UDP header but for its destination port, and the ID behind it.
    #[inline(always)]
    fn write<const N: usize>(&self, front: &Front, packet: &mut [u8; N], udp: usize) {
        put(packet, udp, self.port);
        put(packet, udp + 4, self.udp_octets.to_be());
        put(packet, udp + 6, self.checksum(front));
        put(packet, udp + 8, self.id);
    }
}

#[inline(always)]
fn write_ipv4(ctx: &mut XdpContext, front: &Front, query: &Query) -> Option<()> {
    const IP: usize = ETHERNET_OCTETS;
    let packet: &mut [u8; IPV4_FRONT_OCTETS + 2] = packet(ctx)?;
    packet[..IPV4_FRONT_OCTETS].copy_from_slice(&front.octets[..IPV4_FRONT_OCTETS]);
    let ip_octets = query.udp_octets + 20;
    put(packet, IP + 2, ip_octets.to_be());
    let checksum = Sum::ZERO.words(front.ip_sum).number(ip_octets).finish();
    put(packet, IP + 10, checksum);
    query.write(front, packet, IP + 20);
    Some(())
}

#[inline(always)]
fn write_ipv6(ctx: &mut XdpContext, front: &Front, query: &Query) -> Option<()> {
    const IP: usize = ETHERNET_OCTETS;
    let packet: &mut [u8; IPV6_FRONT_OCTETS + 2] = packet(ctx)?;
    packet[..IPV6_FRONT_OCTETS].copy_from_slice(&front.octets[..IPV6_FRONT_OCTETS]);
    put(packet, IP + 4, query.udp_octets.to_be());
    query.write(front, packet, IP + 40);
    Some(())
}

/// The first octets of the packet.
#[inline(always)]
fn packet<const N: usize>(ctx: &mut XdpContext) -> Option<&mut [u8; N]> {
    if ctx.data() + N > ctx.data_end() {
        return None;
    }
    // SAFETY: that many octets are in the packet, and octets have no alignment.
    Some(unsafe { &mut *(ctx.data() as *mut [u8; N]) })
}

/// Writes a number in memory order.
#[inline(always)]
fn put<const N: usize>(packet: &mut [u8; N], offset: usize, number: u16) {
    if offset + 2 <= N {
        // SAFETY: just checked, and octets have no alignment.
        unsafe {
            packet
                .as_mut_ptr()
                .add(offset)
                .cast::<u16>()
                .write_unaligned(number)
        };
    }
}

/// Reads a number in memory order; 0 beyond the end, which is never asked for.
#[inline(always)]
fn get<const N: usize>(packet: &[u8; N], offset: usize) -> u16 {
    if offset + 2 <= N {
        // SAFETY: just checked, and octets have no alignment.
        return unsafe { packet.as_ptr().add(offset).cast::<u16>().read_unaligned() };
    }
    0
}

#[inline(always)]
fn now() -> u64 {
    // SAFETY: it takes nothing and reads a clock.
    unsafe { bpf_ktime_get_ns() }
}

/// Counts a reply, and drops it. One that comes late, to an interface that is
/// no longer asked at, does not count.
#[xdp(frags)]
pub fn count_reply(mut ctx: XdpContext) -> u32 {
    let (Some(course), Some(returned)) = (COURSE.get_ptr(0), RETURNED.get_ptr_mut(0)) else {
        return xdp_action::XDP_ABORTED;
    };
    // SAFETY: a map value, and the context is the one that the kernel gave the
    // program.
    if unsafe { (*course).interface != (*ctx.ctx).ingress_ifindex } {
        return xdp_action::XDP_DROP;
    }
    // SAFETY: this processor's own value; it is read when nothing arrives.
    let returned = unsafe { &mut *returned };
    if count(&mut ctx, returned).is_none() {
        returned.others += 1;
    }
    xdp_action::XDP_DROP
}

#[inline(always)]
fn count(ctx: &mut XdpContext, returned: &mut Returned) -> Option<()> {
    const IPV4: u16 = 0x0800_u16.to_be();
    const IPV6: u16 = 0x86dd_u16.to_be();
    const UDP: u8 = 17;
    let start: &[u8; IPV4_FRONT_OCTETS + 4] = packet(ctx)?;
    let (ports, id, flags) = match get(start, 12) {
        IPV4 if start[23] == UDP => heads(start, IPV4_FRONT_OCTETS),
        IPV6 if start[20] == UDP => {
            let start: &[u8; IPV6_FRONT_OCTETS + 4] = packet(ctx)?;
            heads(start, IPV6_FRONT_OCTETS)
        }
        _ => return None,
    };
    let dns = DNS_PORT.to_be();
    let client_port = match ports {
        [source, client] if source == dns => {
            let [high, low] = flags;
            // SAFETY: the mask keeps it within the array.
            unsafe { *returned.rcodes.get_unchecked_mut(usize::from(low & 15)) += 1 };
            returned.truncated += u64::from(high >> 1 & 1);
            client
        }
        [client, destination] if destination == dns => {
            returned.reflected += 1;
            client
        }
        _ => return None,
    };
    // SAFETY: the context is the one that the kernel gave the program.
    returned.octets += unsafe { bpf_xdp_get_buff_len(ctx.ctx) };
    if client_port == TIMED_PORT.to_be() {
        count_latency(id)?;
    }
    Some(())
}

/// Ports, ID and flags of a message whose headers take so many octets.
#[inline(always)]
fn heads<const N: usize>(start: &[u8; N], front: usize) -> ([u16; 2], u16, [u8; 2]) {
    let udp = front - 8;
    let flags = get(start, front + 2).to_ne_bytes();
    (
        [get(start, udp), get(start, udp + 2)],
        get(start, front),
        flags,
    )
}

#[inline(always)]
fn count_latency(id: u16) -> Option<()> {
    let sent = SEND_TIMES.get_ptr_mut(id.into())?;
    // SAFETY: a map value; the sender may write it at any time.
    let sent = unsafe { sent.replace(0) };
    if sent != 0 {
        let class = latency_class(now() - sent);
        let counter = LATENCIES.get_ptr_mut(class)?;
        // SAFETY: this processor's own value.
        unsafe { *counter += 1 };
    }
    Some(())
}

dns_glue_ebpf::object!();
