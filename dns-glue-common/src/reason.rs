//! Every outcome of a packet: its counter, its name, what is done with it.
//!
//! This is the one table from outcome to XDP action. Numbers are the indices of
//! the counters: they are never given to another outcome.

use crate::frame::read_back;

/// What the program does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// `XDP_PASS`: on to the kernel's stack, octet for octet as it came.
    Pass,
    /// `XDP_TX`: back out of the interface that it came from.
    Transmit,
    /// `XDP_ABORTED`: dropped, because the packet is already half written.
    Abort,
}

/// Slots of the counter map.
pub const COUNTER_SLOTS: usize = 256;

/// The action of each outcome, by its counter.
static ACTIONS: [Action; COUNTER_SLOTS] = Reason::actions();

macro_rules! outcomes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $index:literal, $name:literal, $action:ident;)+) => {
        /// An outcome of a packet, equal to the index of its counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Reason {
            $($(#[doc = $doc])+ $variant = $index,)+
        }

        impl Reason {
            /// Every outcome, in the order of the counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// What is done with the packet.
            ///
            /// # Verifier
            ///
            /// By a table: from a match over every outcome the compiler makes
            /// jumps without an end for what is no outcome, and Linux before
            /// 6.3 takes them for loops.
            #[inline(always)]
            pub fn action(self) -> Action {
                let place = read_back(&(self as usize)) & (COUNTER_SLOTS - 1);
                ACTIONS.get(place).copied().unwrap_or(Action::Pass)
            }

            const fn actions() -> [Action; COUNTER_SLOTS] {
                let mut actions = [Action::Pass; COUNTER_SLOTS];
                $(actions[$index] = Action::$action;)+
                actions
            }

            /// The counter's name in `status` and in metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What led here, in a sentence for people.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

outcomes! {
    // Answered.
    /// A whole referral, with all the glue that the zone has.
    Referral = 0, "referral", Transmit;
    /// A referral without some sibling or authoritative addresses: they did not fit, and RFC 9471 3.2 leaves them optional.
    ReferralPartial = 1, "referral-partial", Transmit;
    /// A referral with TC=1: name servers, the proof or in-domain glue did not fit (RFC 9471 3.1).
    ReferralTruncated = 2, "referral-truncated", Transmit;

    // Not for us: link and interface.
    /// The interface is not one of those that the program was attached to.
    UnknownInterface = 16, "unknown-interface", Pass;
    /// The destination MAC address is neither the interface's own nor one of `--mac`.
    ForeignMac = 17, "foreign-mac", Pass;
    /// Neither IPv4 nor IPv6 in at most two VLAN tags.
    NotIp = 18, "not-ip", Pass;
    /// The frame ends before its headers do.
    ShortFrame = 19, "short-frame", Pass;
    /// The frame lies in several buffers (larger than a page).
    MultiBuffer = 20, "multi-buffer", Pass;

    // Not for us: IP.
    /// Neither UDP nor anything else that is looked at; IPv6 extension headers are here too.
    NotUdp = 32, "not-udp", Pass;
    /// IPv4 version or header length is not 4 and 5 words: options.
    Ipv4Options = 33, "ipv4-options", Pass;
    /// An IPv4 fragment.
    Ipv4Fragment = 34, "ipv4-fragment", Pass;
    /// The IPv4 header checksum is wrong.
    Ipv4Checksum = 35, "ipv4-checksum", Pass;
    /// IP and UDP lengths do not agree with each other or with the frame.
    Length = 36, "length", Pass;
    /// The destination is not a service address.
    ForeignAddress = 37, "foreign-address", Pass;
    /// The source address cannot be answered: multicast, broadcast, 0/8, 127/8, unspecified or our own.
    SourceAddress = 38, "source-address", Pass;
    /// The IPv6 version field is not 6.
    Ipv6Version = 39, "ipv6-version", Pass;

    // Not for us: UDP.
    /// The destination port is not the service's.
    OtherPort = 48, "other-port", Pass;
    /// The source port is 0 or one that answers by itself (7, 13, 19, 37).
    SourcePort = 49, "source-port", Pass;
    /// The UDP checksum is wrong, partial, or zero over IPv6.
    UdpChecksum = 50, "udp-checksum", Pass;

    // Not a plain query.
    /// Shorter than a header and a question.
    ShortQuery = 64, "short-query", Pass;
    /// Longer than the queries that are looked at.
    LongQuery = 65, "long-query", Pass;
    /// QR=1: a response.
    Response = 66, "response", Pass;
    /// An OPCODE other than QUERY.
    Opcode = 67, "opcode", Pass;
    /// A query with an RCODE.
    Rcode = 68, "rcode", Pass;
    /// Section counts other than one question and at most one additional record (RFC 9619).
    Counts = 69, "counts", Pass;
    /// A QNAME with a pointer or an extended label type.
    LabelType = 70, "label-type", Pass;
    /// A QNAME longer than 255 octets.
    LongName = 71, "long-name", Pass;
    /// The message ends inside the question or inside the OPT record.
    CutShort = 72, "cut-short", Pass;
    /// A QCLASS other than IN.
    Class = 73, "class", Pass;
    /// A QTYPE that is not a type of data: 0, OPT, 128 to 255 (RFC 6895 3.1).
    MetaType = 74, "meta-type", Pass;
    /// QTYPE ANY.
    TypeAny = 75, "type-any", Pass;
    /// QTYPE DS at a zone cut: the parent's own data.
    TypeDs = 76, "type-ds", Pass;
    /// QTYPE NSEC at a zone cut: the parent's own data.
    TypeNsec = 77, "type-nsec", Pass;
    /// QTYPE DELEG at a zone cut: the parent's own data.
    TypeDeleg = 78, "type-deleg", Pass;
    /// Octets after the last record.
    TrailingOctets = 79, "trailing-octets", Pass;

    // EDNS.
    /// An additional record that is not an OPT record of the root: TSIG, SIG(0) or stray.
    NotOpt = 96, "not-opt", Pass;
    /// Option lengths that do not add up to the OPT record's.
    OptionLength = 97, "option-length", Pass;
    /// An EDNS version other than 0.
    EdnsVersion = 98, "edns-version", Pass;
    /// More EDNS options than are looked at.
    ManyOptions = 99, "many-options", Pass;
    /// A query that asks for NSID without `--nsid`, or twice (RFC 5001).
    OptionNsid = 100, "option-nsid", Pass;
    /// A query with a COOKIE, under `--cookies pass` (RFC 7873).
    OptionCookie = 101, "option-cookie", Pass;
    /// A query with EXPIRE (RFC 7314).
    OptionExpire = 102, "option-expire", Pass;
    /// A query with ZONEVERSION (RFC 9660).
    OptionZoneVersion = 103, "option-zoneversion", Pass;
    /// A query with a client subnet, under `--pass-ecs` (RFC 7871).
    OptionEcs = 104, "option-ecs", Pass;
    /// DE=1 while a zone holds DELEG records.
    DelegAware = 105, "deleg-aware", Pass;
    /// An option with a length that its specification rules out: servers ignore it, or answer FORMERR.
    OptionMalformed = 106, "option-malformed", Pass;

    // Looked up, and no referral.
    /// Below no apex that is served here.
    OutsideZones = 128, "outside-zones", Pass;
    /// In a compiled zone, below none of its cuts: apex, data of the zone, or NXDOMAIN.
    NoCut = 129, "no-cut", Pass;
    /// At or below an apex of `--serves`.
    Served = 130, "served", Pass;
    /// At or below a DNAME.
    Dname = 131, "dname", Pass;
    /// Below a delegation that the compiler refused: NS at a wildcard, a broken proof, DELEG without NS.
    Refused = 132, "refused-delegation", Pass;

    // A delegation that must not be answered now.
    /// The zone's deadline is past: it was not refreshed within the EXPIRE of its SOA record (RFC 1035 3.3.13).
    ZoneExpired = 133, "zone-expired", Pass;
    /// The zone is withheld: the server behind has had another serial for longer than `--max-lag`, or does not answer for it, or was not asked yet, and `--require-fallback` is given.
    ZoneWithheld = 134, "zone-withheld", Pass;
    /// The daemon was silent for longer than referrals are given without it.
    Unattended = 135, "unattended", Pass;

    // Certain of the answer, and no way to give it.
    /// Neither the tail nor the head of the frame has room for the reply.
    NoRoom = 160, "no-room", Pass;
    /// The MTU of the interface is below what DNS needs.
    SmallMtu = 161, "small-mtu", Pass;
    /// A map entry that must be there is not: a fault of the program.
    Inconsistent = 162, "inconsistent", Pass;
    /// Under `--reply-via fib`: the kernel has no route, no neighbour or too small an MTU for the reply, or another interface.
    NoRoute = 163, "no-route", Pass;

    /// A write failed although it had been checked: a fault of the program.
    WriteFailed = 176, "write-failed", Abort;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn counters_fit_and_are_distinct() {
        let mut indices = HashSet::new();
        let mut names = HashSet::new();
        for reason in Reason::ALL {
            assert!((*reason as usize) < COUNTER_SLOTS);
            assert!(indices.insert(*reason as u32), "{reason:?}");
            assert!(names.insert(reason.name()), "{reason:?}");
            assert!(reason.meaning().ends_with('.'), "{reason:?}");
        }
    }

    #[test]
    fn only_referrals_transmit_and_only_failed_writes_abort() {
        for reason in Reason::ALL {
            let expected = match *reason as u32 {
                0..=15 => Action::Transmit,
                176..=191 => Action::Abort,
                _ => Action::Pass,
            };
            assert_eq!(reason.action(), expected, "{reason:?}");
        }
    }
}
