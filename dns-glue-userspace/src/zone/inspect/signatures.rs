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
    /// no signature is valid any more; `None` if none is valid.
    found: Vec<(Rrset<'z>, Option<u32>)>,
    /// Those in `found`: delegations share the NSEC3 of a proof.
    known: HashSet<Rrset<'z>>,
    /// When all that were looked at have a valid signature.
    validity: Option<Validity>,
}

/// A time in which something has a valid signature, in seconds after a moment:
/// what is negative is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From when on.
    pub from: i32,
    /// Until when, at least.
    pub until: i32,
}

impl Validity {
    /// Of what has no signature.
    const NEVER: Self = Self {
        from: i32::MIN,
        until: 0,
    };

    /// In which both have one.
    fn of_both(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        }
    }

    /// Seconds that are left, if it has begun and has not ended.
    fn left(self) -> Option<u32> {
        u32::try_from(self.until).ok().filter(|_| self.from <= 0)
    }

    /// Which of several tells most of now and later: one that lasts, before one
    /// that is to come, before one that is past.
    fn rank(self) -> (u8, i32) {
        let Self { from, until } = self;
        match (from <= 0, until >= from.max(0)) {
            (true, true) => (2, until),
            (false, true) => (1, -from),
            (_, false) => (0, until),
        }
    }
}

impl<'z> Signatures<'z> {
    /// Looks at the signatures of a proof.
    pub(super) fn look_at(&mut self, proof: Proof<'z>, now: u32) {
        for rrset in proof.rrsets() {
            let validity = validity(rrset, now).unwrap_or(Validity::NEVER);
            self.note(validity);
            let left = validity.left();
            if left.is_none_or(|left| left < EXPIRES_SOON) {
                self.add(rrset, left);
            }
        }
    }

    /// When each of the RRsets has a valid signature; `None` if there are no
    /// RRsets.
    pub(super) fn validity(&self) -> Option<Validity> {
        self.validity
    }

    fn note(&mut self, validity: Validity) {
        let all = self.validity.map(|all| all.of_both(validity));
        self.validity = Some(all.unwrap_or(validity));
    }

    fn add(&mut self, rrset: Rrset<'z>, left: Option<u32>) {
        if self.known.insert(rrset) {
            self.found.push((rrset, left));
        }
    }

    /// Adds those that were met behind all of these.
    pub(super) fn append(&mut self, later: Self) {
        if let Some(validity) = later.validity {
            self.note(validity);
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

/// When an RRset has a valid signature: without a gap, one after the other.
/// `None` if it has none at all. Times compare as serial numbers (RFC 4034
/// section 3.1.5).
fn validity(rrset: Rrset<'_>, now: u32) -> Option<Validity> {
    let each = || rrset.signatures().map(|rdata| validity_of(rdata, now));
    let mut all = each().max_by_key(|one| one.rank())?;
    while let Some(later) = each()
        .filter(|one| one.from <= all.until)
        .map(|one| one.until)
        .max()
        .filter(|until| *until > all.until)
    {
        all.until = later;
    }
    Some(all)
}

/// Of one signature.
fn validity_of(rdata: &[u8], now: u32) -> Validity {
    let time = |at: usize| {
        let octets = rdata[at..at + 4]
            .try_into()
            .expect("the builder takes whole RRSIG RDATA");
        u32::from_be_bytes(octets).wrapping_sub(now).cast_signed()
    };
    Validity {
        from: time(12),
        until: time(8),
    }
}
