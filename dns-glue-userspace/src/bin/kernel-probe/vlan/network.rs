//! VLAN interfaces on both ends of the pair, and a host that has its addresses
//! and its ways to the clients on them.
//!
//! ```text
//! dgserver                 untagged
//!   dgserver7              802.1Q 7
//!   dgserver9              802.1ad 9
//!     dgserver97             802.1Q 7 in it
//!       dgserver973            802.1Q 3 in both
//! dgclient
//!   dgclient7              802.1Q 7
//! ```

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags};
use rtnetlink::packet_route::link::VlanProtocol;
use rtnetlink::packet_route::route::RouteScope;
use rtnetlink::{Handle, LinkUnspec, LinkVlan, RouteMessageBuilder};

use crate::pair::{CLIENT_END, SERVER_END, index, netlink, wait_until_up};
use crate::program_support::frame::{SERVER_V4, SERVER_V6, Tag};

/// In VLAN 7.
pub const SEVEN: &str = "dgserver7";
/// In service VLAN 9.
pub const NINE: &str = "dgserver9";
/// In VLAN 7 of service VLAN 9.
pub const SEVEN_IN_NINE: &str = "dgserver97";
/// In a third VLAN, beyond what the program reads.
const THIRD: &str = "dgserver973";
/// In VLAN 7 of the client's end, from which frames can be sent.
pub const CLIENT_SEVEN: &str = "dgclient7";
/// In VLAN 12 of the server's end; made to be moved away.
pub const ELSEWHERE: &str = "dgserver12";

/// The tag of frames of VLAN 7.
pub const TAG_SEVEN: Tag = (0x8100, 7);
/// The tag of frames of service VLAN 9.
pub const TAG_NINE: Tag = (0x88a8, 9);

/// Each with what carries it, and its tag.
const VLANS: [(&str, &str, Tag); 5] = [
    (SEVEN, SERVER_END, TAG_SEVEN),
    (NINE, SERVER_END, TAG_NINE),
    (SEVEN_IN_NINE, NINE, TAG_SEVEN),
    (THIRD, SEVEN_IN_NINE, (0x8100, 3)),
    (CLIENT_SEVEN, CLIENT_END, TAG_SEVEN),
];

/// Of the interface in two VLANs.
pub const ADDRESS_IN_NINE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 97);

/// Addresses of the host, with their prefixes.
const ADDRESSES: [(IpAddr, u8, &str); 3] = [
    (IpAddr::V4(SERVER_V4), 24, SEVEN),
    (IpAddr::V6(SERVER_V6), 64, SEVEN),
    (IpAddr::V4(ADDRESS_IN_NINE), 32, SEVEN_IN_NINE),
];

/// The MAC address of all neighbours, none of them the client.
pub const ROUTER: [u8; 6] = [2, 0, 0, 0, 0x77, 1];
const ROUTER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const ROUTER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// Clients that are neighbours, and one interface each.
pub const UNTAGGED_CLIENT: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 1);
pub const CLIENT_IN_NINE: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
pub const CLIENT_IN_BOTH: Ipv4Addr = Ipv4Addr::new(10, 97, 0, 1);
pub const CLIENT_IN_THREE: Ipv4Addr = Ipv4Addr::new(10, 97, 3, 1);
pub const CLIENT_ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 17, 0, 1);

const NEIGHBOURS: [(IpAddr, &str); 7] = [
    (ROUTER_V4, SEVEN),
    (ROUTER_V6, SEVEN),
    (IpAddr::V4(UNTAGGED_CLIENT), SERVER_END),
    (IpAddr::V4(CLIENT_IN_NINE), NINE),
    (IpAddr::V4(CLIENT_IN_BOTH), SEVEN_IN_NINE),
    (IpAddr::V4(CLIENT_IN_THREE), THIRD),
    (IpAddr::V4(CLIENT_ELSEWHERE), CLIENT_SEVEN),
];

/// Networks behind the router: those of the table's clients.
const ROUTED: [(IpAddr, u8, IpAddr); 2] = [
    (IpAddr::V4(Ipv4Addr::new(198, 51, 100, 0)), 24, ROUTER_V4),
    (
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 0)),
        48,
        ROUTER_V6,
    ),
];

/// Files below /proc/sys/net and what is written to them: `--reply-via fib`
/// asks for the first two. Where IPv6 is needed there are no link-local
/// addresses, from which the kernel would speak by itself.
const SETTINGS: [(&str, &str); 6] = [
    ("ipv4/conf/lo/forwarding", "1"),
    ("ipv6/conf/lo/forwarding", "1"),
    ("ipv6/conf/dgserver/addr_gen_mode", "1"),
    ("ipv6/conf/dgserver/disable_ipv6", "0"),
    ("ipv6/conf/dgserver7/addr_gen_mode", "1"),
    ("ipv6/conf/dgserver7/disable_ipv6", "0"),
];

/// Makes all of it on the pair.
///
/// # Errors
///
/// The kernel refuses something, or an interface does not come up.
pub fn lay() -> Result<()> {
    for (name, carrier, tag) in VLANS {
        netlink(async |handle| make_vlan(&handle, name, carrier, tag).await)
            .with_context(|| format!("make the VLAN interface {name}"))?;
        wait_until_up(name)?;
    }
    for (file, value) in SETTINGS {
        let file = format!("/proc/sys/net/{file}");
        fs::write(&file, value).with_context(|| file.clone())?;
    }
    netlink(async |handle| {
        let loopback = LinkUnspec::new_with_name("lo").up().build();
        handle.link().set(loopback).execute().await?;
        add_addresses(&handle).await.context("addresses")?;
        add_ways(&handle).await.context("routes and neighbours")
    })
}

/// Makes the interface that is to be moved away.
///
/// # Errors
///
/// The kernel refuses it.
pub fn make_elsewhere() -> Result<()> {
    netlink(async |handle| make_vlan(&handle, ELSEWHERE, SERVER_END, (0x8100, 12)).await)
}

async fn make_vlan(handle: &Handle, name: &str, carrier: &str, tag: Tag) -> Result<()> {
    let (ether_type, number) = tag;
    let link = LinkVlan::new(name, index(carrier)?, number)
        .protocol(VlanProtocol::from(ether_type))
        .up();
    handle.link().add(link.build()).execute().await?;
    Ok(())
}

async fn add_addresses(handle: &Handle) -> Result<()> {
    for (address, prefix, interface) in ADDRESSES {
        let addresses = handle.address();
        let mut request = addresses.add(index(interface)?, address, prefix);
        // Without it the address cannot be used for a second.
        let at_once = AddressAttribute::Flags(AddressFlags::Nodad);
        request.message_mut().attributes.push(at_once);
        request.execute().await?;
    }
    Ok(())
}

async fn add_ways(handle: &Handle) -> Result<()> {
    for (address, interface) in NEIGHBOURS {
        let number = index(interface)?;
        let neighbours = handle.neighbours();
        let neighbour = neighbours.add(number, address).link_layer_address(&ROUTER);
        neighbour.execute().await.context(address)?;
        // The router is on the link by the prefix of our own address.
        if address != ROUTER_V4 && address != ROUTER_V6 {
            let route = RouteMessageBuilder::<IpAddr>::new()
                .destination_prefix(address, 32)?
                .output_interface(number)
                .scope(RouteScope::Link);
            handle.route().add(route.build()).execute().await?;
        }
    }
    for (network, prefix, router) in ROUTED {
        let route = RouteMessageBuilder::<IpAddr>::new()
            .destination_prefix(network, prefix)?
            .gateway(router)?;
        handle.route().add(route.build()).execute().await?;
    }
    Ok(())
}
