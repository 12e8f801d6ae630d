//! Makes a zone of all owners, if they are one.

use domain::base::Name;
use domain::base::iana::Rtype;

use super::errors::{BuildError, BuildErrorKind};
use super::gathered::{Gathered, Single};
use super::{name_of, order};
use crate::zone::nsec3::Chain;
use crate::zone::position::Position;
use crate::zone::records::{Denial, Zone};

/// Puts the owners in order, looks at each that may be wrong, and at the apex,
/// and hands out the zone.
pub(super) fn finish(
    mut gathered: Gathered,
    apex: &Name<Vec<u8>>,
) -> Result<Zone, Vec<BuildError>> {
    if u32::try_from(gathered.nodes.len()).is_err() || u32::try_from(gathered.rrsets.len()).is_err()
    {
        gathered.refuse_once(BuildErrorKind::TooLarge);
        return Err(into_errors(gathered));
    }
    let order = gathered
        .unsorted
        .then(|| order::find(&mut gathered, apex.len()));
    check_singles(&mut gathered);
    match order {
        Some(order) => order.apply(&mut gathered),
        None => gathered.number_owners(),
    }
    hand_out(gathered, apex)
}

/// Refuses several different CNAME, DNAME or SOA records at one owner, and a
/// CNAME beside other data.
fn check_singles(gathered: &mut Gathered) {
    let singles = std::mem::take(&mut gathered.singles);
    for of_owner in singles.chunk_by(|left, right| left.node == right.node) {
        let owner = of_owner[0].node as usize;
        for records in of_owner.chunk_by(|left, right| left.rtype == right.rtype) {
            check_single(gathered, owner, records);
        }
        check_cname(gathered, owner, of_owner);
    }
}

/// Refuses several different records of one such type at one owner.
fn check_single(gathered: &mut Gathered, owner: usize, records: &[Single]) {
    if records.iter().all(|record| record.place == 0) {
        return;
    }
    // Sorted by data, not by place: the later one in the text is at fault.
    let different = records.iter().filter(|record| record.place != 0);
    let position = different
        .chain(&records[..1])
        .map(|record| record.position)
        .max()
        .unwrap_or_default();
    let rtype = records[0].rtype;
    let kind = if rtype == Rtype::SOA {
        BuildErrorKind::SecondSoa
    } else {
        BuildErrorKind::NotSingle {
            owner: name_of(gathered.name(owner)),
            rtype,
        }
    };
    gathered.errors.push(BuildError { position, kind });
}

/// Refuses a CNAME beside anything but what DNSSEC adds to it (RFC 4035
/// section 2.5).
fn check_cname(gathered: &mut Gathered, owner: usize, singles: &[Single]) {
    let rrsets = &gathered.rrsets[gathered.rrsets_of(owner)];
    if !rrsets.iter().any(|rrset| rrset.rtype == Rtype::CNAME) {
        return;
    }
    let allowed = [Rtype::CNAME, Rtype::RRSIG, Rtype::NSEC, Rtype::KEY];
    let mut types = rrsets.iter().map(|rrset| rrset.rtype);
    let Some(other) = types.find(|rtype| !allowed.contains(rtype)) else {
        return;
    };
    let position = singles
        .iter()
        .find(|single| single.rtype == Rtype::CNAME)
        .map_or_else(Position::default, |single| single.position);
    let owner = name_of(gathered.name(owner));
    let kind = BuildErrorKind::CnameAndOther { owner, other };
    gathered.errors.push(BuildError { position, kind });
}

/// Looks at the apex and hands out the zone. The owners are in order.
fn hand_out(mut gathered: Gathered, apex: &Name<Vec<u8>>) -> Result<Zone, Vec<BuildError>> {
    // The apex sorts before every name below it, and others are refused.
    let has_apex = !gathered.nodes.is_empty() && gathered.name(0).len() == apex.len();
    let at_apex = if has_apex {
        &gathered.rrsets[gathered.rrsets_of(0)]
    } else {
        &[]
    };
    let position = |rtype| at_apex.iter().position(|rrset| rrset.rtype == rtype);
    let soa = position(Rtype::SOA);
    let has_ns = position(Rtype::NS).is_some();
    let signed =
        position(Rtype::DNSKEY).is_some() && soa.is_some_and(|soa| at_apex[soa].signatures != 0);
    if !has_ns {
        gathered.refuse_once(BuildErrorKind::MissingApexNs { apex: apex.clone() });
    }
    if soa.is_none() {
        gathered.refuse_once(BuildErrorKind::MissingSoa { apex: apex.clone() });
    }
    let Some(soa) = soa.filter(|_| gathered.errors.is_empty()) else {
        return Err(into_errors(gathered));
    };
    let mut zone = Zone {
        names: shrunk(gathered.names),
        data: shrunk(gathered.data),
        nodes: shrunk(gathered.nodes),
        rrsets: shrunk(gathered.rrsets),
        soa: u32::try_from(soa).expect("an owner has an RRset for each type at most"),
        denial: Denial::Unsigned,
        nsec3: None,
        holds_deleg: gathered.holds_deleg,
        record_count: gathered.record_count,
        files: Vec::new(),
        texts: None,
    };
    if signed && let Err(kind) = find_denial(&mut zone) {
        return Err(vec![BuildError {
            position: Position::default(),
            kind,
        }]);
    }
    Ok(zone)
}

/// Without memory that it does not need.
fn shrunk<T>(mut all: Vec<T>) -> Vec<T> {
    all.shrink_to_fit();
    all
}

/// The errors in the order of their places.
fn into_errors(mut gathered: Gathered) -> Vec<BuildError> {
    gathered.errors.sort_by_key(|error| error.position);
    gathered.errors
}

/// Finds how a signed zone proves absence: see [`Denial`].
fn find_denial(zone: &mut Zone) -> Result<(), BuildErrorKind> {
    let holds = |zone: &Zone, rtype| zone.rrsets.iter().any(|rrset| rrset.rtype == rtype);
    let nsec = holds(zone, Rtype::NSEC);
    match Chain::find(zone) {
        Some(chain) if chain.is_complete() || !nsec => {
            zone.nsec3 = Some(chain);
            zone.denial = Denial::Nsec3;
            Ok(())
        }
        _ if nsec => {
            zone.denial = Denial::Nsec;
            Ok(())
        }
        _ => {
            let apex = name_of(zone.apex().as_slice());
            Err(
                if holds(zone, Rtype::NSEC3) || holds(zone, Rtype::NSEC3PARAM) {
                    BuildErrorKind::NoNsec3Chain { apex }
                } else {
                    BuildErrorKind::NoDenial { apex }
                },
            )
        }
    }
}
