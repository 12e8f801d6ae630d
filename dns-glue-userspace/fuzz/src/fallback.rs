//! Any octets as a request to the built-in server.
//!
//! No request ends it, and every reply is a message that another decoder
//! takes, no longer than the client can.

use std::sync::{Arc, LazyLock};

use dns_glue::serve::fallback::{FallbackZones, Settings, Transport, answer};
use dns_glue::zone::master_file;
use dns_glue_common::nsid::Nsid;
use domain::base::Name;
use hickory_proto::op::Message;
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};

use crate::choices::Octets;
use crate::packet::{FIXTURE, ZONES};
use crate::program_support::random::Draw as _;
use crate::stream;

static FALLBACK: LazyLock<FallbackZones> = LazyLock::new(|| {
    let zones = ZONES.iter().map(|(apex, text)| {
        let apex_name = Name::vec_from_str(apex).expect("a name");
        let path = std::path::Path::new(apex);
        let zone = master_file::read_text(&apex_name, path, text.as_bytes());
        Arc::new(zone.unwrap_or_else(|errors| panic!("{errors}")))
    });
    FallbackZones::new(zones).expect("zones that the server takes")
});

/// One execution: panics when a law is broken; returns the octets of the
/// reply, if there was one.
pub fn run(octets: &[u8]) -> Option<usize> {
    let mut choices = Octets(octets);
    let bits = choices.below(256);
    let settings = Settings {
        max_udp: [1232, 512, 4096, 0][bits & 3],
        nsid: [b"".as_slice(), b"a name server"]
            .map(|identifier| Nsid::new(identifier).unwrap_or(Nsid::NONE))[bits >> 2 & 1],
        copy_cd: bits & 8 != 0,
    };
    let transport = if bits & 16 == 0 {
        Transport::Udp
    } else {
        Transport::Tcp
    };
    let request = match choices.below(4) {
        3 => choices.0.to_vec(),
        _ => stream::message(&mut choices, &FIXTURE.names),
    };
    let reply = answer(&FALLBACK, &settings, &request, transport)?;

    let mut decoder = BinDecoder::new(&reply);
    let message = Message::read(&mut decoder).expect("a message");
    assert!(decoder.is_empty(), "octets after the last record");
    assert_eq!(reply[..2], request[..2], "the ID");
    assert_eq!(reply[2] & 0x80, 0x80, "QR");
    assert!(message.queries.len() <= 1);
    if transport == Transport::Udp {
        // Whoever sends no OPT record takes 512 octets. Of a request that the
        // decoder does not take, only the server's own limit is known.
        let size = match Message::from_vec(&request) {
            Ok(request) => request.edns.map_or(512, |edns| edns.max_payload().max(512)),
            Err(_) => u16::MAX,
        };
        let most = size.min(settings.max_udp.max(512));
        assert!(reply.len() <= usize::from(most), "longer than {most}");
    }
    Some(reply.len())
}
