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
use crate::conform::random::{Draw as _, Random};
use crate::host::Runner;
use crate::zone::cuts::{Cuts, find_cuts};
use crate::zone::source::{self, ZoneSource};

/// What the names of these workloads end in.
pub const REFERRALS: &str = "referrals";
/// The same with DO.
pub const REFERRALS_DO: &str = "referrals, DO";
/// Names at or below no delegation.
pub const MISSES: &str = "misses";

/// What a zone is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Names<'p> {
    /// The queries of a file ([`query_file`]).
    Of(&'p Path),
    /// Drawn: names of the zone's delegations, half of them with `www` in
    /// front, and as many names that are not there.
    Drawn(Extent),
}

/// All the queries, without DO and with it; those of them that get a referral,
/// again without DO and with it; and those that do not. What gets a referral
/// the program's own code decides, as the zone is compiled. A kind of which
/// there is no query is left out.
///
/// # Errors
///
/// The zone or the file has an error, or the zone cannot be compiled.
pub fn workloads(name: &str, source: &ZoneSource, names: Names<'_>) -> Result<Vec<Workload>> {
    let zones = [source::load(source).map_err(|errors| anyhow!("{errors}"))?];
    let cuts = find_cuts(&zones, &[]);
    let generation = compile::compile(&zones, &cuts, &())?.generation;
    let plain = queries(names, source, &cuts, Edns::PLAIN)?;
    let dnssec = queries(names, source, &cuts, Edns::DNSSEC)?;
    let (referrals, misses) = split(&plain, &generation);
    let (referrals_do, _) = split(&dnssec, &generation);
    let workload = |what: &str, messages: Messages, is_all_referrals| Workload {
        name: names::workload(name, what),
        messages,
        is_all_referrals,
    };
    let none_misses = misses.is_empty();
    let mut workloads = vec![
        workload("all names", plain, none_misses),
        workload("all names, DO", dnssec, none_misses),
        workload(REFERRALS, referrals, true),
        workload(REFERRALS_DO, referrals_do, true),
        workload(MISSES, misses, false),
    ];
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
        workloads("zone", &example(), Names::Drawn(extent)).unwrap()
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
                "zone, misses"
            ]
        );
        let length = |number: usize| workloads[number].messages.len();
        assert_eq!((length(0), length(1)), (400, 400));
        // No delegation of the zone has a fault.
        assert_eq!((length(2), length(3), length(4)), (200, 200, 200));
        let mut misses = workloads[4].messages.iter();
        let is_absent = |message: &[u8]| {
            let query = Query::parse(message).unwrap();
            query.name().windows(7).any(|octets| octets == b"absent-")
        };
        assert!(misses.all(is_absent));
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
