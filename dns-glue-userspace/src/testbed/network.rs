//! Network namespaces.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// A network namespace, removed when dropped.
#[derive(Debug)]
pub struct Namespace(String);

impl Namespace {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// `ip` (Debian package iproute2) fails.
    pub fn new(name: String) -> Result<Self> {
        ip(&format!("netns add {name}"))?;
        Ok(Self(name))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Runs `ip` inside.
    ///
    /// # Errors
    ///
    /// It fails.
    pub fn ip(&self, arguments: &str) -> Result<()> {
        ip(&format!("-n {} {arguments}", self.0)).map(|_| ())
    }

    /// What `ip -json` says inside.
    ///
    /// # Errors
    ///
    /// It fails.
    pub fn ip_json(&self, arguments: &str) -> Result<serde_json::Value> {
        let text = ip(&format!("-json -n {} {arguments}", self.0))?;
        serde_json::from_str(&text).with_context(|| format!("ip -json {arguments}"))
    }

    /// Does something inside, on a thread of its own. Sockets made there stay
    /// inside.
    ///
    /// # Errors
    ///
    /// The namespace cannot be entered.
    pub fn within<T: Send>(&self, action: impl FnOnce() -> T + Send) -> Result<T> {
        let file = self.file()?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                enter(&file).context("enter a network namespace")?;
                Ok(action())
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Lets a command run inside. Not by `ip netns exec`, which mounts another
    /// /sys.
    ///
    /// # Errors
    ///
    /// The namespace is gone.
    pub fn confine(&self, command: &mut Command) -> Result<()> {
        let file = self.file()?;
        // SAFETY: between fork and exec only setns(2) is called, a plain
        // system call.
        unsafe { command.pre_exec(move || enter(&file)) };
        Ok(())
    }

    fn file(&self) -> Result<File> {
        let path = format!("/run/netns/{}", self.0);
        File::open(&path).with_context(|| format!("open {path}"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&format!("netns del {}", self.0)) {
            eprintln!("network namespace {} is left over: {error:#}", self.0);
        }
    }
}

fn ip(arguments: &str) -> Result<String> {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .context("run ip (Debian package iproute2)")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {arguments}: {}", errors.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: changes the namespace of the calling thread only.
    if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
