//! A BPF file system that nobody else sees, and that goes with this process
//! and those that it starts, however they end: so do the pins on it.

use std::ffi::CStr;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr;

use anyhow::{Context as _, Result};

/// Where it is.
const PLACE: &CStr = c"/sys/fs/bpf";
/// What it is mounted on.
const BELOW: &CStr = c"/sys";

/// Moves the calling thread, and all that it starts from now on, into a mount
/// namespace of their own with an empty BPF file system; a folder on it for
/// pins. To be called before there are other threads.
///
/// # Errors
///
/// The kernel refuses.
pub fn bpf_file_system() -> Result<PathBuf> {
    // SAFETY: a plain system call, which changes the calling thread only.
    done(unsafe { libc::unshare(libc::CLONE_NEWNS) }).context("make a mount namespace")?;
    // Without this the mount below would be seen outside.
    mount(None, BELOW, None, libc::MS_REC | libc::MS_PRIVATE)
        .context("keep what is mounted below /sys to ourselves")?;
    mount(Some(c"bpf"), PLACE, Some(c"bpf"), 0).context("mount a BPF file system")?;
    let place = PLACE.to_str().context("it is ASCII")?;
    Ok(Path::new(place).join("faults"))
}

fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the texts end in zeros and live through the call; a null pointer
    // stands for none, as the kernel allows for all of these.
    done(unsafe {
        libc::mount(
            pointer(source),
            target.as_ptr(),
            pointer(kind),
            flags,
            ptr::null(),
        )
    })
}

fn done(result: libc::c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
