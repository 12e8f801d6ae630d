//! `dns-glue verify`: the kernel's referrals against the server behind.

use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use domain::base::Name;

use super::progress_bar::ProgressBar;
use super::{ControlArgs, complain, print};
use crate::progress::Progress;
use crate::serve::compiled::{ZoneChoice, read_zones};
use crate::serve::control::{Client, Reply, Request};
use crate::serve::status::Status;
use crate::verify::{self, Kernel, Limits, Sample, SerialFinding, Server};
use crate::zone::cuts::find_cuts;
use crate::zone::source::ZoneSource;

/// The exit status when something differs, as diff(1) has it.
const DIFFERENT: u8 = 1;
/// The exit status when nothing was compared.
const TROUBLE: u8 = 2;

/// Compare the kernel's referrals with the answers of the server behind
///
/// Takes the running configuration from the daemon and the names of the
/// delegations from its zone files, asks the loaded program (as a client of the
/// first service address on the first interface) and the server the same
/// queries, and reports whatever differs, the first 1000 differences in full. Asks for each delegation at its name and below it, without EDNS, with
/// 512 and with 1232 octets, with and without DO. The queries count in the
/// counters of the program; no packet of them is sent to an interface. Needs
/// root. The exit status is 0 if nothing differs, 1 if something does, 2 if
/// nothing was compared: on an error, or when the program passes every query.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The server behind, with its port if that is not 53
    ///
    /// An address at which it answers this host: the loopback address if it
    /// listens there, or a service address.
    #[arg(long, value_name = "ADDRESS", value_parser = socket_address)]
    against: SocketAddr,

    /// How many delegations are asked for, spread evenly over the zones
    #[arg(long, value_name = "DELEGATIONS", default_value_t = 1000, value_parser = at_least_one)]
    sample: usize,

    /// Ask for every delegation
    #[arg(long, conflicts_with_all = ["sample", "seed"])]
    all: bool,

    /// The same number takes the same sample [default: drawn, and printed]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u32>,

    /// Ask as a client of this address [default: one made up]
    ///
    /// Under --reply-via fib the kernel must have a way to it, as to a router on
    /// the link.
    #[arg(long, value_name = "ADDRESS")]
    client: Option<IpAddr>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    control: ControlArgs,
}

/// Reads `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().map(|address: IpAddr| (address, 53).into());
    address
        .or_else(|_| text.parse())
        .map_err(|_| String::from("not an IP address, nor ADDRESS:PORT or [ADDRESS]:PORT"))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err(String::from("at least one delegation")),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

pub fn run(args: &VerifyArgs) -> ExitCode {
    match compare(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(DIFFERENT),
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(TROUBLE)
        }
    }
}

/// Whether both sides say the same.
fn compare(args: &VerifyArgs) -> anyhow::Result<bool> {
    let (reply, _client) = Client::call(&args.control.control, Request::Status)?;
    let Reply::Status(status) = reply else {
        bail!("the daemon answered something else");
    };
    let bar = std::io::stderr().is_terminal().then(ProgressBar::new);
    let progress: &dyn Progress = bar.as_ref().map_or(&(), |bar| bar);
    let choice = choice(&status)?;
    let zones = read_zones(&choice, progress)?;
    for (zone, served) in zones.iter().zip(&status.zones) {
        if zone.serial() != served.serial {
            complain(&format!(
                "{} has serial {}, the program answers from {}: names of delegations \
                 are taken from the file",
                served.file.display(),
                zone.serial(),
                served.serial
            ));
        }
    }
    let cuts = find_cuts(&zones, &choice.also_served);
    let kernel = Kernel::of(&status, args.client)?;
    let server = Server::at(args.against)?;
    let serials = serials(&status, &server)?;
    let limits = Limits {
        max_udp: kernel.mtu_octets().min(status.settings.max_udp.into()),
        copy_cd: status.settings.copy_cd,
    };
    let sample = sample(args)?;
    let mut findings = verify::compare(&cuts, sample, &kernel, &server, limits, progress)?;
    findings.serials = serials;
    drop(bar);
    print(&if args.json {
        serde_json::to_string_pretty(&findings)? + "\n"
    } else {
        findings.to_string()
    })?;
    if findings.is_clean() && findings.is_empty() {
        bail!(
            "nothing was compared: the program left all {} queries to the server; the counters of \
             `dns-glue status` tell why",
            findings.queries
        );
    }
    Ok(findings.is_clean())
}

/// The zones as the daemon was told them.
fn choice(status: &Status) -> anyhow::Result<ZoneChoice> {
    let name = |text: &String| {
        Name::vec_from_str(text).with_context(|| format!("the daemon's zone {text}"))
    };
    let sources: anyhow::Result<Vec<ZoneSource>> = status
        .zones
        .iter()
        .map(|zone| {
            Ok(ZoneSource {
                apex: name(&zone.apex)?,
                path: zone.file.clone(),
            })
        })
        .collect();
    let also_served: anyhow::Result<_> = status.settings.serves.iter().map(name).collect();
    Ok(ZoneChoice {
        sources: sources?,
        also_served: also_served?,
        strict: false,
    })
}

/// Zones that the server has in another version, or not at all.
fn serials(status: &Status, server: &Server) -> anyhow::Result<Vec<SerialFinding>> {
    let mut different = Vec::new();
    for zone in &status.zones {
        let apex = Name::vec_from_str(&zone.apex)?;
        let serial = server.serial(apex.for_slice())?;
        if serial != Some(zone.serial) {
            different.push(SerialFinding {
                apex: zone.apex.clone(),
                kernel: zone.serial,
                server: serial,
            });
        }
    }
    Ok(different)
}

fn sample(args: &VerifyArgs) -> anyhow::Result<Sample> {
    if args.all {
        return Ok(Sample::All);
    }
    let seed = match args.seed {
        Some(seed) => seed,
        None => {
            let mut octets = [0; 4];
            getrandom::fill(&mut octets).context("no random numbers from the system")?;
            u32::from_ne_bytes(octets)
        }
    };
    Ok(Sample::Spread {
        delegations: args.sample,
        seed: seed.into(),
    })
}
