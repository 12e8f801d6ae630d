//! The corpora that are kept, and seeded octets, through the targets: what the
//! fuzzers have found stays found, without a fuzzer.

use std::collections::BTreeMap;

use dns_glue_fuzz::{fallback, kernel, packet, zone};

/// Pseudo-random octets (SplitMix64), 8 at a time.
fn octets(seed: &mut u64, count: usize) -> Vec<u8> {
    let mut octets = Vec::with_capacity(count + 8);
    while octets.len() < count {
        *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = *seed;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        octets.extend((word ^ (word >> 31)).to_le_bytes());
    }
    octets.truncate(count);
    octets
}

#[test]
fn packets_of_random_choices() {
    let mut seed = 1;
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..20_000 {
        let outcome = packet::run(&octets(&mut seed, 200));
        *outcomes.entry(format!("{outcome:?}")).or_default() += 1;
    }
    println!("{outcomes:#?}");
}

#[test]
fn zones_of_random_choices() {
    let mut seed = 2;
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..2_000 {
        let outcome = zone::run(&octets(&mut seed, 100));
        *outcomes.entry(format!("{outcome:?}")).or_default() += 1;
    }
    println!("{outcomes:#?}");
}

#[test]
fn dbg() {
    let f = std::env::var("DBGF").unwrap();
    let o = std::fs::read(f).unwrap();
    println!(
        "{}",
        zone::text(&o)
            .escape_ascii()
            .to_string()
            .replace("\\n", "\n")
    );
    println!("{:?}", zone::run(&o));
}

#[test]
fn requests_of_random_choices() {
    let mut seed = 3;
    let mut replies = 0;
    for _ in 0..20_000 {
        replies += usize::from(fallback::run(&octets(&mut seed, 200)).is_some());
    }
    println!("{replies}");
}
#[test]
fn kernel_of_random_choices() {
    let mut seed = 4;
    for _ in 0..20_000 {
        kernel::run(&octets(&mut seed, 200));
    }
}
