//! Frames around DNS messages, built and checked octet by octet.
//!
//! Nothing here comes from what is compared, checksums least of all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The client's MAC address.
pub const CLIENT_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x0c];
/// The MAC address of the interface that the program runs on.
pub const SERVER_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x05];
/// A virtual router's MAC address that is answered for too.
pub const VIRTUAL_MAC: [u8; 6] = [0, 0, 0x5e, 0, 0x01, 0x05];
/// A service address.
pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
/// Another one.
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53);
/// Where IPv4 queries come from.
pub const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// Where IPv6 queries come from.
pub const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 7);
/// The port they come from.
pub const CLIENT_PORT: u16 = 40_053;

/// Octets of an Ethernet header.
pub const ETHERNET: usize = 14;
/// Octets of a UDP header.
pub const UDP: usize = 8;
/// The shortest frame of a wire, check sequence not counted.
pub const SHORTEST: usize = 60;

/// A VLAN tag: its EtherType and its control information.
pub type Tag = (u16, u16);

/// How a message travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Who sends the frame.
    pub source_mac: [u8; 6],
    /// Whom it is for.
    pub destination_mac: [u8; 6],
    /// VLAN tags, the outermost first.
    pub tags: Vec<Tag>,
    /// Where the datagram comes from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// Whether the UDP checksum is left out.
    pub without_checksum: bool,
    /// Octets to which a shorter frame is filled up.
    pub padded_to: usize,
}

impl Path {
    /// From the client to the server over IPv4.
    pub fn v4() -> Self {
        Self::between((CLIENT_V4, CLIENT_PORT).into(), (SERVER_V4, 53).into())
    }

    /// From the client to the server over IPv6.
    pub fn v6() -> Self {
        Self::between((CLIENT_V6, CLIENT_PORT).into(), (SERVER_V6, 53).into())
    }

    fn between(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            source_mac: CLIENT_MAC,
            destination_mac: SERVER_MAC,
            tags: Vec::new(),
            source,
            destination,
            without_checksum: false,
            padded_to: 0,
        }
    }

    /// The same in VLANs, the outermost first.
    pub fn tagged(mut self, tags: &[Tag]) -> Self {
        self.tags = tags.to_vec();
        self
    }

    /// The same with frames filled up to `octets`.
    pub fn padded(mut self, octets: usize) -> Self {
        self.padded_to = octets;
        self
    }

    /// The same from another address.
    pub fn from(mut self, address: impl Into<IpAddr>) -> Self {
        self.source.set_ip(address.into());
        self
    }

    /// The same from another port.
    pub fn with_source_port(mut self, port: u16) -> Self {
        self.source.set_port(port);
        self
    }

    /// The same to another address.
    pub fn to(mut self, address: impl Into<IpAddr>) -> Self {
        self.destination.set_ip(address.into());
        self
    }

    /// The same to another port.
    pub fn with_destination_port(mut self, port: u16) -> Self {
        self.destination.set_port(port);
        self
    }

    /// The same to another MAC address.
    pub fn with_mac(mut self, mac: [u8; 6]) -> Self {
        self.destination_mac = mac;
        self
    }

    /// The same without a UDP checksum.
    pub fn unchecked(mut self) -> Self {
        self.without_checksum = true;
        self
    }

    /// Offset of the IP header.
    pub fn ip_start(&self) -> usize {
        ETHERNET + 4 * self.tags.len()
    }

    /// Offset of the UDP header.
    pub fn udp_start(&self) -> usize {
        self.ip_start() + if self.source.is_ipv4() { 20 } else { 40 }
    }

    /// Offset of the message.
    pub fn message_start(&self) -> usize {
        self.udp_start() + UDP
    }

    /// A frame with the message.
    pub fn frame(&self, message: &[u8]) -> Vec<u8> {
        let mut frame = Vec::with_capacity(128 + message.len());
        frame.extend(self.destination_mac);
        frame.extend(self.source_mac);
        for (ether_type, control) in &self.tags {
            frame.extend(ether_type.to_be_bytes());
            frame.extend(control.to_be_bytes());
        }
        let udp_octets = u16::try_from(UDP + message.len()).expect("a datagram");
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                frame.extend([0x08, 0x00]);
                frame.extend([0x45, 0x00]);
                frame.extend((20 + udp_octets).to_be_bytes());
                // An identification, a TTL and "don't fragment" that must not
                // come back by accident.
                frame.extend([0xbe, 0xef, 0x00, 0x00, 57, 17, 0, 0]);
                frame.extend(source.octets());
                frame.extend(destination.octets());
                fix_ipv4_checksum(&mut frame, self.ip_start());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                frame.extend([0x86, 0xdd]);
                // Traffic class 3 (congestion) and a flow label.
                frame.extend([0x60, 0x31, 0x23, 0x45]);
                frame.extend(udp_octets.to_be_bytes());
                frame.extend([17, 57]);
                frame.extend(source.octets());
                frame.extend(destination.octets());
            }
            _ => panic!("addresses of one family"),
        }
        frame.extend(self.source.port().to_be_bytes());
        frame.extend(self.destination.port().to_be_bytes());
        frame.extend(udp_octets.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(message);
        if !self.without_checksum {
            self.fix_udp_checksum(&mut frame);
        }
        if frame.len() < self.padded_to {
            // Padding should be zeros (RFC 894), and often is not.
            frame.resize(self.padded_to, 0xee);
        }
        frame
    }

    /// Writes the right UDP checksum into a frame of this path, by the length
    /// in its UDP header.
    pub fn fix_udp_checksum(&self, frame: &mut [u8]) {
        let start = self.udp_start();
        frame[start + 6..start + 8].fill(0);
        let octets = usize::from(number(frame, start + 4));
        let datagram = &frame[start..start + octets];
        let checksum = match udp_checksum(self.source.ip(), self.destination.ip(), datagram) {
            0 => 0xffff,
            checksum => checksum,
        };
        frame[start + 6..start + 8].copy_from_slice(&checksum.to_be_bytes());
    }

    /// Checks every octet of a frame that answers one of this path but for the
    /// DNS message, which it returns.
    ///
    /// # Errors
    ///
    /// What is wrong with the frame.
    pub fn check_reply<'a>(&self, reply: &'a [u8]) -> Result<&'a [u8], &'static str> {
        let ip = self.ip_start();
        let udp = self.udp_start();
        let message = reply.get(self.message_start()..).ok_or("the length")?;
        let is = |right: bool, what| if right { Ok(()) } else { Err(what) };
        is(reply[..6] == self.source_mac, "the MAC it goes to")?;
        is(reply[6..12] == self.destination_mac, "the MAC it is from")?;
        let mut ethernet = Vec::new();
        for (ether_type, control) in &self.tags {
            ethernet.extend(ether_type.to_be_bytes());
            ethernet.extend(control.to_be_bytes());
        }
        ethernet.extend(if self.source.is_ipv4() {
            [0x08, 0x00]
        } else {
            [0x86, 0xdd]
        });
        is(reply[12..ip] == ethernet, "VLAN tags or EtherType")?;
        let udp_octets = reply.len() - udp;
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                is(reply[ip..ip + 2] == [0x45, 0], "version or TOS")?;
                is(
                    usize::from(number(reply, ip + 2)) == 20 + udp_octets,
                    "IPv4 length",
                )?;
                is(reply[ip + 4..ip + 6] == [0, 0], "identification")?;
                is(reply[ip + 6..ip + 8] == [0x40, 0], "not only DF")?;
                is(reply[ip + 8..ip + 10] == [64, 17], "TTL or protocol")?;
                is(reply[ip + 12..ip + 16] == destination.octets(), "source")?;
                is(reply[ip + 16..ip + 20] == source.octets(), "destination")?;
                let sum = ones_complement(&[&reply[ip..ip + 20]]);
                is(sum == 0xffff, "the IPv4 checksum")?;
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                is(reply[ip..ip + 4] == [0x60, 0, 0, 0], "class or label")?;
                is(
                    usize::from(number(reply, ip + 4)) == udp_octets,
                    "IPv6 length",
                )?;
                is(reply[ip + 6..ip + 8] == [17, 64], "protocol or hop limit")?;
                is(reply[ip + 8..ip + 24] == destination.octets(), "source")?;
                is(reply[ip + 24..ip + 40] == source.octets(), "destination")?;
            }
            _ => return Err("addresses of two families"),
        }
        is(number(reply, udp) == self.destination.port(), "source port")?;
        is(
            number(reply, udp + 2) == self.source.port(),
            "destination port",
        )?;
        is(
            usize::from(number(reply, udp + 4)) == udp_octets,
            "UDP length",
        )?;
        is(number(reply, udp + 6) != 0, "no UDP checksum")?;
        let sum = udp_checksum(self.destination.ip(), self.source.ip(), &reply[udp..]);
        is(sum == 0, "the UDP checksum")?;
        Ok(message)
    }
}

/// The number at an offset, network byte order.
pub fn number(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

/// Writes a number at an offset, network byte order.
pub fn put_number(octets: &mut [u8], at: usize, number: u16) {
    octets[at..at + 2].copy_from_slice(&number.to_be_bytes());
}

/// Writes the right checksum into an IPv4 header, by the length in it.
pub fn fix_ipv4_checksum(frame: &mut [u8], start: usize) {
    let octets = usize::from(frame[start] & 0x0f) * 4;
    frame[start + 10..start + 12].fill(0);
    let checksum = !ones_complement(&[&frame[start..start + octets]]);
    put_number(frame, start + 10, checksum);
}

/// The checksum of a UDP datagram, 0 if it holds the right one already.
fn udp_checksum(source: IpAddr, destination: IpAddr, datagram: &[u8]) -> u16 {
    let octets = u32::try_from(datagram.len()).expect("a datagram");
    let mut pseudo_header = Vec::new();
    for address in [source, destination] {
        match address {
            IpAddr::V4(address) => pseudo_header.extend(address.octets()),
            IpAddr::V6(address) => pseudo_header.extend(address.octets()),
        }
    }
    pseudo_header.extend(octets.to_be_bytes());
    pseudo_header.extend([0, 0, 0, 17]);
    !ones_complement(&[&pseudo_header, datagram])
}

/// The one's-complement sum of runs of octets, all but the last of even length
/// (RFC 1071 section 1).
fn ones_complement(runs: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for run in runs {
        for pair in run.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(pair[0]) << 8 | u32::from(low);
            sum = (sum & 0xffff) + (sum >> 16);
        }
    }
    u16::try_from(sum).expect("carries are added back")
}
