//! A zone whose every answer tells its version, in every section.
//!
//! A version has its own name servers, addresses, DS and NSEC data, signatures
//! and TTLs: two versions have no record in common that a referral could hold.
//! The signatures are octets to be carried: nobody here validates.

use std::fmt::Write as _;

use data_encoding::BASE64;

/// The zone's name.
pub const APEX: &str = "faults.example.";
/// Its serial is this plus the version.
pub const SERIAL: u32 = 2_026_010_100;
/// Seconds that its records may be kept, plus the version.
const TTL: u32 = 3600;
/// Octets of an ECDSAP256SHA256 signature.
const SIGNATURE_OCTETS: usize = 64;
/// Name servers of each delegation.
const NAME_SERVERS: usize = 3;

/// The text of a version (1 to 9) with so many delegations.
///
/// One in three has a DS RRset, the others have none and need their NSEC
/// record; one in three has the name servers of the delegation in front of it,
/// so that their addresses are sibling glue.
#[must_use]
pub fn zone(version: u8, delegations: usize) -> String {
    let mut zone = Text {
        version,
        text: String::new(),
    };
    let serial = SERIAL + u32::from(version);
    let first = label(0);
    zone.signed(
        "",
        "SOA",
        &format!("ns.void. host.void. {serial} 1800 900 604800 86400"),
    );
    zone.signed("", "NS", "ns.void.");
    zone.signed("", "DNSKEY", &format!("257 3 13 {}", zone.octets()));
    zone.nsec("", &first, "NS SOA RRSIG NSEC DNSKEY");
    for number in 0..delegations {
        zone.delegation(number);
        let next = if number + 1 < delegations {
            label(number + 1)
        } else {
            String::new()
        };
        // What follows a delegation in the chain tells the version too.
        let text = format!("{}-m{version}", label(number));
        zone.signed(&text, "TXT", &format!("\"version {version}\""));
        zone.nsec(&text, &next, "TXT RRSIG NSEC");
    }
    zone.text
}

fn label(number: usize) -> String {
    format!("d{number:06}")
}

struct Text {
    version: u8,
    text: String,
}

impl Text {
    fn delegation(&mut self, number: usize) {
        let version = self.version;
        let owner = label(number);
        let sibling = number % 3 == 2;
        let host_of = if sibling {
            label(number - 1)
        } else {
            owner.clone()
        };
        for server in 0..NAME_SERVERS {
            let host = format!("ns{server}-m{version}.{host_of}");
            self.record(&owner, "NS", &name(&host));
            if !sibling {
                let [high, low] = (number as u16).to_be_bytes();
                self.record(
                    &host,
                    "A",
                    &format!("10.{}.{high}.{low}", version * 10 + server as u8),
                );
                let (high, low) = (number >> 16, number & 0xffff);
                self.record(
                    &host,
                    "AAAA",
                    &format!("2001:db8:{version}:{server}::{high:x}:{low:x}"),
                );
            }
        }
        let next = format!("{owner}-m{version}");
        if number.is_multiple_of(3) {
            let digest = format!("{version:02x}{number:06x}").repeat(8);
            self.signed(
                &owner,
                "DS",
                &format!("{} 13 2 {digest}", 1000 + number % 60_000),
            );
            self.nsec(&owner, &next, "NS DS RRSIG NSEC");
        } else {
            self.nsec(&owner, &next, "NS RRSIG NSEC");
        }
    }

    fn record(&mut self, owner: &str, rtype: &str, data: &str) {
        let ttl = TTL + u32::from(self.version);
        let owner = name(owner);
        writeln!(self.text, "{owner} {ttl} IN {rtype} {data}").expect("a String takes everything");
    }

    fn signed(&mut self, owner: &str, rtype: &str, data: &str) {
        self.record(owner, rtype, data);
        let ttl = TTL + u32::from(self.version);
        let labels = name(owner).matches('.').count();
        let octets = self.octets();
        let signature = format!(
            "{rtype} 13 {labels} {ttl} 20900101000000 20260101000000 {} {APEX} {octets}",
            u16::from(self.version)
        );
        self.record(owner, "RRSIG", &signature);
    }

    fn nsec(&mut self, owner: &str, next: &str, types: &str) {
        self.signed(owner, "NSEC", &format!("{} {types}", name(next)));
    }

    fn octets(&self) -> String {
        BASE64.encode(&[self.version; SIGNATURE_OCTETS])
    }
}

/// The absolute name of one in the zone; its apex for an empty one.
fn name(relative: &str) -> String {
    match relative {
        "" => APEX.to_owned(),
        _ => format!("{relative}.{APEX}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use domain::base::Name;

    use super::*;
    use crate::zone::cuts::{GlueKind, find_cuts};
    use crate::zone::master_file::read_text;
    use crate::zone::proof::Proof;
    use crate::zone::records::Zone;

    fn read(version: u8) -> Zone {
        let apex = Name::vec_from_str(APEX).expect("a name");
        let text = zone(version, 30);
        read_text(&apex, Path::new("marked.zone"), text.as_bytes()).expect("a zone")
    }

    #[test]
    fn all_is_there_and_nothing_is_at_fault() {
        let zones = [read(1)];
        assert_eq!(zones[0].serial(), SERIAL + 1);
        let cuts = find_cuts(&zones, &[]);
        assert_eq!(cuts.delegations.len(), 30);
        assert_eq!(cuts.faults.len(), 0, "{:?}", cuts.faults);
        for (number, delegation) in cuts.delegations.iter().enumerate() {
            assert_eq!(delegation.ns.len(), NAME_SERVERS);
            assert_eq!(delegation.glue.len(), 2 * NAME_SERVERS);
            let kind = if number % 3 == 2 {
                GlueKind::Sibling
            } else {
                GlueKind::InDomain
            };
            assert!(delegation.glue.iter().all(|glue| glue.kind == kind));
            match delegation.proof {
                Proof::Ds(_) => assert_eq!(number % 3, 0),
                Proof::Nsec(_) => assert_ne!(number % 3, 0),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn two_versions_have_no_record_in_common() {
        let lines =
            |version| -> HashSet<String> { zone(version, 30).lines().map(str::to_owned).collect() };
        // TTL is in every line; without it they differ all the same.
        let without_ttl =
            |line: &String| line.replacen(" 3601 ", " ", 1).replacen(" 3602 ", " ", 1);
        let first: HashSet<String> = lines(1).iter().map(without_ttl).collect();
        let second: HashSet<String> = lines(2).iter().map(without_ttl).collect();
        // No referral holds records of the apex.
        let is_apex = |line: &&String| line.starts_with(APEX);
        assert!(first.intersection(&second).all(|line| is_apex(&line)));
        assert!(lines(1).is_disjoint(&lines(2)));
    }
}
