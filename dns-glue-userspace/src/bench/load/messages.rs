//! Plain queries for every delegation of some zones, and for names that have
//! none.

use anyhow::Result;
use domain::base::iana::Rtype;
use domain::base::{MessageBuilder, Name, ToName};

use crate::zone::cuts::Cuts;
use crate::zone::records::Zone;

/// A query of type A with EDNS and a buffer of 1232 octets.
///
/// # Errors
///
/// The name is too long.
pub fn query(name: impl ToName, dnssec: bool) -> Result<Vec<u8>> {
    let mut question = MessageBuilder::new_vec().question();
    question.push((name, Rtype::A))?;
    let mut additional = question.additional();
    additional.opt(|opt| {
        opt.set_udp_payload_size(1232);
        opt.set_dnssec_ok(dnssec);
        Ok(())
    })?;
    Ok(additional.finish())
}

/// A query for `www` below each delegation, of which `misses` in a hundred are
/// for names of the zone that do not exist.
///
/// # Errors
///
/// A name is too long.
pub fn queries(zone: &Zone, cuts: &Cuts<'_>, misses: u32, dnssec: bool) -> Result<Vec<Vec<u8>>> {
    let mut messages = Vec::new();
    for (number, delegation) in (0_u32..).zip(&cuts.delegations) {
        // 61 and 100 have no common factor: the misses are spread evenly.
        let name = match number * 61 % 100 < misses {
            true => below(
                &format!("no-such-name-{number}"),
                &zone.apex().fmt_with_dot(),
            ),
            false => below("www", &delegation.cut.fmt_with_dot()),
        };
        messages.push(query(name.parse::<Name<Vec<u8>>>()?, dnssec)?);
    }
    Ok(messages)
}

/// A name in text; the root is ".".
fn below(label: &str, parent: &impl ToString) -> String {
    match parent.to_string().as_str() {
        "." => format!("{label}."),
        parent => format!("{label}.{parent}"),
    }
}
