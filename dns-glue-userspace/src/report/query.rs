//! The queries that `check` and `explain` ask.

use domain::base::MessageBuilder;
use domain::base::iana::{OptionCode, Rtype};

use crate::zone::records::NameRef;

/// What an OPT record of a query says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// Octets of the longest reply that the client takes over UDP.
    pub udp_octets: u16,
    /// DO: the client wants DNSSEC records.
    pub dnssec: bool,
    /// Whether the client asks for the name server identifier (RFC 5001).
    pub nsid: bool,
}

/// Makes `message` a query of class IN with ID 0 and no flags, as a resolver
/// asks an authoritative server: RD=0. What the vector held is lost.
pub fn write_query(message: &mut Vec<u8>, name: &NameRef, rtype: Rtype, edns: Option<Edns>) {
    const ROOM: &str = "a vector has room, and one question and one OPT record fit into counts";
    let builder = MessageBuilder::from_target(std::mem::take(message)).expect(ROOM);
    let mut question = builder.question();
    question.push((name, rtype)).expect(ROOM);
    let mut additional = question.additional();
    if let Some(edns) = edns {
        additional
            .opt(|opt| {
                opt.set_udp_payload_size(edns.udp_octets);
                opt.set_dnssec_ok(edns.dnssec);
                if edns.nsid {
                    opt.push_raw_option(OptionCode::NSID, 0, |_| Ok(()))?;
                }
                Ok(())
            })
            .expect(ROOM);
    }
    *message = additional.finish();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_octet_by_octet() {
        let name = NameRef::from_slice(b"\x01a\x00").expect("a name");
        let mut message = vec![0xff; 99];
        let edns = Edns {
            udp_octets: 1232,
            dnssec: true,
            nsid: false,
        };
        write_query(&mut message, name, Rtype::AAAA, Some(edns));
        assert_eq!(
            message,
            *b"\0\0\0\0\0\x01\0\0\0\0\0\x01\x01a\0\0\x1c\0\x01\0\0\x29\x04\xd0\0\0\x80\0\0\0"
        );
        let edns = Edns { nsid: true, ..edns };
        write_query(&mut message, name, Rtype::AAAA, Some(edns));
        assert!(message.ends_with(b"\0\0\x29\x04\xd0\0\0\x80\0\0\x04\0\x03\0\0"));
        write_query(&mut message, name, Rtype::NS, None);
        assert_eq!(message, *b"\0\0\0\0\0\x01\0\0\0\0\0\0\x01a\0\0\x02\0\x01");
    }
}
