//! Nanoseconds a packet, of the program and of two reflectors, in one run.
//!
//! `cargo xtask bench` builds and starts it. Nothing is attached: the kernel
//! runs the programs on a frame in memory (`BPF_PROG_TEST_RUN`), a million
//! times each case, with the query put back before every run; what putting it
//! back takes is measured too and taken off. Times are of this machine at this
//! moment: the ratios are what can be compared.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aya::maps::{Array, ProgramArray};
use aya::programs::{ProgramFd, TestRun as _, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use clap::{Args, Parser};
use dns_glue::bench::contender::Contender;
use dns_glue::bench::contest::Contest;
use dns_glue::bench::load::messages;
use dns_glue::bench::load::programs::Reflector;
use dns_glue::bench::load::queries::PreparedQueries;
use dns_glue::bench::measure::Plan;
use dns_glue::bench::results::{Measurement, Spread};
use dns_glue::bench::round::Senders;
use dns_glue::bench::site::Serving;
use dns_glue::compile;
use dns_glue::host::{self, SERVER};
use dns_glue::kernel::{self, LoadOptions};
use dns_glue::testbed::interrupt;
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::records::Zone;
use dns_glue::zone::source::{self, ZoneSource};
use dns_glue_common::maps::Interface;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::{Action, Reason};
use domain::base::iana::Rtype;
use domain::base::{MessageBuilder, Name};

/// The object that the build script made.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/dns-glue-bench"));

/// Runs of a case in one measurement.
const REPEAT: u32 = 200_000;
/// Measurements of a case; the median counts.
const ROUNDS: usize = 9;
/// `enum xdp_action`.
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The loopback interface of the own network namespace, which test runs are
/// said to come in on.
const LOOPBACK: u32 = 1;

/// Measure dns-glue beside bare reflectors and name servers
#[derive(Parser)]
enum Command {
    /// The program alone, by case
    Cases(Cases),
    /// Everything under load, on one core
    Load(Load),
}

#[derive(Args)]
struct Cases {
    /// The zone to compile
    #[arg(long, value_name = "ORIGIN=FILE")]
    zone: ZoneSource,
    /// A delegation of it to ask for
    #[arg(long, value_name = "NAME")]
    delegation: Name<Vec<u8>>,
}

#[derive(Args)]
struct Load {
    /// The zone that everybody serves
    #[arg(long, value_name = "ORIGIN=FILE")]
    zone: ZoneSource,
    /// Who answers; the reflectors and dns-glue if nobody is named
    #[arg(long, value_name = "NAME", num_args = 1..)]
    contender: Vec<Contender>,
    /// Queries with the DO flag
    #[arg(long)]
    dnssec: bool,
    /// Queries in a hundred that miss
    #[arg(long, value_name = "PERCENT", default_value_t = 0)]
    misses: u32,
    /// Rounds in which each contender has its turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Length of a turn
    #[arg(long, value_name = "MS", default_value_t = 300)]
    turn: u64,
    /// Look for the highest rate without loss in the kernel too
    #[arg(long)]
    lossless: bool,
    /// The processor that the contenders run on
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    processor: usize,
    /// The processor that sends queries to servers
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    sender: usize,
    /// The one that sends queries to programs in the kernel; theirs if none is
    /// named
    #[arg(long, value_name = "NUMBER")]
    kernel_sender: Option<usize>,
}

fn load(arguments: &Load) -> Result<()> {
    interrupt::catch().context("handle signals")?;
    let zone = source::load(&arguments.zone)?;
    let zones = [zone];
    let cuts = find_cuts(&zones, &[]);
    let messages = messages::queries(&zones[0], &cuts, arguments.misses, arguments.dnssec)?;
    let queries = PreparedQueries::new(messages.iter().map(Vec::as_slice))?;
    let folder = env::temp_dir().join(format!("dns-glue-bench-{}", std::process::id()));
    let binary = env::current_exe()?;
    let source = ZoneSource {
        path: std::fs::canonicalize(&arguments.zone.path)?,
        ..arguments.zone.clone()
    };
    let serving = Serving {
        zones: &[source],
        max_udp: 1232,
        folder: &folder,
        binaries: binary.parent().context("a folder of the binary")?,
        processor: arguments.processor,
    };
    let contenders = match arguments.contender.as_slice() {
        [] => &Contender::ALL[..3],
        named => named,
    };
    let plan = Plan {
        rounds: arguments.rounds,
        turn: Duration::from_millis(arguments.turn),
        lossless: arguments.lossless,
    };
    let senders = Senders {
        to_kernel: arguments.kernel_sender.unwrap_or(arguments.processor),
        to_servers: arguments.sender,
    };
    let contest = Contest::start(contenders, &serving, senders)
        .and_then(|mut contest| contest.hold("www below delegations", &queries, &plan));
    std::fs::remove_dir_all(&folder)?;
    print(&contest?);
    Ok(())
}

fn print(results: &[Measurement]) {
    println!(
        "{:<18} {:>24} {:>7} {:>7} {:>22} {:>9} {:>9} {:>7} {:>9} {:>9}",
        "CONTENDER",
        "CORE NS A REPLY",
        "/BARE",
        "/GROW",
        "PROGRAM NS",
        "LOSSLESS",
        "FLOODED",
        "OCTETS",
        "P50 US",
        "P99 US"
    );
    let named = |contender: Contender| {
        let found = results
            .iter()
            .find(|result| result.contender == contender.to_string());
        found.map(|result| result.core_ns_per_reply.median)
    };
    let [bare, growing] =
        [Reflector::Bare, Reflector::Growing].map(|r| named(Contender::Reflector(r)));
    for result in results {
        let core = result.core_ns_per_reply;
        let ratio = |base: Option<f64>| {
            base.map_or("-".to_owned(), |base| format!("{:.2}", core.median / base))
        };
        let spread = |spread: Spread| {
            format!(
                "{:.1} ({:.1}..{:.1})",
                spread.median, spread.min, spread.max
            )
        };
        let rate =
            |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{:.0}k", rate / 1e3));
        let time =
            |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{:.1}", time / 1e3));
        println!(
            "{:<18} {:>24} {:>7} {:>7} {:>22} {:>9} {:>9} {:>7.0} {:>9} {:>9}",
            result.contender,
            spread(core),
            ratio(bare),
            ratio(growing),
            result.program_ns.map_or("-".to_owned(), spread),
            rate(result.lossless_rate),
            rate(result.flooded_replies_per_second),
            result.reply_octets_mean,
            time(result.latency.map(|latency| latency.p50)),
            time(result.latency.map(|latency| latency.p99)),
        );
        if !result.rcodes.is_empty() {
            println!("    {:?}, TC=1: {}", result.rcodes, result.truncated);
        }
    }
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Cases(arguments) => bench(&arguments),
        Command::Load(arguments) => load(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A frame and what has to become of it.
struct Case {
    name: &'static str,
    frame: Vec<u8>,
    reason: Reason,
}

fn bench(arguments: &Cases) -> Result<()> {
    let zone = source::load(&arguments.zone)?;
    let zones = [zone];
    let cuts = find_cuts(&zones, &[]);
    let compilation = compile::compile(&zones, &cuts, &())?;
    let generation = compilation.generation;
    let policy = Policy::DEFAULT;
    let options = LoadOptions {
        policy,
        log_level: log::LevelFilter::Error,
        verifier_log: None,
    };
    let (loaded, mut host_maps, counters) = kernel::load::load(&generation, &options)?;
    host_maps.set_interface(
        LOOPBACK,
        Interface {
            mac: MAC,
            mtu: 1500,
        },
    )?;
    host_maps.set_addresses(&[SERVER.into()].into())?;

    let mut bench = Bench::load()?;
    let cases = cases(&zones[0], &arguments.delegation, &policy)?;
    let first = cases.first().context("there are cases")?;
    bench.bare = bench.measure_bare(&first.frame)?;
    let bare = bench.bare;
    let longer = bench.program("reflect_longer")?;
    let grown = bench.measure(&longer, &first.frame, XDP_TX)?;
    if let Some(count) = loaded.program.verified_instructions {
        println!("instructions that the verifier processed: {count}");
    }
    println!(
        "{REPEAT} runs a measurement, median of {ROUNDS}; putting the query back included in none\n"
    );
    println!(
        "{:<44} {:>8} {:>8} {:>10}",
        "CASE", "NS", "/ BARE", "/ GROWING"
    );
    let line = |name: &str, time: f64| {
        println!(
            "{name:<44} {time:>8.1} {:>8.2} {:>10.2}",
            time / bare,
            time / grown
        );
    };
    line("reflector", bare);
    line("reflector that grows the tail by 64 octets", grown);
    for case in &cases {
        let before = count(&counters.read()?, case.reason);
        let action = match case.reason.action() {
            Action::Transmit => XDP_TX,
            Action::Pass => XDP_PASS,
            Action::Abort => bail!("{}: no case aborts", case.name),
        };
        let time = bench.measure(loaded.program_fd()?, &case.frame, action)?;
        let runs = count(&counters.read()?, case.reason) - before;
        let expected = u64::from(REPEAT) * ROUNDS as u64;
        ensure!(
            runs == expected,
            "{}: {runs} of {expected} runs counted as {}",
            case.name,
            case.reason.name()
        );
        line(case.name, time);
    }
    Ok(())
}

fn count(counters: &[(Reason, u64)], reason: Reason) -> u64 {
    counters
        .iter()
        .find(|(other, _)| *other == reason)
        .map_or(0, |(_, count)| *count)
}

/// The cases; an outcome that is not the expected one is an error of the
/// delegation chosen.
fn cases(zone: &Zone, delegation: &Name<Vec<u8>>, policy: &Policy) -> Result<Vec<Case>> {
    let below = |labels: &str| -> Result<Name<Vec<u8>>> {
        let text = format!("{labels}.{}", delegation.fmt_with_dot());
        text.parse().with_context(|| text)
    };
    let absent: Name<Vec<u8>> = match zone.apex().is_root() {
        true => "no-such-tld.".parse()?,
        false => format!("no-such-name.{}", zone.apex().fmt_with_dot()).parse()?,
    };
    let frame = |name: &Name<Vec<u8>>, rtype, edns| -> Result<Vec<u8>> {
        let message = query(name, rtype, edns)?;
        Ok(host::frame_ipv6(MAC, policy.port, &message))
    };
    let plain = Some((1232, false));
    let signed = Some((1232, true));
    let mut other_port = frame(delegation, Rtype::A, plain)?;
    // The port is not 53 any more; that is looked at before the checksum.
    let port = 14 + 40 + 3;
    *other_port.get_mut(port).context("a whole frame")? = 54;
    let case = |name, frame, reason| Case {
        name,
        frame,
        reason,
    };
    Ok(vec![
        case(
            "referral, bare name, EDNS",
            frame(delegation, Rtype::NS, plain)?,
            Reason::Referral,
        ),
        case(
            "referral, www below it, EDNS",
            frame(&below("www")?, Rtype::A, plain)?,
            Reason::Referral,
        ),
        case(
            "referral, four labels below it, EDNS",
            frame(&below("some.longer.name.here")?, Rtype::A, plain)?,
            Reason::Referral,
        ),
        case(
            "referral, www below it, DO",
            frame(&below("www")?, Rtype::A, signed)?,
            Reason::Referral,
        ),
        case(
            "miss: a name that no delegation has",
            frame(&absent, Rtype::A, plain)?,
            Reason::NoCut,
        ),
        case(
            "miss: DS at the cut",
            frame(delegation, Rtype::DS, plain)?,
            Reason::TypeDs,
        ),
        case("not a query: another port", other_port, Reason::OtherPort),
    ])
}

fn query(name: &Name<Vec<u8>>, rtype: Rtype, edns: Option<(u16, bool)>) -> Result<Vec<u8>> {
    let mut question = MessageBuilder::new_vec().question();
    question.push((name, rtype))?;
    let mut additional = question.additional();
    if let Some((octets, dnssec)) = edns {
        additional.opt(|opt| {
            opt.set_udp_payload_size(octets);
            opt.set_dnssec_ok(dnssec);
            Ok(())
        })?;
    }
    Ok(additional.finish())
}

/// The programs beside the one that is measured.
struct Bench {
    ebpf: Ebpf,
    /// Nanoseconds of the bare reflector.
    bare: f64,
}

impl Bench {
    fn load() -> Result<Self> {
        ensure!(
            !OBJECT.is_empty(),
            "built with AYA_BUILD_SKIP: there is no program inside"
        );
        let mut ebpf = EbpfLoader::new().load(OBJECT).context("load the object")?;
        for name in ["reflect", "reflect_longer", "again"] {
            let program: &mut Xdp = ebpf.program_mut(name).context(name)?.try_into()?;
            program.load().with_context(|| format!("load {name}"))?;
        }
        Ok(Self { ebpf, bare: 0.0 })
    }

    fn program(&self, name: &str) -> Result<ProgramFd> {
        let program: &Xdp = self
            .ebpf
            .program(name)
            .context("no such program")?
            .try_into()?;
        Ok(program.fd()?.try_clone()?)
    }

    /// Nanoseconds of one run of `program` on `frame`, whose result has to be
    /// `action`.
    ///
    /// Each round measures the program and, right after it, the bare reflector,
    /// both with the query put back before each run; what they differ by is
    /// added to what the reflector takes by itself. The median round counts.
    fn measure(&mut self, program: &ProgramFd, frame: &[u8], action: u32) -> Result<f64> {
        self.set_query(frame)?;
        let reflect = self.program("reflect")?;
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let with = self.again(program, frame, action)?;
            let around = self.again(&reflect, frame, XDP_TX)?;
            times.push(with - around);
        }
        times.sort_by(f64::total_cmp);
        let difference = times.get(ROUNDS / 2).context("there are rounds")?;
        Ok(difference + self.bare)
    }

    /// Nanoseconds of the bare reflector, which leaves the frame as long as it
    /// is and so can be repeated as it is.
    fn measure_bare(&self, frame: &[u8]) -> Result<f64> {
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            times.push(self.run("reflect", frame, XDP_TX)?);
        }
        times.sort_by(f64::total_cmp);
        let time = times.get(ROUNDS / 2).context("there are rounds")?;
        // The kernel tells whole nanoseconds, and the reflector takes few.
        Ok(time.max(1.0))
    }

    fn set_query(&mut self, frame: &[u8]) -> Result<()> {
        let mut value = [0u8; 1028];
        let length = u32::try_from(frame.len() - 1)?;
        value[..4].copy_from_slice(&length.to_ne_bytes());
        value
            .get_mut(4..4 + frame.len())
            .context("the frame is too long")?
            .copy_from_slice(frame);
        let query = self.ebpf.map_mut("QUERY").context("QUERY")?;
        let mut query: Array<_, [u8; 1028]> = query.try_into()?;
        Ok(query.set(0, value, 0)?)
    }

    /// Nanoseconds of one run of `program` with the query put back before it.
    fn again(&mut self, program: &ProgramFd, frame: &[u8], action: u32) -> Result<f64> {
        let measured = self.ebpf.map_mut("MEASURED").context("MEASURED")?;
        let mut measured: ProgramArray<_> = measured.try_into()?;
        measured.set(0, program, 0)?;
        self.run("again", frame, action)
    }

    /// Nanoseconds of one run of a program of ours.
    fn run(&self, name: &str, frame: &[u8], action: u32) -> Result<f64> {
        let program = self.ebpf.program(name).context("no such program")?;
        let program: &Xdp = program.try_into()?;
        let result = program.test_run(TestRunOptions {
            data_in: Some(frame),
            repeat: REPEAT,
            ..TestRunOptions::default()
        })?;
        let returned = result.return_value;
        ensure!(
            returned == action,
            "the program returned {returned} and not {action}"
        );
        Ok(result.duration.as_nanos() as f64)
    }
}
