//! A name server and its client, each in a network namespace of its own, and
//! dns-glue between them when it is wanted.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::client::{Family, ask_each};
use super::frame::{SERVER_V4, SERVER_V6};
use super::network::Namespace;
use super::process::{Process, wait_for};
use super::zones::Group;
use crate::compare::Server;

/// The interface that dns-glue is attached to.
const SERVER_INTERFACE: &str = "dgserver";
const CLIENT_INTERFACE: &str = "dgclient";
/// Where servers are installed.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"];

/// Everything that is started for one server; dropped, it is gone, in this
/// order.
#[derive(Debug)]
pub struct Site {
    daemon: Option<Process>,
    wire: Option<Process>,
    _process: Process,
    client: Namespace,
    host: Namespace,
    server: Server,
    folder: PathBuf,
    /// The folder of `dns-glue` and `dns-glue-lab`.
    binaries: PathBuf,
}

impl Site {
    /// Starts a server with the zones of a group, and waits until it answers.
    /// `folder` is its own.
    ///
    /// # Errors
    ///
    /// The server is not installed, does not take the zones, or there can be no
    /// namespaces.
    pub fn start(server: Server, group: &Group, folder: &Path, binaries: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let (host, client) = link(server)?;
        let (program, arguments, config) = match server {
            Server::Knot => ("knotd", &["-c"][..], knot_conf(group, folder)),
            Server::Nsd => ("nsd", &["-d", "-c"][..], nsd_conf(group, folder)),
            Server::Bind => (
                "named",
                &["-g", "-n", "1", "-c"][..],
                named_conf(group, folder),
            ),
        };
        let path = FOLDERS
            .iter()
            .map(|folder| Path::new(folder).join(program))
            .find(|path| path.exists())
            .with_context(|| format!("{program} is not installed"))?;
        let file = folder.join("server.conf");
        fs::write(&file, config?).with_context(|| format!("write {}", file.display()))?;
        let log = folder.join("server.log");
        let mut process =
            Process::start(Command::new(path).args(arguments).arg(file), &host, &log)?;
        let soa: Vec<Vec<u8>> = group
            .zones
            .iter()
            .map(|zone| {
                let name = zone.apex.as_slice();
                [b"\0\0\0\0\0\x01\0\0\0\0\0\0", name, b"\0\x06\0\x01"].concat()
            })
            .collect();
        let started = wait_for("the server answers", || {
            process.ensure_running()?;
            let replies = ask_each(&client, Family::V4, &soa)?;
            // With AA, and with an answer.
            let is_answer = |reply: &Vec<u8>| reply[2] & 4 != 0 && reply[7] > 0;
            Ok(replies
                .iter()
                .all(|reply| reply.as_ref().is_some_and(is_answer)))
        });
        if let Err(error) = started {
            let log = fs::read_to_string(&log).unwrap_or_default();
            bail!("{server}: {error:#}\n{log}");
        }
        Ok(Self {
            daemon: None,
            wire: None,
            _process: process,
            client,
            host,
            server,
            folder: folder.to_owned(),
            binaries: binaries.to_owned(),
        })
    }

    /// Which server it is.
    pub fn server(&self) -> Server {
        self.server
    }

    /// Where the client is: queries from there come in on the interface.
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// Where the server is: queries from there reach it without the interface.
    pub fn host(&self) -> &Namespace {
        &self.host
    }

    /// Makes the client's end behave like a wire, and starts dns-glue with the
    /// options that belong to the server.
    ///
    /// # Errors
    ///
    /// One of the two does not start.
    pub fn start_dns_glue(&mut self, group: &Group) -> Result<()> {
        self.wire = Some(self.make_wire()?);
        let mut command = Command::new(self.binaries.join("dns-glue"));
        command
            .args(["run", "--iface", SERVER_INTERFACE, "--mode", "native"])
            .args(["--max-udp", &group.max_udp.to_string(), "--control"])
            .arg(self.control());
        for zone in &group.zones {
            let origin = zone.apex.fmt_with_dot();
            let zone = format!("{origin}={}", zone.path.display());
            command.args(["--zone", &zone]);
        }
        if self.server == Server::Bind {
            command.args(["--cookies", "pass", "--pass-ecs", "--copy-cd"]);
        }
        let log = self.folder.join("dns-glue.log");
        let mut daemon = Process::start(&mut command, &self.host, &log)?;
        let started = wait_for("dns-glue answers", || {
            daemon.ensure_running()?;
            let zones = self.status().map(|status| status["zones"].clone());
            let zones = zones.and_then(|zones| zones.as_array().map(Vec::len));
            Ok(zones == Some(group.zones.len()))
        });
        if let Err(error) = started {
            let log = fs::read_to_string(&log).unwrap_or_default();
            bail!("dns-glue: {error:#}\n{log}");
        }
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Packets of each outcome of dns-glue: name, action, number.
    ///
    /// # Errors
    ///
    /// dns-glue does not answer.
    pub fn counters(&self) -> Result<Counters> {
        let status = self.status().context("dns-glue does not answer")?;
        let counters = status["counters"].as_array().context("no counters")?;
        let read = |counter: &serde_json::Value| {
            Some((
                counter["name"].as_str()?.to_owned(),
                counter["action"].as_str()?.to_owned(),
                counter["packets"].as_u64()?,
            ))
        };
        let counters: Option<Vec<_>> = counters.iter().map(read).collect();
        Ok(Counters(counters.context("a counter without a number")?))
    }

    fn control(&self) -> PathBuf {
        self.folder.join("control.sock")
    }

    fn status(&self) -> Option<serde_json::Value> {
        let output = Command::new(self.binaries.join("dns-glue"))
            .args(["status", "--json", "--control"])
            .arg(self.control())
            .output()
            .ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }

    fn make_wire(&self) -> Result<Process> {
        let mut command = Command::new(self.binaries.join("dns-glue-lab"));
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
}

/// The counters of dns-glue at one moment.
#[derive(Clone, Debug)]
pub struct Counters(Vec<(String, String, u64)>);

impl Counters {
    /// Packets that the kernel answered.
    pub fn answered(&self) -> u64 {
        let answered = self.0.iter().filter(|(_, action, _)| action == "answered");
        answered.map(|(.., packets)| packets).sum()
    }

    /// Packets of one outcome; 0 if there is none of that name.
    pub fn packets(&self, name: &str) -> u64 {
        let mut counters = self.0.iter();
        let counter = counters.find(|(other, ..)| other == name);
        counter.map_or(0, |(.., packets)| *packets)
    }
}

/// Namespaces of a host and a client, joined by a veth pair.
fn link(server: Server) -> Result<(Namespace, Namespace)> {
    let name = format!("conform-{server}-{}", std::process::id()).to_lowercase();
    let host = Namespace::new(name.clone())?;
    let client = Namespace::new(format!("{name}-client"))?;
    host.ip(&format!(
        "link add {SERVER_INTERFACE} type veth peer name {CLIENT_INTERFACE} netns {}",
        client.name()
    ))?;
    for (namespace, interface, addresses) in [
        (
            &host,
            SERVER_INTERFACE,
            [format!("{SERVER_V4}/24"), format!("{SERVER_V6}/64")],
        ),
        (
            &client,
            CLIENT_INTERFACE,
            ["192.0.2.100/24".into(), "2001:db8::100/64".into()],
        ),
    ] {
        let [v4, v6] = addresses;
        namespace.ip(&format!("addr add {v4} dev {interface}"))?;
        namespace.ip(&format!("addr add {v6} dev {interface} nodad"))?;
        namespace.ip("link set lo up")?;
        namespace.ip(&format!("link set {interface} up"))?;
    }
    Ok((host, client))
}

fn knot_conf(group: &Group, folder: &Path) -> Result<String> {
    let folder = folder.display();
    let mut text = format!(
        "server:\n    rundir: \"{folder}\"\n    listen: [ {SERVER_V4}, \"{SERVER_V6}\" ]\n    \
         udp-workers: 1\n    tcp-workers: 2\n    background-workers: 1\n    \
         udp-max-payload: {}\n    tcp-idle-timeout: 60\n    nsid: \"\"\n\
         database:\n    storage: \"{folder}\"\nlog:\n  - target: stderr\n    any: warning\n\
         template:\n  - id: default\n    journal-content: none\n    zonefile-sync: -1\n    \
         semantic-checks: soft\nzone:\n",
        group.max_udp
    );
    for zone in &group.zones {
        let (apex, file) = (zone.apex.fmt_with_dot(), zone.path.display());
        write!(text, "  - domain: \"{apex}\"\n    file: \"{file}\"\n")?;
    }
    Ok(text)
}

fn nsd_conf(group: &Group, folder: &Path) -> Result<String> {
    let (folder, octets) = (folder.display(), group.max_udp);
    let mut text = format!(
        "server:\n  ip-address: {SERVER_V4}\n  ip-address: {SERVER_V6}\n  username: \"\"\n  \
         server-count: 1\n  ipv4-edns-size: {octets}\n  ipv6-edns-size: {octets}\n  \
         zonesdir: \"{folder}\"\n  zonelistfile: \"{folder}/zone.list\"\n  database: \"\"\n  \
         pidfile: \"\"\n  xfrdfile: \"\"\n  tcp-timeout: 60\n  tcp-query-count: 0\n  \
         rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\n\
         remote-control:\n  control-enable: no\n"
    );
    for zone in &group.zones {
        let (apex, file) = (zone.apex.fmt_with_dot(), zone.path.display());
        write!(text, "zone:\n  name: \"{apex}\"\n  zonefile: \"{file}\"\n")?;
    }
    Ok(text)
}

fn named_conf(group: &Group, folder: &Path) -> Result<String> {
    let (folder, octets) = (folder.display(), group.max_udp);
    let mut text = format!(
        "options {{\n  directory \"{folder}\";\n  listen-on {{ {SERVER_V4}; }};\n  \
         listen-on-v6 {{ {SERVER_V6}; }};\n  recursion no;\n  dnssec-validation no;\n  \
         max-udp-size {octets};\n  edns-udp-size {octets};\n  pid-file none;\n  \
         session-keyfile none;\n  notify no;\n  tcp-idle-timeout 600;\n  \
         check-names primary ignore;\n}};\ncontrols {{ }};\n"
    );
    for zone in &group.zones {
        let (apex, file) = (zone.apex.fmt_with_dot(), zone.path.display());
        writeln!(
            text,
            "zone \"{apex}\" {{ type primary; file \"{file}\"; }};"
        )?;
    }
    Ok(text)
}
