//! What it is measured on.

use std::fs;
use std::num::NonZero;
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result};

use super::results::Machine;
use crate::testbed::needs::installed;

/// This machine.
///
/// # Errors
///
/// /proc cannot be read.
pub fn describe() -> Result<Machine> {
    let read = |path: &str| fs::read_to_string(path).with_context(|| format!("read {path}"));
    let cpu = value(&read("/proc/cpuinfo")?, "model name");
    let memory = value(&read("/proc/meminfo")?, "MemTotal");
    let kibioctets = memory.and_then(|text| text.strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(Machine {
        cpu: cpu.unwrap_or_else(|| "unknown processor".to_owned()),
        cores: thread::available_parallelism().map_or(1, NonZero::get) as u64,
        memory_octets: kibioctets.context("no MemTotal in /proc/meminfo")? * 1024,
        kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        knot: version("knotd", "-V"),
        nsd: version("nsd", "-v"),
        bind: version("named", "-v"),
    })
}

/// The value of the first line `name : value`.
fn value(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(other, _)| other.trim() == name)?;
    Some(value.trim().to_owned())
}

/// The version of a server, if it is installed.
fn version(program: &str, option: &str) -> Option<String> {
    let output = Command::new(installed(program)?)
        .arg(option)
        .output()
        .ok()?;
    // NSD tells on stderr.
    let told = [output.stdout, output.stderr].concat();
    version_in(&String::from_utf8_lossy(&told))
}

/// The first word that is numbers and points, up to what is not.
fn version_in(text: &str) -> Option<String> {
    let number = |word: &str| {
        let end = word.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        let number = word.get(..end.unwrap_or(word.len()))?;
        number.contains('.').then(|| number.to_owned())
    };
    text.split_whitespace().find_map(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_servers_tell() {
        for (told, version) in [
            ("knotd (Knot DNS), version 3.2.6\n", Some("3.2.6")),
            ("NSD version 4.6.1\nWritten by NLnet Labs.\n", Some("4.6.1")),
            ("BIND 9.18.49-1~deb12u3-Debian (Extended)", Some("9.18.49")),
            ("nothing", None),
        ] {
            assert_eq!(version_in(told).as_deref(), version);
        }
    }

    #[test]
    fn this_machine_has_cores_and_memory() {
        let machine = describe().unwrap();
        assert!(machine.cores > 0 && machine.memory_octets > 0);
        assert!(!machine.kernel.is_empty() && !machine.cpu.is_empty());
    }
}
