//! Ends a system call of another thread by a signal.

use std::io;
use std::sync::mpsc;
use std::time::Duration;

/// The signal; what it means otherwise, nothing, is what its handler does.
const SIGNAL: libc::c_int = libc::SIGUSR1;
/// A signal that comes before the system call has begun does nothing, so it is
/// sent again.
const AGAIN: Duration = Duration::from_millis(2);

/// Does `work` on a thread of its own, whose last part is a system call that a
/// signal ends with EINTR, and sends it that signal after a while.
///
/// # Errors
///
/// The signal cannot be handled.
pub fn end_after<T: Send>(duration: Duration, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    handle_signal()?;
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let worker = scope.spawn(move || {
            // SAFETY: a plain call.
            let own = unsafe { libc::pthread_self() };
            sender.send(own).map_err(io::Error::other).map(|()| work())
        });
        let thread = receiver.recv().map_err(io::Error::other)?;
        std::thread::sleep(duration);
        while !worker.is_finished() {
            // SAFETY: the thread has not been joined, so the number is its own.
            unsafe { libc::pthread_kill(thread, SIGNAL) };
            std::thread::sleep(AGAIN);
        }
        let result = worker.join();
        result.map_err(|_| io::Error::other("a thread panicked"))?
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
