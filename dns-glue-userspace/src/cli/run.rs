//! `dns-glue run`: the daemon.

use std::io::{self, IsTerminal as _};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use dns_glue_common::policy::Policy;
use log::LevelFilter;
use tokio::runtime::{Builder, Runtime};

use super::behind_args::BehindArgs;
use super::mode::Mode;
use super::progress_bar::ProgressBar;
use super::{ControlArgs, ReplyArgs, ZoneArgs};
use crate::progress::Progress;
use crate::serve::daemon::{self, Config, FallbackChoice};
use crate::serve::paths::{Paths, VirtualMac};

/// Compile zones, attach the program, and stay until stopped
///
/// Runs in the foreground; SIGINT, SIGTERM and `dns-glue stop` detach the
/// program. SIGHUP and `dns-glue reload` read the zones' files again. At SIGUSR2
/// this process ends and the program answers on, as it does when this process
/// is killed, until the next `run` takes it over or `dns-glue stop` detaches it;
/// but with --fallback embedded the kernel detaches it with the process. Needs
/// CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON, and Linux 5.18 or later.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// An interface to answer on; for VLANs the one that carries them
    #[arg(long = "iface", value_name = "IF", required = true, num_args = 1..)]
    interfaces: Vec<String>,

    #[command(flatten)]
    zones: ZoneArgs,

    /// A service address: queries to any other pass
    ///
    /// By default all addresses of the interfaces, of the VLANs on them and of
    /// lo, IPv4 and IPv6, except loopback and link-local ones; followed as they
    /// come and go.
    #[arg(long = "address", value_name = "IP", num_args = 1.., value_parser = service_address)]
    addresses: Vec<IpAddr>,

    /// The UDP port of the service
    #[arg(long, default_value_t = 53, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    /// A MAC address that queries are sent to beside the interfaces' own
    ///
    /// Of a virtual router (VRRP, RFC 9568) or another address that the host
    /// has taken over: for all interfaces, or as IF=MAC for one. Replies leave
    /// from the address that was asked.
    #[arg(long = "mac", value_name = "[IF=]MAC", num_args = 1..)]
    virtual_macs: Vec<VirtualMac>,

    /// What decides where a reply goes
    #[arg(long, value_enum, default_value_t = ReplyVia::Swap)]
    reply_via: ReplyVia,

    /// How to attach the program
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    mode: Mode,

    #[command(flatten)]
    replies: ReplyArgs,

    /// What to do with a query that has a DNS cookie
    #[arg(long, value_enum, default_value_t = Cookies::Ignore)]
    cookies: Cookies,

    /// Pass queries with a client subnet option
    #[arg(long)]
    pass_ecs: bool,

    /// Copy the CD flag into replies, as BIND does
    #[arg(long)]
    copy_cd: bool,

    /// Who answers what passes
    #[arg(long, value_enum, default_value_t = Fallback::None)]
    fallback: Fallback,

    /// Reload when a file of the zones changes
    ///
    /// Zones that come out of pipes are refused then.
    #[arg(long)]
    watch: bool,

    /// The folder that keeps the program on the interfaces without a process
    ///
    /// On a BPF file system; this daemon's alone, in its network namespace. By
    /// default /sys/fs/bpf/dns-glue; with --fallback embedded nothing is kept,
    /// and a folder is only needed where the process lacks CAP_SYS_ADMIN.
    #[arg(long, value_name = "DIR")]
    pins: Option<PathBuf>,

    /// Turn off offloads that hide VLAN tags, and on again at the end
    #[arg(long)]
    fix_offload: bool,

    /// Keep the verifier's whole log here if it refuses the program
    #[arg(long, value_name = "FILE")]
    verifier_log: Option<PathBuf>,

    #[command(flatten)]
    behind: BehindArgs,

    #[command(flatten)]
    control: ControlArgs,

    /// What is written to stderr, by the daemon and by the program
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    log_level: LogLevel,
}

/// Reads a service address: one that queries can be sent to over an interface.
/// An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) is that IPv4 address:
/// it is never on the wire in any other way.
fn service_address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|error| format!("{error}"))?;
    let address = address.to_canonical();
    let why = if address.is_unspecified() {
        "the unspecified address; for all addresses leave --address out"
    } else if address.is_loopback() {
        "a loopback address, to which no query comes over an interface"
    } else if address.is_multicast() {
        "a multicast address, from which nobody can answer"
    } else if address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        "the broadcast address, from which nobody can answer"
    } else {
        return Ok(address);
    };
    Err(format!("{address} is {why}"))
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReplyVia {
    /// The query: back to the MAC address that it came from
    Swap,
    /// The kernel's routing table and neighbours; what they would send out of
    /// another interface passes, and so does what they have no way for
    Fib,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cookies {
    /// Answer without a server cookie (RFC 7873 5.2.3)
    Ignore,
    /// Leave the query to the server behind
    Pass,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Fallback {
    /// A name server that runs beside dns-glue
    None,
    /// The built-in server, from the same zones
    Embedded,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Runs the daemon.
pub fn run(args: RunArgs) -> anyhow::Result<()> {
    let level = args.log_level.filter();
    env_logger::Builder::new()
        // The libraries' own steps help nobody who runs a name server. The
        // records of the program come under its name, dns_glue, too.
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module("dns_glue", level)
        // It calls the end of a server that was told to end an error.
        .filter_module("domain::net::server", LevelFilter::Off)
        .format_target(false)
        .try_init()
        .context("start the log")?;
    let config = args.config(level);
    if config.fallback == FallbackChoice::Embedded && config.behind.require_fallback {
        bail!(
            "--require-fallback is about a server that somebody else runs, not --fallback embedded"
        );
    }
    let progress: Box<dyn Progress + Send> = if io::stderr().is_terminal() {
        Box::new(ProgressBar::new())
    } else {
        Box::new(())
    };
    let runtime = runtime().context("start the runtime")?;
    let result = runtime.block_on(daemon::run(config, progress));
    // A compile that a signal interrupted is not waited for.
    runtime.shutdown_background();
    Ok(result?)
}

/// The runtime. It has fewer descriptors than these pairs of sockets, and
/// panics if there are too few for its own.
fn runtime() -> io::Result<Runtime> {
    const PAIRS: usize = 4;
    let pairs: io::Result<Vec<_>> = (0..PAIRS).map(|_| UnixDatagram::pair()).collect();
    drop(pairs?);
    Builder::new_multi_thread().enable_all().build()
}

impl RunArgs {
    fn config(self, log_level: LevelFilter) -> Config {
        let via_fib = matches!(self.reply_via, ReplyVia::Fib);
        let mut flags = 0;
        for (chosen, flag) in [
            (matches!(self.cookies, Cookies::Pass), Policy::COOKIES_PASS),
            (self.pass_ecs, Policy::ECS_PASS),
            (self.copy_cd, Policy::COPY_CD),
            (via_fib, Policy::REPLY_VIA_FIB),
        ] {
            if chosen {
                flags |= flag;
            }
        }
        Config {
            interfaces: self.interfaces,
            addresses: (!self.addresses.is_empty()).then(|| self.addresses.into_iter().collect()),
            zones: self.zones.choice(),
            watch: self.watch,
            mode: self.mode.choice(),
            paths: Paths {
                virtual_macs: self.virtual_macs,
                via_fib,
            },
            policy: Policy {
                port: self.port,
                flags,
                ..self.replies.policy()
            },
            fallback: match self.fallback {
                Fallback::None => FallbackChoice::None,
                Fallback::Embedded => FallbackChoice::Embedded,
            },
            control: self.control.control,
            pins: self.pins,
            behind: self.behind.policy(),
            max_unattended: self.behind.max_unattended(),
            log_level,
            verifier_log: self.verifier_log,
            fix_offload: self.fix_offload,
        }
    }
}

impl LogLevel {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Off => LevelFilter::Off,
            Self::Error => LevelFilter::Error,
            Self::Warn => LevelFilter::Warn,
            Self::Info => LevelFilter::Info,
            Self::Debug => LevelFilter::Debug,
            Self::Trace => LevelFilter::Trace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        run: RunArgs,
    }

    /// What `--address` makes of a value: the addresses, or the error.
    fn addresses(value: &str) -> Result<Vec<IpAddr>, String> {
        let line = ["run", "--iface", "eth0", "--zone", ".=root.zone"];
        let line = line.into_iter().chain(["--address", value]);
        match Line::try_parse_from(line) {
            Ok(line) => Ok(line.run.addresses),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn service_addresses_are_read() {
        for (value, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(addresses(value), Ok(vec![address]));
        }
    }

    #[test]
    fn impossible_service_addresses_are_refused() {
        for (value, why) in [
            ("0.0.0.0", "leave --address out"),
            ("::", "leave --address out"),
            ("::ffff:0.0.0.0", "leave --address out"),
            ("127.0.0.53", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("224.0.0.251", "multicast"),
            ("ff02::fb", "multicast"),
            ("255.255.255.255", "broadcast"),
            ("192.0.2.256", "invalid IP address"),
        ] {
            let error = addresses(value).expect_err(value);
            assert!(error.contains(why), "{value}: {error}");
            let told = format!("invalid value '{value}' for '--address <IP>...'");
            assert!(error.contains(&told), "{value}: {error}");
        }
    }

    #[test]
    fn impossible_mac_addresses_are_refused() {
        for value in ["ff:ff:ff:ff:ff:ff", "eth0=01:00:5e:00:00:01", "eth0"] {
            let line = ["run", "--iface", "eth0", "--zone", ".=x", "--mac", value];
            let error = Line::try_parse_from(line).expect_err(value).to_string();
            let told = format!("invalid value '{value}' for '--mac <[IF=]MAC>...'");
            assert!(error.contains(&told), "{value}: {error}");
        }
    }
}
