//! The machine around the probe: its console, file systems and modules, and
//! its end.

use std::ffi::CStr;
use std::fmt::Display;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::{fs, io, process};

use anyhow::{Context as _, Result};

/// The file systems that aya reads, and where: types and targets of mount(2).
const FILE_SYSTEMS: [(&CStr, &CStr); 4] = [
    // For random numbers, which a static binary reads from a device.
    (c"devtmpfs", c"/dev"),
    (c"proc", c"/proc"),
    (c"sysfs", c"/sys"),
    (c"bpf", c"/sys/fs/bpf"),
];

/// Where xtask puts modules.
const MODULES: &str = "/modules";

/// Says a thing that xtask reads.
pub fn tell(what: &str, value: impl Display) {
    println!("kernel-probe: {what} {value}");
}

/// Mounts what the probe reads.
///
/// # Errors
///
/// The kernel has no such file system.
pub fn mount_file_systems() -> Result<()> {
    for (kind, target) in FILE_SYSTEMS {
        // SAFETY: the strings end in a zero and live through the call, and
        // these file systems take no data.
        let result = unsafe {
            libc::mount(
                kind.as_ptr(),
                target.as_ptr(),
                kind.as_ptr(),
                0,
                std::ptr::null(),
            )
        };
        if result != 0 {
            let target = target.to_string_lossy();
            return Err(io::Error::last_os_error()).with_context(|| format!("mount {target}"));
        }
    }
    Ok(())
}

/// Loads the modules of the kernel that xtask has put into the machine, in the
/// order of their names.
///
/// # Errors
///
/// There are none, or the kernel refuses one.
pub fn insert_modules() -> Result<()> {
    let entries = fs::read_dir(MODULES).and_then(|entries| {
        let paths = entries.map(|entry| Ok(entry?.path()));
        paths.collect::<io::Result<Vec<_>>>()
    });
    let mut paths = entries.with_context(|| format!("list {MODULES}"))?;
    paths.sort();
    for path in paths {
        insert_module(&path).with_context(|| format!("load {}", path.display()))?;
    }
    Ok(())
}

fn insert_module(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let (parameters, flags): (&CStr, libc::c_int) = (c"", 0);
    // SAFETY: finit_module(2) reads from a descriptor that is open, and a
    // string that ends in a zero.
    let result = unsafe {
        libc::syscall(
            libc::SYS_finit_module,
            file.as_raw_fd(),
            parameters.as_ptr(),
            flags,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Ends the machine, which has no file systems to lose.
pub fn switch_off() -> ! {
    for how in [libc::RB_POWER_OFF, libc::RB_AUTOBOOT] {
        // SAFETY: reboot(2) takes a number; it returns only when it fails.
        unsafe { libc::reboot(how) };
    }
    // The end of the first process stops the kernel, which ends the machine
    // too.
    process::exit(1)
}
