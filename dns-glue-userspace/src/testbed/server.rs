//! Knot DNS, NSD and BIND as processes in a namespace, each with one thread
//! for UDP.

use std::fmt::{self, Write as _};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::needs::installed;
use super::network::Namespace;
use super::process::{Process, patience_for, wait_so_long_for};
use crate::compare::Server;
use crate::conform::client::{Family, ask_each};
use crate::conform::frame::{SERVER_V4, SERVER_V6};
use crate::zone::source::ZoneSource;

/// What a server serves, and how.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The zones.
    pub zones: &'a [ZoneSource],
    /// The longest reply over UDP, octets.
    pub max_udp: u16,
    /// A folder of its own.
    pub folder: &'a Path,
    /// The interface on which Knot DNS takes queries by AF_XDP, if it does.
    pub xdp_interface: Option<&'a str>,
    /// The processor that it runs on; any if none is named.
    pub processor: Option<usize>,
    /// Addresses beside the service addresses at which it answers too.
    pub further_addresses: &'a [IpAddr],
}

impl Setting<'_> {
    /// All addresses at which it answers.
    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let service = [IpAddr::V4(SERVER_V4), IpAddr::V6(SERVER_V6)];
        service
            .into_iter()
            .chain(self.further_addresses.iter().copied())
    }
}

/// Starts a server at the service addresses of `host`, and waits until it
/// answers there.
///
/// # Errors
///
/// The server is not installed, or does not take the zones; its log is told.
pub fn start(server: Server, setting: &Setting<'_>, host: &Namespace) -> Result<Process> {
    let folder = setting.folder;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let (program, arguments, config) = match server {
        Server::Knot => ("knotd", &["-c"][..], knot_conf(setting)),
        Server::Nsd => ("nsd", &["-d", "-c"][..], nsd_conf(setting)),
        Server::Bind => ("named", &["-g", "-n", "1", "-c"][..], named_conf(setting)),
    };
    let path = installed(program).with_context(|| format!("{program} is not installed"))?;
    let file = folder.join("server.conf");
    fs::write(&file, config?).with_context(|| format!("write {}", file.display()))?;
    let log = folder.join("server.log");
    let mut command = Command::new(path);
    command.args(arguments).arg(file);
    if let Some(processor) = setting.processor {
        super::process::pin(&mut command, processor);
    }
    let process = Process::start(&mut command, host, &log)?;
    if let Err(error) = wait_for_answers(&process, setting.zones, host) {
        let log = fs::read_to_string(&log).unwrap_or_default();
        bail!("{server}: {error:#}\n{log}");
    }
    Ok(process)
}

fn wait_for_answers(process: &Process, zones: &[ZoneSource], host: &Namespace) -> Result<()> {
    let soa = |zone: &ZoneSource| {
        let name = zone.apex.as_slice();
        [b"\0\0\0\0\0\x01\0\0\0\0\0\0", name, b"\0\x06\0\x01"].concat()
    };
    let soa: Vec<Vec<u8>> = zones.iter().map(soa).collect();
    wait_so_long_for("the server answers", patience_for(zones), || {
        process.ensure_running()?;
        let replies = ask_each(host, Family::V4, &soa)?;
        // With AA, and with an answer.
        let is_answer = |reply: &Vec<u8>| reply[2] & 4 != 0 && reply[7] > 0;
        Ok(replies
            .iter()
            .all(|reply| reply.as_ref().is_some_and(is_answer)))
    })
}

fn knot_conf(setting: &Setting<'_>) -> Result<String, fmt::Error> {
    let (folder, octets) = (setting.folder.display(), setting.max_udp);
    let listen: Vec<String> = setting
        .addresses()
        .map(|address| format!("\"{address}\""))
        .collect();
    let listen = listen.join(", ");
    let mut text = format!(
        "server:\n    rundir: \"{folder}\"\n    listen: [ {listen} ]\n    \
         udp-workers: 1\n    tcp-workers: 2\n    background-workers: 1\n    \
         udp-max-payload: {octets}\n    tcp-idle-timeout: 60\n    nsid: \"\"\n"
    );
    if let Some(interface) = setting.xdp_interface {
        write!(text, "xdp:\n    listen: {interface}\n")?;
    }
    write!(
        text,
        "database:\n    storage: \"{folder}\"\nlog:\n  - target: stderr\n    any: warning\n\
         template:\n  - id: default\n    journal-content: none\n    zonefile-sync: -1\n    \
         semantic-checks: soft\nzone:\n"
    )?;
    for zone in setting.zones {
        let (apex, file) = (zone.apex.fmt_with_dot(), zone.path.display());
        write!(text, "  - domain: \"{apex}\"\n    file: \"{file}\"\n")?;
    }
    Ok(text)
}

/// Octets of a server's receive buffer, as guides for name servers recommend: the
/// kernel's own default of 208 KiB holds the queries of a few milliseconds. NSD
/// asks for less by itself, the others for nothing.
pub const RECEIVE_OCTETS: u64 = 4 << 20;

fn nsd_conf(setting: &Setting<'_>) -> Result<String, fmt::Error> {
    let (folder, octets) = (setting.folder.display(), setting.max_udp);
    let mut text = String::from("server:\n");
    for address in setting.addresses() {
        writeln!(text, "  ip-address: {address}")?;
    }
    write!(
        text,
        "  username: \"\"\n  \
         server-count: 1\n  ipv4-edns-size: {octets}\n  ipv6-edns-size: {octets}\n  \
         zonesdir: \"{folder}\"\n  zonelistfile: \"{folder}/zone.list\"\n  database: \"\"\n  \
         pidfile: \"\"\n  xfrdfile: \"\"\n  tcp-timeout: 60\n  tcp-query-count: 0\n  \
         rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\n  \
         receive-buffer-size: {RECEIVE_OCTETS}\n\
         remote-control:\n  control-enable: no\n"
    )?;
    for zone in setting.zones {
        let (apex, file) = (zone.apex.fmt_with_dot(), zone.path.display());
        write!(text, "zone:\n  name: \"{apex}\"\n  zonefile: \"{file}\"\n")?;
    }
    Ok(text)
}

fn named_conf(setting: &Setting<'_>) -> Result<String, fmt::Error> {
    let (folder, octets) = (setting.folder.display(), setting.max_udp);
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = setting.addresses().partition(IpAddr::is_ipv4);
    let list = |addresses: Vec<IpAddr>| -> String {
        addresses
            .iter()
            .map(|address| format!("{address}; "))
            .collect()
    };
    let (v4, v6) = (list(v4), list(v6));
    let mut text = format!(
        "options {{\n  directory \"{folder}\";\n  listen-on {{ {v4}}};\n  \
         listen-on-v6 {{ {v6}}};\n  recursion no;\n  dnssec-validation no;\n  \
         max-udp-size {octets};\n  edns-udp-size {octets};\n  pid-file none;\n  \
         session-keyfile none;\n  notify no;\n  tcp-idle-timeout 600;\n  \
         check-names primary ignore;\n}};\ncontrols {{ }};\n"
    );
    for zone in setting.zones {
        let (apex, file) = (zone.apex.fmt_with_dot(), zone.path.display());
        writeln!(
            text,
            "zone \"{apex}\" {{ type primary; file \"{file}\"; }};"
        )?;
    }
    Ok(text)
}
