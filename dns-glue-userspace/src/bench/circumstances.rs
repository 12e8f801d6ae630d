//! Of what, when and under which conditions a run is.

use std::fs;
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use super::results::Circumstances;

/// Where the kernel tells which weaknesses of the processor it works around.
const VULNERABILITIES: &str = "/sys/devices/system/cpu/vulnerabilities";

/// What a run depends on that its choices say.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The commit of the sources, if whoever started it knows.
    pub commit: Option<String>,
    /// The options, without folders.
    pub options: Vec<String>,
    /// What the choice of queries depends on.
    pub seed: u64,
    /// Rounds in which each contender has its turn under load.
    pub rounds: u64,
    /// Who takes part under load.
    pub contenders: Vec<String>,
}

/// Looks at the machine from its making on.
#[derive(Debug)]
pub struct Watch {
    circumstances: Circumstances,
    ticks: Ticks,
}

/// Ticks of all processors, by /proc/stat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    all: u64,
    /// Taken away by the host of a virtual machine.
    stolen: u64,
}

impl Watch {
    /// Begins now.
    ///
    /// # Errors
    ///
    /// /proc cannot be read.
    pub fn begin(chosen: Chosen) -> Result<Self> {
        let circumstances = Circumstances {
            commit: chosen.commit,
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            options: chosen.options,
            seed: chosen.seed,
            rounds: chosen.rounds,
            contenders: chosen.contenders,
            jit: setting("/proc/sys/net/core/bpf_jit_enable"),
            jit_harden: setting("/proc/sys/net/core/bpf_jit_harden"),
            mitigations: mitigations(),
            load_before: load()?,
            load_after: load()?,
            stolen_share: 0.0,
        };
        Ok(Self {
            circumstances,
            ticks: ticks()?,
        })
    }

    /// What it has been like until now.
    ///
    /// # Errors
    ///
    /// /proc cannot be read.
    pub fn so_far(&self) -> Result<Circumstances> {
        let now = ticks()?;
        let all = now.all.saturating_sub(self.ticks.all);
        let stolen = now.stolen.saturating_sub(self.ticks.stolen);
        Ok(Circumstances {
            load_after: load()?,
            stolen_share: stolen as f64 / all.max(1) as f64,
            ..self.circumstances.clone()
        })
    }
}

/// A number of /proc/sys; `None` if this kernel does not have it.
fn setting(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// `NAME: STATE` of each weakness that this processor has.
fn mitigations() -> Vec<String> {
    let entries = fs::read_dir(VULNERABILITIES)
        .into_iter()
        .flatten()
        .flatten();
    let mut found: Vec<String> = entries
        .filter_map(|entry| {
            let state = fs::read_to_string(entry.path()).ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            (state.trim() != "Not affected").then(|| format!("{name}: {}", state.trim()))
        })
        .collect();
    found.sort();
    found
}

/// The load of the last minute.
fn load() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg").context("read /proc/loadavg")?;
    let first = text.split_whitespace().next();
    let load = first.and_then(|word| word.parse().ok());
    load.context("no number in /proc/loadavg")
}

fn ticks() -> Result<Ticks> {
    let text = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
    parse_ticks(&text).context("no processors in /proc/stat")
}

/// From the line `cpu USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL ...`; what
/// guests take, which follows, is in USER too.
fn parse_ticks(text: &str) -> Option<Ticks> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Option<Vec<u64>> = line
        .split_whitespace()
        .take(8)
        .map(|word| word.parse().ok())
        .collect();
    let ticks = ticks?;
    Some(Ticks {
        all: ticks.iter().sum(),
        stolen: *ticks.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_the_eighth_number() {
        let text = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        let expected = Some(Ticks { all: 36, stolen: 8 });
        assert_eq!(parse_ticks(text), expected);
        assert_eq!(parse_ticks("cpu  1 2 3\n"), None);
        assert_eq!(parse_ticks("cpu0 1 2 3 4 5 6 7 8\n"), None);
    }

    #[test]
    fn this_machine_has_circumstances() {
        let chosen = Chosen {
            commit: Some("0123abcd".into()),
            options: vec!["--quick".into()],
            seed: 1,
            rounds: 3,
            contenders: vec!["nsd".into()],
        };
        let now = Watch::begin(chosen).unwrap().so_far().unwrap();
        assert_eq!(now.commit.as_deref(), Some("0123abcd"));
        assert!(now.date.ends_with('Z'), "{}", now.date);
        assert!((0.0..=1.0).contains(&now.stolen_share));
    }
}
