//! Which name servers a delegation has.

use super::Profile;
use super::draw::{Draw, Purpose, Shares};

/// Name servers of a set and their share, of a hundred delegations: two for
/// 70 %, four for 20 %; the rest is ours to choose, and none has only one.
const SIZES: [(u8, usize); 5] = [(2, 70), (4, 20), (3, 6), (5, 2), (6, 2)];

/// So many of a hundred delegations bring a set that none had before.
const NEW_SETS: u64 = 8;

/// One of so many of the first hundred delegations, too: from a single first
/// set, a third of a million delegations would have theirs.
const FIRST_SETS: u64 = 5;

/// The classes of [`Servers::kinds`].
const ELSEWHERE: usize = 0;
const IN_DOMAIN: usize = 1;

/// The name servers of a delegation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Set {
    pub(super) place: Place,
    /// How many name servers.
    pub(super) size: u8,
}

/// Where name servers are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Outside the zone; by the number of the set.
    Elsewhere(u64),
    /// Below this delegation, which is the own one or a sibling.
    Below(u64),
}

/// Gives name servers to delegations.
pub(super) struct Servers {
    seed: u64,
    kinds: Shares,
    sizes: Shares,
}

impl Servers {
    pub(super) fn new(seed: u64, profile: Profile) -> Self {
        let kinds = match profile {
            Profile::Plain => Shares::new(&[998, 2]),
            Profile::InDomain => Shares::new(&[70, 15, 15]),
        };
        Self {
            seed,
            kinds,
            sizes: Shares::new(&SIZES.map(|(_, share)| share)),
        }
    }

    /// The name servers of a delegation.
    pub(super) fn set(&self, delegation: u64) -> Set {
        match self.kinds.class(delegation) {
            (ELSEWHERE, ordinal) => self.elsewhere(ordinal),
            (IN_DOMAIN, ordinal) => self.in_domain(ordinal),
            _ => {
                // An earlier delegation: it is in every zone that has this one.
                let hosts = self.kinds.count_below(IN_DOMAIN, delegation);
                let mut draw = Draw::new(self.seed, Purpose::Sibling, delegation);
                self.in_domain(draw.below(hosts))
            }
        }
    }

    fn in_domain(&self, ordinal: u64) -> Set {
        let (class, _) = self.sizes.class(ordinal);
        Set {
            place: Place::Below(self.kinds.number(IN_DOMAIN, ordinal)),
            size: SIZES[class].0,
        }
    }

    /// Simon's process (H. A. Simon, 1955): a delegation brings a new set, or
    /// takes that of an earlier one, any of them with the same chance. It
    /// makes sets as popular as Zipf's law says, and half of all sets stay
    /// with the one delegation that brought them.
    fn elsewhere(&self, ordinal: u64) -> Set {
        let (class, mut ordinal) = self.sizes.class(ordinal);
        let first_sets = (SIZES[class].1 as u64 / FIRST_SETS).max(1);
        let number = loop {
            let number = self.sizes.number(class, ordinal);
            let mut draw = Draw::new(self.seed, Purpose::Founder, number);
            if ordinal < first_sets || draw.below(100) < NEW_SETS {
                break number;
            }
            ordinal = draw.below(ordinal);
        };
        Set {
            place: Place::Elsewhere(number),
            size: SIZES[class].0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_take_from_delegations_before_them() {
        let servers = Servers::new(3, Profile::InDomain);
        for delegation in 0..10_000 {
            let Place::Below(host) = servers.set(delegation).place else {
                continue;
            };
            assert!(host <= delegation);
            assert_eq!(servers.set(host), servers.set(delegation));
        }
    }

    #[test]
    fn a_popular_set_is_no_third_of_the_zone() {
        let servers = Servers::new(1, Profile::Plain);
        let mut counts = std::collections::HashMap::<u64, u32>::new();
        for delegation in 0..100_000 {
            if let Place::Elsewhere(number) = servers.set(delegation).place {
                *counts.entry(number).or_default() += 1;
            }
        }
        let most = counts.values().max().copied().unwrap_or_default();
        assert!((2_000..20_000).contains(&most), "{most}");
    }
}
