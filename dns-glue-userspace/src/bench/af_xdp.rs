//! How frames come to `AF_XDP` sockets.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::testbed::network::Namespace;

/// Whether the `AF_XDP` sockets of a network namespace get copies of frames;
/// `None` if there are none, or the kernel does not tell (`XDP_SOCKETS_DIAG`).
///
/// # Errors
///
/// `ss` (Debian package iproute2) fails.
pub fn copies_frames(namespace: &Namespace) -> Result<Option<bool>> {
    let mut command = Command::new("ss");
    command.args(["--xdp", "--all", "--numeric", "--extended"]);
    namespace.confine(&mut command)?;
    let output = command
        .output()
        .context("run ss (Debian package iproute2)")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ss --xdp: {}", errors.trim());
    Ok(in_told(&String::from_utf8_lossy(&output.stdout)))
}

/// `umem(id:1,...,zc:0,refs:1)`: zc is 1 where the driver writes to the memory
/// of the socket.
fn in_told(text: &str) -> Option<bool> {
    let mut flags = text.split("zc:").skip(1).map(|rest| rest.starts_with('0'));
    let first = flags.next()?;
    Some(flags.fold(first, |any, copies| any || copies))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_told_from_none() {
        let umem =
            |zero_copy| format!("\tumem(id:0,size:16,ifindex:2,qid:0,zc:{zero_copy},refs:1)\n");
        assert_eq!(in_told("State Recv-Q\n"), None);
        assert_eq!(in_told(&umem(0)), Some(true));
        assert_eq!(in_told(&umem(1)), Some(false));
        assert_eq!(in_told(&(umem(1) + &umem(0))), Some(true));
    }
}
