//! Array maps in our memory: filled, or changed word by word, without a system
//! call an entry.

use std::{io, os::fd::BorrowedFd, ptr, slice};

use bytemuck::Pod;

/// Copies `values` to the start of the array map behind `map`.
///
/// The map has `BPF_F_MMAPABLE`, values of the size of `T`, and at least as
/// many entries as there are values.
///
/// # Errors
///
/// The map cannot be mapped: it is smaller, or lacks the flag.
pub(super) fn fill_array<T: Pod>(map: BorrowedFd<'_>, values: &[T]) -> io::Result<()> {
    // The kernel keeps entries at multiples of 8 octets: with other sizes the
    // values would not lie as they do in the slice.
    const { assert!(size_of::<T>().is_multiple_of(8) && size_of::<T>() > 0) };
    if values.is_empty() {
        return Ok(());
    }
    let source: &[u8] = bytemuck::cast_slice(values);
    let mut window = Window::map(map, source.len(), Access::ReadAndWrite)?;
    window.octets().copy_from_slice(source);
    Ok(())
}

/// What may be done in a window.
#[derive(Clone, Copy)]
pub(super) enum Access {
    Read,
    ReadAndWrite,
}

/// The start of an array map in our memory.
pub(super) struct Window {
    start: ptr::NonNull<u8>,
    octets: usize,
}

// SAFETY: a mapping belongs to the process, not to the thread that made it, and
// all that a shared window gives away is its address.
unsafe impl Send for Window {}
// SAFETY: as above.
unsafe impl Sync for Window {}

impl Window {
    /// The first `octets` of the array map behind `map`, which has
    /// `BPF_F_MMAPABLE`.
    ///
    /// # Errors
    ///
    /// The map is smaller, or lacks the flag.
    pub(super) fn map(map: BorrowedFd<'_>, octets: usize, access: Access) -> io::Result<Self> {
        use std::os::fd::AsRawFd as _;

        let protection = match access {
            Access::Read => libc::PROT_READ,
            Access::ReadAndWrite => libc::PROT_READ | libc::PROT_WRITE,
        };

        // SAFETY: a new mapping at an address of the kernel's choice; the
        // kernel checks that it lies within the map.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                octets,
                protection,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = ptr::NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { start, octets })
    }

    /// Where it starts: mapped with the access asked for until the drop.
    pub(super) const fn start(&self) -> ptr::NonNull<u8> {
        self.start
    }

    fn octets(&mut self) -> &mut [u8] {
        // SAFETY: `fill_array` maps it readable and writable, for that many octets until
        // the drop. The program is not loaded yet, so nobody else reads or writes.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.octets) }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: the mapping of `Window::map`, which nothing else refers to.
        let result = unsafe { libc::munmap(self.start.as_ptr().cast(), self.octets) };
        debug_assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }
}
