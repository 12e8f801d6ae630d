//! Network namespaces.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// A network namespace, removed when dropped.
pub struct Namespace(String);

impl Namespace {
    pub fn new(name: String) -> Self {
        ip(&format!("netns add {name}"));
        Self(name)
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// Runs `ip` inside.
    pub fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.0));
    }

    /// Does something inside, on a thread of its own.
    pub fn within<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                enter(&self.file()).expect("root enters a namespace");
                action()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Lets a command run inside. Not by `ip netns exec`, which mounts another
    /// /sys.
    pub fn confine(&self, command: &mut Command) {
        let file = self.file();
        // SAFETY: between fork and exec only setns(2) is called, a plain
        // system call.
        unsafe { command.pre_exec(move || enter(&file)) };
    }

    fn file(&self) -> File {
        File::open(format!("/run/netns/{}", self.0)).expect("a namespace")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let deleted = Command::new("ip").args(["netns", "del", &self.0]).output();
        if !deleted.is_ok_and(|output| output.status.success()) {
            eprintln!("network namespace {} is left over", self.0);
        }
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("ip (Debian package iproute2)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {errors}");
}

fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: changes the namespace of the calling thread only.
    if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
