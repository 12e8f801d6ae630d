//! What a query with the DO flag gets beside the NS records of a delegation.

use domain::base::iana::Rtype;

use super::faults::FaultKind;
use super::name_order;
use super::nsec3::{ChainRef, Hash};
use super::records::{Denial, NameRef, Node, Rrset, Zone};
use super::type_bitmap;

/// What shows a validator whether the child zone is signed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Proof<'z> {
    /// Nothing: the zone is not signed. DO is echoed all the same.
    Unsigned,
    /// The DS RRset with its signatures (RFC 4035 section 3.1.4).
    Ds(Rrset<'z>),
    /// No DS: the NSEC at the cut with its signatures.
    Nsec(Rrset<'z>),
    /// No DS: the NSEC3 that matches the cut with its signatures (RFC 5155
    /// section 7.2.7).
    Nsec3(Rrset<'z>),
    /// Neither DS nor NSEC3 of its own, by opt-out: see [`OptOut`].
    OptOut(OptOut<'z>),
}

/// The proof that a delegation without NSEC3 may be there and has no DS
/// (RFC 5155 sections 7.2.1 and 7.2.7). It depends on the cut alone, not on the
/// name asked for, and many cuts share it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct OptOut<'z> {
    /// The NSEC3 that matches the closest provable encloser: the nearest name
    /// above the cut that has one.
    pub encloser: Rrset<'z>,
    /// The NSEC3 that covers the next closer name, one label longer than the
    /// encloser; its opt-out bit is set. It may be the encloser's own.
    pub cover: Rrset<'z>,
}

impl<'z> Proof<'z> {
    /// The RRsets that it consists of, each once, in the order in which they
    /// are sent; their signatures belong to it.
    pub fn rrsets(&self) -> impl Iterator<Item = Rrset<'z>> + use<'z> {
        let (first, second) = match *self {
            Self::Unsigned => (None, None),
            Self::Ds(rrset) | Self::Nsec(rrset) | Self::Nsec3(rrset) => (Some(rrset), None),
            Self::OptOut(OptOut { encloser, cover }) => {
                (Some(encloser), (cover != encloser).then_some(cover))
            }
        };
        first.into_iter().chain(second)
    }
}

/// Finds the proofs of one zone's cuts.
pub(super) struct Proofs<'z> {
    zone: &'z Zone,
    /// The names above the last cut looked at, from the apex down: the next
    /// one has mostly the same.
    above: Vec<Ancestor<'z>>,
    /// Proofs by opt-out that were found before, by the place of the cover in
    /// the chain: each is that of several cuts.
    opt_outs: Vec<Option<OptOut<'z>>>,
}

/// A proof as it was found.
pub(super) struct FoundProof<'z> {
    /// The proof.
    pub(super) proof: Proof<'z>,
    /// Whether nobody has seen it yet: false only if the last cut that has the
    /// same NSEC3 to cover it has the same proof.
    pub(super) is_new: bool,
}

impl<'z> FoundProof<'z> {
    fn new(proof: Proof<'z>) -> Self {
        let is_new = true;
        Self { proof, is_new }
    }
}

/// A name above a cut.
struct Ancestor<'z> {
    name: &'z NameRef,
    hash: Hash,
    /// The NSEC3 that matches it. Under opt-out an empty non-terminal may have
    /// none (RFC 5155 section 7.1).
    matching: Option<Rrset<'z>>,
}

impl<'z> Proofs<'z> {
    /// Begins with the cuts of a zone.
    pub(super) fn of(zone: &'z Zone) -> Self {
        Self {
            zone,
            above: Vec::new(),
            opt_outs: Vec::new(),
        }
    }

    /// What a query with DO gets for a cut, or what is wrong with it. Fastest
    /// if cuts come in canonical order.
    pub(super) fn find(&mut self, cut: Node<'z>) -> Result<FoundProof<'z>, FaultKind<'z>> {
        if self.zone.denial() == Denial::Unsigned {
            return Ok(FoundProof::new(Proof::Unsigned));
        }
        if let Some(ds) = cut.rrset(Rtype::DS) {
            return if ds.is_signed() {
                Ok(FoundProof::new(Proof::Ds(ds)))
            } else {
                Err(FaultKind::UnsignedDs)
            };
        }
        match self.zone.nsec3() {
            Some(chain) => self.find_nsec3(chain, cut.name()),
            None => find_nsec(cut).map(FoundProof::new),
        }
    }

    fn find_nsec3(
        &mut self,
        chain: ChainRef<'z>,
        cut: &'z NameRef,
    ) -> Result<FoundProof<'z>, FaultKind<'z>> {
        let hash = chain.hash(cut);
        if let Some(nsec3) = chain.matching_hash(&hash) {
            let proves = chain.record(nsec3).proves_insecure_delegation();
            return check_nsec3(nsec3, proves).map(|nsec3| FoundProof::new(Proof::Nsec3(nsec3)));
        }
        self.climb(chain, cut);
        let place = self.above.iter().rposition(|name| name.matching.is_some());
        let (place, encloser) = place
            .and_then(|place| Some((place, self.above[place].matching?)))
            .ok_or(FaultKind::MissingEncloser)?;
        let next_closer = self.above.get(place + 1).map_or(hash, |name| name.hash);
        let place = chain
            .covering_place(&next_closer)
            .ok_or(FaultKind::MissingNsec3)?;
        if let Some(known) = self.opt_outs.get(place).copied().flatten()
            && known.encloser == encloser
        {
            let (proof, is_new) = (Proof::OptOut(known), false);
            return Ok(FoundProof { proof, is_new });
        }
        let cover = chain.rrset(place);
        let proof = OptOut { encloser, cover };
        check_opt_out(chain, proof)?;
        self.opt_outs.resize(chain.len(), None);
        self.opt_outs[place] = Some(proof);
        Ok(FoundProof::new(Proof::OptOut(proof)))
    }

    /// Makes `above` the names above `cut`, and keeps what is known of them.
    fn climb(&mut self, chain: ChainRef<'z>, cut: &'z NameRef) {
        while self
            .above
            .last()
            .is_some_and(|last| !name_order::is_below(cut.as_slice(), last.name.as_slice()))
        {
            self.above.pop();
        }
        let known = self.above.last().map_or(0, |last| last.name.len());
        let missing = std::iter::successors(parent(cut), |name| parent(name))
            .take_while(|name| name.len() > known && name.len() >= self.zone.apex().len());
        let from_below: Vec<&'z NameRef> = missing.collect();
        for name in from_below.into_iter().rev() {
            let hash = chain.hash(name);
            self.above.push(Ancestor {
                name,
                hash,
                matching: chain.matching_hash(&hash),
            });
        }
    }
}

/// The name one label shorter; `None` above the root.
fn parent(name: &NameRef) -> Option<&NameRef> {
    let parent = name_order::parent(name.as_slice())?;
    Some(NameRef::from_slice(parent).expect("the tail of a name is a name"))
}

/// Looks whether two NSEC3 RRsets prove what they have to.
fn check_opt_out<'z>(chain: ChainRef<'z>, proof: OptOut<'z>) -> Result<(), FaultKind<'z>> {
    let OptOut { encloser, cover } = proof;
    let owner = cover.owner();
    if !chain.record(cover).is_opt_out() {
        return Err(FaultKind::NoOptOut { owner });
    }
    check_nsec3(encloser, chain.record(encloser).may_enclose())?;
    check_nsec3(cover, true)?;
    Ok(())
}

/// An NSEC3 RRset that is part of a proof, if it is signed and `proves` what it
/// has to.
fn check_nsec3<'z>(nsec3: Rrset<'z>, proves: bool) -> Result<Rrset<'z>, FaultKind<'z>> {
    let owner = nsec3.owner();
    // Several NSEC3 records at one owner prove nothing.
    if !proves || nsec3.len() != 1 {
        return Err(FaultKind::WrongNsec3 { owner });
    }
    if !nsec3.is_signed() {
        return Err(FaultKind::UnsignedNsec3 { owner });
    }
    Ok(nsec3)
}

/// The NSEC at a cut without DS, if it proves that.
fn find_nsec<'z>(cut: Node<'z>) -> Result<Proof<'z>, FaultKind<'z>> {
    let nsec = cut.rrset(Rtype::NSEC).ok_or(FaultKind::MissingNsec)?;
    if !nsec.is_signed() {
        return Err(FaultKind::UnsignedNsec);
    }
    // Several NSEC records at one owner prove nothing.
    let proves = nsec.len() == 1
        && nsec
            .records()
            .all(|rdata| type_bitmap::proves_insecure_delegation(skip_name(rdata)));
    if proves {
        Ok(Proof::Nsec(nsec))
    } else {
        Err(FaultKind::WrongNsec)
    }
}

/// What follows the name at the start of `octets`.
fn skip_name(mut octets: &[u8]) -> &[u8] {
    while let Some((&length, rest)) = octets.split_first() {
        octets = rest.get(usize::from(length)..).unwrap_or_default();
        if length == 0 {
            break;
        }
    }
    octets
}

#[cfg(test)]
mod tests;
