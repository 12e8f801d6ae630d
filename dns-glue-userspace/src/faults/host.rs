//! What happens to the host: addresses and interfaces that come and go, and a
//! server behind that is gone for a while.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::client::Group;
use super::report::Row;
use super::site::{Pair, Site, WANDERING};
use super::stage::{Extent, Stage, pause};
use super::versions::Versions;
use crate::testbed::process::wait_for;

/// How long something is gone, and how long all is well again.
const TIME: Duration = Duration::from_millis(300);
/// MTUs of the second interface. The clients' frames are filled up to 1500
/// octets, which a veth pair takes for an MTU of 1482 and more; the last is
/// that of before.
const MTUS: [u32; 4] = [3000, 1482, 2000, 1500];

/// A service address that is removed and comes back. Queries to it go nowhere
/// meanwhile, and only those.
///
/// # Errors
///
/// `ip` fails, or dns-glue does not learn of it.
pub fn address(stage: &mut Stage, name: &'static str, extent: Extent) -> Result<Row> {
    again(stage, name, extent, &[Group::Wandering], |site, _| {
        let interface = Pair::Steady.interface();
        site.host()
            .ip(&format!("addr del {WANDERING}/24 dev {interface}"))?;
        pause(TIME)?;
        site.add_addresses(Pair::Steady)?;
        wait_for_service(site, Pair::Steady)
    })
}

/// The second interface goes down and comes up.
///
/// # Errors
///
/// As [`address`].
pub fn link_down(stage: &mut Stage, name: &'static str, extent: Extent) -> Result<Row> {
    again(stage, name, extent, &[Group::Troubled], |site, _| {
        let interface = Pair::Troubled.interface();
        site.host().ip(&format!("link set {interface} down"))?;
        pause(TIME)?;
        site.host().ip(&format!("link set {interface} up"))?;
        // Its IPv6 addresses are gone.
        site.add_addresses(Pair::Troubled)?;
        wait_for_service(site, Pair::Troubled)
    })
}

/// The second interface gets other MTUs; all are enough for any reply, so no
/// query may suffer.
///
/// # Errors
///
/// As [`address`].
pub fn mtu(stage: &mut Stage, name: &'static str, extent: Extent) -> Result<Row> {
    again(stage, name, extent, &[], |site, _| {
        let interface = Pair::Troubled.interface();
        for mtu in MTUS {
            site.host().ip(&format!("link set {interface} mtu {mtu}"))?;
            wait_for("dns-glue knows the MTU", || {
                let status = site.daemon.status()?;
                let interfaces = status["interfaces"].as_array().context("no interfaces")?;
                let mut ours = interfaces
                    .iter()
                    .filter(|other| other["name"] == *interface);
                Ok(ours.any(|interface| interface["mtu"] == mtu))
            })?;
            pause(TIME / 4)?;
        }
        Ok(())
    })
}

/// The second interface is deleted and made again. dns-glue serves an interface
/// of its start; a new one of the same name needs it to be started again, which
/// the first interface must not notice.
///
/// # Errors
///
/// As [`address`].
pub fn veth(stage: &mut Stage, name: &'static str, extent: Extent) -> Result<Row> {
    again(stage, name, extent, &[Group::Troubled], |site, row| {
        site.delete_pair()?;
        wait_for("dns-glue knows that the interface is gone", || {
            Ok(!site.is_served(Pair::Troubled)?)
        })?;
        pause(TIME)?;
        site.remake_pair()?;
        pause(TIME)?;
        if !site.is_served(Pair::Troubled)? {
            row.note_once(
                "made again",
                "it is served after a restart of dns-glue only",
            );
            site.daemon.leave()?;
            site.start_daemon()?;
        }
        wait_for_service(site, Pair::Troubled)
    })
}

/// The server behind ends and comes back: referrals do not need it.
///
/// # Errors
///
/// The server does not start again.
pub fn behind(stage: &mut Stage, name: &'static str, extent: Extent) -> Result<Row> {
    again(stage, name, extent, &[Group::Behind], |site, _| {
        site.stop_behind();
        pause(2 * TIME)?;
        site.start_behind()
    })
}

/// Makes a fault, which excuses what becomes of the queries of some clients,
/// and then watches that nothing needs to be excused any more; again and again.
fn again(
    stage: &mut Stage,
    name: &'static str,
    extent: Extent,
    excused: &[Group],
    fault: impl Fn(&mut Site, &mut Row) -> Result<()>,
) -> Result<Row> {
    let mut row = Row::new(name, stage.site.zone());
    let mut rounds = extent.begin();
    while rounds.another()? {
        stage.during(&mut row, excused, Versions::FIRST, |site, _, row| {
            pause(TIME)?;
            fault(site, row)
        })?;
        stage.watch(&mut row, Versions::FIRST, TIME)?;
        row.rounds += 1;
    }
    Ok(row)
}

fn wait_for_service(site: &Site, pair: Pair) -> Result<()> {
    wait_for("dns-glue serves the interface and its addresses", || {
        site.is_served(pair)
    })
}
