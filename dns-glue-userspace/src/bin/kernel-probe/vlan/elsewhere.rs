//! A VLAN interface in another network namespace than what carries it, as
//! containers have them: numbers mean other interfaces there.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::sync::mpsc;
use std::{io, thread};

use anyhow::{Context as _, Result};
use dns_glue::serve::network::Snapshot;
use rtnetlink::LinkUnspec;

use super::known::on_host;
use super::network::{ELSEWHERE, make_elsewhere};
use crate::pair::netlink;

/// Makes such an interface, and looks at the host there.
///
/// # Errors
///
/// There can be no such interface, or the kernel does not tell of it.
pub fn look() -> Result<Snapshot> {
    let (to_here, from_there) = mpsc::channel();
    let (to_there, from_here) = mpsc::channel();
    let there = thread::spawn(move || -> Result<Snapshot> {
        // SAFETY: changes the namespace of this thread only.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error()).context("make a network namespace");
        }
        to_here.send(File::open("/proc/thread-self/ns/net")?)?;
        from_here.recv()?;
        on_host(async |network| Ok(network.snapshot().await?))
    });
    // Dropped with what went wrong there.
    if let Ok(namespace) = from_there.recv() {
        make_elsewhere()?;
        let moved = LinkUnspec::new_with_name(ELSEWHERE).setns_by_fd(namespace.as_raw_fd());
        netlink(async |handle| Ok(handle.link().set(moved.build()).execute().await?))?;
        to_there.send(())?;
    }
    there.join().expect("the thread does not panic")
}
