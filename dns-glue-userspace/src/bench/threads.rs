//! Processor time of threads and processes, and where they run.

use std::time::Duration;
use std::{fs, io};

use anyhow::{Context as _, Result};

use crate::testbed::process;

/// How a thread comes by its processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// It takes turns with all others, as ksoftirqd does.
    Fair,
    /// It runs before all but those of a higher priority, and takes turns with
    /// its equals, so that other work of the machine does not get in between.
    First(libc::c_int),
}

/// The thread of that number runs on one processor from now on; so do those
/// that it starts.
///
/// # Errors
///
/// It is gone, or the caller may not.
pub fn pin(id: u32, processor: usize) -> io::Result<()> {
    let id = libc::pid_t::try_from(id).map_err(io::Error::other)?;
    process::pin_thread(id, processor)
}

/// Sets how a thread is scheduled, and those that it starts.
///
/// # Errors
///
/// It is gone, or the caller may not.
pub fn set_schedule(id: u32, schedule: Schedule) -> io::Result<()> {
    let (policy, sched_priority) = match schedule {
        Schedule::Fair => (libc::SCHED_OTHER, 0),
        Schedule::First(priority) => (libc::SCHED_RR, priority),
    };
    let pid = libc::pid_t::try_from(id).map_err(io::Error::other)?;
    let parameters = libc::sched_param { sched_priority };
    // SAFETY: the parameters are whole and live through the call.
    match unsafe { libc::sched_setscheduler(pid, policy, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The number of the calling thread.
pub fn own() -> u32 {
    // SAFETY: a plain system call.
    unsafe { libc::gettid() }.cast_unsigned()
}

/// The threads of a process.
///
/// # Errors
///
/// It is gone.
pub fn of_process(id: u32) -> Result<Vec<u32>> {
    numbered(&format!("/proc/{id}/task"))
}

/// Processor time that a process has taken so far, with all its threads.
///
/// # Errors
///
/// It is gone.
pub fn processor_time(id: u32) -> io::Result<Duration> {
    let pid = libc::pid_t::try_from(id).map_err(io::Error::other)?;
    let mut clock = 0;
    // SAFETY: the pointer leads to a clockid_t.
    let error = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    clock_time(clock)
}

/// Processor time that the calling thread has taken so far.
///
/// # Errors
///
/// The kernel has no such clock.
pub fn own_processor_time() -> io::Result<Duration> {
    clock_time(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock_time(clock: libc::clockid_t) -> io::Result<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer leads to a timespec.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let seconds = u64::try_from(time.tv_sec).map_err(io::Error::other)?;
    let nanoseconds = u64::try_from(time.tv_nsec).map_err(io::Error::other)?;
    Ok(Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds))
}

/// The kernel thread that polls the interface of that name, which must be the
/// only one of the machine so called.
///
/// # Errors
///
/// There is none: the interface does not poll in threads.
pub fn poller(interface: &str) -> Result<u32> {
    let prefix = format!("napi/{interface}-");
    for (id, name) in processes()? {
        if name.starts_with(&prefix) {
            return Ok(id);
        }
    }
    anyhow::bail!("{interface} is not polled by a thread")
}

/// Number and name of all processes.
fn processes() -> Result<Vec<(u32, String)>> {
    let mut found = Vec::new();
    for id in numbered("/proc")? {
        // One that has ended since has no name.
        if let Ok(name) = fs::read_to_string(format!("/proc/{id}/comm")) {
            found.push((id, name.trim_end().to_owned()));
        }
    }
    Ok(found)
}

/// The entries of a folder that are numbers.
fn numbered(folder: &str) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read {folder}"))? {
        let name = entry.with_context(|| format!("read {folder}"))?.file_name();
        found.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(found)
}

/// A process, and all that it has started and that have not ended.
///
/// # Errors
///
/// /proc cannot be read.
pub fn family(id: u32) -> Result<Vec<u32>> {
    let mut parents = Vec::new();
    for (process, _) in processes()? {
        // One that has ended since has no parent.
        let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else {
            continue;
        };
        if let Some(parent) = stat_number(&stat, 4) {
            parents.push((process, parent));
        }
    }
    let mut family = vec![id];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        let children = parents
            .iter()
            .filter(|(_, parent)| *parent == u64::from(member));
        family.extend(children.map(|(child, _)| *child));
        next += 1;
    }
    Ok(family)
}

/// A number of /proc/PID/stat: `field` is at least 4, as proc_pid_stat(5)
/// counts them.
pub fn stat_number(stat: &str, field: usize) -> Option<u64> {
    // "PID (NAME) STATE PPID ...", and a name may hold anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    fields.nth(field.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let text = "42 (a) R 1 (x) S 7 1 1 0 -1 4 0 0 0 0 100 20 3 4 20 0 1 0 5";
        let numbers = [4, 14, 15, 16, 17].map(|field| stat_number(text, field));
        assert_eq!(numbers, [7, 100, 20, 3, 4].map(Some));
        assert_eq!(stat_number(text, 26), None);
        assert_eq!(stat_number("42 (a", 4), None);
    }
}
