//! dns-glue and name servers, with the configurations that the README has for
//! them: all processors, all threads that they like.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::remote::Reload;
use crate::bench::results::contender;
use crate::compare::Server;
use crate::kernel::pins::PrivateFileSystem;
use crate::serve::control::{Client, Reply, Request};
use crate::testbed::hosts::{Hosts, SERVER_INTERFACE};
use crate::testbed::needs::installed;
use crate::testbed::process::Process;
use crate::zone::source::ZoneSource;

/// What the examples say, which each process has its own of.
const FOLDER: &str = "/srv/dns";
const ZONE_FILE: &str = "glue.example.zone";
const APEX: &str = "glue.example.";

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `dns-glue run`, with no server behind it.
    DnsGlue,
    /// A name server.
    Server(Server),
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::DnsGlue,
        Self::Server(Server::Knot),
        Self::Server(Server::Nsd),
        Self::Server(Server::Bind),
    ];

    /// What the tables call it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::DnsGlue => contender::DNS_GLUE.to_owned(),
            Self::Server(server) => server.to_string(),
        }
    }

    /// Whether it can be started here.
    #[must_use]
    pub fn is_installed(self) -> bool {
        match self {
            Self::DnsGlue => true,
            Self::Server(server) => installed(parts(server).0).is_some(),
        }
    }

    /// Starts it. Configuration, log and control socket are in `folder`.
    ///
    /// # Errors
    ///
    /// It is not installed or cannot be started.
    pub fn start(
        self,
        zone: &ZoneSource,
        hosts: &Hosts,
        folder: &Path,
        binaries: &Path,
    ) -> Result<Serving> {
        let control = folder.join("control.sock");
        // Not where a daemon of this host may have its own.
        let pins = PrivateFileSystem::new()?;
        let (mut command, reload) = match self {
            Self::DnsGlue => (
                dns_glue(zone, &control, &pins, binaries),
                Reload::of_dns_glue(&control, binaries),
            ),
            Self::Server(server) => name_server(server, zone, folder)?,
        };
        let log = folder.join("server.log");
        Ok(Serving {
            process: Process::start(&mut command, hosts.server(), &log)?,
            control: (self == Self::DnsGlue).then_some(control),
            reload,
            _pins: pins,
            log,
        })
    }
}

fn dns_glue(
    zone: &ZoneSource,
    control: &Path,
    pins: &PrivateFileSystem,
    binaries: &Path,
) -> Command {
    let mut command = Command::new(binaries.join("dns-glue"));
    command
        .args(["run", "--iface", SERVER_INTERFACE, "--mode", "native"])
        .args(["--zone", &zone.to_string(), "--control"])
        .arg(control)
        .arg("--pins")
        .arg(pins.path().join("pins"));
    command
}

/// The program of a server, what keeps it in the foreground and names its
/// configuration, and the example of that.
fn parts(server: Server) -> (&'static str, &'static [&'static str], &'static str) {
    match server {
        Server::Knot => (
            "knotd",
            &["-c"],
            include_str!("../../../packaging/examples/knot.conf"),
        ),
        Server::Nsd => (
            "nsd",
            &["-d", "-c"],
            include_str!("../../../packaging/examples/nsd.conf"),
        ),
        Server::Bind => (
            "named",
            &["-g", "-c"],
            include_str!("../../../packaging/examples/named.conf"),
        ),
    }
}

fn name_server(server: Server, zone: &ZoneSource, folder: &Path) -> Result<(Command, Reload)> {
    let (program, arguments, example) = parts(server);
    let path = installed(program).with_context(|| format!("{program} is not installed"))?;
    let file = folder.join("server.conf");
    let mut text = configuration(example, zone, folder);
    let reload = Reload::of_server(server, zone, folder, &mut text)?;
    fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    let mut command = Command::new(path);
    command.args(arguments).arg(file);
    Ok((command, reload))
}

/// An example with the zone and the folder in place of its own.
fn configuration(example: &str, zone: &ZoneSource, folder: &Path) -> String {
    let in_folder = format!("{FOLDER}/{ZONE_FILE}");
    let path = zone.path.display().to_string();
    let apex = zone.apex.fmt_with_dot().to_string();
    let lines = example.lines().map(|line| {
        // The remark at the top is about the example.
        if line.starts_with(['#', '/']) {
            return String::new();
        }
        let line = line.replace(&in_folder, &path).replace(ZONE_FILE, &path);
        let line = line.replace(APEX, &apex);
        line.replace(FOLDER, &folder.display().to_string()) + "\n"
    });
    lines.collect()
}

/// A process that serves a zone, or will soon; ended when dropped.
#[derive(Debug)]
pub struct Serving {
    process: Process,
    control: Option<PathBuf>,
    reload: Reload,
    /// Where the pins of dns-glue are; it ends after the process.
    _pins: PrivateFileSystem,
    log: PathBuf,
}

impl Serving {
    /// Its number.
    pub fn id(&mut self) -> u32 {
        self.process.child().id()
    }

    /// Fails, with its log, if it has ended.
    ///
    /// # Errors
    ///
    /// It has.
    pub fn ensure_running(&self) -> Result<()> {
        self.process
            .ensure_running()
            .with_context(|| fs::read_to_string(&self.log).unwrap_or_default())
    }

    /// Tells it that its zone file is a new one; some answer before they have
    /// read it.
    ///
    /// # Errors
    ///
    /// It does not take it; its log is told.
    pub fn reload(&self, hosts: &Hosts) -> Result<()> {
        let reloaded = self.reload.run(hosts);
        reloaded.with_context(|| fs::read_to_string(&self.log).unwrap_or_default())
    }

    /// Octets of its maps, if it is dns-glue.
    ///
    /// # Errors
    ///
    /// It does not tell.
    pub fn map_octets(&self) -> Result<Option<u64>> {
        let Some(control) = &self.control else {
            return Ok(None);
        };
        match Client::call(control, Request::Status)? {
            (Reply::Status(status), _) => Ok(Some(status.program.map_octets)),
            _ => bail!("dns-glue answered something else than its status"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_become_configurations() {
        let zone: ZoneSource = "tld.=/zones/glue.zone".parse().unwrap();
        for (server, expected) in [
            (
                Server::Knot,
                ["domain: tld.", "file: \"/zones/glue.zone\"", "\"/here\""],
            ),
            (
                Server::Nsd,
                [
                    "name: \"tld.\"",
                    "zonefile: \"/zones/glue.zone\"",
                    "\"/here\"",
                ],
            ),
            (
                Server::Bind,
                [
                    "zone \"tld.\"",
                    "file \"/zones/glue.zone\"",
                    "directory \"/here\"",
                ],
            ),
        ] {
            let (_, _, example) = parts(server);
            let text = configuration(example, &zone, Path::new("/here"));
            for part in expected {
                assert!(text.contains(part), "{part}:\n{text}");
            }
            for part in ["/srv/dns", "glue.example"] {
                assert!(!text.contains(part), "{part}:\n{text}");
            }
        }
    }
}
