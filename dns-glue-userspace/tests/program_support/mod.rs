//! What the tests of the program share: frames made and taken apart without
//! the code under test, the program in the kernel, and the same on the host.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod frame;
pub mod oddities;
pub mod program;
pub mod query;
#[path = "../fallback_support/reply.rs"]
pub mod reply;
pub mod zones;

/// Whether the test can run: it needs root.
///
/// Panics without root if `DNS_GLUE_REQUIRE_ROOT` is 1.
pub fn is_root() -> bool {
    // SAFETY: geteuid only returns a number.
    if unsafe { libc::geteuid() } == 0 {
        return true;
    }
    let required = std::env::var_os("DNS_GLUE_REQUIRE_ROOT").is_some_and(|value| value == "1");
    assert!(!required, "DNS_GLUE_REQUIRE_ROOT=1, but this is not root");
    println!("skipped: running an XDP program needs root");
    false
}

/// A small generator of pseudo-random numbers (SplitMix64), so that a seed
/// alone repeats a run.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
