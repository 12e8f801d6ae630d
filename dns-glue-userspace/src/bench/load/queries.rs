//! DNS messages, laid out for the program that sends them.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Result, ensure};
use bytemuck::Zeroable as _;
use dns_glue_common::traffic::{
    Front, IPV4_FRONT_OCTETS, IPV6_FRONT_OCTETS, MAX_MESSAGE_OCTETS, MESSAGE_ALIGNMENT,
    MESSAGE_HEAD_OCTETS, MessageHead, MessageSlab, SLAB_OCTETS,
};

use crate::host::sum;

/// Octets of a DNS header (RFC 1035 4.1.1).
const HEADER_OCTETS: usize = 12;

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4 = 0,
    /// IPv6.
    V6 = 1,
}

/// Messages in the order in which they are sent, over and over.
pub struct PreparedQueries {
    slabs: Vec<MessageSlab>,
    /// Octets of the last slab that are taken.
    taken: usize,
    count: u64,
}

impl PreparedQueries {
    /// Prepares DNS messages in wire form, to be sent over IPv4 and IPv6 in
    /// turns. What ID they have does not matter.
    ///
    /// # Errors
    ///
    /// There are none, or one has not 12 to 512 octets.
    pub fn new<'a>(messages: impl Iterator<Item = &'a [u8]>) -> Result<Self> {
        let families = [Family::V4, Family::V6];
        Self::over(families.into_iter().cycle().zip(messages))
    }

    /// Prepares messages, each to be sent over its family.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn over<'a>(messages: impl Iterator<Item = (Family, &'a [u8])>) -> Result<Self> {
        let mut queries = Self {
            slabs: Vec::new(),
            taken: SLAB_OCTETS,
            count: 0,
        };
        for (family, message) in messages {
            queries.push(family, message)?;
        }
        ensure!(queries.count > 0, "there is nothing to ask");
        Ok(queries)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The slabs, as the kernel has them.
    pub(super) fn slabs(&self) -> &[MessageSlab] {
        &self.slabs
    }

    fn push(&mut self, family: Family, message: &[u8]) -> Result<()> {
        ensure!(
            (HEADER_OCTETS..=MAX_MESSAGE_OCTETS).contains(&message.len()),
            "a query of {} octets; {HEADER_OCTETS} to {MAX_MESSAGE_OCTETS} can be sent",
            message.len()
        );
        let octets = (MESSAGE_HEAD_OCTETS + message.len()).next_multiple_of(MESSAGE_ALIGNMENT);
        // Behind it there must be a place for the head of zeros that ends a
        // slab, at an offset that the program can tell from the slab's start.
        if self.taken + octets + MESSAGE_HEAD_OCTETS > SLAB_OCTETS {
            self.slabs.push(MessageSlab::zeroed());
            self.taken = 0;
        }
        let head = MessageHead {
            octets: message.len() as u16,
            sum: sum(&message[2..]).folded(),
            family: family as u16,
            padding: 0,
        };
        let slab = self.slabs.last_mut().expect("one was just made");
        let (place, rest) = slab.0[self.taken..].split_at_mut(MESSAGE_HEAD_OCTETS);
        place.copy_from_slice(bytemuck::bytes_of(&head));
        rest[..message.len()].copy_from_slice(message);
        rest[..2].fill(0);
        self.taken += octets;
        self.count += 1;
        Ok(())
    }
}

/// Between whom queries go.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// MAC addresses of client and server.
    pub macs: [[u8; 6]; 2],
    /// IPv4 addresses of client and server.
    pub ipv4: [Ipv4Addr; 2],
    /// IPv6 addresses of client and server.
    pub ipv6: [Ipv6Addr; 2],
}

impl Ends {
    /// The headers of queries over IPv4 and over IPv6.
    pub(super) fn fronts(&self) -> [Front; 2] {
        [self.ipv4_front(), self.ipv6_front()]
    }

    fn ipv4_front(&self) -> Front {
        let [client, server] = self.ipv4.map(|address| address.octets());
        let ip = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, UDP, 0, 0];
        let ip = [&ip[..], &client, &server].concat();
        let pseudo = [&client[..], &server, &[0, UDP]].concat();
        self.front::<IPV4_FRONT_OCTETS>([0x08, 0x00], &ip, &pseudo)
    }

    fn ipv6_front(&self) -> Front {
        let [client, server] = self.ipv6.map(|address| address.octets());
        let ip = [0x60, 0, 0, 0, 0, 0, UDP, 64];
        let ip = [&ip[..], &client, &server].concat();
        let pseudo = [&client[..], &server, &[0, UDP]].concat();
        self.front::<IPV6_FRONT_OCTETS>([0x86, 0xdd], &ip, &pseudo)
    }

    fn front<const N: usize>(&self, ethertype: [u8; 2], ip: &[u8], pseudo: &[u8]) -> Front {
        let [client, server] = self.macs;
        let udp = [0, 0, 0, DNS_PORT, 0, 0, 0, 0];
        let headers = [&server, &client, &ethertype[..], ip, &udp].concat();
        let mut octets = [0; 64];
        octets[..N].copy_from_slice(&headers);
        Front {
            octets,
            ip_sum: sum(ip).folded().into(),
            udp_sum: sum(&[pseudo, &udp].concat()).folded().into(),
        }
    }
}

/// UDP among the protocols over IP.
const UDP: u8 = 17;
/// The port of DNS, in the low octet of the number.
const DNS_PORT: u8 = 53;

#[cfg(test)]
mod tests {
    use super::*;

    fn messages() -> Vec<Vec<u8>> {
        let octets = |index: usize| 12 + index * 7 % 501;
        (0..2000).map(|index| vec![7; octets(index)]).collect()
    }

    #[test]
    fn every_message_is_found_behind_the_one_before() {
        let messages = messages();
        let queries = PreparedQueries::new(messages.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(queries.count(), 2000);
        let mut found = 0;
        for slab in queries.slabs() {
            let mut offset = 0;
            loop {
                assert!(offset < SLAB_OCTETS);
                let head = &slab.0[offset..offset + MESSAGE_HEAD_OCTETS];
                let head: MessageHead = bytemuck::pod_read_unaligned(head);
                if head.octets == 0 {
                    break;
                }
                let octets = usize::from(head.octets);
                let start = offset + MESSAGE_HEAD_OCTETS;
                let message = &slab.0[start..start + octets];
                assert_eq!(message[..2], [0, 0]);
                assert_eq!(message[2..], messages[found][2..]);
                assert_eq!(head.sum, sum(message).folded());
                assert_eq!(usize::from(head.family), found % 2);
                found += 1;
                offset = (start + octets).next_multiple_of(MESSAGE_ALIGNMENT);
            }
        }
        assert_eq!(found, messages.len());
    }

    #[test]
    fn what_is_too_long_or_too_short_is_refused() {
        for octets in [0, 11, 513] {
            assert!(PreparedQueries::new([&vec![0; octets][..]].into_iter()).is_err());
        }
        assert!(PreparedQueries::new([].into_iter()).is_err());
    }
}
