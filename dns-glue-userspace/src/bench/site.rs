//! A contender on a wire, ready to be asked.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::contender::Contender;
use super::load::programs::{Client, Reflectors};
use super::threads;
use super::wire::Wire;
use crate::compare::Server;
use crate::testbed::daemon::Daemon;
use crate::testbed::network::Namespace;
use crate::testbed::process::Process;
use crate::testbed::server::{self, Setting};
use crate::zone::source::ZoneSource;

/// What all contenders serve.
#[derive(Clone, Copy, Debug)]
pub struct Serving<'a> {
    /// The zones.
    pub zones: &'a [ZoneSource],
    /// The longest reply, octets.
    pub max_udp: u16,
    /// A folder for their files.
    pub folder: &'a Path,
    /// The folder of the binary `dns-glue`.
    pub binaries: &'a Path,
    /// The processor that they run on.
    pub processor: usize,
}

/// Everything that is started for a contender; dropped, it is gone, in this
/// order.
pub struct Site {
    contender: Contender,
    daemon: Option<Daemon>,
    server: Option<Process>,
    _reflectors: Option<Reflectors>,
    wire: Wire,
    poller: u32,
    /// The processes whose time is the contender's.
    processes: Vec<u32>,
}

impl Site {
    /// Starts a contender at the other end of a wire from `client`, whose
    /// programs then count what comes back.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn start(
        contender: Contender,
        serving: &Serving<'_>,
        client: &mut Client,
        namespace: &Namespace,
    ) -> Result<Self> {
        let wire = Wire::lay(namespace)?;
        let mut site = Self {
            contender,
            daemon: None,
            server: None,
            _reflectors: None,
            wire,
            poller: 0,
            processes: Vec::new(),
        };
        site.start_contender(serving)
            .with_context(|| contender.to_string())?;
        let end = site.wire.client_end();
        namespace.within(|| client.listen(end))??;
        site.poller = site.wire.pin_pollers(serving.processor)?;
        site.processes.push(site.poller);
        if let Some(server) = &mut site.server {
            for process in threads::family(server.child().id())? {
                threads::pin(process, serving.processor)?;
                site.processes.push(process);
            }
        }
        Ok(site)
    }

    fn start_contender(&mut self, serving: &Serving<'_>) -> Result<()> {
        let end = self.wire.server_end().to_owned();
        let name = self.wire.host().name();
        let folder = serving.folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        match self.contender {
            Contender::Reflector(reflector) => {
                let mut reflectors = Reflectors::load()?;
                self.wire
                    .host()
                    .within(|| reflectors.attach(reflector, &end))??;
                self._reflectors = Some(reflectors);
            }
            Contender::DnsGlue => self.start_dns_glue(serving, &folder)?,
            Contender::DnsGlueBefore(server) => {
                self.start_server(server, None, serving, &folder)?;
                self.start_dns_glue(serving, &folder)?;
            }
            Contender::Server(server) => self.start_server(server, None, serving, &folder)?,
            Contender::KnotXdp => self.start_server(Server::Knot, Some(&end), serving, &folder)?,
        }
        Ok(())
    }

    fn start_server(
        &mut self,
        server: Server,
        xdp_interface: Option<&str>,
        serving: &Serving<'_>,
        folder: &Path,
    ) -> Result<()> {
        let setting = Setting {
            zones: serving.zones,
            max_udp: serving.max_udp,
            folder,
            xdp_interface,
            processor: Some(serving.processor),
        };
        self.server = Some(server::start(server, &setting, self.wire.host())?);
        Ok(())
    }

    fn start_dns_glue(&mut self, serving: &Serving<'_>, folder: &Path) -> Result<()> {
        let octets = serving.max_udp.to_string();
        self.daemon = Some(Daemon::start(
            self.wire.host(),
            self.wire.server_end(),
            serving.zones,
            &["--max-udp", &octets],
            folder,
            serving.binaries,
        )?);
        Ok(())
    }

    /// Who answers.
    pub fn contender(&self) -> Contender {
        self.contender
    }

    /// The way there.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// dns-glue, if it is there.
    pub fn daemon(&self) -> Option<&Daemon> {
        self.daemon.as_ref()
    }

    /// The thread that polls the contender's interface.
    pub fn poller(&self) -> u32 {
        self.poller
    }

    /// The XDP program on the contender's interface, if there is one.
    ///
    /// # Errors
    ///
    /// `ip` fails.
    pub fn program(&self) -> Result<Option<u32>> {
        let end = self.wire.server_end();
        let links = self.wire.host().ip_json(&format!("link show dev {end}"))?;
        let id = links[0]["xdp"]["prog"]["id"].as_u64();
        Ok(id.map(u32::try_from).transpose()?)
    }

    /// Processor time that the contender has taken so far: the polling of its
    /// interface, and its processes if it has some.
    ///
    /// # Errors
    ///
    /// One has ended.
    pub fn processor_time(&self) -> Result<Duration> {
        let mut sum = Duration::ZERO;
        for process in &self.processes {
            sum += threads::processor_time(*process).context("a process has ended")?;
        }
        Ok(sum)
    }
}
