//! From a zone in memory to a generation: cuts, pieces, index, and what an
//! operator should know, as the daemon starts. Reading the text is not in it.
//!
//!     cargo bench --bench compile

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dns_glue::compile::{self, Report, Watch};
use dns_glue::synthetic::{self, Labels, Parameters, Profile, Signing};
use dns_glue::zone::cuts::{Delegation, find_cuts};
use dns_glue::zone::inspect::{Inspection, Inspector, PartNotes, inspect};
use dns_glue::zone::master_file::read_text;
use dns_glue::zone::records::Zone;
use dns_glue::zone::survey::Survey;
use domain::base::Name;

/// 2026-01-01, a day on which the signatures of the zones are valid.
const NOW: u32 = 1_767_225_600;
const DELEGATIONS: u64 = 10_000;

fn read(apex: &str, text: &[u8]) -> Zone {
    let apex = Name::vec_from_str(apex).expect("a name");
    match read_text(&apex, Path::new(env!("CARGO_MANIFEST_DIR")), text) {
        Ok(zone) => zone,
        Err(errors) => panic!("{errors}"),
    }
}

fn synthetic(profile: Profile, signing: Signing) -> Zone {
    let parameters = Parameters {
        apex: Name::vec_from_str("example.").expect("a name"),
        delegations: DELEGATIONS,
        profile,
        seed: 1,
        signing,
    };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("zones");
    let file = synthetic::cached(&parameters, &Labels::made_up(), &folder);
    let text = std::fs::read(file.expect("the zone is made")).expect("the zone is there");
    read("example.", &text)
}

/// The zones by name; one that has to be signed only if the signer is there.
fn zones() -> Vec<(&'static str, Zone)> {
    let example = include_bytes!("../testdata/example-signed.zone");
    let mut zones = vec![
        ("example", read("signed.example.", example)),
        ("plain", synthetic(Profile::Plain, Signing::None)),
        ("in-domain", synthetic(Profile::InDomain, Signing::None)),
    ];
    if Command::new("dnssec-signzone").arg("-h").output().is_ok() {
        zones.push(("opt-out", synthetic(Profile::Plain, Signing::OptOut)));
    } else {
        eprintln!("opt-out: left out, there is no dnssec-signzone (Debian's bind9-utils)");
    }
    zones
}

/// What the daemon notes of each delegation.
struct Watcher<'s, 'z>(Inspector<'s, 'z>);

impl<'z> Watch<'z> for Watcher<'_, 'z> {
    type Notes = PartNotes<'z>;

    fn begin(&self, part: usize) -> PartNotes<'z> {
        self.0.begin(part)
    }

    fn note(&self, notes: &mut PartNotes<'z>, delegation: &Delegation<'z>, _: &Report<'z>) {
        self.0.look_at(notes, delegation);
    }
}

/// As the daemon does it.
fn streamed(zones: &[Zone]) -> usize {
    let survey = Survey::of(zones, &[]);
    let inspector = Inspector::new(&survey, NOW);
    let mut inspection = Inspection::new(inspector);
    let compiled = compile::compile_from(zones, &survey, None, &(), &Watcher(inspector), |notes| {
        inspection.add(notes);
    });
    let compiled = compiled.expect("the zone compiles");
    let mut faults = compiled.faults;
    inspection.finish(&mut faults);
    compiled.generation.buckets.len() + faults.len()
}

fn benches(criterion: &mut Criterion) {
    for (name, zone) in zones() {
        let zones = [zone];
        let cuts = find_cuts(&zones, &[]);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(cuts.delegations.len() as u64));
        group.bench_function("find_cuts", |bencher| {
            bencher.iter_batched(|| (), |()| find_cuts(&zones, &[]), BatchSize::LargeInput);
        });
        group.bench_function("compile", |bencher| {
            let compile = || compile::compile(&zones, &cuts, &()).map(|made| made.generation);
            bencher.iter_batched(|| (), |()| compile(), BatchSize::LargeInput);
        });
        group.bench_function("inspect", |bencher| {
            bencher.iter(|| inspect(&zones, &cuts, NOW));
        });
        group.bench_function("all", |bencher| {
            bencher.iter(|| streamed(black_box(&zones)));
        });
    }
}

criterion_group!(all, benches);
criterion_main!(all);
