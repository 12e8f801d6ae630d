//! Labels of delegations: of a list, and made up where it ends.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::draw::{Draw, Purpose};
use crate::packed;

/// How many labels of .nu have which length: octets and number, of the 194,163
/// names that .nu delegated on 2026-08-22 (The Swedish Internet Foundation,
/// CC BY 4.0).
const LENGTHS: [(usize, u64); 47] = [
    (1, 33),
    (2, 1_028),
    (3, 8_715),
    (4, 9_892),
    (5, 12_979),
    (6, 16_291),
    (7, 17_064),
    (8, 17_796),
    (9, 17_425),
    (10, 15_892),
    (11, 13_614),
    (12, 11_309),
    (13, 9_750),
    (14, 8_287),
    (15, 6_978),
    (16, 5_716),
    (17, 4_648),
    (18, 3_615),
    (19, 2_955),
    (20, 2_277),
    (21, 1_712),
    (22, 1_450),
    (23, 1_057),
    (24, 846),
    (25, 687),
    (26, 567),
    (27, 410),
    (28, 297),
    (29, 234),
    (30, 169),
    (31, 111),
    (32, 99),
    (33, 70),
    (34, 46),
    (35, 38),
    (36, 22),
    (37, 19),
    (38, 14),
    (39, 26),
    (40, 7),
    (41, 5),
    (42, 8),
    (43, 1),
    (46, 1),
    (48, 1),
    (50, 1),
    (63, 1),
];

/// The sum of [`LENGTHS`].
const NAMES: u64 = 194_163;

/// The label below which the apex has its own name servers; none of a
/// delegation.
pub(super) const OWN: &str = "nic";

/// As many labels as can be made up.
pub const MAX_LABELS: u64 = 1 << 31;

/// Octets at the start of a label that is made up which tell it from all
/// others: 36^6 is above [`MAX_LABELS`].
const UNIQUE_OCTETS: usize = 6;

/// The labels of a zone's delegations, by number.
pub struct Labels {
    /// Sorted.
    listed: Vec<Box<str>>,
}

impl Labels {
    /// No list: every label is made up.
    #[must_use]
    pub const fn made_up() -> Self {
        Self { listed: Vec::new() }
    }

    /// The first labels of the names in a file, one a line; packed by xz if
    /// its name ends so. In lower case, each once, without `nic`.
    ///
    /// # Errors
    /// When the file or xz cannot be read, or a label is none of letters,
    /// digits and hyphens.
    pub fn read(path: &Path) -> Result<Self> {
        let text = packed::read_to_string(path);
        let text = text.with_context(|| format!("read {}", path.display()))?;
        let mut listed = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let name = line.trim().to_ascii_lowercase();
            let label = name.split('.').next().unwrap_or_default();
            let is_label = (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
            ensure!(is_label, "{}:{number}: no label: {line}", path.display());
            if label != OWN {
                listed.push(Box::from(label));
            }
        }
        listed.sort_unstable();
        listed.dedup();
        Ok(Self { listed })
    }

    /// How many labels are of the list.
    #[must_use]
    pub fn listed(&self) -> usize {
        self.listed.len()
    }

    /// The list in the order of the seed.
    #[must_use]
    pub fn shuffle(&self, seed: u64) -> Shuffled<'_> {
        let mut order: Vec<u32> = (0..).take(self.listed.len()).collect();
        for place in (1..order.len()).rev() {
            let other = Draw::new(seed, Purpose::Order, place as u64).below(place as u64 + 1);
            order.swap(place, other as usize);
        }
        Shuffled {
            labels: self,
            order,
            seed,
        }
    }
}

/// [`Labels`] in the order of a seed: the label of each delegation of the
/// zones of that seed, and labels that none of a smaller zone has.
pub struct Shuffled<'l> {
    labels: &'l Labels,
    order: Vec<u32>,
    seed: u64,
}

impl Shuffled<'_> {
    /// Writes the label of a delegation into the buffer; different for every
    /// number below [`MAX_LABELS`].
    pub fn label(&self, number: u64, label: &mut String) {
        label.clear();
        if let Some(&place) = self.order.get(number as usize) {
            label.push_str(&self.labels.listed[place as usize]);
            return;
        }
        let mut draw = Draw::new(self.seed, Purpose::Delegation, number);
        loop {
            make_up(&mut draw, self.seed ^ 1, number, label);
            let listed = &self.labels.listed;
            let found = listed.binary_search_by(|other| (**other).cmp(label.as_str()));
            if found.is_err() {
                return;
            }
        }
    }

    /// Writes the second-level label of a set of name servers.
    pub(super) fn provider(&self, number: u64, label: &mut String) {
        let mut draw = Draw::new(self.seed, Purpose::Provider, number);
        make_up(&mut draw, self.seed, number, label);
    }
}

/// A label of a length that is drawn from [`LENGTHS`], but at least
/// [`UNIQUE_OCTETS`]. The first octets are the number, scrambled, to the base
/// of 36; the others are letters.
fn make_up(draw: &mut Draw, key: u64, number: u64, label: &mut String) {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    label.clear();
    let mut rest = scramble(key, number);
    for _ in 0..UNIQUE_OCTETS {
        label.push(char::from(DIGITS[(rest % 36) as usize]));
        rest /= 36;
    }
    for _ in UNIQUE_OCTETS..length(draw.below(NAMES)) {
        label.push(char::from(DIGITS[draw.below(26) as usize]));
    }
}

fn length(mut rank: u64) -> usize {
    for (length, count) in LENGTHS {
        if rank < count {
            return length;
        }
        rank -= count;
    }
    LENGTHS[LENGTHS.len() - 1].0
}

/// A permutation of the numbers below [`MAX_LABELS`]: each step can be undone.
fn scramble(key: u64, number: u64) -> u64 {
    const MASK: u64 = MAX_LABELS - 1;
    let mut value = number & MASK;
    for round in 0..3 {
        value = value.wrapping_add(key.rotate_left(round * 21)) & MASK;
        value = value.wrapping_mul(0x2c1b_3c6d) & MASK;
        value ^= value >> 15;
    }
    value
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_lengths_add_up() {
        assert_eq!(LENGTHS.iter().map(|(_, count)| count).sum::<u64>(), NAMES);
        assert_eq!((length(0), length(33), length(NAMES - 1)), (1, 2, 63));
    }

    #[test]
    fn labels_that_are_made_up_differ() {
        let labels = Labels::made_up();
        let shuffled = labels.shuffle(7);
        let mut label = String::new();
        let mut seen = HashSet::new();
        let mut octets = 0;
        for number in 0..100_000 {
            shuffled.label(number, &mut label);
            octets += label.len();
            assert!((UNIQUE_OCTETS..=63).contains(&label.len()));
            assert!(seen.insert(label.clone()), "{label}");
        }
        // Their mean is 10.0 with .nu's own 1 to 5 counted as 6.
        assert!((950_000..1_080_000).contains(&octets), "{octets}");
    }

    #[test]
    fn a_list_comes_first_and_in_the_order_of_the_seed() {
        let labels = Labels {
            listed: ["a", "b", "c", "d"].map(Box::from).into(),
        };
        let take = |seed| {
            let shuffled = labels.shuffle(seed);
            let mut taken = Vec::new();
            for number in 0..5 {
                let mut label = String::new();
                shuffled.label(number, &mut label);
                taken.push(label);
            }
            taken
        };
        let (one, other) = (take(1), take(3));
        assert_ne!(one, other);
        let mut listed = one[..4].to_vec();
        listed.sort();
        assert_eq!(listed, ["a", "b", "c", "d"]);
        assert!(one[4].len() >= UNIQUE_OCTETS);
    }
}
