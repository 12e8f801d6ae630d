//! Which delegations change from one generation to the next.
//!
//! The records of a zone are gone when its referrals are made, so a generation
//! keeps a [`Roll`]: of each delegation its name and a hash of what it says, some
//! twenty octets. Rolls are in canonical order and are compared in one walk.
//!
//! A delegation says its NS records, its DS records and its glue, with their
//! TTLs. Signatures and proofs of absence are not looked at: they change by
//! themselves, all of them.

use std::cmp::Ordering;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::LazyLock;

use domain::base::{Name, Serial};
use hashbrown::DefaultHashBuilder;
use serde::{Deserialize, Serialize};

use crate::report::listing::Listing;
use crate::zone::cuts::Delegation;
use crate::zone::proof::Proof;
use crate::zone::records::{NameRef, Rrset};

/// Names that are told of each kind of change; of the rest their number.
pub const NAMES_TOLD: usize = 10_000;

/// Octets of a hash. With four, one change of four thousand million is not
/// seen; nothing but what is told of changes depends on it.
const HASH_OCTETS: usize = 4;

/// One hash for the life of this process: rolls of different generations are
/// compared.
static HASHES: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// The delegations of a zone, in canonical order.
#[derive(Debug, Default)]
pub struct Roll {
    /// Of each the octets of its name (one octet), its name in front of the
    /// apex, in lower case, and the hash.
    octets: Vec<u8>,
}

impl Roll {
    /// Adds a delegation behind all others.
    pub fn add(&mut self, delegation: &Delegation<'_>) {
        let name = delegation.cut.as_slice();
        let apex = delegation.zone.apex().as_slice();
        let own = &name[..name.len() - apex.len()];
        self.octets
            .push(u8::try_from(own.len()).expect("a name has at most 255 octets"));
        self.octets.extend(own.iter().map(u8::to_ascii_lowercase));
        self.octets.extend(contents(delegation));
    }

    /// Adds the delegations of a later part of the zone.
    pub fn append(&mut self, later: &Self) {
        self.octets.extend_from_slice(&later.octets);
    }

    fn entries(&self) -> Entries<'_> {
        Entries { rest: &self.octets }
    }
}

/// A hash of what a delegation says.
fn contents(delegation: &Delegation<'_>) -> [u8; HASH_OCTETS] {
    let mut hasher = HASHES.build_hasher();
    let mut add = |rrset: Rrset<'_>| {
        // In whatever case: it is the same name.
        let owner = rrset.owner().as_slice().iter();
        owner.for_each(|octet| octet.to_ascii_lowercase().hash(&mut hasher));
        (rrset.rtype().to_int(), rrset.ttl(), rrset.len()).hash(&mut hasher);
        rrset.records().for_each(|data| data.hash(&mut hasher));
    };
    add(delegation.ns);
    delegation.glue.iter().for_each(|glue| add(glue.rrset));
    if let Proof::Ds(ds) = delegation.proof {
        add(ds);
    }
    (hasher.finish() as u32).to_ne_bytes()
}

/// Walks a roll.
#[derive(Clone, Copy)]
struct Entries<'r> {
    rest: &'r [u8],
}

/// A delegation of a roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry<'r> {
    /// The name in front of the apex.
    name: &'r [u8],
    hash: &'r [u8],
}

impl<'r> Iterator for Entries<'r> {
    type Item = Entry<'r>;

    fn next(&mut self) -> Option<Entry<'r>> {
        let (&octets, rest) = self.rest.split_first()?;
        let (name, rest) = rest.split_at(usize::from(octets));
        let (hash, rest) = rest.split_at(HASH_OCTETS);
        self.rest = rest;
        Some(Entry { name, hash })
    }
}

/// The canonical order of two names (RFC 4034 section 6.1), both in front of
/// the same apex.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let reversed = |name| {
        let mut labels: Vec<&[u8]> = labels(name).collect();
        labels.reverse();
        labels
    };
    // Mostly one label each.
    reversed(one).cmp(&reversed(other))
}

fn labels(mut name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&octets, rest) = name.split_first()?;
        let (label, rest) = rest.split_at(usize::from(octets));
        name = rest;
        Some(label)
    })
}

/// What is kept of a zone, to compare the next generation's with.
#[derive(Debug)]
pub struct ZoneRoll {
    /// The apex.
    pub apex: Name<Vec<u8>>,
    /// The serial of its SOA record.
    pub serial: u32,
    /// Its delegations.
    pub delegations: Roll,
}

/// Counts a name, and lists it if there are not too many.
fn tell(names: &mut Listing<String>, name: &[u8], apex: &NameRef) {
    if names.listed.len() >= NAMES_TOLD {
        names.total += 1;
        return;
    }
    let octets = [name, apex.as_slice()].concat();
    let name = Name::from_octets(octets).expect("it was a name");
    names.push(name.fmt_with_dot().to_string(), NAMES_TOLD);
}

/// What changes in a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneChanges {
    /// The apex, with the final dot.
    pub apex: String,
    /// The serial before.
    pub serial_before: u32,
    /// The serial now.
    pub serial: u32,
    /// Whether its text is the same: it was taken over, or those of all zones are
    /// the same.
    pub unchanged: bool,
    /// Delegations that were not there.
    pub added: Listing<String>,
    /// Delegations that are no more.
    pub removed: Listing<String>,
    /// Delegations whose NS, DS or glue records differ.
    pub changed: Listing<String>,
}

impl ZoneRoll {
    /// The first of its delegations.
    pub fn first_delegation(&self) -> Option<Name<Vec<u8>>> {
        let first = self.delegations.entries().next()?;
        let octets = [first.name, self.apex.as_slice()].concat();
        Some(Name::from_octets(octets).expect("it was a name"))
    }
}

impl ZoneChanges {
    /// From one generation of a zone to the next. If it was taken over they are
    /// the same roll, which is not looked at.
    pub fn between(before: &ZoneRoll, after: &ZoneRoll) -> Self {
        let apex = after.apex.for_slice();
        let mut changes = Self {
            apex: apex.fmt_with_dot().to_string(),
            serial_before: before.serial,
            serial: after.serial,
            unchanged: std::ptr::eq(before, after),
            added: Listing::default(),
            removed: Listing::default(),
            changed: Listing::default(),
        };
        if changes.unchanged {
            return changes;
        }
        let mut old = before.delegations.entries().peekable();
        let mut new = after.delegations.entries().peekable();
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return changes,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) if old.name == new.name => Ordering::Equal,
                (Some(old), Some(new)) => compare(old.name, new.name),
            };
            let gone = old.next_if(|_| order.is_le());
            let come = new.next_if(|_| order.is_ge());
            match (gone, come) {
                (Some(gone), None) => tell(&mut changes.removed, gone.name, apex),
                (None, Some(come)) => tell(&mut changes.added, come.name, apex),
                (Some(gone), Some(come)) if gone.hash != come.hash => {
                    tell(&mut changes.changed, come.name, apex);
                }
                _ => {}
            }
        }
    }

    /// Whether the serial goes forward, by serial number arithmetic (RFC 1982):
    /// `Less` if it does, `Equal` if it stays, else `Greater`, as also where that
    /// arithmetic does not say.
    pub fn serial_order(&self) -> Ordering {
        let order = Serial(self.serial_before).partial_cmp(&Serial(self.serial));
        order.unwrap_or(Ordering::Greater)
    }

    /// How many delegations change, in words.
    pub fn counts(&self) -> String {
        let [added, removed, changed] =
            [&self.added, &self.removed, &self.changed].map(|kind| kind.total);
        format!("{added} delegations added, {removed} removed, {changed} changed")
    }

    /// Leaves the numbers, and no names.
    pub fn forget_names(&mut self) {
        for kind in [&mut self.added, &mut self.removed, &mut self.changed] {
            kind.listed.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::cuts::find_cuts;
    use crate::zone::master_file::read_text;
    use std::path::Path;

    fn roll(serial: u32, delegations: &str) -> ZoneRoll {
        let apex: Name<Vec<u8>> = "test".parse().expect("a name");
        let text = format!(
            "$TTL 60\n@ SOA ns.void. h.void. {serial} 2 3 4 5\n@ NS ns.void.\n{delegations}"
        );
        let zones = [read_text(&apex, Path::new("test.zone"), text.as_bytes()).expect("a zone")];
        let mut delegations = Roll::default();
        let cuts = find_cuts(&zones, &[]).delegations;
        // As the parts of a large zone are put together.
        for part in cuts.chunks(2) {
            let mut later = Roll::default();
            part.iter().for_each(|delegation| later.add(delegation));
            delegations.append(&later);
        }
        ZoneRoll {
            apex,
            serial,
            delegations,
        }
    }

    /// What is told where no delegation changes.
    const NONE: &str = "0 delegations added, 0 removed, 0 changed";

    #[test]
    fn delegations_come_go_and_change() {
        let before = roll(
            7,
            "a NS ns.void.\nb NS ns.void.\nx.b2 NS ns.void.\nc NS ns.c\nns.c A 192.0.2.1\nd NS ns.void.\n",
        );
        let after = roll(
            8,
            "A NS ns.void.\nx.b2 NS ns.void.\nz.b NS ns.void.\nc NS ns.c\nns.c A 192.0.2.2\nd NS ns2.void.\ne NS ns.void.\n",
        );
        let changes = ZoneChanges::between(&before, &after);
        assert_eq!(changes.added.listed, ["z.b.test.", "e.test."]);
        assert_eq!(changes.removed.listed, ["b.test."]);
        assert_eq!(changes.changed.listed, ["c.test.", "d.test."]);
        assert_eq!(changes.serial_order(), Ordering::Less);

        let back = ZoneChanges::between(&after, &before);
        assert_eq!(back.added, changes.removed);
        assert_eq!(back.removed, changes.added);
        assert_eq!(back.changed, changes.changed);
        assert_eq!(back.serial_order(), Ordering::Greater);
        assert!(!changes.unchanged && !back.unchanged);
        let taken_over = ZoneChanges::between(&before, &before);
        assert!(taken_over.unchanged);
        assert_eq!(taken_over.counts(), NONE);
    }

    #[test]
    fn a_ds_record_is_a_change_and_a_signature_is_not() {
        let signed = |digest: &str, expires: u32| {
            let sign = |owner: &str, covered: &str| {
                format!("{owner} RRSIG {covered} 13 2 60 {expires} 20200101000000 1 test. AAAA\n")
            };
            let records = [
                String::from("@ DNSKEY 257 3 13 AAAA\n@ NSEC a NS SOA RRSIG NSEC DNSKEY\n"),
                sign("@", "SOA"),
                format!("a NS ns.void.\na DS 1 13 2 {digest}\n"),
                sign("a", "DS"),
            ];
            roll(1, &records.concat())
        };
        let before = signed("00", 1_900_000_000);
        let resigned = ZoneChanges::between(&before, &signed("00", 1_900_000_001));
        assert_eq!(resigned.counts(), NONE);
        let rolled = ZoneChanges::between(&before, &signed("01", 1_900_000_000));
        assert_eq!(rolled.changed.listed, ["a.test."]);
    }

    #[test]
    fn serials_are_compared_as_rfc_1982_says() {
        for (before, after, order) in [
            (1, 2, Ordering::Less),
            (u32::MAX, 0, Ordering::Less),
            (0, 1 << 30, Ordering::Less),
            (5, 5, Ordering::Equal),
            (2, 1, Ordering::Greater),
            (0, u32::MAX, Ordering::Greater),
            (0, 1 << 31, Ordering::Greater),
        ] {
            let changes = ZoneChanges::between(&roll(before, ""), &roll(after, ""));
            assert_eq!(changes.serial_order(), order, "{before} {after}");
        }
    }

    #[test]
    fn not_all_names_are_told() {
        let many: String = (0..=NAMES_TOLD)
            .map(|n| format!("n{n} NS ns.void.\n"))
            .collect();
        let mut changes = ZoneChanges::between(&roll(1, ""), &roll(2, &many));
        assert_eq!(changes.added.total, NAMES_TOLD + 1);
        assert_eq!(changes.added.listed.len(), NAMES_TOLD);
        changes.forget_names();
        assert!(changes.added.listed.is_empty());
    }
}
