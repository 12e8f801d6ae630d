//! Processes of the lab: none outlives it.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::namespace::Namespace;
use crate::command::say;

/// Time to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process in a namespace, ended when dropped.
pub struct Process {
    /// What it is.
    name: &'static str,
    child: Child,
}

impl Process {
    /// Starts one. To be called on the main thread: the process is ended when
    /// the thread that started it is.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &'static str, command: &mut Command, namespace: &Namespace) -> Result<Self> {
        namespace.confine(command)?;
        // Ctrl-C is ours: we end the others in our own order.
        command.process_group(0);
        // SAFETY: between fork and exec only prctl(2) is called, a plain
        // system call.
        unsafe { command.pre_exec(end_with_parent) };
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        Ok(Self { name, child })
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("ask after {}", self.name))
    }

    /// Waits for its end as long as is decent.
    fn wait(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(20)),
                Ok(Some(_)) | Err(_) => return true,
            }
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // SAFETY: a plain system call; the child has not been waited for, so
        // the number is still its own.
        unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGTERM) };
        if !self.wait() {
            say(&format!("{} does not end: it is killed", self.name));
            // Both fail only for a child that has ended by itself meanwhile.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// However we end, the calling process gets SIGTERM.
fn end_with_parent() -> io::Result<()> {
    // SAFETY: a plain system call with a number.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
