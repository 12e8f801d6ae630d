//! The table of golden cases: a frame, its outcome, and the reply if there is
//! one.

#[path = "nsec3.rs"]
mod nsec3;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use dns_glue::compile::Generation;
use dns_glue_common::deadlines::Deadline;
use dns_glue_common::index::EntryKind;
use dns_glue_common::nsid::Nsid;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::Reason;

use super::program_support::frame::{
    CLIENT_MAC, Path, SERVER_V4, SERVER_V6, VIRTUAL_MAC, fix_ipv4_checksum, put_number,
};
use super::program_support::oddities::{self, Outcome};
use super::program_support::program::{Memory, POLICY};
use super::program_support::query::{Opt, Query, edns_flag, flag, rtype};
use super::program_support::zones;

/// What the program is loaded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// As `dns-glue run` without options.
    Plain,
    /// With every choice that an operator has, and a zone with DELEG records.
    Choices,
    /// With an identifier.
    Identifier,
    /// With the kernel's routing table, which has no way to the client: the
    /// ways that there can be are in tests/routes.rs.
    ViaFib,
    /// An MTU that leaves 533 octets for a message over IPv4, 513 over IPv6.
    Mtu561,
    /// An MTU too small for 512 octets.
    Mtu500,
    /// On an interface that the program was not attached to.
    OtherInterface,
    /// With an index that names pieces that are not there.
    Broken,
    /// With the zone of oddities alone.
    Oddities,
    /// With a zone that has expired and one that is withheld; the others'
    /// deadlines are to come.
    Expired,
    /// On a host that the daemon does not look after any more.
    Unattended,
}

impl Setup {
    pub const ALL: [Self; 11] = [
        Self::Plain,
        Self::Choices,
        Self::Identifier,
        Self::ViaFib,
        Self::Mtu561,
        Self::Mtu500,
        Self::OtherInterface,
        Self::Broken,
        Self::Oddities,
        Self::Expired,
        Self::Unattended,
    ];

    /// What the program decides on.
    pub fn memory(self) -> Memory {
        let policy = match self {
            Self::Choices => Policy {
                port: 5353,
                max_udp: 1400,
                flags: Policy::COOKIES_PASS | Policy::ECS_PASS | Policy::COPY_CD,
                ..POLICY
            },
            Self::Identifier => Policy {
                nsid: Nsid::new(IDENTIFIER).expect("an identifier"),
                ..POLICY
            },
            Self::ViaFib => Policy {
                flags: Policy::REPLY_VIA_FIB,
                ..POLICY
            },
            _ => POLICY,
        };
        let mut memory = Memory::new(self.generation(), policy);
        match self {
            Self::Mtu561 => memory.set_mtu(561),
            Self::Mtu500 => memory.set_mtu(500),
            Self::OtherInterface => memory.forget_interface(),
            Self::Expired => {
                let now = memory.now();
                for (zone, deadline) in [
                    (zone::GLUE, Deadline::At(now)),
                    (zone::SIGNED, Deadline::Withheld),
                    (zone::NSEC3, Deadline::At(now + HOUR)),
                ] {
                    memory.set_deadline(zone, deadline);
                }
                memory.set_attended_until(now + HOUR);
            }
            Self::Unattended => {
                memory.set_deadline(zone::GLUE, Deadline::At(memory.now()));
                memory.set_attended_until(memory.now());
            }
            Self::Plain
            | Self::Choices
            | Self::Identifier
            | Self::ViaFib
            | Self::Broken
            | Self::Oddities => {}
        }
        memory
    }

    fn generation(self) -> Generation {
        if self == Self::Oddities {
            return zones::generation(&[zones::oddities()]);
        }
        let mut served = vec![
            zones::example(),
            zones::signed(),
            zones::from_text("faulty.example.", "*.wild NS ns.void.\n"),
            zones::from_text("nsec3.example.", nsec3::ZONE),
        ];
        if self == Self::Choices {
            served.push(zones::from_text("deleg.example.", "x TYPE61440 \\# 1 00\n"));
        }
        let also_served = [zones::name("served.in-domain.glue.example.")];
        let mut generation = zones::generation_beside(&served, &also_served);
        if self == Self::Broken {
            for slot in generation
                .buckets
                .iter_mut()
                .flat_map(|bucket| &mut bucket.0)
            {
                if slot.kind == EntryKind::Delegation as u8 {
                    slot.ns = u32::MAX;
                }
            }
        }
        generation
    }
}

/// Numbers of the zones: their places in [`Setup::generation`].
mod zone {
    pub const GLUE: u8 = 0;
    pub const SIGNED: u8 = 1;
    pub const NSEC3: u8 = 3;
}

/// Nanoseconds: longer than the tests take.
const HOUR: u64 = 3600 * 1_000_000_000;

/// The identifier, of an odd number of octets.
const IDENTIFIER: &[u8] = b"ns7.example\0\xff";

/// What a referral must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Records of the authority section, as text.
    pub authority: Vec<String>,
    /// Records of the additional section but OPT.
    pub additional: Vec<String>,
    /// Header flags that come back as they were asked.
    pub copied_flags: u16,
    /// The size in our OPT record.
    pub own_size: u16,
    /// Octets of the longest message allowed.
    pub limit: usize,
    /// The identifier in our OPT record.
    pub nsid: Option<&'static [u8]>,
}

/// A frame and what becomes of it.
#[derive(Clone, Debug)]
pub struct Case {
    pub what: String,
    pub setup: Setup,
    pub path: Path,
    pub query: Query,
    pub frame: Vec<u8>,
    pub reason: Reason,
    pub answer: Option<Answer>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {}: {}", self.setup, self.path.source, self.what)
    }
}

impl Case {
    /// A query that passes.
    fn pass(what: &str, reason: Reason, path: Path, query: Query) -> Self {
        let frame = path.frame(&query.octets());
        Self {
            what: what.to_owned(),
            setup: Setup::Plain,
            path,
            query,
            frame,
            reason,
            answer: None,
        }
    }

    /// An ordinary query over IPv4 that passes once its frame is spoilt.
    fn spoilt(what: &str, reason: Reason, path: Path, spoil: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut case = Self::pass(what, reason, path, single());
        spoil(&mut case.frame);
        case
    }

    /// An ordinary query that passes once its message is spoilt; lengths and
    /// checksums fit the spoilt message.
    fn garbled(what: &str, reason: Reason, query: Query, spoil: impl FnOnce(&mut Vec<u8>)) -> Self {
        let path = Path::v4();
        let mut message = query.octets();
        spoil(&mut message);
        Self {
            frame: path.frame(&message),
            ..Self::pass(what, reason, path, query)
        }
    }

    /// A query that is answered.
    fn answer(
        what: &str,
        path: Path,
        query: Query,
        authority: &[&str],
        additional: &[&str],
    ) -> Self {
        let limit = query
            .opt
            .as_ref()
            .map_or(512, |opt| opt.size.clamp(512, 1232));
        let answer = Answer {
            authority: authority.iter().map(ToString::to_string).collect(),
            additional: additional.iter().map(ToString::to_string).collect(),
            copied_flags: flag::RD,
            own_size: 1232,
            limit: limit.into(),
            nsid: None,
        };
        Self {
            answer: Some(answer),
            ..Self::pass(what, Reason::Referral, path, query)
        }
    }

    /// The smallest referral, to any query of which only that is of interest.
    fn single(what: &str, path: Path, query: Query) -> Self {
        Self::answer(what, path, query, &[SINGLE], &[])
    }

    fn ends(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    fn under(mut self, setup: Setup) -> Self {
        self.setup = setup;
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Answer)) -> Self {
        change(self.answer.as_mut().expect("an answer"));
        self
    }
}

/// Every case.
pub fn all() -> Vec<Case> {
    let groups = [
        link(),
        ipv4(),
        ipv6(),
        udp(),
        header(),
        question(),
        edns(),
        cookies(),
        identifiers(),
        lookup(),
        choices(),
        hosts(),
        deadlines(),
        paths(),
        types(),
        messages(),
        glue(),
        sizes(),
        dnssec(),
        nsec3::all(),
        golden(),
    ];
    groups.into_iter().flatten().collect()
}

const SINGLE: &str = "single.glue.example 3600 NS ns1.elsewhere.example.";

/// A query that gets the smallest referral.
fn single() -> Query {
    Query::new("www.single.glue.example.")
}

fn link() -> Vec<Case> {
    let ip = Path::v4().ip_start();
    vec![
        Case::pass(
            "to another MAC address",
            Reason::ForeignMac,
            Path::v4().with_mac([2, 0, 0, 0, 0, 6]),
            single(),
        ),
        Case::single(
            "to a virtual MAC address",
            Path::v4().with_mac(VIRTUAL_MAC),
            single(),
        ),
        Case::single(
            "to a virtual MAC address over IPv6",
            Path::v6().with_mac(VIRTUAL_MAC),
            single(),
        ),
        Case::pass(
            "to another virtual MAC address",
            Reason::ForeignMac,
            Path::v6().with_mac([0, 0, 0x5e, 0, 0x02, 0x05]),
            single(),
        ),
        Case::pass(
            "to the broadcast MAC address",
            Reason::ForeignMac,
            Path::v6().with_mac([0xff; 6]),
            single(),
        ),
        Case::pass(
            "from itself",
            Reason::ForeignMac,
            Path::v4().with_mac(CLIENT_MAC),
            single(),
        ),
        Case::spoilt("ARP", Reason::NotIp, Path::v4(), |frame| {
            frame[12..14].copy_from_slice(&[0x08, 0x06]);
        }),
        Case::spoilt(
            "a length instead of an EtherType",
            Reason::NotIp,
            Path::v4(),
            |frame| {
                frame[12..14].copy_from_slice(&[0x00, 0x40]);
            },
        ),
        Case::pass(
            "three VLAN tags",
            Reason::NotIp,
            Path::v4().tagged(&[(0x88a8, 1), (0x8100, 2), (0x8100, 3)]),
            single(),
        ),
        Case::spoilt(
            "the end inside a tag",
            Reason::ShortFrame,
            Path::v4(),
            |frame| {
                frame[12..14].copy_from_slice(&[0x81, 0x00]);
                frame.truncate(16);
            },
        ),
        Case::spoilt(
            "the end after Ethernet",
            Reason::ShortFrame,
            Path::v4(),
            |frame| {
                frame.truncate(14);
            },
        ),
        Case::spoilt(
            "the end inside the IPv4 header",
            Reason::ShortFrame,
            Path::v4(),
            |frame| {
                frame.truncate(ip + 19);
            },
        ),
        Case::spoilt(
            "the end inside the IPv6 header",
            Reason::ShortFrame,
            Path::v6(),
            |frame| {
                frame.truncate(ip + 39);
            },
        ),
        Case::spoilt(
            "the end inside the UDP header",
            Reason::ShortFrame,
            Path::v6(),
            |frame| {
                frame.truncate(ip + 40 + 7);
            },
        ),
        Case::pass(
            "padding beyond the first buffer",
            Reason::MultiBuffer,
            Path::v4().padded(5000),
            single(),
        ),
    ]
}

fn ipv4() -> Vec<Case> {
    let ip = Path::v4().ip_start();
    let udp = Path::v4().udp_start();
    let spoilt = |what: &str, reason, spoil: &dyn Fn(&mut Vec<u8>)| {
        Case::spoilt(what, reason, Path::v4(), |frame| {
            spoil(frame);
            fix_ipv4_checksum(frame, ip);
        })
    };
    let mut cases = vec![
        spoilt("TCP", Reason::NotUdp, &|frame| frame[ip + 9] = 6),
        spoilt("ICMP", Reason::NotUdp, &|frame| frame[ip + 9] = 1),
        Case::spoilt("IPv4 options", Reason::Ipv4Options, Path::v4(), |frame| {
            frame[ip] = 0x46;
            let total = u16::try_from(frame.len() - ip + 4).expect("short");
            put_number(frame, ip + 2, total);
            frame.splice(ip + 20..ip + 20, [1, 1, 1, 0]);
            fix_ipv4_checksum(frame, ip);
        }),
        Case::spoilt("version 5", Reason::Ipv4Options, Path::v4(), |frame| {
            frame[ip] = 0x55
        }),
        spoilt("the first fragment", Reason::Ipv4Fragment, &|frame| {
            frame[ip + 6] = 0x20
        }),
        spoilt("a later fragment", Reason::Ipv4Fragment, &|frame| {
            frame[ip + 7] = 0x01
        }),
        spoilt("the reserved flag", Reason::Ipv4Fragment, &|frame| {
            frame[ip + 6] = 0x80
        }),
        Case::spoilt(
            "a wrong header checksum",
            Reason::Ipv4Checksum,
            Path::v4(),
            |frame| {
                frame[ip + 10] ^= 1;
            },
        ),
        spoilt(
            "a total length below the header's",
            Reason::Length,
            &|frame| {
                put_number(frame, ip + 2, 19);
            },
        ),
        spoilt("a total length one too short", Reason::Length, &|frame| {
            frame[ip + 3] -= 1
        }),
        spoilt("a total length one too long", Reason::Length, &|frame| {
            frame[ip + 3] += 1
        }),
        Case::spoilt(
            "a UDP length one too short",
            Reason::Length,
            Path::v4(),
            |frame| {
                frame[udp + 5] -= 1;
            },
        ),
        Case::spoilt(
            "a UDP length one too long",
            Reason::Length,
            Path::v4(),
            |frame| {
                frame[udp + 5] += 1;
            },
        ),
        spoilt(
            "a datagram without a UDP header",
            Reason::Length,
            &|frame| {
                put_number(frame, ip + 2, 20 + 7);
                put_number(frame, udp + 4, 7);
            },
        ),
        spoilt("lengths beyond the frame", Reason::Length, &|frame| {
            frame[ip + 3] += 1;
            frame[udp + 5] += 1;
        }),
        Case::pass(
            "to a foreign address",
            Reason::ForeignAddress,
            Path::v4().to(Ipv4Addr::new(192, 0, 2, 54)),
            single(),
        ),
    ];
    for source in [
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::new(0, 1, 2, 3),
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::new(127, 255, 255, 254),
        Ipv4Addr::new(224, 0, 0, 251),
        Ipv4Addr::new(240, 0, 0, 1),
        Ipv4Addr::BROADCAST,
        SERVER_V4,
    ] {
        cases.push(Case::pass(
            &format!("from {source}"),
            Reason::SourceAddress,
            Path::v4().from(source),
            single(),
        ));
    }
    cases
}

fn ipv6() -> Vec<Case> {
    let ip = Path::v6().ip_start();
    let udp = Path::v6().udp_start();
    let mut cases = vec![
        Case::spoilt("version 4", Reason::Ipv6Version, Path::v6(), |frame| {
            frame[ip] = 0x45
        }),
        Case::spoilt(
            "a payload length one too short",
            Reason::Length,
            Path::v6(),
            |frame| {
                frame[ip + 5] -= 1;
            },
        ),
        Case::spoilt(
            "lengths beyond the frame",
            Reason::Length,
            Path::v6(),
            |frame| {
                frame[ip + 5] += 1;
                frame[udp + 5] += 1;
            },
        ),
        Case::spoilt("a jumbogram", Reason::Length, Path::v6(), |frame| {
            put_number(frame, ip + 4, 0);
        }),
        Case::pass(
            "to a foreign address",
            Reason::ForeignAddress,
            Path::v6().to("2001:db8::54".parse::<Ipv6Addr>().expect("an address")),
            single(),
        ),
        Case::pass(
            "to the mapped form of a service address",
            Reason::ForeignAddress,
            Path::v6().to(SERVER_V4.to_ipv6_mapped()),
            single(),
        ),
    ];
    for (what, next_header) in [
        ("hop-by-hop options", 0),
        ("TCP", 6),
        ("a routing header", 43),
        ("a fragment", 44),
        ("ICMP", 58),
        ("destination options", 60),
    ] {
        cases.push(Case::spoilt(what, Reason::NotUdp, Path::v6(), |frame| {
            frame[ip + 6] = next_header;
        }));
    }
    for source in ["::", "::1", "::192.0.2.1", "::ffff:198.51.100.7", "ff02::1"] {
        let address: Ipv6Addr = source.parse().expect("an address");
        cases.push(Case::pass(
            &format!("from {source}"),
            Reason::SourceAddress,
            Path::v6().from(address),
            single(),
        ));
    }
    cases.push(Case::pass(
        "from a service address",
        Reason::SourceAddress,
        Path::v6().from(SERVER_V6),
        single(),
    ));
    cases
}

fn udp() -> Vec<Case> {
    let mut cases = vec![
        Case::pass(
            "to another port",
            Reason::OtherPort,
            Path::v4().with_destination_port(54),
            single(),
        ),
        Case::pass(
            "to port 0",
            Reason::OtherPort,
            Path::v6().with_destination_port(0),
            single(),
        ),
        Case::pass(
            "over IPv6 without a checksum",
            Reason::UdpChecksum,
            Path::v6().unchecked(),
            single(),
        ),
        Case::spoilt(
            "a bit of the ID flipped",
            Reason::UdpChecksum,
            Path::v4(),
            |frame| {
                frame[Path::v4().message_start()] ^= 0x10;
            },
        ),
        Case::spoilt(
            "the last bit flipped",
            Reason::UdpChecksum,
            Path::v6(),
            |frame| {
                *frame.last_mut().expect("octets") ^= 1;
            },
        )
        // QCLASS 0.
        .ends(Reason::Class),
        Case::spoilt(
            "a letter changed",
            Reason::UdpChecksum,
            Path::v6(),
            |frame| {
                frame[Path::v6().message_start() + 13] ^= 1;
            },
        ),
        // What a sender leaves that expects its interface to fill it in.
        Case::spoilt(
            "a partial checksum",
            Reason::UdpChecksum,
            Path::v4(),
            |frame| {
                let udp = Path::v4().udp_start();
                let octets = u16::try_from(frame.len() - udp).expect("short");
                let [a, b, c, d] = SERVER_V4.octets();
                let [e, f, g, h] = super::program_support::frame::CLIENT_V4.octets();
                let words = [
                    [a, b],
                    [c, d],
                    [e, f],
                    [g, h],
                    [0, 17],
                    octets.to_be_bytes(),
                ];
                let sum: u32 = words
                    .into_iter()
                    .map(|word| u32::from(u16::from_be_bytes(word)))
                    .sum();
                let sum = u16::try_from((sum >> 16) + (sum & 0xffff)).expect("one carry");
                put_number(frame, udp + 6, sum);
            },
        ),
        Case::single(
            "over IPv4 without a checksum",
            Path::v4().unchecked(),
            single(),
        ),
        Case::single("from port 53", Path::v4().with_source_port(53), single()),
        Case::single(
            "from port 65535",
            Path::v6().with_source_port(65_535),
            single(),
        ),
        Case::single("from port 1", Path::v6().with_source_port(1), single()),
    ];
    for port in [0, 7, 13, 19, 37] {
        for path in [Path::v4(), Path::v6()] {
            cases.push(Case::pass(
                &format!("from port {port}"),
                Reason::SourcePort,
                path.with_source_port(port),
                single(),
            ));
        }
    }
    cases
}

fn header() -> Vec<Case> {
    let count = |what: &str, place: usize, value: u16| {
        Case::garbled(what, Reason::Counts, single(), |message| {
            put_number(message, place, value);
        })
    };
    let mut cases = vec![
        Case::garbled("no question", Reason::ShortQuery, single(), |message| {
            message.truncate(12);
        }),
        Case::garbled("16 octets", Reason::ShortQuery, single(), |message| {
            message.truncate(16)
        }),
        Case::garbled("no octets", Reason::ShortQuery, single(), Vec::clear),
        Case::pass(
            "513 octets",
            Reason::LongQuery,
            Path::v6(),
            single().option(
                65_001,
                &vec![0; 513 - single().option(65_001, &[]).octets().len()],
            ),
        ),
        Case::pass(
            "a response",
            Reason::Response,
            Path::v4(),
            single().flags(flag::QR),
        ),
        count("no question counted", 4, 0),
        count("two questions counted", 4, 2),
        count("256 questions counted", 4, 256),
        count("an answer counted", 6, 1),
        count("an authority record counted", 8, 1),
        count("two additional records counted", 10, 2),
    ];
    for opcode in 1..16 {
        cases.push(Case::pass(
            &format!("opcode {opcode}"),
            Reason::Opcode,
            Path::v4(),
            single().flags(opcode << 11),
        ));
    }
    for rcode in 1..16 {
        cases.push(Case::pass(
            &format!("RCODE {rcode}"),
            Reason::Rcode,
            Path::v6(),
            single().flags(rcode),
        ));
    }
    cases
}

/// A name of labels with these numbers of octets.
fn labels(octets: &[u8]) -> Vec<u8> {
    let mut name = Vec::new();
    for length in octets {
        name.push(*length);
        name.extend(std::iter::repeat_n(b'x', usize::from(*length)));
    }
    name
}

fn question() -> Vec<Case> {
    let below_single = |octets: &[u8]| {
        let mut name = labels(octets);
        name.extend(Query::new("single.glue.example.").name);
        Query::of(&name)
    };
    let label_type = |what: &str, octet: u8| {
        Case::garbled(what, Reason::LabelType, single(), move |message| {
            message[12] = octet
        })
    };
    // The cut's name takes 21 octets.
    vec![
        label_type("a compression pointer", 0xc0),
        label_type("an extended label", 0x40),
        label_type("a label of the third kind", 0x80),
        label_type("the greatest octet", 0xff),
        Case::pass(
            "256 octets of QNAME",
            Reason::LongName,
            Path::v4(),
            below_single(&[63, 63, 63, 42]),
        ),
        Case::single(
            "255 octets of QNAME",
            Path::v4(),
            below_single(&[63, 63, 63, 41]),
        ),
        Case::single("120 labels", Path::v6(), below_single(&[1; 117])),
        Case::single(
            "octets that are no letters",
            Path::v6(),
            Query::of(
                &[
                    b"\x03\x00.\xff".as_slice(),
                    &Query::new("single.glue.example.").name,
                ]
                .concat(),
            ),
        ),
        Case::garbled(
            "the end inside a label",
            Reason::CutShort,
            single(),
            |message| {
                message.truncate(30);
            },
        ),
        Case::garbled(
            "the end before the root label",
            Reason::CutShort,
            single(),
            |message| {
                message.truncate(message.len() - 5);
            },
        ),
        Case::garbled(
            "the end inside QTYPE",
            Reason::CutShort,
            single(),
            |message| {
                message.truncate(message.len() - 3);
            },
        ),
        Case::garbled(
            "the end inside QCLASS",
            Reason::CutShort,
            single(),
            |message| {
                message.truncate(message.len() - 1);
            },
        ),
        Case::pass("class CH", Reason::Class, Path::v4(), single().class(3)),
        Case::pass("class ANY", Reason::Class, Path::v6(), single().class(255)),
        Case::garbled(
            "an octet too many",
            Reason::TrailingOctets,
            single(),
            |message| {
                message.push(0);
            },
        ),
        Case::single(
            "a letter case of its own",
            Path::v4(),
            Query::new("wWw.SiNgLe.gLUe.EXAmple."),
        ),
    ]
}

fn edns() -> Vec<Case> {
    let start = single().question_end();
    let no_opt = |what: &str, spoil: &dyn Fn(&mut Vec<u8>)| {
        Case::garbled(what, Reason::NotOpt, with_opt(), |message| spoil(message))
    };
    let version = Query {
        opt: Some(Opt {
            size: 1232,
            version: 1,
            ..Opt::default()
        }),
        ..single()
    };
    let mut options = with_opt();
    for code in 0..17 {
        options = options.option(65_001 + code, &[]);
    }
    vec![
        no_opt("an OPT record of a name", &|message| {
            message.splice(start..=start, [1, b'x', 0]);
        }),
        no_opt("an OPT record whose owner is a pointer", &|message| {
            message.splice(start..=start, [0xc0, 12]);
        }),
        no_opt("TSIG", &|message| message[start + 2] = 250),
        no_opt("an A record", &|message| message[start + 2] = 1),
        Case::garbled(
            "the end inside OPT",
            Reason::CutShort,
            with_opt(),
            |message| {
                message.truncate(message.len() - 1);
            },
        ),
        Case::garbled(
            "OPT counted and missing",
            Reason::CutShort,
            with_opt(),
            |message| {
                message.truncate(start);
            },
        ),
        Case::garbled(
            "an RDLENGTH beyond the end",
            Reason::CutShort,
            with_opt(),
            |message| {
                *message.last_mut().expect("octets") = 1;
            },
        ),
        Case::garbled(
            "octets behind OPT",
            Reason::TrailingOctets,
            with_opt(),
            |message| {
                message.push(0);
            },
        ),
        Case::garbled(
            "an option without a length",
            Reason::OptionLength,
            with_opt(),
            |message| {
                *message.last_mut().expect("octets") = 3;
                message.extend([0xfd, 0xe9, 0]);
            },
        ),
        Case::garbled(
            "an option beyond RDATA",
            Reason::OptionLength,
            with_opt(),
            |message| {
                *message.last_mut().expect("octets") = 4;
                message.extend([0xfd, 0xe9, 0, 1]);
            },
        ),
        Case::pass("version 1", Reason::EdnsVersion, Path::v4(), version),
        Case::pass("17 options", Reason::ManyOptions, Path::v4(), options),
        Case::pass(
            "NSID",
            Reason::OptionNsid,
            Path::v6(),
            with_opt().option(3, &[]),
        ),
        Case::pass(
            "EXPIRE",
            Reason::OptionExpire,
            Path::v4(),
            with_opt().option(9, &[]),
        ),
        Case::pass(
            "ZONEVERSION",
            Reason::OptionZoneVersion,
            Path::v4(),
            with_opt().option(19, &[]),
        ),
        Case::pass(
            "NSID behind another option",
            Reason::OptionNsid,
            Path::v4(),
            with_opt().option(65_001, &[1, 2, 3]).option(3, &[]),
        ),
        Case::single(
            "options that change nothing",
            Path::v6(),
            with_opt()
                .option(8, &[0, 1, 24, 0, 198, 51, 100])
                .option(10, &[1, 2, 3, 4, 5, 6, 7, 8])
                .option(11, &[])
                .option(12, &[0; 9])
                .option(15, &[0, 1])
                .option(65_001, b"anything"),
        ),
        Case::single(
            "16 options",
            Path::v4(),
            (0..16).fold(with_opt(), |query, code| query.option(65_001 + code, &[0])),
        ),
        Case::single(
            "every flag of EDNS",
            Path::v4(),
            single().edns(1232, 0xffff),
        ),
        Case::single(
            "CO and DE without DO",
            Path::v6(),
            single().edns(1232, edns_flag::CO | edns_flag::DE),
        ),
        Case::single("an extended RCODE", Path::v4(), {
            let mut query = with_opt();
            query.opt.as_mut().expect("OPT").version = 0xab00;
            query
        }),
    ]
}

/// The same with EDNS.
fn with_opt() -> Query {
    single().edns(1232, 0)
}

/// Cookies, and other options, of any length: what BIND calls malformed passes.
fn cookies() -> Vec<Case> {
    let asked = |code: u16, octets: usize| with_opt().option(code, &vec![0; octets]);
    let mut cases = Vec::new();
    for (code, allowed, malformed) in [
        (1, &[18][..], &[0, 17, 19][..]),
        (8, &[4, 8, 20], &[0, 3, 21]),
        (10, &[8, 16, 24, 40], &[0, 1, 7, 9, 15, 41, 64, 300]),
        (14, &[2, 4, 62], &[0, 1, 3, 63, 64]),
        (15, &[2, 3, 70], &[0, 1]),
        (16, &[2], &[0, 1, 3]),
        (17, &[2], &[0, 1, 3]),
    ] {
        for octets in allowed {
            let what = format!("option {code} of {octets} octets");
            cases.push(Case::single(&what, Path::v4(), asked(code, *octets)));
        }
        for octets in malformed {
            let what = format!("option {code} of {octets} octets, malformed");
            let query = asked(code, *octets);
            cases.push(Case::pass(
                &what,
                Reason::OptionMalformed,
                Path::v6(),
                query,
            ));
        }
    }
    for octets in [0, 7, 8, 9, 24, 41] {
        let what = format!("a cookie of {octets} octets with --cookies pass");
        let path = Path::v4().with_destination_port(5353);
        let query = asked(10, octets);
        cases.push(Case::pass(&what, Reason::OptionCookie, path, query).under(Setup::Choices));
    }
    cases
}

/// Queries for the identifier, with `--nsid`.
fn identifiers() -> Vec<Case> {
    let nsid = |query: Query| query.option(3, &[]);
    let cookie = [1, 2, 3, 4, 5, 6, 7, 8];
    let answered = |what: &str, path: Path, query: Query| {
        Case::single(what, path, query).change(|answer| answer.nsid = Some(IDENTIFIER))
    };
    let odd = Query::new("x.single.glue.example.");
    let cases = [
        Case::single("no NSID asked for", Path::v4(), with_opt()),
        Case::single("no EDNS with --nsid", Path::v6(), single()),
        answered("NSID over IPv4", Path::v4(), nsid(with_opt())),
        answered("NSID over IPv6", Path::v6(), nsid(with_opt())),
        answered("NSID at an odd offset", Path::v4(), nsid(odd.edns(4096, 0))),
        answered("NSID and DO", Path::v6(), nsid(single().edns(1232, 0xffff))),
        answered(
            "NSID of 60 octets",
            Path::v4(),
            with_opt().option(3, &[0xaa; 60]),
        ),
        answered(
            "NSID before a cookie",
            Path::v4(),
            nsid(with_opt()).option(10, &cookie),
        ),
        answered(
            "NSID behind a cookie",
            Path::v6(),
            nsid(with_opt().option(10, &cookie)),
        ),
        answered(
            "NSID between unknown options",
            Path::v4(),
            nsid(with_opt().option(65_001, b"a")).option(65_002, &[]),
        ),
        answered(
            "NSID as the last of 16",
            Path::v6(),
            nsid((0..15).fold(with_opt(), |query, code| query.option(65_001 + code, &[0]))),
        ),
        Case::pass(
            "NSID twice",
            Reason::OptionNsid,
            Path::v4(),
            nsid(nsid(with_opt())),
        ),
        Case::pass(
            "NSID twice, a cookie between",
            Reason::OptionNsid,
            Path::v6(),
            nsid(nsid(with_opt()).option(10, &cookie)),
        ),
        Case::pass(
            "NSID and EXPIRE",
            Reason::OptionExpire,
            Path::v4(),
            nsid(with_opt()).option(9, &[]),
        ),
        Case::pass(
            "NSID and ZONEVERSION",
            Reason::OptionZoneVersion,
            Path::v4(),
            nsid(with_opt()).option(19, &[]),
        ),
        Case::pass(
            "NSID and a malformed cookie",
            Reason::OptionMalformed,
            Path::v4(),
            nsid(with_opt()).option(10, &[0]),
        ),
        Case::garbled(
            "NSID in two OPT records",
            Reason::Counts,
            nsid(with_opt()),
            |message| {
                let opt = message[single().question_end()..].to_vec();
                message.extend(opt);
                message[11] = 2;
            },
        ),
        Case::garbled(
            "NSID longer than RDATA",
            Reason::OptionLength,
            nsid(with_opt()),
            |message| *message.last_mut().expect("octets") = 1,
        ),
        Case::pass("NSID and version 1", Reason::EdnsVersion, Path::v4(), {
            let mut query = nsid(with_opt());
            query.opt.as_mut().expect("OPT").version = 1;
            query
        }),
    ];
    cases
        .into_iter()
        .map(|case| case.under(Setup::Identifier))
        .collect()
}

fn lookup() -> Vec<Case> {
    let no_cut = |name: &str| Case::pass(name, Reason::NoCut, Path::v4(), Query::new(name));
    let mut cases = vec![
        Case::pass(
            "the root",
            Reason::OutsideZones,
            Path::v4(),
            Query::new("."),
        ),
        Case::pass(
            "above the apex",
            Reason::OutsideZones,
            Path::v6(),
            Query::new("example."),
        ),
        Case::pass(
            "elsewhere",
            Reason::OutsideZones,
            Path::v6(),
            Query::new("www.example.com."),
        ),
        Case::pass(
            "the text of a cut under another parent",
            Reason::OutsideZones,
            Path::v4(),
            Query::new("single.glue.examplf."),
        ),
        Case::pass(
            "an apex of --serves below a cut",
            Reason::Served,
            Path::v4(),
            Query::new("served.in-domain.glue.example."),
        ),
        Case::pass(
            "below an apex of --serves",
            Reason::Served,
            Path::v6(),
            Query::new("x.served.in-domain.glue.example."),
        ),
        Case::pass(
            "a DNAME",
            Reason::Dname,
            Path::v4(),
            Query::new("renamed.glue.example."),
        ),
        Case::pass(
            "a cut hidden by a DNAME",
            Reason::Dname,
            Path::v6(),
            Query::new("x.hidden.renamed.glue.example."),
        ),
        Case::pass(
            "below NS at a wildcard",
            Reason::Refused,
            Path::v6(),
            Query::new("*.wild.faulty.example."),
        ),
    ];
    cases.extend(
        [
            "glue.example.",
            "ns1.glue.example.",
            "x.www.glue.example.",
            "alias.glue.example.",
            "alias-below.glue.example.",
            "ent.glue.example.",
            "nothing.glue.example.",
            "x.wild.glue.example.",
            "two.glue.example.",
            "single.nothing.glue.example.",
            "singles.glue.example.",
            "signed.example.",
        ]
        .map(no_cut),
    );
    for (what, qtype, reason) in [
        ("DS at the cut", rtype::DS, Reason::TypeDs),
        ("NSEC at the cut", rtype::NSEC, Reason::TypeNsec),
        ("DELEG at the cut", rtype::DELEG, Reason::TypeDeleg),
        ("ANY at the cut", rtype::ANY, Reason::TypeAny),
    ] {
        let query = Query::new("single.glue.example.").qtype(qtype);
        cases.push(Case::pass(what, reason, Path::v4(), query));
    }
    cases.push(Case::pass(
        "ANY below the cut",
        Reason::TypeAny,
        Path::v4(),
        single().qtype(rtype::ANY),
    ));
    for qtype in [0, rtype::OPT, 128, 249, 250, 251, 252, 253, 254] {
        let what = format!("type {qtype}");
        cases.push(Case::pass(
            &what,
            Reason::MetaType,
            Path::v6(),
            single().qtype(qtype),
        ));
    }
    cases
}

/// What an operator may choose otherwise.
fn choices() -> Vec<Case> {
    let v4 = || Path::v4().with_destination_port(5353);
    let v6 = || Path::v6().with_destination_port(5353);
    let answered = |case: Case| case.change(|answer| answer.own_size = 1400);
    let cases = [
        Case::pass("port 53", Reason::OtherPort, Path::v4(), single()),
        Case::pass(
            "COOKIE",
            Reason::OptionCookie,
            v4(),
            single().option(10, &[1; 8]),
        ),
        Case::pass(
            "a client subnet",
            Reason::OptionEcs,
            v6(),
            single().option(8, &[0, 1, 0, 0]),
        ),
        Case::pass(
            "DE",
            Reason::DelegAware,
            v4(),
            single().edns(1232, edns_flag::DE),
        ),
        Case::pass(
            "DELEG records without NS",
            Reason::Refused,
            v4(),
            Query::new("www.x.deleg.example."),
        ),
        answered(Case::single("CD", v4(), single().flags(flag::CD)))
            .change(|answer| answer.copied_flags |= flag::CD),
        answered(Case::single(
            "RD",
            v6(),
            single().flags(flag::RD).edns(4096, 0),
        ))
        .change(|answer| answer.limit = 1400),
    ];
    cases
        .into_iter()
        .map(|case| case.under(Setup::Choices))
        .collect()
}

/// Interfaces, and what cannot happen.
fn hosts() -> Vec<Case> {
    vec![
        Case::pass("a small MTU", Reason::SmallMtu, Path::v4(), single()).under(Setup::Mtu500),
        Case::pass(
            "a small MTU, a miss",
            Reason::SmallMtu,
            Path::v6(),
            Query::new("."),
        )
        .under(Setup::Mtu500),
        Case::pass(
            "another interface",
            Reason::UnknownInterface,
            Path::v4(),
            single(),
        )
        .under(Setup::OtherInterface),
        Case::pass(
            "a piece that is missing",
            Reason::Inconsistent,
            Path::v4(),
            single(),
        )
        .under(Setup::Broken),
        Case::pass("no route", Reason::NoRoute, Path::v4(), single()).under(Setup::ViaFib),
        Case::pass("no route over IPv6", Reason::NoRoute, Path::v6(), single())
            .under(Setup::ViaFib),
        Case::pass(
            "no route, and no cut either",
            Reason::NoCut,
            Path::v6(),
            Query::new("nothing.glue.example."),
        )
        .under(Setup::ViaFib),
        // The glue of 542 octets again, and what the MTU leaves of it.
        full("an MTU that cuts glue over IPv4", Path::v4(), 1232, 15)
            .under(Setup::Mtu561)
            .change(|answer| answer.limit = 533),
        full("an MTU that cuts glue over IPv6", Path::v6(), 1232, 14)
            .under(Setup::Mtu561)
            .change(|answer| answer.limit = 513),
        full("a client that takes less than the MTU", Path::v4(), 530, 15).under(Setup::Mtu561),
    ]
}

/// Zones that must not be answered for any more, and one beside them that may.
fn deadlines() -> Vec<Case> {
    let expired = |what: &str, path, query| Case::pass(what, Reason::ZoneExpired, path, query);
    let other = |what: &str, reason, name: &str| {
        Case::pass(what, reason, Path::v4(), Query::new(name)).under(Setup::Expired)
    };
    let late = [
        expired("an expired zone over IPv4", Path::v4(), single()),
        expired("an expired zone over IPv6", Path::v6(), single()),
        expired("an expired zone, EDNS", Path::v6(), single().edns(1232, 0)),
        expired(
            "an expired zone, the cut itself",
            Path::v4(),
            Query::new("single.glue.example."),
        ),
        expired(
            "an expired zone, a reply with glue and many pointers",
            Path::v6(),
            Query::new("huge.glue.example.").edns(1400, 0),
        ),
        Case::pass(
            "a withheld zone",
            Reason::ZoneWithheld,
            Path::v4(),
            Query::new("www.child.signed.example."),
        ),
        Case::pass(
            "a withheld zone, DO",
            Reason::ZoneWithheld,
            Path::v6(),
            Query::new("deleg.signed.example.").edns(1232, edns_flag::DO),
        ),
    ];
    let still = Query::new("www.insecure.nsec3.example.");
    let cases = [
        Case::answer(
            "a zone beside them whose deadline is to come",
            Path::v4(),
            still.clone(),
            &["insecure.nsec3.example 3600 NS ns1.elsewhere.example."],
            &[],
        )
        .under(Setup::Expired),
        Case::pass(
            "DS at an expired zone's cut",
            Reason::TypeDs,
            Path::v4(),
            Query::new("single.glue.example.").qtype(rtype::DS),
        )
        .under(Setup::Expired),
        other("an expired zone's apex", Reason::NoCut, "glue.example."),
        other(
            "a withheld zone's own data",
            Reason::NoCut,
            "www.signed.example.",
        ),
        Case::pass("no daemon", Reason::Unattended, Path::v4(), still.clone())
            .under(Setup::Unattended),
        Case::pass(
            "no daemon, DO",
            Reason::Unattended,
            Path::v6(),
            still.edns(1232, edns_flag::DO),
        )
        .under(Setup::Unattended),
        expired("no daemon, an expired zone", Path::v4(), single()).under(Setup::Unattended),
        Case::pass(
            "no daemon, a miss",
            Reason::NoCut,
            Path::v6(),
            Query::new("glue.example."),
        )
        .under(Setup::Unattended),
    ];
    let late = late.into_iter().map(|case| case.under(Setup::Expired));
    late.chain(cases).collect()
}

/// What carries the query.
fn paths() -> Vec<Case> {
    let mut cases = Vec::new();
    let tags: [&[(u16, u16)]; 5] = [
        &[],
        &[(0x8100, 0x0007)],
        &[(0x88a8, 0xeffe)],
        &[(0x88a8, 0x2064), (0x8100, 0x1fff)],
        &[(0x8100, 0), (0x8100, 0xffff)],
    ];
    for path in [Path::v4(), Path::v6()] {
        for tags in tags {
            // No padding, the shortest frame of a wire, more than the reply.
            for padded_to in [0, 60, 64, 128, 1400, 3000] {
                let path = path.clone().tagged(tags).padded(padded_to);
                let what = format!("{} tags, padded to {padded_to}", tags.len());
                cases.push(Case::single(&what, path.clone(), single()));
                let no_cut = Query::new("nothing.glue.example.");
                cases.push(Case::pass(&what, Reason::NoCut, path, no_cut));
            }
        }
    }
    cases
}

/// Types that are referred at the cut and below.
fn types() -> Vec<Case> {
    let mut cases = Vec::new();
    for qtype in [
        1, 2, 5, 6, 15, 28, 33, 46, 48, 50, 59, 64, 65, 99, 127, 256, 257, 1000, 65_535,
    ] {
        for name in ["single.glue.example.", "x.y.single.glue.example."] {
            let what = format!("type {qtype} of {name}");
            cases.push(Case::single(
                &what,
                Path::v4(),
                Query::new(name).qtype(qtype),
            ));
        }
    }
    for qtype in [rtype::DS, rtype::NSEC, rtype::DELEG] {
        let what = format!("type {qtype} below the cut");
        cases.push(Case::single(&what, Path::v6(), single().qtype(qtype)));
    }
    cases
}

/// Header flags and IDs.
fn messages() -> Vec<Case> {
    let mut cases = Vec::new();
    for flags in [
        flag::RD,
        flag::AA,
        flag::TC,
        flag::RA,
        flag::Z,
        flag::AD,
        flag::CD,
        flag::RD | flag::AA | flag::TC | flag::RA | flag::Z | flag::AD | flag::CD,
    ] {
        let what = format!("header flags {flags:04x}");
        cases.push(Case::single(&what, Path::v4(), single().flags(flags)));
    }
    for id in [0, 1, 0x8000, 0xfffe, 0xffff] {
        for path in [Path::v4(), Path::v6()] {
            let query = Query { id, ..single() };
            cases.push(Case::single(&format!("ID {id:04x}"), path, query));
        }
    }
    cases
}

const IN_DOMAIN: [&str; 2] = [
    "in-domain.glue.example 86400 NS ns1.in-domain.glue.example.",
    "in-domain.glue.example 86400 NS ns2.in-domain.glue.example.",
];
const IN_DOMAIN_GLUE: [&str; 4] = [
    "ns1.in-domain.glue.example 86400 A 192.0.2.11",
    "ns1.in-domain.glue.example 86400 AAAA 2001:db8:11::1",
    "ns2.in-domain.glue.example 86400 A 192.0.2.12",
    "ns2.in-domain.glue.example 86400 AAAA 2001:db8:11::2",
];
const CYCLE_GLUE: [&str; 4] = [
    "ns1.foo.glue.example 3600 A 192.0.2.23",
    "ns1.foo.glue.example 3600 AAAA 2001:db8:23::1",
    "ns2.foo.glue.example 3600 A 192.0.2.24",
    "ns2.foo.glue.example 3600 AAAA 2001:db8:23::2",
];
const OUTER: [&str; 2] = [
    "outer.glue.example 3600 NS ns1.outer.glue.example.",
    "outer.glue.example 3600 NS ns.inner.outer.glue.example.",
];
const OUTER_GLUE: [&str; 2] = [
    "ns1.outer.glue.example 3600 A 192.0.2.41",
    "ns.inner.outer.glue.example 3600 A 192.0.2.42",
];

/// Which addresses a referral holds.
fn glue() -> Vec<Case> {
    let mut cases = Vec::new();
    for path in [Path::v4(), Path::v6()] {
        for name in ["in-domain.glue.example.", "ns1.in-domain.glue.example."] {
            cases.push(Case::answer(
                name,
                path.clone(),
                Query::new(name),
                &IN_DOMAIN,
                &IN_DOMAIN_GLUE,
            ));
        }
        // Names of different parity of length: the sums of blocks swap.
        for prefix in 1..=8 {
            let mut name = labels(&[prefix]);
            name.extend(Query::new("in-domain.glue.example.").name);
            let query = Query::of(&name).edns(1232, edns_flag::DO);
            let what = format!("a prefix of {prefix} octets");
            cases.push(Case::answer(
                &what,
                path.clone(),
                query,
                &IN_DOMAIN,
                &IN_DOMAIN_GLUE,
            ));
        }
    }
    let mut add = |name: &str, authority: &[&str], additional: &[&str]| {
        cases.push(Case::answer(
            name,
            Path::v4(),
            Query::new(name),
            authority,
            additional,
        ));
    };
    add(
        "at-cut.glue.example.",
        &[
            "at-cut.glue.example 3600 NS at-cut.glue.example.",
            "at-cut.glue.example 3600 NS ns1.elsewhere.example.",
        ],
        &["at-cut.glue.example 3600 A 192.0.2.13"],
    );
    add(
        "www.sibling.glue.example.",
        &[
            "sibling.glue.example 3600 NS ns1.in-domain.glue.example.",
            "sibling.glue.example 3600 NS ns2.in-domain.glue.example.",
        ],
        &IN_DOMAIN_GLUE,
    );
    add(
        "mixed.glue.example.",
        &[
            "mixed.glue.example 3600 NS ns1.mixed.glue.example.",
            "mixed.glue.example 3600 NS ns1.in-domain.glue.example.",
            "mixed.glue.example 3600 NS ns1.glue.example.",
            "mixed.glue.example 3600 NS ns1.elsewhere.example.",
        ],
        &[
            "ns1.mixed.glue.example 3600 A 192.0.2.14",
            "ns1.mixed.glue.example 3600 AAAA 2001:db8:14::1",
            "ns1.in-domain.glue.example 86400 A 192.0.2.11",
            "ns1.in-domain.glue.example 86400 AAAA 2001:db8:11::1",
            "ns1.glue.example 3600 A 192.0.2.1",
            "ns1.glue.example 3600 AAAA 2001:db8::1",
        ],
    );
    add(
        "bar.glue.example.",
        &[
            "bar.glue.example 3600 NS ns1.foo.glue.example.",
            "bar.glue.example 3600 NS ns2.foo.glue.example.",
        ],
        &CYCLE_GLUE,
    );
    for name in ["outer.glue.example.", "x.inner.outer.glue.example."] {
        add(name, &OUTER, &OUTER_GLUE);
    }
    add(
        "authoritative.glue.example.",
        &[
            "authoritative.glue.example 3600 NS ns1.glue.example.",
            "authoritative.glue.example 3600 NS ns2.glue.example.",
        ],
        &[
            "ns1.glue.example 3600 A 192.0.2.1",
            "ns1.glue.example 3600 AAAA 2001:db8::1",
            "ns2.glue.example 3600 A 192.0.2.2",
            "ns2.glue.example 3600 AAAA 2001:db8::2",
        ],
    );
    add(
        "from-wildcard.glue.example.",
        &[
            "from-wildcard.glue.example 3600 NS ns.wild.glue.example.",
            "from-wildcard.glue.example 3600 NS ns1.elsewhere.example.",
        ],
        &[],
    );
    add(
        "MIXEDcase.glue.example.",
        &[
            "mixedcase.glue.example 3600 NS ns1.mixedcase.glue.example.",
            "mixedcase.glue.example 3600 NS ns1.in-domain.glue.example.",
        ],
        &[
            "ns1.mixedcase.glue.example 3600 A 192.0.2.31",
            "ns1.in-domain.glue.example 86400 A 192.0.2.11",
            "ns1.in-domain.glue.example 86400 AAAA 2001:db8:11::1",
        ],
    );
    add(
        "x.labels.two.glue.example.",
        &[
            "labels.two.glue.example 3600 NS ns1.labels.two.glue.example.",
            "labels.two.glue.example 3600 NS ns2.elsewhere.example.",
        ],
        &["ns1.labels.two.glue.example 3600 A 192.0.2.32"],
    );
    add(
        "no-glue.glue.example.",
        &[
            "no-glue.glue.example 3600 NS ns1.no-glue.glue.example.",
            "no-glue.glue.example 3600 NS ns1.elsewhere.example.",
        ],
        &[],
    );
    add(
        "to-alias.glue.example.",
        &[
            "to-alias.glue.example 3600 NS alias.glue.example.",
            "to-alias.glue.example 3600 NS ns1.elsewhere.example.",
        ],
        &[],
    );
    cases
}

const FULL: [&str; 8] = [
    "full.glue.example 3600 NS ns1.full.glue.example.",
    "full.glue.example 3600 NS ns2.full.glue.example.",
    "full.glue.example 3600 NS ns3.full.glue.example.",
    "full.glue.example 3600 NS ns4.full.glue.example.",
    "full.glue.example 3600 NS ns5.full.glue.example.",
    "full.glue.example 3600 NS ns6.full.glue.example.",
    "full.glue.example 3600 NS ns7.full.glue.example.",
    "full.glue.example 3600 NS ns8.full.glue.example.",
];
const FULL_SIBLING: [&str; 8] = [
    "full-sibling.glue.example 3600 NS ns1.full.glue.example.",
    "full-sibling.glue.example 3600 NS ns2.full.glue.example.",
    "full-sibling.glue.example 3600 NS ns3.full.glue.example.",
    "full-sibling.glue.example 3600 NS ns4.full.glue.example.",
    "full-sibling.glue.example 3600 NS ns5.full.glue.example.",
    "full-sibling.glue.example 3600 NS ns6.full.glue.example.",
    "full-sibling.glue.example 3600 NS ns7.full.glue.example.",
    "full-sibling.glue.example 3600 NS ns8.full.glue.example.",
];
/// The addresses of ns1.full.glue.example. and so on, as referrals order them.
const FULL_GLUE: [&str; 16] = [
    "ns1.full.glue.example 3600 A 198.51.100.1",
    "ns1.full.glue.example 3600 AAAA 2001:db8:f::1",
    "ns2.full.glue.example 3600 A 198.51.100.2",
    "ns2.full.glue.example 3600 AAAA 2001:db8:f::2",
    "ns3.full.glue.example 3600 A 198.51.100.3",
    "ns3.full.glue.example 3600 AAAA 2001:db8:f::3",
    "ns4.full.glue.example 3600 A 198.51.100.4",
    "ns4.full.glue.example 3600 AAAA 2001:db8:f::4",
    "ns5.full.glue.example 3600 A 198.51.100.5",
    "ns5.full.glue.example 3600 AAAA 2001:db8:f::5",
    "ns6.full.glue.example 3600 A 198.51.100.6",
    "ns6.full.glue.example 3600 AAAA 2001:db8:f::6",
    "ns7.full.glue.example 3600 A 198.51.100.7",
    "ns7.full.glue.example 3600 AAAA 2001:db8:f::7",
    "ns8.full.glue.example 3600 A 198.51.100.8",
    "ns8.full.glue.example 3600 AAAA 2001:db8:f::8",
];

/// The referral to full.glue.example. with so many of its 16 glue RRsets; all
/// of them are in-domain.
///
/// A record's pointer, type, class, TTL and length take 12 octets; so with
/// eight name servers the NS records take 8 x 18 octets, an A record 16, an
/// AAAA record 28. Header, question and OPT of the bare name take 46: in all
/// 542.
fn full(what: &str, path: Path, size: u16, rrsets: usize) -> Case {
    let query = Query::new("full.glue.example.").edns(size, 0);
    let case = Case::answer(what, path, query, &FULL, &FULL_GLUE[..rrsets]);
    if rrsets == FULL_GLUE.len() {
        case
    } else {
        case.ends(Reason::ReferralTruncated)
    }
}

/// The same addresses as sibling glue: 555 octets with all of them.
fn full_sibling(what: &str, path: Path, edns: Option<u16>, rrsets: usize) -> Case {
    let mut query = Query::new("full-sibling.glue.example.");
    if let Some(size) = edns {
        query = query.edns(size, 0);
    }
    let case = Case::answer(what, path, query, &FULL_SIBLING, &FULL_GLUE[..rrsets]);
    if rrsets == FULL_GLUE.len() {
        case
    } else {
        case.ends(Reason::ReferralPartial)
    }
}

/// The referral to huge.glue.example. with the addresses of so many of its 13
/// name servers.
///
/// Header, question and OPT take 46 octets; the NS records 54 + 12 x 16; the
/// six addresses of a name server 3 x 16 + 3 x 28.
fn huge(what: &str, path: Path, size: u16, complete: usize) -> Case {
    const LABEL: &str = "name-servers-of-a-zone-with-much-glue";
    let query = Query::new("huge.glue.example.").edns(size, 0);
    let mut case = Case::answer(what, path, query, &[], &[]).ends(Reason::ReferralTruncated);
    let answer = case.answer.as_mut().expect("an answer");
    for (place, letter) in ('a'..='m').enumerate() {
        let host = format!("{letter}.{LABEL}.huge.glue.example");
        answer
            .authority
            .push(format!("huge.glue.example 3600 NS {host}."));
        for address in 1..=3 {
            if place < complete {
                let last = 3 * place + address;
                answer
                    .additional
                    .push(format!("{host} 3600 A 203.0.113.{last}"));
                let group = place + 1;
                answer
                    .additional
                    .push(format!("{host} 3600 AAAA 2001:db8:{group:x}::{address}"));
            }
        }
    }
    case
}

/// What fits.
fn sizes() -> Vec<Case> {
    let many = Query::new("many.glue.example.");
    let mut cases = vec![
        Case::answer(
            "NS records that do not fit",
            Path::v4(),
            many.clone(),
            &[],
            &[],
        )
        .ends(Reason::ReferralTruncated),
        Case::answer(
            "the same with an OPT record",
            Path::v6(),
            many.edns(512, 0),
            &[],
            &[],
        )
        .ends(Reason::ReferralTruncated),
        huge("more than the server ever sends", Path::v4(), 4096, 7),
        huge("as much as the server ever sends", Path::v6(), 1232, 7),
        // 292 + 7 x 132.
        huge("seven name servers exactly", Path::v4(), 1216, 7),
    ];
    for (size, rrsets) in [
        (542, 16),
        (541, 15),
        (514, 15),
        (513, 14),
        (4096, 16),
        (65_535, 16),
    ] {
        let what = format!("in-domain glue into {size}");
        cases.push(full(&what, Path::v4(), size, rrsets));
        cases.push(full(&what, Path::v6(), size, rrsets));
    }
    // Sizes below 512 mean 512.
    for size in [0, 1, 100, 511, 512] {
        cases.push(full(&format!("a size of {size}"), Path::v6(), size, 14));
    }
    for (size, rrsets) in [(555, 16), (554, 15), (527, 15), (526, 14), (4096, 16)] {
        let what = format!("sibling glue into {size}");
        cases.push(full_sibling(&what, Path::v4(), Some(size), rrsets));
        cases.push(full_sibling(&what, Path::v6(), Some(size), rrsets));
    }
    cases.push(full_sibling(
        "sibling glue without EDNS",
        Path::v4(),
        None,
        14,
    ));
    cases
}

fn dnssec() -> Vec<Case> {
    vec![Case::answer(
        "DS of an unsigned zone",
        Path::v4(),
        Query::new("secure-2.glue.example.").edns(1232, edns_flag::DO),
        &[
            "secure-2.glue.example 3600 NS ns1.elsewhere.example.",
            "secure-2.glue.example 3600 NS ns2.elsewhere.example.",
        ],
        &[],
    )]
}

/// The golden answers of the zone of oddities, over IPv4 and IPv6.
fn golden() -> Vec<Case> {
    let mut cases = Vec::new();
    for golden in oddities::golden() {
        for path in [Path::v4(), Path::v6()] {
            let query = golden.query.clone();
            let case = match &golden.outcome {
                Outcome::Passes(reason) => Case::pass(&golden.name, *reason, path, query),
                Outcome::Referral(referral) => {
                    let [authority, additional] = [&referral.authority, &referral.additional]
                        .map(|records| records.iter().map(ToString::to_string).collect());
                    Case::answer(&golden.name, path, query, &[], &[])
                        .ends(match (referral.truncated, referral.whole) {
                            (true, _) => Reason::ReferralTruncated,
                            (false, false) => Reason::ReferralPartial,
                            (false, true) => Reason::Referral,
                        })
                        .change(|answer| {
                            answer.authority = authority;
                            answer.additional = additional;
                        })
                }
            };
            cases.push(case.under(Setup::Oddities));
        }
    }
    cases
}

/// Replies written out: the query's frame, and the reply's in parts.
pub fn written_out() -> [(Vec<u8>, &'static [&'static str]); 2] {
    let v4 = Path::v4().frame(&Query::new("a.six.glue.example.").flags(flag::RD).octets());
    let query = Query::new("six.glue.example.").edns(4096, edns_flag::DO);
    let v6 = Path::v6()
        .tagged(&[(0x8100, 0x2064)])
        .frame(&query.octets());
    [
        (
            v4,
            &[
                // Ethernet, IPv4, UDP.
                "02000000000c 020000000005 0800",
                "4500 009c 0000 4000 40 11 4de1 c0000235 c6336407",
                "0035 9c75 0088 f4c2",
                // Header: QR and RD; two NS records, two addresses.
                "1d5a 8100 0001 0000 0002 0002",
                "01 61 03 736978 04 676c7565 07 6578616d706c65 00 0001 0001",
                "c00e 0002 0001 00000e10 0006 03 6e7331 c00e",
                "c00e 0002 0001 00000e10 0006 03 6e7332 c00e",
                "c030 001c 0001 00000e10 0010 20010db8000600000000000000000001",
                "c042 001c 0001 00000e10 0010 20010db8000600000000000000000002",
            ],
        ),
        (
            v6,
            &[
                // Ethernet, VLAN 100 with priority 1, IPv6, UDP.
                "02000000000c 020000000005 8100 2064 86dd",
                "60000000 0091 11 40",
                "20010db8000000000000000000000053 20010db8000c00000000000000000007",
                "0035 9c75 0091 8e30",
                // Header: QR alone; OPT is counted.
                "1d5a 8000 0001 0000 0002 0003",
                "03 736978 04 676c7565 07 6578616d706c65 00 0001 0001",
                "c00c 0002 0001 00000e10 0006 03 6e7331 c00c",
                "c00c 0002 0001 00000e10 0006 03 6e7332 c00c",
                "c02e 001c 0001 00000e10 0010 20010db8000600000000000000000001",
                "c040 001c 0001 00000e10 0010 20010db8000600000000000000000002",
                // OPT: 1232 octets, DO.
                "00 0029 04d0 00 00 8000 0000",
            ],
        ),
    ]
}
