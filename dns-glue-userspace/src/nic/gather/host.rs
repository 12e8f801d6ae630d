//! Facts of the host.

use std::{fs, thread};

use crate::kernel::requirements;
use crate::nic::facts::{HostFacts, Told, Untold};

/// Gathers them.
pub(super) fn gather() -> HostFacts {
    HostFacts {
        release: requirements::kernel_release(),
        missing_capabilities: requirements::missing().map_err(|error| Untold(error.to_string())),
        jit: setting("bpf_jit_enable"),
        jit_harden: setting("bpf_jit_harden"),
        processors: processors(),
        has_irqbalance: has_process("irqbalance"),
    }
}

/// A number below `net.core`. The kernel shows these to its first network
/// namespace only, and the second to root.
fn setting(name: &str) -> Told<u32> {
    let path = format!("/proc/sys/net/core/{name}");
    let text = fs::read_to_string(&path).map_err(|error| Untold(format!("{path}: {error}")))?;
    let number = text.trim().parse();
    number.map_err(|_| Untold(format!("{path} holds no number")))
}

/// Processors that are running; those of this process, if the system does not
/// tell.
fn processors() -> u32 {
    let list = fs::read_to_string("/sys/devices/system/cpu/online");
    let count = list.map_or(0, |list| processor_list(&list).len());
    if count != 0 {
        return count as u32;
    }
    thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

/// The numbers of a list such as `0-3,8`, as the kernel writes it.
pub(super) fn processor_list(text: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

fn has_process(name: &str) -> bool {
    let Ok(folder) = fs::read_dir("/proc") else {
        return false;
    };
    folder.flatten().any(|entry| {
        let command = fs::read_to_string(entry.path().join("comm"));
        command.is_ok_and(|command| command.trim_end() == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        assert_eq!(processor_list("0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(processor_list("5"), [5]);
        assert_eq!(processor_list("\n"), [0; 0]);
    }

    #[test]
    fn processes_are_found_by_their_names() {
        let own = fs::read_to_string("/proc/self/comm").expect("it has a name");
        assert!(has_process(own.trim_end()));
        assert!(!has_process("no such process"));
    }
}
