//! bpf(2) itself, for what aya has no call of its own for.

use std::io;

/// One call; what it returns is not negative.
///
/// # Safety
///
/// `attributes` are those of the command, or a head of them (the kernel takes
/// the rest for zeros), and their pointers are valid for what it does. The
/// kernel may write to them.
pub(super) unsafe fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: the caller's promise; the kernel reads `size_of::<T>()` octets.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<T>() as u32,
        )
    };
    match libc::c_int::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}
