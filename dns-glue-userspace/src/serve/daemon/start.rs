//! From a loaded generation to a daemon that serves.

use std::sync::Arc;
use std::time::Instant;

use dns_glue_common::deadlines::Deadline;
use domain::base::Serial;
use tokio::task::JoinSet;

use super::adopt::Found;
use super::generation::{Generation, Made, fallback};
use super::guard::Guard;
use super::takeover::{HostView, Takeover};
use super::{Config, Daemon, DaemonError, Follows, Reloads, keeps_links};
use crate::kernel::{About, Counters, HostMaps, LoadError, PinFolder, SharedMaps, clock};
use crate::serve::addresses::{ServiceAddresses, log_changes};
use crate::serve::compiled::CompiledZones;
use crate::serve::interfaces::{self, FixedOffloads, InterfaceError};
use crate::serve::network::{Link, Network, Snapshot};
use crate::serve::status::LastWord;

/// How long answers go on at the most if a process dies that takes over pinned
/// links to keep them to itself.
const HANDOVER_NANOSECONDS: u64 = 5_000_000_000;

impl Daemon {
    /// Attaches the program, and takes over the interfaces that have one of an
    /// earlier daemon.
    pub(super) async fn start(
        config: Arc<Config>,
        network: Network,
        mut tasks: JoinSet<()>,
        folder: &Arc<PinFolder>,
        shared: Arc<SharedMaps>,
        mut made: Made,
    ) -> Result<Self, DaemonError> {
        let mut guard = Guard::new(&config);
        let host_maps = HostMaps::open(&shared, guard.attended_until());
        let mut host_maps = host_maps.map_err(LoadError::from)?;
        let counters = Counters::open(&shared).map_err(LoadError::from)?;
        let about = keeps_links(&config)
            .then(|| About::open(folder))
            .transpose()?;
        // Of any layout: what was withheld before a change of it stays so, too.
        let before = match keeps_links(&config) {
            true => LastWord::newest(&folder.words()?),
            false => None,
        };
        warn_of_older_serials(before.as_ref(), &made.zones);
        guard.begin(&made.zones, &made.loaded.deadlines, before.as_ref());
        if !keeps_links(&config) {
            // Links that an earlier daemon has pinned are unpinned below: if
            // this process dies before that, they must not answer on.
            let until = clock::now() + HANDOVER_NANOSECONDS;
            set_deadlines(&made, Deadline::At(until));
        }
        let server = made.fallback.take().map(|zones| fallback(zones, &config));
        let mut addresses =
            ServiceAddresses::new(config.addresses.clone(), config.policy.port, server);

        // Looked at again: compiling may have taken minutes.
        let mut found = Found::in_folder(folder)?;
        let snapshot = network.snapshot().await?;
        found.check_namespace(&network, &snapshot)?;
        let links = interfaces::choose(&config.interfaces, &snapshot, |link| found.is_on(link))?;
        for link in &links {
            interfaces::warn_of_master(link, &snapshot, addresses.are_given());
        }
        let fixed_offloads = check_tags(&links, &snapshot, config.fix_offload)?;
        config.paths.warn_of_many_vlans(&links, &snapshot);
        let interfaces = config.paths.entries(&links, &snapshot);
        let order: Vec<u32> = links.iter().map(|link| link.index).collect();
        let (adopted, fresh) = found.divide(links)?;
        let host = HostView {
            addresses: addresses.begin(&snapshot, &order).await?,
            interfaces,
        };
        let takeover = Takeover::new(&made.loaded, &config, folder, &mut host_maps, adopted);
        let (mut served, changes) = takeover.run(fresh, host, &mut found)?;
        folder.keep();
        log_changes(&changes);
        if let Err(error) = found.discard(folder) {
            // They are not in the host's table: their queries pass.
            log::error!("{error}");
        }
        if !keeps_links(&config) {
            set_deadlines(&made, Deadline::Never);
        }
        served.sort_by_key(|served| order.iter().position(|index| *index == served.index()));
        let largest_body = made.zones.largest_body();
        for interface in &served {
            interface.warn_of_little_room(largest_body);
        }
        let generation = Generation::begin(made, 1, &mut tasks);
        guard.set_addresses(host_maps.addresses());
        Ok(Self {
            served,
            fixed_offloads,
            generation,
            addresses,
            guard,
            host_maps,
            counters,
            about,
            folder: Arc::clone(folder),
            shared,
            network,
            follows: Follows::Host,
            reloads: Reloads::default(),
            last_reload: None,
            watch: None,
            tasks,
            config,
            since: Instant::now(),
        })
    }
}

/// Warns if a zone is older than what an earlier daemon has answered from: a
/// restart is how an operator goes back, and also how that goes unseen.
fn warn_of_older_serials(before: Option<&LastWord>, zones: &CompiledZones) {
    let before = before.map_or(&[][..], |word| &word.status.zones);
    for zone in zones.statuses() {
        let Some(answered) = before.iter().find(|other| other.apex == zone.apex) else {
            continue;
        };
        if Serial::from(zone.serial) < Serial::from(answered.serial) {
            log::warn!(
                "zone {}: serial {} is older than {}, from which answers were given until now",
                zone.apex,
                zone.serial,
                answered.serial
            );
        }
    }
}

/// Sets the deadline of every zone.
fn set_deadlines(made: &Made, deadline: Deadline) {
    for (zone, _) in (0..=u8::MAX).zip(made.zones.rolls()) {
        made.loaded.deadlines.set(zone, deadline);
    }
}

fn check_tags(
    links: &[Link],
    snapshot: &Snapshot,
    fix: bool,
) -> Result<Vec<FixedOffloads>, InterfaceError> {
    let mut fixed = Vec::new();
    for link in links {
        fixed.extend(interfaces::check_tags(link, snapshot, fix)?);
    }
    Ok(fixed)
}
