//! Delegations all of whose name servers lie in delegations that again depend
//! on them.
//!
//! A delegation can be followed without sibling glue if any of its name
//! servers lies outside the zone, is the zone's own, has in-domain glue, or
//! lies below a delegation that can be followed. What is left over depends on
//! itself.

use crate::zone::records::NameRef;

/// Delegations that can only be followed through siblings.
#[derive(Default)]
pub(super) struct Siblings<'z> {
    /// The cover that each is, and its name.
    open: Vec<(usize, &'z NameRef)>,
    /// A cover that a name server of one lies below, and its place in `open`.
    waiting: Vec<(usize, usize)>,
}

impl<'z> Siblings<'z> {
    /// Adds a delegation, which is the cover `cover`, and the covers below
    /// which its name servers lie.
    pub(super) fn add(&mut self, cover: usize, cut: &'z NameRef, siblings: &[usize]) {
        let place = self.open.len();
        self.waiting
            .extend(siblings.iter().map(|sibling| (*sibling, place)));
        self.open.push((cover, cut));
    }

    /// Adds delegations behind all of these.
    pub(super) fn append(&mut self, mut later: Self) {
        let places = self.open.len();
        let waiting = later.waiting.into_iter();
        self.waiting
            .extend(waiting.map(|(sibling, place)| (sibling, places + place)));
        self.open.append(&mut later.open);
    }

    /// Those that depend on themselves, of a zone with so many covers.
    pub(super) fn in_cycles(mut self, covers: usize) -> impl Iterator<Item = &'z NameRef> {
        // By cover: those that are no delegations are other servers' business
        // and count as followed.
        let mut followed = vec![true; if self.open.is_empty() { 0 } else { covers }];
        for (cover, _) in &self.open {
            followed[*cover] = false;
        }
        self.waiting.sort_unstable();
        self.waiting.dedup();
        let mut news: Vec<usize> = self.waiting.iter().map(|(sibling, _)| *sibling).collect();
        news.dedup();
        news.retain(|sibling| followed[*sibling]);
        while let Some(sibling) = news.pop() {
            let first = self.waiting.partition_point(|(other, _)| *other < sibling);
            let waiting = self.waiting[first..].iter();
            for (_, place) in waiting.take_while(|(other, _)| *other == sibling) {
                let (cover, _) = self.open[*place];
                if !followed[cover] {
                    followed[cover] = true;
                    news.push(cover);
                }
            }
        }
        let open = self.open.into_iter();
        open.filter_map(move |(cover, cut)| (!followed[cover]).then_some(cut))
    }
}
