//! What the README says.

use std::fs;
use std::path::Path;

/// The arguments of `dns-glue` in the first command line below a heading of
/// the third level.
pub fn command_line(heading: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(path).expect("the README");
    let start = format!("\n### {heading}\n");
    let (_, section) = text
        .split_once(&start)
        .unwrap_or_else(|| panic!("no heading {heading}"));
    section
        .lines()
        .take_while(|line| !line.starts_with("### "))
        .find_map(|line| line.strip_prefix("    dns-glue "))
        .unwrap_or_else(|| panic!("no command line below {heading}"))
        .to_owned()
}
