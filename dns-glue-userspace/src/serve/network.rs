//! The host's interfaces and addresses, and when they change.
//!
//! Every change leads to a new snapshot of everything, which the daemon
//! compares with what it knows: a lost or reordered message can then do no
//! harm, and there is one way of learning about the host instead of two.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use dns_glue_common::frame::vlan::Vlans;
use futures_util::stream::{Stream, StreamExt as _, TryStreamExt as _};
use rtnetlink::{
    Handle, MulticastGroup, new_multicast_connection,
    packet_route::{
        address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope},
        link::{
            InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, LinkXdp,
            XdpAttached,
        },
    },
};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Changes come in bursts (an interface going up is several): this long none
/// may come before the host is looked at again.
const QUIET: Duration = Duration::from_millis(50);
/// However many changes come, the host is looked at again after this long.
const AT_MOST: Duration = Duration::from_millis(500);

/// The number of `lo`, which every network namespace has.
const LOOPBACK_INDEX: u32 = 1;

/// From asm-generic/socket.h.
const SO_NETNS_COOKIE: libc::c_int = 71;

/// Why the host's interfaces are not known.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No netlink socket.
    #[error("cannot ask the kernel for its interfaces (netlink)")]
    Socket(#[from] io::Error),
    /// A request failed.
    #[error("the kernel does not tell its {what} (netlink): {cause}")]
    Request {
        /// What was asked for.
        what: &'static str,
        /// What went wrong.
        cause: rtnetlink::Error,
    },
    /// An answer ended too early.
    #[error("the kernel did not tell all of its interfaces and addresses (netlink)")]
    Incomplete,
    /// The netlink socket was closed.
    #[error("the kernel tells no more changes of interfaces and addresses (netlink)")]
    Closed,
}

/// What an interface is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// `lo`.
    Loopback,
    /// One end of a veth pair.
    Veth,
    /// A VLAN on top of another interface.
    Vlan,
    /// A bond of ports.
    Bond,
    /// A bridge between ports.
    Bridge,
    /// A team of ports.
    Team,
    /// Anything else, network cards among them.
    Other,
}

impl LinkKind {
    /// What an interface is called whose frames come in through its ports;
    /// `None` for any other.
    pub fn of_ports(self) -> Option<&'static str> {
        match self {
            Self::Bond => Some("bond"),
            Self::Bridge => Some("bridge"),
            Self::Team => Some("team"),
            Self::Loopback | Self::Veth | Self::Vlan | Self::Other => None,
        }
    }
}

/// What the frames of a VLAN are tagged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// 0x8100, or 0x88a8 for a service tag.
    pub ether_type: u16,
    /// The number of the VLAN.
    pub number: u16,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its MAC address, if it has one of six octets.
    pub mac: Option<[u8; 6]>,
    /// Its MTU, octets.
    pub mtu: u32,
    /// What it is.
    pub kind: LinkKind,
    /// The number of the interface below it: of a VLAN, what carries it.
    pub lower: Option<u32>,
    /// Of a VLAN: what its frames are tagged with.
    pub tag: Option<Tag>,
    /// The number of the interface that it is a port of.
    pub master: Option<u32>,
    /// The number of the XDP program on it.
    pub xdp_program: Option<u32>,
    /// Whether that is attached in generic mode.
    pub xdp_is_generic: bool,
}

/// The host at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// All interfaces.
    pub links: Vec<Link>,
    /// All usable addresses, each with the number of its interface.
    pub addresses: BTreeSet<(u32, IpAddr)>,
}

impl Snapshot {
    /// The interface of that name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The interface of that number.
    pub fn link_by_index(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// VLAN interfaces on top of the interface of that number.
    pub fn vlans_above(&self, index: u32) -> impl Iterator<Item = &Link> {
        self.links
            .iter()
            .filter(move |link| link.kind == LinkKind::Vlan && link.lower == Some(index))
    }

    /// What the frames are tagged with that the interface of that number
    /// carries for VLAN interfaces, by the numbers of those: up to two tags, as
    /// the program reads them.
    pub fn vlan_tags_above(&self, index: u32) -> BTreeMap<u32, Vlans> {
        let mut all = BTreeMap::new();
        for (outer, vlans) in self.tagged_above(index, Vlans::NONE) {
            all.insert(outer, vlans);
            all.extend(self.tagged_above(outer, vlans));
        }
        all
    }

    fn tagged_above(&self, index: u32, carried: Vlans) -> impl Iterator<Item = (u32, Vlans)> {
        self.vlans_above(index).filter_map(move |link| {
            let tag = link.tag?;
            Some((link.index, carried.inside(tag.ether_type, tag.number)?))
        })
    }

    /// The ports of the interface of that number.
    pub fn ports(&self, index: u32) -> impl Iterator<Item = &Link> {
        self.links
            .iter()
            .filter(move |link| link.master == Some(index))
    }

    /// The bond, bridge or team that an interface is a port of. Other masters
    /// (a VRF) leave their ports' addresses where they are.
    pub fn master(&self, port: &Link) -> Option<&Link> {
        self.link_by_index(port.master?)
            .filter(|master| master.kind.of_ports().is_some())
    }

    /// What `--address` is when it is not given: the addresses of the
    /// interfaces of these numbers, of the VLAN interfaces on top of them whose
    /// frames the program reads, and of `lo`.
    ///
    /// Not loopback addresses; and not link-local ones, from which no
    /// resolver beyond the link can be served, and which the fallback could
    /// only bind an interface at a time. `--address` can name them.
    pub fn default_service_addresses(&self, interfaces: &[u32]) -> BTreeSet<IpAddr> {
        let loopback = self
            .links
            .iter()
            .filter(|link| link.kind == LinkKind::Loopback)
            .map(|link| link.index);
        let vlans = interfaces
            .iter()
            .flat_map(|index| self.vlan_tags_above(*index).into_keys());
        let served: BTreeSet<u32> = interfaces
            .iter()
            .copied()
            .chain(loopback)
            .chain(vlans)
            .collect();
        self.addresses
            .iter()
            .filter(|(index, _)| served.contains(index))
            .map(|(_, address)| *address)
            .filter(|address| !address.is_loopback() && !is_link_local(address))
            .collect()
    }

    /// Whether any interface has the address.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|(_, other)| *other == address)
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// The connection to the kernel.
pub struct Network {
    handle: Handle,
    namespace: u64,
    /// Holds one `()` when something has changed since the last was taken.
    changes: mpsc::Receiver<()>,
    /// Ends with the network.
    _tasks: JoinSet<()>,
}

impl Network {
    /// Connects, in the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// The socket cannot be made.
    pub fn connect() -> Result<Self, NetworkError> {
        let (connection, handle, messages) = new_multicast_connection(&[
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ])?;
        let (sender, changes) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        tasks.spawn(gather(messages.map(drop), sender));
        Ok(Self {
            handle,
            namespace: namespace()?,
            changes,
            _tasks: tasks,
        })
    }

    /// The kernel's number of the network namespace. Unlike that of its inode
    /// it is given to no other one until the next boot.
    pub fn namespace(&self) -> u64 {
        self.namespace
    }

    /// Asks for all interfaces and addresses.
    ///
    /// # Errors
    ///
    /// A request failed, or its answer is not whole.
    pub async fn snapshot(&self) -> Result<Snapshot, NetworkError> {
        let links = self.handle.link().get().execute();
        let links: Vec<LinkMessage> = links.try_collect().await.map_err(request("interfaces"))?;
        let addresses = self.handle.address().get().execute();
        let addresses: Vec<AddressMessage> = addresses
            .try_collect()
            .await
            .map_err(request("addresses"))?;
        self.check_alive().await?;
        Ok(Snapshot {
            links: links.into_iter().map(read_link).collect(),
            addresses: addresses.into_iter().filter_map(read_address).collect(),
        })
    }

    /// Makes sure that the answers so far were whole: when the socket closes
    /// within one, it only ends, and what is missing would be taken for gone.
    async fn check_alive(&self) -> Result<(), NetworkError> {
        let loopback = self.handle.link().get().match_index(LOOPBACK_INDEX);
        let links: Vec<LinkMessage> = loopback
            .execute()
            .try_collect()
            .await
            .map_err(request("interfaces"))?;
        if links.is_empty() {
            return Err(NetworkError::Incomplete);
        }
        Ok(())
    }

    /// Waits until something has changed and has settled. Cancelled and
    /// called again, it misses nothing.
    ///
    /// # Errors
    ///
    /// The socket was closed; nothing will be told any more.
    pub async fn changed(&mut self) -> Result<(), NetworkError> {
        self.changes.recv().await.ok_or(NetworkError::Closed)
    }
}

/// The number of the calling thread's network namespace (`SO_NETNS_COOKIE`,
/// Linux 5.14).
fn namespace() -> io::Result<u64> {
    let socket = UnixDatagram::unbound()?;
    let mut cookie = 0_u64;
    let mut octets = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes no more octets than it is told that there are,
    // and their number; both pointers are to locals that outlive the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut octets,
        )
    };
    match result {
        0 => Ok(cookie),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes one signal of a burst of messages.
///
/// A task of its own: its waiting must not be cancelled with that of whoever
/// waits for the signal, or the burst would be forgotten.
async fn gather(mut messages: impl Stream<Item = ()> + Unpin, signal: mpsc::Sender<()>) {
    while let Some(()) = messages.next().await {
        let settled = async { while let Ok(Some(())) = timeout(QUIET, messages.next()).await {} };
        // Beyond the limit it is looked at while it goes on changing.
        let _in_time = timeout(AT_MOST, settled).await;
        if let Err(TrySendError::Closed(())) = signal.try_send(()) {
            return;
        }
    }
}

fn request(what: &'static str) -> impl Fn(rtnetlink::Error) -> NetworkError {
    move |cause| NetworkError::Request { what, cause }
}

fn read_link(message: LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mac: None,
        mtu: 0,
        kind: LinkKind::Other,
        lower: None,
        tag: None,
        master: None,
        xdp_program: None,
        xdp_is_generic: false,
    };
    if message.header.flags.contains(LinkFlags::Loopback) {
        link.kind = LinkKind::Loopback;
    }
    let mut is_carried_elsewhere = false;
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(octets) => link.mac = octets.try_into().ok(),
            LinkAttribute::Link(lower) => link.lower = Some(lower),
            LinkAttribute::Controller(master) => {
                link.master = Some(master).filter(|&master| master != 0)
            }
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    match info {
                        LinkInfo::Kind(InfoKind::Veth) => link.kind = LinkKind::Veth,
                        LinkInfo::Kind(InfoKind::Vlan) => link.kind = LinkKind::Vlan,
                        LinkInfo::Kind(InfoKind::Bond) => link.kind = LinkKind::Bond,
                        LinkInfo::Kind(InfoKind::Bridge) => link.kind = LinkKind::Bridge,
                        LinkInfo::Kind(InfoKind::Team) => {
                            link.kind = LinkKind::Team;
                        }
                        LinkInfo::Data(InfoData::Vlan(infos)) => link.tag = vlan_tag(&infos),
                        _ => {}
                    }
                }
            }
            LinkAttribute::Xdp(attributes) => {
                link.xdp_program = xdp_program(&attributes);
                let generic = LinkXdp::Attached(XdpAttached::SocketBuffer);
                link.xdp_is_generic = attributes.contains(&generic);
            }
            // What carries it is in another network namespace, where numbers
            // mean other interfaces.
            LinkAttribute::LinkNetNsId(_) => is_carried_elsewhere = true,
            _ => {}
        }
    }
    if is_carried_elsewhere {
        link.lower = None;
    }
    link
}

/// What the frames of a VLAN interface are tagged with.
fn vlan_tag(infos: &[InfoVlan]) -> Option<Tag> {
    let number = infos.iter().find_map(|info| match info {
        InfoVlan::Id(number) => Some(*number),
        _ => None,
    })?;
    let ether_type = infos.iter().find_map(|info| match info {
        InfoVlan::Protocol(protocol) => Some(u16::from(*protocol)),
        _ => None,
    })?;
    Some(Tag { ether_type, number })
}

/// The number of the program, whichever mode it is attached in.
fn xdp_program(attributes: &[LinkXdp]) -> Option<u32> {
    attributes.iter().find_map(|attribute| match attribute {
        LinkXdp::ProgId(id)
        | LinkXdp::DrvProgId(id)
        | LinkXdp::SkbProgId(id)
        | LinkXdp::HwProgId(id) => Some(*id),
        _ => None,
    })
}

/// The address, unless the host may not use it yet or at all (duplicate
/// address detection, RFC 4862 5.4).
fn read_address(message: AddressMessage) -> Option<(u32, IpAddr)> {
    let mut address = None;
    let mut local = None;
    for attribute in message.attributes {
        match attribute {
            // On a point-to-point link `Address` is the other end.
            AddressAttribute::Local(ip) => local = Some(ip),
            AddressAttribute::Address(ip) => address = Some(ip),
            AddressAttribute::Flags(flags) => {
                let unusable = AddressFlags::Tentative | AddressFlags::Dadfailed;
                if flags.intersects(unusable) && !flags.contains(AddressFlags::Optimistic) {
                    return None;
                }
            }
            _ => {}
        }
    }
    if message.header.scope == AddressScope::Nowhere {
        return None;
    }
    Some((message.header.index, local.or(address)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::{iter, poll_fn};
    use rtnetlink::packet_route::link::VlanProtocol;
    use std::task::Poll;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_signal_even_for_the_impatient() {
        let burst = iter([(), (), ()]).chain(poll_fn(|_| Poll::Pending));
        let (sender, mut changes) = mpsc::channel(1);
        let task = tokio::spawn(gather(burst, sender));
        // One who gives up in the middle of the burst, again and again.
        let mut signals = 0;
        for _ in 0..100 {
            if let Ok(Some(())) = timeout(QUIET / 10, changes.recv()).await {
                signals += 1;
            }
        }
        assert_eq!(signals, 1);
        task.abort();
    }

    fn link(index: u32, kind: LinkKind, lower: Option<u32>) -> Link {
        Link {
            index,
            name: format!("if{index}"),
            mac: Some([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            kind,
            lower,
            tag: None,
            master: None,
            xdp_program: None,
            xdp_is_generic: false,
        }
    }

    fn vlan(index: u32, lower: u32) -> Link {
        Link {
            tag: Some(Tag {
                ether_type: 0x8100,
                number: 7,
            }),
            ..link(index, LinkKind::Vlan, Some(lower))
        }
    }

    fn snapshot() -> Snapshot {
        let addresses = [
            (1, "127.0.0.1"),
            (1, "::1"),
            (1, "192.0.2.53"),
            (2, "198.51.100.1"),
            (2, "2001:db8::1"),
            (2, "fe80::1"),
            (2, "169.254.1.1"),
            (3, "203.0.113.1"),
            (4, "198.51.100.65"),
            (5, "198.51.100.129"),
            (6, "198.51.100.193"),
        ];
        Snapshot {
            links: vec![
                link(1, LinkKind::Loopback, None),
                link(2, LinkKind::Other, None),
                link(3, LinkKind::Other, None),
                vlan(4, 2),
                vlan(5, 4),
                // Its frames have a tag more than the program reads.
                vlan(6, 5),
            ],
            addresses: addresses
                .map(|(index, address)| (index, address.parse().expect("an address")))
                .into(),
        }
    }

    #[test]
    fn default_addresses_are_of_the_interfaces_their_vlans_and_lo() {
        let addresses = snapshot().default_service_addresses(&[2]);
        let expected = [
            "192.0.2.53",
            "198.51.100.1",
            "198.51.100.65",
            "198.51.100.129",
            "2001:db8::1",
        ];
        let expected = expected.map(|address| address.parse().expect("an address"));
        assert_eq!(addresses, expected.into());
        let addresses = snapshot().default_service_addresses(&[3]);
        let expected = ["192.0.2.53", "203.0.113.1"];
        let expected = expected.map(|address| address.parse().expect("an address"));
        assert_eq!(addresses, expected.into());
    }

    #[test]
    fn vlans_above_an_interface() {
        let snapshot = snapshot();
        let above: Vec<u32> = snapshot.vlans_above(2).map(|link| link.index).collect();
        assert_eq!(above, [4]);
        assert_eq!(snapshot.vlans_above(3).count(), 0);
    }

    #[tokio::test]
    async fn a_closed_socket_is_no_empty_host() {
        let mut network = Network::connect().expect("a socket");
        let before = network.snapshot().await.expect("a host");
        assert!(before.link("lo").is_some());
        network._tasks.shutdown().await;
        network.snapshot().await.expect_err("nobody tells");
        let error = network.changed().await.expect_err("nor of changes");
        assert!(matches!(error, NetworkError::Closed), "{error}");
    }

    #[test]
    fn vlans_are_known_by_their_tags() {
        let vlan = |index, lower, number, protocol| {
            let mut message = LinkMessage::default();
            message.header.index = index;
            let data = vec![InfoVlan::Id(number), InfoVlan::Protocol(protocol)];
            message.attributes = vec![
                LinkAttribute::Link(lower),
                LinkAttribute::LinkInfo(vec![
                    LinkInfo::Kind(InfoKind::Vlan),
                    LinkInfo::Data(InfoData::Vlan(data)),
                ]),
            ];
            message
        };
        let (plain, service) = (VlanProtocol::Ieee8021Q, VlanProtocol::Ieee8021Ad);
        let mut elsewhere = vlan(8, 2, 9, plain);
        elsewhere.attributes.push(LinkAttribute::LinkNetNsId(1));
        let snapshot = Snapshot {
            links: [
                vlan(4, 2, 7, plain),
                vlan(5, 2, 4094, service),
                vlan(6, 5, 7, plain),
                // A third tag, and another carrier.
                vlan(7, 6, 7, plain),
                vlan(9, 3, 7, plain),
                elsewhere,
            ]
            .map(read_link)
            .into(),
            ..Snapshot::default()
        };
        let tagged = |vlans: Vlans, tag| vlans.inside(tag, 7).expect("room for a tag");
        let outer = Vlans::NONE.inside(0x88a8, 4094).expect("one tag");
        let expected = BTreeMap::from([
            (4, tagged(Vlans::NONE, 0x8100)),
            (5, outer),
            (6, tagged(outer, 0x8100)),
        ]);
        assert_eq!(snapshot.vlan_tags_above(2), expected);
    }

    #[test]
    fn bonds_bridges_teams_and_their_ports_are_told_apart() {
        let message = |index, kind, master| {
            let mut message = LinkMessage::default();
            message.header.index = index;
            message.attributes = vec![LinkAttribute::IfName(format!("if{index}"))];
            if let Some(kind) = kind {
                let info = vec![LinkInfo::Kind(kind)];
                message.attributes.push(LinkAttribute::LinkInfo(info));
            }
            if let Some(master) = master {
                message.attributes.push(LinkAttribute::Controller(master));
            }
            message
        };
        let snapshot = Snapshot {
            links: [
                message(2, Some(InfoKind::Bond), None),
                message(3, Some(InfoKind::Bridge), None),
                message(4, Some(InfoKind::Team), None),
                message(5, Some(InfoKind::Vrf), None),
                message(6, None, Some(2)),
                message(7, Some(InfoKind::Veth), Some(3)),
                message(8, None, Some(5)),
                message(9, None, None),
            ]
            .map(read_link)
            .into(),
            ..Snapshot::default()
        };
        let kinds: Vec<_> = snapshot
            .links
            .iter()
            .map(|link| link.kind.of_ports())
            .collect();
        let expected = [Some("bond"), Some("bridge"), Some("team")];
        assert_eq!(kinds[..3], expected);
        assert_eq!(kinds[3..], [None; 5]);
        let ports: Vec<u32> = snapshot.ports(2).map(|link| link.index).collect();
        assert_eq!(ports, [6]);
        let masters: Vec<_> = snapshot.links[4..]
            .iter()
            .map(|link| snapshot.master(link).map(|master| master.index))
            .collect();
        assert_eq!(masters, [Some(2), Some(3), None, None]);
    }
}
