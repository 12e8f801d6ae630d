//! Whether a reply is one that may be sent.
//!
//! Headers are taken apart by `etherparse`, messages by `hickory-proto`.

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};

use crate::classifier::{PlainQuery, Settings};
use crate::zone_oracle::{Need, Referral, Section, record_key};

/// What a reply turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing is missing.
    Whole,
    /// Optional records are missing.
    Partial,
    /// TC=1.
    Truncated,
}

/// Panics unless `reply` is a right answer to the query in `frame`.
pub(crate) fn judge(
    frame: &[u8],
    query: &PlainQuery<'_>,
    settings: &Settings,
    referral: &Referral,
    reply: &[u8],
) -> Kind {
    check_headers(frame, query, reply);
    let octets = &reply[query.message_start..];
    assert!(octets.len() <= query.limit, "longer than {}", query.limit);
    judge_message(query, settings, referral, octets)
}

/// Panics unless the headers of the reply lead back to the client.
fn check_headers(frame: &[u8], query: &PlainQuery<'_>, reply: &[u8]) {
    let asked = SlicedPacket::from_ethernet(frame).expect("the query's headers");
    let replied = SlicedPacket::from_ethernet(reply).expect("the reply's headers");
    assert_eq!(frame[..6], reply[6..12], "from our MAC address");
    assert_eq!(frame[6..12], reply[..6], "to the client's MAC address");
    assert_eq!(frame[12..query.ip_start], reply[12..query.ip_start], "tags");
    let (Some(asked_net), Some(net)) = (&asked.net, &replied.net) else {
        panic!("IP in IP's place");
    };
    let (Some(TransportSlice::Udp(asked_udp)), Some(TransportSlice::Udp(udp))) =
        (&asked.transport, &replied.transport)
    else {
        panic!("UDP in UDP's place");
    };
    let checksum = match (asked_net, net) {
        (NetSlice::Ipv4(asked), NetSlice::Ipv4(ip)) => {
            let (asked, ip) = (asked.header(), ip.header());
            assert_eq!(ip.source(), asked.destination());
            assert_eq!(ip.destination(), asked.source());
            assert_eq!((ip.dcp().value(), ip.ecn().value()), (0, 0));
            assert!(ip.dont_fragment() && !ip.more_fragments());
            assert_eq!((ip.ttl(), ip.ihl()), (64, 5));
            assert_eq!(ip.fragments_offset().value(), 0);
            assert_eq!(ip.header_checksum(), ip.to_header().calc_header_checksum());
            assert_eq!(usize::from(ip.total_len()), reply.len() - query.ip_start);
            udp.to_header()
                .calc_checksum_ipv4(&ip.to_header(), udp.payload())
        }
        (NetSlice::Ipv6(asked), NetSlice::Ipv6(ip)) => {
            let (asked, ip) = (asked.header(), ip.header());
            assert_eq!(ip.source(), asked.destination());
            assert_eq!(ip.destination(), asked.source());
            assert_eq!(ip.to_header().traffic_class, 0);
            assert_eq!(ip.flow_label().value(), 0);
            assert_eq!(ip.hop_limit(), 64);
            assert_eq!(
                usize::from(ip.payload_length()),
                reply.len() - query.ip_start - 40
            );
            udp.to_header()
                .calc_checksum_ipv6(&ip.to_header(), udp.payload())
        }
        _ => panic!("another IP version"),
    };
    assert_eq!(
        udp.checksum(),
        checksum.expect("a datagram"),
        "UDP checksum"
    );
    assert_eq!(udp.source_port(), asked_udp.destination_port());
    assert_eq!(udp.destination_port(), asked_udp.source_port());
    assert_eq!(
        usize::from(udp.length()),
        8 + reply.len() - query.message_start
    );
}

/// Panics unless the message is a referral of the zone's records, as much of
/// it as the limit leaves room for.
fn judge_message(
    query: &PlainQuery<'_>,
    settings: &Settings,
    referral: &Referral,
    octets: &[u8],
) -> Kind {
    let question_end = 12 + query.question.len();
    assert_eq!(&octets[12..question_end], query.question, "the question");
    let flags = u16::from_be_bytes([octets[2], octets[3]]);
    let truncated = flags & 0x0200 != 0;
    let copied = if settings.copy_cd { 0x0110 } else { 0x0100 };
    assert_eq!(flags & !0x0200, 0x8000 | query.flags & copied, "flags");

    let mut decoder = BinDecoder::new(octets);
    let message = Message::read(&mut decoder).expect("a message");
    assert!(decoder.is_empty(), "octets after the last record");
    assert_eq!(message.metadata.id, query.id);
    assert_eq!(message.queries.len(), 1);
    assert!(message.answers.is_empty() && message.signature.is_none());
    match (query.opt, &message.edns) {
        (None, None) => {}
        (Some(opt), Some(edns)) => {
            assert_eq!(edns.max_payload(), settings.max_udp);
            assert_eq!((edns.rcode_high(), edns.version()), (0, 0));
            assert_eq!(edns.flags().dnssec_ok, opt.dnssec);
            assert_eq!(edns.flags().z, 0);
            let options = if opt.nsid {
                let octets = u8::try_from(settings.nsid.len()).expect("64 octets at most");
                [&[0, 3, 0, octets], settings.nsid].concat()
            } else {
                Vec::new()
            };
            let (_, last) = octets.split_at(octets.len() - 11 - options.len());
            assert_eq!(last[..3], [0, 0, 41], "OPT is the last record");
            assert_eq!(last[11..], options, "the identifier, for who asks for it");
        }
        (_, edns) => panic!("an OPT record for an OPT record: {edns:?}"),
    }

    let mut seen = vec![false; referral.records.len()];
    let mut counts = vec![0; referral.sets.len()];
    let mut key = Vec::with_capacity(512);
    for (section, records) in [
        (Section::Authority, &message.authorities),
        (Section::Additional, &message.additionals),
    ] {
        for record in records {
            write_key(&mut key, section, record);
            let Some((set, place)) = referral.records.get(&key) else {
                panic!("{section:?} holds what the zone does not: {record}");
            };
            assert!(!seen[*place], "twice: {record}");
            seen[*place] = true;
            counts[*set] += 1;
        }
    }

    let room = query.limit - octets.len();
    let mut kind = if truncated {
        Kind::Truncated
    } else {
        Kind::Whole
    };
    let (mut missing, mut missing_required, mut too_large) = (false, false, false);
    for (set, count) in referral.sets.iter().zip(&counts) {
        assert!([0, set.records].contains(count), "a part of an RRset");
        if *count == 0 {
            missing = true;
            missing_required |= set.need == Need::Required;
            too_large |= set.octets > room;
        }
    }
    assert_eq!(
        truncated, missing_required,
        "TC if something needed is missing"
    );
    assert!(
        !missing || too_large,
        "all that is missing would have fitted"
    );
    if missing && !truncated {
        kind = Kind::Partial;
    }
    kind
}

fn write_key(key: &mut Vec<u8>, section: Section, record: &Record) {
    let mut owner = Vec::with_capacity(64);
    write_name(&mut owner, &record.name);
    let mut data = Vec::with_capacity(64);
    match &record.data {
        RData::NS(name) => write_name(&mut data, &name.0),
        RData::A(address) => data.extend(address.0.octets()),
        RData::AAAA(address) => data.extend(address.0.octets()),
        RData::Unknown { rdata, .. } => data.extend(&rdata.anything),
        other => panic!("a referral has no {other:?}"),
    }
    assert_eq!(u16::from(record.dns_class), 1, "class IN");
    let rtype = record.record_type().into();
    record_key(key, section, &owner, rtype, record.ttl, &data);
}

/// Writes a name in wire form, lower case.
fn write_name(octets: &mut Vec<u8>, name: &Name) {
    for label in name.iter() {
        octets.push(u8::try_from(label.len()).expect("a label"));
        octets.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    octets.push(0);
}
