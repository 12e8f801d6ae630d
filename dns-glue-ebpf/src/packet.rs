//! The frame under an XDP program: every raw access to a packet is here.
//!
//! Headers and single numbers are read and written directly, each behind a
//! bounds check of its own. What a reply is made of is copied in blocks
//! ([`rest`](dns_glue_ebpf::rest)). Other runs of octets, and those shorter than a block,
//! go through `bpf_xdp_load_bytes` and `bpf_xdp_store_bytes` (Linux 5.18), which
//! take a length known only at run time.

use aya_ebpf::bindings;
use aya_ebpf::helpers::generated::{
    bpf_fib_lookup, bpf_xdp_adjust_head, bpf_xdp_adjust_tail, bpf_xdp_get_buff_len,
    bpf_xdp_load_bytes, bpf_xdp_store_bytes,
};
use aya_ebpf::programs::XdpContext;
use core::ptr;
use dns_glue_common::frame::checksum::Sum;
use dns_glue_common::frame::{Frame, Unfit, WireHeader};
use dns_glue_common::limits::{MAX_NSID_OCTETS, MAX_QUERY_OCTETS, MAX_UDP_OCTETS};
use dns_glue_common::referral::{PIECE_ALIGN, PIECE_HEAD_OCTETS, Piece, SLAB_OCTETS};
use dns_glue_common::route::RouteLookup;
use dns_glue_common::wire::MessageBuffer;
use dns_glue_ebpf::opaque;
use dns_glue_ebpf::rest::{BLOCK, OFFSET_MASK, PacketRest};

/// Lengths of a part of a reply, less one, masked by this.
const PIECE_LENGTH_MASK: usize = 0x07ff;

/// A frame in an XDP program.
pub struct Packet<'a> {
    ctx: &'a XdpContext,
}

impl<'a> Packet<'a> {
    /// The frame of the packet that the program runs for.
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext) -> Self {
        Self { ctx }
    }

    /// The address of `N` octets at `offset`, if they are in the first buffer.
    ///
    /// # Verifier
    ///
    /// The checked pointer is the one that is used: hidden from the optimiser,
    /// which would rather add the offset and `N` first and lose the relation.
    #[inline(always)]
    fn address(&self, offset: usize, octets: usize) -> Option<*mut u8> {
        let start = opaque(self.ctx.data() + (offset & OFFSET_MASK));
        if start + octets > self.ctx.data_end() {
            None
        } else {
            Some(start as *mut u8)
        }
    }
}

/// Puts eight octets at `offset` of a message.
#[inline(always)]
fn put_word(buffer: &mut MessageBuffer, offset: usize, word: u64) {
    let at = offset & (MAX_QUERY_OCTETS - 1);
    // SAFETY: eight octets of slack are behind the offsets that the mask
    // leaves.
    unsafe {
        let place = ptr::from_mut(buffer).cast::<u8>().add(at);
        ptr::write_unaligned(place.cast(), word);
    }
}

impl Packet<'_> {
    /// Eight octets at `offset`, memory order.
    #[inline(always)]
    fn word(&self, offset: usize) -> Option<u64> {
        let address = self.address(offset, 8)?;
        // SAFETY: eight octets are inside the packet.
        Some(unsafe { ptr::read_unaligned(address.cast()) })
    }

    /// Copies octets to `offset`, as [`PacketRest::copy`].
    ///
    /// # Safety
    ///
    /// At least MAX_UDP_OCTETS octets can be read there.
    #[inline(always)]
    unsafe fn copy(&mut self, offset: usize, from: *const u8, octets: usize) -> bool {
        match self.rest(offset) {
            // SAFETY: the caller's word.
            Some(mut rest) => unsafe { rest.copy(from, octets) },
            None => false,
        }
    }

    /// Octets of the frame over all its buffers.
    #[inline(always)]
    fn octets(&self) -> usize {
        // SAFETY: the context is the one that the kernel gave the program.
        (unsafe { bpf_xdp_get_buff_len(self.ctx.ctx) }) as usize
    }

    /// Moves the frame's end; packet pointers are taken anew after this.
    #[inline(always)]
    fn adjust_tail(&mut self, delta: i32) -> bool {
        // SAFETY: the helper checks that the frame has the room, and leaves it
        // as it was if not.
        (unsafe { bpf_xdp_adjust_tail(self.ctx.ctx, delta) }) == 0
    }

    /// Moves the frame's start; packet pointers are taken anew after this.
    #[inline(always)]
    fn adjust_head(&mut self, delta: i32) -> bool {
        // SAFETY: as `adjust_tail`.
        (unsafe { bpf_xdp_adjust_head(self.ctx.ctx, delta) }) == 0
    }

    /// Takes octets off the frame's end. In the last of several buffers they
    /// could not be put back, so that is found out before.
    #[inline(always)]
    fn shorten(&mut self, delta: i32) -> Result<(), Unfit> {
        if self.octets() != self.linear_octets() {
            return Err(Unfit::SeveralBuffers);
        }
        if delta == 0 || self.adjust_tail(delta) {
            Ok(())
        } else {
            Err(Unfit::NoRoom)
        }
    }

    /// Moves `kept` octets from offset `from` to the frame's start.
    #[inline(always)]
    fn move_front(&mut self, from: i32, kept: usize, buffer: &mut MessageBuffer) -> bool {
        let octets = length(kept, MAX_QUERY_OCTETS - 1);
        let buffer = ptr::from_mut(buffer).cast();
        // SAFETY: the buffer has room for MAX_QUERY_OCTETS, and the helpers
        // check the packet's side.
        unsafe {
            bpf_xdp_load_bytes(self.ctx.ctx, from as u32, buffer, octets) == 0
                && bpf_xdp_store_bytes(self.ctx.ctx, 0, buffer, octets) == 0
        }
    }
}

/// A length from 1 to `mask` + 1, as the verifier wants to see it.
#[inline(always)]
fn length(octets: usize, mask: usize) -> u32 {
    ((opaque(octets.wrapping_sub(1)) & mask) + 1) as u32
}

/// A length of a kept body, as the verifier wants to see it.
#[inline(always)]
fn body_length(octets: usize) -> Option<u32> {
    let less_one = opaque(octets.wrapping_sub(1));
    (less_one < MAX_UDP_OCTETS).then_some(less_one as u32 + 1)
}

impl Frame for Packet<'_> {
    type Rest<'r>
        = PacketRest<'r>
    where
        Self: 'r;

    #[inline(always)]
    fn linear_octets(&self) -> usize {
        self.ctx.data_end() - self.ctx.data()
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        self.ctx.ingress_ifindex() as u32
    }

    #[inline(always)]
    fn find_route(&self, lookup: &mut RouteLookup) -> bool {
        const OCTETS: usize = size_of::<bindings::bpf_fib_lookup>();
        const { assert!(size_of::<RouteLookup>() == OCTETS) };
        let lookup = ptr::from_mut(lookup).cast();
        // SAFETY: the helper reads and writes as many octets, any of which are
        // valid; the context is the one that the kernel gave the program.
        (unsafe { bpf_fib_lookup(self.ctx.ctx.cast(), lookup, OCTETS as i32, 0) }) == 0
    }

    #[inline(always)]
    fn header<T: WireHeader>(&self, offset: usize) -> Option<&T> {
        let address = self.address(offset, size_of::<T>())?;
        // SAFETY: the octets are inside the packet, which does not change as
        // long as the frame is borrowed; T takes any bit pattern and has no
        // alignment.
        Some(unsafe { &*address.cast() })
    }

    #[inline(always)]
    fn read_message(
        &self,
        offset: usize,
        octets: usize,
        buffer: &mut MessageBuffer,
    ) -> Option<Sum> {
        const WORDS: usize = MAX_QUERY_OCTETS / 8;
        // The last eight, of which some may come again below.
        let last = self.word(offset + octets - 8)?;
        put_word(buffer, octets - 8, last);
        // Octets that are no whole word: they are summed from its start.
        let odd_octets = octets % 8;
        let odd = last >> (8 * (7 - odd_octets)) >> 8;
        let mut sum = Sum::ZERO.double_words(odd);
        for word in 0..WORDS {
            let start = 8 * word;
            if start + 8 > octets {
                break;
            }
            let word = self.word(offset + start)?;
            put_word(buffer, start, word);
            sum = sum.double_words(word);
        }
        Some(sum)
    }

    #[inline(always)]
    fn resize(
        &mut self,
        octets: usize,
        kept: usize,
        buffer: &mut MessageBuffer,
    ) -> Result<(), Unfit> {
        let delta = octets as i32 - self.linear_octets() as i32;
        if delta <= 0 {
            return self.shorten(delta);
        }
        if self.adjust_tail(delta) {
            if self.linear_octets() == octets {
                return Ok(());
            }
            // It was the last of several buffers that has become longer.
            self.adjust_tail(-delta);
            return Err(Unfit::SeveralBuffers);
        }
        if !self.adjust_head(-delta) {
            return Err(Unfit::NoRoom);
        }
        if self.octets() == octets && self.move_front(delta, kept, buffer) {
            return Ok(());
        }
        self.adjust_head(delta);
        Err(Unfit::SeveralBuffers)
    }

    #[inline(always)]
    fn place<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]> {
        let address = self.address(offset, N)?;
        // SAFETY: N octets are inside the packet, which nobody else touches,
        // and an array of octets has no alignment. Whoever resizes the frame
        // needs it exclusively, so the reference has ended by then.
        Some(unsafe { &mut *address.cast() })
    }

    #[inline(always)]
    fn rest(&mut self, offset: usize) -> Option<PacketRest<'_>> {
        let start = self.address(offset, 0)? as usize;
        Some(PacketRest::new(start, self.ctx.data_end()))
    }

    #[inline(always)]
    fn write_piece(&mut self, offset: usize, piece: &Piece<'_>, octets: usize) -> bool {
        // SAFETY: a slab is longer by its slack than the largest start, so
        // start, head and the longest length stay inside; the helper checks the
        // packet's side.
        unsafe {
            let records = ptr::from_ref(piece.slab)
                .cast::<u8>()
                .add(opaque(piece.start) & (SLAB_OCTETS - PIECE_ALIGN))
                .add(PIECE_HEAD_OCTETS);
            if octets >= BLOCK {
                return self.copy(offset, records, octets);
            }
            let octets = length(octets, PIECE_LENGTH_MASK);
            bpf_xdp_store_bytes(
                self.ctx.ctx,
                offset as u32,
                records.cast_mut().cast(),
                octets,
            ) == 0
        }
    }

    #[inline(always)]
    fn write_body(&mut self, offset: usize, body: &[u8; MAX_UDP_OCTETS], octets: usize) -> bool {
        if octets >= BLOCK {
            // SAFETY: the body has MAX_UDP_OCTETS.
            return unsafe { self.copy(offset, body.as_ptr(), octets) };
        }
        let Some(octets) = body_length(octets) else {
            return false;
        };
        let body = body.as_ptr().cast_mut().cast();
        // SAFETY: the body has as many octets; the helper reads it and checks
        // the packet's side.
        (unsafe { bpf_xdp_store_bytes(self.ctx.ctx, offset as u32, body, octets) }) == 0
    }

    #[inline(always)]
    fn read_body(&self, offset: usize, octets: usize, body: &mut [u8; MAX_UDP_OCTETS]) -> bool {
        let Some(octets) = body_length(octets) else {
            return false;
        };
        let body = body.as_mut_ptr().cast();
        // SAFETY: the body has room for as many octets, and the helper checks
        // the packet's side.
        (unsafe { bpf_xdp_load_bytes(self.ctx.ctx, offset as u32, body, octets) }) == 0
    }

    #[inline(always)]
    fn write_identifier(
        &mut self,
        offset: usize,
        identifier: &[u8; MAX_NSID_OCTETS],
        octets: usize,
    ) -> bool {
        let octets = length(octets, MAX_NSID_OCTETS - 1);
        // SAFETY: the identifier has as many octets as the mask allows; the
        // helper reads it and checks the packet's side.
        let result = unsafe {
            bpf_xdp_store_bytes(
                self.ctx.ctx,
                offset as u32,
                identifier.as_ptr().cast_mut().cast(),
                octets,
            )
        };
        result == 0
    }
}

const _: () = assert!(
    SLAB_OCTETS + PIECE_HEAD_OCTETS + PIECE_LENGTH_MASK
        < size_of::<dns_glue_common::referral::Slab>()
);
