//! From a request's octets to a reply's: the one entry of the fallback.
//!
//! What is refused, and how, follows Knot where the RFCs leave it open. In
//! order: no reply to responses and to less than a header; FORMERR for what
//! does not parse; BADVERS for EDNS versions other than 0 (RFC 6891 section
//! 6.1.3); NOTAUTH for NOTIFY and UPDATE, NOTIMP for other opcodes but QUERY;
//! REFUSED for classes other than IN; NOTAUTH for TSIG and for transfers
//! (NOTIMP for AXFR over UDP); REFUSED for names outside all zones.

use dns_glue_common::nsid::Nsid;
use domain::base::Rtype;
use domain::base::iana::{Class, ExtendedErrorCode, Opcode, OptRcode, OptionCode};

use super::lookup::lookup;
use super::message::{HEADER_OCTETS, MessageWriter, OPT_OCTETS, split_name};
use super::{FallbackZones, parent};
use crate::zone::records::{NameRef, Zone};

/// The longest reply to a client that does not say what it takes, octets
/// (RFC 1035 section 4.2.1).
const PLAIN_UDP_OCTETS: u16 = 512;

/// How the server answers, the zones apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The longest reply over UDP, octets of DNS message; also the UDP size
    /// that the server announces for itself. At least 512 is used.
    pub max_udp: u16,
    /// The name server identifier (RFC 5001), sent to those who ask for it.
    pub nsid: Nsid,
    /// Copy the CD flag of the query into the reply, as BIND does.
    pub copy_cd: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_udp: 1232,
            nsid: Nsid::NONE,
            copy_cd: false,
        }
    }
}

/// By which way a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram: replies are bounded, transfers impossible.
    Udp,
    /// A stream: replies take up to 65,535 octets.
    Tcp,
}

/// Answers a request, DNS message in and out. `None` for what gets no reply.
#[must_use]
pub fn answer(
    zones: &FallbackZones,
    settings: &Settings,
    request: &[u8],
    transport: Transport,
) -> Option<Vec<u8>> {
    let header = RequestHeader::parse(request)?;
    let parsed = Request::parse(&header, request);
    let reply = Reply {
        settings,
        header,
        transport,
    };
    Some(match parsed {
        Err(Malformed { question }) => reply.error(question, None, OptRcode::FORMERR),
        Ok(request) => reply.to(zones, &request),
    })
}

/// The parts of a request's header that matter.
#[derive(Clone, Copy, Debug)]
struct RequestHeader {
    /// The message ID.
    id: [u8; 2],
    /// Flags, opcode and code, as on the wire.
    flags: u16,
    /// QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT.
    counts: [u16; 4],
}

impl RequestHeader {
    /// The QR flag.
    const QR: u16 = 0x8000;
    /// The opcode.
    const OPCODE: u16 = 0x7800;
    /// The RD flag.
    const RD: u16 = 0x0100;
    /// The CD flag.
    const CD: u16 = 0x0010;

    /// The opcode.
    fn opcode(&self) -> Opcode {
        let [first, _] = self.flags.to_be_bytes();
        Opcode::from_int(first >> 3 & 0x0F)
    }

    /// Reads a header; `None` for a response and for less than a header.
    fn parse(request: &[u8]) -> Option<Self> {
        let (header, _) = request.split_first_chunk::<HEADER_OCTETS>()?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let flags = word(2);
        (flags & Self::QR == 0).then(|| Self {
            id: [header[0], header[1]],
            flags,
            counts: [word(4), word(6), word(8), word(10)],
        })
    }
}

/// A question (RFC 1035 section 4.1.2).
#[derive(Clone, Copy, Debug)]
struct Question<'a> {
    /// QNAME, with the case it was asked in.
    qname: &'a NameRef,
    /// QTYPE.
    qtype: Rtype,
    /// QCLASS.
    qclass: Class,
}

/// What a request's OPT record says (RFC 6891 section 6.1.2).
#[derive(Clone, Copy, Debug)]
struct Edns {
    /// The longest reply over UDP that the client takes, octets.
    udp_size: u16,
    /// The EDNS version.
    version: u8,
    /// The DO flag.
    dnssec_ok: bool,
    /// The client asks for the name server identifier.
    nsid: bool,
    /// The client asks when the zone expires (RFC 7314).
    expire: bool,
}

/// A request that parsed.
#[derive(Clone, Copy, Debug)]
struct Request<'a> {
    /// Its only question.
    question: Question<'a>,
    /// Its OPT record.
    edns: Option<Edns>,
    /// Its TSIG record.
    tsig: Option<Tsig<'a>>,
}

/// What a reply must repeat of a request's TSIG record (RFC 8945 section 4.2).
#[derive(Clone, Copy, Debug)]
struct Tsig<'a> {
    /// The name of the key: the owner.
    key: &'a NameRef,
    /// The name of the algorithm.
    algorithm: &'a NameRef,
    /// Time signed and fudge.
    time: &'a [u8; 8],
    /// The original ID.
    id: [u8; 2],
}

impl<'a> Tsig<'a> {
    /// The error of a key that is not known (RFC 8945 section 5.2.1).
    const BADKEY: [u8; 2] = [0, 17];

    /// Reads a TSIG record's owner and data, to the last octet.
    fn parse(owner: &'a [u8], rdata: &'a [u8]) -> Option<Self> {
        let (key, _) = split_name(owner)?;
        let (algorithm, rest) = split_name(rdata)?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let rest = skip_counted(rest)?;
        let (&[high, low, _, _], rest) = rest.split_first_chunk::<4>()?;
        skip_counted(rest)?.is_empty().then_some(Self {
            key,
            algorithm,
            time,
            id: [high, low],
        })
    }

    /// The record that says that the key is not known; it is not signed
    /// (RFC 8945 section 5.3.2).
    fn refused(&self) -> Vec<u8> {
        let rdata_octets = self.algorithm.len() + 16;
        let mut record = self.key.as_slice().to_vec();
        record.extend_from_slice(&Rtype::TSIG.to_int().to_be_bytes());
        record.extend_from_slice(&Class::ANY.to_int().to_be_bytes());
        record.extend_from_slice(&[0; 4]);
        let length = u16::try_from(rdata_octets).expect("a name and 16 octets");
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(self.algorithm.as_slice());
        record.extend_from_slice(self.time);
        // No MAC.
        record.extend_from_slice(&[0; 2]);
        record.extend_from_slice(&self.id);
        record.extend_from_slice(&Self::BADKEY);
        // No other data.
        record.extend_from_slice(&[0; 2]);
        record
    }
}

/// Skips octets that are led by their number.
fn skip_counted(octets: &[u8]) -> Option<&[u8]> {
    let (length, rest) = octets.split_first_chunk::<2>()?;
    rest.get(usize::from(u16::from_be_bytes(*length))..)
}

/// A request that did not parse, with its question if that much did.
#[derive(Debug)]
struct Malformed<'a> {
    /// Echoed, so that the client can tell what was refused.
    question: Option<Question<'a>>,
}

impl<'a> Request<'a> {
    /// Reads everything after the header, to the last octet.
    fn parse(header: &RequestHeader, request: &'a [u8]) -> Result<Self, Malformed<'a>> {
        let [questions, answers, authorities, additionals] = header.counts;
        let unreadable = || Malformed { question: None };
        if questions != 1 {
            // RFC 9619.
            return Err(unreadable());
        }
        let rest = request.get(HEADER_OCTETS..).ok_or_else(unreadable)?;
        let (question, mut rest) = parse_question(rest).ok_or_else(unreadable)?;
        let malformed = || Malformed {
            question: Some(question),
        };

        let mut parsed = Self {
            question,
            edns: None,
            tsig: None,
        };
        let elsewhere = usize::from(answers) + usize::from(authorities);
        let records = elsewhere + usize::from(additionals);
        for index in 0..records {
            let start = rest;
            let (record, tail) = Record::parse(rest).ok_or_else(malformed)?;
            rest = tail;
            match record.rtype {
                Rtype::OPT => {
                    // RFC 6891 section 6.1.1: at most one, in the additional
                    // section, owned by the root.
                    let misplaced = index < elsewhere || parsed.edns.is_some() || !record.at_root;
                    let edns = record.edns().filter(|_| !misplaced).ok_or_else(malformed)?;
                    parsed.edns = Some(edns);
                }
                Rtype::TSIG => {
                    // RFC 8945 section 5.1: the last record, or FORMERR.
                    let last = index >= elsewhere && index + 1 == records;
                    let tsig = Tsig::parse(start, record.rdata).filter(|_| last);
                    parsed.tsig = Some(tsig.ok_or_else(malformed)?);
                }
                _ => {}
            }
        }
        if rest.is_empty() {
            Ok(parsed)
        } else {
            Err(malformed())
        }
    }
}

/// Reads a question off the front of `octets`.
fn parse_question(octets: &[u8]) -> Option<(Question<'_>, &[u8])> {
    let (qname, rest) = split_name(octets)?;
    let (fixed, rest) = rest.split_first_chunk::<4>()?;
    let question = Question {
        qname,
        qtype: Rtype::from_int(u16::from_be_bytes([fixed[0], fixed[1]])),
        qclass: Class::from_int(u16::from_be_bytes([fixed[2], fixed[3]])),
    };
    Some((question, rest))
}

/// A record of a request.
struct Record<'a> {
    /// The owner is the root, written as such.
    at_root: bool,
    /// The type.
    rtype: Rtype,
    /// The class; the UDP size of an OPT record.
    class: u16,
    /// The TTL; extended code, version and flags of an OPT record.
    ttl: [u8; 4],
    /// The data.
    rdata: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads a record off the front of `octets`. The owner may be compressed:
    /// where it points does not matter.
    fn parse(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let rest = skip_owner(octets)?;
        let at_root = octets.first() == Some(&0);
        let (fixed, rest) = rest.split_first_chunk::<10>()?;
        let length = u16::from_be_bytes([fixed[8], fixed[9]]);
        let (rdata, rest) = rest.split_at_checked(usize::from(length))?;
        let record = Self {
            at_root,
            rtype: Rtype::from_int(u16::from_be_bytes([fixed[0], fixed[1]])),
            class: u16::from_be_bytes([fixed[2], fixed[3]]),
            ttl: [fixed[4], fixed[5], fixed[6], fixed[7]],
            rdata,
        };
        Some((record, rest))
    }

    /// The record as OPT; `None` if an option runs over the end.
    fn edns(&self) -> Option<Edns> {
        let (mut nsid, mut expire) = (false, false);
        let mut rest = self.rdata;
        while !rest.is_empty() {
            let (head, tail) = rest.split_first_chunk::<4>()?;
            let length = u16::from_be_bytes([head[2], head[3]]);
            rest = tail.get(usize::from(length)..)?;
            let code = OptionCode::from_int(u16::from_be_bytes([head[0], head[1]]));
            nsid |= code == OptionCode::NSID;
            expire |= code == OptionCode::EXPIRE;
        }
        let [_extended_rcode, version, flags, _] = self.ttl;
        Some(Edns {
            udp_size: self.class,
            version,
            dnssec_ok: flags & 0x80 != 0,
            nsid,
            expire,
        })
    }
}

/// Skips an owner name: labels up to the root or a compression pointer.
fn skip_owner(octets: &[u8]) -> Option<&[u8]> {
    let mut rest = octets;
    for _ in 0..=127 {
        let (&length, tail) = rest.split_first()?;
        match length {
            0 => return Some(tail),
            1..=63 => rest = tail.get(usize::from(length)..)?,
            0xC0.. => return tail.get(1..),
            _ => return None,
        }
    }
    None
}

/// What every reply to one request shares.
struct Reply<'a> {
    /// How the server answers.
    settings: &'a Settings,
    /// The request's header.
    header: RequestHeader,
    /// The way back.
    transport: Transport,
}

impl Reply<'_> {
    /// Replies to a request that parsed.
    fn to(&self, zones: &FallbackZones, request: &Request<'_>) -> Vec<u8> {
        let Request {
            question,
            edns,
            tsig,
        } = request;
        let error = |rcode| self.error(Some(*question), *edns, rcode);
        if edns.is_some_and(|edns| edns.version != 0) {
            return error(OptRcode::BADVERS);
        }
        match self.header.opcode() {
            Opcode::QUERY => {}
            // Not this server's to take (RFC 1996 section 3.10, RFC 2136
            // section 3.1): its zones come from the daemon's own sources.
            Opcode::NOTIFY | Opcode::UPDATE => return error(OptRcode::NOTAUTH),
            _ => return error(OptRcode::NOTIMP),
        }
        if !matches!(question.qclass, Class::IN | Class::ANY) {
            return error(OptRcode::REFUSED);
        }
        if let Some(tsig) = tsig {
            // No key is known here.
            return self.bad_key(*question, *edns, tsig);
        }
        match question.qtype {
            // RFC 5936 section 4.2 leaves AXFR over UDP undefined.
            Rtype::AXFR if self.transport == Transport::Udp => return error(OptRcode::NOTIMP),
            Rtype::AXFR | Rtype::IXFR => return error(OptRcode::NOTAUTH),
            qtype if qtype.to_int() == 0 => return error(OptRcode::NOTIMP),
            _ => {}
        }
        match zone_for(zones, question) {
            Some(zone) => self.positive(zone, question, *edns),
            None => self.not_authoritative(*question, *edns),
        }
    }

    /// Replies out of a zone.
    fn positive(&self, zone: &Zone, question: &Question<'_>, edns: Option<Edns>) -> Vec<u8> {
        let dnssec_ok = edns.is_some_and(|edns| edns.dnssec_ok);
        let found = lookup(zone, question.qname, question.qtype, dnssec_ok);
        let options = self.options(zone, edns);
        let mut writer = self.start(Some(*question), edns, options.len());
        let truncated = writer.push_answer(&found);
        let flags = u16::from(found.authoritative) << 10 | u16::from(truncated) << 9;
        self.finish(writer, edns, flags, found.rcode.into(), &options)
    }

    /// Replies with a code and no records.
    fn error(
        &self,
        question: Option<Question<'_>>,
        edns: Option<Edns>,
        rcode: OptRcode,
    ) -> Vec<u8> {
        self.finish(self.start(question, edns, 0), edns, 0, rcode, &[])
    }

    /// Refuses a name outside all zones, and says so (RFC 8914 section 4.21).
    fn not_authoritative(&self, question: Question<'_>, edns: Option<Edns>) -> Vec<u8> {
        let mut option = Vec::new();
        let code = ExtendedErrorCode::NOT_AUTHORITATIVE.to_int();
        for number in [OptionCode::EXTENDED_ERROR.to_int(), 2, code] {
            option.extend_from_slice(&number.to_be_bytes());
        }
        let writer = self.start(Some(question), edns, option.len());
        self.finish(writer, edns, 0, OptRcode::REFUSED, &option)
    }

    /// Replies that a key is not known.
    fn bad_key(&self, question: Question<'_>, edns: Option<Edns>, tsig: &Tsig<'_>) -> Vec<u8> {
        let mut reply = self.error(Some(question), edns, OptRcode::NOTAUTH);
        let record = tsig.refused();
        // Long names and a short limit: the code must do.
        if reply.len() + record.len() <= self.limit(edns) {
            reply.extend_from_slice(&record);
            // ARCOUNT: OPT, if there is one, and this.
            reply[11] += 1;
        }
        reply
    }

    /// Starts a reply that leaves room for its OPT record.
    fn start(
        &self,
        question: Option<Question<'_>>,
        edns: Option<Edns>,
        options: usize,
    ) -> MessageWriter {
        let reserved = if edns.is_some() {
            OPT_OCTETS + options
        } else {
            0
        };
        let mut writer = MessageWriter::new(self.limit(edns), reserved);
        if let Some(Question {
            qname,
            qtype,
            qclass,
        }) = question
        {
            writer.push_question(qname, qtype, qclass);
        }
        writer
    }

    /// Adds OPT and header. `flags` are those that the answer decides.
    fn finish(
        &self,
        mut writer: MessageWriter,
        edns: Option<Edns>,
        flags: u16,
        rcode: OptRcode,
        options: &[u8],
    ) -> Vec<u8> {
        let code = rcode.to_int();
        if let Some(edns) = edns {
            let extended = u8::try_from(code >> 4).expect("extended codes have 12 bits");
            writer.push_opt(self.udp_max(), extended, edns.dnssec_ok, options);
        }
        let copied = if self.settings.copy_cd {
            RequestHeader::CD
        } else {
            0
        };
        let copied = copied | RequestHeader::OPCODE | RequestHeader::RD;
        let flags = RequestHeader::QR | self.header.flags & copied | flags | code & 0x0F;
        let header = writer.header_mut();
        header[0..2].copy_from_slice(&self.header.id);
        header[2..4].copy_from_slice(&flags.to_be_bytes());
        writer.finish()
    }

    /// The longest reply, octets of DNS message.
    fn limit(&self, edns: Option<Edns>) -> usize {
        match self.transport {
            Transport::Tcp => usize::from(u16::MAX),
            Transport::Udp => {
                let client = edns.map_or(PLAIN_UDP_OCTETS, |edns| edns.udp_size);
                usize::from(client.clamp(PLAIN_UDP_OCTETS, self.udp_max()))
            }
        }
    }

    /// The server's own bound over UDP, octets of DNS message.
    fn udp_max(&self) -> u16 {
        self.settings.max_udp.max(PLAIN_UDP_OCTETS)
    }

    /// The options of the reply, as on the wire.
    fn options(&self, zone: &Zone, edns: Option<Edns>) -> Vec<u8> {
        let mut options = Vec::new();
        let nsid = &self.settings.nsid;
        if nsid.is_some() && edns.is_some_and(|edns| edns.nsid) {
            options.extend_from_slice(&nsid.option_head());
            options.extend_from_slice(nsid.as_slice());
        }
        if edns.is_some_and(|edns| edns.expire) {
            // As a primary: the SOA's own (RFC 7314 section 3).
            options.extend_from_slice(&OptionCode::EXPIRE.to_int().to_be_bytes());
            options.extend_from_slice(&4_u16.to_be_bytes());
            options.extend_from_slice(&zone.expire().to_be_bytes());
        }
        options
    }
}

/// The zone that a question is for: the closest enclosing one. DS lies on the
/// parent's side of a cut (RFC 4035 section 3.1.4.1), so it goes to the zone
/// above the name if that is served here.
fn zone_for<'z>(zones: &'z FallbackZones, question: &Question<'_>) -> Option<&'z Zone> {
    if question.qtype == Rtype::DS
        && let Some(zone) = parent(question.qname).and_then(|above| zones.enclosing(above))
    {
        return Some(zone);
    }
    zones.enclosing(question.qname)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, OnceLock};

    use dns_glue_common::limits::MAX_NSID_OCTETS;
    use domain::base::Message;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::zone::master_file;

    /// The signed test zone, and the unsigned one with its child.
    fn zones() -> &'static FallbackZones {
        static ZONES: OnceLock<FallbackZones> = OnceLock::new();
        ZONES.get_or_init(|| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fallback");
            let files = [
                ("plain.example.", "plain.zone"),
                ("signed.example.", "signed.zone"),
                ("child.plain.example.", "child.zone"),
            ];
            let zones = files.map(|(apex, file)| {
                let apex = domain::base::Name::vec_from_str(apex).expect("a name");
                let zone = master_file::read_file(&apex, &folder.join(file));
                Arc::new(zone.unwrap_or_else(|errors| panic!("{errors}")))
            });
            FallbackZones::new(zones).expect("zones that can be served")
        })
    }

    /// Whatever is asked: header, question and records of a reply are sound,
    /// and it keeps within its limit.
    fn check(request: &[u8], settings: &Settings, transport: Transport) {
        let reply = answer(zones(), settings, request, transport);
        let due = request.len() >= HEADER_OCTETS && request[2] & 0x80 == 0;
        assert_eq!(reply.is_some(), due);
        let Some(reply) = reply else { return };
        assert_eq!(reply[..2], request[..2], "ID");
        let message = Message::from_octets(reply.as_slice()).expect("a header");
        let header = message.header();
        assert!(header.qr());
        assert!(!header.ra() && !header.ad() && !header.z());
        assert_eq!(header.rd(), request[2] & 1 != 0, "RD");
        assert_eq!(
            header.cd(),
            settings.copy_cd && request[3] & 0x10 != 0,
            "CD"
        );
        let (_, mut answers, mut authorities, mut additionals) =
            message.sections().expect("readable sections");
        for section in [&mut answers, &mut authorities, &mut additionals] {
            for record in section {
                record.expect("a readable record");
            }
        }
        assert_eq!(
            additionals.pos(),
            reply.len(),
            "nothing behind the last record"
        );
        let client = Message::from_octets(request).expect("a header");
        let client = client.opt().map_or(512, |opt| opt.udp_payload_size());
        if transport == Transport::Udp {
            assert!(reply.len() <= usize::from(client.max(512).min(settings.max_udp.max(512))));
        }
    }

    fn settings() -> impl Strategy<Value = Settings> {
        let nsid = vec(any::<u8>(), 0..=MAX_NSID_OCTETS);
        (select(vec![0, 512, 600, 1232, 1400]), nsid, any::<bool>()).prop_map(
            |(max_udp, nsid, copy_cd)| Settings {
                max_udp,
                nsid: Nsid::new(&nsid).unwrap_or(Nsid::NONE),
                copy_cd,
            },
        )
    }

    fn transport() -> impl Strategy<Value = Transport> {
        select(vec![Transport::Udp, Transport::Tcp])
    }

    /// Names that lead somewhere: labels of the test zones, arbitrary ones
    /// among them.
    fn qname() -> impl Strategy<Value = Vec<u8>> {
        let known = [
            "a", "b", "big", "child", "deep", "deleg", "dn", "dn-long", "ent", "ents", "host",
            "ns1", "sub", "svc", "target", "wc", "we", "wild", "www", "x", "*", "to-wild", "wl",
        ];
        let known = select(known.map(|label| label.as_bytes().to_vec()).to_vec());
        let label = prop_oneof![4 => known, 1 => vec(any::<u8>(), 1..64)];
        let zone = select(vec![
            b"\x05plain\x07example\0".to_vec(),
            b"\x06signed\x07example\0".to_vec(),
            b"\x05child\x05plain\x07example\0".to_vec(),
            b"\0".to_vec(),
        ]);
        (vec(label, 0..5), zone).prop_map(|(labels, zone)| {
            let mut octets = Vec::new();
            for label in labels {
                octets.push(u8::try_from(label.len()).expect("a label"));
                octets.extend_from_slice(&label);
            }
            octets.extend_from_slice(&zone);
            octets
        })
    }

    fn qtype() -> impl Strategy<Value = u16> {
        prop_oneof![
            select(vec![
                1, 2, 5, 6, 15, 16, 28, 39, 43, 46, 47, 48, 65, 252, 255
            ]),
            any::<u16>()
        ]
    }

    /// Ordinary queries, and nearly ordinary ones.
    fn query() -> impl Strategy<Value = Vec<u8>> {
        let opt = proptest::option::of((any::<u16>(), any::<bool>(), vec(any::<u8>(), 0..12)));
        (any::<[u8; 4]>(), qname(), qtype(), opt).prop_map(|(mut head, qname, qtype, opt)| {
            head[2] &= 0x07;
            let mut octets = head.to_vec();
            octets.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::from(opt.is_some())]);
            octets.extend_from_slice(&qname);
            octets.extend_from_slice(&qtype.to_be_bytes());
            octets.extend_from_slice(&[0, 1]);
            if let Some((size, dnssec_ok, options)) = opt {
                octets.extend_from_slice(&[0, 0, 41]);
                octets.extend_from_slice(&size.to_be_bytes());
                octets.extend_from_slice(&[0, 0, u8::from(dnssec_ok) << 7, 0, 0]);
                octets.push(u8::try_from(options.len()).expect("short"));
                octets.extend_from_slice(&options);
            }
            octets
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn any_octets_are_survived(
            request in vec(any::<u8>(), 0..600),
            settings in settings(),
            transport in transport(),
        ) {
            check(&request, &settings, transport);
        }

        #[test]
        fn queries_get_sound_replies(
            request in query(),
            settings in settings(),
            transport in transport(),
        ) {
            check(&request, &settings, transport);
        }

        #[test]
        fn damaged_queries_are_survived(
            mut request in query(),
            damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            end in any::<prop::sample::Index>(),
            transport in transport(),
        ) {
            for (at, octet) in damage {
                let at = at.index(request.len());
                request[at] = octet;
            }
            request.truncate(end.index(request.len() + 1).max(HEADER_OCTETS));
            // What the client takes is as damaged: only parsing is checked.
            let _ = answer(zones(), &Settings::default(), &request, transport);
        }
    }

    /// A query for `host.plain.example. A` with an OPT record.
    fn with_opt(version: u8, options: &[u8]) -> Vec<u8> {
        let mut request = b"\x12\x34\0\0\0\x01\0\0\0\0\0\x01".to_vec();
        request.extend_from_slice(b"\x04host\x05plain\x07example\0\0\x01\0\x01");
        request.extend_from_slice(&[0, 0, 41, 4, 208, 0, version, 0x80, 0, 0]);
        request.push(u8::try_from(options.len()).expect("short"));
        request.extend_from_slice(options);
        request
    }

    #[test]
    fn nsid_is_sent_when_set_and_asked_for() {
        let nsid = |text: &str| Settings {
            nsid: Nsid::new(text.as_bytes()).expect("short"),
            ..Settings::default()
        };
        let reply = |settings: &Settings, request: &[u8]| {
            answer(zones(), settings, request, Transport::Udp).expect("a reply")
        };
        let asked = with_opt(0, &[0, 3, 0, 0]);
        let not_asked = with_opt(0, &[]);
        assert!(reply(&nsid("ns7"), &asked).ends_with(b"\0\x07\0\x03\0\x03ns7"));
        assert!(reply(&nsid("ns7"), &not_asked).ends_with(b"\x80\0\0\0"));
        assert!(reply(&Settings::default(), &asked).ends_with(b"\x80\0\0\0"));
    }

    #[test]
    fn other_edns_versions_get_the_one_that_is_spoken() {
        let reply = answer(
            zones(),
            &Settings::default(),
            &with_opt(1, &[]),
            Transport::Udp,
        );
        let reply = reply.expect("a reply");
        // BADVERS is 16: 0 in the header, 1 in OPT, whose version is 0.
        assert_eq!(reply[3] & 0x0F, 0);
        assert!(reply.ends_with(&[0, 0, 41, 4, 208, 1, 0, 0x80, 0, 0, 0]));
    }

    #[test]
    fn the_question_keeps_its_case() {
        let mut request = with_opt(0, &[]);
        request[13..17].copy_from_slice(b"HoSt");
        let reply = answer(zones(), &Settings::default(), &request, Transport::Udp);
        assert_eq!(reply.expect("a reply")[13..17], *b"HoSt");
    }
}
