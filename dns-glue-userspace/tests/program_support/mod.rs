//! What the tests of the program share: frames made and taken apart without
//! the code under test, the program in the kernel, and the same on the host.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod oddities;
pub mod program;
pub mod query;
#[path = "../fallback_support/reply.rs"]
pub mod reply;
pub mod zones;

pub use dns_glue::conform::frame;

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
