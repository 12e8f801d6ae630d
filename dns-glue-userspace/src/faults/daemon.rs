//! dns-glue by its command line: started, told to reload, killed, and found
//! again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::testbed::network::Namespace;
use crate::testbed::process::{Process, wait_for};
use crate::zone::source::ZoneSource;

/// How dns-glue is run.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The folder of `dns-glue`.
    pub binaries: PathBuf,
    /// A folder for logs and the control socket.
    pub folder: PathBuf,
    /// The pin folder.
    pub pins: PathBuf,
    /// The interfaces.
    pub interfaces: Vec<String>,
    /// The zone.
    pub zone: ZoneSource,
    /// `--max-udp`.
    pub max_udp: u16,
}

/// dns-glue, running or not.
#[derive(Debug)]
pub struct Daemon {
    setting: Setting,
    process: Option<Process>,
    /// How often it was started.
    starts: u32,
}

/// What became of a reload.
#[derive(Clone, Debug)]
pub struct Reload {
    /// Whether it says that all is well.
    pub is_ok: bool,
    /// What it said, on one line.
    pub said: String,
    /// How long it took, the start of the process that asks included.
    pub took: Duration,
}

/// Counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(Vec<(String, String, u64)>);

impl Daemon {
    /// Not started yet.
    pub fn new(setting: Setting) -> Self {
        Self {
            setting,
            process: None,
            starts: 0,
        }
    }

    /// The file of the zone.
    pub fn zone_file(&self) -> &Path {
        &self.setting.zone.path
    }

    /// Whether it was started and has not ended since.
    pub fn is_running(&mut self) -> bool {
        let process = self.process.as_mut();
        process.is_some_and(|process| process.ensure_running().is_ok())
    }

    /// The number of its process.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn process_id(&mut self) -> Result<u32> {
        let process = self.process.as_mut().context("dns-glue does not run")?;
        Ok(process.child().id())
    }

    /// Whether it goes on after something that may have ended it: it answers,
    /// or it has ended.
    ///
    /// # Errors
    ///
    /// Neither, for long.
    pub fn goes_on(&mut self) -> Result<bool> {
        let mut goes_on = false;
        wait_for("dns-glue answers, or has ended", || {
            goes_on = self.is_running();
            let status = self.status();
            let is_attended = status.is_ok_and(|status| status["pid"].is_u64());
            Ok(!goes_on || is_attended)
        })?;
        Ok(goes_on)
    }

    /// Starts it in a namespace, and waits until it answers from the zone; how
    /// long that took. `prepare` may change how the process starts.
    ///
    /// # Errors
    ///
    /// It does not start; its log is told.
    pub fn start(
        &mut self,
        host: &Namespace,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Duration> {
        let begin = Instant::now();
        let Setting {
            binaries,
            folder,
            pins,
            interfaces,
            zone,
            max_udp,
        } = &self.setting;
        let mut command = Command::new(binaries.join("dns-glue"));
        command
            .args(["run", "--mode", "native", "--iface"])
            .args(interfaces);
        // The server behind has another version of the zone on purpose.
        command.args(["--max-udp", &max_udp.to_string(), "--max-lag", "never"]);
        command
            .args(["--zone", &zone.to_string()])
            .arg("--pins")
            .arg(pins);
        command.arg("--control").arg(folder.join("control.sock"));
        prepare(&mut command);
        self.starts += 1;
        let log = folder.join(format!("dns-glue-{}.log", self.starts));
        let mut process = Process::start(&mut command, host, &log)?;
        let pid = u64::from(process.child().id());
        let started = wait_for("dns-glue answers", || {
            process.ensure_running()?;
            let status = self.status();
            Ok(status.is_ok_and(|status| status["pid"].as_u64() == Some(pid)))
        });
        if let Err(error) = started {
            let log = fs::read_to_string(&log).unwrap_or_default();
            bail!("dns-glue: {error:#}\n{log}");
        }
        self.process = Some(process);
        Ok(begin.elapsed())
    }

    /// kill -9.
    ///
    /// # Errors
    ///
    /// It had ended before.
    pub fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("dns-glue does not run")?;
        process.ensure_running()?;
        process.child().kill().context("kill dns-glue")?;
        process.child().wait().context("wait for a child")?;
        Ok(())
    }

    /// Asks it by SIGUSR2 to end and to leave its pins, and waits for that.
    ///
    /// # Errors
    ///
    /// It had ended before, does not end, or not well.
    pub fn leave(&mut self) -> Result<()> {
        let mut process = self.process.take().context("dns-glue does not run")?;
        process.ensure_running()?;
        let pid = libc::pid_t::try_from(process.child().id()).context("a process ID")?;
        // SAFETY: our own child, which has not been waited for.
        unsafe { libc::kill(pid, libc::SIGUSR2) };
        let mut ended = None;
        wait_for("dns-glue ends at SIGUSR2", || {
            ended = process.child().try_wait().context("ask after a child")?;
            Ok(ended.is_some())
        })?;
        ensure!(
            ended.is_some_and(|status| status.success()),
            "SIGUSR2: {ended:?}"
        );
        Ok(())
    }

    /// Forgets a process that has ended by itself.
    pub fn bury(&mut self) {
        self.process = None;
    }

    /// Lets it reload, with these options.
    ///
    /// # Errors
    ///
    /// `dns-glue` cannot be run.
    pub fn reload(&self, options: &[&str]) -> Result<Reload> {
        let begin = Instant::now();
        let words = [&["reload"], options].concat();
        let output = self.command(&words, false)?;
        Ok(Reload {
            is_ok: output.status.success(),
            said: said(&output),
            took: begin.elapsed(),
        })
    }

    /// Begins to let it reload.
    ///
    /// # Errors
    ///
    /// `dns-glue` cannot be run.
    pub fn begin_reload(&self, options: &[&str]) -> Result<Child> {
        let words = [&["reload"], options].concat();
        let mut command = self.prepared(&words, false);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().context("run dns-glue reload")
    }

    /// What it says of itself, or what is left of it says.
    ///
    /// # Errors
    ///
    /// Nothing is left.
    pub fn status(&self) -> Result<Value> {
        let output = self.command(&["status", "--json"], true)?;
        // Without a daemon the exit status tells, and the text is there all the same.
        serde_json::from_slice(&output.stdout).with_context(|| format!("status: {}", said(&output)))
    }

    /// Its counters, whether it runs or has only left its pins.
    ///
    /// # Errors
    ///
    /// As [`Daemon::status`].
    pub fn counters(&self) -> Result<Counters> {
        Counters::of(&self.status()?)
    }

    fn command(&self, words: &[&str], with_pins: bool) -> Result<Output> {
        let output = self.prepared(words, with_pins).output();
        output.with_context(|| format!("run dns-glue {}", words.join(" ")))
    }

    fn prepared(&self, words: &[&str], with_pins: bool) -> Command {
        let Setting {
            binaries,
            folder,
            pins,
            ..
        } = &self.setting;
        let mut command = Command::new(binaries.join("dns-glue"));
        command
            .args(words)
            .arg("--control")
            .arg(folder.join("control.sock"));
        if with_pins {
            command.arg("--pins").arg(pins);
        }
        command
    }
}

/// What a command said, on one line.
fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&both);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("; ")
}

impl Counters {
    /// Those in what `status --json` prints.
    ///
    /// # Errors
    ///
    /// There are none.
    pub fn of(status: &Value) -> Result<Self> {
        // Without a daemon they stand in its last word.
        let status = status.get("status").unwrap_or(status);
        let counters = status["counters"].as_array().context("no counters")?;
        let read = |counter: &Value| {
            Some((
                counter["name"].as_str()?.to_owned(),
                counter["action"].as_str()?.to_owned(),
                counter["packets"].as_u64()?,
            ))
        };
        let counters: Option<Vec<_>> = counters.iter().map(read).collect();
        Ok(Self(counters.context("a counter without a number")?))
    }

    /// What was counted since then, zeros left out.
    ///
    /// # Errors
    ///
    /// A counter went backwards.
    pub fn since(&self, then: &Self) -> Result<Self> {
        let mut since = Vec::new();
        for (name, action, packets) in &self.0 {
            let before = then.0.iter().find(|(other, ..)| other == name);
            let before = before.map_or(0, |(.., packets)| *packets);
            ensure!(
                *packets >= before,
                "the counter {name} went from {before} to {packets}"
            );
            if *packets > before {
                since.push((name.clone(), action.clone(), packets - before));
            }
        }
        Ok(Self(since))
    }

    /// Packets that the kernel answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        let answered = self.0.iter().filter(|(_, action, _)| action == "answered");
        answered.map(|(.., packets)| packets).sum()
    }

    /// Names and numbers of what was not answered.
    #[must_use]
    pub fn others(&self) -> String {
        let others = self.0.iter().filter(|(_, action, _)| action != "answered");
        let others: Vec<String> = others
            .map(|(name, _, packets)| format!("{name} {packets}"))
            .collect();
        others.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn counters(referral: u64, no_cut: u64) -> Counters {
        let counter = |name, action, packets: u64| json!({ "name": name, "action": action, "packets": packets });
        let status = json!({ "counters": [
            counter("referral", "answered", referral),
            counter("referral-truncated", "answered", 1),
            counter("no-cut", "passed", no_cut),
        ] });
        Counters::of(&status).expect("counters")
    }

    #[test]
    fn counters_are_compared_by_name_and_never_go_back() {
        let since = counters(7, 5).since(&counters(4, 5)).expect("they went on");
        assert_eq!(since.answered(), 3);
        assert_eq!(since.others(), "");
        let since = counters(7, 5).since(&counters(7, 3)).expect("they went on");
        assert_eq!((since.answered(), since.others().as_str()), (0, "no-cut 2"));
        assert!(counters(6, 5).since(&counters(7, 5)).is_err());
        assert!(Counters::of(&json!({})).is_err());
    }
}
