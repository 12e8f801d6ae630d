//! Maps that nobody writes to any more, as long as they are there.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::syscall::bpf;

/// Command of bpf(2), from linux/bpf.h.
const BPF_MAP_FREEZE: libc::c_int = 22;

/// Lets no process write to a map from now on, not even root: neither by a
/// system call nor through memory. Programs may write on.
///
/// That programs may not either is not to be had beside it: a map with
/// `BPF_F_RDONLY_PROG` cannot be filled through memory. The maps of a generation
/// are known to its own program alone.
///
/// # Errors
///
/// `EBUSY` when it is in somebody's memory to be written, or is frozen already.
pub(super) fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    /// The head of the attributes of `BPF_MAP_FREEZE`.
    #[repr(C)]
    struct Attributes {
        map: i32,
    }
    let mut attributes = Attributes {
        map: map.as_raw_fd(),
    };
    // SAFETY: the attributes of the command, with no pointer.
    unsafe { bpf(BPF_MAP_FREEZE, &mut attributes)? };
    Ok(())
}
