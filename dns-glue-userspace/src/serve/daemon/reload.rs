//! Reloading: the next generation is made beside the one that answers, and
//! takes its place.
//!
//! There is one at a time. What is asked for meanwhile waits, and all that waits
//! is done at once, but for what is forced: the files are read after the last of
//! those who asked.

use std::cmp::Ordering;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::generation::{Generation, Made};
use super::{Config, Daemon, DaemonError};
use crate::kernel::attach::{self, AttachError, Move};
use crate::kernel::{LoadError, SharedMaps, TableMaps};
use crate::serve::changes::ZoneChanges;
use crate::serve::compiled::{
    Answering, CompileError, CompiledZones, ReadZones, files_of, give_back_memory,
};
use crate::serve::control::{Call, ReloadOptions, Reloaded, Reply};
use crate::serve::status::{ReloadStatus, ReloadUnderWay, unix_seconds};
use crate::serve::watch::pipes::{self, PipeError};
use crate::shortage::{Shortage, in_full};

/// Somebody's wish for a reload.
pub(super) struct Wish {
    asked_by: &'static str,
    options: ReloadOptions,
    /// Who waits for the outcome.
    call: Option<Call>,
}

impl Wish {
    /// Of somebody who does not wait.
    pub(super) fn of(asked_by: &'static str) -> Self {
        Self {
            asked_by,
            options: ReloadOptions::default(),
            call: None,
        }
    }

    /// Of a client of the control socket.
    pub(super) fn of_call(options: ReloadOptions, call: Call) -> Self {
        Self {
            asked_by: "dns-glue reload",
            options,
            call: Some(call),
        }
    }
}

/// The reload under way, and the wishes for the next.
#[derive(Default)]
pub(super) struct Reloads {
    pub(super) waiting: Vec<Wish>,
    running: Option<Running>,
}

struct Running {
    wishes: Vec<Wish>,
    /// When the files began to be read.
    began: SystemTime,
    task: JoinHandle<Result<Attempt, ReloadError>>,
}

/// The end of a reload's work on its own thread.
pub(super) struct Ended {
    wishes: Vec<Wish>,
    began: SystemTime,
    result: Result<Attempt, ReloadError>,
}

impl Reloads {
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// What is to be told of the one under way.
    pub(super) fn under_way(&self) -> Option<ReloadUnderWay> {
        let running = self.running.as_ref()?;
        let since = running.began.duration_since(SystemTime::UNIX_EPOCH);
        Some(ReloadUnderWay {
            since: since.unwrap_or_default().as_secs(),
            asked_by: asked_by(&running.wishes),
        })
    }

    /// Waits for the end of the one under way. Cancelled and called again, it
    /// misses nothing.
    pub(super) async fn ended(&mut self) -> Ended {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let result = (&mut running.task).await;
        let wishes = std::mem::take(&mut running.wishes);
        let began = running.began;
        self.running = None;
        Ended {
            wishes,
            began,
            result: result.unwrap_or_else(|error| Err(ReloadError::Compiler(error))),
        }
    }
}

/// Why a reload did not change anything.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    /// The zones.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Files that cannot be watched as the others are.
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// A serial goes backwards.
    #[error(
        "zone {apex}: serial {found} does not follow {answers}, which answers (RFC 1982): \
         `dns-glue reload --force` takes it all the same"
    )]
    Backwards {
        /// The zone.
        apex: String,
        /// The serial of the file.
        found: u32,
        /// The serial of the generation that answers.
        answers: u32,
    },
    /// The program of the next generation.
    #[error(transparent)]
    Made(Box<DaemonError>),
    /// The program that answers.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An interface.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The compiler panicked.
    #[error("the compiler ended")]
    Compiler(JoinError),
}

impl ReloadError {
    /// Whether the same files may do at another time.
    fn may_pass(&self) -> bool {
        match self {
            Self::Compile(CompileError::Unsettled(_)) => true,
            Self::Compile(_) => Shortage::behind(self).is_some(),
            Self::Pipe(_) | Self::Backwards { .. } => false,
            Self::Made(_) | Self::Load(_) | Self::Attach(_) | Self::Compiler(_) => true,
        }
    }
}

/// What came of reading the files.
struct Attempt {
    changes: Vec<ZoneChanges>,
    warnings: Vec<String>,
    /// The next generation, if there is to be one.
    made: Option<Box<Made>>,
    /// What was found in zones that were read again and have not changed: time
    /// goes on, and signatures expire.
    found_anew: Option<CompiledZones>,
    /// What is to be told if there is not.
    otherwise: Reloaded,
}

/// The generation that answers, as far as the next is made of it.
struct Before {
    zones: Arc<CompiledZones>,
    /// The maps from which zones are taken over; without them none is.
    maps: Option<TableMaps>,
}

impl Before {
    /// `force`: everything is read and compiled anew.
    fn of(generation: &Generation, force: bool) -> Self {
        let maps = (!force).then(|| TableMaps::of(&generation.loaded));
        Self {
            zones: Arc::clone(&generation.zones),
            maps: maps.and_then(readable),
        }
    }
}

/// What cannot be read is no reason not to reload.
fn readable<T>(tables: Result<T, LoadError>) -> Option<T> {
    let warn = |error| log::warn!("all zones are compiled anew: {error}");
    tables.map_err(warn).ok()
}

/// Reads the files and compares; makes the next generation, unless nothing has
/// changed or it is not wanted.
fn attempt(
    config: &Config,
    shared: &SharedMaps,
    before: Before,
    force: bool,
    wanted: bool,
) -> Result<Attempt, ReloadError> {
    let Before { zones, maps } = before;
    if config.watch {
        pipes::refuse_named(&config.zones)?;
    }
    let view = maps.and_then(|maps| readable(maps.view()));
    let answering = view.as_ref().map(|view| Answering {
        choice: &config.zones,
        zones: &zones,
        tables: view.tables(),
    });
    let read = ReadZones::read(&config.zones, answering, &())?;
    if read.all_are_taken_over() {
        return Ok(Attempt::unchanged(&zones));
    }
    let compiled = read.compile(&())?;
    drop(view);
    if config.watch {
        pipes::refuse_read(&compiled.zones)?;
    }
    let mut changes = changes(&zones, &compiled.zones);
    let backwards = changes
        .iter()
        .find(|zone| zone.serial_order() == Ordering::Greater);
    if let (Some(zone), false) = (backwards, force) {
        return Err(ReloadError::Backwards {
            apex: zone.apex.clone(),
            found: zone.serial,
            answers: zone.serial_before,
        });
    }
    // Read all the same: because signatures are about to expire.
    let is_unchanged = !force && compiled.zones.are_the_same_texts_as(&zones);
    changes
        .iter_mut()
        .for_each(|zone| zone.unchanged |= is_unchanged);
    let warnings = compiled.zones.warnings();
    let (mut made, mut found_anew) = (None, None);
    if wanted && !is_unchanged {
        let loaded = Made::load(compiled, config, shared);
        made = Some(Box::new(
            loaded.map_err(|error| ReloadError::Made(Box::new(error)))?,
        ));
    } else {
        found_anew = (wanted && is_unchanged).then(|| zones.found_anew(&compiled.zones));
        drop(compiled);
        give_back_memory();
    }
    Ok(Attempt {
        changes,
        warnings,
        made,
        found_anew,
        otherwise: if is_unchanged {
            Reloaded::Unchanged
        } else {
            Reloaded::DryRun
        },
    })
}

/// What changes, zone by zone.
fn changes(before: &CompiledZones, after: &CompiledZones) -> Vec<ZoneChanges> {
    let zones = before.rolls().zip(after.rolls());
    zones
        .map(|(before, after)| ZoneChanges::between(before, after))
        .collect()
}

impl Attempt {
    /// The files hold what these zones were made of.
    fn unchanged(zones: &CompiledZones) -> Self {
        Self {
            changes: changes(zones, zones),
            warnings: zones.warnings(),
            made: None,
            found_anew: None,
            otherwise: Reloaded::Unchanged,
        }
    }
}

impl Daemon {
    /// Takes note of a wish, and begins if there is nothing under way.
    pub(super) fn wish(&mut self, wish: Wish) {
        self.reloads.waiting.push(wish);
        self.begin_reload();
    }

    /// Begins with the wishes that wait, unless one is under way: with those
    /// that are forced apart from those that are not.
    pub(super) fn begin_reload(&mut self) {
        if self.reloads.is_running() || self.reloads.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.reloads.waiting);
        let force = waiting.first().is_some_and(|wish| wish.options.force);
        let (wishes, later) = waiting
            .into_iter()
            .partition::<Vec<_>, _>(|wish| wish.options.force == force);
        self.reloads.waiting = later;
        log::info!("{}: reading the zones", asked_by(&wishes));
        let wanted = wishes.iter().any(|wish| !wish.options.dry_run);
        let config = Arc::clone(&self.config);
        let shared = Arc::clone(&self.shared);
        let before = Before::of(&self.generation, force);
        self.reloads.running = Some(Running {
            wishes,
            began: SystemTime::now(),
            task: spawn_blocking(move || attempt(&config, &shared, before, force, wanted)),
        });
    }

    /// Lets the next generation answer, tells everybody, and begins with what
    /// was asked for meanwhile.
    pub(super) fn end_reload(&mut self, ended: Ended) {
        let Ended {
            wishes,
            began,
            result,
        } = ended;
        let result = result.and_then(|mut attempt| {
            let made = attempt.made.take();
            let is_made = made.is_some();
            if let Some(made) = made {
                self.replace_generation(*made)?;
            }
            if let Some(zones) = attempt.found_anew.take() {
                self.generation.zones = Arc::new(zones);
            }
            Ok((attempt, is_made))
        });
        self.note_reload(&wishes, &result);
        if result.is_ok() {
            // The maps' pins were looked at; what else is missing may be needed
            // before the next heartbeat.
            self.pin_again();
        }
        // Files that the zones have only now may be what is to be mended.
        match &result {
            Err(ReloadError::Compile(error)) => self.generation.files.extend(files_of(error)),
            Err(ReloadError::Pipe(error)) => {
                self.generation.files.extend(error.files.iter().cloned());
            }
            _ => {}
        }
        if let Some(watch) = &mut self.watch {
            watch.follow(&self.generation.files, began);
            if result.as_ref().is_err_and(ReloadError::may_pass) {
                watch.look_again();
            }
        }
        for wish in wishes {
            let Some(call) = wish.call else { continue };
            call.answer(match &result {
                Ok((attempt, is_made)) => self.reply(wish.options, attempt, *is_made),
                Err(error) => Reply::Error {
                    message: in_full(error),
                },
            });
        }
        self.leave_word();
        self.begin_reload();
    }

    /// Puts the next generation in the place of this one on every interface, or
    /// on none; then in that of the fallback.
    fn replace_generation(&mut self, mut made: Made) -> Result<(), ReloadError> {
        let from = self.generation.loaded.program_fd()?.as_fd();
        let moves: Vec<Move<'_>> = self
            .served
            .iter()
            .filter_map(|interface| interface.program_link())
            .map(|(interface, link)| Move {
                interface,
                link,
                from: Some(from),
            })
            .collect();
        self.guard.foresee(&made.zones, &made.loaded.deadlines);
        attach::replace(&moves, &made.loaded)?;
        self.guard.set_zones(&made.zones, &made.loaded.deadlines);
        if let Some(zones) = made.fallback.take() {
            self.addresses.replace_zones(zones);
        }
        let largest_body = made.zones.largest_body();
        for interface in &self.served {
            interface.warn_of_little_room(largest_body);
        }
        let number = self.generation.status.number + 1;
        // Those that write the records of generations that are gone.
        while self.tasks.try_join_next().is_some() {}
        let next = Generation::begin(made, number, &mut self.tasks);
        let old = std::mem::replace(&mut self.generation, next);
        // To free large maps takes its time.
        spawn_blocking(move || {
            drop(old);
            give_back_memory();
        });
        Ok(())
    }

    /// For the log and for `status`.
    fn note_reload(&mut self, wishes: &[Wish], result: &Result<(Attempt, bool), ReloadError>) {
        let asked_by = asked_by(wishes);
        let outcome = match result {
            Ok((attempt, true)) => {
                let zones: Vec<String> = attempt.changes.iter().map(describe).collect();
                let number = self.generation.status.number;
                format!("generation {number} answers: {}", zones.join("; "))
            }
            Ok((attempt, false)) if attempt.otherwise == Reloaded::Unchanged => {
                String::from("nothing has changed")
            }
            Ok(_) => String::from("nothing was to be changed"),
            Err(error) => in_full(error),
        };
        let number = self.generation.status.number;
        match result {
            Ok(_) => log::info!("{asked_by}: {outcome}"),
            Err(_) => log::error!("{asked_by}: {outcome}; generation {number} answers on"),
        }
        if wishes.iter().any(|wish| !wish.options.dry_run) {
            self.last_reload = Some(ReloadStatus {
                at: unix_seconds(),
                asked_by,
                ok: result.is_ok(),
                outcome,
            });
        }
    }

    fn reply(&self, options: ReloadOptions, attempt: &Attempt, is_made: bool) -> Reply {
        let mut zones = attempt.changes.clone();
        if !options.diff {
            zones.iter_mut().for_each(ZoneChanges::forget_names);
        }
        Reply::Reload {
            outcome: match (is_made, options.dry_run) {
                (true, false) => Reloaded::Done,
                (true, true) => Reloaded::DryRun,
                (false, _) => attempt.otherwise,
            },
            generation: self.generation.status.number,
            warnings: attempt.warnings.clone(),
            zones,
        }
    }

    /// From now on the files of this generation are watched, if any are.
    pub(super) fn watch_files(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.follow(&self.generation.files, watch.began());
        }
    }
}

/// Who asked, each once.
fn asked_by(wishes: &[Wish]) -> String {
    let mut names: Vec<&str> = wishes.iter().map(|wish| wish.asked_by).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// A zone's change, in a few words.
fn describe(zone: &ZoneChanges) -> String {
    let ZoneChanges {
        apex,
        serial_before,
        serial,
        unchanged,
        ..
    } = zone;
    if *unchanged {
        return format!("{apex} serial {serial}, unchanged");
    }
    format!(
        "{apex} serial {serial_before} -> {serial}, {}",
        zone.counts()
    )
}
