//! A name server and its client, each in a network namespace of its own, and
//! dns-glue between them when it is wanted.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::zones::Group;
use crate::compare::Server;
use crate::testbed::daemon::{Counters, Daemon};
use crate::testbed::hosts::{Hosts, SERVER_INTERFACE};
use crate::testbed::network::Namespace;
use crate::testbed::process::Process;
use crate::testbed::server::{self, Setting};

/// Everything that is started for one server; dropped, it is gone, in this
/// order.
#[derive(Debug)]
pub struct Site {
    daemon: Option<Daemon>,
    wire: Option<Process>,
    _process: Process,
    hosts: Hosts,
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
        let hosts = Hosts::new(&format!("conform-{server}").to_lowercase())?;
        let setting = Setting {
            zones: &group.zones,
            max_udp: group.max_udp,
            folder,
            xdp_interface: None,
            processor: None,
            further_addresses: &[],
        };
        let process = server::start(server, &setting, hosts.server())?;
        Ok(Self {
            daemon: None,
            wire: None,
            _process: process,
            hosts,
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
        self.hosts.client()
    }

    /// Where the server is: queries from there reach it without the interface.
    pub fn host(&self) -> &Namespace {
        self.hosts.server()
    }

    /// Makes the client's end behave like a wire, and starts dns-glue with the
    /// options that belong to the server.
    ///
    /// # Errors
    ///
    /// One of the two does not start.
    pub fn start_dns_glue(&mut self, group: &Group) -> Result<()> {
        self.wire = Some(self.hosts.make_wire(&self.binaries)?);
        let octets = group.max_udp.to_string();
        let mut options = vec!["--max-udp", &octets];
        if self.server == Server::Bind {
            options.extend(["--cookies", "pass", "--pass-ecs", "--copy-cd"]);
        }
        let daemon = Daemon::start(
            self.hosts.server(),
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
}
