//! The interfaces that the daemon serves: from names to attached programs.

use dns_glue_common::maps::MAX_INTERFACES;

use super::network::{Link, LinkKind, Snapshot};
use super::offloads::{self, TagOffload, Tags};
use super::paths::Paths;
use super::status::{InterfaceStatus, mac_text};
use crate::kernel::attach::{self, AttachError, AttachMode, ModeChoice};
use crate::kernel::{Attachment, HostMaps, Loaded, Target, XdpLink};

/// Octets that a frame without tail room can always grow by, into its head
/// room (256 octets, of which the frame's bookkeeping takes 40).
pub const HEAD_ROOM_OCTETS: usize = 216;

/// Why an interface cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum InterfaceError {
    /// There is none of that name.
    #[error("--iface {name}: no such interface; there are {}", .existing.join(", "))]
    None {
        /// The name.
        name: String,
        /// Those that exist.
        existing: Vec<String>,
    },
    /// Named twice.
    #[error("--iface {0} is given twice")]
    Twice(String),
    /// More than the map holds.
    #[error("--iface: at most {MAX_INTERFACES} interfaces")]
    TooMany,
    /// Its frames are not Ethernet frames.
    #[error("--iface {0}: it has no MAC address, and dns-glue answers Ethernet frames only")]
    NotEthernet(String),
    /// It is a VLAN.
    #[error(
        "--iface {name}: it is a VLAN interface, whose replies would leave without the tag; \
         give the interface below it{}: dns-glue reads the tags",
        .lower.as_ref().map_or(String::new(), |lower| format!(" (--iface {lower})"))
    )]
    Vlan {
        /// Its name.
        name: String,
        /// What carries it.
        lower: Option<String>,
    },
    /// Its frames come in through its ports.
    #[error(
        "--iface {name}: it is a {kind}, and its frames come in through its ports: attach to \
         them instead, --iface {}, with --address for the addresses of {name}",
        if .ports.is_empty() { String::from("PORT...") } else { .ports.join(" ") }
    )]
    OfPorts {
        /// Its name.
        name: String,
        /// What it is.
        kind: &'static str,
        /// Its ports.
        ports: Vec<String>,
    },
    /// It hides VLAN tags from the program.
    #[error(
        "{name} takes VLAN tags out of frames before the program sees them, and replies would \
         leave untagged: turn that off with `ethtool -K {name} {}`, or let --fix-offload do it \
         as long as dns-glue runs",
        .offloads.iter().map(|name| format!("{name} off")).collect::<Vec<_>>().join(" ")
    )]
    TagOffload {
        /// Its name.
        name: String,
        /// The offloads, as ethtool calls them.
        offloads: Vec<&'static str>,
    },
    /// It hides VLAN tags, and cannot be made not to.
    #[error(
        "{name} takes VLAN tags out of frames and its driver cannot be told not to, and there \
         are VLANs on it ({}): their replies would leave untagged", .vlans.join(", ")
    )]
    FixedTagOffload {
        /// Its name.
        name: String,
        /// The VLAN interfaces.
        vlans: Vec<String>,
    },
    /// `--fix-offload` did not work.
    #[error("--fix-offload: {name}: cannot turn {offload} off: {cause}")]
    FixFailed {
        /// Its name.
        name: String,
        /// The offload.
        offload: &'static str,
        /// What the driver said.
        cause: std::io::Error,
    },
    /// There is nothing to add.
    #[error("{0} is served already")]
    Served(String),
    /// There is nothing to remove.
    #[error("{name} is not served; there are {}", .served.join(", "))]
    NotServed {
        /// Its name.
        name: String,
        /// Those that are served.
        served: Vec<String>,
    },
    /// Without it nothing would be served.
    #[error("{0} is the last interface: `dns-glue stop` ends the service")]
    Last(String),
    /// The program is not attached.
    #[error(transparent)]
    Attach(#[from] AttachError),
}

/// Finds the interfaces of these names and checks that they can be served:
/// among others that no program is on them, unless `is_ours` says whose it is.
///
/// # Errors
///
/// The first that cannot.
pub fn choose(
    names: &[String],
    snapshot: &Snapshot,
    is_ours: impl Fn(&Link) -> bool,
) -> Result<Vec<Link>, InterfaceError> {
    if names.len() > MAX_INTERFACES as usize {
        return Err(InterfaceError::TooMany);
    }
    let mut chosen: Vec<Link> = Vec::with_capacity(names.len());
    for name in names {
        let link = snapshot.link(name).ok_or_else(|| InterfaceError::None {
            name: name.clone(),
            existing: snapshot
                .links
                .iter()
                .map(|link| link.name.clone())
                .collect(),
        })?;
        if chosen.iter().any(|other| other.index == link.index) {
            return Err(InterfaceError::Twice(name.clone()));
        }
        check_kind(link, snapshot)?;
        if !is_ours(link) {
            attach::check_free(&target(link))?;
        }
        chosen.push(link.clone());
    }
    Ok(chosen)
}

/// Checks that the frames of an interface are Ethernet frames which come in
/// through itself.
///
/// # Errors
///
/// They are not.
pub fn check_kind(link: &Link, snapshot: &Snapshot) -> Result<(), InterfaceError> {
    let name = &link.name;
    if link.kind == LinkKind::Vlan {
        let lower = link.lower.and_then(|index| snapshot.link_by_index(index));
        return Err(InterfaceError::Vlan {
            name: name.clone(),
            lower: lower.map(|lower| lower.name.clone()),
        });
    }
    // A program on a bond runs for its ports, and sees their numbers: none of
    // its queries would be taken for one of the interface's.
    if let Some(kind) = link.kind.of_ports() {
        let ports = snapshot.ports(link.index);
        return Err(InterfaceError::OfPorts {
            name: name.clone(),
            kind,
            ports: ports.map(|port| port.name.clone()).collect(),
        });
    }
    if link.mac.is_none() {
        return Err(InterfaceError::NotEthernet(name.clone()));
    }
    Ok(())
}

/// What to tell of an interface that is a port: what belongs to its master is
/// not found on it.
pub fn port_warnings(link: &Link, snapshot: &Snapshot, addresses_given: bool) -> Vec<String> {
    let Some(master) = snapshot.master(link) else {
        return Vec::new();
    };
    let (port, name) = (&link.name, &master.name);
    let kind = master.kind.of_ports().unwrap_or_default();
    let mut warnings = Vec::new();
    if !addresses_given {
        warnings.push(format!(
            "{port} is a port of the {kind} {name}: the addresses of {name} are served only if \
             --address names them"
        ));
    }
    if master.mac.is_some() && master.mac != link.mac {
        warnings.push(format!(
            "{port} has another MAC address than the {kind} {name} that it is a port of: queries \
             sent to the address of {name} pass (counter foreign-mac)"
        ));
    }
    warnings
}

/// Warns if an interface is a port of a bond, bridge or team.
pub fn warn_of_master(link: &Link, snapshot: &Snapshot, addresses_given: bool) {
    for warning in port_warnings(link, snapshot, addresses_given) {
        log::warn!("{warning}");
    }
}

/// Whether frames may have no room at their tail: they are the socket buffers
/// of somebody who did not think of it.
pub fn has_little_room(mode: AttachMode, kind: LinkKind) -> bool {
    mode == AttachMode::Generic || kind == LinkKind::Veth
}

/// What attaching needs to know of an interface.
pub fn target(link: &Link) -> Target {
    Target {
        name: link.name.clone(),
        index: link.index,
        mtu: link.mtu,
        occupied_by: link.xdp_program,
    }
}

/// Offloads that `--fix-offload` turned off; its drop turns them on again.
#[derive(Debug)]
pub struct FixedOffloads {
    interface: String,
    offloads: Vec<TagOffload>,
}

impl FixedOffloads {
    /// The name of the interface.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Leaves them off: a program that goes on answering needs them so.
    pub fn keep(mut self) {
        if !self.offloads.is_empty() {
            log::info!("{}: VLAN tag offloads stay off", self.interface);
            self.offloads.clear();
        }
    }
}

impl Drop for FixedOffloads {
    fn drop(&mut self) {
        let Self {
            interface,
            offloads,
        } = self;
        if !offloads.is_empty()
            && let Err(error) = offloads::set_tag_offloads(interface, offloads, true)
        {
            log::warn!("{interface}: cannot turn VLAN offloads on again: {error}");
        }
    }
}

/// Checks that the program will see the VLAN tags of an interface, and with
/// `fix` makes sure of it.
///
/// # Errors
///
/// It will not.
pub fn check_tags(
    link: &Link,
    snapshot: &Snapshot,
    fix: bool,
) -> Result<Option<FixedOffloads>, InterfaceError> {
    let name = &link.name;
    let vlans = vlan_names(link, snapshot);
    let offloads = match offloads::tag_offloads(name) {
        Ok(offloads) => offloads,
        Err(error) => {
            log::warn!("{name}: cannot ask for its VLAN offloads: {error}");
            return Ok(None);
        }
    };
    let (changeable, for_good) = match offloads::tags(link.kind, !vlans.is_empty(), offloads) {
        Tags::Seen => return Ok(None),
        Tags::PeerDecides => {
            log::warn!(
                "{name} carries VLANs ({}): on its peer run `ethtool -K PEER txvlan off`, or \
                 tagged queries are answered untagged",
                vlans.join(", ")
            );
            return Ok(None);
        }
        Tags::Hidden {
            changeable,
            for_good,
        } => (changeable, for_good),
    };
    match tag_refusal(link, snapshot, &changeable, for_good) {
        Some(InterfaceError::TagOffload { .. }) if fix => {}
        Some(refusal) => return Err(refusal),
        None => {}
    }
    if for_good {
        log::warn!("{name} hides VLAN tags and cannot be told not to: keep tagged queries off it");
    }
    if changeable.is_empty() {
        return Ok(None);
    }
    turn_off(name, changeable).map(Some)
}

/// Why an interface is not served that hides tags: by offloads that can be
/// turned off, or by others, with VLANs on it.
pub fn tag_refusal(
    link: &Link,
    snapshot: &Snapshot,
    changeable: &[TagOffload],
    for_good: bool,
) -> Option<InterfaceError> {
    let name = link.name.clone();
    let vlans = vlan_names(link, snapshot);
    if for_good && !vlans.is_empty() {
        return Some(InterfaceError::FixedTagOffload { name, vlans });
    }
    (!changeable.is_empty()).then(|| InterfaceError::TagOffload {
        name,
        offloads: changeable.iter().map(|offload| offload.name).collect(),
    })
}

/// The names of the VLANs on top of an interface.
fn vlan_names(link: &Link, snapshot: &Snapshot) -> Vec<String> {
    let vlans = snapshot.vlans_above(link.index);
    vlans.map(|vlan| vlan.name.clone()).collect()
}

fn turn_off(name: &str, wanted: Vec<TagOffload>) -> Result<FixedOffloads, InterfaceError> {
    let failed = |cause| InterfaceError::FixFailed {
        name: name.to_owned(),
        offload: wanted.first().map_or("", |offload| offload.name),
        cause,
    };
    offloads::set_tag_offloads(name, &wanted, false).map_err(failed)?;
    // Success means that the wish was noted; the driver may still not follow.
    let still_on = offloads::tag_offloads(name).map_err(failed)?;
    if let Some(offload) = still_on.iter().find(|offload| offload.changeable) {
        return Err(InterfaceError::FixFailed {
            name: name.to_owned(),
            offload: offload.name,
            cause: std::io::ErrorKind::Unsupported.into(),
        });
    }
    log::info!("{name}: VLAN tag offloads turned off");
    Ok(FixedOffloads {
        interface: name.to_owned(),
        offloads: wanted,
    })
}

/// An interface with the program on it.
#[derive(Debug)]
pub struct Served {
    /// As it was last seen.
    link: Link,
    /// `None` when the interface is gone, or somebody has detached the program.
    attachment: Option<Attachment>,
    mode: AttachMode,
    /// Whether our program was on it when it was last seen.
    has_program: bool,
    /// Why it cannot be served although it is there.
    refusal: Option<String>,
}

impl Served {
    /// Attaches the program, which knows of the interface already.
    ///
    /// # Errors
    ///
    /// See [`AttachError`].
    pub fn attach(loaded: &Loaded, link: Link, choice: ModeChoice) -> Result<Self, AttachError> {
        let attachment = attach::attach(loaded, &target(&link), choice)?;
        let mode = attachment.mode;
        match &attachment.fallback_cause {
            Some(cause) => log::warn!("{}: attached in {mode} mode: {cause}", link.name),
            None => log::info!("{}: attached in {mode} mode", link.name),
        }
        Ok(Self {
            link,
            attachment: Some(attachment),
            mode,
            has_program: true,
            refusal: None,
        })
    }

    /// Takes over an interface on which a program is already, behind
    /// `program_link`.
    pub fn adopt(link: Link, program_link: XdpLink, choice: ModeChoice) -> Self {
        let mode = match link.xdp_is_generic {
            true => AttachMode::Generic,
            false => AttachMode::Native,
        };
        let name = &link.name;
        log::info!("{name}: taken over, attached in {mode} mode");
        if matches!(choice, ModeChoice::Only(wanted) if wanted != mode) {
            log::warn!("{name}: stays in {mode} mode; `dns-glue stop` first for --mode {choice}");
        }
        Self {
            attachment: Some(Attachment {
                index: link.index,
                mode,
                fallback_cause: None,
                link: program_link,
            }),
            link,
            mode,
            has_program: true,
            refusal: None,
        }
    }

    /// The name of the interface, and the link that holds the program on it;
    /// `None` when it is not served.
    pub fn program_link(&self) -> Option<(&str, &XdpLink)> {
        let attachment = self.attachment.as_ref()?;
        Some((&self.link.name, &attachment.link))
    }

    /// The name of the interface.
    pub fn name(&self) -> &str {
        &self.link.name
    }

    /// Notes, and logs if that is new, why an interface that is there is not
    /// served.
    pub fn note_refusal(&mut self, refusal: String) {
        if self.refusal.as_ref() != Some(&refusal) {
            log::error!("{} is there, and is not served: {refusal}", self.link.name);
        }
        self.refusal = Some(refusal);
    }

    /// Forgets why, when it has gone again.
    pub fn forget_refusal(&mut self) {
        self.refusal = None;
    }

    /// Whether it is there and is not served: another try may help.
    pub fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// The number of the interface.
    pub fn index(&self) -> u32 {
        self.link.index
    }

    /// Whether the interface is no more, or has no program of ours any more.
    pub fn is_gone(&self) -> bool {
        self.attachment.is_none()
    }

    /// Whether the program is on it, or is not, although it was otherwise when
    /// the host was last looked at: the kernel sends no message of a link that
    /// is detached or gets another program.
    pub fn has_turned(&self, program: u32) -> bool {
        let Some(Ok(facts)) = self.attachment.as_ref().map(|one| one.link.facts()) else {
            return false;
        };
        facts.interface.is_none() || (facts.program == program) != self.has_program
    }

    /// Warns if bodies of that many octets may find no room in its frames.
    pub fn warn_of_little_room(&self, largest_body: usize) {
        if has_little_room(self.mode, self.link.kind) && largest_body > HEAD_ROOM_OCTETS {
            log::warn!(
                "{}: {} frames may have room for as little as {HEAD_ROOM_OCTETS} octets more, and \
                 the longest referral adds {largest_body}: queries without room pass (counter \
                 no-room)",
                self.link.name,
                if self.mode == AttachMode::Generic {
                    "in generic mode"
                } else {
                    "veth"
                },
            );
        }
    }

    /// Brings the interface up to date with the host.
    ///
    /// # Errors
    ///
    /// The map cannot be changed.
    pub fn update(
        &mut self,
        snapshot: &Snapshot,
        paths: &Paths,
        program: u32,
        host_maps: &mut HostMaps,
    ) -> Result<(), crate::kernel::LoadError> {
        // Another interface may have been given the same number.
        let is_orphaned = self
            .attachment
            .as_ref()
            .is_some_and(Attachment::is_orphaned);
        let there = snapshot.link_by_index(self.link.index);
        let Some(now) = there.filter(|_| !is_orphaned) else {
            if self.attachment.take().is_some() {
                match there.is_some_and(|now| self.is_the_same(now)) {
                    true => log::error!("{}: somebody took the program off", self.link.name),
                    false => log::error!("{} is gone: it is served no more", self.link.name),
                }
                host_maps.remove_interface(self.link.index)?;
                self.has_program = false;
            }
            return Ok(());
        };
        if self.attachment.is_none() {
            return Ok(());
        }
        if (now.mac, now.mtu) != (self.link.mac, self.link.mtu) {
            let mac = now.mac.map_or_else(|| String::from("none"), mac_text);
            log::info!("{}: MTU {}, MAC address {mac}", now.name, now.mtu);
        }
        match paths.entry(now, snapshot) {
            Some(entry) => host_maps.set_interface(now.index, entry)?,
            None => host_maps.remove_interface(now.index)?,
        }
        let has_program = now.xdp_program == Some(program);
        if self.has_program && !has_program {
            log::error!("{}: somebody took the program off", now.name);
        }
        self.has_program = has_program;
        self.link = now.clone();
        Ok(())
    }

    /// Whether an interface of the same number is this one, as far as can be
    /// seen.
    fn is_the_same(&self, other: &Link) -> bool {
        (&other.name, other.mac) == (&self.link.name, self.link.mac)
    }

    /// Takes the program off.
    pub fn detach(self) {
        let Some(attachment) = self.attachment else {
            return;
        };
        match attachment.detach() {
            Ok(()) => log::info!("{}: detached", self.link.name),
            Err(error) => log::warn!("{}: cannot detach: {error}", self.link.name),
        }
    }

    /// What `status` says of it.
    pub fn status(&self, paths: &Paths) -> InterfaceStatus {
        let virtual_macs = paths.macs_of(&self.link.name);
        InterfaceStatus {
            name: self.link.name.clone(),
            index: self.link.index,
            mode: self.mode.to_string(),
            attached: self.attachment.is_some() && self.has_program,
            mtu: self.link.mtu,
            mac: self.link.mac.map(mac_text).unwrap_or_default(),
            virtual_macs: virtual_macs.into_iter().map(mac_text).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let link = |index, name: &str, kind, mac| Link {
            index,
            name: String::from(name),
            mac,
            mtu: 1500,
            kind,
            lower: (kind == LinkKind::Vlan).then_some(2),
            tag: None,
            master: name.starts_with("port").then_some(6),
            xdp_program: (name == "taken").then_some(u32::MAX),
            xdp_is_generic: false,
        };
        let mac = Some([2, 0, 0, 0, 0, 1]);
        Snapshot {
            links: vec![
                link(1, "lo", LinkKind::Loopback, Some([0; 6])),
                link(2, "eth0", LinkKind::Other, mac),
                link(3, "eth0.7", LinkKind::Vlan, mac),
                link(4, "tun0", LinkKind::Other, None),
                link(5, "taken", LinkKind::Other, mac),
                link(6, "bond0", LinkKind::Bond, mac),
                link(7, "port1", LinkKind::Other, mac),
                link(8, "port2", LinkKind::Other, Some([2, 0, 0, 0, 0, 2])),
                link(9, "br0", LinkKind::Bridge, mac),
            ],
            ..Snapshot::default()
        }
    }

    fn refusal(names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| String::from(*name)).collect();
        choose(&names, &snapshot(), |_| false)
            .expect_err("refused")
            .to_string()
    }

    #[test]
    fn refusals_name_the_interface_and_the_way_out() {
        let message = refusal(&["eth1"]);
        assert!(
            message.contains("--iface eth1") && message.contains("lo, eth0"),
            "{message}"
        );
        let message = refusal(&["eth0.7"]);
        assert!(message.contains("(--iface eth0)"), "{message}");
        let message = refusal(&["tun0"]);
        assert!(message.contains("no MAC address"), "{message}");
        let message = refusal(&["eth0", "eth0"]);
        assert!(message.contains("twice"), "{message}");
        let message = refusal(&["taken"]);
        assert!(message.contains("number 4294967295"), "{message}");
    }

    #[test]
    fn what_has_ports_is_refused_for_them() {
        let message = refusal(&["bond0"]);
        assert!(message.contains("it is a bond"), "{message}");
        assert!(
            message.contains("--iface port1 port2, with --address for the addresses of bond0"),
            "{message}"
        );
        let message = refusal(&["br0"]);
        assert!(message.contains("it is a bridge"), "{message}");
        assert!(message.contains("--iface PORT..., with"), "{message}");
    }

    #[test]
    fn ports_are_told_what_belongs_to_their_master() {
        let snapshot = snapshot();
        let warnings = |name: &str, addresses_given| {
            let link = snapshot.link(name).expect("a link");
            port_warnings(link, &snapshot, addresses_given)
        };
        assert_eq!(warnings("eth0", false), [""; 0]);
        assert_eq!(warnings("port1", true), [""; 0]);
        let of_port = warnings("port1", false);
        assert_eq!(of_port.len(), 1);
        assert!(of_port[0].contains("only if --address"), "{of_port:?}");
        let of_port = warnings("port2", true);
        assert_eq!(of_port.len(), 1);
        assert!(of_port[0].contains("foreign-mac"), "{of_port:?}");
        assert_eq!(warnings("port2", false).len(), 2);
    }

    #[test]
    fn interfaces_keep_the_order_of_the_command_line() {
        let names = [String::from("eth0"), String::from("lo")];
        let chosen = choose(&names, &snapshot(), |_| false).expect("both");
        assert_eq!(
            chosen.iter().map(|link| link.index).collect::<Vec<_>>(),
            [2, 1]
        );
    }
}
