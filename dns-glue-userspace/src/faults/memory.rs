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
/// What a reload may take beyond what is used before it, at first and at most,
/// mebioctets.
const LEAST: u64 = 4;
const MOST: u64 = 4096;
/// How often the room between too little and enough is halved.
const HALVINGS: usize = 5;
const MEBIOCTET: u64 = 1 << 20;

/// How a reload to the large zone ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Taken,
    Refused,
    Killed,
}

/// Lets dns-glue reload to a zone that needs more memory than there is, and
/// then enough. `None` if the machine cannot limit memory.
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
    let mut endings: BTreeMap<Ending, Vec<String>> = BTreeMap::new();
    let mut rounds = extent.begin();
    while rounds.another()? {
        search(|room| {
            let ending = try_one(site, moment, row, group, room)?;
            let mebioctets = format!("{:.1}", room as f64 / MEBIOCTET as f64);
            endings.entry(ending).or_default().push(mebioctets);
            Ok(ending)
        })?;
        row.rounds += 1;
    }
    for (ending, rooms) in &endings {
        row.notes
            .push(format!("{ending:?} with MiB to spare: {}", rooms.join(" ")));
    }
    if !endings.contains_key(&Ending::Taken) {
        let what = format!("with {MOST} MiB to spare a large zone is not taken");
        row.complaints.push(what);
    }
    if endings.keys().all(|ending| *ending == Ending::Taken) {
        let what = format!("with {LEAST} MiB to spare a large zone is taken: nothing was tried");
        row.complaints.push(what);
    }
    Ok(())
}

/// Tries ever more octets until they are enough, and then what is between that
/// and too little: where the zone could be read, and its maps not made.
fn search(mut attempt: impl FnMut(u64) -> Result<Ending>) -> Result<()> {
    let mut enough = LEAST * MEBIOCTET;
    while attempt(enough)? != Ending::Taken {
        if enough >= MOST * MEBIOCTET {
            return Ok(());
        }
        enough *= 2;
    }
    let mut little = enough / 2;
    for _ in 0..HALVINGS {
        let middle = little.midpoint(enough);
        match attempt(middle)? {
            Ending::Taken => enough = middle,
            Ending::Refused | Ending::Killed => little = middle,
        }
    }
    Ok(())
}

/// A reload to the large zone with so many octets to spare, and back.
fn try_one(
    site: &mut Site,
    moment: &Moment,
    row: &mut Row,
    group: &ControlGroup,
    room: u64,
) -> Result<Ending> {
    group
        .limit(Some(group.usage()? + room))
        .context("limit memory")?;
    fs::copy(site.folder().join("large.zone"), site.daemon.zone_file()).context("copy a zone")?;
    moment.allow(Versions::EITHER);
    let reload = site.daemon.reload(&[])?;
    group.limit(None).context("lift the limit of memory")?;
    let note = reload.said;
    let ending = match (reload.is_ok, site.daemon.goes_on()?) {
        (true, true) => {
            row.reloads.push(reload.took);
            Ending::Taken
        }
        (false, true) => {
            row.note_once("when it is refused, reload says", &note);
            // Nothing of the large zone has come to answer.
            moment.allow(Versions::FIRST);
            Ending::Refused
        }
        (false, false) => {
            row.note_once("when it is killed, reload says", &note);
            Ending::Killed
        }
        (true, false) => bail!("{note}: and then dns-glue ended"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_too_little_and_enough_is_tried() {
        // Enough from 50 MiB on.
        let mut tried = Vec::new();
        search(|room| {
            tried.push(room / MEBIOCTET);
            let is_enough = room >= 50 * MEBIOCTET;
            Ok(if is_enough {
                Ending::Taken
            } else {
                Ending::Killed
            })
        })
        .expect("no error");
        assert_eq!(tried, [4, 8, 16, 32, 64, 48, 56, 52, 50, 49]);

        let mut number = 0;
        search(|_| {
            number += 1;
            Ok(Ending::Refused)
        })
        .expect("no error");
        assert_eq!(number, 11);
    }
}
