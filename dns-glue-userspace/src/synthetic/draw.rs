//! Seeded draws, and shares that hold exactly.
//!
//! A draw is a function of the seed, of what it is for and of a number, and
//! of nothing that was drawn before: so a delegation is the same in a small
//! zone and in a large one, and none has to be remembered.

/// What a draw decides. The numbers are part of the zones' octets.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// The order of the names of the list.
    Order = 1,
    /// The label of a delegation.
    Delegation = 2,
    /// The domain of a set of name servers.
    Provider = 3,
    /// Which set of name servers a delegation takes.
    Founder = 4,
    /// Which delegation's name servers a sibling takes.
    Sibling = 5,
    /// Addresses of glue.
    Address = 6,
    /// Whether and how a delegation is signed.
    Ds = 7,
}

/// A stream of numbers (splitmix64; Steele, Lea and Flood 2014).
pub(super) struct Draw(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Draw {
    pub(super) fn new(seed: u64, purpose: Purpose, number: u64) -> Self {
        let of_purpose = mix(seed.wrapping_add((purpose as u64).wrapping_mul(GOLDEN)));
        Self(mix(of_purpose ^ number.wrapping_mul(GOLDEN)))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number below the bound; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number of 16 bits.
    pub(super) fn bits16(&mut self) -> u16 {
        (self.next() >> 48) as u16
    }
}

/// Classes that are given out in turn, each in its share, as evenly as can be.
///
/// Drawing them instead would leave the shares of a zone to chance: with
/// Zipf's law a handful of sets decides how many delegations have two name
/// servers.
pub(super) struct Shares {
    /// The class of each place of a period.
    classes: Vec<usize>,
    /// How many places of the same class are before it in the period.
    ranks: Vec<usize>,
    /// The places of each class, ascending.
    places: Vec<Vec<usize>>,
}

impl Shares {
    /// A class for each weight; a period is as long as their sum.
    pub(super) fn new(weights: &[usize]) -> Self {
        let period: usize = weights.iter().sum();
        let mut places = vec![Vec::new(); weights.len()];
        let mut classes = Vec::with_capacity(period);
        let mut ranks = Vec::with_capacity(period);
        for place in 0..period {
            // Whoever is furthest behind its share; the first of equals.
            let mut behind = None;
            for (class, &weight) in weights.iter().enumerate() {
                let due = (weight * (place + 1)).cast_signed();
                let debt = due - (places[class].len() * period).cast_signed();
                if behind.is_none_or(|(most, _)| debt > most) {
                    behind = Some((debt, class));
                }
            }
            let (_, class) = behind.expect("a period has a class");
            ranks.push(places[class].len());
            classes.push(class);
            places[class].push(place);
        }
        Self {
            classes,
            ranks,
            places,
        }
    }

    /// The class of a number, and its ordinal among those of its class.
    pub(super) fn class(&self, number: u64) -> (usize, u64) {
        let (period, place) = self.split(number);
        let class = self.classes[place];
        let before = period * self.places[class].len() as u64;
        (class, before + self.ranks[place] as u64)
    }

    /// The number of which [`Shares::class`] says this; the class must have a
    /// weight.
    pub(super) fn number(&self, class: usize, ordinal: u64) -> u64 {
        let places = &self.places[class];
        let weight = places.len() as u64;
        let place = places[(ordinal % weight) as usize];
        ordinal / weight * self.classes.len() as u64 + place as u64
    }

    /// How many numbers below this one are of the class.
    pub(super) fn count_below(&self, class: usize, number: u64) -> u64 {
        let (period, place) = self.split(number);
        let places = &self.places[class];
        let in_period = places.partition_point(|&other| other < place);
        period * places.len() as u64 + in_period as u64
    }

    fn split(&self, number: u64) -> (u64, usize) {
        let period = self.classes.len() as u64;
        (number / period, (number % period) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_hold_in_every_period_and_nearly_in_every_prefix() {
        let weights = [70, 20, 6, 2, 2];
        let shares = Shares::new(&weights);
        let mut given = [0_u64; 5];
        for number in 0..1000 {
            for class in 0..5 {
                assert_eq!(shares.count_below(class, number), given[class]);
                let due = number as f64 * weights[class] as f64 / 100.0;
                assert!((given[class] as f64 - due).abs() < 2.0, "{class} {number}");
            }
            let (class, ordinal) = shares.class(number);
            assert_eq!(ordinal, given[class]);
            assert_eq!(shares.number(class, ordinal), number);
            given[class] += 1;
        }
        assert_eq!(given, [700, 200, 60, 20, 20]);
    }

    #[test]
    fn draws_are_spread_and_depend_on_each_argument() {
        let mut counts = [0_u32; 10];
        for number in 0..10_000 {
            counts[Draw::new(1, Purpose::Ds, number).below(10) as usize] += 1;
        }
        // Four standard deviations are 120.
        assert!(counts.iter().all(|count| count.abs_diff(1000) < 120));
        let first = Draw::new(1, Purpose::Ds, 0).next();
        assert_ne!(first, Draw::new(2, Purpose::Ds, 0).next());
        assert_ne!(first, Draw::new(1, Purpose::Address, 0).next());
        assert_ne!(first, Draw::new(1, Purpose::Ds, 1).next());
    }
}
