//! The house rules that neither rustfmt nor clippy knows, over all files that
//! git tracks or would.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    command::{output, say},
    workspace,
};

/// File names that say nothing about what is inside.
const VAGUE_NAMES: [&str; 5] = ["helpers.rs", "misc.rs", "types.rs", "util.rs", "utils.rs"];

/// Where people keep their files: a path below them means one machine. Spelt
/// in two parts for the sake of this file.
const PERSONAL_FOLDERS: [&str; 3] = [
    concat!("/home", "/"),
    concat!("/root", "/"),
    concat!("/Users", "/"),
];

/// Reports every breach of the rules.
///
/// # Errors
/// When there is one, or git cannot list the files.
pub fn run() -> Result<()> {
    let mut list = Command::new("git");
    list.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let files = output(list.current_dir(workspace::root())).context("list the files")?;

    let mut breaches = Vec::new();
    for path in files.split_terminator('\0') {
        // Deleted but not yet committed, or no text: nothing to say of it.
        let Ok(text) = fs::read_to_string(workspace::root().join(path)) else {
            continue;
        };
        breaches.extend(breaches_in(path, &text));
    }
    for breach in &breaches {
        eprintln!("{breach}");
    }
    if !breaches.is_empty() {
        bail!("{} breaches of the house rules", breaches.len());
    }
    say("house rules: kept");
    Ok(())
}

fn breaches_in(path: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let name = Path::new(path)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    if path.ends_with(".rs") {
        if !has_module_docs(text) {
            breaches.push(format!("{path}: no module docs (//!) at its head"));
        }
        if VAGUE_NAMES.contains(&name.as_ref()) {
            breaches.push(format!("{path}: a file is named after the thing inside"));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        breaches.push(format!("{path}: no newline at its end"));
    }
    for (number, line) in (1..).zip(text.split('\n')) {
        if line.ends_with([' ', '\t', '\r']) {
            breaches.push(format!("{path}:{number}: white space at the end"));
        }
        if PERSONAL_FOLDERS
            .iter()
            .any(|folder| names_folder(line, folder))
        {
            breaches.push(format!("{path}:{number}: a path of one machine"));
        }
    }
    breaches
}

/// Whether the first line that is not an inner attribute is a module doc.
fn has_module_docs(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with("#!["))
        .is_some_and(|line| line.starts_with("//!"))
}

/// Whether the line has a path that begins with the folder; one that merely
/// contains it (`target/root/...`, an address on the web) is another matter.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !"._-/}~".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_file_has_no_breach() {
        let text = "//! What it is.\n\nfn main() {}\n";
        assert_eq!(breaches_in("src/main.rs", text), Vec::<String>::new());
        assert_eq!(
            breaches_in("src/a.rs", "#![no_std]\n//! What it is.\n").len(),
            0
        );
    }

    #[test]
    fn each_rule_is_seen() {
        assert_eq!(breaches_in("src/a.rs", "fn main() {}\n").len(), 1);
        assert_eq!(breaches_in("src/utils.rs", "//! Things.\n").len(), 1);
        assert_eq!(breaches_in("README.md", "a \n").len(), 1);
        assert_eq!(breaches_in("README.md", "a\r\n").len(), 1);
        assert_eq!(breaches_in("README.md", "a").len(), 1);
        assert_eq!(
            breaches_in("README.md", concat!("see /home", "/me/x\n")).len(),
            1
        );
    }

    #[test]
    fn a_folder_is_one_at_the_start_of_a_path_only() {
        assert!(names_folder("(/h/x)", "/h/"));
        assert!(names_folder("/h/x", "/h/"));
        assert!(!names_folder("testdata/h/x", "/h/"));
        assert!(!names_folder("https://example/h/x", "/h/"));
    }
}
