//! The lab: a client and a server on one machine, and every case of a referral
//! asked over real sockets.
//!
//! ```text
//! network namespace "client"                       network namespace "server"
//! sockets -> pad_queries -> dns-glue-client ===veth=== dns-glue-server -> XDP program
//!        <----- pass_all <-                                        <-- referral
//!        <----- pass_all <-                                        <-- fallback <- everything else
//! ```
//!
//! A veth pair is no network card: without the two programs on the client's
//! end the server behind would answer instead, and no one would notice. So
//! every answer is held against the counters as well as against its records.

mod cases;
mod client;
mod counters;
mod dig_form;
mod judge;
mod load;
mod namespace;
mod process;
mod watch;

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::{self as this_process, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    build,
    command::{output, say},
    interrupt, packages, workspace,
};
use cases::{CASES, Case, PLAIN, SIGNED};
use client::{Query, Transport};
use counters::Counters;
use judge::absolute_name;
use namespace::Namespace;
use process::Process;

/// Beginning of the name of everything that a lab makes; the number of its
/// process follows.
const PREFIX: &str = "dns-glue-lab-";
/// Where the control socket and the log of a lab lie.
const RUNTIME_FOLDER: &str = "/run";

/// The interfaces, each in a namespace of its own.
const SERVER_INTERFACE: &str = "dns-glue-server";
const CLIENT_INTERFACE: &str = "dns-glue-client";

/// The zones and their files in the testdata of dns-glue-userspace.
const ZONES: [(&str, &str); 2] = [(PLAIN, "example.zone"), (SIGNED, "example-signed.zone")];

/// Within this the daemon must be up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A host's addresses, those set aside for documentation.
#[derive(Clone, Copy)]
struct Addresses {
    ipv4: Ipv4Addr,
    ipv6: Ipv6Addr,
}

const SERVER: Addresses = Addresses {
    ipv4: Ipv4Addr::new(192, 0, 2, 1),
    ipv6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
};
const CLIENT: Addresses = Addresses {
    ipv4: Ipv4Addr::new(192, 0, 2, 254),
    ipv6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 254),
};

/// Brings the lab up, asks, and takes it down: at once, or when told to.
///
/// # Errors
/// Without root, when something cannot be built or made, and when an answer was
/// wrong or came from the wrong side.
pub fn run(once: bool) -> Result<()> {
    if !packages::is_root()? {
        bail!(
            "the lab needs root: it makes two network namespaces ({PREFIX}*), joins them by a \
             veth pair, attaches its programs there and nowhere else, and removes all of it at \
             its end; `cargo xtask build` and `cargo xtask test` work without"
        );
    }
    // Only `ip` is needed; the others are for whoever wants to ask more.
    if let Err(error) = packages::ensure(&packages::FOR_LAB) {
        say(&format!("{error:#}"));
    }
    output(Command::new("ip").arg("-Version")).context("the lab needs `ip` (iproute2)")?;
    let binaries = build::release(&["dns-glue", "dns-glue-lab"])?;

    interrupt::catch()?;
    remove_leftovers()?;
    let mut lab = Lab::new(&binaries)?;
    let mut done = ask_and_show(&mut lab, once);
    if once && interrupt::seen() {
        // Whatever else went wrong is a consequence.
        done = interrupt::check();
    } else if done.is_err() {
        lab.show_log();
    }
    drop(lab);
    say("the lab is taken down");
    done
}

fn ask_and_show(lab: &mut Lab, once: bool) -> Result<()> {
    let wrong = ask_all(lab)?;
    if once {
        load::run(lab)?;
        interrupt::check()?;
    } else {
        load::write_queries()?;
        print!("{}", lab.ways_to_ask());
        watch::run(lab)?;
    }
    match wrong {
        0 => Ok(()),
        _ => bail!("{wrong} of {} answers were wrong", CASES.len()),
    }
}

/// Asks every case; how many answers were wrong.
fn ask_all(lab: &mut Lab) -> Result<usize> {
    let mut summary = String::new();
    let mut wrong = 0;
    for case in CASES {
        interrupt::check()?;
        let (origin, faults) = ask(lab, case)?;
        let verdict = if faults.is_empty() { "right" } else { "WRONG" };
        println!(";; ANSWERED BY: {origin} ({verdict})");
        for fault in &faults {
            println!(";; {fault}");
        }
        println!();
        wrong += usize::from(!faults.is_empty());
        summary += &format!("{verdict:<6} {origin:<9} {}\n", case.title);
    }
    println!("{summary}");
    Ok(wrong)
}

/// Asks a case and prints the answer; who gave it, and what is wrong with it.
fn ask(lab: &mut Lab, case: &Case) -> Result<(&'static str, Vec<String>)> {
    let name = absolute_name(case.name, case.zone);
    let query = Query {
        name: &name,
        rtype: case.rtype,
        edns: case.edns,
        transport: case.transport,
    };
    let server: IpAddr = if case.ipv6 {
        SERVER.ipv6.into()
    } else {
        SERVER.ipv4.into()
    };
    let before = lab.counters()?;
    let reply = query.ask(&lab.client, server);
    let counted = lab.counters()?.since(&before);
    println!("; {}", case.title);
    println!("; {}", dig_line(case, &name, server));
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => {
            // A referral that was sent and not received is counted all the same.
            let faults = vec![format!("{error:#}; {}", judge::describe(&counted))];
            return Ok(("nobody", faults));
        }
    };
    print!("{}", dig_form::text(&reply)?);
    println!(
        "\n;; SERVER: {server}#53 ({}), {} octets",
        match case.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        },
        reply.as_slice().len()
    );
    let faults = judge::faults(case, &reply, &counted)?;
    Ok((judge::origin(&counted), faults))
}

/// The case as dig would be told to ask it.
fn dig_line(case: &Case, name: &str, server: IpAddr) -> String {
    let mut line = format!("dig @{server} {name} {} +norecurse", case.rtype);
    match case.edns {
        None => line += " +noedns",
        Some(edns) => {
            line += &format!(" +nocookie +bufsize={}", edns.octets);
            if edns.dnssec {
                line += " +dnssec";
            }
        }
    }
    if case.transport == Transport::Tcp {
        line += " +tcp";
    } else {
        line += " +ignore";
    }
    line
}

/// Everything that is made for the lab; dropped, it is gone, in this order.
struct Lab {
    daemon: Process,
    /// The programs on the client's end.
    _client_end: Process,
    client: Namespace,
    /// Goes with its interface.
    _server: Namespace,
    folder: Folder,
    dns_glue: PathBuf,
}

impl Lab {
    fn new(binaries: &Path) -> Result<Self> {
        let name = format!("{PREFIX}{}", this_process::id());
        say(&format!(
            "making network namespaces {name}-server and {name}-client, with a veth pair"
        ));
        let folder = Folder::new(Path::new(RUNTIME_FOLDER).join(&name))?;
        let server = Namespace::new(format!("{name}-server"))?;
        let client = Namespace::new(format!("{name}-client"))?;
        server.ip(&format!(
            "link add {SERVER_INTERFACE} type veth peer name {CLIENT_INTERFACE} netns {}",
            client.name()
        ))?;
        configure(&server, SERVER_INTERFACE, SERVER)?;
        configure(&client, CLIENT_INTERFACE, CLIENT)?;
        let client_end = start_client_end(binaries, &client)?;
        let dns_glue = binaries.join("dns-glue");
        let daemon = start_daemon(&dns_glue, &folder, &server)?;
        let mut lab = Self {
            daemon,
            _client_end: client_end,
            client,
            _server: server,
            folder,
            dns_glue,
        };
        lab.wait()?;
        Ok(lab)
    }

    /// Waits until the daemon answers.
    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            interrupt::check()?;
            if let Some(status) = self.daemon.ended()? {
                self.show_log();
                bail!("dns-glue ended with {status}");
            }
            let Err(error) = Counters::ask(&self.dns_glue, &self.folder.control()) else {
                return Ok(());
            };
            if Instant::now() > deadline {
                self.show_log();
                return Err(error.context("dns-glue does not come up"));
            }
            interrupt::sleep(Duration::from_millis(50));
        }
    }

    fn client(&self) -> &Namespace {
        &self.client
    }

    fn addresses(&self) -> Addresses {
        SERVER
    }

    fn counters(&mut self) -> Result<Counters> {
        if let Some(status) = self.daemon.ended()? {
            bail!("dns-glue ended with {status}");
        }
        Counters::ask(&self.dns_glue, &self.folder.control())
    }

    /// What the daemon has written.
    fn show_log(&self) {
        match fs::read_to_string(self.folder.log()) {
            Ok(text) => eprint!("the log of dns-glue:\n{text}"),
            Err(error) => eprintln!("no log of dns-glue: {error}"),
        }
    }

    fn ways_to_ask(&self) -> String {
        let on_client = format!("ip netns exec {}", self.client.name());
        format!(
            "Ask more:  {on_client} dig @{} +norecurse +nocookie www.in-domain.{PLAIN}\n\
             Load:      {on_client} {}\n\
             Counters:  {} status --control {}\n\
             Ctrl-C takes the lab down.\n\n",
            SERVER.ipv4,
            load::command_line(self),
            self.dns_glue.display(),
            self.folder.control().display(),
        )
    }
}

fn configure(namespace: &Namespace, interface: &str, addresses: Addresses) -> Result<()> {
    let Addresses { ipv4, ipv6 } = addresses;
    namespace.ip(&format!("addr add {ipv4}/24 dev {interface}"))?;
    // Nobody else is on the link: no need to wait for who might have it.
    namespace.ip(&format!("addr add {ipv6}/64 dev {interface} nodad"))?;
    namespace.ip("link set lo up")?;
    namespace.ip(&format!("link set {interface} up"))
}

fn start_client_end(binaries: &Path, client: &Namespace) -> Result<Process> {
    let mut command = Command::new(binaries.join("dns-glue-lab"));
    command
        .arg(CLIENT_INTERFACE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut process = Process::start("dns-glue-lab", &mut command, client)?;
    let stdout = process.child().stdout.take().context("no pipe")?;
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .context("wait for the programs on the client's end")?;
    if line.trim_end() != "ready" {
        bail!("dns-glue-lab could not attach its programs to the client's end");
    }
    Ok(process)
}

fn start_daemon(dns_glue: &Path, folder: &Folder, server: &Namespace) -> Result<Process> {
    let testdata = workspace::root()
        .join("dns-glue-userspace")
        .join("testdata");
    let log = File::create(folder.log()).context("make a file for the log")?;
    let mut command = Command::new(dns_glue);
    command.args(["run", "--iface", SERVER_INTERFACE]);
    for (apex, file) in ZONES {
        let file = testdata.join(file);
        command
            .arg("--zone")
            .arg(format!("{apex}={}", file.display()));
    }
    command.args(["--mode", "native", "--fallback", "embedded", "--control"]);
    command
        .arg(folder.control())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    Process::start("dns-glue", &mut command, server)
}

/// The files of a running lab, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }

    fn control(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            say(&format!("{} is left over: {error}", self.0.display()));
        }
    }
}

/// Removes what a lab left that could not do so itself: a killed one.
fn remove_leftovers() -> Result<()> {
    for name in namespace::names()? {
        if is_leftover(&name) {
            say(&format!("removing network namespace {name}"));
            namespace::remove(&name);
        }
    }
    let entries = fs::read_dir(RUNTIME_FOLDER).with_context(|| format!("read {RUNTIME_FOLDER}"))?;
    for entry in entries {
        let entry = entry?;
        if is_leftover(&entry.file_name().to_string_lossy()) {
            drop(Folder(entry.path()));
        }
    }
    Ok(())
}

/// Whether the name is that of a lab whose process is gone.
fn is_leftover(name: &str) -> bool {
    owner(name).is_some_and(|process| !is_xtask(process))
}

/// The process of the lab to which something of that name belongs.
fn owner(name: &str) -> Option<u32> {
    let rest = name.strip_prefix(PREFIX)?;
    let number = rest.split('-').next()?;
    number.parse().ok()
}

fn is_xtask(process: u32) -> bool {
    // Our own number is free again or it would not be ours: what bears it is
    // left over, too.
    process != this_process::id()
        && fs::read_to_string(format!("/proc/{process}/comm"))
            .is_ok_and(|name| name.trim_end() == env!("CARGO_PKG_NAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_known_by_its_process() {
        assert_eq!(owner("dns-glue-lab-17"), Some(17));
        assert_eq!(owner("dns-glue-lab-17-server"), Some(17));
        assert_eq!(owner("dns-glue-lab-"), None);
        assert_eq!(owner("dns-glue-17-server"), None);
        assert!(!is_leftover("another"));
        // The first process is never a task of ours.
        assert!(is_leftover("dns-glue-lab-1-client"));
    }

    #[test]
    fn interfaces_have_names_that_the_kernel_takes() {
        for name in [SERVER_INTERFACE, CLIENT_INTERFACE] {
            assert!(name.len() < libc::IFNAMSIZ, "{name}");
        }
    }
}
