//! Sizes, with their units and where they come from.

/// Octets of a DNS header (RFC 1035 4.1.1).
pub const HEADER_OCTETS: usize = 12;
/// Octets of a question after its name: QTYPE and QCLASS (RFC 1035 4.1.2).
pub const QUESTION_FIXED_OCTETS: usize = 4;
/// Octets of a name in wire form, root label included (RFC 1035 2.3.4).
pub const MAX_NAME_OCTETS: usize = 255;
/// Octets of one label (RFC 1035 2.3.4).
pub const MAX_LABEL_OCTETS: usize = 63;
/// Labels of a name, root not counted: 127 of one octet fill 255 octets.
pub const MAX_LABELS: usize = 127;

/// Octets of the longest query that is looked at; a longer one passes.
///
/// The longest name with an OPT record takes 282; the rest is for options.
/// A power of two, so that a mask bounds every offset for the verifier.
pub const MAX_QUERY_OCTETS: usize = 512;
/// EDNS options that are looked at; a query with more passes.
pub const MAX_OPTIONS: usize = 16;

/// Octets of an OPT record without options (RFC 6891 6.1.2).
pub const OPT_OCTETS: usize = 11;
/// Octets of an EDNS option in front of its data (RFC 6891 6.1.2).
pub const OPTION_HEAD_OCTETS: usize = 4;
/// Octets of the longest name server identifier (RFC 5001).
///
/// RFC 5001 has no bound. A host name of Linux has at most as many, and every
/// octet of it is taken from the records of a reply. A power of two, so that a
/// mask bounds the length for the verifier.
pub const MAX_NSID_OCTETS: usize = 64;
/// Octets of a UDP reply to a client without EDNS (RFC 1035 2.3.4), and the
/// least that an EDNS size can mean (RFC 6891 6.2.3).
pub const MIN_UDP_OCTETS: usize = 512;
/// Octets of the largest DNS message that is ever sent over UDP (RFC 9715).
pub const MAX_UDP_OCTETS: usize = 1400;
/// What `--max-udp` is when it is not given (RFC 9715).
pub const DEFAULT_UDP_OCTETS: usize = 1232;

/// VLAN tags of a frame; a frame with more passes.
pub const MAX_VLAN_TAGS: usize = 2;

/// Distinct numbers of labels that the owner names of the index may have.
///
/// Each is one more lookup for a name that is deep enough, so the compiler
/// leaves out what is beyond (those delegations pass).
pub const MAX_DEPTHS: usize = 16;

/// Zones that one program can serve: each has a deadline of its own, by a
/// number of 8 bits.
pub const MAX_ZONES: usize = 255;

/// Compression pointers that one piece of a referral may hold.
pub const MAX_RELOCATIONS: usize = 128;
/// Places at which one piece of a referral may end.
pub const MAX_CUT_POINTS: usize = 127;

/// Bodies that each CPU keeps, a power of two: see [`kept`](crate::kept).
pub const KEPT_BODIES: usize = 256;
/// Compression pointers from which on a body is worth keeping: fewer are
/// shifted in the time that it takes to look for it.
pub const WORTH_RELOCATIONS: usize = 12;
