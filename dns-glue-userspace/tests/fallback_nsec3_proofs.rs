//! The NSEC3 proofs of the fallback, judged as a validator would: small zones
//! at random, with octets for signatures, and every name around their owners.
//!
//! The judge knows the reply alone, and RFC 5155 section 8. Beside it a model
//! of the zone says what there is to be denied.

mod fallback_support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use dns_glue::serve::fallback::{FallbackZones, Settings, Transport, answer};
use dns_glue::zone::master_file;
use dns_glue::zone::nsec3::{Hash, Parameters};
use domain::base::iana::OptRcode;
use domain::base::{Name, Rtype};
use domain::utils::base32;
use fallback_support::reply::{Record, Reply};
use fallback_support::{Edns, name, query};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

const APEX: &str = "z.example";
const LABELS: [&str; 4] = ["a", "b", "c", "*"];

/// What an owner has. Targets are names below the apex.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Address,
    Text,
    Insecure,
    Secure,
    Alias(String),
    Subtree(String),
}

impl Kind {
    /// The records without their signatures, as type and data.
    fn records(&self) -> Vec<(Rtype, String)> {
        let digest = "00".repeat(32);
        match self {
            Self::Address => vec![(Rtype::A, "192.0.2.1".to_owned())],
            Self::Text => vec![(Rtype::TXT, "text".to_owned())],
            Self::Insecure => vec![(Rtype::NS, "ns.invalid.".to_owned())],
            Self::Secure => vec![
                (Rtype::NS, "ns.invalid.".to_owned()),
                (Rtype::DS, format!("1 13 2 {digest}")),
            ],
            Self::Alias(target) => vec![(Rtype::CNAME, format!("{target}."))],
            Self::Subtree(target) => vec![(Rtype::DNAME, format!("{target}."))],
        }
    }
}

/// A zone before it is signed, and how it is.
#[derive(Clone, Debug)]
struct Model {
    /// Owners but the apex.
    owners: BTreeMap<String, Kind>,
    parameters: Parameters,
    opt_out: bool,
    /// Under opt-out: empty non-terminals that are there for insecure
    /// delegations only have NSEC3 all the same. A signer may choose.
    keep_empty: bool,
}

/// The ancestors of a name from itself up to the apex.
fn up_to_apex(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| {
        name.split_once('.').map(|(_, rest)| rest)
    })
    .take_while(|name| name.ends_with(APEX))
}

/// The ancestors of a name from its parent up to the apex.
fn above(name: &str) -> impl Iterator<Item = &str> {
    up_to_apex(name).skip(1)
}

impl Model {
    /// Whether a name lies below a cut or a DNAME.
    fn is_occluded(&self, name: &str) -> bool {
        above(name).any(|name| {
            matches!(
                self.owners.get(name),
                Some(Kind::Insecure | Kind::Secure | Kind::Subtree(_))
            )
        })
    }

    /// Whether a name exists, as an owner or an empty non-terminal.
    fn exists(&self, name: &str) -> bool {
        name == APEX
            || self
                .owners
                .keys()
                .any(|owner| owner == name || owner.ends_with(&format!(".{name}")))
    }

    /// The names that have an NSEC3, with their types.
    fn in_chain(&self) -> BTreeMap<String, BTreeSet<Rtype>> {
        let apex_types = [
            Rtype::SOA,
            Rtype::NS,
            Rtype::DNSKEY,
            Rtype::NSEC3PARAM,
            Rtype::RRSIG,
        ];
        let mut chain = BTreeMap::from([(APEX.to_owned(), BTreeSet::from(apex_types))]);
        for (owner, kind) in &self.owners {
            let left_out = self.opt_out && *kind == Kind::Insecure;
            if self.is_occluded(owner) || left_out && !self.keep_empty {
                continue;
            }
            for name in above(owner) {
                chain.entry(name.to_owned()).or_default();
            }
            if left_out {
                continue;
            }
            let types = chain.entry(owner.clone()).or_default();
            types.extend(kind.records().iter().map(|(rtype, _)| *rtype));
            if *kind != Kind::Insecure {
                types.insert(Rtype::RRSIG);
            }
        }
        chain
    }

    fn hash(&self, name_text: &str) -> Hash {
        self.parameters.hash(name(name_text).for_slice())
    }

    /// The signed zone, as a master file.
    fn text(&self) -> String {
        let salt: String = self
            .parameters
            .salt
            .iter()
            .fold(String::new(), |mut text, octet| {
                write!(text, "{octet:02x}").expect("a string has room");
                text
            });
        let salt = if salt.is_empty() { "-" } else { &salt };
        let iterations = self.parameters.iterations;
        let mut text = String::new();
        let mut put = |owner: &str, rtype: Rtype, data: &str, signed: bool| {
            writeln!(text, "{owner}. 300 {rtype} {data}").expect("a string has room");
            if signed {
                // RFC 4034 section 3.1.3.
                let labels = owner.split('.').count() - usize::from(owner.starts_with("*."));
                writeln!(
                    text,
                    "{owner}. 300 RRSIG {rtype} 13 {labels} 300 20900101000000 20260101000000 1 {APEX}. AAAA"
                )
                .expect("a string has room");
            }
        };
        put(APEX, Rtype::SOA, "ns.invalid. h.invalid. 1 2 3 4 300", true);
        put(APEX, Rtype::NS, "ns.invalid.", true);
        put(APEX, Rtype::DNSKEY, "257 3 13 AAAA", true);
        let param = format!("1 0 {iterations} {salt}");
        put(APEX, Rtype::NSEC3PARAM, &param, true);
        for (owner, kind) in &self.owners {
            for (rtype, data) in kind.records() {
                let signed = rtype != Rtype::NS && !self.is_occluded(owner);
                put(owner, rtype, &data, signed);
            }
        }
        let chain: BTreeMap<Hash, BTreeSet<Rtype>> = self
            .in_chain()
            .into_iter()
            .map(|(name, types)| (self.hash(&name), types))
            .collect();
        let hashes: Vec<&Hash> = chain.keys().collect();
        for (place, (hash, types)) in chain.iter().enumerate() {
            let next = hashes[(place + 1) % hashes.len()];
            let types: Vec<String> = types.iter().map(ToString::to_string).collect();
            let data = format!(
                "1 {} {iterations} {salt} {} {}",
                u8::from(self.opt_out),
                base32::encode_string_hex(next),
                types.join(" ")
            );
            let owner = format!("{}.{APEX}", base32::encode_string_hex(hash).to_lowercase());
            put(&owner, Rtype::NSEC3, &data, true);
        }
        text
    }
}

/// An NSEC3 record of a reply.
#[derive(Debug)]
struct Proof {
    owner: Hash,
    next: Hash,
    opt_out: bool,
    types: BTreeSet<u16>,
}

impl Proof {
    fn read(record: &Record) -> Self {
        let (label, zone) = record.owner.split_once('.').expect("a hash and the apex");
        assert_eq!(zone.trim_end_matches('.'), APEX);
        let owner: Vec<u8> = base32::decode_hex(label).expect("a hash");
        let [1, flags, _, _, salt, rest @ ..] = record.data.as_slice() else {
            panic!("not NSEC3 with SHA-1: {record}");
        };
        let (next, mut rest) = rest[usize::from(*salt) + 1..].split_at(20);
        let mut types = BTreeSet::new();
        while let [window, length, tail @ ..] = rest {
            let (bits, tail) = tail.split_at(usize::from(*length));
            for (octet, bits) in (0_u16..).zip(bits) {
                let set = (0..8).filter(|bit| bits & 0x80 >> bit != 0);
                types.extend(set.map(|bit| u16::from(*window) << 8 | octet << 3 | bit));
            }
            rest = tail;
        }
        Self {
            owner: owner.try_into().expect("20 octets"),
            next: next.try_into().expect("20 octets"),
            opt_out: flags & 1 != 0,
            types,
        }
    }

    /// Whether a hash lies between owner and next, neither included.
    fn covers(&self, hash: &Hash) -> bool {
        if self.owner < self.next {
            self.owner < *hash && *hash < self.next
        } else {
            self.owner < *hash || *hash < self.next
        }
    }
}

/// What a validator knows of a reply: its NSEC3 records.
struct Validator<'a> {
    model: &'a Model,
    proofs: Vec<Proof>,
}

impl Validator<'_> {
    fn matching(&self, name: &str) -> Option<&Proof> {
        let hash = self.model.hash(name);
        self.proofs.iter().find(|proof| proof.owner == hash)
    }

    fn covering(&self, name: &str) -> Option<&Proof> {
        let hash = self.model.hash(name);
        self.proofs.iter().find(|proof| proof.covers(&hash))
    }

    /// Section 8.3: the closest encloser, and the record that covers the next
    /// closer name.
    fn closest_encloser<'n>(&self, name: &'n str) -> Option<(&'n str, &Proof)> {
        let encloser = above(name).find(|name| self.matching(name).is_some())?;
        let next_closer = up_to_apex(name)
            .take_while(|name| *name != encloser)
            .last()?;
        Some((encloser, self.covering(next_closer)?))
    }

    /// Whether the record that matches a name has neither of the types.
    fn lacks_types(&self, name: &str, types: &[Rtype]) -> bool {
        self.matching(name).is_some_and(|proof| {
            types
                .iter()
                .all(|rtype| !proof.types.contains(&rtype.to_int()))
        })
    }

    /// Section 8.4. Opt-out may leave no proof that a wildcard does not answer:
    /// where one exists below the closest provable encloser.
    fn proves_no_name(&self, name: &str) -> bool {
        self.closest_encloser(name)
            .is_some_and(|(encloser, closer)| {
                let wildcard = format!("*.{encloser}");
                self.covering(&wildcard).is_some() || closer.opt_out && self.model.exists(&wildcard)
            })
    }

    /// Sections 8.5, 8.6 and 8.7. An empty non-terminal that opt-out left out
    /// is proved as DS is.
    fn proves_no_data(&self, name: &str, qtype: Rtype) -> bool {
        let absent = [qtype, Rtype::CNAME];
        self.lacks_types(name, &absent)
            || self
                .closest_encloser(name)
                .is_some_and(|(encloser, closer)| {
                    let wildcard = format!("*.{encloser}");
                    if self.model.exists(name) {
                        closer.opt_out
                    } else {
                        // The wildcard that says so may be an empty
                        // non-terminal itself, and below others that opt-out
                        // left out: then it is not that of the encloser.
                        let exists = |name: &&str| self.model.exists(name);
                        let nearest = up_to_apex(name).find(exists);
                        let source = nearest.map(|nearest| format!("*.{nearest}"));
                        self.lacks_types(&wildcard, &absent)
                            || closer.opt_out && source.is_some_and(|name| self.model.exists(&name))
                            || self.covering(&wildcard).is_some_and(|proof| proof.opt_out)
                    }
                })
    }

    /// Section 8.9.
    fn proves_no_ds(&self, cut: &str) -> bool {
        match self.matching(cut) {
            Some(proof) => {
                let has = |rtype: Rtype| proof.types.contains(&rtype.to_int());
                has(Rtype::NS) && !has(Rtype::DS) && !has(Rtype::SOA)
            }
            None => self
                .closest_encloser(cut)
                .is_some_and(|(_, closer)| closer.opt_out),
        }
    }
}

/// Judges the reply to a query with DO.
fn judge(model: &Model, qname: &str, qtype: Rtype, reply: &Reply) -> Result<(), String> {
    let [answer, authority, additional] = &reply.sections;
    let require = |holds: bool, what: &str| {
        holds
            .then_some(())
            .ok_or_else(|| format!("{what}: {qname} {qtype}\n{reply}"))
    };
    let of = |section: &BTreeSet<Record>, rtype| -> Vec<Record> {
        let records = section.iter().filter(|record| record.rtype == rtype);
        records.cloned().collect()
    };
    let proofs = of(authority, Rtype::NSEC3);
    require(of(answer, Rtype::NSEC3).is_empty(), "NSEC3 as an answer")?;
    require(of(additional, Rtype::NSEC3).is_empty(), "NSEC3 as an extra")?;
    for proof in &proofs {
        let covered = Rtype::NSEC3.to_int().to_be_bytes();
        let signed = of(authority, Rtype::RRSIG)
            .iter()
            .any(|record| record.owner == proof.owner && record.data.starts_with(&covered));
        require(signed, "a proof without signature")?;
    }
    let validator = Validator {
        model,
        proofs: proofs.iter().map(Proof::read).collect(),
    };

    // Section 8.8: every expansion of a wildcard.
    for signature in of(answer, Rtype::RRSIG) {
        let owner = signature.owner.trim_end_matches('.');
        let labels = owner.split('.').count();
        let signed_labels = usize::from(signature.data[3]);
        if labels > signed_labels + usize::from(owner.starts_with("*.")) {
            let next_closer =
                up_to_apex(owner).find(|name| name.split('.').count() == signed_labels + 1);
            let covered = next_closer.is_some_and(|name| validator.covering(name).is_some());
            require(covered, "an expansion without proof")?;
        }
    }

    // The name that the aliases lead to.
    let mut end = qname.to_owned();
    let aliases = of(answer, Rtype::CNAME);
    // Aliases may go round.
    for _ in 0..aliases.len() {
        let alias = aliases
            .iter()
            .find(|alias| alias.owner.trim_end_matches('.') == end);
        if let Some(alias) = alias {
            end = alias.text.trim_end_matches('.').to_owned();
        }
    }
    let negative = !of(authority, Rtype::SOA).is_empty();
    if let [referral, ..] = of(authority, Rtype::NS).as_slice() {
        let cut = referral.owner.trim_end_matches('.');
        require(!negative, "a referral with SOA")?;
        let secure = model.owners.get(cut) == Some(&Kind::Secure);
        require(
            secure != of(authority, Rtype::DS).is_empty(),
            "DS of a referral",
        )?;
        return require(
            secure || validator.proves_no_ds(cut),
            "an insecure referral",
        );
    }
    if !negative {
        return require(!answer.is_empty(), "neither data nor denial");
    }
    // From the model: does the name exist, or a wildcard for it?
    let encloser = up_to_apex(&end).find(|name| model.exists(name));
    let encloser = encloser.expect("the apex exists");
    let exists = encloser == end || model.exists(&format!("*.{encloser}"));
    require(
        exists == (reply.rcode == OptRcode::NOERROR),
        "the code of a denial",
    )?;
    if exists {
        require(validator.proves_no_data(&end, qtype), "no data")
    } else {
        require(validator.proves_no_name(&end), "a name error")
    }
}

fn owner(depth: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    vec(select(LABELS.as_slice()), depth).prop_map(|labels| {
        let labels = labels.iter().map(|label| format!("{label}."));
        labels.collect::<String>() + APEX
    })
}

fn model() -> impl Strategy<Value = Model> {
    let kind = prop_oneof![
        3 => Just(Kind::Address),
        1 => Just(Kind::Text),
        4 => Just(Kind::Insecure),
        2 => Just(Kind::Secure),
        2 => owner(0..4).prop_map(Kind::Alias),
        1 => owner(0..4).prop_map(Kind::Subtree),
    ];
    let owners = btree_map(owner(1..5), kind, 0..10);
    let parameters = (0..4_u16, vec(any::<u8>(), 0..9));
    (owners, parameters, any::<bool>(), any::<bool>()).prop_map(
        |(mut owners, (iterations, salt), opt_out, keep_empty)| {
            // Not defined (RFC 4592 section 4).
            owners.retain(|owner, kind| {
                !owner.starts_with('*')
                    || matches!(kind, Kind::Address | Kind::Text | Kind::Alias(_))
            });
            Model {
                owners,
                parameters: Parameters {
                    iterations,
                    salt: salt.into(),
                },
                opt_out,
                keep_empty,
            }
        },
    )
}

/// Owners, names above and below them, and hashes.
fn names(model: &Model) -> BTreeSet<String> {
    let mut names = BTreeSet::from([APEX.to_owned()]);
    for owner in model.owners.keys() {
        names.extend(up_to_apex(owner).map(str::to_owned));
    }
    for name in names.clone() {
        for label in LABELS {
            names.insert(format!("{label}.{name}"));
            names.insert(format!("{label}.b.{name}"));
        }
    }
    for name in model.in_chain().keys() {
        let hash = base32::encode_string_hex(&model.hash(name)).to_lowercase();
        names.insert(format!("a.{hash}.{APEX}"));
        names.insert(format!("{hash}.{APEX}"));
    }
    names
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_denial_is_proved(model in model()) {
        let text = model.text();
        let apex: Name<Vec<u8>> = name(APEX);
        let zone = master_file::read_text(&apex, Path::new("z.zone"), text.as_bytes())
            .unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let zones = FallbackZones::new([Arc::new(zone)]).expect("a zone");
        let edns = Some(Edns { size: 1232, dnssec_ok: true });
        for qname in names(&model) {
            for qtype in [Rtype::A, Rtype::TXT, Rtype::DS, Rtype::NSEC3] {
                let request = query(1, name(&qname).for_slice(), qtype, edns);
                let reply = answer(&zones, &Settings::default(), &request, Transport::Tcp);
                let reply = Reply::parse(&reply.expect("a reply to a query"));
                let judged = judge(&model, &qname, qtype, &reply);
                prop_assert!(judged.is_ok(), "{}\n{text}", judged.unwrap_err());
            }
        }
    }
}
