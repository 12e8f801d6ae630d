//! Processes of a test: none outlives it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::log_file;
use super::network::Namespace;

/// Anything slower than this is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process in a namespace, ended when dropped.
pub struct Process(Child);

impl Process {
    /// Starts one that writes to a log.
    pub fn start(command: &mut Command, namespace: &Namespace, log: &Path) -> Self {
        let (stdout, stderr) = log_file(log);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        Self::spawn(command, namespace)
    }

    pub fn spawn(command: &mut Command, namespace: &Namespace) -> Self {
        namespace.confine(command);
        let child = command.spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    pub fn assert_running(&mut self) {
        let ended = self.0.try_wait().expect("a child can be asked");
        assert!(ended.is_none(), "it ended: {ended:?}");
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

/// Waits until a condition holds.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
