//! Which queries are asked: axes, and a choice from their product that a seed
//! repeats.
//!
//! The whole product is some hundred thousand queries a delegation. Asked are,
//! for each delegation, at least as many as the longest axis has values: along
//! every axis the values come in shuffled rounds, so that *each delegation
//! meets each value of each axis*. Then queries are added, to delegations by
//! turns, until *each two values of two axes have met* somewhere in the group.

use std::collections::BTreeSet;

use super::case::Case;
use super::client::Family;
use super::random::{Draw as _, Random};
use crate::compare::Ground;

/// What stands in front of the cut name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Nothing.
    None,
    /// A label of a few letters.
    Label,
    /// A label, and all the name in mixed case.
    MixedCase,
    /// 24 octets in one label.
    Octets24,
    /// An in-domain name server, or a name that looks like one.
    NameServer,
    /// A label below it, in mixed case.
    BelowNameServer,
    /// 183 octets.
    Octets183,
    /// As much as makes a name of 255 octets, in long labels.
    Longest,
    /// The same in labels of one octet, as many as there can be.
    MostLabels,
    /// Labels of all octets from 0 to 127.
    LowOctets,
    /// Labels of all octets from 128 to 255.
    HighOctets,
    /// `*`.
    Wildcard,
    /// The cut name once more.
    Twice,
    /// Any number of octets.
    AnyLength,
}

const PREFIXES: [Prefix; 14] = [
    Prefix::None,
    Prefix::Label,
    Prefix::MixedCase,
    Prefix::Octets24,
    Prefix::NameServer,
    Prefix::BelowNameServer,
    Prefix::Octets183,
    Prefix::Longest,
    Prefix::MostLabels,
    Prefix::LowOctets,
    Prefix::HighOctets,
    Prefix::Wildcard,
    Prefix::Twice,
    Prefix::AnyLength,
];
const SIZES: [Option<u16>; 9] = [
    None,
    Some(0),
    Some(511),
    Some(512),
    Some(700),
    Some(1000),
    Some(1232),
    Some(1400),
    Some(4096),
];
/// A, NS, CNAME, SOA, TXT, AAAA, DS, RRSIG, NSEC, DNSKEY, NSEC3, CDS, HTTPS,
/// the types next to the meta types, one of private use, DELEG.
const QTYPES: [u16; 17] = [
    1, 2, 5, 6, 16, 28, 43, 46, 47, 48, 50, 59, 65, 127, 256, 65_280, 61_440,
];
/// Types whose data at the cut is the parent's: DS, NSEC, DELEG.
const OF_PARENT: [u16; 3] = [43, 47, 61_440];
/// Values of each axis: prefix, size, DO, CD, RD, QTYPE, family, VLAN tags.
const AXES: [usize; 8] = [PREFIXES.len(), SIZES.len(), 2, 2, 2, QTYPES.len(), 2, 3];

/// Queries that a delegation gets at least: as many as the longest axis has
/// values.
pub const LEAST: usize = QTYPES.len();

/// A value of each axis.
type Point = [u8; AXES.len()];

/// The queries of a group.
#[derive(Clone, Debug)]
pub struct Matrix {
    seed: u64,
    /// Delegation and values, delegation by delegation; those that were added
    /// at the end stand last.
    points: Vec<(u32, Point)>,
}

impl Matrix {
    /// Chooses for so many delegations, with about `cases` queries.
    pub fn new(seed: u64, delegations: usize, cases: usize) -> Self {
        let mut random = Random(seed);
        let mut met = Met::default();
        let mut points = Vec::new();
        let each = (cases / delegations.max(1)).max(LEAST);
        for delegation in 0..delegations {
            let mut rounds = AXES.map(Round::new);
            for _ in 0..each {
                let point: Vec<u8> = rounds
                    .iter_mut()
                    .map(|round| round.next(&mut random))
                    .collect();
                let point = point.try_into().expect("a value of each axis");
                met.add(&point);
                points.push((delegation as u32, point));
            }
        }
        let mut delegation = 0;
        while delegations > 0
            && let Some(pair) = met.missing.first().copied()
        {
            let mut point = AXES.map(|values| random.below(values) as u8);
            for (axis, value) in pair {
                point[usize::from(axis)] = value;
            }
            met.add(&point);
            points.push(((delegation % delegations) as u32, point));
            delegation += 1;
        }
        Self { seed, points }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// A query, and the delegation of `grounds` that it is for.
    pub fn case<'g>(&self, place: usize, grounds: &'g [Ground]) -> (Case, &'g Ground) {
        let (delegation, point) = self.points[place];
        let ground = &grounds[delegation as usize];
        // A stream of its own, so that a query does not depend on the others.
        let mut random = Random(self.seed ^ (place as u64).wrapping_mul(0x2545_F491_4F6C_DD1D));
        let [prefix, size, dnssec, cd, rd, qtype, family, tags] = point.map(usize::from);
        let name = name(PREFIXES[prefix], ground, &mut random);
        let mut qtype = QTYPES[qtype];
        if name.len() == ground.cut.len() && OF_PARENT.contains(&qtype) {
            // Passes: part 2 asks it. NS in its place.
            qtype = 2;
        }
        let size = SIZES[size];
        let case = Case {
            name,
            qtype,
            size,
            dnssec: dnssec == 1 && size.is_some(),
            cd: cd == 1,
            rd: rd == 1,
            family: Family::BOTH[family],
            tags,
        };
        (case, ground)
    }
}

/// The values of an axis in shuffled rounds.
struct Round {
    values: Vec<u8>,
    place: usize,
}

impl Round {
    fn new(values: usize) -> Self {
        Self {
            values: (0..values as u8).collect(),
            place: values,
        }
    }

    fn next(&mut self, random: &mut Random) -> u8 {
        if self.place == self.values.len() {
            for last in (1..self.values.len()).rev() {
                self.values.swap(last, random.below(last + 1));
            }
            self.place = 0;
        }
        self.place += 1;
        self.values[self.place - 1]
    }
}

/// Two values of two axes, each an axis and a value.
type Pair = [(u8, u8); 2];

/// Which values have not met yet.
struct Met {
    missing: BTreeSet<Pair>,
}

impl Default for Met {
    fn default() -> Self {
        let mut missing = BTreeSet::new();
        for (one, values) in AXES.iter().enumerate() {
            for (other, others) in AXES.iter().enumerate().skip(one + 1) {
                for value in 0..*values {
                    for second in 0..*others {
                        missing.insert([(one as u8, value as u8), (other as u8, second as u8)]);
                    }
                }
            }
        }
        Self { missing }
    }
}

impl Met {
    fn add(&mut self, point: &Point) {
        if self.missing.is_empty() {
            return;
        }
        for one in 0..point.len() {
            for other in one + 1..point.len() {
                let pair = [(one as u8, point[one]), (other as u8, point[other])];
                self.missing.remove(&pair);
            }
        }
    }
}

/// A name at or below the cut.
fn name(prefix: Prefix, ground: &Ground, random: &mut Random) -> Vec<u8> {
    let cut = &ground.cut;
    let room = 255 - cut.len();
    let letter = || b'a' + random.below(26) as u8;
    let mut name = match prefix {
        Prefix::None => Vec::new(),
        Prefix::Label | Prefix::MixedCase => labels(&[4], room, letter),
        Prefix::Octets24 => labels(&[24], room, letter),
        Prefix::NameServer | Prefix::BelowNameServer => {
            let mut name = match prefix {
                Prefix::BelowNameServer => labels(&[2], room, letter),
                _ => Vec::new(),
            };
            name.extend(name_server(ground, random));
            name
        }
        Prefix::Octets183 => labels(&[64, 64, 55], room, letter),
        Prefix::Longest => labels(&[64; 4], room, letter),
        Prefix::MostLabels => labels(&[2; 127], room, letter),
        Prefix::LowOctets | Prefix::HighOctets => {
            let first = if prefix == Prefix::LowOctets { 0 } else { 128 };
            let mut octets = first..=first + 127;
            labels(&[64, 64, 3], room, || octets.next().unwrap_or(first))
        }
        Prefix::Wildcard => labels(&[2], room, || b'*'),
        Prefix::Twice if cut.len() <= room => cut[..cut.len() - 1].to_vec(),
        Prefix::Twice => Vec::new(),
        Prefix::AnyLength => {
            let octets = random.below(room + 1);
            labels(&[64; 4], octets, || b'a' + random.below(26) as u8)
        }
    };
    name.extend(&**cut);
    if matches!(prefix, Prefix::MixedCase | Prefix::BelowNameServer) {
        mix_case(&mut name, random);
    }
    name
}

/// An in-domain name server without the cut name, or one made up.
fn name_server(ground: &Ground, random: &mut Random) -> Vec<u8> {
    let mut owners: Vec<&[u8]> = ground
        .addresses
        .iter()
        .map(|address| &*address.owner)
        .filter(|owner| ground.is_in_domain(owner) && owner.len() > ground.cut.len())
        .collect();
    owners.dedup();
    if owners.is_empty() {
        return b"\x03ns1".to_vec();
    }
    let owner = owners[random.below(owners.len())];
    owner[..owner.len() - ground.cut.len()].to_vec()
}

/// Labels of so many octets each, their length octets included, as far as
/// `room` goes.
fn labels(lengths: &[usize], room: usize, mut octet: impl FnMut() -> u8) -> Vec<u8> {
    let mut labels = Vec::new();
    for length in lengths {
        let mut length = (*length).min(room - labels.len());
        if length < 2 {
            break;
        }
        // A single octet is room for no label: leave none behind.
        if length == 64 && room - labels.len() == 65 {
            length = 63;
        }
        labels.push(length as u8 - 1);
        labels.extend((1..length).map(|_| octet()));
    }
    labels
}

/// Turns some letters to upper case; length octets stay.
fn mix_case(name: &mut [u8], random: &mut Random) {
    let mut at = 0;
    while name[at] != 0 {
        let end = at + 1 + usize::from(name[at]);
        for octet in &mut name[at + 1..end] {
            if random.once_in(2) {
                octet.make_ascii_uppercase();
            }
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn grounds(number: usize) -> Vec<Ground> {
        let ground = |place: usize| Ground {
            cut: format!("\x04d{place:03}\x02nu\0").into_bytes().into(),
            ..Ground::default()
        };
        (0..number).map(ground).collect()
    }

    #[test]
    fn a_seed_repeats_the_queries() {
        let grounds = grounds(5);
        let cases = |seed| {
            let matrix = Matrix::new(seed, grounds.len(), 100);
            let case = |place| matrix.case(place, &grounds).0.to_string();
            (0..matrix.len()).map(case).collect::<Vec<_>>()
        };
        assert_eq!(cases(1), cases(1));
        assert_ne!(cases(1), cases(2));
    }

    #[test]
    fn each_delegation_meets_each_value_and_each_pair_meets_somewhere() {
        let matrix = Matrix::new(3, 7, 0);
        for delegation in 0..7 {
            for (axis, values) in AXES.iter().enumerate() {
                let points = matrix.points.iter().filter(|(of, _)| *of == delegation);
                let seen: HashSet<u8> = points.map(|(_, point)| point[axis]).collect();
                assert_eq!(seen.len(), *values, "axis {axis}");
            }
        }
        for one in 0..AXES.len() {
            for other in one + 1..AXES.len() {
                let pairs = matrix.points.iter();
                let pairs: HashSet<_> = pairs.map(|(_, p)| (p[one], p[other])).collect();
                assert_eq!(pairs.len(), AXES[one] * AXES[other]);
            }
        }
    }

    #[test]
    fn every_name_is_one_at_or_below_the_cut() {
        let grounds = grounds(300);
        let matrix = Matrix::new(9, grounds.len(), 0);
        let (mut longest, mut most_labels) = (0, 0);
        let mut octets = HashSet::new();
        for place in 0..matrix.len() {
            let (case, ground) = matrix.case(place, &grounds);
            assert!(ground.is_in_domain(&case.name), "{case}");
            longest = longest.max(case.name.len());
            let name = domain::base::Name::from_slice(&case.name).expect("a name");
            most_labels = most_labels.max(name.label_count());
            octets.extend(case.name);
        }
        assert_eq!(longest, 255);
        assert!(most_labels >= 126, "{most_labels}");
        assert_eq!(octets.len(), 256, "labels have every octet");
    }
}
