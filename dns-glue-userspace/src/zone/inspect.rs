//! Looks for what an operator should know of zones that can be served: glue
//! that is missing or serves nothing, name servers that cannot be reached,
//! signatures that expire.
//!
//! Each look is one pass over the owners or the delegations of a zone.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use domain::base::iana::Rtype;

use super::cover::{Covers, Standing};
use super::cuts::{Cuts, Delegation, GlueKind, glue_kind, targets};
use super::faults::{Fault, FaultKind};
use super::name_order;
use super::records::{Denial, NameRef, Node, Rrset, Zone};

/// Signatures that expire within this time, in seconds, are worth a word: two
/// days. Zones are commonly signed anew several days before that.
pub const EXPIRES_SOON: u32 = 2 * 86_400;

/// Iterations of NSEC3 beyond which validators in wide use take a zone for
/// insecure, or fail: RFC 9276 section 3.2 lets each choose, and the strictest
/// chose this number.
const MAX_ITERATIONS: u16 = 50;

/// The time as RRSIG tells it: seconds since 1970 modulo 2^32.
#[must_use]
pub fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // A clock before 1970 is no clock; 0 makes every signature invalid.
    since.map_or(0, |since| since.as_secs() as u32)
}

/// Everything worth a warning in `zones`, the faults that `cuts` knows already
/// first. `cuts` comes from [`super::cuts::find_cuts`] for the same zones;
/// `now` is in seconds since 1970 modulo 2^32, as in RRSIG (RFC 4034
/// section 3.1.5).
#[must_use]
pub fn inspect<'z>(zones: &'z [Zone], cuts: &Cuts<'z>, now: u32) -> Vec<Fault<'z>> {
    let mut faults = cuts.faults.clone();
    // Delegations stand zone by zone, in the order of the zones.
    let mut rest = &cuts.delegations[..];
    for zone in zones {
        let end = rest.partition_point(|found| std::ptr::eq(found.zone, zone));
        let (delegations, others) = rest.split_at(end);
        rest = others;
        let mut inspection = Inspection {
            zone,
            covers: Covers::of(zone),
            faults: &mut faults,
        };
        for delegation in delegations {
            inspection.look_at(delegation);
        }
        inspection.look_at_denial();
        inspection.find_sibling_cycles(delegations);
        inspection.find_useless_glue();
        inspection.find_ttl_mismatches();
        inspection.look_at_signatures(delegations, now);
    }
    faults
}

/// One zone while it is looked at.
struct Inspection<'z, 'f> {
    zone: &'z Zone,
    covers: Covers<'z>,
    faults: &'f mut Vec<Fault<'z>>,
}

impl<'z> Inspection<'z, '_> {
    /// Adds a fault.
    fn note(&mut self, name: &'z NameRef, kind: FaultKind<'z>) {
        self.faults.push(Fault {
            zone: self.zone,
            name,
            kind,
        });
    }

    /// Looks at what the whole zone is signed with.
    fn look_at_denial(&mut self) {
        let apex = self.zone.apex();
        if let Some(chain) = self.zone.nsec3() {
            if !chain.is_complete() {
                self.note(apex, FaultKind::ChainWithGaps);
            }
            let iterations = chain.parameters().iterations;
            if iterations > MAX_ITERATIONS {
                self.note(apex, FaultKind::ManyIterations { iterations });
            }
        }
        let keys = self
            .zone
            .find(apex)
            .and_then(|node| node.rrset(Rtype::DNSKEY));
        if self.zone.denial() == Denial::Unsigned && keys.is_some() {
            self.note(apex, FaultKind::KeysWithoutSignatures);
        }
    }

    /// Looks at the name servers of one delegation.
    fn look_at(&mut self, delegation: &Delegation<'z>) {
        let cut = delegation.cut;
        if delegation.ns.len() == 1 {
            self.note(cut, FaultKind::OneNameServer);
        }
        let node = self.zone.find(cut).expect("a cut is an owner");
        if self.zone.denial() == Denial::Unsigned && node.rrset(Rtype::DS).is_some() {
            self.note(cut, FaultKind::DsInUnsignedZone);
        }
        for target in targets(delegation.ns) {
            let kind = glue_kind(self.zone, &self.covers, cut, target);
            let found = kind.and_then(|_| self.zone.find(target));
            let has_address = found.is_some_and(owns_address);
            if kind == Some(GlueKind::InDomain) && !has_address {
                self.note(cut, FaultKind::MissingGlue { target });
            }
            if found.is_some_and(|node| node.rrset(Rtype::CNAME).is_some()) {
                self.note(cut, FaultKind::TargetIsCname { target });
            }
        }
    }

    /// Finds delegations all of whose name servers lie in delegations that
    /// again depend on them.
    ///
    /// A delegation can be followed without sibling glue if any of its name
    /// servers lies outside the zone, is the zone's own, has in-domain glue, or
    /// lies below a delegation that can be followed. What is left over depends
    /// on itself.
    fn find_sibling_cycles(&mut self, delegations: &[Delegation<'z>]) {
        // By cover: those that are no delegations are other servers' business
        // and count as followed.
        let mut followed = vec![true; self.covers.len()];
        let mut open = Vec::new();
        // (cover that a name server lies below, index into `open`)
        let mut waiting: Vec<(usize, usize)> = Vec::new();
        for delegation in delegations {
            let siblings = match self.needed_siblings(delegation) {
                Some(siblings) if !siblings.is_empty() => siblings,
                _ => continue,
            };
            let cover = self
                .covers
                .enclosing(delegation.cut)
                .expect("a cut is a cover");
            followed[cover] = false;
            waiting.extend(siblings.into_iter().map(|sibling| (sibling, open.len())));
            open.push((cover, delegation.cut));
        }
        waiting.sort_unstable();
        waiting.dedup();
        let mut news: Vec<usize> = waiting.iter().map(|(sibling, _)| *sibling).collect();
        news.dedup();
        news.retain(|sibling| followed[*sibling]);
        while let Some(sibling) = news.pop() {
            let first = waiting.partition_point(|(other, _)| *other < sibling);
            for (_, index) in waiting[first..]
                .iter()
                .take_while(|(other, _)| *other == sibling)
            {
                let (cover, _) = open[*index];
                if !followed[cover] {
                    followed[cover] = true;
                    news.push(cover);
                }
            }
        }
        for (cover, cut) in open {
            if !followed[cover] {
                self.note(cut, FaultKind::SiblingCycle);
            }
        }
    }

    /// The covers below which the name servers of a delegation lie; `None` if
    /// it can be followed without them.
    fn needed_siblings(&self, delegation: &Delegation<'z>) -> Option<Vec<usize>> {
        let mut siblings = Vec::new();
        for target in targets(delegation.ns) {
            match glue_kind(self.zone, &self.covers, delegation.cut, target) {
                None => return None,
                Some(GlueKind::Authoritative | GlueKind::InDomain) => {
                    if self.zone.find(target).is_some_and(owns_address) {
                        return None;
                    }
                }
                Some(GlueKind::Sibling) => {
                    if let Standing::BelowCut(cover) = self.covers.standing(target) {
                        siblings.push(cover);
                    }
                }
            }
        }
        Some(siblings)
    }

    /// Finds addresses that no referral can carry, and those that look left
    /// over.
    fn find_useless_glue(&mut self) {
        let named = self.named_targets();
        for node in self.zone.nodes().skip(1) {
            if !owns_address(node) || named.binary_search(&node.index()).is_ok() {
                continue;
            }
            match self.covers.standing(node.name()) {
                Standing::BelowCut(cover) => {
                    let cut = self.covers.get(cover).node.name();
                    self.note(cut, FaultKind::StrayGlue { owner: node.name() });
                }
                Standing::Authoritative | Standing::Hidden => {}
            }
        }
        for node in self.zone.nodes().skip(1) {
            let is_named = named.binary_search(&node.index()).is_ok();
            if !is_named && self.may_be_orphan(node) {
                self.note(node.name(), FaultKind::OrphanGlue);
            }
        }
    }

    /// Indices of the owners that the NS records in force name: those of the
    /// apex and of each cut; ascending.
    fn named_targets(&self) -> Vec<u32> {
        let mut named = Vec::new();
        let apex = self.zone.nodes().next();
        for node in apex
            .into_iter()
            .chain(self.covers.iter().map(|cover| cover.node))
        {
            let Some(ns) = node.rrset(Rtype::NS) else {
                continue;
            };
            let inside = targets(ns).filter(|target| {
                name_order::is_at_or_below(target.as_slice(), self.zone.apex().as_slice())
            });
            named.extend(
                inside
                    .filter_map(|target| self.zone.find(target))
                    .map(|node| node.index()),
            );
        }
        named.sort_unstable();
        named.dedup();
        named
    }

    /// Whether an owner looks like the name server of a delegation that is
    /// gone: see [`FaultKind::OrphanGlue`].
    fn may_be_orphan(&self, node: Node<'z>) -> bool {
        let only_addresses = node.rrsets().all(|rrset| {
            matches!(
                rrset.rtype(),
                Rtype::A | Rtype::AAAA | Rtype::NSEC | Rtype::NSEC3
            )
        });
        let name = node.name().as_slice();
        if !only_addresses || !owns_address(node) || name_order::is_wildcard(name) {
            return false;
        }
        let parent = name_order::parent(name).expect("only the root has none");
        if parent.len() <= self.zone.apex().len() {
            return false;
        }
        let parent = NameRef::from_slice(parent).expect("the tail of a name is a name");
        self.covers.standing(node.name()) == Standing::Authoritative
            && self.zone.find(parent).is_none()
    }

    /// Finds RRsets whose records differ in TTL.
    fn find_ttl_mismatches(&mut self) {
        for node in self.zone.nodes() {
            for rrset in node.rrsets().filter(Rrset::ttl_mismatch) {
                self.note(
                    node.name(),
                    FaultKind::TtlMismatch {
                        rtype: rrset.rtype(),
                    },
                );
            }
        }
    }

    /// Looks at the validity of the signatures that referrals carry.
    fn look_at_signatures(&mut self, delegations: &[Delegation<'z>], now: u32) {
        let mut invalid: Option<(&'z NameRef, usize)> = None;
        let mut expiring: Option<(&'z NameRef, usize, u32)> = None;
        // Delegations share the NSEC3 of a proof.
        let mut seen = HashSet::new();
        let proofs = delegations
            .iter()
            .flat_map(|delegation| delegation.proof.rrsets());
        for rrset in proofs.filter(|rrset| seen.insert(*rrset)) {
            match seconds_left(rrset, now) {
                None => invalid = Some(invalid.map_or((rrset.owner(), 1), |(at, n)| (at, n + 1))),
                Some(left) if left < EXPIRES_SOON => {
                    let (at, n, least) = expiring.unwrap_or((rrset.owner(), 0, u32::MAX));
                    let (at, least) = if left < least {
                        (rrset.owner(), left)
                    } else {
                        (at, least)
                    };
                    expiring = Some((at, n + 1, least));
                }
                Some(_) => {}
            }
        }
        if let Some((name, rrsets)) = invalid {
            self.note(name, FaultKind::InvalidSignatures { rrsets });
        }
        if let Some((name, rrsets, seconds)) = expiring {
            self.note(name, FaultKind::ExpiringSignatures { rrsets, seconds });
        }
    }
}

/// Whether an owner has A or AAAA records.
fn owns_address(node: Node<'_>) -> bool {
    node.rrset(Rtype::A).is_some() || node.rrset(Rtype::AAAA).is_some()
}

/// Seconds until the last valid signature of an RRset expires; `None` if none
/// is valid now. Times compare as serial numbers (RFC 4034 section 3.1.5).
fn seconds_left(rrset: Rrset<'_>, now: u32) -> Option<u32> {
    let time = |rdata: &[u8], at: usize| {
        let octets = rdata[at..at + 4]
            .try_into()
            .expect("the builder takes whole RRSIG RDATA");
        u32::from_be_bytes(octets)
    };
    rrset
        .signatures()
        .filter_map(|rdata| {
            let expiration = time(rdata, 8).wrapping_sub(now).cast_signed();
            let age = now.wrapping_sub(time(rdata, 12)).cast_signed();
            u32::try_from(expiration).ok().filter(|_| age >= 0)
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::cuts::find_cuts;
    use crate::zone::master_file::read_text;
    use crate::zone::nsec3::Parameters;
    use domain::base::Name;
    use domain::utils::base32::encode_string_hex;
    use std::path::Path;

    /// 2026-01-01 00:00:00 UTC.
    const NOW: u32 = 1_767_225_600;

    /// The faults of a zone `test.`, as text.
    fn faults(records: &str) -> Vec<String> {
        let apex = Name::vec_from_str("test.").expect("a valid name");
        let text = format!("$TTL 60\n@ SOA ns.void. h.void. 1 2 3 4 5\n@ NS ns.void.\n{records}");
        let zone = match read_text(&apex, Path::new("test.zone"), text.as_bytes()) {
            Ok(zone) => zone,
            Err(errors) => panic!("{errors}"),
        };
        let zones = [zone];
        let cuts = find_cuts(&zones, &[]);
        inspect(&zones, &cuts, NOW)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_sound_zone_has_none() {
        assert_eq!(
            faults(
                "a NS ns1.a\na NS ns.void.\nns1.a A 192.0.2.1\nb NS ns1.a\nb NS ns.b\n\
                 ns.b AAAA 2001:db8::1\nwww A 192.0.2.2\n"
            ),
            [""; 0]
        );
    }

    #[test]
    fn name_servers() {
        assert_eq!(
            faults("a NS ns.a\nb NS c\nb NS ns.void.\nc CNAME d\nd A 192.0.2.1\n"),
            [
                "a.test.: only one name server",
                "a.test.: in-domain name server ns.a.test. has no glue",
                "b.test.: name server c.test. is an alias (CNAME)",
            ]
        );
    }

    #[test]
    fn sibling_cycles_and_what_breaks_them() {
        let cycle = "a NS x.b\na NS y.b\nb NS x.c\nb NS y.c\nc NS x.a\nc NS y.a\n\
                     d NS x.a\nd NS y.b\n";
        let message = "all name servers depend on siblings that depend on this delegation";
        assert_eq!(
            faults(cycle),
            ["a", "b", "c", "d"].map(|cut| format!("{cut}.test.: {message}"))
        );
        for way_out in [
            "a NS ns.void.\n",
            "c NS z.c\nz.c A 192.0.2.1\n",
            "b NS w\nw A 192.0.2.1\n",
        ] {
            assert_eq!(faults(&format!("{cycle}{way_out}")), [""; 0], "{way_out}");
        }
        // In-domain without glue is no way out.
        let found = faults(&format!("{cycle}a NS z.a\n"));
        assert_eq!(
            found
                .iter()
                .filter(|fault| fault.ends_with(message))
                .count(),
            4
        );
    }

    #[test]
    fn stray_and_orphan_glue() {
        assert_eq!(
            faults(
                "a NS x.a\na NS ns.void.\nx.a A 192.0.2.1\ny.a A 192.0.2.2\nz.a TXT z\n\
                 @ NS apex.a\napex.a A 192.0.2.3\n\
                 @ NS ns.nic\nns.nic A 192.0.2.8\n\
                 ns.gone A 192.0.2.4\nns.here A 192.0.2.5\nhere TXT x\nns.other TXT x\n\
                 ns.other A 192.0.2.6\n*.gone A 192.0.2.7\n"
            ),
            [
                "a.test.: addresses of y.a.test. belong to no name server",
                "ns.gone.test.: may be glue of a delegation that is gone",
            ]
        );
    }

    #[test]
    fn ttls_that_differ() {
        assert_eq!(
            faults("a 10 NS ns.void.\na 20 NS ns2.void.\n"),
            ["a.test.: records of the NS RRset differ in TTL; the lowest counts"]
        );
    }

    #[test]
    fn signatures_and_the_time() {
        let rrsig = |owner: &str, covered: &str, expires: &str, begins: &str| {
            format!("{owner} RRSIG {covered} 13 2 60 {expires} {begins} 1 test. AAAA\n")
        };
        let delegated = |owner: &str| {
            format!("{owner} NS ns.void.\n{owner} NS ns2.void.\n{owner} DS 1 13 2 00112233\n")
        };
        let past = "20250101000000";
        let text = [
            String::from("@ DNSKEY 257 3 13 AAAA\n@ NSEC a NS SOA RRSIG NSEC DNSKEY\n"),
            rrsig("@", "SOA", past, past),
            // Expired; not yet valid; expired with a good one beside it.
            delegated("a") + &rrsig("a", "DS", "20251231235959", past),
            delegated("b") + &rrsig("b", "DS", "20270101000000", "20260101000001"),
            delegated("c")
                + &rrsig("c", "DS", past, past)
                + &rrsig("c", "DS", "20270101000000", past),
            // 24 and 12 hours left.
            delegated("d") + &rrsig("d", "DS", "20260102000000", past),
            delegated("e") + &rrsig("e", "DS", "20260101120000", past),
        ];
        assert_eq!(
            faults(&text.concat()),
            [
                "a.test.: signatures expired or not yet valid, here first, in 2 RRsets",
                "e.test.: signatures of 2 RRsets expire soon, here first, in 12 hours",
            ]
        );
    }

    /// What bears on the whole zone is told once, at the apex.
    #[test]
    fn keys_without_signatures_and_many_iterations() {
        let key = "@ DNSKEY 257 3 13 AAAA\n";
        assert_eq!(
            faults(key),
            ["test.: DNSKEY, but no RRSIG of the SOA record: taken for a zone without DNSSEC"]
        );
        let rrsig = |owner: &str, covered: &str| {
            format!("{owner} RRSIG {covered} 13 2 60 20270101000000 20250101000000 1 test. AAAA\n")
        };
        let chain = |iterations: u16| {
            let parameters = Parameters {
                iterations,
                salt: Box::new([]),
            };
            let apex = NameRef::from_slice(b"\x04test\0").expect("a name");
            let hash = encode_string_hex(&parameters.hash(apex)).to_lowercase();
            [
                key.to_owned() + &rrsig("@", "SOA"),
                format!("@ NSEC3PARAM 1 0 {iterations} -\n"),
                format!("{hash} NSEC3 1 1 {iterations} - {hash} NS SOA\n"),
                rrsig(&hash, "NSEC3"),
            ]
            .concat()
        };
        assert_eq!(faults(&chain(50)), [""; 0]);
        assert_eq!(
            faults(&chain(51)),
            ["test.: 51 iterations of NSEC3: validators take the proofs for none, or fail"]
        );
    }

    /// One NSEC3, which is the proof of two delegations, and not of the third;
    /// signatures that no referral carries do not count.
    #[test]
    fn signatures_of_shared_nsec3_count_once() {
        let apex = "5u2i2h5co0ebb4r9hipbku7pea6ggpsv";
        let rrsig = |owner: &str, covered: &str, expires: &str| {
            format!("{owner} RRSIG {covered} 13 2 60 {expires} 20250101000000 1 test. AAAA\n")
        };
        let nsec3 = format!("{apex} NSEC3 1 1 0 - {apex} NS SOA RRSIG DNSKEY NSEC3PARAM\n");
        let delegated = |owner: &str| format!("{owner} NS ns.void.\n{owner} NS ns2.void.\n");
        let text = |expires| {
            [
                String::from("@ DNSKEY 257 3 13 AAAA\n@ NSEC3PARAM 1 0 0 -\n"),
                rrsig("@", "SOA", "20250101000000"),
                nsec3.clone(),
                rrsig(apex, "NSEC3", expires),
                delegated("a") + &delegated("b") + &delegated("c"),
                String::from("c DS 1 13 2 00112233\n") + &rrsig("c", "DS", "20270101000000"),
            ]
            .concat()
        };
        assert_eq!(faults(&text("20270101000000")), [""; 0]);
        assert_eq!(
            faults(&text("20251231235959")),
            [format!(
                "{apex}.test.: signatures expired or not yet valid, here first, in 1 RRsets"
            )]
        );
        assert_eq!(
            faults(&text("20260101120000")),
            [format!(
                "{apex}.test.: signatures of 1 RRsets expire soon, here first, in 12 hours"
            )]
        );
    }
}
