//! Frames: Ethernet, VLAN tags, IPv4 and IPv6, UDP.
//!
//! [`parse`] reads, [`reply`] writes the headers of a reply, and what a frame
//! is, in the kernel or on the host, is behind the trait [`Frame`].

pub mod checksum;
pub mod parse;
pub mod reply;
pub mod vlan;

use crate::decide::Plan;
use crate::limits::{MAX_NSID_OCTETS, MAX_UDP_OCTETS};
use crate::referral::Piece;
use crate::route::RouteLookup;
use crate::wire::query::Query;
use crate::wire::{LabelStarts, MessageBuffer};
use checksum::Sum;
use network_types::eth::EthHdr;
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};
use network_types::udp::UdpHdr;
use parse::Datagram;

/// A header as it lies in a frame.
///
/// # Safety
///
/// The type has no alignment and no padding, and every bit pattern is valid.
pub unsafe trait WireHeader {}

// SAFETY: octets.
unsafe impl WireHeader for [u8; EthHdr::LEN] {}
// SAFETY: octets and arrays of octets, repr(C).
unsafe impl WireHeader for Ipv4Hdr {}
// SAFETY: octets and arrays of octets, repr(C).
unsafe impl WireHeader for Ipv6Hdr {}
// SAFETY: arrays of octets, repr(C).
unsafe impl WireHeader for UdpHdr {}
// SAFETY: a VLAN tag's two numbers, octets only.
unsafe impl WireHeader for [u8; 4] {}
const _: () = assert!(align_of::<(Ipv4Hdr, Ipv6Hdr, UdpHdr)>() == 1);

/// Why a frame does not get the length that is asked for; it is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Neither its tail nor its head has the room.
    NoRoom,
    /// It lies in several buffers.
    SeveralBuffers,
}

/// A frame that can be read, resized and written: an `xdp_buff` in the kernel,
/// octets on the host.
///
/// Reads and writes are checked; `None` and `false` mean that the frame is
/// shorter than that and that nothing was done.
pub trait Frame {
    /// The octets from an offset on.
    type Rest<'r>: Rest
    where
        Self: 'r;

    /// Octets that lie in the first buffer, which alone can be read and
    /// written.
    fn linear_octets(&self) -> usize;

    /// The interface that the frame came in on.
    fn interface(&self) -> u32;

    /// Asks the kernel how a datagram of this host would go: see
    /// [`RouteLookup`]. False if it has no way, does not know the MAC address
    /// of the next hop, or would have to fragment the datagram.
    fn find_route(&self, lookup: &mut RouteLookup) -> bool;

    /// The header at `offset`.
    ///
    /// # Verifier
    ///
    /// Where it lies, not a copy: that would go over the stack, at addresses
    /// that are no multiples of the numbers' sizes.
    fn header<T: WireHeader>(&self, offset: usize) -> Option<&T>;

    /// Copies `octets` octets from `offset` to the start of `buffer`, and sums
    /// them as if they began at an even offset.
    ///
    /// Valid lengths: `8..=MAX_QUERY_OCTETS`.
    fn read_message(&self, offset: usize, octets: usize, buffer: &mut MessageBuffer)
    -> Option<Sum>;

    /// Makes the frame `octets` octets long, with room from its padding, its
    /// tail or its head. The first `kept` octets stay the first, the others are
    /// undefined afterwards: they have to be written.
    ///
    /// Valid numbers of octets to keep: `1..=MAX_QUERY_OCTETS`. They may go
    /// through `buffer`.
    ///
    /// # Errors
    ///
    /// [`Unfit`]: the frame is as it was.
    fn resize(
        &mut self,
        octets: usize,
        kept: usize,
        buffer: &mut MessageBuffer,
    ) -> Result<(), Unfit>;

    /// `N` octets from `offset`, to be changed in place.
    fn place<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]>;

    /// The octets from `offset` on, when many places among them are to be
    /// changed.
    fn rest(&mut self, offset: usize) -> Option<Self::Rest<'_>>;

    /// Writes the first `octets` octets of a piece's records to `offset`.
    ///
    /// Valid lengths: `1..=MAX_UDP_OCTETS`.
    fn write_piece(&mut self, offset: usize, piece: &Piece<'_>, octets: usize) -> bool;

    /// Writes the first `octets` octets of a kept body to `offset`.
    ///
    /// Valid lengths: `1..=MAX_UDP_OCTETS`.
    fn write_body(&mut self, offset: usize, body: &[u8; MAX_UDP_OCTETS], octets: usize) -> bool;

    /// Copies `octets` octets from `offset` to the start of `body`.
    ///
    /// Valid lengths: `1..=MAX_UDP_OCTETS`.
    fn read_body(&self, offset: usize, octets: usize, body: &mut [u8; MAX_UDP_OCTETS]) -> bool;

    /// Writes the first `octets` octets of an identifier to `offset`.
    ///
    /// Valid lengths: `1..=MAX_NSID_OCTETS`.
    fn write_identifier(
        &mut self,
        offset: usize,
        identifier: &[u8; MAX_NSID_OCTETS],
        octets: usize,
    ) -> bool;
}

/// What follows an offset of a frame, and does not move while this lives: where
/// it starts and ends is not asked for again at every place.
pub trait Rest {
    /// `N` octets from `offset`, counted from the rest's start, to be changed in
    /// place; `None` if the frame ends before.
    fn place<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]>;
}

/// Of a frame in memory.
impl Rest for &mut [u8] {
    #[inline(always)]
    fn place<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]> {
        self.get_mut(offset..)?.first_chunk_mut()
    }
}

/// Where a packet is worked on, one for each CPU.
///
/// # Verifier
///
/// What one step finds out for the next goes through this memory instead of
/// the stack, which has room for 512 octets only. It also makes the verifier
/// forget how a value came about, so that it does not follow every way through
/// the first step all through the second. Map memory starts as zeros, which
/// are a valid value of every field.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Scratch {
    /// The query.
    pub message: MessageBuffer,
    /// Where the labels of QNAME start.
    pub starts: LabelStarts,
    /// What is asked.
    pub query: Query,
    /// The way back to the client.
    pub datagram: Datagram,
    /// What is sent.
    pub plan: Plan,
    /// Where it is sent, if the kernel's routing table decides.
    pub route: RouteLookup,
    /// The identifier that is sent: Linux before 6.12 does not let a helper
    /// read it from where the loader put it, which is read-only.
    pub identifier: [u8; MAX_NSID_OCTETS],
}

impl Scratch {
    /// All octets zero.
    pub const EMPTY: Self = Self {
        message: MessageBuffer::EMPTY,
        starts: LabelStarts::EMPTY,
        query: Query::EMPTY,
        datagram: Datagram::EMPTY,
        plan: Plan::EMPTY,
        route: RouteLookup::EMPTY,
        identifier: [0; MAX_NSID_OCTETS],
    };
}

/// Reads a value anew, whatever the compiler remembers of it.
///
/// # Verifier
///
/// The verifier knows constants: which way out of a loop was taken, how many
/// labels a name has then. It would follow the rest of the program once for
/// each of them. What is read from a map may be anything, so after this one
/// way is like another, and the rest is followed once.
#[inline(always)]
pub fn read_back<T: Copy>(place: &T) -> T {
    // SAFETY: a reference is aligned and valid for reads.
    unsafe { core::ptr::read_volatile(place) }
}
