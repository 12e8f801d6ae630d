//! Reloads for which the kernel has no descriptors: each step of a reload that
//! needs one fails in its turn, and what was there answers on.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ptr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::client::Moment;
use super::reloads::restore;
use super::report::Row;
use super::site::Site;
use super::stage::{Extent, Stage, pause};
use super::versions::Versions;

/// More than any reload needs.
const MOST: u64 = 64;
/// A reload that takes longer waits for a descriptor: it gets one. A program
/// for which there is none is verified several times in vain.
const PATIENCE: Duration = Duration::from_secs(15);
/// Without this one nobody can ask for a reload.
const FOR_CONTROL: u64 = 1;
/// How long there must be as many descriptors as before.
const SETTLED: Duration = Duration::from_millis(100);

/// Lets dns-glue reload with ever more descriptors, until it can.
///
/// # Errors
///
/// Its limits cannot be set, or it does not reload without them.
pub fn run(stage: &mut Stage, name: &'static str, extent: Extent) -> Result<Row> {
    let mut row = Row::new(name, stage.site.zone());
    stage.during(&mut row, &[], Versions::FIRST, |site, moment, row| {
        let mut rounds = extent.begin();
        while rounds.another()? {
            let mut failed = 0;
            while failed < MOST && !try_one(site, moment, row, FOR_CONTROL + failed)? {
                failed += 1;
            }
            if failed == 0 || failed == MOST {
                let what = format!("{failed} of {MOST} limits had an effect");
                row.complaints.push(what);
            }
            row.notes
                .push(format!("{failed} reloads failed, the next had enough"));
            row.rounds += 1;
        }
        Ok(())
    })?;
    Ok(row)
}

/// A reload with so many descriptors to spare, and back; whether it was made.
fn try_one(site: &mut Site, moment: &Moment, row: &mut Row, spare: u64) -> Result<bool> {
    let process = site.daemon.process_id()?;
    let before = limit(process, limit_with(&settled(process)?, spare))?;
    site.put_version(Versions::SECOND)?;
    moment.allow(Versions::EITHER);
    let mut reload = site.daemon.begin_reload(&[])?;
    let begin = Instant::now();
    let mut is_waiting = false;
    while begin.elapsed() < PATIENCE {
        is_waiting = reload.try_wait().context("ask after a child")?.is_none();
        if !is_waiting {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    limit(process, before)?;
    let is_done = reload.wait().context("wait for a child")?.success();
    let is_made = is_done && !is_waiting;
    if !site.daemon.goes_on()? {
        let what = format!("with {spare} descriptors to spare dns-glue ends");
        row.complaints.push(what);
        site.daemon.bury();
        site.put_version(Versions::FIRST)?;
        site.start_daemon()?;
        return Ok(false);
    }
    if is_waiting {
        let ending = if is_done { "is made" } else { "fails" };
        let said = format!("the reload waits for more, and then {ending}");
        row.note_once(&format!("{spare} descriptors to spare"), &said);
    } else if !is_made {
        let said = site.daemon.status()?["last_reload"]["outcome"].to_string();
        if !said.contains("LimitNOFILE=") {
            let what = format!("with {spare} descriptors to spare it says {said}");
            row.complaints.push(what);
        }
        row.note_once(&format!("{spare} descriptors to spare"), &said);
        // Nothing of the second version has come to answer.
        moment.allow(Versions::FIRST);
        std::thread::sleep(Duration::from_millis(20));
    }
    restore(site, moment)?;
    Ok(is_made)
}

/// The descriptors of a process, once they are the same for a while: it closes
/// those of an earlier generation after it has said that the new one answers.
fn settled(process: u32) -> Result<BTreeSet<u64>> {
    let look = || -> Result<BTreeSet<u64>> {
        let entries = fs::read_dir(format!("/proc/{process}/fd")).context("list descriptors")?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().parse()?));
        names.collect()
    };
    let mut open = look()?;
    let mut since = Instant::now();
    while since.elapsed() < SETTLED {
        pause(SETTLED / 10)?;
        let now = look()?;
        if now != open {
            (open, since) = (now, Instant::now());
        }
    }
    Ok(open)
}

/// The limit below which so many numbers are free.
fn limit_with(open: &BTreeSet<u64>, spare: u64) -> u64 {
    let mut left = spare;
    let mut free = (0..).filter(|number| !open.contains(number));
    free.find(|_| left.checked_sub(1).map(|less| left = less).is_none())
        .unwrap_or(u64::MAX)
}

/// Limits the descriptors of a process; the limit that it had.
fn limit(process: u32, most: u64) -> Result<u64> {
    let pid = libc::pid_t::try_from(process).context("a process ID")?;
    let mut old = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer leads to an rlimit, and a null pointer sets nothing.
    let got = unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, ptr::null(), &raw mut old) };
    let new = libc::rlimit {
        rlim_cur: most.min(old.rlim_max),
        rlim_max: old.rlim_max,
    };
    // SAFETY: the pointer leads to an rlimit, and a null pointer asks for nothing.
    let set = unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const new, ptr::null_mut()) };
    if got != 0 || set != 0 {
        return Err(io::Error::last_os_error()).context("limit descriptors");
    }
    Ok(old.rlim_cur)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_numbers_are_free_below_the_limit() {
        let open = BTreeSet::from([0, 1, 2, 5, 9]);
        for (spare, limit) in [(0, 3), (1, 4), (2, 6), (3, 7), (5, 10), (6, 11)] {
            assert_eq!(limit_with(&open, spare), limit);
            let free = (0..limit).filter(|number| !open.contains(number));
            assert_eq!(free.count() as u64, spare);
        }
    }
}
