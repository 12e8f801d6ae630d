//! From a loaded generation to a daemon that serves.

use std::sync::Arc;
use std::time::Instant;

use dns_glue_common::deadlines::NEVER;
use domain::base::Serial;
use tokio::task::JoinSet;

use super::adopt::{self, Adopted, Found};
use super::generation::{Generation, Made, fallback};
use super::guard::Guard;
use super::{Config, Daemon, DaemonError, Follows, Reloads, keeps_links};
use crate::kernel::{About, Counters, HostMaps, LoadError, Loaded, PinFolder, clock};
use crate::serve::addresses::ServiceAddresses;
use crate::serve::compiled::CompiledZones;
use crate::serve::interfaces::{self, FixedOffloads, InterfaceError, Served};
use crate::serve::network::{Link, Network, Snapshot};
use crate::serve::status::LastWord;

/// How long answers go on at the most if a process dies that takes over pinned
/// links to keep them to itself.
const HANDOVER_NANOSECONDS: u64 = 5_000_000_000;

impl Daemon {
    /// Serves the addresses; then attaches the program, and takes over the
    /// interfaces that have it already.
    pub(super) async fn start(
        config: Arc<Config>,
        network: Network,
        mut tasks: JoinSet<()>,
        folder: &Arc<PinFolder>,
        mut made: Made,
    ) -> Result<Self, DaemonError> {
        let mut guard = Guard::new(&config);
        let until = match keeps_links(&config) {
            true => guard.attended_until(),
            // Links that an earlier daemon has pinned are unpinned below: if
            // this process dies before that, they must not answer on.
            false => clock::now() + HANDOVER_NANOSECONDS,
        };
        let mut host_maps = HostMaps::open(folder, until)?;
        let counters = Counters::open(folder)?;
        let about = keeps_links(&config)
            .then(|| About::open(folder))
            .transpose()?;
        let before = last_word(about.as_ref());
        warn_of_older_serials(before.as_ref(), &made.zones);
        guard.begin(&made.zones, &made.loaded.deadlines, before.as_ref());
        let server = made.fallback.take().map(|zones| fallback(zones, &config));
        let mut addresses =
            ServiceAddresses::new(config.addresses.clone(), config.policy.port, server);

        // Looked at again: compiling may have taken minutes.
        let mut found = Found::in_folder(folder)?;
        let snapshot = network.snapshot().await?;
        let links = interfaces::choose(&config.interfaces, &snapshot, |link| found.is_on(link))?;
        for link in &links {
            interfaces::warn_of_master(link, &snapshot, addresses.are_given());
        }
        let fixed_offloads = check_tags(&links, &snapshot, config.fix_offload)?;
        config.paths.warn_of_many_vlans(&links, &snapshot);
        let entries = config.paths.entries(&links, &snapshot);
        let order: Vec<u32> = links.iter().map(|link| link.index).collect();
        let (adopted, fresh) = found.divide(links);
        let is_answering = !adopted.is_empty();
        addresses.start(&snapshot, entries, &mut host_maps).await?;

        let mut served = match take_interfaces(&made.loaded, adopted, fresh, &config, folder) {
            Ok(served) => served,
            Err(error) => {
                // What answers goes on as before.
                if is_answering && let Err(error) = host_maps.take_back() {
                    log::error!("{error}");
                }
                return Err(error);
            }
        };
        found.discard(folder)?;
        if !keeps_links(&config) {
            host_maps
                .set_attended_until(NEVER)
                .map_err(LoadError::from)?;
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

/// What a daemon has told before this one was there.
fn last_word(about: Option<&About>) -> Option<LastWord> {
    serde_json::from_str(&about?.read()?).ok()
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

/// Attaches to the interfaces without a program, then puts this one behind the
/// links of the others. If one fails, the first are detached again and the
/// others have what they had.
fn take_interfaces(
    loaded: &Loaded,
    adopted: Vec<Adopted>,
    fresh: Vec<Link>,
    config: &Config,
    folder: &PinFolder,
) -> Result<Vec<Served>, DaemonError> {
    let attached: Result<Vec<Served>, _> = fresh
        .into_iter()
        .map(|link| Served::attach(loaded, link, config.mode))
        .collect();
    let mut served = attached?;
    adopt::replace(&adopted, loaded)?;
    let keeps_links = keeps_links(config);
    for interface in served.iter().filter(|_| keeps_links) {
        if let Some((_, link)) = interface.program_link() {
            folder.pin(link, interface.index())?;
        }
    }
    for Adopted { link, pinned, .. } in adopted {
        let program_link = folder.take_over(pinned, link.index)?;
        if !keeps_links {
            folder.unpin(link.index)?;
        }
        served.push(Served::adopt(link, program_link, config.mode));
    }
    Ok(served)
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
