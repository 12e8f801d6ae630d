//! Lists that may be long: how many there are, and the first of them.

use serde::{Deserialize, Serialize};

/// Items of which perhaps only the first are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing<T> {
    /// How many there are.
    pub total: usize,
    /// The first of them, as many as were asked for.
    pub listed: Vec<T>,
}

impl<T> Default for Listing<T> {
    /// No items.
    fn default() -> Self {
        Self {
            total: 0,
            listed: Vec::new(),
        }
    }
}

impl<T> Listing<T> {
    /// Counts all items and keeps the first `bound`.
    pub fn of<I>(items: impl IntoIterator<Item = I>, bound: usize, show: impl Fn(I) -> T) -> Self {
        let mut listing = Self::default();
        for item in items {
            if listing.total < bound {
                listing.listed.push(show(item));
            }
            listing.total += 1;
        }
        listing
    }

    /// Counts one more item, and keeps it if there are fewer than `bound`.
    pub fn push(&mut self, item: T, bound: usize) {
        if self.listed.len() < bound {
            self.listed.push(item);
        }
        self.total += 1;
    }

    /// Adds the items of a list that comes behind, of which `bound` were kept
    /// too.
    pub fn append(&mut self, later: Self, bound: usize) {
        let room = bound.saturating_sub(self.listed.len());
        self.listed.extend(later.listed.into_iter().take(room));
        self.total += later.total;
    }

    /// Items beyond those listed.
    pub fn more(&self) -> usize {
        self.total - self.listed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_listed_and_all_are_counted() {
        let listing = Listing::of(1..=5, 2, |number| number * 10);
        assert_eq!((listing.total, listing.more()), (5, 3));
        assert_eq!(listing.listed, [10, 20]);
        assert_eq!(Listing::of(1..=2, 2, |number| number).more(), 0);
    }

    #[test]
    fn lists_in_parts_come_to_the_same() {
        let whole = Listing::of(0..7, 3, |number| number);
        for first in 0..=7 {
            let [mut list, mut later] = [Listing::default(), Listing::default()];
            (0..first).for_each(|number| list.push(number, 3));
            (first..7).for_each(|number| later.push(number, 3));
            list.append(later, 3);
            assert_eq!(list, whole, "{first}");
        }
    }
}
