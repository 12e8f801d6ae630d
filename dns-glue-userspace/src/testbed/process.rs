//! Processes that do not outlive whoever started them.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::interrupt;
use super::network::Namespace;
use crate::zone::source::ZoneSource;

/// A process that takes longer to end is killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process in a namespace, ended when dropped.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts one that writes to a log.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(command: &mut Command, namespace: &Namespace, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("create {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().context("a second handle of a log")?)
            .stderr(file);
        Self::spawn(command, namespace)
    }

    /// Starts one; it is killed should this thread end first. Ctrl-C does not
    /// reach it: it is ended when its time has come.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn spawn(command: &mut Command, namespace: &Namespace) -> Result<Self> {
        namespace.confine(command)?;
        command.process_group(0);
        // SAFETY: prctl is a plain system call.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let child = command
            .spawn()
            .with_context(|| format!("start {}", command.get_program().display()))?;
        Ok(Self(child))
    }

    /// The process itself.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Fails if it has ended. It can be waited for all the same.
    ///
    /// # Errors
    ///
    /// It has.
    pub fn ensure_running(&self) -> Result<()> {
        // SAFETY: a siginfo_t is numbers and pointers, for which zeros are
        // valid.
        let mut ended: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: the pointer leads to a siginfo_t.
        let result = unsafe { libc::waitid(libc::P_PID, self.0.id(), &raw mut ended, options) };
        // One that was waited for is no child any more.
        ensure!(result == 0, "it ended: {}", io::Error::last_os_error());
        // SAFETY: waitid fills in what is told of a child, or leaves zeros.
        let (id, status) = unsafe { (ended.si_pid(), ended.si_status()) };
        let how = match ended.si_code {
            libc::CLD_EXITED => "exit status",
            _ => "signal",
        };
        ensure!(id == 0, "it ended: {how} {status}");
        Ok(())
    }
}

impl Drop for Process {
    /// Asks it to end, for the sake of those that it started; a process that
    /// does not is killed.
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        // SAFETY: our own child, which has not been waited for.
        unsafe { libc::kill(self.0.id().cast_signed(), libc::SIGTERM) };
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!("process {} does not end: it is killed", self.0.id());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets a command run on one processor only.
pub fn pin(command: &mut Command, processor: usize) {
    // SAFETY: between fork and exec only a place on the stack is filled in and
    // sched_setaffinity(2) called, a plain system call.
    unsafe { command.pre_exec(move || pin_thread(0, processor)) };
}

/// Lets the thread of that number run on one processor only, and those that it
/// starts; 0 is the calling thread.
///
/// # Errors
///
/// It is gone, or the caller may not, or there is no such processor.
pub fn pin_thread(id: libc::pid_t, processor: usize) -> io::Result<()> {
    // SAFETY: a set of processors is bits, for which zeros are valid.
    let mut processors: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: sets a bit of the set, or none if there are not so many.
    unsafe { libc::CPU_SET(processor, &mut processors) };
    let octets = size_of_val(&processors);
    // SAFETY: the set is as long as is said, and lives through the call.
    match unsafe { libc::sched_setaffinity(id, octets, &raw const processors) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// How long a server may take until it answers for zones: even on a busy machine
/// all of them read 4 MB of text a second and more.
pub fn patience_for(zones: &[ZoneSource]) -> Duration {
    let octets = zones.iter().map(|zone| fs::metadata(&zone.path));
    let octets: u64 = octets.flatten().map(|file| file.len()).sum();
    PATIENCE + Duration::from_micros(octets / 4)
}

/// Waits until something is there.
///
/// # Errors
///
/// It is not within 20 seconds, or `look` fails.
pub fn wait_for(what: &str, look: impl FnMut() -> Result<bool>) -> Result<()> {
    wait_so_long_for(what, PATIENCE, look)
}

/// Waits until something is there, with the given patience.
///
/// # Errors
///
/// It is not there by then, or `look` fails.
pub fn wait_so_long_for(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let start = Instant::now();
    while !look().with_context(|| what.to_owned())? {
        let waited = start.elapsed();
        ensure!(waited < patience, "in vain for {waited:.0?}: {what}");
        interrupt::check()?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(process: &Process) -> String {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Err(error) = process.ensure_running() {
                return error.to_string();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("it goes on");
    }

    #[test]
    fn a_process_that_was_killed_has_ended_before_it_is_waited_for() {
        let mut process = Process(Command::new("sleep").arg("600").spawn().unwrap());
        process.ensure_running().unwrap();
        process.child().kill().unwrap();
        assert_eq!(ended(&process), "it ended: signal 9");
        assert_eq!(ended(&process), "it ended: signal 9");
        process.child().wait().unwrap();
        assert!(ended(&process).starts_with("it ended: No child"));
    }

    #[test]
    fn the_exit_status_of_a_process_is_told() {
        let process = Process(Command::new("false").spawn().unwrap());
        assert_eq!(ended(&process), "it ended: exit status 1");
    }
}
