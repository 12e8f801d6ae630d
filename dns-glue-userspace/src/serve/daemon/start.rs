//! From a loaded generation to a daemon that serves.

use std::sync::Arc;
use std::time::Instant;

use domain::base::Serial;
use tokio::task::JoinSet;

use super::adopt::Found;
use super::generation::{Generation, Made, fallback};
use super::guard::Guard;
use super::handover::Handover;
use super::takeover::{HostView, Takeover};
use super::{Config, Daemon, DaemonError, Follows, Reloads, keeps_links};
use crate::kernel::{About, Counters, HostMaps, LoadError, PinFolder, SharedMaps};
use crate::serve::addresses::{ServiceAddresses, log_changes};
use crate::serve::compiled::CompiledZones;
use crate::serve::interfaces::{self, FixedOffloads, InterfaceError};
use crate::serve::network::{Link, Network, Snapshot};
use crate::serve::status::LastWord;

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
        let last = LastWord::newest(&folder.words()?);
        let before = last.as_ref().filter(|_| keeps_links(&config));
        warn_of_older_serials(before, &made.zones);
        guard.begin(&made.zones, &made.loaded.deadlines, before);
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
        let handover = (!keeps_links(&config)).then(|| Handover::begin(&made, folder, last));
        let handover = handover.transpose()?;
        let takeover = Takeover::new(&made.loaded, &config, folder, &mut host_maps, adopted);
        let taken = takeover.run(fresh, host, &mut found);
        let (mut served, changes) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                if let Some(handover) = handover {
                    handover.take_back();
                }
                return Err(error);
            }
        };
        folder.keep();
        log_changes(&changes);
        if let Some(handover) = handover {
            handover.finish();
        }
        served.sort_by_key(|served| order.iter().position(|index| *index == served.index()));
        let largest_body = made.zones.largest_body();
        for interface in &served {
            interface.warn_of_little_room(largest_body);
        }
        let generation = Generation::begin(made, 1, &mut tasks);
        guard.set_addresses(host_maps.addresses());
        let mut daemon = Self {
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
        };
        // Also where its links are: the next daemon may be elsewhere. The word of
        // another layout goes below.
        daemon.leave_word();
        if let Err(error) = found.discard(folder) {
            // They are not in the host's table: their queries pass.
            log::error!("{error}");
        }
        Ok(daemon)
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
