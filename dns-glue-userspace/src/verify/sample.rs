//! Which delegations are asked for.

/// A choice among the delegations of all zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Each of them.
    All,
    /// So many, spread evenly over the zones in their order.
    Spread {
        /// How many at the most.
        delegations: usize,
        /// Where the first of them stands: another seed, other delegations.
        seed: u64,
    },
}

impl Sample {
    /// Places in a list of `total`, ascending, each once.
    pub fn places(self, total: usize) -> Vec<usize> {
        match self {
            Self::Spread { delegations, seed } if delegations < total => {
                spread(delegations, total, seed)
            }
            Self::All | Self::Spread { .. } => (0..total).collect(),
        }
    }
}

/// One place in each of `count` stretches of equal length, the same one in
/// each.
fn spread(count: usize, total: usize, seed: u64) -> Vec<usize> {
    let total = total as u128;
    (0..count as u128)
        .map(|stretch| {
            // In units of 1/count of a place, so that no stretch is rounded
            // away.
            let offset = u128::from(seed) % total;
            let place = (stretch * total + offset) / count as u128;
            usize::try_from(place).expect("below the total")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_many_as_asked_for_and_each_once(
            delegations in 0usize..50,
            total in 0usize..5000,
            seed: u64,
        ) {
            let places = Sample::Spread { delegations, seed }.places(total);
            prop_assert_eq!(places.len(), delegations.min(total));
            prop_assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(places.last().is_none_or(|last| *last < total));
            if let Some(stretch) = total.checked_div(delegations) {
                let stretch = stretch + 1;
                prop_assert!(places.windows(2).all(|pair| pair[1] - pair[0] <= stretch));
            }
        }
    }

    #[test]
    fn every_delegation_is_in_some_sample() {
        let mut seen = [false; 100];
        for seed in 0..100 {
            for place in (Sample::Spread {
                delegations: 7,
                seed,
            })
            .places(100)
            {
                seen[place] = true;
            }
        }
        assert_eq!(seen, [true; 100]);
        assert_eq!(Sample::All.places(3), [0, 1, 2]);
    }
}
