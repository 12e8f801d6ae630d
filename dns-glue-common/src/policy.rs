//! What the operator chose, fixed when the program is loaded.

use crate::limits::DEFAULT_UDP_OCTETS;
use crate::nsid::Nsid;
use crate::wire::header::flags;
use bytemuck::{Pod, Zeroable};

/// The choices that decide between answer and pass, and shape the reply. Host
/// byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Policy {
    /// The UDP port that is served.
    pub port: u16,
    /// Octets of the longest DNS message sent, and the size that our OPT
    /// record tells. Valid values: `MIN_UDP_OCTETS..=MAX_UDP_OCTETS`.
    pub max_udp: u16,
    /// Bits, all below: `Policy::COOKIES_PASS` and so on.
    pub flags: u32,
    /// The identifier for those who ask for it; without one they pass
    /// (`--nsid`).
    pub nsid: Nsid,
}

impl Policy {
    /// What `dns-glue run` does without options.
    pub const DEFAULT: Self = Self {
        port: 53,
        max_udp: DEFAULT_UDP_OCTETS as u16,
        flags: 0,
        nsid: Nsid::NONE,
    };

    /// A query with a COOKIE option passes (`--cookies pass`).
    pub const COOKIES_PASS: u32 = 1 << 0;
    /// A query with a client subnet passes (`--pass-ecs`).
    pub const ECS_PASS: u32 = 1 << 1;
    /// CD is copied into the reply, as BIND does (`--copy-cd`).
    pub const COPY_CD: u32 = 1 << 2;
    /// A zone holds DELEG records: queries with DE=1 pass.
    pub const HOLDS_DELEG: u32 = 1 << 3;
    /// The root is among the zones: a name that meets no entry is inside it.
    pub const SERVES_ROOT: u32 = 1 << 4;
    /// The server behind serves the root (`--serves .`): a name that meets no
    /// entry is inside it.
    pub const ROOT_BEHIND: u32 = 1 << 5;
    /// The kernel's routing table says where a reply goes (`--reply-via fib`).
    pub const REPLY_VIA_FIB: u32 = 1 << 6;

    /// Whether the choice is made.
    #[inline(always)]
    pub const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Bits of a query's header that its reply has too (RFC 1035 4.1.1,
    /// RFC 4035 3.1.6).
    #[inline(always)]
    pub const fn copied_flags(&self) -> u16 {
        if self.has(Self::COPY_CD) {
            flags::RD | flags::CD
        } else {
            flags::RD
        }
    }
}
