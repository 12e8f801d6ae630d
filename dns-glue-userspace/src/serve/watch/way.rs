//! The way to a file: the names that the kernel looks up when it opens it.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf, absolute};

/// As many links as the kernel follows (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A step of the way.
enum Step {
    Root,
    Up,
    Name(OsString),
}

/// The names on the way to a file, each in the folder that holds it, which is
/// no link: folders, links, those that they lead to, and the file itself; up to
/// the first that is not there.
pub(super) fn names_on_the_way(file: &Path) -> BTreeSet<PathBuf> {
    let mut names = BTreeSet::new();
    // Without a folder to work in there is no way.
    let Ok(file) = absolute(file) else {
        return names;
    };
    let mut steps = steps(&file);
    let mut links = 0;
    let mut here = PathBuf::from("/");
    while let Some(step) = steps.pop_front() {
        let name = match step {
            Step::Root => {
                here = PathBuf::from("/");
                continue;
            }
            Step::Up => {
                here.pop();
                continue;
            }
            Step::Name(name) => here.join(name),
        };
        names.insert(name.clone());
        let Ok(facts) = fs::symlink_metadata(&name) else {
            break;
        };
        match fs::read_link(&name) {
            Ok(target) if facts.is_symlink() && links < MAX_LINKS => {
                links += 1;
                let mut ahead = self::steps(&target);
                ahead.append(&mut steps);
                steps = ahead;
            }
            _ if facts.is_symlink() => break,
            _ => here = name,
        }
    }
    names
}

fn steps(path: &Path) -> VecDeque<Step> {
    let step = |component| match component {
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Name(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_to_more_names() {
        let folder = format!("dns-glue-way-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(folder.join("releases/7")).expect("a folder");
        let folder = folder.canonicalize().expect("it is there");
        let link = |target: &str, name: &str| symlink(target, folder.join(name)).expect("a link");
        link("releases/7", "current");
        link("../../there.zone", "releases/7/a.zone");
        link("round", "round");
        fs::write(folder.join("there.zone"), "").expect("a file");
        let below = |name: &str| {
            let names = names_on_the_way(&folder.join(name));
            assert!(names.contains(&folder), "{names:?}");
            let below = names
                .iter()
                .filter_map(|name| name.strip_prefix(&folder).ok());
            let below = below.map(|name| name.display().to_string());
            below.filter(|name| !name.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(
            below("current/a.zone"),
            [
                "current",
                "releases",
                "releases/7",
                "releases/7/a.zone",
                "there.zone"
            ]
        );
        assert_eq!(
            below("current/../b/c/d.zone"),
            ["current", "releases", "releases/7", "releases/b"]
        );
        assert_eq!(below("round"), ["round"]);
        fs::remove_dir_all(&folder).expect("the folder");
    }
}
