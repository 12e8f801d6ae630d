//! Where delegations come from.

use crate::zone::cuts::{Cuts, Delegation, Stop};
use crate::zone::faults::Fault;
use crate::zone::records::NameRef;
use crate::zone::survey::{Found, Survey, Walk};

/// Delegations of a part of [`Cuts`].
const PART_DELEGATIONS: usize = 4096;

/// Delegations and other names, in parts that can be looked at at the same
/// time.
pub trait Source<'z>: Sync {
    /// What a thread keeps from part to part.
    type Reader<'s>
    where
        Self: 's;

    /// Names at which the search stops, as far as they are known before looking
    /// at any part; all apexes are.
    fn stops(&self) -> &[Stop<'z>];

    /// The most delegations and other stops that all parts hold.
    fn names(&self) -> usize;

    /// The name of everything that the parts hold, with the number of its zone.
    fn each_name(&self, each: &mut dyn FnMut(usize, &'z NameRef));

    /// Number of parts.
    fn parts(&self) -> usize;

    /// Begins to look, on the thread that calls.
    fn reader(&self) -> Self::Reader<'_>;

    /// Looks at everything in a part.
    fn look_at<'s>(
        &'s self,
        reader: &mut Self::Reader<'s>,
        part: usize,
        each: impl FnMut(Looked<'_, 'z>),
    );
}

/// What a part holds.
pub enum Looked<'d, 'z> {
    /// A delegation.
    Delegation(&'d Delegation<'z>),
    /// A name at which the search stops, and the fault that makes it one.
    Stop(Stop<'z>, Option<Fault<'z>>),
}

impl<'z> Source<'z> for Survey<'z> {
    type Reader<'s>
        = Walk<'s, 'z>
    where
        Self: 's;

    fn stops(&self) -> &[Stop<'z>] {
        self.apexes()
    }

    fn names(&self) -> usize {
        self.names()
    }

    fn each_name(&self, each: &mut dyn FnMut(usize, &'z NameRef)) {
        self.each_name(each);
    }

    fn parts(&self) -> usize {
        self.parts()
    }

    fn reader(&self) -> Self::Reader<'_> {
        self.walk()
    }

    fn look_at<'s>(
        &'s self,
        reader: &mut Self::Reader<'s>,
        part: usize,
        mut each: impl FnMut(Looked<'_, 'z>),
    ) {
        reader.look_at(part, |found| match found {
            Found::Delegation(delegation) => each(Looked::Delegation(&delegation)),
            Found::Stop(stop, fault) => each(Looked::Stop(stop, fault)),
        });
    }
}

impl<'z> Source<'z> for Cuts<'z> {
    type Reader<'s>
        = ()
    where
        Self: 's;

    fn stops(&self) -> &[Stop<'z>] {
        &self.stops
    }

    fn names(&self) -> usize {
        self.delegations.len()
    }

    fn each_name(&self, each: &mut dyn FnMut(usize, &'z NameRef)) {
        for delegation in &self.delegations {
            each(delegation.zone_number, delegation.cut);
        }
    }

    fn parts(&self) -> usize {
        self.delegations.len().div_ceil(PART_DELEGATIONS)
    }

    fn reader(&self) {}

    fn look_at<'s>(&'s self, _: &mut (), part: usize, mut each: impl FnMut(Looked<'_, 'z>)) {
        let first = part * PART_DELEGATIONS;
        let end = self.delegations.len().min(first + PART_DELEGATIONS);
        for delegation in &self.delegations[first..end] {
            each(Looked::Delegation(delegation));
        }
    }
}
