//! The running daemon.
//!
//! ```text
//! run: claim (control socket, pins) -> generation (compile, load) -> start (takeover: adopt or attach) -> follow
//! follow: signals, the host, the control socket; reload: the next generation beside, then in place of this one
//! ```
//!
//! *Invariant:* what answers is replaced as a whole or not at all. A generation
//! that cannot be made, or that an interface does not take, changes nothing.
//! Held by the tests of `tests/reload.rs`.

mod adopt;
mod follow;
mod generation;
mod guard;
mod handover;
mod interfaces;
mod reload;
mod signals;
mod start;
mod takeover;
mod tell;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dns_glue_common::maps::MAX_ADDRESSES;
use dns_glue_common::policy::Policy;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet, spawn_blocking};

use self::adopt::Found;
use self::follow::{End, Follows};
use self::generation::{Generation, Made};
use self::guard::Guard;
use self::reload::{Reloads, Wish};
use self::signals::{Signals, Told};
use super::addresses::{AddressError, ServiceAddresses};
use super::behind;
use super::compiled::{CompileError, ZoneChoice, compile_zones};
use super::control::{Call, ControlError, ControlSocket, Reply, Request};
use super::fallback::FallbackError;
use super::interfaces::{self as served_interfaces, FixedOffloads, InterfaceError, Served};
use super::network::{Network, NetworkError};
use super::paths::{PathError, Paths};
use super::status::ReloadStatus;
use super::watch::pipes::{self, PipeError};
use super::watch::{Watch, WatchError};
use crate::kernel::attach::{AttachError, ModeChoice};
use crate::kernel::requirements::{self, RequirementError};
use crate::kernel::{self, About, Counters, HostMaps, LoadError, PinFolder, PinsError, SharedMaps};
use crate::progress::Progress;
use crate::shortage::hint;

/// What the operator chose.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names of the interfaces, at least one.
    pub interfaces: Vec<String>,
    /// The service addresses; `None` follows those of the interfaces.
    pub addresses: Option<BTreeSet<IpAddr>>,
    /// The zones.
    pub zones: ZoneChoice,
    /// Whether to reload when their files change.
    pub watch: bool,
    /// How to attach.
    pub mode: ModeChoice,
    /// How queries come and replies go.
    pub paths: Paths,
    /// Port, size and flags of the program.
    pub policy: Policy,
    /// Who answers what passes.
    pub fallback: FallbackChoice,
    /// Where the control socket is.
    pub control: PathBuf,
    /// The pin folder; without it the default one, or one that goes with the
    /// process where nothing is to stay.
    pub pins: Option<PathBuf>,
    /// Which messages of the program are written.
    pub log_level: log::LevelFilter,
    /// Where the verifier's whole log goes.
    pub verifier_log: Option<PathBuf>,
    /// When referrals are withheld because of the server behind.
    pub behind: behind::Policy,
    /// How long referrals are given without this process; [`Duration::MAX`] for
    /// ever.
    pub max_unattended: Duration,
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
    /// The pin folder.
    #[error(transparent)]
    Pins(#[from] PinsError),
    /// The zones' files cannot be watched.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The zones' files can never be.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// The kernel's interfaces.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// An interface.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// How queries come and replies go.
    #[error(transparent)]
    Path(#[from] PathError),
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
    #[error("cannot {what}: {cause}{}", hint(.cause))]
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

/// Runs until a signal or `stop`; then everything is detached. Only after
/// SIGUSR2 the program stays on the interfaces, for the next daemon.
///
/// `progress` is told of the first compile, which may take minutes.
///
/// # Errors
///
/// See [`DaemonError`]. Nothing is attached then that was not before.
pub async fn run(config: Config, progress: Box<dyn Progress + Send>) -> Result<(), DaemonError> {
    let mut signals = Signals::new()?;
    requirements::check()?;
    if let Some(addresses) = &config.addresses
        && addresses.len() > MAX_ADDRESSES as usize
    {
        return Err(DaemonError::ManyAddresses(addresses.len()));
    }
    config.paths.check(&config.interfaces)?;
    // Claimed before the zones are compiled: a second daemon learns at once
    // that it is one.
    let control = ControlSocket::claim(&config.control)?;
    let folder = Arc::new(claim_pins(&config)?);
    let result = run_with(Arc::new(config), &control, &folder, &mut signals, progress).await;
    if let Err(error) = tidy_up(&folder, result.is_err()) {
        log::warn!("{error}");
    }
    result
}

/// Removes the pin folder, unless something answers by it; one that a failed
/// start has found is left as it was.
fn tidy_up(folder: &PinFolder, has_failed: bool) -> Result<(), PinsError> {
    let is_as_found = folder.give_up()?;
    if has_failed && is_as_found && folder.was_there() {
        return Ok(());
    }
    // At the end of a daemon it is removed with what was in it.
    if folder.is_there()? && folder.links()?.is_empty() {
        folder.remove()?;
    }
    Ok(())
}

/// The folder of the pins: one that goes with the process where nothing is to
/// stay.
fn claim_pins(config: &Config) -> Result<PinFolder, PinsError> {
    match (&config.pins, config.fallback) {
        (Some(path), _) => PinFolder::claim(path),
        (None, FallbackChoice::None) => PinFolder::claim(kernel::pins::DEFAULT_PATH.as_ref()),
        (None, FallbackChoice::Embedded) => PinFolder::private(),
    }
}

async fn run_with(
    config: Arc<Config>,
    control: &ControlSocket,
    folder: &Arc<PinFolder>,
    signals: &mut Signals,
    progress: Box<dyn Progress + Send>,
) -> Result<(), DaemonError> {
    folder.prepare()?;
    let network = Network::connect()?;
    let found = Found::in_folder(folder)?;
    let snapshot = network.snapshot().await?;
    found.check_namespace(&network, &snapshot)?;
    served_interfaces::choose(&config.interfaces, &snapshot, |link| found.is_on(link))?;
    drop(found);

    let (calls, mut queue) = mpsc::channel(16);
    let server = control
        .serve(calls)
        .map_err(system("serve the control socket"))?;
    let mut tasks = JoinSet::new();
    tasks.spawn(server);

    let shared = Arc::new(SharedMaps::open(folder)?);
    let making = {
        let (config, shared) = (Arc::clone(&config), Arc::clone(&shared));
        spawn_blocking(move || make_first(&config, &shared, progress))
    };
    let mut wishes = Vec::new();
    let (made, watch) = tokio::select! {
        made = making => made.map_err(DaemonError::Compiler)??,
        end = told_to_end(signals, &mut queue, &mut wishes) => {
            log::info!("nothing was attached yet");
            if end == End::Detach {
                // What an earlier daemon has left.
                folder.remove()?;
            }
            return Ok(());
        }
    };
    let mut daemon = Daemon::start(config, network, tasks, folder, shared, made).await?;
    daemon.watch = watch;
    daemon.reloads.waiting = wishes;
    let end = daemon.follow(signals, queue).await;
    daemon.end(end).await
}

/// Makes the first generation; watches its files, if they are to be.
fn make_first(
    config: &Config,
    shared: &SharedMaps,
    progress: Box<dyn Progress + Send>,
) -> Result<(Made, Option<Watch>), DaemonError> {
    let mut watch = None;
    if config.watch {
        pipes::refuse_named(&config.zones)?;
        // Looked at before they are read: what changes then is seen.
        watch = Some(Watch::of(&config.zones)?);
    }
    let compiled = compile_zones(&config.zones, &*progress)?;
    drop(progress);
    if config.watch {
        pipes::refuse_read(&compiled.zones)?;
    }
    Ok((Made::load(compiled, config, shared)?, watch))
}

/// Waits for the end of a daemon that does not serve yet. Wishes for a reload
/// are kept for later.
async fn told_to_end(
    signals: &mut Signals,
    calls: &mut mpsc::Receiver<Call>,
    wishes: &mut Vec<Wish>,
) -> End {
    loop {
        tokio::select! {
            told = signals.next() => match told {
                Told::End(name) => {
                    log::info!("{name}");
                    return End::Detach;
                }
                Told::Leave => {
                    log::info!("SIGUSR2");
                    return End::Leave;
                }
                Told::Reload => wishes.push(Wish::of("SIGHUP")),
            },
            Some(call) = calls.recv() => match call.request.clone() {
                Request::Stop => {
                    log::info!("stopped through the control socket");
                    call.answer_and_wait(stopping()).await;
                    return End::Detach;
                }
                Request::Status => call.answer(compiling()),
                Request::Reload(options) => wishes.push(Wish::of_call(options, call)),
                Request::AddInterface { .. } | Request::RemoveInterface { .. } => {
                    call.answer(compiling());
                }
            },
        }
    }
}

fn compiling() -> Reply {
    Reply::Error {
        message: String::from("the zones are being compiled and loaded"),
    }
}

fn stopping() -> Reply {
    Reply::Stopping {
        pid: std::process::id(),
    }
}

/// Everything that runs. Fields are dropped in this order: the program leaves
/// the interfaces before anything that answers in its place is closed.
struct Daemon {
    served: Vec<Served>,
    fixed_offloads: Vec<FixedOffloads>,
    generation: Generation,
    addresses: ServiceAddresses,
    guard: Guard,
    host_maps: HostMaps,
    counters: Counters,
    /// Where it leaves word of itself; nowhere if nothing stays of it.
    about: Option<About>,
    folder: Arc<PinFolder>,
    /// What all generations share.
    shared: Arc<SharedMaps>,
    network: Network,
    follows: Follows,
    reloads: Reloads,
    last_reload: Option<ReloadStatus>,
    watch: Option<Watch>,
    /// Tasks that end with the daemon.
    tasks: JoinSet<()>,
    config: Arc<Config>,
    since: Instant,
}

impl Daemon {
    /// Whether the program stays on the interfaces when this process dies.
    fn keeps_links(&self) -> bool {
        keeps_links(&self.config)
    }

    /// Ends as it was told to, or as it must.
    async fn end(self, end: Result<End, DaemonError>) -> Result<(), DaemonError> {
        let leave = match &end {
            Ok(end) => *end == End::Leave,
            // The next daemon may be better off: the answers go on until then.
            Err(_) => true,
        };
        if leave && self.keeps_links() {
            self.leave();
        } else {
            self.stop().await;
        }
        end.map(|_| ())
    }
}

/// Whether the program is to stay on the interfaces when the process dies:
/// somebody else must answer what it passes.
fn keeps_links(config: &Config) -> bool {
    config.fallback == FallbackChoice::None
}
