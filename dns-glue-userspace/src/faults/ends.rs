//! Ends of dns-glue at any moment, and its return: what it leaves pinned
//! answers on, and the next one takes it over.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::client::Moment;
use super::reloads::{other, restore};
use super::report::{Row, Times};
use super::site::{Pair, Site};
use super::stage::{Extent, Stage, pause, pause_below};
use super::versions::Versions;
use crate::conform::random::Random;

/// The longest time for which it runs, or does not.
const PAUSE: Duration = Duration::from_millis(300);

/// How dns-glue ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// kill -9.
    Kill,
    /// kill -9 somewhere in a reload.
    KillInReload,
    /// SIGUSR2.
    Leave,
}

/// Ends dns-glue and starts it again, again and again.
///
/// # Errors
///
/// It does not start again.
pub fn run(stage: &mut Stage, name: &'static str, end: End, extent: Extent) -> Result<Row> {
    let mut row = Row::new(name, stage.site.zone());
    stage.during(&mut row, &[], Versions::FIRST, |site, moment, row| {
        let mut random = Random(2);
        let mut version = Versions::FIRST;
        let mut starts = Vec::new();
        let reload = typical_reload(site, moment)?;
        let mut rounds = extent.begin();
        while rounds.another()? {
            pause_below(PAUSE, &mut random)?;
            match end {
                End::Kill => site.daemon.kill()?,
                End::Leave => site.daemon.leave()?,
                End::KillInReload => {
                    version = other(version);
                    kill_in_reload(site, moment, version, reload, &mut random)?;
                }
            }
            pause_below(PAUSE, &mut random)?;
            starts.push(site.start_daemon()?);
            // Whatever answered before: now it is what the file holds.
            moment.allow(version);
            for pair in Pair::BOTH {
                if !site.is_served(pair)? {
                    let interface = pair.interface();
                    row.complaints
                        .push(format!("{interface} is not served after a start"));
                }
            }
            row.rounds += 1;
        }
        pause(PAUSE)?;
        if let Some(times) = Times::of(&starts) {
            row.notes.push(format!(
                "from the start of dns-glue until it answers `status`: median {:.0} ms, at most \
                 {:.0} ms",
                times.median, times.max
            ));
        }
        if version != Versions::FIRST {
            restore(site, moment)?;
        }
        Ok(())
    })?;
    Ok(row)
}

/// How long a reload takes.
fn typical_reload(site: &Site, moment: &Moment) -> Result<Duration> {
    moment.allow(Versions::FIRST);
    Ok(site.daemon.reload(&["--force"])?.took)
}

/// Kills dns-glue at a moment of a reload to `version`.
fn kill_in_reload(
    site: &mut Site,
    moment: &Moment,
    version: Versions,
    typical: Duration,
    random: &mut Random,
) -> Result<()> {
    site.put_version(version)?;
    moment.allow(Versions::EITHER);
    let mut reload = site.daemon.begin_reload(&["--force"])?;
    let waited = pause_below(typical, random).and_then(|()| site.daemon.kill());
    // It ends with the daemon.
    reload.wait().context("wait for a child")?;
    waited
}
