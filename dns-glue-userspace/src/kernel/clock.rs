//! The clock that deadlines are told by: `CLOCK_MONOTONIC`, at the resolution
//! of the kernel's tick.
//!
//! The program reads it by `bpf_ktime_get_coarse_ns`, once a tick. It stands still while the
//! machine sleeps, and a time namespace with an offset of its own would show
//! another one than the program's.

use std::io;

use dns_glue_common::deadlines::Deadline;

/// The time now, nanoseconds.
///
/// # Panics
///
/// If the kernel does not know the clock, which has been there since Linux
/// 2.6.32.
pub fn now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it writes one timespec, which is there.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
    assert_eq!(
        result,
        0,
        "CLOCK_MONOTONIC_COARSE: {}",
        io::Error::last_os_error()
    );
    let [seconds, nanoseconds] = [time.tv_sec, time.tv_nsec]
        .map(|number| u64::try_from(number).expect("it counts from the start of the machine"));
    seconds * NANOSECONDS + nanoseconds
}

/// Nanoseconds of a second.
const NANOSECONDS: u64 = 1_000_000_000;

/// The deadline of a zone that was known to be right at `refreshed`,
/// nanoseconds, and whose SOA record allows `expire` seconds without a refresh
/// (RFC 1035 3.3.13).
pub fn expiry(refreshed: u64, expire: u32) -> Deadline {
    // 136 years at the most: together with any time it fits.
    Deadline::At(refreshed.saturating_add(u64::from(expire) * NANOSECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on() {
        let first = now();
        assert!(first > 0);
        // At the latest with the next tick.
        while now() == first {
            std::thread::yield_now();
        }
        assert!(now() > first);
    }

    /// The coarse clock is the fine one as of the last tick.
    #[test]
    fn it_is_the_monotonic_clock() {
        let fine = || {
            let mut time = libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            // SAFETY: it writes one timespec, which is there.
            let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
            assert_eq!(result, 0);
            time.tv_sec as u64 * NANOSECONDS + time.tv_nsec as u64
        };
        let before = now();
        let between = fine();
        assert!(before <= between);
        while now() <= between {
            std::thread::yield_now();
        }
        assert!(now() <= fine());
    }

    #[test]
    fn zones_expire_after_their_seconds() {
        assert_eq!(expiry(5, 0), Deadline::At(5));
        assert_eq!(expiry(5, 604_800), Deadline::At(604_800_000_000_005));
        let last = Deadline::At(u64::from(u32::MAX) * NANOSECONDS);
        assert_eq!(expiry(0, u32::MAX), last);
        // A time that never comes is never withheld, and no wrapped one.
        let far = expiry(u64::MAX - 1, u32::MAX);
        assert!(far.time() > u64::MAX / 2 && far.time() < u64::MAX);
    }
}
