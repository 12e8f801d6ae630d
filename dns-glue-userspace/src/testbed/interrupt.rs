//! Ctrl-C and its kin, after which the namespaces and processes of a comparison
//! are still to be taken down.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

static SEEN: AtomicBool = AtomicBool::new(false);

/// From now on a signal is noted instead of ending the process.
///
/// # Errors
///
/// The kernel refuses.
pub fn catch() -> io::Result<()> {
    for signal in SIGNALS {
        // SAFETY: a sigaction is numbers and a pointer, for which zeros are
        // valid.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: the action is whole, and its handler does nothing but store.
        let result = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn note(_signal: libc::c_int) {
    SEEN.store(true, Ordering::Relaxed);
}

/// Asked before each piece of work.
///
/// # Errors
///
/// A signal has come.
pub fn check() -> io::Result<()> {
    if SEEN.load(Ordering::Relaxed) {
        return Err(io::Error::other("interrupted by a signal"));
    }
    Ok(())
}
