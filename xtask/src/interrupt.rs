//! Ctrl-C and its kin, which must not keep what was built up from being taken
//! down.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

static SEEN: AtomicBool = AtomicBool::new(false);

/// From now on a signal is noted instead of ending the process.
///
/// # Errors
/// When the kernel refuses.
pub fn catch() -> Result<()> {
    for signal in SIGNALS {
        // SAFETY: a sigaction is numbers and a pointer, for which zeros are
        // valid.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: the action is whole, and its handler does nothing but store.
        let result = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
        if result != 0 {
            return Err(io::Error::last_os_error()).context("handle signals");
        }
    }
    Ok(())
}

extern "C" fn note(_signal: libc::c_int) {
    SEEN.store(true, Ordering::Relaxed);
}

/// Whether a signal has come.
pub fn seen() -> bool {
    SEEN.load(Ordering::Relaxed)
}

/// Fails if a signal has come.
///
/// # Errors
/// When one has.
pub fn check() -> Result<()> {
    if seen() {
        bail!("interrupted");
    }
    Ok(())
}

/// Sleeps, but not beyond a signal.
pub fn sleep(duration: Duration) {
    const STEP: Duration = Duration::from_millis(50);
    let end = Instant::now() + duration;
    while !seen() && Instant::now() < end {
        thread::sleep(STEP.min(end.saturating_duration_since(Instant::now())));
    }
}
