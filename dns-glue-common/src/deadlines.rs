//! Until when referrals may be given: each zone has a deadline, and so has the
//! host, whose daemon must be heard of from time to time.
//!
//! All times are nanoseconds of one clock, `CLOCK_MONOTONIC`, at the resolution
//! of the kernel's tick (1 to 10 ms); the program may be a tick late. From its
//! deadline on, a zone's queries pass: the server behind knows what is right
//! then. A zone that is withheld has a deadline that is always past, one that
//! never expires has a deadline that never comes, so the way of a query that is
//! answered is one comparison for the zone and one for the host.

use crate::host::Host;
use crate::reason::Reason;

/// The deadline that never comes.
pub const NEVER: u64 = u64::MAX;
/// The deadline of a zone that is withheld.
pub const WITHHELD: u64 = 0;

/// The deadline of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// It never expires.
    Never,
    /// From this time on its queries pass, nanoseconds; what is below 1 counts
    /// as 1, what is too high as the last time that there is.
    At(u64),
    /// Its queries pass.
    Withheld,
}

impl Deadline {
    /// The time, as the program has it.
    pub const fn time(self) -> u64 {
        match self {
            Self::Never => NEVER,
            Self::At(WITHHELD) => WITHHELD + 1,
            Self::At(NEVER) => NEVER - 1,
            Self::At(time) => time,
            Self::Withheld => WITHHELD,
        }
    }

    /// The deadline that the program has as `time`.
    pub const fn from_time(time: u64) -> Self {
        match time {
            NEVER => Self::Never,
            WITHHELD => Self::Withheld,
            time => Self::At(time),
        }
    }
}

/// The deadlines of the zones, and the clock.
pub trait Deadlines {
    /// The time, nanoseconds. Never [`NEVER`]: that is five centuries ahead.
    fn now(&self) -> u64;

    /// The deadline of a zone by its number
    /// ([`Slot::zone`](crate::index::Slot::zone)), nanoseconds: [`NEVER`],
    /// [`WITHHELD`], or a time.
    fn of_zone(&self, zone: u8) -> u64;
}

/// Whether a referral from a zone may be given now.
///
/// # Errors
///
/// `ZoneWithheld`, `ZoneExpired`, `Unattended`: the first of these that is so.
#[inline(always)]
pub fn check<H: Host, D: Deadlines>(zone: u8, host: &H, deadlines: &D) -> Result<(), Reason> {
    let deadline = deadlines.of_zone(zone);
    let attended_until = host.attended_until();
    let now = deadlines.now();
    if now >= deadline {
        return Err(match deadline {
            WITHHELD => Reason::ZoneWithheld,
            _ => Reason::ZoneExpired,
        });
    }
    if now >= attended_until {
        return Err(Reason::Unattended);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_memory::{MemoryDeadlines, MemoryHost};
    use proptest::prelude::*;

    fn outcome(now: u64, deadline: u64, attended_until: u64) -> Result<(), Reason> {
        let host = MemoryHost::new(1500, attended_until);
        // The zones beside it say the opposite.
        let other = if now < deadline { WITHHELD } else { NEVER };
        let mut zones = [other; 256];
        zones[7] = deadline;
        check(7, &host, &MemoryDeadlines { now, zones })
    }

    #[test]
    fn a_deadline_is_the_first_moment_that_is_too_late() {
        for time in [1, 2, 1 << 32, NEVER - 1] {
            assert_eq!(outcome(time - 1, time, NEVER), Ok(()));
            assert_eq!(outcome(time, time, NEVER), Err(Reason::ZoneExpired));
            assert_eq!(outcome(time - 1, NEVER, time), Ok(()));
            assert_eq!(outcome(time, NEVER, time), Err(Reason::Unattended));
        }
    }

    #[test]
    fn never_and_withheld_are_so_at_any_time() {
        for now in [0, 1, 1 << 32, NEVER - 1] {
            assert_eq!(outcome(now, NEVER, NEVER), Ok(()));
            assert_eq!(outcome(now, WITHHELD, NEVER), Err(Reason::ZoneWithheld));
            assert_eq!(outcome(now, NEVER, 0), Err(Reason::Unattended));
        }
    }

    #[test]
    fn times_and_deadlines_are_the_same() {
        for deadline in [Deadline::Never, Deadline::Withheld, Deadline::At(5)] {
            assert_eq!(Deadline::from_time(deadline.time()), deadline);
        }
        // A time is not taken for what it does not say.
        assert_eq!(Deadline::At(WITHHELD).time(), 1);
        assert_eq!(Deadline::At(NEVER).time(), NEVER - 1);
    }

    /// What is known of the zone says more than that nobody looks after it.
    #[test]
    fn the_zone_comes_first() {
        assert_eq!(outcome(5, WITHHELD, 0), Err(Reason::ZoneWithheld));
        assert_eq!(outcome(5, 5, 5), Err(Reason::ZoneExpired));
    }

    proptest! {
        /// Once it is too late it stays too late, and later deadlines give no
        /// fewer answers.
        #[test]
        fn time_goes_one_way(
            now in 0..NEVER,
            later in 0..NEVER,
            deadline: u64,
            attended_until: u64,
        ) {
            let (now, later) = (now.min(later), now.max(later));
            let answered = |time| outcome(time, deadline, attended_until).is_ok();
            prop_assert!(answered(now) || !answered(later));
            prop_assert_eq!(answered(now), now < deadline && now < attended_until);
        }
    }
}
