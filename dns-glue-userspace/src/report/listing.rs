//! Lists that may be long: how many there are, and the first of them.

use serde::Serialize;

/// Items of which perhaps only the first are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Listing<T> {
    /// How many there are.
    pub total: usize,
    /// The first of them, as many as were asked for.
    pub listed: Vec<T>,
}

impl<T> Listing<T> {
    /// Counts all items and keeps the first `bound`.
    pub fn of<I>(items: impl IntoIterator<Item = I>, bound: usize, show: impl Fn(I) -> T) -> Self {
        let mut listing = Self {
            total: 0,
            listed: Vec::new(),
        };
        for item in items {
            if listing.total < bound {
                listing.listed.push(show(item));
            }
            listing.total += 1;
        }
        listing
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
}
