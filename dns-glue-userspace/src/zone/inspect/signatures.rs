//! The validity of the signatures that referrals carry.

use hashbrown::HashSet;

use crate::zone::faults::FaultKind;
use crate::zone::proof::Proof;
use crate::zone::records::{NameRef, Rrset};

/// Signatures that expire within this time, in seconds, are worth a word: two
/// days. Zones are commonly signed anew several days before that.
pub const EXPIRES_SOON: u32 = 2 * 86_400;

/// RRsets of proofs whose signatures are worth a word.
#[derive(Default)]
pub(super) struct Signatures<'z> {
    /// In the order in which they were met, each once, with the seconds until
    /// the last valid signature expires; `None` if none is valid.
    found: Vec<(Rrset<'z>, Option<u32>)>,
    /// Those in `found`: delegations share the NSEC3 of a proof.
    known: HashSet<Rrset<'z>>,
    /// Seconds until the first RRset has no valid signature any more, of all
    /// that were looked at; 0 if one has none now.
    seconds_left: Option<u32>,
}

impl<'z> Signatures<'z> {
    /// Looks at the signatures of a proof.
    pub(super) fn look_at(&mut self, proof: Proof<'z>, now: u32) {
        for rrset in proof.rrsets() {
            let left = seconds_left(rrset, now);
            self.note(left.unwrap_or(0));
            if left.is_none_or(|left| left < EXPIRES_SOON) {
                self.add(rrset, left);
            }
        }
    }

    /// Seconds until the first of the RRsets has no valid signature any more; 0
    /// if one has none now, `None` if there are no RRsets.
    pub(super) fn seconds_left(&self) -> Option<u32> {
        self.seconds_left
    }

    fn note(&mut self, left: u32) {
        let least = self.seconds_left.map_or(left, |least| least.min(left));
        self.seconds_left = Some(least);
    }

    fn add(&mut self, rrset: Rrset<'z>, left: Option<u32>) {
        if self.known.insert(rrset) {
            self.found.push((rrset, left));
        }
    }

    /// Adds those that were met behind all of these.
    pub(super) fn append(&mut self, later: Self) {
        if let Some(left) = later.seconds_left {
            self.note(left);
        }
        for (rrset, left) in later.found {
            self.add(rrset, left);
        }
    }

    /// What is wrong, and at which name first.
    pub(super) fn faults(self) -> impl Iterator<Item = (&'z NameRef, FaultKind<'z>)> {
        let mut invalid: Option<(&'z NameRef, usize)> = None;
        let mut expiring: Option<(&'z NameRef, usize, u32)> = None;
        for (rrset, left) in self.found {
            match left {
                None => invalid = Some(invalid.map_or((rrset.owner(), 1), |(at, n)| (at, n + 1))),
                Some(left) => {
                    let (at, n, least) = expiring.unwrap_or((rrset.owner(), 0, u32::MAX));
                    let (at, least) = if left < least {
                        (rrset.owner(), left)
                    } else {
                        (at, least)
                    };
                    expiring = Some((at, n + 1, least));
                }
            }
        }
        let invalid = invalid.map(|(name, rrsets)| (name, FaultKind::InvalidSignatures { rrsets }));
        let expiring = expiring.map(|(name, rrsets, seconds)| {
            (name, FaultKind::ExpiringSignatures { rrsets, seconds })
        });
        invalid.into_iter().chain(expiring)
    }
}

/// Seconds until the last valid signature of an RRset expires; `None` if none
/// is valid now. Times compare as serial numbers (RFC 4034 section 3.1.5).
fn seconds_left(rrset: Rrset<'_>, now: u32) -> Option<u32> {
    let time = |rdata: &[u8], at: usize| {
        let octets = rdata[at..at + 4]
            .try_into()
            .expect("the builder takes whole RRSIG RDATA");
        u32::from_be_bytes(octets)
    };
    rrset
        .signatures()
        .filter_map(|rdata| {
            let expiration = time(rdata, 8).wrapping_sub(now).cast_signed();
            let age = now.wrapping_sub(time(rdata, 12)).cast_signed();
            u32::try_from(expiration).ok().filter(|_| age >= 0)
        })
        .max()
}
