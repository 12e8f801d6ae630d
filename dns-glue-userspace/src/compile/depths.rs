//! The numbers of labels that the program looks for.

use dns_glue_common::index::Depths;
use dns_glue_common::limits::{MAX_DEPTHS, MAX_LABELS};

use super::{Error, Source};
use crate::zone::cuts::{Stop, StopReason};
use crate::zone::records::NameRef;
use bytemuck::Zeroable;

/// How many names of a zone have each number of labels: its delegations and
/// stops, but for the apex.
#[derive(Clone, Debug)]
pub struct LabelCounts(Box<[u32; MAX_LABELS + 1]>);

impl LabelCounts {
    fn none() -> Self {
        Self(Box::new([0; MAX_LABELS + 1]))
    }

    /// Of each of so many zones, as far as `source` holds their names.
    pub fn of_zones<'z>(source: &impl Source<'z>, zones: usize) -> Vec<Self> {
        let mut counts = vec![Self::none(); zones];
        let inner = source.stops().iter().filter(|stop| !is_apex(stop));
        for stop in inner {
            if let Some(zone) = stop.zone_number {
                counts[zone].add(stop.name);
            }
        }
        source.each_name(&mut |zone, name| counts[zone].add(name));
        counts
    }

    fn add(&mut self, name: &NameRef) {
        self.0[label_count(name)] += 1;
    }

    /// All of them.
    pub fn sum(&self) -> usize {
        self.0.iter().map(|count| *count as usize).sum()
    }

    /// Those that the program looks for with these depths: the entries.
    pub fn held(&self, depths: &ChosenDepths) -> usize {
        let counts = self.0.iter().enumerate();
        let held = counts.filter(|(labels, _)| depths.hold_labels(*labels));
        held.map(|(_, count)| *count as usize).sum()
    }

    /// The numbers of labels that any of them has.
    pub fn used(&self) -> impl Iterator<Item = usize> {
        let counts = self.0.iter().enumerate();
        counts.filter_map(|(labels, count)| (*count != 0).then_some(labels))
    }
}

/// The numbers of labels that owner names in the index have.
pub struct ChosenDepths([bool; MAX_LABELS + 1]);

impl ChosenDepths {
    /// Chooses at most `MAX_DEPTHS` depths: those of all apexes, which must not
    /// be missed, then those that most other entries have, which are in
    /// `counts`.
    ///
    /// A delegation or another stop that is left out is not missed: the entry
    /// next above is the apex of its own zone, so its queries pass all the
    /// same.
    ///
    /// # Errors
    ///
    /// The apexes alone have more depths.
    pub fn of<'c>(
        stops: &[Stop<'_>],
        counts: impl IntoIterator<Item = &'c LabelCounts>,
    ) -> Result<Self, Error> {
        let mut chosen = [false; MAX_LABELS + 1];
        for stop in stops.iter().filter(|stop| is_apex(stop)) {
            let labels = label_count(stop.name);
            // The root is no entry.
            chosen[labels] |= labels > 0;
        }
        let apexes = chosen.iter().filter(|chosen| **chosen).count();
        let Some(rest) = MAX_DEPTHS.checked_sub(apexes) else {
            return Err(Error::TooManyDepths(apexes));
        };
        let mut users = [0_usize; MAX_LABELS + 1];
        for LabelCounts(zone) in counts {
            let of_zone = users.iter_mut().zip(zone.iter());
            of_zone.for_each(|(users, count)| *users += *count as usize);
        }
        let mut by_users: Vec<(usize, usize)> = users
            .into_iter()
            .enumerate()
            .filter(|(labels, users)| !chosen[*labels] && *users != 0)
            .collect();
        by_users.sort_by_key(|(labels, users)| (std::cmp::Reverse(*users), *labels));
        for (labels, _) in by_users.into_iter().take(rest) {
            chosen[labels] = true;
        }
        Ok(Self(chosen))
    }

    /// Those of what the program reads.
    pub fn of_table(table: &Depths) -> Self {
        Self(std::array::from_fn(|labels| {
            labels > 0 && usize::from(table.0[labels]) == labels
        }))
    }

    /// Whether the program looks for a name.
    pub fn hold(&self, name: &NameRef) -> bool {
        self.hold_labels(label_count(name))
    }

    /// Whether the program looks for names of so many labels.
    pub fn hold_labels(&self, labels: usize) -> bool {
        self.0[labels]
    }

    /// What the program reads.
    pub fn table(&self) -> Depths {
        let mut table = Depths::zeroed();
        let mut deepest = 0;
        for (labels, chosen) in self.0.iter().enumerate() {
            if *chosen {
                deepest = u8::try_from(labels).expect("127 labels at most");
            }
            table.0[labels] = deepest;
        }
        table
    }
}

/// Whether a stop is the apex of a zone, of one that is compiled or of another.
pub fn is_apex(stop: &Stop<'_>) -> bool {
    matches!(stop.why, StopReason::ZoneApex | StopReason::AlsoServed)
}

/// Labels of a name, the root not counted.
fn label_count(name: &NameRef) -> usize {
    name.label_count() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// For every number of labels, the deepest depth chosen that is not
        /// beyond it; the search for an entry goes down by this table.
        #[test]
        fn depths_are_the_nearest_below(chosen in prop::collection::vec(any::<bool>(), MAX_LABELS)) {
            let mut depths = ChosenDepths([false; MAX_LABELS + 1]);
            // The root is no entry.
            depths.0[1..].copy_from_slice(&chosen);
            let table = depths.table();
            for labels in 0..=MAX_LABELS {
                let nearest = (1..=labels).rev().find(|depth| depths.0[*depth]);
                prop_assert_eq!(usize::from(table.0[labels]), nearest.unwrap_or(0));
            }
            prop_assert_eq!(ChosenDepths::of_table(&table).0, depths.0);
        }
    }
}
