//! How queries come and how replies go, as the operator chose: virtual MAC
//! addresses (`--mac`), and whose word decides where a reply goes
//! (`--reply-via`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::str::FromStr;

use dns_glue_common::maps::{Interface, MAX_VIRTUAL_MACS, MAX_VLANS};

use super::network::{Link, Snapshot};
use super::status::{mac_text, parse_mac};
use crate::kernel::ServedInterface;

/// Where the kernel keeps what it forwards, of each family: the file of `lo`,
/// and the name that sysctl(8) has for it.
const FORWARDING: [(&str, &str); 2] = [
    (
        "/proc/sys/net/ipv4/conf/lo/forwarding",
        "net.ipv4.conf.lo.forwarding",
    ),
    (
        "/proc/sys/net/ipv6/conf/lo/forwarding",
        "net.ipv6.conf.lo.forwarding",
    ),
];

/// A MAC address that is answered for beside the interfaces' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualMac {
    /// On this interface; `None`: on all.
    pub interface: Option<String>,
    /// The address.
    pub mac: [u8; 6],
}

impl FromStr for VirtualMac {
    type Err = String;

    /// Reads `MAC` or `IF=MAC`.
    fn from_str(text: &str) -> Result<Self, String> {
        // Names of interfaces may hold equals signs, MAC addresses do not.
        let (interface, mac) = match text.rsplit_once('=') {
            Some(("", _)) => return Err(String::from("an interface is missing before the `=`")),
            Some((interface, mac)) => (Some(interface.to_owned()), mac),
            None => (None, text),
        };
        let mac = parse_mac(mac).ok_or_else(|| {
            format!("{mac} is no MAC address: six octets, like 00:00:5e:00:01:33")
        })?;
        let why = match mac {
            [0, 0, 0, 0, 0, 0] => "of zeros, which nobody has",
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => {
                "the broadcast address, which nobody sends from"
            }
            [first, ..] if first & 1 != 0 => "a multicast address, which nobody sends from",
            _ => return Ok(Self { interface, mac }),
        };
        Err(format!("{} is {why}", mac_text(mac)))
    }
}

/// What the operator chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// MAC addresses beside the interfaces' own.
    pub virtual_macs: Vec<VirtualMac>,
    /// Whether the kernel's routing table decides where replies go.
    pub via_fib: bool,
}

/// Why that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// An address for an interface that is not served.
    #[error("--mac {interface}={}: {interface} is not among --iface {}", mac_text(*.mac), .served.join(" "))]
    OtherInterface {
        /// The interface.
        interface: String,
        /// The address.
        mac: [u8; 6],
        /// Those that are served.
        served: Vec<String>,
    },
    /// More than the map holds.
    #[error(
        "--mac: at most {MAX_VIRTUAL_MACS} addresses, not {0}: one for all interfaces counts for \
         each"
    )]
    TooMany(usize),
    /// The kernel would answer no question about routes.
    #[error(
        "--reply-via fib: the kernel tells its routes only where forwarding is on; there is \
         nothing to forward on lo, so turn it on there: `sysctl -w {0}=1`"
    )]
    NoForwarding(&'static str),
}

impl Paths {
    /// Checks that the interfaces of these names and the kernel can do it.
    ///
    /// # Errors
    ///
    /// See [`PathError`].
    pub fn check(&self, interfaces: &[String]) -> Result<(), PathError> {
        self.check_macs(interfaces)?;
        if !self.via_fib {
            return Ok(());
        }
        // Without IPv6 in the kernel there is no file for it, and no query.
        let off = |(file, _): &&(_, _)| {
            fs::read_to_string(Path::new(file)).is_ok_and(|text| text.trim_ascii() == "0")
        };
        match FORWARDING.iter().find(off) {
            Some((_, name)) => Err(PathError::NoForwarding(name)),
            None => Ok(()),
        }
    }

    fn check_macs(&self, interfaces: &[String]) -> Result<(), PathError> {
        for VirtualMac { interface, mac } in &self.virtual_macs {
            if let Some(interface) = interface
                && !interfaces.contains(interface)
            {
                return Err(PathError::OtherInterface {
                    interface: interface.clone(),
                    mac: *mac,
                    served: interfaces.to_vec(),
                });
            }
        }
        self.check_number(interfaces)
    }

    /// Checks that the interfaces of these names have not too many addresses.
    ///
    /// # Errors
    ///
    /// [`PathError::TooMany`].
    pub fn check_number(&self, interfaces: &[String]) -> Result<(), PathError> {
        let count = interfaces.iter().map(|name| self.macs_of(name).len()).sum();
        if count > MAX_VIRTUAL_MACS as usize {
            return Err(PathError::TooMany(count));
        }
        Ok(())
    }

    /// The virtual MAC addresses of the interface of that name.
    pub fn macs_of(&self, interface: &str) -> BTreeSet<[u8; 6]> {
        let of_it = |mac: &&VirtualMac| match &mac.interface {
            Some(name) => name == interface,
            None => true,
        };
        let macs = self.virtual_macs.iter().filter(of_it);
        macs.map(|virtual_mac| virtual_mac.mac).collect()
    }

    /// What the program needs to know of an interface; `None` if its frames are
    /// not Ethernet frames.
    pub fn entry(&self, link: &Link, snapshot: &Snapshot) -> Option<ServedInterface> {
        let interface = Interface {
            mac: link.mac?,
            mtu: u16::try_from(link.mtu).unwrap_or(u16::MAX),
        };
        Some(ServedInterface {
            virtual_macs: self.macs_of(&link.name),
            vlans: match self.via_fib {
                true => snapshot.vlan_tags_above(link.index),
                false => Default::default(),
            },
            ..interface.into()
        })
    }

    /// The same of several interfaces, by their numbers.
    pub fn entries(&self, links: &[Link], snapshot: &Snapshot) -> BTreeMap<u32, ServedInterface> {
        let entry = |link: &Link| Some((link.index, self.entry(link, snapshot)?));
        links.iter().filter_map(entry).collect()
    }

    /// Warns of VLANs that are too many for the program to know all of them.
    pub fn warn_of_many_vlans(&self, links: &[Link], snapshot: &Snapshot) {
        if !self.via_fib {
            return;
        }
        let vlans = links
            .iter()
            .map(|link| snapshot.vlan_tags_above(link.index).len());
        let count: usize = vlans.sum();
        if count > MAX_VLANS as usize {
            log::warn!(
                "--reply-via fib: {count} VLAN interfaces, and the program can know {MAX_VLANS}: \
                 queries in the others pass (counter no-route)"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::network::{LinkKind, Tag};

    fn paths(texts: &[&str]) -> Paths {
        let macs = texts
            .iter()
            .map(|text| text.parse().expect("a MAC address"));
        Paths {
            virtual_macs: macs.collect(),
            via_fib: false,
        }
    }

    #[test]
    fn addresses_that_nobody_has_are_refused() {
        for (text, why) in [
            ("00:00:00:00:00:00", "of zeros"),
            ("ff:ff:ff:ff:ff:ff", "broadcast"),
            ("01:00:5e:00:00:01", "multicast"),
            ("33:33:00:00:00:01", "multicast"),
            ("eth0=33:33:00:00:00:01", "multicast"),
            ("00:00:5e:00:01", "no MAC address"),
            ("00:00:5e:00:01:+1", "no MAC address"),
            ("00:00:5e:00:01:001", "no MAC address"),
            ("eth0", "no MAC address"),
            ("=00:00:5e:00:01:33", "an interface is missing"),
        ] {
            let error = VirtualMac::from_str(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn an_address_is_for_all_interfaces_or_for_one() {
        let paths = paths(&[
            "00:00:5e:00:01:33",
            "eth0=00:00:5E:00:02:33",
            "a=b=02:00:00:00:00:07",
        ]);
        let (v4, v6) = ([0, 0, 0x5e, 0, 1, 0x33], [0, 0, 0x5e, 0, 2, 0x33]);
        assert_eq!(paths.macs_of("eth0"), [v4, v6].into());
        assert_eq!(paths.macs_of("eth1"), [v4].into());
        assert_eq!(paths.macs_of("a=b"), [v4, [2, 0, 0, 0, 0, 7]].into());
    }

    #[test]
    fn interfaces_of_addresses_are_served_ones() {
        let served = ["eth0", "eth1"].map(String::from);
        paths(&["eth1=00:00:5e:00:01:33"])
            .check(&served)
            .expect("eth1 is served");
        let error = paths(&["eth2=00:00:5e:00:01:33"]).check(&served);
        let error = error.expect_err("eth2 is not").to_string();
        assert!(
            error.contains("--mac eth2=00:00:5e:00:01:33") && error.contains("--iface eth0 eth1"),
            "{error}"
        );
    }

    #[test]
    fn too_many_addresses_are_refused() {
        let served = ["eth0", "eth1"].map(String::from);
        let many = |count: u8| {
            let texts: Vec<String> = (0..count)
                .map(|at| format!("02:00:00:00:00:{at:02x}"))
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            paths(&texts).check(&served)
        };
        many(128).expect("as many as there may be");
        let error = many(129).expect_err("two too many").to_string();
        assert!(
            error.contains("--mac: at most 256 addresses, not 258"),
            "{error}"
        );
    }

    #[test]
    fn entries_have_what_the_program_needs() {
        let link = |index, name: &str, lower, number| Link {
            index,
            name: String::from(name),
            mac: Some([2, 0, 0, 0, 0, 1]),
            mtu: 65536,
            kind: if lower == 0 {
                LinkKind::Other
            } else {
                LinkKind::Vlan
            },
            lower: Some(lower),
            tag: Some(Tag {
                ether_type: 0x8100,
                number,
            }),
            master: None,
            xdp_program: None,
            xdp_is_generic: false,
        };
        let snapshot = Snapshot {
            links: vec![link(2, "eth0", 0, 0), link(3, "eth0.7", 2, 7)],
            ..Snapshot::default()
        };
        let mut paths = paths(&["00:00:5e:00:01:33"]);
        let eth0 = snapshot.link("eth0").expect("a link");
        let entry = paths.entry(eth0, &snapshot).expect("Ethernet");
        // Larger MTUs are told as the largest.
        assert_eq!(entry.interface.mtu, u16::MAX);
        assert_eq!(entry.virtual_macs.len(), 1);
        assert!(entry.vlans.is_empty(), "nobody asks for them");
        paths.via_fib = true;
        let entry = paths.entry(eth0, &snapshot).expect("Ethernet");
        assert_eq!(entry.vlans, snapshot.vlan_tags_above(2));
        assert_eq!(entry.vlans.len(), 1);
        let tun = Link {
            mac: None,
            ..eth0.clone()
        };
        assert_eq!(paths.entry(&tun, &snapshot), None);
    }
}
