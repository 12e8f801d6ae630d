//! Queries for a synthetic TLD, from the same seed as its zone: nothing of the
//! zone is read or held.

use domain::base::iana::Rtype;

use super::messages::{Edns, Messages};
use super::popularity::Popularity;
use super::{Extent, Workload};
use crate::bench::names;
use crate::conform::random::{Draw as _, Random};
use crate::synthetic::{Labels, MAX_LABELS, Parameters, Shuffled};

/// Octets of a label that is made up for one query.
const RANDOM_OCTETS: usize = 12;

/// Delegations of a zone, at most: absent names are labels of numbers beyond.
pub const MAX_DELEGATIONS: u64 = MAX_LABELS / 2;

/// What the names of these workloads end in.
pub const UNIFORM: &str = "uniform";
/// The same by Zipf's law.
pub const ZIPF: &str = "Zipf";

/// The queries that a synthetic zone gets.
pub struct Tld<'l> {
    /// What the workloads are called after.
    name: String,
    labels: Shuffled<'l>,
    apex: Vec<u8>,
    /// How many delegations the zone has.
    delegations: u64,
    extent: Extent,
    edns: Edns,
}

/// What stands in front of the delegated name.
#[derive(Clone, Copy)]
enum Prefix {
    /// `www` for every second query, nothing for the others.
    Www,
    /// A label that no query had before.
    Random,
}

impl<'l> Tld<'l> {
    /// Queries for the zone of these parameters and labels. There must be a
    /// delegation, and at most [`MAX_DELEGATIONS`].
    ///
    /// # Panics
    ///
    /// If there are none, or more.
    #[must_use]
    pub fn new(
        name: &str,
        parameters: &Parameters,
        labels: &'l Labels,
        extent: Extent,
        edns: Edns,
    ) -> Self {
        let delegations = parameters.delegations;
        let bound = 1..=MAX_DELEGATIONS;
        assert!(bound.contains(&delegations), "from 1 to 2^30 delegations");
        Self {
            name: name.to_owned(),
            labels: labels.shuffle(parameters.seed),
            apex: parameters.apex.as_slice().to_ascii_lowercase(),
            delegations,
            extent,
            edns,
        }
    }

    /// Names at and below delegations.
    #[must_use]
    pub fn referrals(&self, popularity: Popularity) -> Workload {
        let how = match popularity {
            Popularity::Uniform => UNIFORM,
            Popularity::Zipf => ZIPF,
        };
        self.workload(how, popularity, Prefix::Www, 0)
    }

    /// Names by Zipf's law of which a share in percent is below no delegation,
    /// spread evenly.
    #[must_use]
    pub fn mix(&self, miss_percent: u64) -> Workload {
        let what = format!("{miss_percent} % misses");
        self.workload(&what, Popularity::Zipf, Prefix::Www, miss_percent)
    }

    /// A random label in front of each name: below delegations, and below
    /// names that are not delegated.
    #[must_use]
    pub fn floods(&self) -> [Workload; 2] {
        [
            ("random subdomains", 0),
            ("random subdomains of absent names", 100),
        ]
        .map(|(what, percent)| self.workload(what, Popularity::Zipf, Prefix::Random, percent))
    }

    fn workload(
        &self,
        what: &str,
        popularity: Popularity,
        prefix: Prefix,
        miss_percent: u64,
    ) -> Workload {
        let mut random = Random(self.extent.seed);
        let mut messages = Messages::new();
        let mut label = String::new();
        let mut name = Vec::new();
        for number in 0..self.extent.queries as u64 {
            let picked = popularity.pick(&mut random, self.delegations);
            // As many misses among the first n, for every n.
            let misses = |queries: u64| queries * miss_percent / 100;
            let is_miss = misses(number + 1) > misses(number);
            let beyond = if is_miss { self.delegations } else { 0 };
            self.labels.label(picked + beyond, &mut label);
            name.clear();
            write_prefix(prefix, &mut random, &mut name);
            write_label(label.as_bytes(), &mut name);
            name.extend(&self.apex);
            messages.push(&name, Rtype::A, Some(self.edns));
        }
        Workload {
            name: names::workload(&self.name, what),
            messages,
            is_all_referrals: miss_percent == 0,
        }
    }
}

fn write_prefix(prefix: Prefix, random: &mut Random, name: &mut Vec<u8>) {
    match prefix {
        Prefix::Www => {
            if random.once_in(2) {
                write_label(b"www", name);
            }
        }
        Prefix::Random => {
            let label: [u8; RANDOM_OCTETS] = std::array::from_fn(|_| b'a' + random.below(26) as u8);
            write_label(&label, name);
        }
    }
}

fn write_label(label: &[u8], name: &mut Vec<u8>) {
    // At most 63 octets, whoever made it.
    name.push(label.len() as u8);
    name.extend(label);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::Path;

    use dns_glue_common::policy::Policy;
    use domain::base::Name;

    use super::*;
    use crate::compare::query::Query;
    use crate::compile;
    use crate::host::Runner;
    use crate::synthetic::{self, Profile, Signing};
    use crate::zone::cuts::find_cuts;
    use crate::zone::master_file::read_text;

    const DELEGATIONS: u64 = 300;

    fn parameters() -> Parameters {
        Parameters {
            apex: Name::vec_from_str("Example.").unwrap(),
            delegations: DELEGATIONS,
            profile: Profile::Plain,
            seed: 7,
            signing: Signing::None,
        }
    }

    fn tld(labels: &Labels, seed: u64) -> Tld<'_> {
        let extent = Extent {
            queries: 2000,
            seed,
        };
        Tld::new("TLD", &parameters(), labels, extent, Edns::PLAIN)
    }

    /// How many queries get a referral from the zone of these parameters.
    fn referrals(labels: &Labels, workload: &Workload) -> usize {
        let parameters = parameters();
        let mut text = Vec::new();
        synthetic::write(&parameters, labels, &mut text).unwrap();
        let zone = read_text(&parameters.apex, Path::new("tld.zone"), &text);
        let zones = [zone.unwrap_or_else(|errors| panic!("{errors}"))];
        let cuts = find_cuts(&zones, &[]);
        let Ok(compilation) = compile::compile(&zones, &cuts, &()) else {
            panic!("the zone can be compiled");
        };
        let mut runner = Runner::new(&compilation.generation, Policy::DEFAULT);
        let messages = workload.messages.iter();
        messages
            .filter(|message| runner.answer(message).is_ok())
            .count()
    }

    /// How often the name that is asked for most is asked for, `www` or not.
    fn most(workload: &Workload) -> usize {
        let mut counts = HashMap::<Vec<u8>, usize>::new();
        for message in workload.messages.iter() {
            let query = Query::parse(message).unwrap();
            let name = query.name();
            let name = name.strip_prefix(b"\x03www").unwrap_or(name);
            *counts.entry(name.to_owned()).or_default() += 1;
        }
        counts.into_values().max().unwrap()
    }

    #[test]
    fn names_are_below_the_delegations_of_the_zone() {
        let labels = Labels::made_up();
        let tld = tld(&labels, 1);
        let (uniform, zipf) = (Popularity::Uniform, Popularity::Zipf);
        let (uniform, zipf) = (tld.referrals(uniform), tld.referrals(zipf));
        assert_eq!(uniform.name, "TLD, uniform");
        assert!(uniform.is_all_referrals && !tld.mix(10).is_all_referrals);
        assert_eq!(referrals(&labels, &uniform), 2000);
        assert_eq!(referrals(&labels, &zipf), 2000);
        // A share of 1/300, and of ln 2 / ln 301.
        assert!(most(&uniform) < 30, "{}", most(&uniform));
        assert!((180..310).contains(&most(&zipf)), "{}", most(&zipf));
    }

    #[test]
    fn mixes_have_the_misses_that_they_say() {
        let labels = Labels::made_up();
        let tld = tld(&labels, 1);
        let mixes = [0, 10, 50, 100].map(|percent| tld.mix(percent));
        let found: Vec<(&str, usize)> = mixes
            .iter()
            .map(|mix| (mix.name.as_str(), referrals(&labels, mix)))
            .collect();
        assert_eq!(
            found,
            [
                ("TLD, 0 % misses", 2000),
                ("TLD, 10 % misses", 1800),
                ("TLD, 50 % misses", 1000),
                ("TLD, 100 % misses", 0)
            ]
        );
    }

    #[test]
    fn floods_ask_for_each_name_once() {
        let labels = Labels::made_up();
        let [below, absent] = tld(&labels, 1).floods();
        assert_eq!(referrals(&labels, &below), 2000);
        assert_eq!(referrals(&labels, &absent), 0);
        assert_eq!((most(&below), most(&absent)), (1, 1));
    }

    #[test]
    fn a_seed_repeats_the_queries() {
        let labels = Labels::made_up();
        let queries = |seed| tld(&labels, seed).referrals(Popularity::Zipf);
        assert_eq!(queries(1), queries(1));
        assert_ne!(queries(1), queries(2));
    }
}
