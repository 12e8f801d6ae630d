//! Queries for a zone that is at hand, and which of them get a referral.

use std::path::Path;

use anyhow::{Result, anyhow};
use dns_glue_common::limits::MAX_NAME_OCTETS;
use dns_glue_common::policy::Policy;
use domain::base::iana::Rtype;

use super::messages::{Edns, Messages};
use super::{Extent, Workload, query_file};
use crate::bench::names;
use crate::compile::{self, Generation};
use crate::conform::random::{Draw, Random};
use crate::host::Runner;
use crate::zone::cuts::{Cuts, find_cuts};
use crate::zone::source::{self, ZoneSource};

/// What the names of these workloads end in.
pub const REFERRALS: &str = "referrals";
/// The same with DO.
pub const REFERRALS_DO: &str = "referrals, DO";
/// Random names below random delegations: no body that was kept for one of them
/// helps another, since names have other lengths.
pub const RANDOM_NAMES: &str = "random names";
/// The same with DO.
pub const RANDOM_NAMES_DO: &str = "random names, DO";
/// Names at or below no delegation.
pub const MISSES: &str = "misses";

/// Octets of the longest label (RFC 1035 section 2.3.4).
const MAX_LABEL_OCTETS: usize = 63;
/// Labels in front of a delegation in a random name, at most.
const RANDOM_LABELS: usize = 3;

/// What a zone is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Names<'p> {
    /// The queries of a file ([`query_file`]).
    Of(&'p Path),
    /// Drawn: names of the zone's delegations, half of them with `www` in
    /// front, and as many names that are not there.
    Drawn(Extent),
}

/// All the queries, without DO and with it, if some of them get no referral;
/// those that get one, again without DO and with it; as many random names below
/// the delegations as `extent` says, in the same two ways; and the queries that
/// get no referral. What gets one the program's own code decides, as the zone
/// is compiled. A kind of which there is no query is left out.
///
/// # Errors
///
/// The zone or the file has an error, or the zone cannot be compiled.
pub fn workloads(
    name: &str,
    source: &ZoneSource,
    names: Names<'_>,
    extent: Extent,
) -> Result<Vec<Workload>> {
    let zones = [source::load(source).map_err(|errors| anyhow!("{errors}"))?];
    let cuts = find_cuts(&zones, &[]);
    let generation = compile::compile(&zones, &cuts, &())?.generation;
    let plain = queries(names, source, &cuts, Edns::PLAIN)?;
    let dnssec = queries(names, source, &cuts, Edns::DNSSEC)?;
    let (referrals, misses) = split(&plain, &generation);
    let (referrals_do, _) = split(&dnssec, &generation);
    let random = |edns| split(&random_names(&cuts, extent, edns), &generation).0;
    let workload = |what: &str, messages: Messages, is_all_referrals| Workload {
        name: names::workload(name, what),
        messages,
        is_all_referrals,
    };
    let mut workloads = Vec::new();
    // Without a miss all names are the referrals.
    if !misses.is_empty() {
        workloads.push(workload("all names", plain, false));
        workloads.push(workload("all names, DO", dnssec, false));
    }
    workloads.extend([
        workload(REFERRALS, referrals, true),
        workload(REFERRALS_DO, referrals_do, true),
        workload(RANDOM_NAMES, random(Edns::PLAIN), true),
        workload(RANDOM_NAMES_DO, random(Edns::DNSSEC), true),
        workload(MISSES, misses, false),
    ]);
    workloads.retain(|workload| !workload.messages.is_empty());
    Ok(workloads)
}

fn queries(names: Names<'_>, source: &ZoneSource, cuts: &Cuts<'_>, edns: Edns) -> Result<Messages> {
    match names {
        Names::Of(path) => query_file::read(path, Some(edns)),
        Names::Drawn(extent) => Ok(draw(source.apex.as_slice(), cuts, extent, edns)),
    }
}

fn draw(apex: &[u8], cuts: &Cuts<'_>, extent: Extent, edns: Edns) -> Messages {
    let mut random = Random(extent.seed);
    let mut messages = Messages::new();
    for number in 0..extent.queries {
        let www: &[u8] = if random.once_in(2) { b"\x03www" } else { b"" };
        let is_miss = number % 2 == 1 || cuts.delegations.is_empty();
        let name = if is_miss {
            let label = format!("absent-{:016x}", random.next());
            with_prefix(&[&[label.len() as u8], label.as_bytes()].concat(), apex)
        } else {
            random.pick(&cuts.delegations).cut.as_slice().to_owned()
        };
        let name = with_prefix(www, &name);
        messages.push(&name, Rtype::A, Some(edns));
    }
    messages
}

/// One to three random labels in front of each of the delegations that are
/// drawn, all of them equally often. A label has from one octet to as many as
/// it can have so that the name is not too long.
fn random_names(cuts: &Cuts<'_>, extent: Extent, edns: Edns) -> Messages {
    let mut random = Random(extent.seed);
    let mut messages = Messages::new();
    let queries = if cuts.delegations.is_empty() {
        0
    } else {
        extent.queries
    };
    let mut labels = Vec::new();
    for _ in 0..queries {
        let cut = random.pick(&cuts.delegations).cut.as_slice();
        labels.clear();
        for _ in 0..=random.below(RANDOM_LABELS) {
            let room = MAX_NAME_OCTETS.saturating_sub(cut.len() + labels.len() + 1);
            write_random_label(&mut random, room, &mut labels);
        }
        messages.push(&with_prefix(&labels, cut), Rtype::A, Some(edns));
    }
    messages
}

/// Adds a label of at most `room` octets beside its length; none if there is no
/// room.
fn write_random_label(random: &mut impl Draw, room: usize, labels: &mut Vec<u8>) {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let most = room.min(MAX_LABEL_OCTETS);
    if most == 0 {
        return;
    }
    let octets = random.below(most) + 1;
    labels.push(octets as u8);
    labels.extend((0..octets).map(|_| *random.pick(LETTERS)));
}

/// A name with labels in front of it, if it has the room for them.
fn with_prefix(labels: &[u8], name: &[u8]) -> Vec<u8> {
    if labels.len() + name.len() > MAX_NAME_OCTETS {
        return name.to_owned();
    }
    [labels, name].concat()
}

/// The queries that get a referral, and those that pass.
fn split(messages: &Messages, generation: &Generation) -> (Messages, Messages) {
    let mut runner = Runner::new(generation, Policy::DEFAULT);
    let mut misses = Messages::new();
    let referrals = messages.chosen(|message| {
        let is_referral = runner.answer(message).is_ok();
        if !is_referral {
            misses.copy(message);
        }
        is_referral
    });
    (referrals, misses)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use domain::base::Name;

    use super::*;
    use crate::compare::query::Query;

    fn example() -> ZoneSource {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata");
        ZoneSource {
            apex: "signed.example.".parse().unwrap(),
            path: folder.join("example-signed.zone"),
        }
    }

    fn drawn(seed: u64) -> Vec<Workload> {
        let extent = Extent { queries: 400, seed };
        workloads("zone", &example(), Names::Drawn(extent), extent).unwrap()
    }

    #[test]
    fn drawn_names_are_referrals_and_misses() {
        let workloads = drawn(1);
        let names: Vec<&str> = workloads.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "zone, all names",
                "zone, all names, DO",
                "zone, referrals",
                "zone, referrals, DO",
                "zone, random names",
                "zone, random names, DO",
                "zone, misses"
            ]
        );
        let length = |number: usize| workloads[number].messages.len();
        assert_eq!((length(0), length(1)), (400, 400));
        // No delegation of the zone has a fault.
        assert_eq!([2, 3, 4, 5, 6].map(length), [200, 200, 400, 400, 200]);
        let mut misses = workloads[6].messages.iter();
        let is_absent = |message: &[u8]| {
            let query = Query::parse(message).unwrap();
            query.name().windows(7).any(|octets| octets == b"absent-")
        };
        assert!(misses.all(is_absent));
    }

    #[test]
    fn random_names_have_all_lengths_that_fit() {
        let zones = [source::load(&example()).unwrap_or_else(|errors| panic!("{errors}"))];
        let cuts = find_cuts(&zones, &[]);
        let extent = Extent {
            queries: 3000,
            seed: 1,
        };
        let messages = random_names(&cuts, extent, Edns::DNSSEC);
        let mut lengths = std::collections::BTreeSet::new();
        let mut below = std::collections::BTreeSet::new();
        for message in messages.iter() {
            let query = Query::parse(message).unwrap();
            let name = Name::from_octets(query.name().to_vec()).unwrap();
            lengths.insert(query.name().len());
            let mut delegations = cuts.delegations.iter();
            let cut = delegations.find(|delegation| name.ends_with(&delegation.cut));
            below.insert(cut.expect("below a delegation").cut.as_slice().to_owned());
        }
        assert_eq!(below.len(), cuts.delegations.len());
        assert!(lengths.len() > 150, "{lengths:?}");
        assert!(
            lengths.last().is_some_and(|octets| *octets > 180),
            "{lengths:?}"
        );
    }

    #[test]
    fn labels_end_where_the_room_does() {
        let mut random = Random(1);
        let mut labels = Vec::new();
        write_random_label(&mut random, 0, &mut labels);
        assert!(labels.is_empty());
        write_random_label(&mut random, 1, &mut labels);
        assert_eq!((labels.len(), labels[0]), (2, 1));
    }

    #[test]
    fn without_misses_all_names_are_the_referrals() {
        let path = std::env::temp_dir().join(format!("dns-glue-names-{}", std::process::id()));
        let zones = [source::load(&example()).unwrap_or_else(|errors| panic!("{errors}"))];
        let cuts = find_cuts(&zones, &[]);
        let delegation = cuts.delegations.first().unwrap().cut.fmt_with_dot();
        std::fs::write(&path, format!("www.{delegation} A\n")).unwrap();
        let extent = Extent {
            queries: 10,
            seed: 1,
        };
        let workloads = workloads("zone", &example(), Names::Of(&path), extent);
        std::fs::remove_file(&path).unwrap();
        let workloads = workloads.unwrap();
        let names: Vec<&str> = workloads.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "zone, referrals",
                "zone, referrals, DO",
                "zone, random names",
                "zone, random names, DO"
            ]
        );
    }

    #[test]
    fn a_seed_repeats_the_queries() {
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn long_names_keep_out_of_prefixes() {
        let long = [b'x'; MAX_NAME_OCTETS - 3];
        assert_eq!(with_prefix(b"\x03www", &long), long);
        assert_eq!(with_prefix(b"\x03www", b"\x01a\0"), b"\x03www\x01a\0");
    }
}
