//! A name server and its client, each in a network namespace of its own, and
//! dns-glue between them when it is wanted.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::frame::{SERVER_V4, SERVER_V6};
use super::zones::Group;
use crate::compare::Server;
use crate::testbed::daemon::{Counters, Daemon};
use crate::testbed::network::Namespace;
use crate::testbed::process::Process;
use crate::testbed::server::{self, Setting};

/// The interface that dns-glue is attached to.
const SERVER_INTERFACE: &str = "dgserver";
const CLIENT_INTERFACE: &str = "dgclient";
/// Everything that is started for one server; dropped, it is gone, in this
/// order.
#[derive(Debug)]
pub struct Site {
    daemon: Option<Daemon>,
    wire: Option<Process>,
    _process: Process,
    client: Namespace,
    host: Namespace,
    server: Server,
    folder: PathBuf,
    /// The folder of `dns-glue` and `dns-glue-lab`.
    binaries: PathBuf,
}

impl Site {
    /// Starts a server with the zones of a group, and waits until it answers.
    /// `folder` is its own.
    ///
    /// # Errors
    ///
    /// The server is not installed, does not take the zones, or there can be no
    /// namespaces.
    pub fn start(server: Server, group: &Group, folder: &Path, binaries: &Path) -> Result<Self> {
        let (host, client) = link(server)?;
        let setting = Setting {
            zones: &group.zones,
            max_udp: group.max_udp,
            folder,
            xdp_interface: None,
            processor: None,
            further_addresses: &[],
        };
        let process = server::start(server, &setting, &host)?;
        Ok(Self {
            daemon: None,
            wire: None,
            _process: process,
            client,
            host,
            server,
            folder: folder.to_owned(),
            binaries: binaries.to_owned(),
        })
    }

    /// Which server it is.
    pub fn server(&self) -> Server {
        self.server
    }

    /// Where the client is: queries from there come in on the interface.
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// Where the server is: queries from there reach it without the interface.
    pub fn host(&self) -> &Namespace {
        &self.host
    }

    /// Makes the client's end behave like a wire, and starts dns-glue with the
    /// options that belong to the server.
    ///
    /// # Errors
    ///
    /// One of the two does not start.
    pub fn start_dns_glue(&mut self, group: &Group) -> Result<()> {
        self.wire = Some(self.make_wire()?);
        let octets = group.max_udp.to_string();
        let mut options = vec!["--max-udp", &octets];
        if self.server == Server::Bind {
            options.extend(["--cookies", "pass", "--pass-ecs", "--copy-cd"]);
        }
        let daemon = Daemon::start(
            &self.host,
            SERVER_INTERFACE,
            &group.zones,
            &options,
            &self.folder,
            &self.binaries,
        )?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// The counters of dns-glue.
    ///
    /// # Errors
    ///
    /// It was not started, or does not answer.
    pub fn counters(&self) -> Result<Counters> {
        let daemon = self.daemon.as_ref().context("dns-glue was not started")?;
        daemon.counters()
    }

    fn make_wire(&self) -> Result<Process> {
        let mut command = Command::new(self.binaries.join("dns-glue-lab"));
        command
            .arg(CLIENT_INTERFACE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut wire = Process::spawn(&mut command, &self.client)?;
        let stdout = wire.child().stdout.take().context("it has a pipe")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line == "ready\n", "dns-glue-lab: {line:?}");
        Ok(wire)
    }
}

/// Namespaces of a host and a client, joined by a veth pair.
fn link(server: Server) -> Result<(Namespace, Namespace)> {
    let name = format!("conform-{server}-{}", std::process::id()).to_lowercase();
    let host = Namespace::new(name.clone())?;
    let client = Namespace::new(format!("{name}-client"))?;
    host.ip(&format!(
        "link add {SERVER_INTERFACE} type veth peer name {CLIENT_INTERFACE} netns {}",
        client.name()
    ))?;
    for (namespace, interface, addresses) in [
        (
            &host,
            SERVER_INTERFACE,
            [format!("{SERVER_V4}/24"), format!("{SERVER_V6}/64")],
        ),
        (
            &client,
            CLIENT_INTERFACE,
            ["192.0.2.100/24".into(), "2001:db8::100/64".into()],
        ),
    ] {
        let [v4, v6] = addresses;
        namespace.ip(&format!("addr add {v4} dev {interface}"))?;
        namespace.ip(&format!("addr add {v6} dev {interface} nodad"))?;
        namespace.ip("link set lo up")?;
        namespace.ip(&format!("link set {interface} up"))?;
    }
    Ok((host, client))
}
