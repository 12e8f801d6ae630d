//! Where the interrupts of a card go.

use std::path::Path;
use std::{fs, io};

use super::host::processor_list;
use crate::nic::facts::{Interrupt, Told, Untold};

/// The interrupts that a PCI card uses, by their number; of cards on other
/// buses the kernel does not tell in one way.
pub(super) fn of_device(bus: &str) -> Told<Vec<Interrupt>> {
    if bus.is_empty() {
        return Err(Untold(String::from("it is on no bus")));
    }
    let folder = Path::new("/sys/bus/pci/devices").join(bus);
    let list = || -> io::Result<Vec<Interrupt>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder.join("msi_irqs"))? {
            numbers.extend(
                entry?
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse::<u32>().ok()),
            );
        }
        numbers.sort_unstable();
        Ok(numbers.into_iter().filter_map(read).collect())
    };
    list().map_err(|error| Untold(format!("{bus}: {error}")))
}

/// Where an interrupt goes; nothing if nobody handles it.
fn read(number: u32) -> Option<Interrupt> {
    let folder = Path::new("/proc/irq").join(number.to_string());
    let has_handler = fs::read_dir(&folder)
        .ok()?
        .flatten()
        .any(|entry| entry.path().is_dir());
    let list = fs::read_to_string(folder.join("effective_affinity_list")).ok()?;
    has_handler.then(|| Interrupt {
        number,
        processors: processor_list(&list),
    })
}
