//! What each version of a zone says to its delegations, read from their files.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Result, anyhow, ensure};
use domain::base::iana::Rtype;
use serde::Serialize;

use crate::compare::record::Record;
use crate::zone::cuts::{Delegation, GlueKind, find_cuts};
use crate::zone::records::{NameRef, Rrset, Zone};
use crate::zone::source::{self, ZoneSource};

/// How many versions there are.
pub const VERSIONS: usize = 3;

/// Versions of a zone, any of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Versions(pub u8);

impl Versions {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// The one that dns-glue begins with.
    pub const FIRST: Self = Self(1);
    /// The one that it is told to take.
    pub const SECOND: Self = Self(2);
    /// Either of these two.
    pub const EITHER: Self = Self(3);
    /// The one of the server behind.
    pub const BEHIND: Self = Self(4);
    /// All.
    pub const ALL: Self = Self(7);

    /// The version at a place: first, second, behind.
    #[must_use]
    pub fn at(place: usize) -> Self {
        Self(1 << place)
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["first", "second", "server behind"].into_iter().enumerate();
        let names: Vec<&str> = names
            .filter(|(place, _)| !self.and(Self::at(*place)).is_empty())
            .map(|(_, name)| name)
            .collect();
        f.write_str(&names.join(" and "))
    }
}

/// Records that a referral has all of, or none.
#[derive(Clone, Debug)]
pub struct Part {
    /// The records, never none.
    pub records: Vec<Record>,
    /// The section that they are in: authority (1) or additional (2).
    pub section: usize,
    /// Whether a referral without them has TC=1.
    pub is_needed: bool,
    /// Whether they are for those who ask with DO only.
    pub is_proof: bool,
}

/// What a version says to a delegation.
#[derive(Clone, Debug, Default)]
pub struct Referral {
    /// Its parts, in no order that counts.
    pub parts: Vec<Part>,
}

/// A delegation, as each version has it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The cut in wire form, lower case.
    pub cut: Box<[u8]>,
    /// First, second, behind.
    pub referrals: [Referral; VERSIONS],
}

/// A zone in all its versions.
#[derive(Clone, Debug)]
pub struct Knowledge {
    /// The apex in wire form.
    pub apex: Box<[u8]>,
    /// The delegations that all versions have.
    pub delegations: Vec<Known>,
    /// The SOA record of the version of the server behind.
    pub soa_behind: Record,
    /// The serials.
    pub serials: [u32; VERSIONS],
}

impl Knowledge {
    /// Reads the versions: first, second, behind.
    ///
    /// Left out are delegations that have not got one in all versions, and
    /// those whose name servers have addresses in the zone's own data.
    ///
    /// # Errors
    ///
    /// A file has an error, or there is nothing to ask for.
    pub fn read(versions: &[ZoneSource; VERSIONS]) -> Result<Self> {
        let zones: Result<Vec<Zone>, _> = versions.iter().map(source::load).collect();
        let zones = zones.map_err(|errors| anyhow!("{errors}"))?;
        let mut found: HashMap<Box<[u8]>, Vec<Referral>> = HashMap::new();
        let mut order = Vec::new();
        for (place, zone) in zones.iter().enumerate() {
            let cuts = find_cuts(std::slice::from_ref(zone), &[]);
            for delegation in &cuts.delegations {
                let cut: Box<[u8]> = delegation.cut.as_slice().to_ascii_lowercase().into();
                let referrals = found.entry(cut.clone()).or_default();
                if referrals.len() == place
                    && let Some(referral) = Referral::of(delegation)
                {
                    referrals.push(referral);
                }
                if place == 0 {
                    order.push(cut);
                }
            }
        }
        let known = |cut: Box<[u8]>| {
            let referrals = found.remove(&cut)?.try_into().ok()?;
            Some(Known { cut, referrals })
        };
        let delegations: Vec<Known> = order.into_iter().filter_map(known).collect();
        ensure!(!delegations.is_empty(), "no delegation is in all versions");
        let behind = &zones[VERSIONS - 1];
        let soa = records(behind.soa()).swap_remove(0);
        Ok(Self {
            apex: behind.apex().as_slice().into(),
            delegations,
            soa_behind: soa,
            serials: [0, 1, 2].map(|place: usize| zones[place].serial()),
        })
    }
}

impl Referral {
    /// That of a delegation; none if authoritative addresses belong to it.
    fn of(delegation: &Delegation<'_>) -> Option<Self> {
        let mut parts = vec![Part {
            records: records(delegation.ns),
            section: 1,
            is_needed: true,
            is_proof: false,
        }];
        let mut proof = Vec::new();
        for rrset in delegation.proof.rrsets() {
            proof.extend(records(rrset));
            proof.extend(signatures(rrset));
        }
        if !proof.is_empty() {
            parts.push(Part {
                records: proof,
                section: 1,
                is_needed: true,
                is_proof: true,
            });
        }
        for glue in &delegation.glue {
            if glue.kind == GlueKind::Authoritative {
                return None;
            }
            parts.push(Part {
                records: records(glue.rrset),
                section: 2,
                is_needed: glue.kind == GlueKind::InDomain,
                is_proof: false,
            });
        }
        Some(Self { parts })
    }

    /// Whether a record is one of it.
    #[must_use]
    pub fn has(&self, record: &Record) -> bool {
        self.parts.iter().any(|part| part.records.contains(record))
    }
}

fn records(rrset: Rrset<'_>) -> Vec<Record> {
    let record = |data| record(rrset.owner(), rrset.rtype(), rrset.ttl(), data);
    rrset.records().map(record).collect()
}

fn signatures(rrset: Rrset<'_>) -> Vec<Record> {
    let record = |data| record(rrset.owner(), Rtype::RRSIG, rrset.signature_ttl(), data);
    rrset.signatures().map(record).collect()
}

fn record(owner: &NameRef, rtype: Rtype, ttl: u32, data: &[u8]) -> Record {
    Record::new(owner.as_slice(), rtype.to_int(), ttl, data)
        .expect("what was read from a zone file is a record")
}
