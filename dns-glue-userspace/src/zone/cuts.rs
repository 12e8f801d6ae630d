//! From zones to what is compiled: delegations, and the names at which the
//! search for one stops.
//!
//! *Invariant:* no delegation of a zone is at or below another one of the same
//! zone, none is at a stop, and for every delegation the closest zone served
//! that encloses it is its own. So the deepest match over delegations and
//! stops decides a query (RFC 1034 section 4.3.2 steps 2 and 3b).

use domain::base::Name;

use super::faults::Fault;
use super::name_servers::{OutsideSet, Place};
use super::proof::Proof;
use super::records::{NameRef, Node, Rrset, Zone};
use super::survey::{Found, Survey};

/// What several zones served together come to.
#[derive(Debug, Default)]
pub struct Cuts<'z> {
    /// The delegations to answer, zone by zone, in canonical order within each.
    pub delegations: Vec<Delegation<'z>>,
    /// Names at which the search stops, each once: queries at or below them,
    /// unless below a deeper delegation, pass.
    pub stops: Vec<Stop<'z>>,
    /// What has no effect.
    pub pruned: Pruned,
    /// Faults of delegations, those for which they became stops among them.
    pub faults: Vec<Fault<'z>>,
}

/// A zone cut and all that a referral to it may say.
#[derive(Clone, Debug)]
pub struct Delegation<'z> {
    /// The zone that delegates.
    pub zone: &'z Zone,
    /// Its place among the zones that count.
    pub zone_number: usize,
    /// The name delegated.
    pub cut: &'z NameRef,
    /// The owner of that name.
    pub node: Node<'z>,
    /// Its name servers.
    pub ns: Rrset<'z>,
    /// Which set they are, if all lie outside the zone; then there is no glue.
    pub outside: Option<OutsideSet>,
    /// The place of each of them in the zone; none if all lie outside.
    pub(super) places: Vec<Option<Place<'z>>>,
    /// What a query with the DO flag gets beside them.
    pub proof: Proof<'z>,
    /// Whether the walk that found this delegation had not found the proof
    /// before.
    pub(super) proof_is_new: bool,
    /// Addresses of the name servers: in-domain, then sibling, then
    /// authoritative; within each in the order of the NS records, A before
    /// AAAA. Each RRset once.
    pub glue: Vec<Glue<'z>>,
}

/// An address RRset of a name server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Glue<'z> {
    /// How it relates to the delegation.
    pub kind: GlueKind,
    /// The addresses, A or AAAA.
    pub rrset: Rrset<'z>,
}

/// How the address of a name server relates to a delegation (RFC 9471
/// section 2; RFC 9499 section 7).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum GlueKind {
    /// At or below this cut: needed, or the delegation cannot be followed.
    InDomain,
    /// Below another cut of the same zone.
    Sibling,
    /// The zone's own data, not below any cut.
    Authoritative,
}

/// A name at which the search for a delegation stops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stop<'z> {
    /// The name.
    pub name: &'z NameRef,
    /// Why.
    pub why: StopReason,
    /// The place of its zone among those that count; `None` if that is not at
    /// hand.
    pub zone_number: Option<usize>,
}

/// Why the search for a delegation stops at a name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum StopReason {
    /// The apex of a compiled zone.
    ZoneApex,
    /// The apex of a zone that the server behind serves too.
    AlsoServed,
    /// A DNAME; answers below it are synthesised (RFC 6672).
    Dname,
    /// NS at a wildcard.
    WildcardNs,
    /// A delegation with a fault; [`Cuts::faults`] says which.
    BrokenDelegation,
    /// DELEG records without NS records.
    DelegOnly,
}

/// Counts of what has no effect on any referral.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pruned {
    /// NS RRsets below another cut or a DNAME.
    pub nested_cuts: usize,
    /// Owners without NS below a DNAME.
    pub below_dname: usize,
    /// Cuts at or below the apex of another zone served: that zone answers.
    pub in_other_zone: usize,
}

/// Finds the delegations of `zones`, served together on one host with zones of
/// the names `also_served`, which are not at hand.
///
/// If two zones have the same name the first counts.
///
/// All delegations at once take several times the memory of the zones' own
/// tables: who looks at each of them once walks a [`Survey`].
#[must_use]
pub fn find_cuts<'z>(zones: &'z [Zone], also_served: &'z [Name<Vec<u8>>]) -> Cuts<'z> {
    let survey = Survey::of(zones, also_served);
    let mut cuts = Cuts {
        delegations: Vec::new(),
        stops: survey.apexes().to_vec(),
        pruned: survey.pruned(),
        faults: Vec::new(),
    };
    let mut walk = survey.walk();
    for part in 0..survey.parts() {
        walk.look_at(part, |found| match found {
            Found::Delegation(delegation) => cuts.delegations.push(delegation),
            Found::Stop(stop, fault) => {
                cuts.stops.push(stop);
                cuts.faults.extend(fault);
            }
        });
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::faults::FaultKind;
    use crate::zone::master_file::read_text;
    use crate::zone::name_servers::targets;
    use domain::base::iana::Rtype;
    use proptest::prelude::*;
    use std::path::Path;

    fn name(text: &str) -> Name<Vec<u8>> {
        Name::vec_from_str(text).expect("a valid name")
    }

    /// A zone with an SOA, one NS at the apex and what `records` adds.
    fn zone(apex: &str, records: &str) -> Zone {
        let text =
            format!("$TTL 60\n@ SOA ns.void. host.void. 1 2 3 4 5\n@ NS ns.void.\n{records}");
        match read_text(&name(apex), Path::new("test.zone"), text.as_bytes()) {
            Ok(zone) => zone,
            Err(errors) => panic!("{errors}"),
        }
    }

    fn delegated(cuts: &Cuts<'_>) -> Vec<String> {
        cuts.delegations
            .iter()
            .map(|found| found.cut.fmt_with_dot().to_string())
            .collect()
    }

    fn stops(cuts: &Cuts<'_>) -> Vec<(String, StopReason)> {
        cuts.stops
            .iter()
            .map(|stop| (stop.name.fmt_with_dot().to_string(), stop.why))
            .collect()
    }

    fn stop(name: &str, why: StopReason) -> (String, StopReason) {
        (name.to_owned(), why)
    }

    #[test]
    fn the_cut_nearest_the_apex_wins() {
        let zones = [zone(
            "test.",
            "a.b NS ns.a.b\nb NS ns.a.b\nns.a.b A 192.0.2.1\nbb NS ns.void.\nx.a.b NS ns.void.\n",
        )];
        let cuts = find_cuts(&zones, &[]);
        assert_eq!(delegated(&cuts), ["b.test.", "bb.test."]);
        assert_eq!(cuts.pruned.nested_cuts, 2);
        // Named by the outer NS, though below the inner cut.
        let glue = &cuts.delegations[0].glue;
        assert_eq!(glue.len(), 1);
        assert_eq!(glue[0].kind, GlueKind::InDomain);
    }

    #[test]
    fn a_dname_hides_what_lies_below() {
        let zones = [zone(
            "test.",
            "d DNAME void.\nc.d NS ns.void.\nns.d A 192.0.2.1\ne NS ns.d\nf NS ns.void.\n\
             f DNAME void.\ng.f NS ns.void.\n",
        )];
        let cuts = find_cuts(&zones, &[]);
        assert_eq!(delegated(&cuts), ["e.test."]);
        assert!(
            cuts.delegations[0].glue.is_empty(),
            "the address lies below a DNAME"
        );
        assert_eq!(
            stops(&cuts),
            [
                stop("test.", StopReason::ZoneApex),
                stop("d.test.", StopReason::Dname),
                stop("f.test.", StopReason::Dname)
            ]
        );
        assert_eq!((cuts.pruned.nested_cuts, cuts.pruned.below_dname), (2, 1));
        assert_eq!(cuts.faults.len(), 1);
        assert!(matches!(cuts.faults[0].kind, FaultKind::DnameBesideNs));
    }

    #[test]
    fn a_dname_at_the_apex_leaves_no_delegation() {
        let zones = [zone("test.", "@ DNAME void.\na NS ns.void.\n")];
        let cuts = find_cuts(&zones, &[]);
        assert!(cuts.delegations.is_empty());
        assert_eq!(stops(&cuts), [stop("test.", StopReason::ZoneApex)]);
    }

    #[test]
    fn ns_at_a_wildcard_is_a_stop() {
        let zones = [zone(
            "test.",
            "*.w NS ns.void.\na.w NS ns.void.\n* A 192.0.2.1\n",
        )];
        let cuts = find_cuts(&zones, &[]);
        assert_eq!(delegated(&cuts), ["a.w.test."]);
        assert_eq!(
            stops(&cuts)[1..],
            [stop("*.w.test.", StopReason::WildcardNs)]
        );
        assert!(cuts.faults[0].fatal_if_strict());
    }

    #[test]
    fn zones_served_together() {
        let zones = [
            zone(
                "test.",
                "child NS ns.void.\nc.mid NS ns.void.\nmid2 NS ns.void.\n",
            ),
            // The child of a cut, and below a cut.
            zone("child.test.", "x NS ns.void.\n"),
            zone("below.mid2.test.", "y NS ns.void.\n"),
            // Twice the same: the first counts.
            zone("TEST.", "other NS ns.void.\n"),
        ];
        // Without a cut above it; and one that is compiled too.
        let served = [name("mid.test."), name("child.test.")];
        let cuts = find_cuts(&zones, &served);
        assert_eq!(
            delegated(&cuts),
            ["mid2.test.", "x.child.test.", "y.below.mid2.test."]
        );
        assert_eq!(
            stops(&cuts),
            [
                stop("test.", StopReason::ZoneApex),
                stop("child.test.", StopReason::ZoneApex),
                stop("below.mid2.test.", StopReason::ZoneApex),
                stop("mid.test.", StopReason::AlsoServed)
            ]
        );
        // child and c.mid.
        assert_eq!(cuts.pruned.in_other_zone, 2);
    }

    #[test]
    fn glue_comes_from_the_zone_itself_and_in_order() {
        let zones = [
            zone(
                "test.",
                "z NS a.other.\nz NS sib.y\nz NS ns.z\nz NS auth\nz NS alias\nz NS w.wild\n\
                 y NS ns.void.\nsib.y AAAA 2001:db8::1\nns.z AAAA 2001:db8::2\nns.z A 192.0.2.1\n\
                 unnamed.z A 192.0.2.9\nauth A 192.0.2.2\nalias CNAME auth\n*.wild A 192.0.2.3\n",
            ),
            zone("other.", "a A 192.0.2.4\n"),
        ];
        let cuts = find_cuts(&zones, &[]);
        let z = cuts
            .delegations
            .iter()
            .find(|found| *found.cut == name("z.test."))
            .expect("z");
        let glue: Vec<_> = z
            .glue
            .iter()
            .map(|glue| {
                (
                    glue.kind,
                    glue.rrset.owner().to_string(),
                    glue.rrset.rtype(),
                )
            })
            .collect();
        assert_eq!(
            glue,
            [
                (GlueKind::InDomain, String::from("ns.z.test"), Rtype::A),
                (GlueKind::InDomain, String::from("ns.z.test"), Rtype::AAAA),
                (GlueKind::Sibling, String::from("sib.y.test"), Rtype::AAAA),
                (GlueKind::Authoritative, String::from("auth.test"), Rtype::A),
            ]
        );
    }

    #[test]
    fn deleg_without_ns_is_a_stop() {
        let deleg = "TYPE61440 \\# 1 00";
        let zones = [zone(
            "test.",
            &format!("a {deleg}\nb NS ns.void.\nb {deleg}\nc.b {deleg}\n"),
        )];
        assert!(zones[0].holds_deleg());
        let cuts = find_cuts(&zones, &[]);
        assert_eq!(delegated(&cuts), ["b.test."]);
        assert_eq!(stops(&cuts)[1..], [stop("a.test.", StopReason::DelegOnly)]);
    }

    /// Names of up to four labels from few, below `test.`.
    fn any_owner() -> impl Strategy<Value = String> {
        let label = prop::sample::select(vec!["a", "b", "B", "c", "*"]);
        prop::collection::vec(label, 1..5).prop_map(|labels| labels.join("."))
    }

    /// Records of few owners, so that they meet.
    fn any_records() -> impl Strategy<Value = String> {
        let data = prop_oneof![
            4 => any_owner().prop_map(|target| format!("NS {target}")),
            1 => Just(String::from("NS ns.void.")),
            4 => Just(String::from("A 192.0.2.1")),
            1 => Just(String::from("AAAA 2001:db8::1")),
            1 => Just(String::from("DNAME void.")),
            1 => Just(String::from("TXT x")),
        ];
        prop::collection::vec((any_owner(), data), 0..25).prop_map(|records| {
            records
                .iter()
                .map(|(owner, data)| format!("{owner} {data}\n"))
                .collect()
        })
    }

    /// The names from just below `apex` down to `name`, `name` included.
    fn ancestors(name: &NameRef, apex: &NameRef) -> Vec<Name<Vec<u8>>> {
        let mut found: Vec<_> = name
            .iter_suffixes()
            .map(|suffix| Name::from_octets(suffix.as_slice().to_vec()).expect("a name"))
            .filter(|suffix| suffix.len() > apex.len())
            .collect();
        found.reverse();
        found
    }

    /// RFC 1034 section 4.3.2 step 3, label by label from the apex down: the
    /// cut that a query for `name` meets.
    fn walk(zone: &Zone, name: &NameRef) -> Option<Name<Vec<u8>>> {
        let apex = zone.apex();
        for step in ancestors(name, apex) {
            let Some(node) = zone.find(step.for_slice()) else {
                continue;
            };
            let wildcard = step.as_slice().starts_with(b"\x01*");
            let (ns, dname) = (node.rrset(Rtype::NS), node.rrset(Rtype::DNAME));
            if ns.is_some() && dname.is_none() && !wildcard {
                return Some(step);
            }
            if ns.is_some() || dname.is_some() {
                return None;
            }
        }
        None
    }

    proptest! {
        #[test]
        fn the_deepest_match_is_what_walking_down_finds(
            records in any_records(),
            inner in any_owner(),
            query in any_owner(),
        ) {
            let zones = [zone("test.", &records)];
            let served = [name(&format!("{inner}.test."))];
            let cuts = find_cuts(&zones, &served);
            for found in &cuts.delegations {
                for other in &cuts.delegations {
                    prop_assert!(found.cut == other.cut || !found.cut.ends_with(other.cut));
                }
                prop_assert!(cuts.stops.iter().all(|stop| stop.name != found.cut));
            }
            let query = name(&format!("{query}.test."));
            let deepest = |names: Vec<&NameRef>| {
                names
                    .into_iter()
                    .filter(|found| query.ends_with(*found))
                    .max_by_key(|found| found.len())
                    .map(|found| found.len())
            };
            let cut = deepest(cuts.delegations.iter().map(|found| found.cut).collect());
            let stop = deepest(cuts.stops.iter().map(|stop| stop.name).collect());
            let answered = cut.filter(|cut| stop.is_none_or(|stop| *cut > stop));
            let expected = if query.ends_with(&served[0]) {
                None
            } else {
                walk(&zones[0], query.for_slice()).map(|cut| cut.len())
            };
            prop_assert_eq!(answered, expected);
        }

        #[test]
        fn glue_is_all_that_the_name_servers_own(records in any_records()) {
            let zones = [zone("test.", &records)];
            for found in find_cuts(&zones, &[]).delegations {
                let mut expected = Vec::new();
                for target in targets(found.ns) {
                    let kind = if target.ends_with(found.cut) {
                        GlueKind::InDomain
                    } else if !target.ends_with(zones[0].apex()) {
                        continue;
                    } else {
                        // Whatever stops the way down to it, if anything does.
                        let covers = ancestors(target, zones[0].apex()).into_iter().find(|step| {
                            zones[0].find(step.for_slice()).is_some_and(|node| {
                                let dname = node.rrset(Rtype::DNAME).is_some();
                                node.rrset(Rtype::NS).is_some() || dname && step != target
                            })
                        });
                        match covers {
                            None => GlueKind::Authoritative,
                            Some(_) if walk(&zones[0], target).is_some() => GlueKind::Sibling,
                            Some(_) => continue,
                        }
                    };
                    let Some(node) = zones[0].find(target) else { continue };
                    for rtype in [Rtype::A, Rtype::AAAA] {
                        expected.extend(node.rrset(rtype).map(|rrset| Glue { kind, rrset }));
                    }
                }
                expected.sort_by_key(|glue| glue.kind);
                prop_assert_eq!(found.glue, expected);
            }
        }
    }
}
