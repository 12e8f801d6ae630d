//! The running daemon.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dns_glue_common::maps::MAX_ADDRESSES;
use dns_glue_common::policy::Policy;
use domain::base::Name;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use super::addresses::{AddressError, ServiceAddresses};
use super::compiled::{CompileError, Compiled, give_back_memory};
use super::control::{Call, ControlError, ControlSocket, Reply, Request};
use super::fallback::server::{Fallback, Limits};
use super::fallback::{FallbackError, FallbackZones, Settings};
use super::interfaces::{self, InterfaceError, Served};
use super::network::{Link, Network, NetworkError, Snapshot};
use super::status::{CounterStatus, ProgramStatus, SettingsStatus, Status, ZoneStatus};
use crate::kernel::attach::{AttachError, ModeChoice};
use crate::kernel::requirements::{self, Octets, RequirementError};
use crate::kernel::{
    self, Counters, HostMaps, LoadError, LoadOptions, Loaded, load::load, log_records,
};
use crate::zone::records::Zone;

/// What the operator chose.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names of the interfaces, at least one.
    pub interfaces: Vec<String>,
    /// The service addresses; `None` follows those of the interfaces.
    pub addresses: Option<BTreeSet<IpAddr>>,
    /// Zones that the server behind serves too.
    pub also_served: Vec<Name<Vec<u8>>>,
    /// How to attach.
    pub mode: ModeChoice,
    /// Port, size and flags of the program.
    pub policy: Policy,
    /// Who answers what passes.
    pub fallback: FallbackChoice,
    /// Where the control socket is.
    pub control: PathBuf,
    /// Which messages of the program are written.
    pub log_level: log::LevelFilter,
    /// Where the verifier's whole log goes.
    pub verifier_log: Option<PathBuf>,
    /// Whether to turn offloads off that hide VLAN tags.
    pub fix_offload: bool,
}

/// Who answers what the program passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FallbackChoice {
    /// A name server that somebody else runs.
    None,
    /// The built-in one.
    Embedded,
}

/// Why the daemon does not run, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Privileges, or the kernel.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The kernel's interfaces.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// An interface.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// All interfaces are gone.
    #[error("no interface is left of --iface {}: nothing can be served", .0.join(" "))]
    NoInterface(Vec<String>),
    /// The zones.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The program.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The program on an interface.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// Too many addresses.
    #[error("--address: at most {MAX_ADDRESSES} service addresses, not {0}")]
    ManyAddresses(usize),
    /// A service address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The zones are not for the embedded fallback.
    #[error(transparent)]
    Fallback(#[from] FallbackError),
    /// The system.
    #[error("cannot {what}: {cause}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// The compiler panicked.
    #[error("the compiler ended")]
    Compiler(JoinError),
}

fn system(what: &'static str) -> impl Fn(io::Error) -> DaemonError {
    move |cause| DaemonError::System { what, cause }
}

/// How long the fallback may take to answer what it has begun with.
const PATIENCE: Duration = Duration::from_secs(2);
/// When to try again to listen on addresses that could not be bound, and to
/// learn about a host that did not tell.
const RETRY: Duration = Duration::from_secs(5);

/// Runs until a signal or `stop`; then everything is detached.
///
/// `compile` is called once, on a thread of its own, when it is known that the
/// result can be loaded and attached.
///
/// # Errors
///
/// See [`DaemonError`]; nothing stays attached.
pub async fn run<F>(config: Config, compile: F) -> Result<(), DaemonError>
where
    F: FnOnce() -> Result<Compiled, CompileError> + Send + 'static,
{
    let mut signals = Signals::new()?;
    requirements::check()?;
    if let Some(addresses) = &config.addresses
        && addresses.len() > MAX_ADDRESSES as usize
    {
        return Err(DaemonError::ManyAddresses(addresses.len()));
    }
    // Claimed before the zones are compiled: a second daemon learns at once
    // that it is one.
    let control = ControlSocket::claim(&config.control)?;
    let network = Network::connect()?;
    interfaces::choose(&config.interfaces, &network.snapshot().await?)?;

    let (calls, mut queue) = mpsc::channel(16);
    let server = control
        .serve(calls)
        .map_err(system("serve the control socket"))?;
    let mut tasks = JoinSet::new();
    tasks.spawn(server);

    let prepared = {
        let config = config.clone();
        spawn_blocking(move || Prepared::new(&config, compile))
    };
    let prepared = tokio::select! {
        prepared = prepared => prepared.map_err(DaemonError::Compiler)??,
        who = told_to_stop(&mut signals, &mut queue) => {
            log::info!("{who}: nothing was attached yet");
            return Ok(());
        }
    };
    let mut daemon = Daemon::start(config, network, tasks, prepared).await?;
    let result = daemon.follow(signals, queue).await;
    daemon.stop().await;
    drop(control);
    result
}

/// What takes its time, and blocks: made on a thread of its own.
struct Prepared {
    loaded: Loaded,
    host_maps: HostMaps,
    counters: Counters,
    fallback: Option<Fallback>,
    zones: Vec<ZoneStatus>,
    largest_body: usize,
}

impl Prepared {
    /// Compiles the zones and loads the program; what only the compiler needs
    /// is freed again.
    fn new(
        config: &Config,
        compile: impl FnOnce() -> Result<Compiled, CompileError>,
    ) -> Result<Self, DaemonError> {
        let compiled = compile()?;
        for warning in &compiled.warnings {
            log::warn!("{warning}");
        }
        // The records are freed here, unless the fallback answers from them.
        let fallback = fallback(config, compiled.zones)?;
        let options = LoadOptions {
            policy: config.policy,
            log_level: config.log_level,
            verifier_log: config.verifier_log.clone(),
        };
        let (loaded, host_maps, counters) = load(&compiled.generation, &options)?;
        drop(compiled.generation);
        give_back_memory();
        log_program(&loaded);
        Ok(Self {
            loaded,
            host_maps,
            counters,
            fallback,
            zones: compiled.summaries,
            largest_body: compiled.largest_body,
        })
    }
}

/// SIGINT and SIGTERM, which end the daemon, and SIGHUP, which does not.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, DaemonError> {
        let of_kind = |kind| signal(kind).map_err(system("listen to signals"));
        Ok(Self {
            interrupt: of_kind(SignalKind::interrupt())?,
            terminate: of_kind(SignalKind::terminate())?,
            hangup: of_kind(SignalKind::hangup())?,
        })
    }

    /// The name of the next one that ends the daemon.
    ///
    /// Name servers reload at SIGHUP, so operators and their tools send it: to
    /// die of it would take the service down.
    async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.hangup.recv() => log::warn!(
                    "SIGHUP: reloading is not supported yet; restart to take a new zone"
                ),
            }
        }
    }
}

/// Waits for the end of a daemon that does not serve yet; says who wants it.
async fn told_to_stop(signals: &mut Signals, calls: &mut mpsc::Receiver<Call>) -> &'static str {
    loop {
        tokio::select! {
            name = signals.next() => return name,
            Some(call) = calls.recv() => match call.request {
                Request::Stop => {
                    call.answer_and_wait(stopping()).await;
                    return "stop";
                }
                Request::Status => call.answer(Reply::Error {
                    message: String::from("the zones are being compiled and loaded"),
                }),
            },
        }
    }
}

fn stopping() -> Reply {
    Reply::Stopping {
        pid: std::process::id(),
    }
}

/// Whether what is known of the host is what the host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    /// It is, and changes will be told.
    Host,
    /// A request failed: it must be made again.
    HostOfBefore,
    /// The socket was closed: there must be another first.
    Nothing,
}

/// Everything that runs. Fields are dropped in this order: the program leaves
/// the interfaces before anything that answers in its place is closed.
struct Daemon {
    served: Vec<Served>,
    _fixed_offloads: Vec<interfaces::FixedOffloads>,
    loaded: Loaded,
    addresses: ServiceAddresses,
    host_maps: HostMaps,
    counters: Counters,
    network: Network,
    follows: Follows,
    /// Tasks that end with the daemon.
    tasks: JoinSet<()>,
    zones: Vec<ZoneStatus>,
    config: Config,
    since: Instant,
}

impl Daemon {
    /// Serves the addresses, and then attaches.
    async fn start(
        config: Config,
        network: Network,
        mut tasks: JoinSet<()>,
        prepared: Prepared,
    ) -> Result<Self, DaemonError> {
        let Prepared {
            mut loaded,
            mut host_maps,
            counters,
            fallback,
            zones,
            largest_body,
        } = prepared;
        let mut addresses =
            ServiceAddresses::new(config.addresses.clone(), config.policy.port, fallback);
        match log_records::follow(&mut loaded) {
            Ok(records) => {
                tasks.spawn(records);
            }
            Err(error) => log::warn!("the program's own messages will not be seen: {error}"),
        }

        // Looked at again: compiling may have taken minutes.
        let snapshot = network.snapshot().await?;
        let links = interfaces::choose(&config.interfaces, &snapshot)?;
        for link in &links {
            interfaces::warn_of_master(link, &snapshot, addresses.are_given());
        }
        let fixed_offloads = check_tags(&links, &snapshot, config.fix_offload)?;
        let indices: Vec<u32> = links.iter().map(|link| link.index).collect();
        addresses.start(&snapshot, &indices, &mut host_maps).await?;

        let served = attach_all(&mut loaded, &mut host_maps, links, config.mode)?;
        for interface in &served {
            interface.warn_of_little_room(largest_body);
        }
        Ok(Self {
            served,
            _fixed_offloads: fixed_offloads,
            loaded,
            addresses,
            host_maps,
            counters,
            network,
            follows: Follows::Host,
            tasks,
            zones,
            config,
            since: Instant::now(),
        })
    }

    /// Follows the host and answers the control socket until it is told to
    /// stop.
    async fn follow(
        &mut self,
        mut signals: Signals,
        mut calls: mpsc::Receiver<Call>,
    ) -> Result<(), DaemonError> {
        log::info!("ready: {}", self.summary());
        let mut retry = interval(RETRY);
        // Ticks that nobody waited for must not come all at once.
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                name = signals.next() => {
                    log::info!("{name}");
                    return Ok(());
                }
                changed = self.network.changed(), if self.follows != Follows::Nothing => {
                    if let Err(error) = changed {
                        log::warn!("{error}; connecting again");
                        self.follows = Follows::Nothing;
                    }
                    self.update().await?;
                    retry.reset();
                }
                _ = retry.tick(), if !self.is_complete() => self.update().await?,
                Some(call) = calls.recv() => match call.request {
                    Request::Stop => {
                        log::info!("stopped through the control socket");
                        call.answer_and_wait(stopping()).await;
                        return Ok(());
                    }
                    Request::Status => call.answer(self.status_reply()),
                },
            }
        }
    }

    fn summary(&self) -> String {
        let delegations: u64 = self.zones.iter().map(|zone| zone.delegations).sum();
        format!(
            "{} interfaces, {} service addresses, {} zones, {delegations} delegations",
            self.served.len(),
            self.host_maps.addresses().len(),
            self.zones.len(),
        )
    }

    fn is_complete(&self) -> bool {
        self.follows == Follows::Host && self.addresses.is_complete()
    }

    /// Brings the maps and the fallback up to date with the host. If the host
    /// does not tell, everything stays as it is until it does.
    async fn update(&mut self) -> Result<(), DaemonError> {
        match self.look().await {
            Ok(snapshot) => self.adapt(&snapshot).await,
            Err(error) => {
                log::warn!("{error}; trying again in {} seconds", RETRY.as_secs());
                Ok(())
            }
        }
    }

    /// Looks at the host, through a new socket if the last was closed.
    async fn look(&mut self) -> Result<Snapshot, NetworkError> {
        if self.follows == Follows::Nothing {
            self.network = Network::connect()?;
        }
        self.follows = Follows::HostOfBefore;
        let snapshot = self.network.snapshot().await?;
        self.follows = Follows::Host;
        Ok(snapshot)
    }

    /// Makes the maps and the fallback what the host asks for.
    async fn adapt(&mut self, snapshot: &Snapshot) -> Result<(), DaemonError> {
        let program = self.loaded.program.id;
        for interface in &mut self.served {
            interface.update(snapshot, program, &mut self.host_maps)?;
        }
        if self.served.iter().all(Served::is_gone) {
            return Err(DaemonError::NoInterface(self.config.interfaces.clone()));
        }
        let indices: Vec<u32> = self.served.iter().map(Served::index).collect();
        self.addresses
            .update(snapshot, &indices, &mut self.host_maps)
            .await?;
        Ok(())
    }

    fn status_reply(&self) -> Reply {
        match self.status() {
            Ok(status) => Reply::Status(Box::new(status)),
            Err(error) => Reply::Error {
                message: error.to_string(),
            },
        }
    }

    fn status(&self) -> Result<Status, DaemonError> {
        let counters = self.counters.read().map_err(LoadError::from)?;
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.since.elapsed().as_secs(),
            interfaces: self.served.iter().map(Served::status).collect(),
            addresses: self.host_maps.addresses().iter().copied().collect(),
            zones: self.zones.clone(),
            settings: settings_status(&self.config, self.addresses.are_given()),
            program: program_status(&self.loaded),
            counters: counters
                .into_iter()
                .map(|(reason, packets)| CounterStatus::new(reason, packets))
                .collect(),
        })
    }

    /// Detaches; what answers in the program's place ends after that.
    async fn stop(mut self) {
        for interface in self.served.drain(..) {
            interface.detach();
        }
        if let Some(fallback) = self.addresses.into_fallback() {
            fallback.stop(PATIENCE).await;
        }
        self.tasks.abort_all();
    }
}

/// The embedded fallback, if it was chosen; it listens nowhere yet.
fn fallback(config: &Config, zones: Vec<Arc<Zone>>) -> Result<Option<Fallback>, FallbackError> {
    if config.fallback == FallbackChoice::None {
        return Ok(None);
    }
    let zones = FallbackZones::new(zones)?;
    let settings = Settings {
        max_udp: config.policy.max_udp,
        nsid: config.policy.nsid,
        copy_cd: config.policy.has(Policy::COPY_CD),
    };
    Ok(Some(Fallback::new(zones, settings, Limits::default())))
}

fn log_program(loaded: &Loaded) {
    let kernel::load::ProgramFacts {
        id,
        verified_instructions,
        jited_octets,
    } = loaded.program;
    let verified = verified_instructions.map_or(String::new(), |count| {
        format!(", {count} instructions verified")
    });
    log::info!(
        "loaded as program {id}{verified}, {jited_octets} octets of machine code, {} of maps",
        Octets(loaded.memory.total())
    );
}

fn check_tags(
    links: &[Link],
    snapshot: &Snapshot,
    fix: bool,
) -> Result<Vec<interfaces::FixedOffloads>, InterfaceError> {
    let mut fixed = Vec::new();
    for link in links {
        fixed.extend(interfaces::check_tags(link, snapshot, fix)?);
    }
    Ok(fixed)
}

/// Attaches to each interface; if one fails, the others are detached again.
fn attach_all(
    loaded: &mut Loaded,
    host_maps: &mut HostMaps,
    links: Vec<Link>,
    mode: ModeChoice,
) -> Result<Vec<Served>, AttachError> {
    links
        .into_iter()
        .map(|link| Served::attach(loaded, host_maps, link, mode))
        .collect()
}

fn settings_status(config: &Config, addresses_given: bool) -> SettingsStatus {
    let Policy {
        port,
        max_udp,
        nsid,
        ..
    } = config.policy;
    SettingsStatus {
        port,
        max_udp,
        nsid: nsid
            .is_some()
            .then(|| nsid.as_slice().escape_ascii().to_string()),
        mode: config.mode.to_string(),
        cookies: String::from(if config.policy.has(Policy::COOKIES_PASS) {
            "pass"
        } else {
            "ignore"
        }),
        pass_ecs: config.policy.has(Policy::ECS_PASS),
        copy_cd: config.policy.has(Policy::COPY_CD),
        fallback: String::from(match config.fallback {
            FallbackChoice::None => "none",
            FallbackChoice::Embedded => "embedded",
        }),
        addresses_given,
        serves: config
            .also_served
            .iter()
            .map(|apex| apex.fmt_with_dot().to_string())
            .collect(),
    }
}

fn program_status(loaded: &Loaded) -> ProgramStatus {
    let kernel::load::ProgramFacts {
        id,
        verified_instructions,
        jited_octets,
    } = loaded.program;
    ProgramStatus {
        id,
        verified_instructions,
        jited_octets,
        map_octets: loaded.memory.total(),
        index_octets: loaded.memory.index,
        pieces_octets: loaded.memory.pieces,
    }
}
