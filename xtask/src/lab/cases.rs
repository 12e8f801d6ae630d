//! What the lab asks, and what must come of it: who answers, and every record.
//!
//! Names are those of the example zone and of its signed twin. In the lists of
//! records a name without a final dot is below the apex of the case's zone.

use domain::base::{Rtype, iana::Rcode};

use super::client::{Edns, Transport};

/// The example zone.
pub const PLAIN: &str = "glue.example.";
/// The same, signed.
pub const SIGNED: &str = "signed.example.";

/// Who must answer, as a counter names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The program, with this outcome.
    Kernel(&'static str),
    /// The server behind, because of this outcome.
    Fallback(&'static str),
}

/// What a section must hold, as a set; TTLs aside.
#[derive(Clone, Copy, Debug)]
pub enum Records {
    /// These: owner, type and data; of RRSIG the type covered instead of the
    /// data, of SOA and NSEC no data.
    Exactly(&'static [&'static str]),
    /// Some or none of these.
    Among(&'static [&'static str]),
}

/// Nothing.
const NONE: Records = Records::Exactly(&[]);

/// A query and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it shows.
    pub title: &'static str,
    /// The apex that names in the lists of records are relative to.
    pub zone: &'static str,
    /// QNAME, relative to the apex; empty for the apex.
    pub name: &'static str,
    /// QTYPE.
    pub rtype: Rtype,
    /// OPT.
    pub edns: Option<Edns>,
    /// UDP or TCP.
    pub transport: Transport,
    /// Whether it goes over IPv6.
    pub ipv6: bool,
    /// Who must answer.
    pub by: By,
    /// RCODE.
    pub rcode: Rcode,
    /// AA.
    pub authoritative: bool,
    /// TC.
    pub truncated: bool,
    /// The answer section.
    pub answer: Records,
    /// The authority section.
    pub authority: Records,
    /// The additional section, OPT aside.
    pub additional: Records,
}

/// A referral over UDP and IPv4 for a query without EDNS; the others differ
/// from it where they say so.
const REFERRAL: Case = Case {
    title: "",
    zone: PLAIN,
    name: "",
    rtype: Rtype::A,
    edns: None,
    transport: Transport::Udp,
    ipv6: false,
    by: By::Kernel("referral"),
    rcode: Rcode::NOERROR,
    authoritative: false,
    truncated: false,
    answer: NONE,
    authority: NONE,
    additional: NONE,
};

/// An answer of the server behind, for a name that is no cut's.
const MISS: Case = Case {
    by: By::Fallback("no-cut"),
    authoritative: true,
    ..REFERRAL
};

const USUAL: Option<Edns> = Some(Edns {
    octets: 1232,
    dnssec: false,
});
const DNSSEC: Option<Edns> = Some(Edns {
    octets: 1232,
    dnssec: true,
});

const IN_DOMAIN_GLUE: Records = Records::Exactly(&[
    "ns1.in-domain A 192.0.2.11",
    "ns1.in-domain AAAA 2001:db8:11::1",
    "ns2.in-domain A 192.0.2.12",
    "ns2.in-domain AAAA 2001:db8:11::2",
]);

const FULL_NS: Records = Records::Exactly(&[
    "full NS ns1.full",
    "full NS ns2.full",
    "full NS ns3.full",
    "full NS ns4.full",
    "full NS ns5.full",
    "full NS ns6.full",
    "full NS ns7.full",
    "full NS ns8.full",
]);
const FULL_GLUE: &[&str] = &[
    "ns1.full A 198.51.100.1",
    "ns1.full AAAA 2001:db8:f::1",
    "ns2.full A 198.51.100.2",
    "ns2.full AAAA 2001:db8:f::2",
    "ns3.full A 198.51.100.3",
    "ns3.full AAAA 2001:db8:f::3",
    "ns4.full A 198.51.100.4",
    "ns4.full AAAA 2001:db8:f::4",
    "ns5.full A 198.51.100.5",
    "ns5.full AAAA 2001:db8:f::5",
    "ns6.full A 198.51.100.6",
    "ns6.full AAAA 2001:db8:f::6",
    "ns7.full A 198.51.100.7",
    "ns7.full AAAA 2001:db8:f::7",
    "ns8.full A 198.51.100.8",
    "ns8.full AAAA 2001:db8:f::8",
];

/// What is asked, in this order.
pub const CASES: &[Case] = &[
    Case {
        title: "in-domain name servers (RFC 9471 2.1)",
        name: "www.in-domain",
        authority: Records::Exactly(&["in-domain NS ns1.in-domain", "in-domain NS ns2.in-domain"]),
        additional: IN_DOMAIN_GLUE,
        ..REFERRAL
    },
    Case {
        title: "sibling name servers (RFC 9471 2.2)",
        name: "www.sibling",
        rtype: Rtype::AAAA,
        edns: USUAL,
        authority: Records::Exactly(&["sibling NS ns1.in-domain", "sibling NS ns2.in-domain"]),
        additional: IN_DOMAIN_GLUE,
        ..REFERRAL
    },
    Case {
        title: "cyclic sibling name servers (RFC 9471 2.3)",
        name: "a.b.bar",
        edns: USUAL,
        authority: Records::Exactly(&["bar NS ns1.foo", "bar NS ns2.foo"]),
        additional: Records::Exactly(&[
            "ns1.foo A 192.0.2.23",
            "ns1.foo AAAA 2001:db8:23::1",
            "ns2.foo A 192.0.2.24",
            "ns2.foo AAAA 2001:db8:23::2",
        ]),
        ..REFERRAL
    },
    Case {
        title: "in-domain glue that does not fit (RFC 9471 2.4): TC=1",
        name: "www.full",
        by: By::Kernel("referral-truncated"),
        truncated: true,
        authority: FULL_NS,
        additional: Records::Among(FULL_GLUE),
        ..REFERRAL
    },
    Case {
        title: "the same again over TCP, as TC=1 asks for",
        name: "www.full",
        transport: Transport::Tcp,
        by: By::Fallback("not-udp"),
        authority: FULL_NS,
        additional: Records::Exactly(FULL_GLUE),
        ..REFERRAL
    },
    Case {
        title: "the same with 1232 octets of room: it fits",
        name: "www.full",
        edns: USUAL,
        authority: FULL_NS,
        additional: Records::Exactly(FULL_GLUE),
        ..REFERRAL
    },
    Case {
        title: "sibling glue that does not fit: left out, TC=0 (RFC 9471 3.2)",
        name: "www.full-sibling",
        by: By::Kernel("referral-partial"),
        authority: Records::Exactly(&[
            "full-sibling NS ns1.full",
            "full-sibling NS ns2.full",
            "full-sibling NS ns3.full",
            "full-sibling NS ns4.full",
            "full-sibling NS ns5.full",
            "full-sibling NS ns6.full",
            "full-sibling NS ns7.full",
            "full-sibling NS ns8.full",
        ]),
        additional: Records::Among(FULL_GLUE),
        ..REFERRAL
    },
    Case {
        title: "over IPv6, name servers with IPv6 only",
        name: "www.six",
        edns: USUAL,
        ipv6: true,
        authority: Records::Exactly(&["six NS ns1.six", "six NS ns2.six"]),
        additional: Records::Exactly(&["ns1.six AAAA 2001:db8:6::1", "ns2.six AAAA 2001:db8:6::2"]),
        ..REFERRAL
    },
    Case {
        title: "a signed delegation, DO: DS and its signature",
        zone: SIGNED,
        name: "www.secure",
        edns: DNSSEC,
        authority: Records::Exactly(&[
            "secure NS ns1.secure",
            "secure NS ns2.elsewhere.example.",
            "secure DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
            "secure RRSIG DS",
        ]),
        additional: Records::Exactly(&[
            "ns1.secure A 192.0.2.51",
            "ns1.secure AAAA 2001:db8:51::1",
        ]),
        ..REFERRAL
    },
    Case {
        title: "an unsigned delegation of a signed zone, DO, over IPv6: the proof that there is no DS",
        zone: SIGNED,
        name: "www.insecure",
        rtype: Rtype::AAAA,
        edns: DNSSEC,
        ipv6: true,
        authority: Records::Exactly(&[
            "insecure NS ns1.insecure",
            "insecure NS ns2.elsewhere.example.",
            "insecure NSEC",
            "insecure RRSIG NSEC",
        ]),
        additional: Records::Exactly(&["ns1.insecure A 192.0.2.52"]),
        ..REFERRAL
    },
    Case {
        title: "DS at the cut: the parent's own data",
        zone: SIGNED,
        name: "secure",
        rtype: Rtype::DS,
        edns: DNSSEC,
        by: By::Fallback("type-ds"),
        answer: Records::Exactly(&[
            "secure DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
            "secure RRSIG DS",
        ]),
        ..MISS
    },
    Case {
        title: "the SOA record of the apex",
        rtype: Rtype::SOA,
        answer: Records::Exactly(&["@ SOA"]),
        ..MISS
    },
    Case {
        title: "a name that does not exist",
        name: "no-such-name",
        rcode: Rcode::NXDOMAIN,
        authority: Records::Exactly(&["@ SOA"]),
        ..MISS
    },
    Case {
        title: "a name of the zone's own, over IPv6",
        name: "www",
        rtype: Rtype::AAAA,
        edns: USUAL,
        ipv6: true,
        answer: Records::Exactly(&["www AAAA 2001:db8::80"]),
        ..MISS
    },
];
