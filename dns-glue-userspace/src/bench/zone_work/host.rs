//! Two hosts, each a network namespace, and the wire between them.

use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};

use crate::testbed::network::Namespace;
use crate::testbed::process::Process;

/// Where zones are served, as the examples of configurations have it.
pub const SERVICE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
/// The interface of the server, and the one of the client.
pub const SERVER_INTERFACE: &str = "bserver";
const CLIENT_INTERFACE: &str = "bclient";

/// A server's host and a client's; dropped, they are gone, in this order.
#[derive(Debug)]
pub struct Hosts {
    /// What makes the client's end behave like a wire.
    _wire: Process,
    client: Namespace,
    server: Namespace,
}

impl Hosts {
    /// Makes them. `binaries` is the folder of `dns-glue-lab`.
    ///
    /// # Errors
    ///
    /// There can be no namespaces, or the client's end does not become a wire.
    pub fn new(binaries: &Path) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("zonework-{}-{number}", std::process::id());
        let server = Namespace::new(name.clone())?;
        let client = Namespace::new(format!("{name}-client"))?;
        server.ip(&format!(
            "link add {SERVER_INTERFACE} type veth peer name {CLIENT_INTERFACE} netns {}",
            client.name()
        ))?;
        for (namespace, interface, last) in [
            (&server, SERVER_INTERFACE, "53"),
            (&client, CLIENT_INTERFACE, "100"),
        ] {
            namespace.ip(&format!("addr add 192.0.2.{last}/24 dev {interface}"))?;
            namespace.ip(&format!(
                "addr add 2001:db8::{last}/64 dev {interface} nodad"
            ))?;
            namespace.ip("link set lo up")?;
            namespace.ip(&format!("link set {interface} up"))?;
        }
        Ok(Self {
            _wire: make_wire(&client, binaries)?,
            client,
            server,
        })
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

fn make_wire(client: &Namespace, binaries: &Path) -> Result<Process> {
    let mut command = Command::new(binaries.join("dns-glue-lab"));
    command
        .arg(CLIENT_INTERFACE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut wire = Process::spawn(&mut command, client)?;
    let stdout = wire.child().stdout.take().context("it has a pipe")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    ensure!(line == "ready\n", "dns-glue-lab: {line:?}");
    Ok(wire)
}
