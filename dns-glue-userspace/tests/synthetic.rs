//! Synthetic TLDs have the shape that they are said to have, and are read and
//! checked without a fault.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dns_glue::compile::{self, Report, Watch};
use dns_glue::synthetic::{self, Labels, Parameters, Profile, Signing};
use dns_glue::testbed::needs;
use dns_glue::zone::cuts::{Delegation, GlueKind, find_cuts};
use dns_glue::zone::inspect::inspect;
use dns_glue::zone::master_file::read_text;
use dns_glue::zone::proof::Proof;
use dns_glue::zone::records::{Denial, Zone};
use dns_glue::zone::survey::Survey;
use domain::base::Name;

fn parameters(delegations: u64, profile: Profile, signing: Signing) -> Parameters {
    Parameters {
        apex: Name::vec_from_str("example.").expect("a valid name"),
        delegations,
        profile,
        seed: 1,
        signing,
    }
}

fn text(parameters: &Parameters, labels: &Labels) -> Vec<u8> {
    let mut text = Vec::new();
    synthetic::write(parameters, labels, &mut text).expect("a vector takes all");
    text
}

fn read(parameters: &Parameters, text: &[u8]) -> Zone {
    match read_text(&parameters.apex, Path::new("synthetic.zone"), text) {
        Ok(zone) => zone,
        Err(errors) => panic!("{errors}"),
    }
}

/// The list of .nu; made up where it is not at hand.
fn labels() -> Labels {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data/nu-delegation-names-20260822.txt.xz");
    if path.exists() {
        return Labels::read(&path).expect("a list of names");
    }
    println!("{} is not there: labels are made up", path.display());
    Labels::made_up()
}

/// What is counted in a zone.
struct Shape {
    delegations: usize,
    /// Delegations by their number of name servers.
    sizes: HashMap<usize, usize>,
    /// Delegations by their set of name servers.
    sets: HashMap<Vec<Vec<u8>>, usize>,
    in_domain: usize,
    sibling: usize,
    signed: usize,
    faults: Vec<String>,
}

const DELEGATIONS: u64 = 20_000;

fn shape_of(zone: Zone) -> Shape {
    let zones = [zone];
    let cuts = find_cuts(&zones, &[]);
    let mut shape = Shape {
        delegations: cuts.delegations.len(),
        sizes: HashMap::new(),
        sets: HashMap::new(),
        in_domain: 0,
        sibling: 0,
        signed: 0,
        faults: inspect(&zones, &cuts, 1_767_600_000)
            .iter()
            .map(ToString::to_string)
            .collect(),
    };
    shape
        .faults
        .extend(cuts.faults.iter().map(ToString::to_string));
    for delegation in &cuts.delegations {
        *shape.sizes.entry(delegation.ns.len()).or_default() += 1;
        let mut set: Vec<_> = delegation.ns.records().map(<[u8]>::to_vec).collect();
        set.sort();
        *shape.sets.entry(set).or_default() += 1;
        let kinds: HashSet<_> = delegation.glue.iter().map(|glue| glue.kind).collect();
        shape.in_domain += usize::from(kinds.contains(&GlueKind::InDomain));
        shape.sibling += usize::from(kinds.contains(&GlueKind::Sibling));
        // Every name server of the zone has A and AAAA.
        if !kinds.is_empty() {
            assert_eq!(delegation.glue.len(), 2 * delegation.ns.len());
        }
        shape.signed += usize::from(matches!(delegation.proof, Proof::Ds(_)));
    }
    shape
}

impl Shape {
    fn share(&self, count: usize) -> f64 {
        count as f64 / self.delegations as f64
    }
}

#[track_caller]
fn assert_near(value: f64, wanted: f64, tolerance: f64) {
    assert!(
        (value - wanted).abs() <= tolerance,
        "{value} is not {wanted}"
    );
}

#[test]
fn the_plain_profile() {
    let parameters = parameters(DELEGATIONS, Profile::Plain, Signing::None);
    let shape = shape_of(read(&parameters, &text(&parameters, &labels())));
    assert_eq!(shape.delegations as u64, DELEGATIONS);
    assert_near(shape.share(shape.sizes[&2]), 0.70, 0.01);
    assert_near(shape.share(shape.sizes[&4]), 0.20, 0.01);
    assert!(!shape.sizes.contains_key(&1));
    assert_near(DELEGATIONS as f64 / shape.sets.len() as f64, 12.0, 0.6);
    let own = shape.sets.values().filter(|&&count| count == 1).count();
    assert_near(shape.share(own), 0.04, 0.007);
    assert_near(shape.share(shape.in_domain), 0.002, 0.0001);
    assert_eq!(shape.sibling, 0);
    assert_eq!(shape.signed, 0);
    assert_eq!(shape.faults, Vec::<String>::new());
    assert_zipf(&shape);
}

/// Zipf's law with an exponent of 0.92, seen from the rare end (Simon 1955,
/// with 8 % new sets): 52 % of the sets have one delegation, 17 % two, 8 %
/// three. And in the middle popularity falls with the rank nearly as 1/rank.
fn assert_zipf(shape: &Shape) {
    let mut counts: Vec<usize> = shape.sets.values().copied().collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    for (delegations, wanted) in [(1, 0.521), (2, 0.169), (3, 0.083)] {
        let sets = counts.iter().filter(|&&count| count == delegations).count();
        assert_near(sets as f64 / counts.len() as f64, wanted, 0.04);
    }
    let decade = (counts[50] as f64 / counts[500] as f64).log10();
    assert_near(decade, 0.92, 0.2);
}

#[test]
fn the_hard_profile() {
    let parameters = parameters(DELEGATIONS, Profile::InDomain, Signing::None);
    let shape = shape_of(read(&parameters, &text(&parameters, &labels())));
    assert_near(shape.share(shape.in_domain), 0.15, 0.001);
    assert_near(shape.share(shape.sibling), 0.15, 0.001);
    assert_near(shape.share(shape.sizes[&2]), 0.70, 0.02);
    assert_near(shape.share(shape.sizes[&4]), 0.20, 0.02);
    assert_eq!(shape.faults, Vec::<String>::new());
}

/// The digest is that of sha256sum over what was written when the shape was
/// found good. If it changes, `EDITION` must.
#[test]
fn the_same_parameters_give_the_same_octets() {
    for (profile, signing, digest) in [
        (
            Profile::Plain,
            Signing::None,
            "6239702eece4d6f97f05b5db9f8ea7b666ea597aaf61e2fbd1a901fe5628e67d",
        ),
        (
            Profile::InDomain,
            Signing::OptOut,
            "cdb2ffda349d16469b4da99d6b7aa69d788ab992249a980ba95523d869c45310",
        ),
    ] {
        let text = text(&parameters(2_000, profile, signing), &Labels::made_up());
        assert_eq!(sha256(&text), digest, "{profile:?}");
    }
}

fn sha256(octets: &[u8]) -> String {
    let mut sum = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum runs");
    let mut input = sum.stdin.take().expect("it is piped");
    input.write_all(octets).expect("sha256sum reads");
    drop(input);
    let output = sum.wait_with_output().expect("sha256sum ends");
    let line = String::from_utf8(output.stdout).expect("ASCII");
    line.split(' ').next().expect("the sum").to_owned()
}

#[test]
fn a_small_zone_is_the_beginning_of_a_large_one() {
    for profile in [Profile::Plain, Profile::InDomain] {
        let labels = labels();
        let small = text(&parameters(1_500, profile, Signing::Nsec), &labels);
        let large = text(&parameters(4_000, profile, Signing::Nsec), &labels);
        assert!(large.len() > small.len() * 2);
        assert_eq!(large[..small.len()], small);
    }
}

#[test]
fn seeds_give_different_zones() {
    let one = parameters(100, Profile::Plain, Signing::None);
    let other = Parameters {
        seed: 2,
        ..one.clone()
    };
    let labels = Labels::made_up();
    assert_ne!(text(&one, &labels), text(&other, &labels));
}

#[test]
fn name_servers_outside_the_zone_stay_outside() {
    for apex in [".", "com.", "SE."] {
        let parameters = Parameters {
            apex: Name::vec_from_str(apex).expect("a valid name"),
            ..parameters(10, Profile::Plain, Signing::None)
        };
        let error = synthetic::write(&parameters, &Labels::made_up(), &mut Vec::new());
        assert!(error.is_err(), "{apex}");
    }
}

/// Signed by Debian's signer: NSEC, NSEC3 and opt-out; a second time it comes
/// from the cache.
#[test]
fn signed_zones() {
    if needs::peer("dnssec-signzone", "bind9-utils").is_none() {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("synthetic");
    // Of an earlier run; there may be none.
    let _ = std::fs::remove_dir_all(&folder);
    for (signing, denial) in [
        (Signing::Nsec, Denial::Nsec),
        (Signing::Nsec3, Denial::Nsec3),
        (Signing::OptOut, Denial::Nsec3),
    ] {
        let parameters = parameters(3_000, Profile::Plain, signing);
        let file = synthetic::cached(&parameters, &Labels::made_up(), &folder);
        let file = file.expect("the zone is made");
        let signed = std::fs::read(&file).expect("the zone is there");
        let zone = read(&parameters, &signed);
        assert_eq!(zone.denial(), denial, "{signing:?}");
        let shape = shape_of(zone);
        assert_eq!(shape.delegations, 3_000);
        assert_near(shape.share(shape.signed), 0.06, 0.02);
        assert_eq!(shape.faults, Vec::<String>::new());

        let made = std::fs::metadata(&file).and_then(|file| file.modified());
        let again = synthetic::cached(&parameters, &Labels::made_up(), &folder);
        assert_eq!(again.expect("the zone is there"), file);
        let still = std::fs::metadata(&file).and_then(|file| file.modified());
        assert_eq!(made.expect("a time"), still.expect("a time"));
    }
    let left = std::fs::read_dir(&folder).expect("the folder is there");
    assert_eq!(left.count(), 3, "nothing but the zones is left");
}

/// Nobody notes anything.
struct Nobody;

impl<'z> Watch<'z> for Nobody {
    type Notes = ();

    fn begin(&self, _part: usize) {}

    fn note(&self, (): &mut (), _: &Delegation<'z>, _: &Report<'z>) {}
}

/// Several parts on several threads, whichever is faster, and all delegations
/// at once: the pieces are the same and lie at the same places.
#[test]
fn pieces_do_not_depend_on_who_was_faster() {
    let parameters = parameters(30_000, Profile::InDomain, Signing::None);
    let zones = [read(&parameters, &text(&parameters, &Labels::made_up()))];
    let cuts = find_cuts(&zones, &[]);
    let once = compile::compile(&zones, &cuts, &()).expect("it compiles");
    let survey = Survey::of(&zones, &[]);
    for _ in 0..3 {
        let streamed = compile::compile_from(&zones, &survey, None, &(), &Nobody, |()| {});
        let streamed = streamed.expect("it compiles");
        assert_eq!(streamed.pieces, once.pieces);
        let [left, right] = [&streamed.generation, &once.generation]
            .map(|generation| bytemuck::cast_slice::<_, u8>(&generation.slabs));
        assert!(left == right, "the slabs differ");
    }
}
