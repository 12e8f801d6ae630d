//! Network namespaces: made, entered, removed.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    path::Path,
    process::Command,
    thread,
};

use anyhow::{Context as _, Result, anyhow};

use crate::command::{output, say};

/// Where `ip netns` keeps its namespaces.
const FOLDER: &str = "/run/netns";

/// A network namespace, removed when dropped.
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// Makes one.
    ///
    /// # Errors
    /// When `ip` fails.
    pub fn new(name: String) -> Result<Self> {
        output(Command::new("ip").args(["netns", "add", &name]))?;
        let path = Path::new(FOLDER).join(&name);
        match File::open(&path) {
            Ok(file) => Ok(Self { name, file }),
            Err(error) => {
                remove(&name);
                Err(error).with_context(|| format!("open {}", path.display()))
            }
        }
    }

    /// Its name, as `ip netns` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` inside.
    ///
    /// # Errors
    /// When `ip` fails.
    pub fn ip(&self, arguments: &str) -> Result<()> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name]);
        output(command.args(arguments.split_whitespace())).map(drop)
    }

    /// Lets a command run inside.
    ///
    /// Not by `ip netns exec`, which mounts another /sys and so hides the BPF
    /// file system.
    ///
    /// # Errors
    /// When there are too many open files.
    pub fn confine(&self, command: &mut Command) -> Result<()> {
        let file = self.file.try_clone().context("keep the namespace open")?;
        // SAFETY: between fork and exec only setns(2) is called, a plain
        // system call.
        unsafe { command.pre_exec(move || enter(&file)) };
        Ok(())
    }

    /// Does something inside, on a thread of its own.
    ///
    /// # Errors
    /// Those of `action`, and when the namespace cannot be entered.
    pub fn within<T: Send>(&self, action: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                enter(&self.file).with_context(|| format!("enter {}", self.name))?;
                action()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// The names of all namespaces.
///
/// # Errors
/// When their folder cannot be read.
pub fn names() -> Result<Vec<String>> {
    let folder = match fs::read_dir(FOLDER) {
        Ok(folder) => folder,
        // None has ever been made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(anyhow!(error).context(format!("read {FOLDER}"))),
    };
    let names = folder.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect()
}

/// Removes a namespace, or says that it is left over.
pub fn remove(name: &str) {
    if let Err(error) = output(Command::new("ip").args(["netns", "del", name])) {
        say(&format!("network namespace {name} is left over: {error:#}"));
    }
}

/// Moves the calling thread.
fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: a plain system call on a descriptor that is open.
    if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
