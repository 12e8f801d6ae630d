//! What the daemon learns of the VLAN interfaces of a host, by the functions
//! that it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::{Context as _, Result};
use dns_glue::kernel::ServedInterface;
use dns_glue::serve::interfaces::{choose, tag_refusal};
use dns_glue::serve::network::{Network, Snapshot};
use dns_glue::serve::offloads::{self, Tags};
use dns_glue::serve::paths::Paths;
use dns_glue_common::frame::vlan::Vlans;
use tokio::time::timeout;

use super::elsewhere;
use super::network::{
    ADDRESS_IN_NINE, CLIENT_SEVEN, ELSEWHERE, NINE, SEVEN, SEVEN_IN_NINE, TAG_NINE, TAG_SEVEN,
};
use crate::pair::{CLIENT_END, PATIENCE, SERVER_END, index};
use crate::program_support::frame::{SERVER_V4, SERVER_V6, Tag};
use crate::score::Score;

/// What the program is to be told of the host.
pub struct Known {
    /// The server's end, by its number.
    pub interfaces: BTreeMap<u32, ServedInterface>,
    /// The service addresses, where no `--address` is given.
    pub addresses: BTreeSet<IpAddr>,
}

/// Looks at the host as a daemon with `--iface dgserver --reply-via fib` does.
///
/// # Errors
///
/// The kernel does not tell, or the daemon would refuse.
pub fn look() -> Result<Known> {
    let snapshot = on_host(async |network| Ok(network.snapshot().await?))?;
    let paths = Paths {
        via_fib: true,
        ..Paths::default()
    };
    let names = [SERVER_END.to_owned()];
    paths.check(&names)?;
    let links = choose(&names, &snapshot, |_| false)?;
    let numbers: Vec<u32> = links.iter().map(|link| link.index).collect();
    Ok(Known {
        interfaces: paths.entries(&links, &snapshot),
        addresses: snapshot.default_service_addresses(&numbers),
    })
}

/// With the daemon's own connection to the kernel.
///
/// # Errors
///
/// Those of `action`, or there is no connection.
pub fn on_host<T>(action: impl AsyncFnOnce(&mut Network) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async { action(&mut Network::connect()?).await })
}

/// Checks what is known of the network that is laid.
pub fn check_all(score: &mut Score) {
    score.attempt_another("VLAN interfaces and their tags", || {
        let both = [TAG_NINE, TAG_SEVEN];
        check_vlans(&[
            (SEVEN, &[TAG_SEVEN]),
            (NINE, &[TAG_NINE]),
            (SEVEN_IN_NINE, &both),
        ]);
    });
    score.attempt_another("service addresses on VLAN interfaces", || {
        let expected: [IpAddr; 3] = [SERVER_V4.into(), SERVER_V6.into(), ADDRESS_IN_NINE.into()];
        assert_eq!(look().expect("a host").addresses, expected.into());
    });
    score.attempt_another("a VLAN interface whose carrier is elsewhere", || {
        let snapshot = elsewhere::look().expect("another network namespace");
        let link = snapshot.link(ELSEWHERE).expect("it is moved");
        assert_eq!((link.lower, link.tag.is_some()), (None, true));
    });
    score.attempt_another("a VLAN interface is refused for its carrier", || {
        let snapshot = snapshot();
        for (vlan, carrier) in [(SEVEN, SERVER_END), (CLIENT_SEVEN, CLIENT_END)] {
            let refusal = choose(&[vlan.to_owned()], &snapshot, |_| false);
            let text = refusal.expect_err("a VLAN interface").to_string();
            assert!(text.contains(&format!("(--iface {carrier})")), "{text}");
        }
    });
    score.attempt_another("the peer of a veth with VLANs decides on tags", || {
        let snapshot = snapshot();
        let link = snapshot.link(SERVER_END).expect("the server's end");
        let on = offloads::tag_offloads(SERVER_END).expect("features");
        assert_eq!(on.len(), 2, "veth takes both kinds of tags out: {on:?}");
        // What would be said of a card that has the same on.
        let refusal = tag_refusal(link, &snapshot, &on, true).expect("a refusal");
        assert!(refusal.to_string().contains(SEVEN), "{refusal}");
        assert_eq!(offloads::tags(link.kind, true, on), Tags::PeerDecides);
    });
}

/// Checks that the daemon is told when a VLAN interface goes, and does not know
/// it any more; nor the one in it.
pub fn check_change(score: &mut Score) {
    score.attempt_another("VLAN interfaces that go", || {
        let gone = [NINE, SEVEN_IN_NINE].map(|name| index(name).expect("a number"));
        on_host(async |network| {
            remove(gone[0]).await?;
            let changed = timeout(PATIENCE, network.changed());
            Ok(changed.await.context("no change is told")??)
        })
        .expect("a change");
        let after = snapshot();
        assert!(
            gone.iter()
                .all(|number| after.link_by_index(*number).is_none())
        );
        check_vlans(&[(SEVEN, &[TAG_SEVEN])]);
    });
}

async fn remove(number: u32) -> Result<()> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    Ok(handle.link().del(number).execute().await?)
}

fn snapshot() -> Snapshot {
    on_host(async |network| Ok(network.snapshot().await?)).expect("a host")
}

/// Checks that these VLANs, each with the tags of its frames, are what the
/// program is told of.
fn check_vlans(expected: &[(&str, &[Tag])]) {
    let known = look().expect("a host");
    let numbers: Vec<u32> = known.interfaces.keys().copied().collect();
    assert_eq!(numbers, [index(SERVER_END).expect("a number")]);
    let expected = expected.iter().map(|(name, tags)| {
        let vlans = tags
            .iter()
            .fold(Vlans::NONE, |outer, (ether_type, number)| {
                let inner = outer.inside(*ether_type, *number);
                inner.expect("room for a tag")
            });
        (index(name).expect("a number"), vlans)
    });
    for served in known.interfaces.values() {
        assert_eq!(served.vlans, expected.clone().collect());
    }
}
