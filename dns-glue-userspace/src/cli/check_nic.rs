//! `dns-glue check-nic`: whether a network card is fit.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use dns_glue_common::limits::{DEFAULT_UDP_OCTETS, MAX_UDP_OCTETS, MIN_UDP_OCTETS};

use super::mode::Mode;
use super::{print, unless_broken_pipe};
use crate::nic::{Purpose, Report, gather, judge};

/// Say whether a network card is fit, before anything is attached
///
/// Looks at the driver, native XDP, queues, rings, interrupts, MTU, room for
/// replies in the frames of queries, offloads, addresses and the kernel. Each
/// line is green, yellow (fewer or slower answers, or not known) or red (`run`
/// would refuse, or replies would be wrong), with what to do. Changes nothing,
/// and needs no privileges but for --probe. The exit status is 0 if nothing is
/// red, 1 if something is.
#[derive(Debug, Args)]
pub struct CheckNicArgs {
    /// The interface
    #[arg(value_name = "IF")]
    interface: String,

    /// Attach a program for two seconds that passes everything
    ///
    /// It tells for certain whether the driver takes programs, and measures how
    /// far the frames that come in meanwhile can grow, if they are no longer
    /// than a query. Many drivers set their rings up anew for it: the link may
    /// be down for seconds, twice. Needs root, or CAP_NET_ADMIN, CAP_BPF and
    /// CAP_PERFMON.
    #[arg(long)]
    probe: bool,

    /// How the program is to be attached; with native, what prevents that is
    /// red
    #[arg(long, value_enum, default_value_t = Mode::Auto)]
    mode: Mode,

    /// Octets of the longest reply, 512 to 1400
    #[arg(
        long,
        value_name = "OCTETS",
        default_value_t = DEFAULT_UDP_OCTETS as u16,
        value_parser = clap::value_parser!(u16).range(MIN_UDP_OCTETS as i64..=MAX_UDP_OCTETS as i64)
    )]
    max_udp: u16,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The exit status: whether nothing is red.
pub fn run(args: &CheckNicArgs) -> anyhow::Result<ExitCode> {
    let purpose = Purpose {
        mode: args.mode.choice(),
        max_udp: args.max_udp,
    };
    let facts = gather::gather(&args.interface, args.probe.then_some(purpose.mode))?;
    let report = Report::new(&args.interface, judge(&facts, purpose));
    if args.json {
        print(&(serde_json::to_string_pretty(&report)? + "\n"))?;
    } else {
        // It takes the colours out where they are not wanted: NO_COLOR, no
        // terminal.
        let written = write!(anstream::stdout(), "{report}");
        written.or_else(unless_broken_pipe)?;
    }
    Ok(ExitCode::from(u8::from(!report.is_fit())))
}
