//! A host with two interfaces, its clients at their other ends, and a name
//! server behind dns-glue.
//!
//! ```text
//! clients' namespace                     host's namespace
//! dgclient0 ======== steady, wandering == dgserver0   dns-glue, Knot DNS
//! dgclient1 ======== troubled =========== dgserver1
//! ```

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use domain::base::Name;

use super::daemon::{self, Daemon};
use super::load::Servers;
use super::query::MAX_UDP;
use super::versions::{Knowledge, Versions};
use crate::compare::Server;
use crate::conform::frame::{SERVER_V4, SERVER_V6};
use crate::testbed::network::Namespace;
use crate::testbed::process::Process;
use crate::testbed::server;
use crate::zone::source::ZoneSource;

/// The address that comes and goes.
pub const WANDERING: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 54));
/// Those of the second interface.
const TROUBLED_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 53);
const TROUBLED_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x53);
/// Those of the clients at the other end of each.
const CLIENTS: [[&str; 2]; 2] = [
    ["192.0.2.100/24", "2001:db8::100/64"],
    ["198.51.100.100/24", "2001:db8:1::100/64"],
];
/// MAC addresses of both ends of a pair, but for their last octets, which are
/// the pair's number: an interface that is made again is found at once.
const SERVER_MAC: &str = "02:00:00:00:05";
const CLIENT_MAC: &str = "02:00:00:00:0c";

/// One of the two veth pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// The one that nothing happens to.
    Steady,
    /// The one that things happen to.
    Troubled,
}

/// What a site is made from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the table calls the zone.
    pub zone: &'static str,
    /// The zone's name.
    pub apex: String,
    /// Files of its versions: first, second, behind.
    pub versions: [PathBuf; 3],
    /// A folder of its own.
    pub folder: PathBuf,
    /// The folder of `dns-glue` and `dns-glue-lab`.
    pub binaries: PathBuf,
    /// The pin folder.
    pub pins: PathBuf,
}

/// Everything that is started; dropped, it is gone, in this order.
#[derive(Debug)]
pub struct Site {
    /// dns-glue.
    pub daemon: Daemon,
    behind: Option<Process>,
    wires: [Option<Process>; 2],
    client: Namespace,
    host: Namespace,
    plan: Plan,
    knowledge: Arc<Knowledge>,
}

impl Pair {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Steady, Self::Troubled];

    /// The host's interface.
    #[must_use]
    pub fn interface(self) -> String {
        format!("dgserver{}", self as u8)
    }

    fn client_interface(self) -> String {
        format!("dgclient{}", self as u8)
    }

    /// Addresses of the host's interface, with the lengths of their prefixes.
    fn addresses(self) -> Vec<String> {
        match self {
            Self::Steady => vec![
                format!("{SERVER_V4}/24"),
                format!("{WANDERING}/24"),
                format!("{SERVER_V6}/64"),
            ],
            Self::Troubled => vec![format!("{TROUBLED_V4}/24"), format!("{TROUBLED_V6}/64")],
        }
    }
}

impl Site {
    /// Lays the wires, starts the server behind and dns-glue, and waits until
    /// all of it answers.
    ///
    /// # Errors
    ///
    /// Something does not start.
    pub fn start(plan: Plan) -> Result<Self> {
        fs::create_dir_all(&plan.folder)
            .with_context(|| format!("create {}", plan.folder.display()))?;
        let apex = Name::vec_from_str(&plan.apex).context("the apex")?;
        let source = |path: &PathBuf| ZoneSource {
            apex: apex.clone(),
            path: path.clone(),
        };
        let sources = [0, 1, 2].map(|version: usize| source(&plan.versions[version]));
        let knowledge = Arc::new(Knowledge::read(&sources)?);
        let name = format!("faults{}", std::process::id());
        let host = Namespace::new(format!("{name}-host"))?;
        let client = Namespace::new(format!("{name}-client"))?;
        for namespace in [&host, &client] {
            namespace.ip("link set lo up")?;
        }
        for pair in Pair::BOTH {
            lay(&host, &client, pair)?;
        }
        let wires = [
            Some(wire(&plan.binaries, &client, Pair::Steady)?),
            Some(wire(&plan.binaries, &client, Pair::Troubled)?),
        ];
        let daemon = Daemon::new(daemon::Setting {
            binaries: plan.binaries.clone(),
            folder: plan.folder.clone(),
            pins: plan.pins.clone(),
            interfaces: Pair::BOTH.map(Pair::interface).to_vec(),
            zone: source(&plan.folder.join("served.zone")),
            max_udp: MAX_UDP,
        });
        let mut site = Self {
            daemon,
            behind: None,
            wires,
            client,
            host,
            plan,
            knowledge,
        };
        site.start_behind()?;
        site.put_version(Versions::FIRST)?;
        site.start_daemon()?;
        Ok(site)
    }

    /// What the table calls the zone.
    #[must_use]
    pub fn zone(&self) -> &'static str {
        self.plan.zone
    }

    /// What its versions say.
    #[must_use]
    pub fn knowledge(&self) -> &Arc<Knowledge> {
        &self.knowledge
    }

    /// Where the clients are.
    #[must_use]
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// The addresses that they ask.
    #[must_use]
    pub fn servers() -> Servers {
        Servers {
            steady: vec![SERVER_V4.into(), SERVER_V6.into()],
            wandering: vec![WANDERING],
            troubled: vec![TROUBLED_V4.into(), TROUBLED_V6.into()],
        }
    }

    /// The host's namespace.
    #[must_use]
    pub fn host(&self) -> &Namespace {
        &self.host
    }

    /// A folder for files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.plan.folder
    }

    /// The serial of the first or the second version.
    #[must_use]
    pub fn serial(&self, version: Versions) -> u32 {
        self.knowledge.serials[place(version)]
    }

    /// The file of the first or the second version.
    #[must_use]
    pub fn version_file(&self, version: Versions) -> &Path {
        &self.plan.versions[place(version)]
    }

    /// Puts the first or the second version where dns-glue reads its zone, all
    /// at once.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn put_version(&self, version: Versions) -> Result<()> {
        let file = self.version_file(version);
        let new = self.plan.folder.join("new.zone");
        let done = fs::copy(file, &new).and_then(|_| fs::rename(&new, self.daemon.zone_file()));
        done.with_context(|| format!("put {} in place", file.display()))
    }

    /// Starts dns-glue, and waits until it answers; how long that took.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn start_daemon(&mut self) -> Result<Duration> {
        self.start_daemon_with(|_| ())
    }

    /// Starts dns-glue in a way of its own.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn start_daemon_with(&mut self, prepare: impl FnOnce(&mut Command)) -> Result<Duration> {
        self.daemon.start(&self.host, prepare)
    }

    /// Starts the server behind, and waits until it answers.
    ///
    /// # Errors
    ///
    /// It does not.
    pub fn start_behind(&mut self) -> Result<()> {
        let zones = [ZoneSource {
            apex: Name::vec_from_str(&self.plan.apex).context("the apex")?,
            path: self.plan.versions[2].clone(),
        }];
        let setting = server::Setting {
            zones: &zones,
            max_udp: MAX_UDP,
            folder: &self.plan.folder.join("behind"),
            xdp_interface: None,
            processor: None,
            further_addresses: &[WANDERING, TROUBLED_V4.into(), TROUBLED_V6.into()],
        };
        self.behind = Some(server::start(Server::Knot, &setting, &self.host)?);
        Ok(())
    }

    /// Ends the server behind.
    pub fn stop_behind(&mut self) {
        self.behind = None;
    }

    /// Adds the addresses of an interface that has lost them.
    ///
    /// # Errors
    ///
    /// `ip` fails.
    pub fn add_addresses(&self, pair: Pair) -> Result<()> {
        for address in pair.addresses() {
            // "replace" also where it is still there.
            let interface = pair.interface();
            self.host.ip(&format!(
                "addr replace {address} dev {interface}{}",
                nodad(&address)
            ))?;
        }
        Ok(())
    }

    /// Deletes the second pair.
    ///
    /// # Errors
    ///
    /// `ip` fails.
    pub fn delete_pair(&mut self) -> Result<()> {
        self.wires[Pair::Troubled as usize] = None;
        self.host
            .ip(&format!("link del {}", Pair::Troubled.interface()))
    }

    /// Makes the second pair again.
    ///
    /// # Errors
    ///
    /// `ip` fails, or the programs of the client's end do not start.
    pub fn remake_pair(&mut self) -> Result<()> {
        let pair = Pair::Troubled;
        lay(&self.host, &self.client, pair)?;
        self.wires[pair as usize] = Some(wire(&self.plan.binaries, &self.client, pair)?);
        Ok(())
    }

    /// Whether dns-glue says that it is on an interface, and knows its
    /// addresses.
    ///
    /// # Errors
    ///
    /// It does not answer.
    pub fn is_served(&self, pair: Pair) -> Result<bool> {
        let status = self.daemon.status()?;
        let interfaces = status["interfaces"].as_array().context("no interfaces")?;
        let name = pair.interface();
        let is_on = |interface: &serde_json::Value| {
            interface["name"] == *name && interface["attached"] == true
        };
        let addresses = status["addresses"].as_array().context("no addresses")?;
        let has = |wanted: &String| {
            let wanted = wanted.split('/').next();
            addresses.iter().any(|address| address.as_str() == wanted)
        };
        Ok(interfaces.iter().any(is_on) && pair.addresses().iter().all(has))
    }
}

/// The flag that an IPv6 address needs to be there at once.
fn nodad(address: &str) -> &'static str {
    if address.contains(':') { " nodad" } else { "" }
}

fn place(version: Versions) -> usize {
    usize::from(version == Versions::SECOND)
}

/// Joins the two namespaces by a pair, with addresses at both ends.
fn lay(host: &Namespace, client: &Namespace, pair: Pair) -> Result<()> {
    let (ours, theirs) = (pair.interface(), pair.client_interface());
    let number = pair as u8;
    host.ip(&format!(
        "link add {ours} address {SERVER_MAC}:{number:02x} type veth \
         peer name {theirs} address {CLIENT_MAC}:{number:02x} netns {}",
        client.name()
    ))?;
    for address in pair.addresses() {
        host.ip(&format!("addr add {address} dev {ours}{}", nodad(&address)))?;
    }
    for address in CLIENTS[pair as usize] {
        client.ip(&format!(
            "addr add {address} dev {theirs}{}",
            nodad(address)
        ))?;
    }
    // What is asked is not who has an address.
    for address in pair.addresses() {
        let (address, mac) = (
            address.split('/').next(),
            format!("{SERVER_MAC}:{number:02x}"),
        );
        let address = address.context("an address")?;
        client.ip(&format!(
            "neigh replace {address} lladdr {mac} dev {theirs} nud permanent"
        ))?;
    }
    for address in CLIENTS[pair as usize] {
        let (address, mac) = (
            address.split('/').next(),
            format!("{CLIENT_MAC}:{number:02x}"),
        );
        let address = address.context("an address")?;
        host.ip(&format!(
            "neigh replace {address} lladdr {mac} dev {ours} nud permanent"
        ))?;
    }
    host.ip(&format!("link set {ours} up"))?;
    client.ip(&format!("link set {theirs} up"))
}

/// Makes the clients' end of a pair behave like a wire: see `dns-glue-lab`.
fn wire(binaries: &Path, client: &Namespace, pair: Pair) -> Result<Process> {
    let mut command = Command::new(binaries.join("dns-glue-lab"));
    command
        .arg(pair.client_interface())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut wire = Process::spawn(&mut command, client)?;
    let stdout = wire.child().stdout.take().context("it has a pipe")?;
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .context("read from dns-glue-lab")?;
    ensure!(line == "ready\n", "dns-glue-lab: {line:?}");
    Ok(wire)
}
