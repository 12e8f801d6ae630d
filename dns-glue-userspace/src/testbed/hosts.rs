//! Two hosts, each a network namespace, and the wire between them.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};

use super::network::Namespace;
use super::process::Process;
use crate::conform::frame::{SERVER_V4, SERVER_V6};

/// The interface of the server's host.
pub const SERVER_INTERFACE: &str = "dgserver";
/// The interface of the client's.
pub const CLIENT_INTERFACE: &str = "dgclient";

/// The hosts of one process, which have different names.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A server's host and a client's, joined by a veth pair; dropped, they are
/// gone, in this order.
#[derive(Debug)]
pub struct Hosts {
    client: Namespace,
    server: Namespace,
}

impl Hosts {
    /// Makes them, the server's with the service addresses of
    /// [`crate::conform::frame`], which the examples of configurations have
    /// too. `purpose` is what their names begin with.
    ///
    /// # Errors
    ///
    /// There can be no namespaces.
    pub fn new(purpose: &str) -> Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{purpose}-{}-{number}", std::process::id());
        let server = Namespace::new(name.clone())?;
        let client = Namespace::new(format!("{name}-client"))?;
        server.ip(&format!(
            "link add {SERVER_INTERFACE} type veth peer name {CLIENT_INTERFACE} netns {}",
            client.name()
        ))?;
        for (namespace, interface, [v4, v6]) in [
            (
                &server,
                SERVER_INTERFACE,
                [SERVER_V4.to_string(), SERVER_V6.to_string()],
            ),
            (
                &client,
                CLIENT_INTERFACE,
                ["192.0.2.100".into(), "2001:db8::100".into()],
            ),
        ] {
            namespace.ip(&format!("addr add {v4}/24 dev {interface}"))?;
            namespace.ip(&format!("addr add {v6}/64 dev {interface} nodad"))?;
            namespace.ip("link set lo up")?;
            namespace.ip(&format!("link set {interface} up"))?;
        }
        Ok(Self { client, server })
    }

    /// Makes the client's end behave like a wire, as long as what is returned
    /// lives. `binaries` is the folder of `dns-glue-lab`.
    ///
    /// # Errors
    ///
    /// `dns-glue-lab` does not start.
    pub fn make_wire(&self, binaries: &Path) -> Result<Process> {
        let mut command = Command::new(binaries.join("dns-glue-lab"));
        command
            .arg(CLIENT_INTERFACE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut wire = Process::spawn(&mut command, &self.client)?;
        let stdout = wire.child().stdout.take().context("it has a pipe")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line == "ready\n", "dns-glue-lab: {line:?}");
        Ok(wire)
    }

    /// Where the client is.
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// Where the server is.
    pub fn server(&self) -> &Namespace {
        &self.server
    }
}
