//! A packet from an offset on, and what a reply is made of copied there.
//!
//! By loads and stores of eight octets: for the few hundred octets of a referral
//! that takes less than a call of `bpf_xdp_store_bytes`, which copies them by a
//! string instruction.

use core::marker::PhantomData;
use dns_glue_common::frame::Rest;
use dns_glue_common::limits::MAX_UDP_OCTETS;

use crate::opaque;

/// Offsets in a packet, masked by this: larger than any reply's frame.
pub const OFFSET_MASK: usize = 0x0fff;

/// Octets that are copied behind one bounds check.
pub const BLOCK: usize = 64;

/// A frame from an offset on, as long as nothing moves it.
pub struct PacketRest<'a> {
    start: usize,
    end: usize,
    frame: PhantomData<&'a mut [u8]>,
}

impl PacketRest<'_> {
    /// From one address of a packet to its end.
    #[inline(always)]
    pub const fn new(start: usize, end: usize) -> Self {
        Self {
            start,
            end,
            frame: PhantomData,
        }
    }

    /// The address of `octets` octets at `offset`, if they are in the first
    /// buffer.
    ///
    /// # Verifier
    ///
    /// As `address` of a packet. The offset must be bounded.
    #[inline(always)]
    fn address(&self, offset: usize, octets: usize) -> Option<*mut u8> {
        let start = opaque(self.start + offset);
        if start + octets > self.end {
            None
        } else {
            Some(start as *mut u8)
        }
    }

    /// Copies `octets` octets to the start of the rest, in blocks of which the
    /// last may overlap the one before. Valid lengths:
    /// `BLOCK..=MAX_UDP_OCTETS`; false if it is another, or the rest is shorter.
    ///
    /// # Verifier
    ///
    /// The number of a block is a constant at every turn of the loop, so the
    /// blocks but for the last are at constant offsets.
    ///
    /// # Safety
    ///
    /// At least MAX_UDP_OCTETS octets can be read there.
    #[inline(always)]
    pub unsafe fn copy(&mut self, from: *const u8, octets: usize) -> bool {
        let last = opaque(octets.wrapping_sub(BLOCK));
        if last > MAX_UDP_OCTETS - BLOCK {
            return false;
        }
        for block in 0..MAX_UDP_OCTETS / BLOCK {
            let start = BLOCK * block;
            if start >= last {
                break;
            }
            // SAFETY: it ends in front of where the last ends.
            if !unsafe { self.copy_block(start, from) } {
                return false;
            }
        }
        // SAFETY: it ends at MAX_UDP_OCTETS at most.
        unsafe { self.copy_block(last, from) }
    }

    /// Copies the block at `offset` to the same offset of the rest.
    ///
    /// # Safety
    ///
    /// It can be read there.
    #[inline(always)]
    unsafe fn copy_block(&mut self, offset: usize, from: *const u8) -> bool {
        let Some(to) = self.address(offset, BLOCK) else {
            return false;
        };
        for word in (0..BLOCK).step_by(8) {
            // SAFETY: the caller's word for what is read; a block of the packet
            // is at `to`.
            unsafe {
                let octets = from.add(offset + word).cast::<u64>().read_unaligned();
                to.add(word).cast::<u64>().write_unaligned(octets);
            }
        }
        true
    }
}

impl Rest for PacketRest<'_> {
    #[inline(always)]
    fn place<const N: usize>(&mut self, offset: usize) -> Option<&mut [u8; N]> {
        let address = self.address(offset & OFFSET_MASK, N)?;
        // SAFETY: N octets are inside the packet, which nobody else touches: it
        // is borrowed as long as this is. An array of octets has no alignment.
        Some(unsafe { &mut *address.cast() })
    }
}
