//! A contender on a wire, ready to be asked.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::af_xdp;
use super::contender::Contender;
use super::load::programs::{Attached, Reflector};
use super::threads::{self, Schedule};
use super::wire::{Moderation, Pollers, Wire};
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

/// How much a contender is asked, for the sake of which work goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// As much as it can bear: packets come first, as with interrupts, then the
    /// server's processes, then other work of the machine.
    Bearable,
    /// More than it can bear: the kernel lets packets and processes take turns
    /// then, with all other work of the machine. Without a process there is
    /// nobody to take turns with, and packets come first as always.
    Flood,
}

/// How the thread that polls is scheduled under a load that can be borne.
const POLLER: Schedule = Schedule::First(10);
/// How the server's processes are.
const PROCESSES: Schedule = Schedule::First(1);

/// Packets gather before a server's processes get them: a processor that is
/// woken for every single one would do little else. Where dns-glue answers most
/// of them there are more, and they must not wait so long. In the kernel there
/// is always another one.
fn moderation(contender: Contender) -> Moderation {
    let (server, client) = match contender {
        Contender::Reflector(_) | Contender::DnsGlue => return Moderation::NONE,
        Contender::DnsGlueBefore(_) => (50, 100),
        Contender::PassingBefore(_) | Contender::Server(_) | Contender::KnotXdp => (100, 250),
    };
    Moderation {
        server: Duration::from_micros(server),
        client: Duration::from_micros(client),
    }
}

/// Octets of the maps of dns-glue, which has been started before.
fn octets_of_maps(beside: &[Site]) -> Result<u64> {
    let mut daemons = beside.iter().filter_map(Site::daemon);
    let daemon = daemons.next();
    let daemon = daemon.context("it reads as many octets as dns-glue: name that too")?;
    daemon.map_octets()
}

/// Everything that is started for a contender; dropped, it is gone, in this
/// order.
pub struct Site {
    contender: Contender,
    daemon: Option<Daemon>,
    server: Option<Process>,
    _attached: Option<Attached>,
    wire: Wire,
    pollers: Pollers,
    /// Where all of it runs.
    processor: usize,
    /// The processes of the server.
    processes: Vec<u32>,
    /// Whether `AF_XDP` sockets get copies of frames, if it has some.
    copies_frames: Option<bool>,
}

impl Site {
    /// Starts a contender at the other end of a wire from the namespace of the
    /// client, when those in `beside` stand ready.
    ///
    /// # Errors
    ///
    /// It does not start, or has to be as large as dns-glue, which is not there.
    pub fn start(
        contender: Contender,
        serving: &Serving<'_>,
        namespace: &Namespace,
        beside: &[Self],
    ) -> Result<Self> {
        let wire = Wire::lay(namespace)?;
        let mut site = Self {
            contender,
            daemon: None,
            server: None,
            _attached: None,
            wire,
            pollers: Pollers::default(),
            processor: serving.processor,
            processes: Vec::new(),
            copies_frames: None,
        };
        site.start_contender(serving, beside)
            .with_context(|| contender.to_string())?;
        // Only now: the contender may have set the interface up anew.
        site.pollers = site.wire.pin_pollers(serving.processor)?;
        if let Some(server) = &mut site.server {
            site.processes = threads::family(server.child().id())?;
        }
        if contender == Contender::KnotXdp {
            site.copies_frames = af_xdp::copies_frames(site.wire.host())?;
        }
        site.moderate(namespace)?;
        site.schedule(Load::Bearable)?;
        Ok(site)
    }

    fn start_contender(&mut self, serving: &Serving<'_>, beside: &[Self]) -> Result<()> {
        let end = self.wire.server_end().to_owned();
        let name = self.wire.host().name();
        let folder = serving.folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        match self.contender {
            Contender::Reflector(reflector) => {
                let octets = match reflector {
                    Reflector::Reading(_) => octets_of_maps(beside)?,
                    _ => 0,
                };
                self.attach(|| Attached::reflector(reflector, octets, &end))?;
            }
            Contender::DnsGlue => self.start_dns_glue(serving, &folder)?,
            Contender::DnsGlueBefore(server) => {
                self.start_server(server, None, serving, &folder)?;
                self.start_dns_glue(serving, &folder)?;
            }
            Contender::PassingBefore(server) => {
                self.start_server(server, None, serving, &folder)?;
                self.attach(|| Attached::passing(&end))?;
            }
            Contender::Server(server) => self.start_server(server, None, serving, &folder)?,
            Contender::KnotXdp => self.start_server(Server::Knot, Some(&end), serving, &folder)?,
        }
        Ok(())
    }

    /// Puts one of the reflectors' programs on the contender's end.
    fn attach(&mut self, attach: impl FnOnce() -> Result<Attached> + Send) -> Result<()> {
        self._attached = Some(self.wire.host().within(attach)??);
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
            further_addresses: &[],
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

    /// Whether its `AF_XDP` sockets get copies of frames; `None` without such
    /// sockets, or if the kernel does not tell.
    pub fn copies_frames(&self) -> Option<bool> {
        self.copies_frames
    }

    /// The way there.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Fails if a process of the contender has ended, and says which.
    ///
    /// # Errors
    ///
    /// One has.
    pub fn ensure_running(&self) -> Result<()> {
        if let Some(daemon) = &self.daemon {
            daemon.ensure_running().context("dns-glue")?;
        }
        let Some(process) = &self.server else {
            return Ok(());
        };
        let name = self.contender.server().map(|server| server.to_string());
        process
            .ensure_running()
            .with_context(|| name.unwrap_or_default())
    }

    /// dns-glue, if it is there.
    pub fn daemon(&self) -> Option<&Daemon> {
        self.daemon.as_ref()
    }

    /// Sets how packets and processes share the processor.
    ///
    /// # Errors
    ///
    /// A process has ended.
    pub fn schedule(&self, load: Load) -> Result<()> {
        let (poller, processes) = match load {
            Load::Flood if !self.processes.is_empty() => (Schedule::Fair, Schedule::Fair),
            Load::Flood | Load::Bearable => (POLLER, PROCESSES),
        };
        threads::set_schedule(self.pollers.server, poller).context("schedule a poller")?;
        for process in &self.processes {
            for thread in threads::of_process(*process)? {
                threads::set_schedule(thread, processes)
                    // Knot DNS has put its threads where it thinks best.
                    .and_then(|()| threads::pin(thread, self.processor))
                    .context("schedule a server")?;
            }
        }
        Ok(())
    }

    /// Lets packets gather as they must for a contender of its kind.
    ///
    /// # Errors
    ///
    /// The kernel does not.
    pub fn moderate(&self, client: &Namespace) -> Result<()> {
        self.wire.moderate(client, moderation(self.contender))
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
        let mut sum = threads::processor_time(self.pollers.server).context("no poller")?;
        for process in &self.processes {
            sum += threads::processor_time(*process).context("a process has ended")?;
        }
        Ok(sum)
    }

    /// Processor time that counting the replies has taken so far, on the same
    /// processor.
    ///
    /// # Errors
    ///
    /// The interface is gone.
    pub fn sink_time(&self) -> Result<Duration> {
        threads::processor_time(self.pollers.client).context("nobody polls the client's end")
    }

    /// Where all of it runs.
    pub fn processor(&self) -> usize {
        self.processor
    }
}
