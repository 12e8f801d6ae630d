//! What only root may do.

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
