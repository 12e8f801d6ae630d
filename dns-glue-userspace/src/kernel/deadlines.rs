//! The deadlines of a generation's zones, in the map that the program reads.
//!
//! They are written through memory, a word at a time: a system call would copy
//! octets, and the program could see a time that is half old and half new.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{io, ptr};

use dns_glue_common::deadlines::{Deadline, NEVER};
use dns_glue_common::maps::DEADLINE_SLOTS;

use super::fill::{Access, Window, fill_array};

/// The map, in our memory for as long as this lives.
pub struct Deadlines {
    window: Window,
}

impl Deadlines {
    /// Makes every zone of the map behind `map` one that never expires, before
    /// the program runs.
    ///
    /// # Errors
    ///
    /// The map cannot be mapped.
    pub(super) fn begin(map: BorrowedFd<'_>) -> io::Result<Self> {
        fill_array(map, &[NEVER; DEADLINE_SLOTS])?;
        let window = Window::map(map, DEADLINE_SLOTS * size_of::<u64>(), Access::ReadAndWrite)?;
        Ok(Self { window })
    }

    /// Sets the deadline of a zone by its number: its place among the zones of
    /// the generation. Packets see it from now on.
    pub fn set(&self, zone: u8, deadline: Deadline) {
        self.slot(zone).store(deadline.time(), Ordering::Relaxed);
    }

    /// The deadline of a zone.
    pub fn get(&self, zone: u8) -> Deadline {
        Deadline::from_time(self.slot(zone).load(Ordering::Relaxed))
    }

    fn slot(&self, zone: u8) -> &AtomicU64 {
        const { assert!(DEADLINE_SLOTS > u8::MAX as usize) };
        let slots: ptr::NonNull<AtomicU64> = self.window.start().cast();
        // SAFETY: the window holds a number for each zone that there can be, it
        // starts at a page, and all who know of it read or write whole words.
        unsafe { slots.add(usize::from(zone)).as_ref() }
    }
}
