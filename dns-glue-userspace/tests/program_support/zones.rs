//! Zones for the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use dns_glue::compile::{self, Generation};
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::master_file;
use dns_glue::zone::records::Zone;
use domain::base::Name;

// Inside, because the machines of `cargo xtask kernels` have no files.
/// The text of glue.example.
pub static EXAMPLE: &[u8] = include_bytes!("../../testdata/example.zone");
static SIGNED: &[u8] = include_bytes!("../../testdata/fallback/signed.zone");
/// The text of odd.example.
pub static ODDITIES: &[u8] = include_bytes!("../../testdata/oddities.zone");

/// A name from text.
pub fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a name")
}

/// The folder of test zones.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// glue.example., which holds every case of a delegation; not signed.
pub fn example() -> Zone {
    parse("glue.example.", "example.zone", EXAMPLE)
}

/// signed.example., signed with NSEC.
pub fn signed() -> Zone {
    parse("signed.example.", "fallback/signed.zone", SIGNED)
}

/// odd.example., signed with NSEC, of which `oddities.answers` tells.
pub fn oddities() -> Zone {
    parse("odd.example.", "oddities.zone", ODDITIES)
}

/// A zone from text; its SOA and NS are given.
pub fn from_text(apex: &str, records: &str) -> Zone {
    let text = format!(
        "$TTL 3600\n@ SOA ns hostmaster 1 7200 900 1209600 300\n@ NS ns.elsewhere.example.\n{records}"
    );
    parse(apex, "text", text.as_bytes())
}

/// A zone from the text of a file; errors have the file's name.
fn parse(apex: &str, file: &str, text: &[u8]) -> Zone {
    let zone = master_file::read_text(&name(apex), Path::new(file), text);
    zone.unwrap_or_else(|errors| panic!("{errors}"))
}

/// A zone from a file.
pub fn read(apex: &str, path: &Path) -> Zone {
    let zone = master_file::read_file(&name(apex), path);
    zone.unwrap_or_else(|errors| panic!("{errors}"))
}

/// The names of the real zones and their files.
pub const REAL_ZONES: [(&str, &str); 3] = [
    (".", "root-2026010500.zone"),
    ("arpa.", "arpa-20260106.zone"),
    ("root-servers.net.", "root-servers.net-20260106.zone"),
];

/// The text of a real zone, which is not part of the repository; `None` with a
/// printed reason where it is not at hand.
pub fn real_text(file: &str) -> Option<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("shared/data").join(format!("{file}.xz"));
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    let output = Command::new("xz")
        .arg("-dc")
        .arg(&path)
        .output()
        .expect("xz runs");
    assert!(output.status.success(), "xz -dc {}", path.display());
    Some(output.stdout)
}

/// A real zone.
pub fn real(apex: &str, file: &str) -> Option<Zone> {
    let text = real_text(file)?;
    Some(parse(apex, file, &text))
}

/// Compiles zones that are served together.
pub fn generation(zones: &[Zone]) -> Generation {
    generation_beside(zones, &[])
}

/// Compiles zones that are served together, beside others that the server
/// behind serves.
pub fn generation_beside(zones: &[Zone], also_served: &[Name<Vec<u8>>]) -> Generation {
    let cuts = find_cuts(zones, also_served);
    let compilation = compile::compile(zones, &cuts, &()).expect("the zones compile");
    compilation.generation
}
