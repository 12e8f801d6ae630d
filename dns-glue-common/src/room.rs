//! What `dns-glue check-nic --probe` and its program in the kernel share: how
//! far frames can grow.

use bytemuck::{Pod, Zeroable};

/// The program that measures, and passes every frame as it came.
pub const MEASURE_ROOM: &str = "measure_room";
/// Per-CPU array of one [`FrameRoom`].
pub const ROOM: &str = "ROOM";

/// Octets of the longest frame that is measured: the longest query that is
/// looked at, over IPv6 in two VLAN tags.
pub const LONGEST_FRAME_OCTETS: usize = 14 + 8 + 40 + 8 + crate::limits::MAX_QUERY_OCTETS;

/// The first step by which a frame's tail is tried; each next one is half of
/// it.
pub const FIRST_TAIL_STEP: i32 = 1024;
/// As [`FIRST_TAIL_STEP`], for its head.
pub const FIRST_HEAD_STEP: i32 = 128;
/// The last step, octets: what is measured is a multiple of it.
pub const LAST_STEP: i32 = 8;

/// What was measured on one CPU. Host byte order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct FrameRoom {
    /// Frames that were measured.
    pub frames: u64,
    /// The least of the lengths, octets, to which they could grow at their
    /// tail; no meaning without frames.
    pub least_grown: u64,
    /// The least of the octets by which they could grow at their head; no
    /// meaning without frames.
    pub least_head: u64,
}

impl FrameRoom {
    /// Adds a frame that could grow to `grown` octets at its tail, or by `head`
    /// octets at its head.
    #[inline(always)]
    pub fn add(&mut self, grown: u64, head: u64) {
        if self.frames == 0 || grown < self.least_grown {
            self.least_grown = grown;
        }
        if self.frames == 0 || head < self.least_head {
            self.least_head = head;
        }
        self.frames += 1;
    }

    /// What was measured on this CPU and on another.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self.frames == 0 {
            return other;
        }
        if other.frames == 0 {
            return self;
        }
        Self {
            frames: self.frames.saturating_add(other.frames),
            least_grown: self.least_grown.min(other.least_grown),
            least_head: self.least_head.min(other.least_head),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_all_cpus() {
        let mut one = FrameRoom::default();
        one.add(1500, 216);
        one.add(600, 248);
        let mut other = FrameRoom::default();
        other.add(900, 0);
        let both = FrameRoom {
            frames: 3,
            least_grown: 600,
            least_head: 0,
        };
        assert_eq!(one.and(other), both);
        assert_eq!(FrameRoom::default().and(both), both);
        assert_eq!(both.and(FrameRoom::default()), both);
    }
}
