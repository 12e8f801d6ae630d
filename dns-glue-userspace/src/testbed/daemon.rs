//! dns-glue as a process in a namespace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::network::Namespace;
use super::process::{Process, patience_for, wait_so_long_for};
use crate::kernel::pins::PrivateFileSystem;
use crate::zone::source::ZoneSource;

/// A running `dns-glue run`, stopped when dropped.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    /// Where its pins are; it ends after the process.
    _pins: PrivateFileSystem,
    binary: PathBuf,
    control: PathBuf,
}

impl Daemon {
    /// Starts the `dns-glue` of the folder `binaries` on an interface of
    /// `host`, in native mode and with further `options`, and waits until it
    /// answers. Its log and its control socket are in `folder`.
    ///
    /// # Errors
    ///
    /// It does not start; its log is told.
    pub fn start(
        host: &Namespace,
        interface: &str,
        zones: &[ZoneSource],
        options: &[&str],
        folder: &Path,
        binaries: &Path,
    ) -> Result<Self> {
        let binary = binaries.join("dns-glue");
        let control = folder.join("control.sock");
        // Not where a daemon of this host may have its own.
        let pins = PrivateFileSystem::new()?;
        let mut command = Command::new(&binary);
        command
            .args(["run", "--iface", interface, "--mode", "native"])
            .args(options)
            .arg("--control")
            .arg(&control)
            .arg("--pins")
            .arg(pins.path().join("pins"));
        for zone in zones {
            let origin = zone.apex.fmt_with_dot();
            let zone = format!("{origin}={}", zone.path.display());
            command.args(["--zone", &zone]);
        }
        let log = folder.join("dns-glue.log");
        let process = Process::start(&mut command, host, &log)?;
        let daemon = Self {
            process,
            _pins: pins,
            binary,
            control,
        };
        let started = wait_so_long_for("dns-glue answers", patience_for(zones), || {
            daemon.process.ensure_running()?;
            let answered = daemon.status().map(|status| status["zones"].clone());
            let answered = answered.and_then(|zones| zones.as_array().map(Vec::len));
            Ok(answered == Some(zones.len()))
        });
        if let Err(error) = started {
            let log = fs::read_to_string(&log).unwrap_or_default();
            bail!("dns-glue: {error:#}\n{log}");
        }
        Ok(daemon)
    }

    /// Fails if it has ended.
    ///
    /// # Errors
    ///
    /// It has.
    pub fn ensure_running(&self) -> Result<()> {
        self.process.ensure_running()
    }

    /// Packets of each outcome: name, action, number.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn counters(&self) -> Result<Counters> {
        let status = self.status().context("dns-glue does not answer")?;
        let counters = status["counters"].as_array().context("no counters")?;
        let read = |counter: &serde_json::Value| {
            Some((
                counter["name"].as_str()?.to_owned(),
                counter["action"].as_str()?.to_owned(),
                counter["packets"].as_u64()?,
            ))
        };
        let counters: Option<Vec<_>> = counters.iter().map(read).collect();
        Ok(Counters(counters.context("a counter without a number")?))
    }

    /// Octets of the maps of its program.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn map_octets(&self) -> Result<u64> {
        let status = self.status().context("dns-glue does not answer")?;
        let octets = status["program"]["map_octets"].as_u64();
        octets.context("no octets of maps")
    }

    fn status(&self) -> Option<serde_json::Value> {
        let output = Command::new(&self.binary)
            .args(["status", "--json", "--control"])
            .arg(&self.control)
            .output()
            .ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }
}

/// The counters of dns-glue at one moment.
#[derive(Clone, Debug)]
pub struct Counters(Vec<(String, String, u64)>);

impl Counters {
    /// Packets that the kernel answered.
    pub fn answered(&self) -> u64 {
        let answered = self.0.iter().filter(|(_, action, _)| action == "answered");
        answered.map(|(.., packets)| packets).sum()
    }

    /// Packets of one outcome; 0 if there is none of that name.
    pub fn packets(&self, name: &str) -> u64 {
        let mut counters = self.0.iter();
        let counter = counters.find(|(other, ..)| other == name);
        counter.map_or(0, |(.., packets)| *packets)
    }
}
