//! A zone for which there is no memory: what was there answers on, whether
//! dns-glue is refused its maps or the kernel ends it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail};

use super::cgroup::ControlGroup;
use super::client::Moment;
use super::marked;
use super::reloads::restore;
use super::report::Row;
use super::site::Site;
use super::stage::{Extent, Stage};
use super::versions::Versions;

/// Delegations of the large zone, of which the others are the first.
const DELEGATIONS: usize = 12_000;
/// What a reload may take beyond what is used before it, mebioctets: from
/// enough to nothing.
const ROOM: [u64; 12] = [256, 96, 64, 48, 40, 32, 24, 16, 12, 8, 4, 1];

/// How a reload to the large zone ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Taken,
    Refused,
    Killed,
}

/// Lets dns-glue reload to a zone that needs more memory than there is, with
/// less and less of it. `None` if the machine cannot limit memory.
///
/// # Errors
///
/// dns-glue does not start, or does not take a zone for which there is memory.
pub fn run(stage: &mut Stage, name: &'static str, extent: Extent) -> Result<Option<Row>> {
    let Some(group) = ControlGroup::new(&format!("dns-glue-faults-{}", std::process::id()))? else {
        return Ok(None);
    };
    let mut row = Row::new(name, stage.site.zone());
    let large = stage.site.folder().join("large.zone");
    // Cut at the delegations that the clients know, it says the same.
    fs::write(&large, marked::zone(2, DELEGATIONS)).context("write a large zone")?;
    let done = stage.during(&mut row, &[], Versions::FIRST, |site, moment, row| {
        site.daemon.leave()?;
        let done = try_all(site, moment, row, &group, extent);
        // Out of the group, however that ended.
        if site.daemon.is_running() {
            site.daemon.leave()?;
        } else {
            site.daemon.bury();
        }
        site.put_version(Versions::FIRST)?;
        site.start_daemon()?;
        done
    });
    fs::remove_file(&large).context("remove a large zone")?;
    done?;
    Ok(Some(row))
}

fn try_all(
    site: &mut Site,
    moment: &Moment,
    row: &mut Row,
    group: &ControlGroup,
    extent: Extent,
) -> Result<()> {
    site.start_daemon_with(|command| group.confine(command))?;
    let mut endings: BTreeMap<Ending, Vec<u64>> = BTreeMap::new();
    let mut rounds = extent.begin();
    while rounds.another()? {
        for room in ROOM {
            let ending = try_one(site, moment, row, group, room)?;
            endings.entry(ending).or_default().push(room);
        }
        row.rounds += 1;
    }
    for (ending, rooms) in &endings {
        let rooms: Vec<String> = rooms.iter().map(u64::to_string).collect();
        row.notes
            .push(format!("{ending:?} with MiB to spare: {}", rooms.join(" ")));
    }
    for (ending, why) in [
        (
            Ending::Taken,
            "the large zone was never taken, whatever memory there was",
        ),
        (Ending::Refused, "no reload was refused its memory"),
    ] {
        if !endings.contains_key(&ending) {
            row.complaints.push(why.to_owned());
        }
    }
    Ok(())
}

/// A reload to the large zone with so many mebioctets to spare, and back.
fn try_one(
    site: &mut Site,
    moment: &Moment,
    row: &mut Row,
    group: &ControlGroup,
    room: u64,
) -> Result<Ending> {
    group
        .limit(Some(group.usage()? + (room << 20)))
        .context("limit memory")?;
    fs::copy(site.folder().join("large.zone"), site.daemon.zone_file()).context("copy a zone")?;
    moment.allow(Versions::EITHER);
    let reload = site.daemon.reload(&[])?;
    group.limit(None).context("lift the limit of memory")?;
    let note = format!("{room} MiB to spare: {}", reload.said);
    let ending = match (reload.is_ok, site.daemon.is_running()) {
        (true, true) => {
            row.reloads.push(reload.took);
            Ending::Taken
        }
        (false, true) => {
            row.notes.push(note);
            // Nothing of the large zone has come to answer.
            moment.allow(Versions::FIRST);
            Ending::Refused
        }
        (false, false) => {
            row.notes.push(note);
            Ending::Killed
        }
        (true, false) => bail!("{note}, and then dns-glue ended"),
    };
    if ending == Ending::Killed {
        site.daemon.bury();
        site.put_version(Versions::FIRST)?;
        site.start_daemon_with(|command| group.confine(command))?;
        moment.allow(Versions::FIRST);
    } else {
        restore(site, moment)?;
    }
    Ok(ending)
}
