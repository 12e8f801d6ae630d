//! The parts of a referral in the order in which they give way, the last
//! first: name servers, proof, addresses, signatures of addresses.

use std::collections::BTreeMap;

use super::encoding::{Names, POINTER_OCTETS};
use super::ground::Ground;
use super::record::{Record, text_of};
use super::reply::Reply;

const NS: u16 = 2;
const RRSIG: u16 = 46;

/// Records that are sent together or not at all.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name for people.
    pub what: String,
    records: Vec<Record>,
    section: usize,
    /// Whether the other server ever sends it.
    is_theirs: bool,
    /// Octets of it, all names compressed.
    pub octets: usize,
    /// Whether a referral without it must say TC=1.
    pub is_needed: bool,
}

/// The whole referral to a delegation.
#[derive(Clone, Debug)]
pub struct Parts {
    parts: Vec<Part>,
    /// The names of the name servers, in wire form.
    pub targets: Vec<Box<[u8]>>,
    /// Octets of what may be missing, of that which the other server sends.
    pub optional_octets: usize,
    /// Octets of addresses that only we send.
    pub foreign_octets: usize,
    /// Whether the other server leaves out authoritative addresses.
    pub lacks_authoritative: bool,
    /// Addresses that the other server makes from a wildcard.
    pub by_wildcard: Vec<Record>,
}

/// How much of a referral a reply of ours has.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Parts that it has.
    pub kept: usize,
    /// Those that it has not.
    pub missing: Vec<Part>,
    /// Octets of a reply with nothing but what is needed.
    pub needed_octets: usize,
    /// Octets of the reply with all parts.
    pub whole_octets: usize,
}

impl Parts {
    /// The parts of the referral that another server sends over TCP. Where it
    /// is known to leave out addresses that ours has, ours count.
    ///
    /// # Errors
    ///
    /// It is not a referral to that cut, or has what nobody asked for.
    pub fn of(ground: &Ground, whole: &Reply, ours: &Reply) -> Result<Self, String> {
        let [answer, authority, additional] = &whole.sections;
        let ns: Vec<Record> = authority
            .records()
            .filter(|record| record.rtype() == NS)
            .cloned()
            .collect();
        if whole.truncated()
            || whole.authoritative()
            || whole.rcode != 0
            || !answer.0.is_empty()
            || ns.is_empty()
            || ns.iter().any(|record| record.owner() != &*ground.cut)
        {
            return Err(format!(
                "over TCP there is no referral to {}: {whole}",
                text_of(&ground.cut)
            ));
        }
        let mut names = Names::default();
        names.write(&ground.cut);
        let targets: Vec<Box<[u8]>> = ns.iter().map(|record| record.data().into()).collect();
        let mut parts = Self {
            parts: Vec::new(),
            targets,
            optional_octets: 0,
            foreign_octets: 0,
            lacks_authoritative: false,
            by_wildcard: Vec::new(),
        };
        let ns_octets = ns
            .iter()
            .map(|record| {
                let fixed = record.octets_behind(POINTER_OCTETS) - record.data().len();
                fixed + names.write(record.data())
            })
            .sum();
        parts.add_authority("the NS RRset", ns, ns_octets);
        let proof: Vec<Record> = authority
            .records()
            .filter(|record| record.rtype() != NS)
            .cloned()
            .collect();
        if !proof.is_empty() {
            let octets = proof_octets(&proof, &mut names);
            parts.add_authority("the proof", proof, octets);
        }
        parts.add_addresses(ground, additional.records(), ours)?;
        Ok(parts)
    }

    fn add_authority(&mut self, what: &str, records: Vec<Record>, octets: usize) {
        self.parts.push(Part {
            what: what.to_owned(),
            records,
            section: 1,
            is_theirs: true,
            octets,
            is_needed: true,
        });
    }

    /// Adds the addresses in the order of `ground`, and then their signatures.
    fn add_addresses<'r>(
        &mut self,
        ground: &Ground,
        theirs: impl Iterator<Item = &'r Record>,
        ours: &Reply,
    ) -> Result<(), String> {
        let mut sets = by_set(theirs);
        let mut signatures = Vec::new();
        let has_authoritative = sets.keys().any(|set| ground.is_authoritative(&set.owner));
        for address in &ground.addresses {
            let set = |covered| Set {
                owner: address.owner.clone(),
                rtype: address.rtype,
                covered,
            };
            let mut is_theirs = true;
            let records = sets.remove(&set(false)).or_else(|| {
                let leaves_out = ground.is_authoritative(&address.owner) && !has_authoritative;
                if leaves_out {
                    is_theirs = false;
                    self.lacks_authoritative = true;
                }
                let mut ours = by_set(ours.sections[2].records());
                let signed = ours.remove(&set(true));
                signatures.extend(signed.filter(|_| leaves_out).map(|set| (set, false)));
                ours.remove(&set(false)).filter(|_| leaves_out)
            });
            let Some(records) = records else {
                continue;
            };
            if let Some(records) = sets.remove(&set(true)) {
                signatures.push((records, true));
            }
            self.add_set(records, is_theirs, ground.is_in_domain(&address.owner));
        }
        for (records, is_theirs) in signatures {
            self.add_set(records, is_theirs, false);
        }
        for (set, records) in sets {
            if !ground.wildcards.contains(&set.owner) {
                return Err(format!("theirs adds {}, which ours never has", records[0]));
            }
            self.optional_octets += octets_of(&records);
            self.by_wildcard.extend(records);
        }
        Ok(())
    }

    fn add_set(&mut self, records: Vec<Record>, is_theirs: bool, is_needed: bool) {
        let octets = octets_of(&records);
        match (is_theirs, is_needed) {
            (false, _) => self.foreign_octets += octets,
            (true, false) => self.optional_octets += octets,
            (true, true) => {}
        }
        self.parts.push(Part {
            what: records[0].to_string(),
            records,
            section: 2,
            is_theirs,
            octets,
            is_needed,
        });
    }

    /// How much of the referral a reply of ours has.
    ///
    /// # Errors
    ///
    /// It has a part of an RRset, a record that the zone has not, or an RRset
    /// although one in front of it is missing.
    pub fn standing(&self, ours: &Reply) -> Result<Standing, String> {
        if !ours.sections[0].0.is_empty() {
            return Err(String::from("our reply has an answer"));
        }
        let mut left: [usize; 3] = [0, 1, 2].map(|section| ours.sections[section].0.len());
        let mut standing = Standing {
            kept: 0,
            missing: Vec::new(),
            needed_octets: 0,
            whole_octets: ours.octets,
        };
        let mut kept_octets = 0;
        for part in &self.parts {
            let sent: Vec<usize> = part
                .records
                .iter()
                .filter_map(|record| {
                    let sent = ours.sections[part.section].0.iter();
                    let mut sent = sent.filter(|sent| sent.record == *record);
                    sent.next().map(|sent| sent.octets)
                })
                .collect();
            left[part.section] -= sent.len();
            let octets = if sent.len() == part.records.len() {
                if !standing.missing.is_empty() {
                    return Err(format!(
                        "our reply has {}, but not what stands in front of it",
                        part.what
                    ));
                }
                standing.kept += 1;
                let octets: usize = sent.iter().sum();
                kept_octets += octets;
                octets
            } else if sent.is_empty() {
                standing.missing.push(part.clone());
                standing.whole_octets += part.octets;
                part.octets
            } else {
                return Err(format!("our reply has a part only of {}", part.what));
            };
            if part.is_needed {
                standing.needed_octets += octets;
            }
        }
        if left != [0, 0, 0] {
            return Err(String::from("our reply has a record that theirs never has"));
        }
        standing.needed_octets += ours.octets - kept_octets;
        Ok(standing)
    }

    /// Whether two replies have the same records, known faults left out.
    pub fn same_of_both(&self, ours: &Reply, theirs: &Reply) -> bool {
        let mut common = self.parts.iter().filter(|part| part.is_theirs);
        common.all(|part| part.is_in(ours) == part.is_in(theirs))
    }

    /// Checks that a reply of the other server is a part of its own whole
    /// referral, with NS records and proof unless it says TC=1.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check_theirs(&self, theirs: &Reply) -> Result<(), String> {
        for section in 0..3 {
            for record in theirs.sections[section].records() {
                let mut parts = self.parts.iter().filter(|part| part.section == section);
                let is_known = parts.any(|part| part.records.contains(record));
                if !is_known && !self.by_wildcard.contains(record) {
                    return Err(format!("theirs has {record}, which it has not over TCP"));
                }
            }
        }
        let mut authority = self.parts.iter().filter(|part| part.section == 1);
        if !theirs.truncated() && !authority.all(|part| part.is_in(theirs)) {
            return Err(String::from("theirs lacks records of authority without TC"));
        }
        Ok(())
    }

    /// Whether a reply of the other server lacks something needed.
    pub fn lacks_needed(&self, theirs: &Reply) -> bool {
        let mut needed = self.parts.iter().filter(|part| part.is_needed);
        !needed.all(|part| part.is_in(theirs))
    }
}

impl Part {
    /// Whether a reply has all of it.
    fn is_in(&self, reply: &Reply) -> bool {
        let section = &reply.sections[self.section];
        self.records.iter().all(|record| section.has(record))
    }
}

/// What keeps RRsets of the additional section apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Set {
    owner: Box<[u8]>,
    /// The type of the RRset, or the type that signatures cover.
    rtype: u16,
    /// Whether these are the signatures.
    covered: bool,
}

fn by_set<'r>(records: impl Iterator<Item = &'r Record>) -> BTreeMap<Set, Vec<Record>> {
    let mut sets: BTreeMap<Set, Vec<Record>> = BTreeMap::new();
    for record in records {
        let covered = record.rtype() == RRSIG;
        let rtype = match record.data() {
            [high, low, ..] if covered => u16::from_be_bytes([*high, *low]),
            _ => record.rtype(),
        };
        let set = Set {
            owner: record.owner().into(),
            rtype,
            covered,
        };
        sets.entry(set).or_default().push(record.clone());
    }
    sets
}

/// Octets of records whose owner is a name server's name.
fn octets_of(records: &[Record]) -> usize {
    records
        .iter()
        .map(|record| record.octets_behind(POINTER_OCTETS))
        .sum()
}

/// Octets of a proof. Owners are compressed, names in its data are not (RFC
/// 3597 section 4).
fn proof_octets(proof: &[Record], names: &mut Names) -> usize {
    proof
        .iter()
        .map(|record| record.octets_behind(names.write(record.owner())))
        .sum()
}
