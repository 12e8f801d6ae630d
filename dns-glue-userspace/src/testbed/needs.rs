//! What a trial needs of the machine: root, and programs of others. A test
//! that does not find it says so and ends well, unless the environment
//! requires it: then the test fails.

use std::path::{Path, PathBuf};

/// Set to 1, a test that needs root fails without.
pub const REQUIRE_ROOT: &str = "DNS_GLUE_REQUIRE_ROOT";
/// Set to 1, a test that needs another's program fails without.
pub const REQUIRE_PEERS: &str = "DNS_GLUE_REQUIRE_PEERS";

/// Where programs are; those of root may not be on everybody's path.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"];

/// Whether this is root.
pub fn is_root() -> bool {
    // SAFETY: geteuid only returns a number.
    unsafe { libc::geteuid() == 0 }
}

/// Where a program is, if it is installed.
pub fn installed(program: &str) -> Option<PathBuf> {
    let mut paths = FOLDERS.iter().map(|folder| Path::new(folder).join(program));
    paths.find(|path| path.exists())
}

/// Whether a test can run that needs root for `purpose`.
///
/// # Panics
///
/// Without root, if [`REQUIRE_ROOT`] is 1.
pub fn root(purpose: &str) -> bool {
    if !is_root() {
        skip(REQUIRE_ROOT, &format!("{purpose} needs root"));
    }
    is_root()
}

/// Where a program is that a test needs; `package` is Debian's.
///
/// # Panics
///
/// Without it, if [`REQUIRE_PEERS`] is 1.
pub fn peer(program: &str, package: &str) -> Option<PathBuf> {
    let found = installed(program);
    if found.is_none() {
        let lack = format!("{program} is not installed (Debian package {package})");
        skip(REQUIRE_PEERS, &lack);
    }
    found
}

fn skip(requirement: &str, lack: &str) {
    let is_required = std::env::var_os(requirement).is_some_and(|value| value == "1");
    assert!(!is_required, "{requirement}=1, but {lack}");
    println!("skipped: {lack}");
}
