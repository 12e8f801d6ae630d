//! The daemon's loop: it follows the host, and does what it is told.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::reload::Wish;
use super::signals::{Signals, Told};
use super::{Daemon, DaemonError, stopping};
use crate::serve::control::{Call, Request};
use crate::serve::interfaces::Served;
use crate::serve::network::{Network, NetworkError, Snapshot};
use crate::serve::watch::Watch;

/// How long the fallback may take to answer what it has begun with.
const PATIENCE: Duration = Duration::from_secs(2);
/// When to try again to listen on addresses that could not be bound, and to
/// learn about a host that did not tell.
const RETRY: Duration = Duration::from_secs(5);
/// Whether what is known of the host is what the host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// It is, and changes will be told.
    Host,
    /// A request failed: it must be made again.
    HostOfBefore,
    /// The socket was closed: there must be another first.
    Nothing,
}

/// How the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing of it stays.
    Detach,
    /// The program goes on answering.
    Leave,
}

impl Daemon {
    /// Follows the host and answers the control socket until it is told to
    /// end.
    pub(super) async fn follow(
        &mut self,
        signals: &mut Signals,
        mut calls: mpsc::Receiver<Call>,
    ) -> Result<End, DaemonError> {
        log::info!("ready: {}", self.summary());
        self.watch_files();
        self.begin_reload();
        let mut retry = interval(RETRY);
        // Ticks that nobody waited for must not come all at once.
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heartbeat = interval(self.guard.heartbeat());
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                told = signals.next() => match told {
                    Told::End(name) => {
                        log::info!("{name}");
                        return Ok(End::Detach);
                    }
                    Told::Leave => {
                        log::info!("SIGUSR2");
                        return Ok(End::Leave);
                    }
                    Told::Reload => self.wish(Wish::of("SIGHUP")),
                },
                changed = self.network.changed(), if self.follows != Follows::Nothing => {
                    if let Err(error) = changed {
                        log::warn!("{error}; connecting again");
                        self.follows = Follows::Nothing;
                    }
                    self.update().await?;
                    retry.reset();
                }
                _ = retry.tick(), if !self.is_complete() => self.update().await?,
                _ = heartbeat.tick() => {
                    self.look_after_links().await?;
                    self.beat();
                }
                judgement = self.guard.judged() => self.heed(&judgement),
                () = files_changed(&mut self.watch) => self.wish(Wish::of("--watch")),
                ended = self.reloads.ended(), if self.reloads.is_running() => {
                    // What is served again gets the next program like the others.
                    self.look_after_links().await?;
                    self.end_reload(ended);
                }
                Some(call) = calls.recv() => match call.request.clone() {
                    Request::Stop => {
                        log::info!("stopped through the control socket");
                        call.answer_and_wait(stopping()).await;
                        return Ok(End::Detach);
                    }
                    Request::Status => {
                        self.look_after_links().await?;
                        call.answer(self.status_reply());
                    }
                    Request::Reload(options) => self.wish(Wish::of_call(options, call)),
                    Request::AddInterface { name } => {
                        let reply = self.add_interface(&name).await;
                        call.answer(reply);
                    }
                    Request::RemoveInterface { name } => {
                        let reply = self.remove_interface(&name).await;
                        call.answer(reply);
                    }
                },
            }
        }
    }

    fn summary(&self) -> String {
        let zones = &self.generation.zones;
        let delegations: u64 = zones.statuses().map(|zone| zone.delegations).sum();
        format!(
            "{} interfaces, {} service addresses, {} zones, {delegations} delegations",
            self.served.len(),
            self.host_maps.addresses().len(),
            zones.statuses().count(),
        )
    }

    fn is_complete(&self) -> bool {
        self.follows == Follows::Host
            && self.addresses.is_complete()
            && !self.served.iter().any(Served::is_refused)
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

    /// Looks at the host if somebody has detached a link, or put another program
    /// behind one: the kernel sends no message of that.
    async fn look_after_links(&mut self) -> Result<(), DaemonError> {
        let program = self.generation.loaded.program.id;
        if self.served.iter().any(|served| served.has_turned(program)) {
            self.update().await?;
        }
        Ok(())
    }

    /// Looks at the host, through a new socket if the last was closed.
    pub(super) async fn look(&mut self) -> Result<Snapshot, NetworkError> {
        if self.follows == Follows::Nothing {
            self.network = Network::connect()?;
        }
        self.follows = Follows::HostOfBefore;
        let snapshot = self.network.snapshot().await?;
        self.follows = Follows::Host;
        Ok(snapshot)
    }

    /// Makes the maps and the fallback what the host asks for.
    pub(super) async fn adapt(&mut self, snapshot: &Snapshot) -> Result<(), DaemonError> {
        let program = self.generation.loaded.program.id;
        let told = self.host_told();
        let was_serving = !self.served.iter().all(Served::is_gone);
        for interface in &mut self.served {
            let was_gone = interface.is_gone();
            interface.update(snapshot, &self.config.paths, program, &mut self.host_maps)?;
            if interface.is_gone() && !was_gone {
                self.folder.unpin(interface.index())?;
            }
        }
        self.bring_back(snapshot)?;
        if was_serving && self.served.iter().all(Served::is_gone) {
            log::error!("no interface is left: nothing is served until one of them is back");
        }
        let indices: Vec<u32> = self.served.iter().map(Served::index).collect();
        self.addresses
            .update(snapshot, &indices, &mut self.host_maps)
            .await?;
        self.guard.set_addresses(self.host_maps.addresses());
        if self.host_told() != told {
            self.leave_word();
        }
        Ok(())
    }

    /// Detaches; what answers in the program's place ends after that.
    pub(super) async fn stop(mut self) {
        for interface in self.served.drain(..) {
            interface.detach();
        }
        if let Err(error) = self.folder.remove() {
            log::warn!("{error}");
        }
        if let Some(fallback) = self.addresses.into_fallback() {
            fallback.stop(PATIENCE).await;
        }
        self.tasks.abort_all();
    }

    /// Ends, and lets the program answer on.
    pub(super) fn leave(mut self) {
        self.beat();
        for offloads in self.fixed_offloads.drain(..) {
            offloads.keep();
        }
        let place = self.folder.path().unwrap_or(std::path::Path::new(""));
        log::info!(
            "the program goes on answering, held by its pins in {}",
            place.display()
        );
        self.tasks.abort_all();
    }
}

/// The next change of the zones' files, if they are watched.
async fn files_changed(watch: &mut Option<Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}
