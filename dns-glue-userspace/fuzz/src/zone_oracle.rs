//! What referrals a zone holds, worked out record by record from its text.
//!
//! The text is read by the `domain` crate; nothing of dns-glue's own reading,
//! cutting and encoding is used.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use domain::base::iana::Class;
use domain::base::name::ToName;
use domain::base::rdata::ComposeRecordData;
use domain::base::{Name, Rtype};
use domain::zonefile::inplace::{Entry, Zonefile};
use sha1::{Digest as _, Sha1};

/// A name in wire form, lower case.
pub(crate) type LowerName = Vec<u8>;

/// A record: owner in lower case, type, TTL, data.
pub(crate) type Line = (LowerName, u16, u32, Vec<u8>);

/// An RRset: the lowest TTL, and the data, uncompressed.
#[derive(Clone, Debug, Default)]
struct Rrset {
    ttl: u32,
    data: Vec<Vec<u8>>,
    /// RRSIGs that cover it, and their lowest TTL.
    signatures: Vec<Vec<u8>>,
    signature_ttl: u32,
}

/// A zone as its text has it.
pub(crate) struct ZoneRecords {
    apex: LowerName,
    nodes: HashMap<LowerName, HashMap<u16, Rrset>>,
}

const NS: u16 = 2;
const SOA: u16 = 6;
const DNAME: u16 = 39;
const DS: u16 = 43;
const RRSIG: u16 = 46;
const NSEC: u16 = 47;
const DNSKEY: u16 = 48;
const NSEC3: u16 = 50;
const NSEC3PARAM: u16 = 51;
const ADDRESSES: [u16; 2] = [1, 28];

impl ZoneRecords {
    /// Reads a zone file; `None` if the reader does not take it, or if it
    /// includes another.
    pub(crate) fn read(apex: &str, text: &[u8]) -> Option<Self> {
        let apex: Name<Bytes> = apex.parse().expect("a name");
        let mut file = Zonefile::from(text);
        file.set_origin(apex.clone());
        file.set_default_class(Class::IN);
        let mut nodes: HashMap<LowerName, HashMap<u16, Rrset>> = HashMap::new();
        while let Some(entry) = file.next_entry().ok()? {
            let Entry::Record(record) = entry else {
                return None;
            };
            let owner = lower(&record.owner().to_vec());
            let mut data = Vec::new();
            let composed = record.data().compose_rdata(&mut data);
            composed.expect("a vector has room");
            fold_names(record.rtype().to_int(), &mut data);
            let ttl = record.ttl().as_secs();
            let node = nodes.entry(owner).or_default();
            if record.rtype() == Rtype::RRSIG {
                let covered = u16::from_be_bytes([data[0], data[1]]);
                let rrset = node.entry(covered).or_default();
                rrset.signature_ttl = lowest(rrset.signatures.is_empty(), rrset.signature_ttl, ttl);
                insert(&mut rrset.signatures, data);
            } else {
                let rrset = node.entry(record.rtype().to_int()).or_default();
                rrset.ttl = lowest(rrset.data.is_empty(), rrset.ttl, ttl);
                insert(&mut rrset.data, data);
            }
        }
        Some(Self {
            apex: lower(&apex),
            nodes,
        })
    }

    /// All records: owner in lower case, type, TTL, data; sorted.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for (owner, rrsets) in &self.nodes {
            for (rtype, rrset) in rrsets {
                for data in &rrset.data {
                    lines.push((owner.clone(), *rtype, rrset.ttl, data.clone()));
                }
                // Signatures that cover nothing are never sent.
                let strays = rrset.data.is_empty();
                let ttl = if strays { 0 } else { rrset.signature_ttl };
                for data in &rrset.signatures {
                    lines.push((owner.clone(), RRSIG, ttl, data.clone()));
                }
            }
        }
        lines.sort();
        lines
    }

    /// Whether data holds a label that is an at sign: the reader does not take
    /// it for the origin there, as RFC 1035 5.1 has it.
    pub(crate) fn holds_at(&self) -> bool {
        let all = self.nodes.values().flat_map(HashMap::values);
        all.flat_map(|rrset| rrset.data.iter().chain(&rrset.signatures))
            .any(|data| data.windows(2).any(|pair| pair == [1, b'@']))
    }

    pub(crate) fn apex(&self) -> &[u8] {
        &self.apex
    }

    /// All owner names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &LowerName> {
        self.nodes.keys()
    }

    fn rrset(&self, name: &[u8], rtype: u16) -> Option<&Rrset> {
        let rrset = self.nodes.get(name)?.get(&rtype)?;
        (!rrset.data.is_empty()).then_some(rrset)
    }

    fn is_signed(&self) -> bool {
        let soa = self.rrset(&self.apex, SOA);
        self.rrset(&self.apex, DNSKEY).is_some()
            && soa.is_some_and(|soa| !soa.signatures.is_empty())
    }

    /// Whether denials are NSEC3's: there is a chain that is complete.
    pub(crate) fn is_nsec3(&self) -> bool {
        let params = self.rrset(&self.apex, NSEC3PARAM);
        self.is_signed() && params.is_some_and(|params| params.data.iter().any(|data| data[1] == 0))
    }

    /// The name at or above `name` at which the zone's own data ends.
    fn cover<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        let apex = self.apex.len();
        let mut above: Vec<&[u8]> = suffixes(name).collect();
        above.retain(|suffix| suffix.len() > apex || suffix.len() == apex && *suffix != name);
        above.into_iter().rev().find(|suffix| {
            // The NS records of the apex are no cut; a DNAME hides what is
            // below it there as well.
            let cut = suffix.len() > apex && self.rrset(suffix, NS).is_some();
            cut || self.rrset(suffix, DNAME).is_some()
        })
    }

    /// The delegation that a name of the zone lies at or below, if a referral
    /// is due for it.
    pub(crate) fn delegation<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        let cover = self.cover(name)?;
        (self.is_plain_cut(cover) && self.proof(cover).is_some()).then_some(cover)
    }

    /// Whether a cover is a zone cut and nothing else.
    fn is_plain_cut(&self, cover: &[u8]) -> bool {
        cover != self.apex
            && self.rrset(cover, NS).is_some()
            && self.rrset(cover, DNAME).is_none()
            && !cover.starts_with(b"\x01*")
    }

    /// What proves a delegation signed or not, with the owner of each RRset:
    /// nothing in a zone that is not signed; `None` if the proof is broken.
    fn proof(&self, cut: &[u8]) -> Option<Vec<(LowerName, u16, &Rrset)>> {
        if !self.is_signed() {
            return Some(Vec::new());
        }
        let proof = if let Some(ds) = self.rrset(cut, DS) {
            vec![(cut.to_vec(), DS, ds)]
        } else if self.is_nsec3() {
            self.nsec3_proof(cut)?
        } else {
            let nsec = self.rrset(cut, NSEC)?;
            let [data] = &nsec.data[..] else { return None };
            denies_ds(bitmap(data)).then_some(())?;
            vec![(cut.to_vec(), NSEC, nsec)]
        };
        let is_signed = |(_, _, rrset): &(_, _, &Rrset)| !rrset.signatures.is_empty();
        proof.iter().all(is_signed).then_some(proof)
    }

    /// The NSEC3 that matches a cut, or else that of its closest encloser and
    /// the one that covers the name below that, which must have opt-out (RFC
    /// 5155 7.2.7).
    fn nsec3_proof(&self, cut: &[u8]) -> Option<Vec<(LowerName, u16, &Rrset)>> {
        if let Some((owner, rrset)) = self.nsec3_at(cut) {
            return denies_ds(nsec3_bitmap(&rrset.data[0])).then(|| vec![(owner, NSEC3, rrset)]);
        }
        let names: Vec<&[u8]> = suffixes(cut).collect();
        let mut pairs = names.windows(2);
        let (next_closer, encloser) = pairs.find_map(|pair| {
            let &[name, parent] = pair else { return None };
            Some((name, self.nsec3_at(parent)?))
        })?;
        let hashed = self.nsec3_owner(next_closer);
        // The chain goes round: what is before the first is after the last.
        let owners = || {
            self.nodes
                .iter()
                .filter(|(_, node)| node.contains_key(&NSEC3))
        };
        let before = owners().filter(|(owner, _)| **owner < hashed);
        let (owner, node) = before
            .max_by_key(|(owner, _)| *owner)
            .or_else(|| owners().max_by_key(|(owner, _)| *owner))?;
        let covering = &node[&NSEC3];
        if covering.data[0][1] & 1 == 0 {
            return None;
        }
        let (encloser, matching) = encloser;
        let mut proof = vec![(encloser, NSEC3, matching)];
        if proof[0].0 != *owner {
            proof.push((owner.clone(), NSEC3, covering));
        }
        Some(proof)
    }

    /// The NSEC3 of a name.
    fn nsec3_at(&self, name: &[u8]) -> Option<(LowerName, &Rrset)> {
        let owner = self.nsec3_owner(name);
        let rrset = self.rrset(&owner, NSEC3)?;
        Some((owner, rrset))
    }

    /// The owner of the NSEC3 of a name: its hash in base32hex below the apex
    /// (RFC 5155 5).
    fn nsec3_owner(&self, name: &[u8]) -> LowerName {
        let params = &self.nodes[&self.apex][&NSEC3PARAM].data[0];
        let iterations = u16::from_be_bytes([params[2], params[3]]);
        let salt = &params[5..];
        let mut hash = name.to_vec();
        for _ in 0..=iterations {
            hash.extend(salt);
            hash = Sha1::digest(&hash).to_vec();
        }
        let mut owner = vec![32];
        for five in hash.chunks(5) {
            let bits = five
                .iter()
                .fold(0, |bits, octet| bits << 8 | u64::from(*octet));
            let digits = (0..8)
                .rev()
                .map(|place| (bits >> (5 * place) & 31) as usize);
            owner.extend(digits.map(|digit| b"0123456789abcdefghijklmnopqrstuv"[digit]));
        }
        owner.extend(&self.apex);
        owner
    }

    /// The referral to a delegation.
    pub(crate) fn referral(&self, cut: &[u8], dnssec: bool) -> Referral {
        let mut referral = Referral::default();
        let ns = self.rrset(cut, NS).expect("a delegation");
        referral.add(Section::Authority, Need::Required, cut, NS, ns);
        let dnssec = dnssec && self.is_signed();
        let proof = self.proof(cut).expect("a delegation");
        let before = referral.sets.len();
        for (owner, rtype, rrset) in proof.iter().filter(|_| dnssec) {
            referral.add(Section::Authority, Need::Required, owner, *rtype, rrset);
            referral.add_signatures(Section::Authority, Need::Required, owner, *rtype, rrset);
        }
        referral.join(before);
        let targets: HashSet<LowerName> = ns.data.iter().cloned().collect();
        for target in &targets {
            if !is_at_or_below(target, &self.apex) {
                continue;
            }
            let need = if is_at_or_below(target, cut) {
                Need::Required
            } else {
                Need::Optional
            };
            // A name that owns a DNAME is not below it.
            let cover = self.cover(target);
            let own = self.rrset(target, NS).is_none() || *target == self.apex;
            let cover = cover.filter(|cover| !(own && cover == target));
            if cover.is_some_and(|cover| !self.is_plain_cut(cover)) {
                continue;
            }
            for rtype in ADDRESSES {
                if let Some(rrset) = self.rrset(target, rtype) {
                    referral.add(Section::Additional, need, target, rtype, rrset);
                    if dnssec && cover.is_none() {
                        referral.add_signatures(
                            Section::Additional,
                            Need::Optional,
                            target,
                            rtype,
                            rrset,
                        );
                    }
                }
            }
        }
        referral
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Authority,
    Additional,
}

/// Whether TC=1 must tell that a set is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
}

/// Records that are sent together or not at all.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) need: Need,
    /// How many records.
    pub(crate) records: usize,
    /// Octets without compression, those of its signatures included.
    pub(crate) octets: usize,
}

/// All that a referral may hold.
#[derive(Debug, Default)]
pub(crate) struct Referral {
    pub(crate) sets: Vec<Set>,
    /// From a record, as [`record_key`] writes it, to its set and its place
    /// among all records.
    pub(crate) records: HashMap<Vec<u8>, (usize, usize)>,
}

impl Referral {
    fn add(&mut self, section: Section, need: Need, owner: &[u8], rtype: u16, rrset: &Rrset) {
        self.add_set(section, need, owner, rtype, rrset.ttl, &rrset.data);
    }

    fn add_signatures(
        &mut self,
        section: Section,
        need: Need,
        owner: &[u8],
        covered: u16,
        rrset: &Rrset,
    ) {
        if rrset.signatures.is_empty() {
            return;
        }
        let before = self.sets.last().map_or(0, |set| set.octets);
        let ttl = rrset.signature_ttl;
        self.add_set(section, need, owner, RRSIG, ttl, &rrset.signatures);
        let set = self.sets.last_mut().expect("it was added");
        debug_assert!(covered != RRSIG);
        // Signed and signatures may be sent together or not at all.
        set.octets += before;
        let together = set.octets;
        let at = self.sets.len() - 2;
        self.sets[at].octets = together;
    }

    /// Makes the sets from `first` on one: a proof in parts proves nothing.
    fn join(&mut self, first: usize) {
        let sets = self.sets.split_off(first);
        let Some(one) = sets.first() else { return };
        let mut octets = 0;
        for (key, (set, _)) in &mut self.records {
            if *set >= first {
                *set = first;
                // All but section, type and TTL, and what a record has beside.
                octets += key.len() - 7 + 10;
            }
        }
        self.sets.push(Set {
            need: one.need,
            records: sets.iter().map(|set| set.records).sum(),
            octets,
        });
    }

    fn add_set(
        &mut self,
        section: Section,
        need: Need,
        owner: &[u8],
        rtype: u16,
        ttl: u32,
        data: &[Vec<u8>],
    ) {
        let set = self.sets.len();
        let mut octets = 0;
        for data in data {
            let mut key = Vec::new();
            record_key(&mut key, section, owner, rtype, ttl, data);
            octets += owner.len() + 10 + data.len();
            let place = self.records.len();
            self.records.insert(key, (set, place));
        }
        self.sets.push(Set {
            need,
            records: data.len(),
            octets,
        });
    }
}

/// Writes a record as one run of octets: section, type, TTL, owner in lower
/// case, data.
pub(crate) fn record_key(
    key: &mut Vec<u8>,
    section: Section,
    owner: &[u8],
    rtype: u16,
    ttl: u32,
    data: &[u8],
) {
    key.clear();
    key.push(section as u8);
    key.extend(rtype.to_be_bytes());
    key.extend(ttl.to_be_bytes());
    key.extend(owner);
    key.extend(data);
}

/// A name in lower case.
fn lower(name: &Name<impl AsRef<[u8]>>) -> LowerName {
    fold(name.as_ref())
}

/// Octets of a name in lower case; length octets are no letters.
pub(crate) fn fold(name: &[u8]) -> LowerName {
    name.to_ascii_lowercase()
}

/// Folds data that is names and numbers, which compare without regard to case
/// (RFC 4343 3): NS, CNAME, SOA, PTR, MX, DNAME. Where the numbers fold too,
/// that loses a difference, and makes none.
pub(crate) fn fold_names(rtype: u16, data: &mut [u8]) {
    if matches!(rtype, NS | 5 | SOA | 12 | 15 | DNAME) {
        data.make_ascii_lowercase();
    }
}

/// A name, the names above it, and the root.
pub(crate) fn suffixes(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(name);
    std::iter::from_fn(move || {
        let name = rest?;
        rest = match usize::from(name[0]) {
            0 => None,
            octets => Some(&name[1 + octets..]),
        };
        Some(name)
    })
}

/// Whether a name is another one or below it; both in lower case.
pub(crate) fn is_at_or_below(name: &[u8], above: &[u8]) -> bool {
    suffixes(name).any(|suffix| suffix == above)
}

/// The type bitmap of NSEC data.
fn bitmap(nsec: &[u8]) -> &[u8] {
    let next: usize = suffixes(nsec).map(|name| 1 + usize::from(name[0])).sum();
    &nsec[next..]
}

/// The type bitmap of NSEC3 data.
fn nsec3_bitmap(nsec3: &[u8]) -> &[u8] {
    let salt = usize::from(nsec3[4]);
    let hash = usize::from(nsec3[5 + salt]);
    &nsec3[6 + salt + hash..]
}

/// Whether a bitmap shows a delegation without DS.
fn denies_ds(bitmap: &[u8]) -> bool {
    let has = |rtype: u16| {
        let at = usize::from(rtype / 8);
        let window = bitmap.first().zip(bitmap.get(1));
        window.is_some_and(|(number, octets)| *number == 0 && at < usize::from(*octets))
            && bitmap[2 + at] & (0x80 >> (rtype % 8)) != 0
    };
    has(NS) && !has(DS) && !has(SOA)
}

fn lowest(is_first: bool, so_far: u32, ttl: u32) -> u32 {
    if is_first { ttl } else { so_far.min(ttl) }
}

/// Adds data that is not there yet (RFC 2181 5).
fn insert(all: &mut Vec<Vec<u8>>, data: Vec<u8>) {
    if !all.contains(&data) {
        all.push(data);
    }
}
