//! The machine's only file system: a cpio archive of the "newc" form with one
//! program and its modules in it (the kernel's Documentation/driver-api/early-userspace).

use super::modules::Module;

/// File types and permissions as in st_mode(7).
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// The archive with `init` as the first process, an empty folder for each file
/// system that it mounts, the console for its output, and modules, whose names
/// there tell their order.
pub fn archive(init: &[u8], modules: &[Module]) -> Vec<u8> {
    let mut archive = Archive::default();
    for folder in ["dev", "modules", "proc", "sys"] {
        archive.push(folder, DIRECTORY, (0, 0), &[]);
    }
    // Without it the kernel starts init with no output at all.
    archive.push("dev/console", CHARACTER_DEVICE, (5, 1), &[]);
    archive.push("init", PROGRAM, (0, 0), init);
    for (number, Module { name, octets }) in modules.iter().enumerate() {
        let file = format!("modules/{number:02}-{name}.ko");
        archive.push(&file, FILE, (0, 0), octets);
    }
    archive.finish()
}

#[derive(Default)]
struct Archive {
    octets: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds an entry: a header of 110 octets in hexadecimal, the name with its
    /// zero, the content; name and content padded to 4 octets.
    fn push(&mut self, name: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.entries += 1;
        let octets = |length: usize| u32::try_from(length).expect("an entry is below 4 GiB");
        let fields = [
            self.entries, // inode
            mode,
            0, // user
            0, // group
            1, // links
            0, // time of change
            octets(content.len()),
            0, // device of the file, major and minor
            0,
            device.0,
            device.1,
            octets(name.len() + 1),
            0, // checksum: none in this form
        ];
        self.octets.extend_from_slice(b"070701");
        for field in fields {
            self.octets
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.octets.extend_from_slice(name.as_bytes());
        self.octets.push(0);
        self.pad();
        self.octets.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.push("TRAILER!!!", 0, (0, 0), &[]);
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules() -> [Module; 2] {
        [("llc", "123"), ("8021q", "1")].map(|(name, octets)| Module {
            name: name.to_owned(),
            octets: octets.into(),
        })
    }

    #[test]
    fn each_entry_begins_on_a_multiple_of_four() {
        let archive = archive(b"12345", &modules());
        let starts: Vec<_> = archive
            .windows(6)
            .enumerate()
            .filter(|(_, w)| *w == b"070701")
            .map(|(at, _)| at)
            .collect();
        assert_eq!(starts.len(), 9);
        assert!(starts.iter().all(|at| at % 4 == 0));
        assert_eq!(archive.len() % 4, 0);
    }

    #[test]
    fn the_program_is_in_it_whole() {
        let archive = archive(b"12345", &modules());
        let at = archive
            .windows(5)
            .position(|w| w == b"init\0")
            .expect("init is an entry");
        // The header's seventh field is the size, and the name ends before the
        // content: 110 + 5 octets, padded by 1.
        assert_eq!(&archive[at - 110 + 6 + 48..at - 110 + 6 + 56], b"00000005");
        assert_eq!(&archive[at + 6..at + 11], b"12345");
    }

    #[test]
    fn modules_are_in_it_by_number() {
        let archive = archive(b"12345", &modules());
        for name in ["modules/00-llc.ko\0", "modules/01-8021q.ko\0"] {
            let is_there = archive.windows(name.len()).any(|w| w == name.as_bytes());
            assert!(is_there, "{name}");
        }
    }
}
