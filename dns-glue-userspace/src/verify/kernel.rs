//! The program in the kernel, asked as a client would ask it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::{Ends, write_frame};
use crate::kernel::{RunningError, RunningProgram};
use crate::serve::status::{Status, parse_mac};

/// What the program returns for a packet that passes, and for one that is sent
/// back (linux/bpf.h, `enum xdp_action`).
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

/// Octets of an Ethernet header, which the MTU does not count.
const ETHERNET_OCTETS: usize = 14;

/// Clients of documentation networks (RFC 5737, RFC 3849), two of each, as the
/// program answers none of its own addresses.
const CLIENTS_IPV4: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 9), Ipv4Addr::new(198, 51, 100, 9)];
const CLIENTS_IPV6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9),
    Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 9),
];

/// The running program.
pub struct Kernel {
    program: RunningProgram,
    ends: Ends,
    /// Octets of the longest DNS message that the interface carries.
    mtu_octets: usize,
}

/// Why the program cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The kernel says no.
    #[error(transparent)]
    Running(#[from] RunningError),
    /// It is on no interface.
    #[error("the program is on no interface: {}", .0.join(", "))]
    Detached(Vec<String>),
    /// It answers for nobody.
    #[error("the daemon serves no address, so that everything passes")]
    NoAddress,
    /// No service address is of the client's family.
    #[error("--client {0}: the daemon serves no address of that family")]
    OtherFamily(IpAddr),
    /// The program does not answer itself.
    #[error("--client {0}: a service address, whose queries pass")]
    Served(IpAddr),
    /// The kernel has no way to somebody made up.
    #[error(
        "the kernel's routing table decides where replies go (--reply-via fib), and it has no way \
         to a client that is made up: name one with --client, such as a router on the link"
    )]
    NoClient,
    /// It did what it never does.
    #[error("the program returned action {0}: see the counters write-failed and inconsistent")]
    Action(u32),
}

impl Kernel {
    /// The program of a daemon, asked by `client`, or by one made up.
    ///
    /// # Errors
    ///
    /// It is not attached, serves no address that the client can ask, or cannot
    /// be reached; or it would not answer one made up.
    pub fn of(status: &Status, client: Option<IpAddr>) -> Result<Self, KernelError> {
        let attached = status.interfaces.iter().find(|one| one.attached);
        let Some(interface) = attached else {
            let names = status.interfaces.iter().map(|one| one.name.clone());
            return Err(KernelError::Detached(names.collect()));
        };
        if client.is_none() && status.settings.reply_via == "fib" {
            return Err(KernelError::NoClient);
        }
        let (client, server) = choose_ends(&status.addresses, client)?;
        let mac = parse_mac(&interface.mac).unwrap_or_default();
        let header_octets = front_octets(server) - ETHERNET_OCTETS;
        Ok(Self {
            program: RunningProgram::open(status.program.id, interface.index)?,
            ends: Ends {
                mac,
                client,
                server,
                port: status.settings.port,
            },
            mtu_octets: (interface.mtu as usize).saturating_sub(header_octets),
        })
    }

    /// Octets of the longest DNS message that the interface carries.
    pub fn mtu_octets(&self) -> usize {
        self.mtu_octets
    }

    /// The reply to a query; `None` if the query passes.
    ///
    /// # Errors
    ///
    /// The kernel does not run the program, or it failed.
    pub fn ask(&self, query: &[u8]) -> Result<Option<Vec<u8>>, KernelError> {
        let mut frame = Vec::new();
        write_frame(&mut frame, &self.ends, query);
        let mut run = self.program.test_run(&frame)?;
        let front = front_octets(self.ends.server);
        match run.action {
            XDP_TX => Ok(Some(run.octets.split_off(front.min(run.octets.len())))),
            XDP_PASS => Ok(None),
            other => Err(KernelError::Action(other)),
        }
    }
}

/// Octets of Ethernet, IP and UDP headers.
const fn front_octets(server: IpAddr) -> usize {
    let ip_octets = match server {
        IpAddr::V4(_) => 20,
        IpAddr::V6(_) => 40,
    };
    ETHERNET_OCTETS + ip_octets + 8
}

/// Who asks, and which of the service addresses.
fn choose_ends(served: &[IpAddr], client: Option<IpAddr>) -> Result<(IpAddr, IpAddr), KernelError> {
    let first = *served.first().ok_or(KernelError::NoAddress)?;
    let Some(client) = client else {
        return Ok((made_up_client(first, served), first));
    };
    if served.contains(&client) {
        return Err(KernelError::Served(client));
    }
    let mut of_its_family = served
        .iter()
        .filter(|server| server.is_ipv4() == client.is_ipv4());
    match of_its_family.next() {
        Some(server) => Ok((client, *server)),
        None => Err(KernelError::OtherFamily(client)),
    }
}

/// Somebody to ask `server` who has none of the service addresses.
fn made_up_client(server: IpAddr, served: &[IpAddr]) -> IpAddr {
    let clients: [IpAddr; 2] = match server {
        IpAddr::V4(_) => CLIENTS_IPV4.map(IpAddr::V4),
        IpAddr::V6(_) => CLIENTS_IPV6.map(IpAddr::V6),
    };
    let [first, second] = clients;
    if served.contains(&first) {
        second
    } else {
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses<const N: usize>(texts: [&str; N]) -> [IpAddr; N] {
        texts.map(|text| text.parse().expect("an address"))
    }

    #[test]
    fn a_client_asks_an_address_of_its_family() {
        let served = addresses(["192.0.2.9", "2001:db8::53"]);
        let [v4, v6, other] = addresses(["192.0.2.1", "2001:db8::1", "198.51.100.9"]);
        let chosen = |served: &[IpAddr], client| choose_ends(served, client).expect("ends");
        assert_eq!(chosen(&served, Some(v4)), (v4, served[0]));
        assert_eq!(chosen(&served, Some(v6)), (v6, served[1]));
        // The first of those made up is served here.
        assert_eq!(chosen(&served, None), (other, served[0]));
        let refusal = |served: &[IpAddr], client| {
            choose_ends(served, client)
                .expect_err("refused")
                .to_string()
        };
        let error = refusal(&served[..1], Some(v6));
        assert!(
            error.contains("--client 2001:db8::1: the daemon serves no"),
            "{error}"
        );
        let error = refusal(&served, Some(served[0]));
        assert!(
            error.contains("--client 192.0.2.9: a service address"),
            "{error}"
        );
        assert!(refusal(&[], Some(v4)).contains("serves no address"));
    }
}
