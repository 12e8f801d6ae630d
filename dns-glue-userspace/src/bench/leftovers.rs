//! What runs leave behind that are killed: network namespaces and temporary
//! folders, both of which have the number of their process in their names.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What names of namespaces begin with; the number of the process follows.
const NAMESPACES: [&str; 2] = ["dgb", "zonework-"];
/// The same of temporary folders.
const FOLDER: &str = "dns-glue-bench-";

/// Removes those of processes that are gone; what cannot be removed is told.
pub fn remove() {
    for name in abandoned(Path::new("/run/netns"), &NAMESPACES) {
        eprintln!("network namespace {name} was left by a run that was killed: it is removed");
        let removed = Command::new("ip").args(["netns", "del", &name]).status();
        if !removed.is_ok_and(|status| status.success()) {
            eprintln!("network namespace {name} cannot be removed");
        }
    }
    let folder = std::env::temp_dir();
    for name in abandoned(&folder, &[FOLDER]) {
        if let Err(error) = fs::remove_dir_all(folder.join(&name)) {
            eprintln!("{}: {error}", folder.join(&name).display());
        }
    }
}

/// Names in a folder that begin so and go on with the number of a process that
/// is gone.
fn abandoned(folder: &Path, starts: &[&str]) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let number = starts.iter().find_map(|start| number_after(name, start));
            number.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists())
        })
        .collect()
}

/// The number behind `start`, if nothing or a hyphen follows it.
fn number_after(name: &str, start: &str) -> Option<u32> {
    let rest = name.strip_prefix(start)?;
    let number = rest.split_once('-').map_or(rest, |(number, _)| number);
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_no_process_is_abandoned() {
        // Numbers of processes are below 2^22.
        let gone = u32::MAX;
        let folder = std::env::temp_dir().join(format!("dns-glue-left-{}", std::process::id()));
        let own = format!("dgb{}-host0", std::process::id());
        let names = [
            format!("dgb{gone}-host0"),
            format!("dgb{gone}x-host0"),
            format!("zonework-{gone}-1-client"),
            "dgb-host".to_owned(),
            own,
        ];
        for name in &names {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let mut found = abandoned(&folder, &NAMESPACES);
        fs::remove_dir_all(&folder).unwrap();
        found.sort();
        assert_eq!(found, [names[0].clone(), names[2].clone()]);
    }
}
