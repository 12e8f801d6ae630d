//! A packet's whole way: parse, look up, grow, write.
//!
//! The XDP program and the host run this same function; the traits hide
//! whether frames and maps are the kernel's or memory.

use crate::decide::{self, Generation, Part, Plan};
use crate::frame::checksum::Sum;
use crate::frame::parse::{self, Host};
use crate::frame::{Frame, HEAD_ROOM, Scratch, read_back, reply};
use crate::limits::{
    HEADER_OCTETS, MAX_QUERY_OCTETS, MAX_RELOCATIONS, OPT_OCTETS, OPTION_HEAD_OCTETS,
};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::referral::{Piece, relocations_start};
use crate::wire::{Message, MessageBuffer, edns, query};
use network_types::udp::UdpHdr;

/// Answers a frame in place, or says why it passes untouched.
///
/// An outcome whose action is not `Transmit` leaves the frame as it was, but
/// for `WriteFailed`, which cannot happen as long as a frame that was resized
/// is as long as was asked for.
#[inline(always)]
pub fn respond<F: Frame, H: Host, G: Generation>(
    frame: &mut F,
    host: &H,
    generation: &G,
    policy: &Policy,
    scratch: &mut Scratch,
) -> Reason {
    if let Err(reason) = prepare(frame, host, generation, policy, scratch) {
        return reason;
    }
    let head_octets = reply::head_octets(&scratch.datagram);
    if !frame.resize(head_octets + scratch.plan.message_octets()) {
        return Reason::NoRoom;
    }
    if write(frame, generation, policy, scratch) {
        scratch.plan.outcome()
    } else {
        Reason::WriteFailed
    }
}

/// Everything that may still pass, but for growing: nothing here writes to the
/// frame.
#[inline(always)]
fn prepare<F: Frame, H: Host, G: Generation>(
    frame: &F,
    host: &H,
    generation: &G,
    policy: &Policy,
    scratch: &mut Scratch,
) -> Result<(), Reason> {
    let datagram = &mut scratch.datagram;
    parse::parse(frame, host, policy, datagram)?;
    let message_octets = read_back(&datagram.message_octets) as usize;
    let message_start = datagram.message_start as usize;
    if !frame.read_message(message_start, message_octets, &mut scratch.message) {
        return Err(Reason::ShortFrame);
    }
    let message = Message::new(&scratch.message, message_octets);
    query::parse_query(&message, &mut scratch.starts, policy, &mut scratch.query)?;
    decide::decide(
        &message,
        &scratch.starts,
        &read_back(&scratch.query),
        generation,
        policy,
        datagram.mtu_octets as usize,
        &mut scratch.plan,
    )?;
    let message_sum = sum(&message, 0, message_octets);
    if !parse::udp_checksum_is_right(datagram, message_sum) {
        return Err(Reason::UdpChecksum);
    }
    Ok(())
}

/// Sums octets `start` to `end` of a message; `start` is even.
#[inline(always)]
fn sum(message: &Message<'_>, start: usize, end: usize) -> Sum {
    const MAX_WORDS: usize = MAX_QUERY_OCTETS / 4;
    let mut sum = Sum::ZERO;
    message.for_words::<MAX_WORDS>(start, end.saturating_sub(start), |_, words| {
        sum = sum.words(words);
    });
    sum
}

/// Writes the reply into the frame, which has its length already.
#[inline(always)]
fn write<F: Frame, G: Generation>(
    frame: &mut F,
    generation: &G,
    policy: &Policy,
    scratch: &mut Scratch,
) -> bool {
    let plan = &scratch.plan;
    let additional = plan.additional + (plan.opt_octets != 0) as u16;
    let header = [plan.flags, 1, 0, plan.authority, additional];
    let message_octets = plan.message_octets();
    let opt = opt_record(policy.max_udp, plan);
    let checksum = checksum(scratch, header, &opt, policy);
    write_header(&mut scratch.message, header);
    reply::write_headers(
        &mut scratch.head,
        &scratch.datagram,
        message_octets,
        checksum,
    );

    let head_octets = reply::head_octets(&scratch.datagram);
    scratch.plan.body_start = head_octets as u16 + scratch.plan.question_end;
    let body_start = read_back(&scratch.plan.body_start) as usize;
    if !frame.write_head(scratch, HEAD_ROOM - head_octets, body_start) {
        return false;
    }
    for part in &scratch.plan.parts {
        if part.piece != 0 && !write_part(frame, generation, part, body_start) {
            return false;
        }
    }
    let opt_start = body_start + scratch.plan.body_octets as usize;
    match scratch.plan.opt_octets as usize {
        0 => true,
        OPT_OCTETS => frame.write(opt_start, &opt),
        _ => {
            scratch.identifier = *policy.nsid.padded();
            let option_start = opt_start + OPT_OCTETS;
            let identifier_start = option_start + OPTION_HEAD_OCTETS;
            frame.write(opt_start, &opt)
                && frame.write(option_start, &policy.nsid.option_head())
                && frame.write_identifier(
                    identifier_start,
                    &scratch.identifier,
                    policy.nsid.octets(),
                )
        }
    }
}

/// The UDP checksum of the reply, memory order: only the headers and the
/// question are summed here, the compiler has summed the rest.
#[inline(always)]
fn checksum(scratch: &Scratch, header: [u16; 5], opt: &[u8; OPT_OCTETS], policy: &Policy) -> u16 {
    let Scratch { plan, datagram, .. } = scratch;
    let question_end = plan.question_end as usize;
    let question = Message::new(&scratch.message, question_end);
    let mut checksum = sum(&question, HEADER_OCTETS, question_end);
    for part in &plan.parts {
        if part.piece != 0 {
            let odd = (plan.question_end + part.start) % 2 == 1;
            checksum = checksum.block(part.shift.sum(&part.extent), odd);
        }
    }
    if plan.opt_octets != 0 {
        let odd = (plan.question_end + plan.body_octets) % 2 == 1;
        checksum = checksum.block(opt_sum(opt), odd);
        if plan.opt_octets as usize != OPT_OCTETS {
            const { assert!(OPT_OCTETS % 2 == 1) };
            checksum = checksum.block(policy.nsid.sum(), !odd);
        }
    }
    for number in header {
        checksum = checksum.number(number);
    }
    let [id_high, id_low, ..] = scratch.message.0;
    let udp_octets = (UdpHdr::LEN + plan.message_octets()) as u16;
    parse::pseudo_header(datagram, checksum, udp_octets)
        .number(u16::from_be_bytes([id_high, id_low]))
        .number(datagram.udp.src_port())
        .number(datagram.udp.dst_port())
        .number(udp_octets)
        .finish_udp()
}

/// Writes all words of the header but the ID.
#[inline(always)]
fn write_header(buffer: &mut MessageBuffer, words: [u16; 5]) {
    let [_, _, rest @ ..] = &mut buffer.0;
    let (places, _) = rest.as_chunks_mut::<2>();
    for (place, word) in places.iter_mut().zip(words) {
        *place = word.to_be_bytes();
    }
}

/// Writes one part and shifts its pointers.
#[inline(always)]
fn write_part<F: Frame, G: Generation>(
    frame: &mut F,
    generation: &G,
    part: &Part,
    body_start: usize,
) -> bool {
    let octets = part.extent.octets as usize;
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
    let first = relocations_start(part.whole_octets);
    let relocations = read_back(&part.extent.relocations) as usize;
    for place in 0..MAX_RELOCATIONS {
        if place >= relocations {
            break;
        }
        let relocation = piece.relocation(first, place);
        if !frame.add_number(start + relocation.offset(), part.shift.of(relocation)) {
            return false;
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
