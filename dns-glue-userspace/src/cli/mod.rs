//! The command line: one module a subcommand.

pub mod behind_args;
pub mod behind_status;
mod check;
mod check_nic;
mod completions;
mod explain;
mod interfaces;
mod man;
mod mode;
mod progress_bar;
mod reload;
mod reply_args;
mod run;
mod status;
mod stop;
mod unattended;
mod verify;
mod zone_args;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use reply_args::ReplyArgs;
pub use zone_args::ZoneArgs;

use crate::kernel::pins;
use crate::serve::control;

/// Answers the referrals of delegation zones in the kernel.
///
/// dns-glue compiles delegation zones (the root, a TLD, a reverse zone) into
/// ready-made referrals, which an XDP program sends before the query reaches
/// the network stack. Everything else passes, untouched, to the name server
/// behind.
#[derive(Debug, Parser)]
#[command(name = "dns-glue", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Check(check::CheckArgs),
    CheckNic(check_nic::CheckNicArgs),
    Explain(explain::ExplainArgs),
    Status(status::StatusArgs),
    Interfaces(interfaces::InterfacesArgs),
    Reload(reload::ReloadArgs),
    Stop(stop::StopArgs),
    Verify(verify::VerifyArgs),
    #[command(hide = true)]
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    Man(man::ManArgs),
}

/// Where the daemon is to be found.
#[derive(Debug, Args)]
struct ControlArgs {
    /// The control socket of the daemon
    #[arg(long, value_name = "PATH", default_value = control::DEFAULT_PATH)]
    control: PathBuf,
}

/// Where a program that answers without a daemon is to be found.
#[derive(Debug, Args)]
struct PinsArgs {
    /// The pin folder of a daemon that is gone
    #[arg(long, value_name = "DIR", default_value = pins::DEFAULT_PATH)]
    pins: PathBuf,
}

/// Does what the command line says; the exit status.
///
/// # Errors
///
/// Whatever went wrong, in words for the operator.
pub fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Verify(args) => return Ok(verify::run(&args)),
        Command::CheckNic(args) => return check_nic::run(&args),
        Command::Run(args) => run::run(args)?,
        Command::Check(args) => check::run(&args)?,
        Command::Explain(args) => explain::run(&args)?,
        Command::Status(args) => return status::run(&args),
        Command::Reload(args) => reload::run(&args)?,
        Command::Stop(args) => stop::run(&args)?,
        Command::Interfaces(args) => interfaces::run(args)?,
        Command::Completions(args) => completions::run(&args)?,
        Command::Man(args) => man::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes to standard output; a reader that has seen enough (`| head`) is no
/// error.
fn print(text: &str) -> std::io::Result<()> {
    let written = std::io::stdout().write_all(text.as_bytes());
    written.or_else(unless_broken_pipe)
}

/// Any error but that nobody reads any more.
fn unless_broken_pipe(error: std::io::Error) -> std::io::Result<()> {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error),
    }
}

/// Writes a line to standard error. Where nobody can read it (a full disk below
/// a log, a closed pipe), the exit status has to do: `eprintln` would panic.
pub fn complain(text: &str) {
    let _unwritten = writeln!(std::io::stderr(), "dns-glue: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn parse(line: &str) -> Result<Cli, String> {
        Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_documented_command_line_is_understood() {
        parse(
            "dns-glue run --iface eth0 eth1 --zone .=root.zone arpa=arpa.zone --serves root-servers.net \
             --address 192.0.2.1 2001:db8::1 --port 5353 --mode native --max-udp 1400 --cookies pass \
             --pass-ecs --copy-cd --nsid ns1.example --mac 00:00:5e:00:01:33 eth1=00:00:5e:00:02:33 \
             --reply-via fib --fallback embedded --control /tmp/x --log-level debug --strict --watch --pins /sys/fs/bpf/x",
        )
        .expect("all of it");
        parse("dns-glue check --zone .=root.zone").expect("check");
        parse(
            "dns-glue explain --zone .=root.zone www.example. --type AAAA --bufsize 512 --dnssec \
             --nsid 0x6e7331",
        )
        .expect("explain");
        parse("dns-glue status --json").expect("status");
        parse("dns-glue status --pins /sys/fs/bpf/x").expect("status");
        parse("dns-glue reload --force --diff --dry-run --json").expect("reload");
        parse("dns-glue stop").expect("stop");
        parse("dns-glue check-nic eth0 --probe --mode native --max-udp 1400 --json")
            .expect("check-nic");
        parse("dns-glue interfaces add eth1 --control /tmp/x").expect("interfaces");
        parse("dns-glue interfaces remove eth1 --json").expect("interfaces");
        parse("dns-glue verify --against 127.0.0.1 --sample 10 --seed 7 --json").expect("verify");
        parse("dns-glue verify --against [::1]:5353 --all").expect("verify");
    }

    #[test]
    fn errors_name_the_flag() {
        for (line, flag) in [
            ("dns-glue run --iface eth0", "--zone"),
            ("dns-glue run --zone .=x", "--iface"),
            ("dns-glue run --iface eth0 --zone root.zone", "--zone"),
            (
                "dns-glue run --iface eth0 --zone .=x --max-udp 1401",
                "--max-udp",
            ),
            (
                "dns-glue run --iface eth0 --zone .=x --max-udp 511",
                "--max-udp",
            ),
            (
                "dns-glue run --iface eth0 --zone .=x --nsid 0xabc",
                "--nsid",
            ),
            ("dns-glue run --iface eth0 --zone .=x --port 0", "--port"),
            (
                "dns-glue run --iface eth0 --zone .=x --address 192.0.2.300",
                "--address",
            ),
            (
                "dns-glue run --iface eth0 --zone .=x --serves a..b",
                "--serves",
            ),
            ("dns-glue run --iface eth0 --zone .=x --mode fast", "--mode"),
            (
                "dns-glue run --iface eth0 --zone .=x --cookies answer",
                "--cookies",
            ),
            (
                "dns-glue run --iface eth0 --zone .=x --mac 33:33:00:00:00:01",
                "--mac",
            ),
            (
                "dns-glue run --iface eth0 --zone .=x --reply-via arp",
                "--reply-via",
            ),
            ("dns-glue verify --against localhost", "--against"),
            ("dns-glue check-nic", "<IF>"),
            ("dns-glue check-nic eth0 --mode fast", "--mode"),
            ("dns-glue check-nic eth0 --max-udp 1401", "--max-udp"),
            ("dns-glue verify --against ::1 --sample 0", "--sample"),
            ("dns-glue verify --against ::1 --all --seed 1", "--seed"),
            (
                "dns-glue run --iface eth0 --zone .=x --log-level loud",
                "--log-level",
            ),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(flag), "{line}: {error}");
        }
    }
}
