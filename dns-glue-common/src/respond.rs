//! A packet's whole way: parse, look up, grow, write.
//!
//! The XDP program and the host run this same function; the traits hide
//! whether frames and maps are the kernel's or memory.

use crate::deadlines::Deadlines;
use crate::decide::{self, Generation, Keeping, Part, Plan};
use crate::frame::checksum::Sum;
use crate::frame::parse::{self, Datagram, Family, with_ends};
use crate::frame::reply::{self, Numbers};
use crate::frame::{Frame, Rest as _, Scratch, Unfit, read_back};
use crate::host::Host;
use crate::kept::{Found, KeptBodies};
use crate::limits::{
    HEADER_OCTETS, MAX_NSID_OCTETS, MAX_QUERY_OCTETS, MAX_RELOCATIONS, OPT_OCTETS,
    OPTION_HEAD_OCTETS,
};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::referral::{Piece, RELOCATION_GROUP, relocations_start};
use crate::route;
use crate::wire::{Message, edns, query};
use network_types::udp::UdpHdr;

/// Answers a frame in place, or says why it passes untouched.
///
/// An outcome whose action is not `Transmit` leaves the frame as it was, but
/// for `WriteFailed`, which cannot happen as long as a frame that was resized
/// is as long as was asked for.
#[inline(always)]
pub fn respond<F: Frame, H: Host, G: Generation, D: Deadlines, K: KeptBodies>(
    frame: &mut F,
    host: &H,
    generation: &G,
    deadlines: &D,
    kept: &mut K,
    policy: &Policy,
    scratch: &mut Scratch,
) -> Reason {
    if let Err(reason) = prepare(frame, host, generation, deadlines, kept, policy, scratch) {
        return reason;
    }
    let front = (scratch.datagram.message_start + scratch.plan.question_end) as usize;
    let octets = scratch.datagram.message_start as usize + scratch.plan.message_octets();
    match frame.resize(octets, front, &mut scratch.message) {
        Ok(()) => {}
        Err(Unfit::NoRoom) => return Reason::NoRoom,
        Err(Unfit::SeveralBuffers) => return Reason::MultiBuffer,
    }
    if write(frame, generation, kept, policy, scratch) {
        scratch.plan.outcome()
    } else {
        Reason::WriteFailed
    }
}

/// Everything that may still pass, but for growing: nothing here writes to the
/// frame.
#[inline(always)]
fn prepare<F: Frame, H: Host, G: Generation, D: Deadlines, K: KeptBodies>(
    frame: &F,
    host: &H,
    generation: &G,
    deadlines: &D,
    kept: &mut K,
    policy: &Policy,
    scratch: &mut Scratch,
) -> Result<(), Reason> {
    let datagram = &mut scratch.datagram;
    parse::parse(frame, host, policy, datagram)?;
    let message_octets = read_back(&datagram.message_octets) as usize;
    let message_start = datagram.message_start as usize;
    let sum = frame
        .read_message(message_start, message_octets, &mut scratch.message)
        .ok_or(Reason::ShortFrame)?;
    let message = Message::new(&scratch.message, message_octets);
    query::parse_query(&message, &mut scratch.starts, policy, &mut scratch.query)?;
    decide::decide(
        &message,
        &scratch.starts,
        &read_back(&scratch.query),
        host,
        generation,
        deadlines,
        kept,
        policy,
        datagram.mtu_octets as usize,
        &mut scratch.plan,
    )?;
    let plan = &mut scratch.plan;
    let question_end = plan.question_end as usize;
    if !parse::udp_checksum_is_right(datagram, sum) {
        return Err(Reason::UdpChecksum);
    }
    let header = message.sum::<HEADER_WORDS>(0, HEADER_OCTETS);
    let rest = message.sum::<MAX_WORDS>(question_end, message_octets);
    plan.question_sum = sum
        .without(header, false)
        .without(rest, question_end % 2 == 1);
    if policy.has(Policy::REPLY_VIA_FIB) {
        let octets = plan.message_octets();
        route::find_next_hop(frame, host, datagram, octets, &mut scratch.route)?;
    }
    Ok(())
}

/// Eight-octet words of a message at the most, and of its header.
const MAX_WORDS: usize = MAX_QUERY_OCTETS / 8;
const HEADER_WORDS: usize = HEADER_OCTETS.div_ceil(8);

/// Writes the reply into the frame, which has its length and its question
/// already.
#[inline(always)]
fn write<F: Frame, G: Generation, K: KeptBodies>(
    frame: &mut F,
    generation: &G,
    kept: &mut K,
    policy: &Policy,
    scratch: &mut Scratch,
) -> bool {
    let Scratch {
        plan,
        datagram,
        route,
        ..
    } = scratch;
    let opt = opt_record(policy.max_udp, plan);
    let body_sum = body_sum(plan, &opt, policy);
    let via_fib = policy.has(Policy::REPLY_VIA_FIB);
    let next_hop = via_fib.then_some(&route.next_hop);
    if !write_front(frame, datagram, plan, body_sum, next_hop) {
        return false;
    }
    let body_start = read_back(&datagram.message_start) as usize + plan.question_end as usize;
    if let Keeping::Send = plan.keeping {
        let octets = plan.body_octets as usize;
        return match kept.place(plan.place) {
            Some(place) => frame.write_body(body_start, &place.body, octets),
            None => false,
        };
    }
    for part in &plan.parts {
        if part.piece != 0 && !write_part(frame, generation, part, body_start) {
            return false;
        }
    }
    let opt_start = body_start + plan.body_octets as usize;
    let is_written = match plan.opt_octets as usize {
        0 => true,
        OPT_OCTETS => put(frame, opt_start, &opt),
        _ => {
            scratch.identifier = *policy.nsid.padded();
            write_nsid(frame, opt_start, &opt, policy, &scratch.identifier)
        }
    };
    if let (true, Keeping::Keep, Reason::Referral) = (is_written, plan.keeping, plan.outcome) {
        keep(frame, kept, plan, body_sum, body_start);
    }
    is_written
}

/// Keeps the body of the reply that the frame holds.
#[inline(always)]
fn keep<F: Frame, K: KeptBodies>(
    frame: &F,
    kept: &mut K,
    plan: &Plan,
    sum: Sum,
    body_start: usize,
) {
    let Some(place) = kept.place(plan.place) else {
        return;
    };
    let octets = plan.body_octets + plan.opt_octets;
    place.clear();
    if frame.read_body(body_start, octets as usize, &mut place.body) {
        let found = Found {
            sum,
            octets,
            authority: plan.authority,
            additional: plan.additional + (plan.opt_octets != 0) as u16,
        };
        place.set(&plan.key, &found);
    }
}

/// Writes an OPT record with the identifier.
#[inline(always)]
fn write_nsid<F: Frame>(
    frame: &mut F,
    start: usize,
    opt: &[u8; OPT_OCTETS],
    policy: &Policy,
    identifier: &[u8; MAX_NSID_OCTETS],
) -> bool {
    let option = start + OPT_OCTETS;
    put(frame, start, opt)
        && put(frame, option, &policy.nsid.option_head())
        && frame.write_identifier(
            option + OPTION_HEAD_OCTETS,
            identifier,
            policy.nsid.octets(),
        )
}

/// Writes `octets` at `offset`.
#[inline(always)]
fn put<F: Frame, const N: usize>(frame: &mut F, offset: usize, octets: &[u8; N]) -> bool {
    match frame.place(offset) {
        Some(place) => {
            *place = *octets;
            true
        }
        None => false,
    }
}

/// Makes everything in front of the question that of the reply, which goes to
/// the next hop, or without one to whoever sent the query.
#[inline(always)]
fn write_front<F: Frame>(
    frame: &mut F,
    datagram: &Datagram,
    plan: &Plan,
    body_sum: Sum,
    next_hop: Option<&[u8; 6]>,
) -> bool {
    let additional = plan.additional + (plan.opt_octets != 0) as u16;
    let header = [plan.flags, 1, 0, plan.authority, additional];
    let Some(macs) = frame.place(0) else {
        return false;
    };
    reply::swap_macs(macs);
    if let Some(next_hop) = next_hop {
        reply::send_to(macs, *next_hop);
    }
    let ip_start = datagram.ip_start as usize;
    let message_octets = plan.message_octets() as u16;
    let mut numbers = Numbers {
        udp_octets: UdpHdr::LEN as u16 + message_octets,
        checksum: 0,
        header,
    };
    let message_sum = header
        .into_iter()
        .fold(plan.question_sum.sum(body_sum), Sum::number);
    let sum = with_ends(datagram, message_sum, message_octets);
    match datagram.family {
        Family::V4 => {
            let Some(front) = frame.place::<{ reply::IPV4_OCTETS }>(ip_start) else {
                return false;
            };
            numbers.checksum = sum.words(reply::message_id(front)).finish_udp();
            reply::write_ipv4(front, &numbers);
        }
        Family::V6 => {
            let Some(front) = frame.place::<{ reply::IPV6_OCTETS }>(ip_start) else {
                return false;
            };
            numbers.checksum = sum.words(reply::message_id(front)).finish_udp();
            reply::write_ipv6(front, &numbers);
        }
    }
    true
}

/// The sum of all that follows the question, as it stands in the message: the
/// compiler has summed the records.
#[inline(always)]
fn body_sum(plan: &Plan, opt: &[u8; OPT_OCTETS], policy: &Policy) -> Sum {
    if plan.opt_octets == 0 {
        return plan.sum;
    }
    let odd = (plan.question_end + plan.body_octets) % 2 == 1;
    let sum = plan.sum.block(opt_sum(opt), odd);
    if plan.opt_octets as usize == OPT_OCTETS {
        return sum;
    }
    const { assert!(OPT_OCTETS % 2 == 1) };
    sum.block(policy.nsid.sum(), !odd)
}

/// Writes one part and shifts its pointers.
#[inline(always)]
fn write_part<F: Frame, G: Generation>(
    frame: &mut F,
    generation: &G,
    part: &Part,
    body_start: usize,
) -> bool {
    let octets = part.octets as usize;
    if octets == 0 {
        return true;
    }
    let Ok(piece) = Piece::at(generation, part.piece) else {
        return false;
    };
    let start = body_start + part.start as usize;
    if !frame.write_piece(start, &piece, octets) {
        return false;
    }
    if part.shift.is_none() {
        return true;
    }
    let Some(mut records) = frame.rest(start) else {
        return false;
    };
    let first = relocations_start(part.whole_octets);
    let relocations = read_back(&part.relocations) as usize;
    let shift = part.shift;
    for group in 0..MAX_RELOCATIONS / RELOCATION_GROUP {
        let before = RELOCATION_GROUP * group;
        for (place, relocation) in (before..).zip(piece.relocations(first, group)) {
            if place >= relocations {
                return true;
            }
            let Some(pointer) = records.place::<2>(relocation.offset()) else {
                return false;
            };
            let shifted = u16::from_be_bytes(*pointer).wrapping_add(shift.of(relocation));
            *pointer = shifted.to_be_bytes();
        }
    }
    true
}

/// Our OPT record up to its options: root, own size, version 0, DO as asked.
#[inline(always)]
const fn opt_record(udp_octets: u16, plan: &Plan) -> [u8; OPT_OCTETS] {
    let [size_high, size_low] = udp_octets.to_be_bytes();
    let flags = if plan.dnssec { edns::FLAG_DO } else { 0 };
    let [flags_high, flags_low] = flags.to_be_bytes();
    let [high, low] = plan
        .opt_octets
        .saturating_sub(OPT_OCTETS as u16)
        .to_be_bytes();
    [
        0, 0, 41, size_high, size_low, 0, 0, flags_high, flags_low, high, low,
    ]
}

/// The sum of an OPT record as if it began at an even offset; a number.
#[inline(always)]
const fn opt_sum(opt: &[u8; OPT_OCTETS]) -> u16 {
    let [
        _,
        rtype,
        low,
        size_high,
        size_low,
        ttl,
        version,
        flags_high,
        flags_low,
        high,
        octets,
    ] = *opt;
    // Six words add up to less than 2^32; an odd number of octets is padded.
    let sum = u16::from_be_bytes([0, rtype]) as u64
        + u16::from_be_bytes([low, size_high]) as u64
        + u16::from_be_bytes([size_low, ttl]) as u64
        + u16::from_be_bytes([version, flags_high]) as u64
        + u16::from_be_bytes([flags_low, high]) as u64
        + u16::from_be_bytes([octets, 0]) as u64;
    crate::frame::checksum::fold(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadlines::{NEVER, WITHHELD};
    use crate::in_memory::{
        Asked, INTERFACE, MAC, MemoryDeadlines, MemoryFrame, MemoryHost, MemoryKept, MemoryRoute,
        OneDelegation, POLICY, PlainPiece, VIRTUAL_MAC, VLAN_INTERFACE, ZONE, checksum, run,
        run_at, run_with, udp_checksum,
    };
    use crate::index::Slot;
    use crate::kept::KeptBody;
    use crate::limits::KEPT_BODIES;
    use crate::limits::{MAX_NAME_OCTETS, MAX_UDP_OCTETS, MIN_UDP_OCTETS};
    use crate::maps::DEADLINE_SLOTS;
    use crate::referral::{Extent, Kind, Relocation};
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The cut of the one delegation.
    const CUT: [u8; 5] = [3, b'c', b'u', b't', 0];
    const PLENTY: usize = 2000;
    /// Octets of the NS records and of each address.
    const NS: usize = 40;
    const ADDRESS: usize = 29;
    /// Addresses, of which the first are needed.
    const ADDRESSES: usize = 45;
    const NEEDED: usize = 20;

    /// NS records with a pointer to the cut, and addresses with pointers to
    /// each kind of place, at even and odd offsets.
    fn delegation() -> OneDelegation {
        let base = CUT.len() as u8;
        let pointer = |target: u16| (0xc000 | target).to_be_bytes();
        let mut ns = PlainPiece {
            base,
            base_start: 0,
            records: std::vec![7; NS],
            relocations: std::vec![Relocation::new(Kind::Cut, 0)],
            ends: Vec::new(),
        };
        ns.records.as_mut_slice()[..2].copy_from_slice(&pointer(12));
        let whole = extent(&ns, NS, 1, 0);
        ns.ends.push(Extent {
            authority: 2,
            additional: 0,
            ..whole
        });

        let mut glue = PlainPiece {
            base,
            base_start: NS as u16,
            records: std::vec![9; ADDRESSES * ADDRESS],
            relocations: Vec::new(),
            ends: Vec::new(),
        };
        for place in 0..ADDRESSES {
            let at = place * ADDRESS;
            let kind = [Kind::Cut, Kind::Body, Kind::Own][place % 3];
            let target = [12, 30, 80][place % 3];
            glue.records.as_mut_slice()[at..at + 2].copy_from_slice(&pointer(target));
            glue.relocations.push(Relocation::new(kind, at as u16));
        }
        for place in 0..=ADDRESSES {
            let flags = if place < NEEDED { Extent::TRUNCATED } else { 0 };
            let end = extent(&glue, place * ADDRESS, place, flags);
            glue.ends.push(Extent {
                additional: place as u8,
                ..end
            });
        }
        OneDelegation::new(&CUT, Slot::WORTH_KEEPING, [Some(&ns), None, Some(&glue)])
    }

    /// The part of a piece with so many octets and pointers.
    fn extent(piece: &PlainPiece, octets: usize, relocations: usize, flags: u8) -> Extent {
        let mut extent = Extent {
            octets: octets as u16,
            sum: !checksum(0, &piece.records[..octets]),
            relocations: relocations as u8,
            flags,
            ..Extent::EMPTY
        };
        for relocation in piece.relocations.iter().take(relocations) {
            let gain = if relocation.offset() % 2 == 0 { 1 } else { 256 };
            match relocation.0 >> 14 {
                0 => extent.gain_cut += gain,
                1 => extent.gain_body += gain,
                _ => extent.gain_own += gain,
            }
        }
        extent
    }

    /// A query for a name of so many octets at or below the cut, with an OPT
    /// record if there is a size.
    fn query(name_octets: usize, size: Option<u16>) -> Vec<u8> {
        let mut message = std::vec![
            0x1d,
            0x5a,
            1,
            0,
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            u8::from(size.is_some())
        ];
        let mut prefix = name_octets - CUT.len();
        while prefix > 0 {
            // Never an octet alone: that would be a label without content.
            let octets = if prefix == 65 { 33 } else { prefix.min(64) };
            message.push((octets - 1) as u8);
            message.extend(std::iter::repeat_n(b'X', octets - 1));
            prefix -= octets;
        }
        message.extend(CUT);
        message.extend([0, 1, 0, 1]);
        if let Some(size) = size {
            let [high, low] = size.to_be_bytes();
            message.extend([0, 0, 41, high, low, 0, 0, 0, 0, 0, 0]);
        }
        message
    }

    /// Names at or below the cut: every length but the one that would need an
    /// empty label.
    fn name_lengths() -> impl Iterator<Item = usize> {
        (CUT.len()..=MAX_NAME_OCTETS).filter(|octets| *octets != CUT.len() + 1)
    }

    /// Panics unless the UDP checksum of a reply is right.
    fn check_sum(reply: &MemoryFrame, asked: &Asked) {
        assert_eq!(udp_checksum(&reply.octets, asked.udp, asked.is_ipv6), 0);
    }

    /// Every length of a name, and every size that a client can tell, up to the
    /// most that is sent: the reply holds as many addresses as fit, and says
    /// so.
    #[test]
    fn every_length_of_a_reply() {
        let delegation = delegation();
        let policy = Policy {
            max_udp: MAX_UDP_OCTETS as u16,
            ..POLICY
        };
        let few = [5, 7, 8, 64, 97, 254, 255];
        let all_sizes =
            (0..=MAX_UDP_OCTETS as u16 + 1).flat_map(|size| few.map(|name| (name, size)));
        let all_names =
            name_lengths().flat_map(|name| [512, 513, 1232, 1399, 1400].map(|size| (name, size)));
        for (name_octets, size) in all_sizes.chain(all_names) {
            for size in [Some(size), None] {
                let asked = Asked::new(name_octets % 2 == 0, &[], &query(name_octets, size));
                let mut reply = asked.frame(PLENTY);
                let reason = run(&mut reply, 1500, &delegation, &policy);
                let limit = usize::from(size.unwrap_or(0)).clamp(MIN_UDP_OCTETS, MAX_UDP_OCTETS);
                let front = 12 + name_octets + 4 + NS + if size.is_some() { OPT_OCTETS } else { 0 };
                let addresses = ((limit - front) / ADDRESS).min(ADDRESSES);
                let expected = match addresses {
                    ADDRESSES => Reason::Referral,
                    NEEDED.. => Reason::ReferralPartial,
                    _ => Reason::ReferralTruncated,
                };
                assert_eq!(reason, expected, "{name_octets} {size:?}");
                let octets = reply.octets.len() - asked.udp - 8;
                assert_eq!(
                    octets,
                    front + addresses * ADDRESS,
                    "{name_octets} {size:?}"
                );
                check_sum(&reply, &asked);
            }
        }
    }

    #[test]
    fn every_mtu() {
        let delegation = delegation();
        let policy = Policy {
            max_udp: MAX_UDP_OCTETS as u16,
            ..POLICY
        };
        for (is_ipv6, headers) in [(false, 28), (true, 48)] {
            let asked = Asked::new(is_ipv6, &[], &query(9, Some(4096)));
            for mtu in 0..=u16::MAX {
                let mut reply = asked.frame(PLENTY);
                let reason = run(&mut reply, mtu, &delegation, &policy);
                let mtu = usize::from(mtu);
                if mtu < MIN_UDP_OCTETS + headers {
                    assert_eq!(reason, Reason::SmallMtu);
                    assert_eq!(reply, asked.frame(PLENTY));
                } else {
                    let octets = reply.octets.len() - asked.ip;
                    assert!(octets <= mtu.min(MAX_UDP_OCTETS + headers));
                    assert!(octets + ADDRESS > mtu || reason == Reason::Referral);
                }
            }
        }
    }

    #[test]
    fn replies_leave_from_the_mac_address_that_was_asked() {
        let delegation = delegation();
        for (mac, reason) in [
            (MAC, Reason::ReferralTruncated),
            (VIRTUAL_MAC, Reason::ReferralTruncated),
            ([0, 0, 0x5e, 0, 1, 8], Reason::ForeignMac),
            ([0xff; 6], Reason::ForeignMac),
            ([0; 6], Reason::ForeignMac),
        ] {
            let mut asked = Asked::new(true, &[], &query(9, None));
            asked.octets.as_mut_slice()[..6].copy_from_slice(&mac);
            let mut reply = asked.frame(PLENTY);
            assert_eq!(run(&mut reply, 1500, &delegation, &POLICY), reason);
            if reason == Reason::ForeignMac {
                assert_eq!(reply, asked.frame(PLENTY));
            } else {
                assert_eq!(reply.octets[..6], asked.octets[6..12]);
                assert_eq!(reply.octets[6..12], mac);
            }
        }
    }

    const VIA_FIB: Policy = Policy {
        flags: Policy::REPLY_VIA_FIB,
        ..POLICY
    };
    const NEXT_HOP: [u8; 6] = [2, 0, 0, 0, 0, 0x77];

    /// A reply that the routing table sends is the other one but for the MAC
    /// address that it goes to.
    #[test]
    fn replies_go_to_the_next_hop_or_not_at_all() {
        let delegation = delegation();
        let q7 = [0x81, 0x00, 0x60, 0x07];
        let q8 = [0x81, 0x00, 0x00, 0x08];
        let service = [0x88, 0xa8, 0x00, 0x07];
        let untagged = [0x81, 0x00, 0x00, 0x00];
        for (tags, interface, is_way_back) in [
            (&[][..], INTERFACE, true),
            (&[], VLAN_INTERFACE, false),
            (&[], INTERFACE + 7, false),
            (&[], 0, false),
            (&[q7], VLAN_INTERFACE, true),
            (&[q7], INTERFACE, false),
            (&[q8], VLAN_INTERFACE, false),
            (&[service], VLAN_INTERFACE, false),
            (&[untagged], INTERFACE, false),
            (&[service, q7], VLAN_INTERFACE, false),
            (&[q7, q8], VLAN_INTERFACE, false),
        ] {
            for is_ipv6 in [false, true] {
                let asked = Asked::new(is_ipv6, tags, &query(9, None));
                let mut swapped = asked.frame(PLENTY);
                let expected = run(&mut swapped, 1500, &delegation, &POLICY);
                let mut frame = asked.frame(PLENTY);
                frame.route = Some(MemoryRoute {
                    interface,
                    mac: NEXT_HOP,
                    mtu: 1500,
                });
                let before = frame.clone();
                let reason = run(&mut frame, 1500, &delegation, &VIA_FIB);
                if is_way_back {
                    assert_eq!(reason, expected, "{tags:x?} {interface}");
                    assert_eq!(frame.octets[..6], NEXT_HOP);
                    assert_eq!(frame.octets[6..], swapped.octets[6..]);
                } else {
                    assert_eq!(reason, Reason::NoRoute, "{tags:x?} {interface}");
                    assert_eq!(frame, before);
                }
            }
        }
    }

    #[test]
    fn a_route_must_carry_the_reply() {
        let delegation = delegation();
        for is_ipv6 in [false, true] {
            let asked = Asked::new(is_ipv6, &[], &query(9, Some(1232)));
            let mut swapped = asked.frame(PLENTY);
            let expected = run(&mut swapped, 1500, &delegation, &POLICY);
            let needed = swapped.octets.len() - asked.ip;
            let run_over = |route| {
                let mut frame = asked.frame(PLENTY);
                frame.route = route;
                let reason = run(&mut frame, 1500, &delegation, &VIA_FIB);
                assert!(reason != Reason::NoRoute || frame.octets == asked.octets);
                reason
            };
            assert_eq!(run_over(None), Reason::NoRoute);
            for mtu in needed - 100..needed + 100 {
                let route = MemoryRoute {
                    interface: INTERFACE,
                    mac: NEXT_HOP,
                    mtu: mtu as u16,
                };
                let fits = mtu >= needed;
                let expected = if fits { expected } else { Reason::NoRoute };
                assert_eq!(run_over(Some(route)), expected, "{mtu}");
            }
        }
    }

    /// The routing table is asked for what is certain to be answered.
    #[test]
    fn what_passes_anyway_needs_no_route() {
        let delegation = delegation();
        let mut message = query(9, None);
        message.as_mut_slice()[12 + 9 - CUT.len() + 1] = b'x';
        let asked = Asked::new(false, &[], &message);
        let mut frame = asked.frame(PLENTY);
        let reason = run(&mut frame, 1500, &delegation, &VIA_FIB);
        assert_eq!(reason, Reason::OutsideZones);
        let mut broken = Asked::new(false, &[], &query(9, None));
        broken.octets.as_mut_slice()[broken.udp + 6] ^= 1;
        let reason = run(&mut broken.frame(PLENTY), 1500, &delegation, &VIA_FIB);
        assert_eq!(reason, Reason::UdpChecksum);
    }

    #[test]
    fn every_number_of_tags_and_every_type_of_ethernet() {
        let delegation = delegation();
        let outer = [0x88, 0xa8, 0x1f, 0xff];
        let inner = [0x81, 0x00, 0xab, 0xcd];
        for is_ipv6 in [false, true] {
            for tags in [&[][..], &[inner], &[outer, inner], &[outer, inner, inner]] {
                let asked = Asked::new(is_ipv6, tags, &query(9, None));
                let mut reply = asked.frame(PLENTY);
                let reason = run(&mut reply, 1500, &delegation, &POLICY);
                if tags.len() > 2 {
                    assert_eq!(reason, Reason::NotIp);
                    continue;
                }
                assert_eq!(reason, Reason::ReferralTruncated);
                assert_eq!(&reply.octets[..6], &asked.octets[6..12]);
                assert_eq!(reply.octets[6..12], MAC);
                assert_eq!(&reply.octets[12..asked.ip], &asked.octets[12..asked.ip]);
                check_sum(&reply, &asked);
            }
            for ether_type in 0..=u16::MAX {
                let asked = Asked::new(is_ipv6, &[], &query(9, None)).with(12, ether_type);
                let mut reply = asked.frame(PLENTY);
                let reason = run(&mut reply, 1500, &delegation, &POLICY);
                let is_own = ether_type == if is_ipv6 { 0x86dd } else { 0x0800 };
                assert_eq!(
                    reason == Reason::ReferralTruncated,
                    is_own,
                    "{ether_type:#x}"
                );
            }
        }
    }

    /// Every value of every number of the IP and UDP headers that decides.
    #[test]
    fn every_number_of_the_headers() {
        let delegation = delegation();
        for is_ipv6 in [false, true] {
            let plain = || Asked::new(is_ipv6, &[], &query(9, None));
            let (ip, udp) = (plain().ip, plain().udp);
            let outcome = |at: usize, number: u16| {
                let asked = plain().with(at, number);
                let mut reply = asked.frame(PLENTY);
                let reason = run(&mut reply, 1500, &delegation, &POLICY);
                assert!(reason == Reason::ReferralTruncated || reply == asked.frame(PLENTY));
                reason
            };
            let udp_octets = (plain().octets.len() - udp) as u16;
            for number in 0..=u16::MAX {
                let expected = match number {
                    0 | 7 | 13 | 19 | 37 => Reason::SourcePort,
                    _ => Reason::ReferralTruncated,
                };
                assert_eq!(outcome(udp, number), expected, "source port {number}");
                let is_served = number == 53;
                assert_eq!(outcome(udp + 2, number) != Reason::OtherPort, is_served);
                let is_exact = number == udp_octets;
                assert_eq!(outcome(udp + 4, number) != Reason::Length, is_exact);
                if is_ipv6 {
                    assert_eq!(outcome(ip + 4, number) != Reason::Length, is_exact);
                } else {
                    let is_exact = number == 20 + udp_octets;
                    assert_eq!(outcome(ip + 2, number) != Reason::Length, is_exact);
                    let is_whole = number & !0x4000 == 0;
                    assert_eq!(outcome(ip + 6, number) != Reason::Ipv4Fragment, is_whole);
                }
            }
        }
    }

    #[test]
    fn every_room_behind_a_frame() {
        let delegation = delegation();
        let asked = Asked::new(true, &[], &query(9, Some(1232)));
        let mut whole = asked.frame(PLENTY);
        run(&mut whole, 1500, &delegation, &POLICY);
        let needed = whole.octets.len() - asked.octets.len();
        for room in 0..PLENTY {
            let mut reply = asked.frame(room);
            let reason = run(&mut reply, 1500, &delegation, &POLICY);
            if room < needed {
                assert_eq!(reason, Reason::NoRoom);
                assert_eq!(reply, asked.frame(room));
            } else {
                assert_eq!(reply.octets, whole.octets);
            }
        }
    }

    /// The second time a body comes up it is kept, the third time it is sent:
    /// seen by what is written over it in between.
    #[test]
    fn the_third_reply_is_the_kept_one() {
        let delegation = delegation();
        let mut kept = MemoryKept(std::vec![KeptBody::EMPTY; KEPT_BODIES]);
        let asked = Asked::new(true, &[], &query(9, Some(1400)));
        let mut replies = Vec::new();
        for turn in 0..3 {
            let mut reply = asked.frame(PLENTY);
            let policy = Policy {
                max_udp: MAX_UDP_OCTETS as u16,
                ..POLICY
            };
            let reason = run_with(&mut reply, 1500, &delegation, &mut kept, &policy);
            assert_eq!(reason, Reason::Referral);
            let changed = kept.0.iter_mut().filter(|place| place.body != [0; 1400]);
            assert_eq!(
                changed.map(|place| place.body.fill(0xee)).count(),
                turn.min(1)
            );
            replies.push(reply.octets);
        }
        let [first, second, third] = replies.try_into().expect("three turns");
        assert_eq!(first, second);
        let body = first.len() - NS - ADDRESSES * ADDRESS - OPT_OCTETS;
        assert_eq!(third[..body], first[..body]);
        assert!(third[body..].iter().all(|octet| *octet == 0xee));
    }

    /// Between answers, the third of which is a kept one: whatever keeps a
    /// referral from being given leaves the frame as it was, and what was said
    /// before is said again afterwards.
    #[test]
    fn what_comes_too_late_is_untouched() {
        const NOW: u64 = 1000;
        let delegation = delegation();
        let mut kept = MemoryKept(std::vec![KeptBody::EMPTY; KEPT_BODIES]);
        let asked = Asked::new(true, &[], &query(9, Some(1400)));
        let policy = Policy {
            max_udp: MAX_UDP_OCTETS as u16,
            ..POLICY
        };
        let mut run = |deadline, attended_until| {
            let host = MemoryHost::new(1500, attended_until);
            // Whatever is so of another zone.
            let mut deadlines = MemoryDeadlines {
                now: NOW,
                zones: [WITHHELD; DEADLINE_SLOTS],
            };
            deadlines.zones.as_mut_slice()[usize::from(ZONE)] = deadline;
            let mut frame = asked.frame(PLENTY);
            let reason = run_at(
                &mut frame,
                &host,
                &delegation,
                &deadlines,
                &mut kept,
                &policy,
            );
            (reason, frame)
        };
        let (_, reply) = run(NEVER, NEVER);
        for _ in 0..4 {
            assert_eq!(run(NOW + 1, NOW + 1), (Reason::Referral, reply.clone()));
            for (deadline, attended_until, reason) in [
                (NOW, NEVER, Reason::ZoneExpired),
                (WITHHELD, NEVER, Reason::ZoneWithheld),
                (NEVER, NOW, Reason::Unattended),
            ] {
                let passed = (reason, asked.frame(PLENTY));
                assert_eq!(run(deadline, attended_until), passed);
            }
        }
    }

    /// A query that would pass at any time passes for its own reason.
    #[test]
    fn only_referrals_come_too_late() {
        let delegation = delegation();
        let host = MemoryHost::new(1500, 0);
        let deadlines = MemoryDeadlines {
            now: 1,
            zones: [WITHHELD; DEADLINE_SLOTS],
        };
        let outcome = |message: &[u8]| {
            let mut kept = MemoryKept(Vec::new());
            let mut frame = Asked::new(false, &[], message).frame(PLENTY);
            run_at(
                &mut frame,
                &host,
                &delegation,
                &deadlines,
                &mut kept,
                &POLICY,
            )
        };
        let at_cut = query(CUT.len(), None);
        assert_eq!(outcome(&at_cut), Reason::ZoneWithheld);
        for (qtype, reason) in [
            (43, Reason::TypeDs),
            (255, Reason::TypeAny),
            (250, Reason::MetaType),
        ] {
            let mut message = at_cut.clone();
            message.as_mut_slice()[12 + CUT.len() + 1] = qtype;
            assert_eq!(outcome(&message), reason);
        }
        let mut elsewhere = at_cut;
        elsewhere.as_mut_slice()[13] = b'x';
        assert_eq!(outcome(&elsewhere), Reason::OutsideZones);
    }

    proptest! {
        /// Whatever was kept before: replies are those of a program that keeps
        /// nothing.
        #[test]
        fn keeping_changes_no_reply(
            queries in proptest::collection::vec(
                (
                    proptest::sample::select(std::vec![5_usize, 7, 8, 40, 255]),
                    proptest::sample::select(
                        std::vec![None, Some(512_u16), Some(1300), Some(1380), Some(1400)],
                    ),
                    any::<bool>(),
                    proptest::sample::select(std::vec![1400_u16, 1420, 1448, 1500]),
                ),
                1..80,
            ),
        ) {
            let delegation = delegation();
            let policy = Policy { max_udp: MAX_UDP_OCTETS as u16, ..POLICY };
            let mut kept = MemoryKept(std::vec![KeptBody::EMPTY; KEPT_BODIES]);
            for (name_octets, size, is_ipv6, mtu) in queries {
                let asked = Asked::new(is_ipv6, &[], &query(name_octets, size));
                let mut expected = asked.frame(PLENTY);
                let reason = run(&mut expected, mtu, &delegation, &policy);
                let mut reply = asked.frame(PLENTY);
                prop_assert_eq!(run_with(&mut reply, mtu, &delegation, &mut kept, &policy), reason);
                prop_assert_eq!(reply, expected);
            }
        }

        /// Whatever an octet of a query becomes: an answer, or a frame as it
        /// was.
        #[test]
        fn what_passes_is_untouched(
            at in 0_usize..140,
            octet: u8,
            is_ipv6: bool,
            cut in 0_usize..140,
        ) {
            let delegation = delegation();
            let mut asked = Asked::new(is_ipv6, &[], &query(20, Some(1232)));
            if let Some(place) = asked.octets.get_mut(at) {
                *place = octet;
            }
            if cut > 70 {
                asked.octets.truncate(cut);
            }
            let mut reply = asked.frame(PLENTY);
            let reason = run(&mut reply, 1500, &delegation, &POLICY);
            if reason.action() == crate::reason::Action::Pass {
                prop_assert_eq!(reply, asked.frame(PLENTY));
            } else {
                prop_assert_eq!(udp_checksum(&reply.octets, asked.udp, is_ipv6), 0);
            }
        }
    }
}
