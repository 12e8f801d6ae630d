//! What the control groups of this process leave of memory.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the system mounts them.
const ROOT: &str = "/sys/fs/cgroup";

/// The files of a version: the limit, what is used, and the name that the part
/// of it has in `memory.stat` which the kernel gives up when it has to.
struct Files {
    limit: &'static str,
    usage: &'static str,
    reclaimable: &'static str,
}

const V1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};
const V2: Files = Files {
    limit: "memory.max",
    usage: "memory.current",
    reclaimable: "inactive_file",
};

/// Octets that are left in the tightest of the groups; `None` if there is no
/// limit, or the system does not tell.
pub(super) fn available() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    left(&groups, Path::new(ROOT))
}

/// `groups` is as `/proc/self/cgroup` (cgroups(7)): a line `ID:CONTROLLERS:PATH`
/// for each hierarchy, version 2 without controllers.
fn left(groups: &str, root: &Path) -> Option<u64> {
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (mount, files) = if controllers.is_empty() {
            (root.to_owned(), V2)
        } else if controllers.split(',').any(|name| name == "memory") {
            (root.join("memory"), V1)
        } else {
            return None;
        };
        // A limit of a group above counts too.
        let path = PathBuf::from(path.trim_start_matches('/'));
        let groups = path.ancestors().map(|group| mount.join(group));
        groups.filter_map(|group| files.left(&group)).min()
    };
    groups.lines().filter_map(of_line).min()
}

impl Files {
    fn left(&self, group: &Path) -> Option<u64> {
        let read = |name: &str| fs::read_to_string(group.join(name)).ok();
        // `max` in version 2.
        let limit: u64 = read(self.limit)?.trim().parse().ok()?;
        let usage: u64 = read(self.usage)?.trim().parse().ok()?;
        let stat = read("memory.stat").unwrap_or_default();
        let reclaimable = stat.lines().find_map(|line| {
            let octets = line.strip_prefix(self.reclaimable)?;
            octets.trim().parse().ok()
        });
        let usage = usage.saturating_sub(reclaimable.unwrap_or(0));
        Some(limit.saturating_sub(usage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(folder).expect("a folder");
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("a file");
        }
    }

    #[test]
    fn the_tightest_group_counts() {
        let root = std::env::temp_dir().join(format!("dns-glue-groups-{}", std::process::id()));
        let group = |limit, usage| {
            [
                ("memory.max", limit),
                ("memory.current", usage),
                ("memory.stat", "anon 5\ninactive_file 100\n"),
            ]
        };
        write(&root.join("a/b"), &group("max\n", "500\n"));
        write(&root.join("a"), &group("1000\n", "700\n"));
        assert_eq!(left("0::/a/b\n", &root), Some(400));
        write(&root.join("a/b"), &group("600\n", "500\n"));
        assert_eq!(left("0::/a/b\n", &root), Some(200));
        // More is used than may be.
        write(&root.join("a/b"), &group("600\n", "900\n"));
        assert_eq!(left("0::/a/b\n", &root), Some(0));
        assert_eq!(left("0::/nowhere\n", &root), None);

        let files = [
            ("memory.limit_in_bytes", "1000\n"),
            ("memory.usage_in_bytes", "100\n"),
            ("memory.stat", "inactive_file 1\ntotal_inactive_file 50\n"),
        ];
        write(&root.join("memory/c"), &files);
        assert_eq!(left("4:cpu,memory:/c\n3:pids:/a/b\n", &root), Some(950));
        fs::remove_dir_all(&root).expect("the folder");
    }
}
