//! Reloads in a loop, between two versions of a zone.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::client::Moment;
use super::report::Row;
use super::site::Site;
use super::stage::{Extent, Stage, pause, pause_below};
use super::versions::Versions;
use crate::conform::random::Random;

/// What is asked before the first reload and after the last.
const REST: Duration = Duration::from_millis(300);
/// The longest pause between two.
const PAUSE: Duration = Duration::from_millis(30);

/// Reloads again and again. While one is made both versions may answer; after
/// it, only the new one.
///
/// # Errors
///
/// `dns-glue` cannot be run, or the first version cannot be had again.
pub fn run(stage: &mut Stage, name: &'static str, extent: Extent) -> Result<Row> {
    let mut row = Row::new(name, stage.site.zone());
    stage.during(&mut row, &[], Versions::FIRST, |site, moment, row| {
        pause(REST)?;
        let mut random = Random(1);
        let mut version = Versions::FIRST;
        let mut rounds = extent.begin();
        while rounds.another()? {
            let next = other(version);
            if reload(site, moment, row, next)? {
                version = next;
            }
            row.rounds += 1;
            pause_below(PAUSE, &mut random)?;
        }
        pause(REST)?;
        if version != Versions::FIRST {
            restore(site, moment)?;
        }
        Ok(())
    })?;
    for (number, version) in [
        (row.tally.first, Versions::FIRST),
        (row.tally.second, Versions::SECOND),
    ] {
        if number == 0 {
            row.complaints
                .push(format!("no answer was of the {version} version alone"));
        }
    }
    Ok(row)
}

/// The other one of the two.
#[must_use]
pub fn other(version: Versions) -> Versions {
    match version {
        Versions::FIRST => Versions::SECOND,
        _ => Versions::FIRST,
    }
}

/// Reloads to a version; whether that worked. It must.
///
/// # Errors
///
/// `dns-glue` cannot be run, or a file cannot be written.
pub fn reload(site: &Site, moment: &Moment, row: &mut Row, version: Versions) -> Result<bool> {
    site.put_version(version)?;
    moment.allow(Versions::EITHER);
    // The serial goes backwards every other time.
    let reload = site.daemon.reload(&["--force"])?;
    row.reloads.push(reload.took);
    if reload.is_ok {
        moment.allow(version);
    } else {
        row.complaints.push(format!("reload: {}", reload.said));
    }
    Ok(reload.is_ok)
}

/// Back to the first version, from whichever answers.
///
/// # Errors
///
/// The reload fails.
pub fn restore(site: &Site, moment: &Moment) -> Result<()> {
    site.put_version(Versions::FIRST)?;
    moment.allow(Versions::EITHER);
    let reload = site.daemon.reload(&["--force"])?;
    ensure!(reload.is_ok, "reload: {}", reload.said);
    moment.allow(Versions::FIRST);
    Ok(())
}
