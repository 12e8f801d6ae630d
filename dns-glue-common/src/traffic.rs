//! What the load generator of `cargo xtask bench` and its programs in the
//! kernel share: prepared queries, and the counts of what comes back.
//!
//! Nothing of it is part of dns-glue. Numbers are in host byte order; sums are
//! one's-complement sums of 16-bit words as they lie in memory (RFC 1071).

use bytemuck::{Pod, Zeroable};

/// Array of [`MessageSlab`]: the prepared messages, sent in their order, over
/// and over.
pub const MESSAGES: &str = "MESSAGES";
/// Array of one [`Course`].
pub const COURSE: &str = "COURSE";
/// Array of one [`Progress`].
pub const PROGRESS: &str = "PROGRESS";
/// Per-CPU array of one [`Returned`].
pub const RETURNED: &str = "RETURNED";
/// Per-CPU array of [`LATENCY_CLASSES`] counters of 64 bits.
pub const LATENCIES: &str = "LATENCIES";
/// The program that turns an empty frame into the next query.
pub const SEND_QUERY: &str = "send_query";
/// The program that counts replies and ends their way.
pub const COUNT_REPLY: &str = "count_reply";

/// Octets of a slab that messages start in.
pub const SLAB_OCTETS: usize = 1 << 16;
/// Octets of the longest message.
pub const MAX_MESSAGE_OCTETS: usize = 512;
/// Octets of a [`MessageHead`].
pub const MESSAGE_HEAD_OCTETS: usize = 8;
/// Messages start at multiples of this.
pub const MESSAGE_ALIGNMENT: usize = 8;

/// Messages, each behind its [`MessageHead`]. A head of zeros ends the slab.
///
/// Whatever starts within [`SLAB_OCTETS`] ends within the slab.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(8))]
pub struct MessageSlab(pub [u8; SLAB_OCTETS + MESSAGE_HEAD_OCTETS + MAX_MESSAGE_OCTETS]);

/// What stands in front of a prepared message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MessageHead {
    /// Octets of the message, 12 to [`MAX_MESSAGE_OCTETS`].
    pub octets: u16,
    /// Sum of the message with ID 0.
    pub sum: u16,
    /// 0 for IPv4, 1 for IPv6: the index of its [`Front`].
    pub family: u16,
    /// Zero.
    pub padding: u16,
}
const _: () = assert!(size_of::<MessageHead>() == MESSAGE_HEAD_OCTETS);

/// Octets in front of a message over IPv4.
pub const IPV4_FRONT_OCTETS: usize = 14 + 20 + 8;
/// Octets in front of a message over IPv6.
pub const IPV6_FRONT_OCTETS: usize = 14 + 40 + 8;

/// Headers in front of a message: Ethernet, IP, UDP. Lengths, checksums and the
/// source port are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Front {
    /// The headers, [`IPV4_FRONT_OCTETS`] or [`IPV6_FRONT_OCTETS`].
    pub octets: [u8; 64],
    /// Sum of the IPv4 header.
    pub ip_sum: u32,
    /// Sum of the UDP header and its pseudo-header.
    pub udp_sum: u32,
}
const _: () = assert!(size_of::<Front>() == 72);

/// How queries are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Course {
    /// For IPv4 and for IPv6.
    pub fronts: [Front; 2],
    /// Time from a query to the next, in 1/256 ns; 0: as fast as can be.
    pub interval: u64,
    /// Slabs that hold messages.
    pub slabs: u32,
    /// One query in two to the power of this is timed. Valid values: `0..64`.
    pub timed_shift: u32,
    /// The index of the interface at which replies count; what still comes to
    /// others was asked for before.
    pub interface: u32,
    /// Zero.
    pub padding: u32,
}
const _: () = assert!(size_of::<Course>() == 168);

/// How far sending has come. Only one processor sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Progress {
    /// Where the next message is: its slab.
    pub slab: u32,
    /// And the octets in front of it.
    pub offset: u32,
    /// Queries sent.
    pub sent: u64,
    /// When the next is due, in 1/256 ns.
    pub due: u64,
    /// State of the random numbers; not 0.
    pub random: u64,
    /// When the first frame came, in nanoseconds of the monotonic clock; 0: none
    /// has.
    pub started: u64,
    /// When a frame came last; of unpaced queries, when the last timed one did.
    pub latest: u64,
}
const _: () = assert!(size_of::<Progress>() == 48);

/// Global: [`Reading`].
pub const READING: &str = "READING";
/// Array of cache lines of zeros, [`LINE_OCTETS`] each.
pub const LINES: &str = "LINES";
/// Octets of a cache line.
pub const LINE_OCTETS: usize = 64;
/// The most that [`Reading::reads`] can be.
pub const MAX_READS: u32 = 3;

/// What the reflector that reads has to do for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Reading {
    /// Cache lines in the array.
    pub lines: u32,
    /// How many of them it reads, each where the one before says. Valid values:
    /// `0..=MAX_READS`.
    pub reads: u32,
}
const _: () = assert!(size_of::<Reading>() == 8);

impl Reading {
    /// Nothing.
    pub const NONE: Self = Self { lines: 1, reads: 0 };
}

/// The source port of timed queries, and of no other.
pub const TIMED_PORT: u16 = 1024;

/// What one processor saw come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Returned {
    /// Replies by RCODE.
    pub rcodes: [u64; 16],
    /// Replies with TC=1.
    pub truncated: u64,
    /// Queries that came back as they were.
    pub reflected: u64,
    /// Octets of the frames of both.
    pub octets: u64,
    /// Other frames.
    pub others: u64,
}
const _: () = assert!(size_of::<Returned>() == 160);

/// Classes in which the time to a reply is counted: 16 for each power of two
/// nanoseconds, so that a class is at most 1/16 wide.
pub const LATENCY_CLASSES: u32 = 64 * 16;

/// The class of a time in nanoseconds.
#[inline(always)]
pub const fn latency_class(nanoseconds: u64) -> u32 {
    if nanoseconds < 16 {
        return nanoseconds as u32;
    }
    let power = 63 - nanoseconds.leading_zeros();
    power * 16 + ((nanoseconds >> (power - 4)) & 15) as u32
}

/// The least time of a class, in nanoseconds.
pub const fn latency_of(class: u32) -> u64 {
    let (power, part) = (class / 16, class as u64 % 16);
    match power {
        0..4 => part,
        _ => (16 + part) << (power - 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_the_times_from_its_own_to_the_next() {
        let mut last = 0;
        for nanoseconds in (0..100_000).chain([1 << 20, (1 << 40) + 12345, u64::MAX]) {
            let class = latency_class(nanoseconds);
            assert!(class >= last && class < LATENCY_CLASSES);
            assert!(latency_of(class) <= nanoseconds);
            assert!(nanoseconds - latency_of(class) <= nanoseconds / 16);
            last = class;
        }
    }
}
