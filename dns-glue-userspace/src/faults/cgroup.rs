//! A control group with a limit of memory, for what it holds and for what its
//! processes have the kernel make.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// Where the hierarchies are mounted: version 2, and that of version 1 which
/// knows of memory.
const VERSION_2: &str = "/sys/fs/cgroup";
const VERSION_1: &str = "/sys/fs/cgroup/memory";

/// What its files are called.
#[derive(Clone, Copy, Debug)]
struct Names {
    limit: &'static str,
    usage: &'static str,
    unlimited: &'static str,
}

/// A control group, removed when dropped.
#[derive(Debug)]
pub struct ControlGroup {
    path: PathBuf,
    names: Names,
}

impl ControlGroup {
    /// Makes one. `None` if the machine has no memory controller.
    ///
    /// # Errors
    ///
    /// It has, and there can be no group.
    pub fn new(name: &str) -> Result<Option<Self>> {
        let controllers = fs::read_to_string(Path::new(VERSION_2).join("cgroup.controllers"));
        let is_controlled = |list: String| list.split_whitespace().any(|word| word == "memory");
        let (root, names) = if controllers.is_ok_and(is_controlled) {
            let control = Path::new(VERSION_2).join("cgroup.subtree_control");
            fs::write(control, "+memory").context("control memory by cgroups")?;
            let names = Names {
                limit: "memory.max",
                usage: "memory.current",
                unlimited: "max",
            };
            (VERSION_2, names)
        } else if Path::new(VERSION_1).join("memory.limit_in_bytes").exists() {
            let names = Names {
                limit: "memory.limit_in_bytes",
                usage: "memory.usage_in_bytes",
                unlimited: "-1",
            };
            (VERSION_1, names)
        } else {
            return Ok(None);
        };
        let path = Path::new(root).join(name);
        fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Some(Self { path, names }))
    }

    /// Lets a command run inside.
    pub fn confine(&self, command: &mut Command) {
        let processes = self.path.join("cgroup.procs");
        // SAFETY: between fork and exec a file is opened and written by plain
        // system calls; the path is short enough to need no allocation.
        unsafe { command.pre_exec(move || fs::write(&processes, "0")) };
    }

    /// Octets that it has now.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn usage(&self) -> Result<u64> {
        let path = self.path.join(self.names.usage);
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("read {}", path.display()))?;
        text.trim()
            .parse()
            .with_context(|| format!("{}: {text:?}", path.display()))
    }

    /// Sets the most that it may have, octets; `None` for as much as there is.
    ///
    /// # Errors
    ///
    /// The kernel does not get down to that.
    pub fn limit(&self, octets: Option<u64>) -> io::Result<()> {
        let unlimited = self.names.unlimited.to_owned();
        let text = octets.map_or(unlimited, |octets| octets.to_string());
        fs::write(self.path.join(self.names.limit), text)
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir(&self.path) {
            eprintln!("{} is left over: {error}", self.path.display());
        }
    }
}
