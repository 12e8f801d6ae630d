//! Whether a frame must be answered: the README's rules, one after the other,
//! on the octets of the frame.

use std::net::{Ipv4Addr, Ipv6Addr};

use dns_glue::host::MemoryDeadlines;
use dns_glue_common::deadlines::{Deadline, NEVER};
use dns_glue_common::nsid::Nsid;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;

use crate::program_support::frame::{SERVER_MAC, SERVER_V4, SERVER_V6};

/// What bears on the decision beside frame and zones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// `--max-udp`, octets.
    pub(crate) max_udp: u16,
    pub(crate) cookies_pass: bool,
    pub(crate) ecs_pass: bool,
    pub(crate) copy_cd: bool,
    pub(crate) holds_deleg: bool,
    /// MTU of the interface, octets.
    pub(crate) mtu: u16,
    /// `--nsid`; none if empty.
    pub(crate) nsid: &'static [u8],
    /// What must not be answered for any more.
    pub(crate) late: Late,
}

/// What must not be answered for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// Nothing.
    Nothing,
    /// The first zone has expired, the second one is withheld.
    TwoZones,
    /// The daemon is silent.
    Everything,
}

impl Late {
    /// A time that has come, now and on any machine.
    const PAST: u64 = 1000;

    /// The same for the program. On the host the time is the first that is too
    /// late.
    pub(crate) fn deadlines(self) -> MemoryDeadlines {
        let zones = match self {
            Self::TwoZones => vec![
                Deadline::At(Self::PAST),
                Deadline::Withheld,
                Deadline::At(NEVER - 1),
            ],
            Self::Nothing | Self::Everything => Vec::new(),
        };
        MemoryDeadlines {
            now: Self::PAST,
            zones: (0..).zip(zones).collect(),
        }
    }

    /// Until when the daemon looks after the program.
    pub(crate) const fn attended_until(self) -> u64 {
        match self {
            Self::Nothing => NEVER,
            Self::TwoZones => NEVER - 1,
            Self::Everything => Self::PAST,
        }
    }

    /// Why a referral from a zone, by its number, is not given.
    pub(crate) const fn reason(self, zone: usize) -> Option<Reason> {
        match (self, zone) {
            (Self::TwoZones, 0) => Some(Reason::ZoneExpired),
            (Self::TwoZones, 1) => Some(Reason::ZoneWithheld),
            (Self::Everything, _) => Some(Reason::Unattended),
            (Self::Nothing | Self::TwoZones, _) => None,
        }
    }
}

impl Settings {
    /// What `dns-glue run` has without options, on Ethernet.
    pub(crate) const DEFAULT: Self = Self {
        max_udp: 1232,
        cookies_pass: false,
        ecs_pass: false,
        copy_cd: false,
        holds_deleg: false,
        mtu: 1500,
        nsid: &[],
        late: Late::Nothing,
    };

    /// The same for the program.
    pub(crate) fn policy(&self) -> Policy {
        let flags = [
            (self.cookies_pass, Policy::COOKIES_PASS),
            (self.ecs_pass, Policy::ECS_PASS),
            (self.copy_cd, Policy::COPY_CD),
            (self.holds_deleg, Policy::HOLDS_DELEG),
        ];
        Policy {
            port: 53,
            max_udp: self.max_udp,
            flags: flags
                .into_iter()
                .filter_map(|(is_set, flag)| is_set.then_some(flag))
                .sum(),
            nsid: Nsid::new(self.nsid).unwrap_or(Nsid::NONE),
        }
    }
}

/// A query that is to be answered if its name calls for a referral.
#[derive(Clone, Debug)]
pub(crate) struct PlainQuery<'f> {
    /// Offset of the IP header in the frame.
    pub(crate) ip_start: usize,
    /// Offset of the DNS message in the frame.
    pub(crate) message_start: usize,
    /// QNAME as it came, wire form.
    pub(crate) name: &'f [u8],
    /// The question as it came.
    pub(crate) question: &'f [u8],
    pub(crate) id: u16,
    /// The second word of the header.
    pub(crate) flags: u16,
    pub(crate) qtype: u16,
    pub(crate) opt: Option<Opt>,
    /// The most octets of a reply.
    pub(crate) limit: usize,
}

/// The OPT record of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opt {
    pub(crate) size: u16,
    pub(crate) dnssec: bool,
    /// Whether the identifier is asked for.
    pub(crate) nsid: bool,
}

/// The plain query in a frame; `None` for everything that passes whatever the
/// zones hold.
pub(crate) fn plain_query<'f>(frame: &'f [u8], settings: &Settings) -> Option<PlainQuery<'f>> {
    let (ip_start, is_ipv6) = ethernet(frame)?;
    let (udp, pseudo_header) = if is_ipv6 {
        ipv6(&frame[ip_start..])?
    } else {
        ipv4(&frame[ip_start..])?
    };
    let message = datagram(udp, pseudo_header, is_ipv6)?;
    let message_start = ip_start + if is_ipv6 { 48 } else { 28 };
    let room = usize::from(settings.mtu).checked_sub(if is_ipv6 { 48 } else { 28 })?;
    if room < 512 {
        return None;
    }
    let mut query = header_and_question(message)?;
    query.ip_start = ip_start;
    query.message_start = message_start;
    let rest = &message[12 + query.question.len()..];
    match number(message, 10) {
        0 if rest.is_empty() => {}
        1 => query.opt = Some(opt(rest, settings)?),
        _ => return None,
    }
    let size = query.opt.map_or(512, |opt| usize::from(opt.size).max(512));
    query.limit = size.min(usize::from(settings.max_udp)).min(room);
    match query.qtype {
        0 | 41 | 128..=255 => None,
        _ => Some(query),
    }
}

fn number(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

/// Where the IP header starts, and whether it is that of IPv6.
fn ethernet(frame: &[u8]) -> Option<(usize, bool)> {
    if frame.get(..6)? != SERVER_MAC {
        return None;
    }
    for tags in 0..=2 {
        let at = 12 + 4 * tags;
        frame.get(at..at + 2)?;
        match number(frame, at) {
            0x0800 => return Some((at + 2, false)),
            0x86dd => return Some((at + 2, true)),
            0x8100 | 0x88a8 => {}
            _ => return None,
        }
    }
    None
}

/// The UDP datagram in a packet, and the sum of the pseudo-header.
fn ipv4(packet: &[u8]) -> Option<(&[u8], u32)> {
    let header = packet.get(..20)?;
    let fragment = number(header, 6) & !0x4000;
    if header[0] != 0x45 || fragment != 0 || header[9] != 17 || sum(0, header) != 0xffff {
        return None;
    }
    let source = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
    let first = header[12];
    if first == 0 || first == 127 || first >= 224 || source == SERVER_V4 {
        return None;
    }
    if header[16..20] != SERVER_V4.octets() {
        return None;
    }
    let udp = packet.get(20..usize::from(number(header, 2)))?;
    let length = u32::try_from(udp.len()).ok()?;
    Some((udp, u32::from(sum(17 + length, &header[12..20]))))
}

/// The same for IPv6.
fn ipv6(packet: &[u8]) -> Option<(&[u8], u32)> {
    let header = packet.get(..40)?;
    if header[0] >> 4 != 6 || header[6] != 17 {
        return None;
    }
    let source: [u8; 16] = header[8..24].try_into().ok()?;
    let source = Ipv6Addr::from(source);
    // ::, ::1 and the addresses that were once "IPv4-compatible".
    let is_special = source.octets()[..12] == [0; 12];
    if is_special
        || source.is_multicast()
        || source.to_ipv4_mapped().is_some()
        || source == SERVER_V6
    {
        return None;
    }
    if header[24..40] != SERVER_V6.octets() {
        return None;
    }
    let udp = packet.get(40..40 + usize::from(number(header, 4)))?;
    let length = u32::try_from(udp.len()).ok()?;
    Some((udp, u32::from(sum(17 + length, &header[8..40]))))
}

/// The DNS message of a datagram to our port.
fn datagram(udp: &[u8], pseudo_header: u32, is_ipv6: bool) -> Option<&[u8]> {
    let header = udp.get(..8)?;
    let is_right = match number(header, 6) {
        0 => !is_ipv6,
        _ => sum(pseudo_header, udp) == 0xffff,
    };
    let refused = matches!(number(header, 0), 0 | 7 | 13 | 19 | 37);
    let is_ours = number(header, 2) == 53 && usize::from(number(header, 4)) == udp.len();
    let message = &udp[8..];
    (is_right && !refused && is_ours && message.len() <= 512).then_some(message)
}

/// Adds words to a one's-complement sum (RFC 1071).
fn sum(start: u32, octets: &[u8]) -> u16 {
    let mut sum = u64::from(start);
    for pair in octets.chunks(2) {
        sum += u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("carries are added back")
}

fn header_and_question(message: &[u8]) -> Option<PlainQuery<'_>> {
    let header = message.get(..12)?;
    let flags = number(header, 2);
    // QR, OPCODE, RCODE.
    if flags & 0xf80f != 0 {
        return None;
    }
    let [questions, answers, authority] = [4, 6, 8].map(|at| number(header, at));
    if (questions, answers, authority) != (1, 0, 0) {
        return None;
    }
    let mut end = 12;
    loop {
        let octets = usize::from(*message.get(end)?);
        end += 1 + octets;
        if octets > 63 || end - 12 > 255 {
            return None;
        }
        if octets == 0 {
            break;
        }
    }
    let name = &message[12..end];
    let fixed = message.get(end..end + 4)?;
    (number(fixed, 2) == 1).then(|| PlainQuery {
        ip_start: 0,
        message_start: 0,
        name,
        question: &message[12..end + 4],
        id: number(header, 0),
        flags,
        qtype: number(fixed, 0),
        opt: None,
        limit: 0,
    })
}

/// The OPT record that fills `octets`.
fn opt(octets: &[u8], settings: &Settings) -> Option<Opt> {
    let fixed = octets.get(..11)?;
    if fixed[..3] != [0, 0, 41] || fixed[6] != 0 {
        return None;
    }
    let mut options = &octets[11..];
    if usize::from(number(fixed, 9)) != options.len() {
        return None;
    }
    let (mut count, mut nsids) = (0, 0);
    while !options.is_empty() {
        let code = number(options.get(..4)?, 0);
        let data = usize::from(number(options, 2));
        options = options.get(4 + data..)?;
        count += 1;
        nsids += usize::from(code == 3);
        let passes = match code {
            1 => data != 18,
            3 => settings.nsid.is_empty(),
            8 => settings.ecs_pass || !(4..=20).contains(&data),
            9 | 19 => true,
            10 => settings.cookies_pass || data != 8 && !(16..=40).contains(&data),
            // Longer lists of keys are left to the server behind.
            14 => data == 0 || data % 2 == 1 || data > 62,
            15 => data < 2,
            16 | 17 => data != 2,
            _ => false,
        };
        if passes || count > 16 || nsids > 1 {
            return None;
        }
    }
    let flags = number(fixed, 7);
    if settings.holds_deleg && flags & 0x2000 != 0 {
        return None;
    }
    Some(Opt {
        size: number(fixed, 3),
        dnssec: flags & 0x8000 != 0,
        nsid: nsids == 1,
    })
}
