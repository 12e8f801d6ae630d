//! What passes: the server's reply with dns-glue in front of it against the
//! same server's without.

use super::reply::{Malformed, Opt, Reply};

/// The EDNS option of cookies (RFC 7873 section 4).
const COOKIE: u16 = 10;
/// Octets of the client's part of it, which stand first.
const CLIENT_COOKIE_OCTETS: usize = 8;

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// The same octets.
    Identical,
    /// The same header, question, OPT record and records, in another order:
    /// some servers rotate an RRset. A server cookie may be another one. Of
    /// replies with TC=1 the records do not count (RFC 2181 section 9): which
    /// of a rotated RRset still fit changes from one to the next.
    SameRecords,
    /// No reply to either.
    BothSilent,
    /// Not the same.
    Difference(String),
}

/// Compares the replies to the same octets, ID included; `None` where none came.
pub fn compare(alone: Option<&[u8]>, behind: Option<&[u8]>) -> Sameness {
    let (alone, behind) = match (alone, behind) {
        (None, None) => return Sameness::BothSilent,
        (Some(_), None) => return Sameness::Difference(String::from("no reply with dns-glue")),
        (None, Some(_)) => return Sameness::Difference(String::from("a reply with dns-glue only")),
        (Some(alone), Some(behind)) => (alone, behind),
    };
    if alone == behind {
        return Sameness::Identical;
    }
    match (Reply::parse(alone), Reply::parse(behind)) {
        (Ok(alone), Ok(behind)) if is_same(&alone, &behind) => Sameness::SameRecords,
        (Ok(alone), Ok(behind)) => {
            Sameness::Difference(format!("alone: {alone}\nwith dns-glue: {behind}"))
        }
        (alone, behind) => Sameness::Difference(format!(
            "alone: {}\nwith dns-glue: {}",
            tell(alone),
            tell(behind)
        )),
    }
}

fn tell(reply: Result<Reply, Malformed>) -> String {
    reply.map_or_else(|error| error.to_string(), |reply| reply.to_string())
}

fn is_same(alone: &Reply, behind: &Reply) -> bool {
    alone.id == behind.id
        && alone.flags == behind.flags
        && alone.rcode == behind.rcode
        && alone.question == behind.question
        && (alone.truncated() || alone.sections == behind.sections)
        && alone.opt.as_ref().map(lasting) == behind.opt.as_ref().map(lasting)
}

/// An OPT record with server cookies, which change with the time, blanked.
fn lasting(opt: &Opt) -> Opt {
    let mut opt = opt.clone();
    let mut at = 0;
    while let Some([c0, c1, l0, l1]) = opt.options.get(at..at + 4) {
        let code = u16::from_be_bytes([*c0, *c1]);
        let octets = usize::from(u16::from_be_bytes([*l0, *l1]));
        let server_cookie = at + 4 + CLIENT_COOKIE_OCTETS..at + 4 + octets;
        at += 4 + octets;
        if code == COOKIE
            && let Some(cookie) = opt.options.get_mut(server_cookie)
        {
            cookie.fill(0);
        }
    }
    opt
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply for `a.` with two A records.
    fn reply(last_octets: [u8; 2]) -> Vec<u8> {
        let mut reply = b"\0\x07\x84\0\0\x01\0\x02\0\0\0\x01\x01a\0\0\x01\0\x01".to_vec();
        for last in last_octets {
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last]);
        }
        reply.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        reply
    }

    fn with_cookie(server_cookie: u8) -> Vec<u8> {
        let mut reply = reply([1, 2]);
        let length = reply.len();
        reply[length - 1] = 4 + 16;
        reply.extend([0, 10, 0, 16]);
        reply.extend([7; 8]);
        reply.extend([server_cookie; 8]);
        reply
    }

    fn is_difference(alone: Option<&[u8]>, behind: Option<&[u8]>) -> bool {
        matches!(compare(alone, behind), Sameness::Difference(_))
    }

    #[test]
    fn order_is_no_difference() {
        let (one, other) = (reply([1, 2]), reply([2, 1]));
        assert_eq!(compare(Some(&one), Some(&one)), Sameness::Identical);
        assert_eq!(compare(Some(&one), Some(&other)), Sameness::SameRecords);
        assert_eq!(compare(None, None), Sameness::BothSilent);
    }

    #[test]
    fn every_other_thing_is_one() {
        let one = reply([1, 2]);
        assert!(is_difference(Some(&one), Some(&reply([1, 3]))));
        assert!(is_difference(Some(&one), None));
        assert!(is_difference(None, Some(&one)));
        // ID, AA, TC, RCODE, case of the question, TTL, size, EDNS version.
        let ttl = 12 + 7 + 9;
        let opt = one.len() - 11;
        for (at, bit) in [
            (1, 1),
            (2, 4),
            (2, 2),
            (3, 3),
            (13, 0x20),
            (ttl, 1),
            (opt + 4, 1),
            (opt + 6, 1),
        ] {
            let mut other = one.clone();
            other[at] ^= bit;
            assert!(is_difference(Some(&one), Some(&other)), "octet {at}");
        }
        let mut longer = one.clone();
        longer.push(0);
        assert!(is_difference(Some(&one), Some(&longer)));
    }

    #[test]
    fn a_server_cookie_may_change() {
        let (one, other) = (with_cookie(1), with_cookie(2));
        assert_eq!(compare(Some(&one), Some(&other)), Sameness::SameRecords);
        let mut client = other.clone();
        let at = client.len() - 16;
        client[at] ^= 1;
        assert!(is_difference(Some(&one), Some(&client)));
        assert!(is_difference(Some(&one), Some(&reply([1, 2]))));
    }
}
