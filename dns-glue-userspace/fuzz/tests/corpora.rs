//! The corpora that are kept, and seeded octets, through the targets: what the
//! fuzzers have found stays found, without a fuzzer.

use std::path::Path;

use dns_glue_common::reason::{Action, Reason};
use dns_glue_fuzz::{fallback, kernel, packet, zone};

/// The inputs of a corpus: each is its length, 16 bits, and its octets.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpora");
    let path = folder.join(format!("{target}.corpus"));
    let octets = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut rest = octets.as_slice();
    let mut inputs = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let (input, behind) = behind.split_at(u16::from_be_bytes(*length).into());
        inputs.push(input.to_vec());
        rest = behind;
    }
    inputs
}

/// Inputs of pseudo-random octets (SplitMix64), the same for a seed.
fn random(mut seed: u64, count: usize, octets: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut word = move || {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = seed;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)).to_le_bytes()
    };
    (0..count).map(move |_| (0..octets.div_ceil(8)).flat_map(|_| word()).collect())
}

/// How many inputs were answered, and how many different outcomes there were.
fn tally(outcomes: impl Iterator<Item = Reason>) -> (usize, usize) {
    let mut counts = [0; 256];
    let mut answered = 0;
    for reason in outcomes {
        counts[reason as usize] += 1;
        answered += usize::from(reason.action() == Action::Transmit);
    }
    (answered, counts.iter().filter(|count| **count != 0).count())
}

#[test]
fn packets() {
    let kept = corpus("packet");
    let (_, outcomes) = tally(kept.iter().map(|input| packet::run(input)));
    assert!(outcomes > 40, "the corpus reaches {outcomes} outcomes only");
    // Most executions must get beyond the headers.
    let (answered, _) = tally(random(1, 20_000, 200).map(|input| packet::run(&input)));
    assert!(answered > 4_000, "{answered} answers");
}

#[test]
fn packets_in_the_kernel() {
    if !kernel::is_root() {
        return;
    }
    let kept = corpus("kernel");
    let (_, outcomes) = tally(kept.iter().map(|input| kernel::run(input)));
    assert!(outcomes > 35, "the corpus reaches {outcomes} outcomes only");
    let (answered, _) = tally(random(2, 20_000, 200).map(|input| kernel::run(&input)));
    assert!(answered > 4_000, "{answered} answers");
}

#[test]
fn zones() {
    for input in corpus("zone") {
        zone::run(&input);
    }
    let asked = random(3, 1_000, 100).map(|input| match zone::run(&input) {
        zone::Outcome::Asked(delegations) => delegations,
        _ => 0,
    });
    let asked: usize = asked.sum();
    assert!(asked > 500, "{asked} delegations");
}

#[test]
fn requests_to_the_built_in_server() {
    for input in corpus("fallback") {
        fallback::run(&input);
    }
    let replies = random(4, 5_000, 200).filter_map(|input| fallback::run(&input));
    assert!(replies.count() > 3_000);
}
