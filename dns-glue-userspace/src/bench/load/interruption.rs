//! Ends a system call of another thread by a signal.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The signal; what it means otherwise, nothing, is what its handler does.
const SIGNAL: libc::c_int = libc::SIGUSR1;
/// A signal that comes before the system call has begun does nothing, so it is
/// sent again.
const AGAIN: Duration = Duration::from_millis(2);

/// Does `work`, whose last part is a system call that a signal ends with EINTR,
/// and sends it that signal after a while.
///
/// # Errors
///
/// The signal cannot be handled.
pub fn end_after<T>(duration: Duration, work: impl FnOnce() -> T) -> io::Result<T> {
    handle_signal()?;
    // SAFETY: a plain call; the number is that of this thread until it ends.
    let thread = unsafe { libc::pthread_self() };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let signaller = scope.spawn(|| {
            std::thread::sleep(duration);
            while !done.load(Ordering::Acquire) {
                // SAFETY: the thread lives: it waits for this one below.
                unsafe { libc::pthread_kill(thread, SIGNAL) };
                std::thread::sleep(AGAIN);
            }
        });
        let result = work();
        done.store(true, Ordering::Release);
        // Nothing is left to be interrupted once this has ended.
        signaller
            .join()
            .map_err(|_| io::Error::other("a thread panicked"))?;
        Ok(result)
    })
}

fn handle_signal() -> io::Result<()> {
    // SAFETY: a sigaction is numbers and a pointer, for which zeros are valid.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the action is whole, and its handler does nothing.
    match unsafe { libc::sigaction(SIGNAL, &raw const action, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn nothing(_signal: libc::c_int) {}
