//! Nanoseconds of the program alone by case, against two bare reflectors and a
//! program that passes.
//!
//! The kernel runs the programs on a frame in memory (`BPF_PROG_TEST_RUN`), a
//! million times each case, with the query put back before every run. What that
//! takes, and what the kernel takes to run any program, is measured with a
//! program that does nothing and taken off. Times are of this machine at this
//! moment: the ratios are what can be compared.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use aya::Ebpf;
use aya::maps::{Array, ProgramArray};
use aya::programs::{ProgramFd, TestRun as _, TestRunOptions, Xdp};
use dns_glue_common::maps::Interface;
use dns_glue_common::policy::Policy;
use dns_glue_common::reason::{Action, Reason};
use dns_glue_common::traffic::Reading;
use domain::base::Name;
use domain::base::iana::Rtype;

use super::load::programs;
use super::results::{ProgramCase, Spread};
use super::threads;
use super::workload::{Edns, Messages};
use crate::compile;
use crate::host::{self, SERVER};
use crate::kernel::{self, Counters, HostMaps, LoadOptions, Loaded};
use crate::testbed::interrupt;
use crate::zone::cuts::find_cuts;
use crate::zone::source::{self, ZoneSource};

/// Runs of a case in one measurement.
const REPEAT: u32 = 200_000;
/// Measurements of a case; the median counts.
const ROUNDS: usize = 9;
/// The program that does nothing.
const EMPTY: &str = "nothing";
/// `enum xdp_action`.
const XDP_PASS: u32 = 2;
const XDP_TX: u32 = 3;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// A frame and what has to become of it.
struct Case {
    name: &'static str,
    frame: Vec<u8>,
    reason: Reason,
}

/// The cases for a zone and one of its delegations; what they are compared with
/// comes first.
///
/// # Errors
///
/// The zone cannot be compiled or loaded, or an outcome is not the expected
/// one: that is a matter of the delegation chosen.
pub fn measure(source: &ZoneSource, delegation: &Name<Vec<u8>>) -> Result<Vec<ProgramCase>> {
    let policy = Policy::DEFAULT;
    let program = Program::load(source, policy)?;
    let mut bench = Bench::load()?;
    let cases = cases(&source.apex, delegation, &policy)?;
    let first = cases.first().context("there are cases")?;
    let mut base = |name: &str, action| {
        let program = bench.program(name)?;
        bench.measure(&program, &first.frame, action)
    };
    let bare = base("reflect", XDP_TX)?;
    let grown = base("reflect_longer", XDP_TX)?;
    let passing = base("pass", XDP_PASS)?;
    // What takes nothing that can be measured is nothing to compare with.
    let over = |ns: f64, base: f64| (base > 0.0).then(|| ns / base);
    let of = |name: &str, ns: f64| ProgramCase {
        name: name.to_owned(),
        ns,
        over_bare: over(ns, bare),
        over_growing: over(ns, grown),
    };
    let mut measured = vec![
        of("reflector", bare),
        of("reflector that grows the tail by 64 octets", grown),
        of("program that only passes", passing),
    ];
    for case in &cases {
        interrupt::check()?;
        measured.push(of(case.name, program.time(&mut bench, case)?));
    }
    Ok(measured)
}

/// The program with the zone, on no interface.
struct Program {
    loaded: Loaded,
    _host_maps: HostMaps,
    counters: Counters,
}

impl Program {
    fn load(source: &ZoneSource, policy: Policy) -> Result<Self> {
        let zones = [source::load(source).map_err(|errors| anyhow!("{errors}"))?];
        let cuts = find_cuts(&zones, &[]);
        let generation = compile::compile(&zones, &cuts, &())?.generation;
        let options = LoadOptions {
            policy,
            log_level: log::LevelFilter::Error,
            verifier_log: None,
        };
        let (loaded, mut host_maps, counters) = kernel::load::load(&generation, &options)?;
        let interface = Interface {
            mac: MAC,
            mtu: 1500,
        };
        host_maps.set_loopback(interface, [SERVER.into()])?;
        Ok(Self {
            loaded,
            _host_maps: host_maps,
            counters,
        })
    }

    /// Nanoseconds of a case, all of whose runs must come to the same.
    fn time(&self, bench: &mut Bench, case: &Case) -> Result<f64> {
        let before = count(&self.counters.read()?, case.reason);
        let action = match case.reason.action() {
            Action::Transmit => XDP_TX,
            Action::Pass => XDP_PASS,
            Action::Abort => bail!("{}: no case aborts", case.name),
        };
        let time = bench.measure(self.loaded.program_fd()?, &case.frame, action)?;
        let runs = count(&self.counters.read()?, case.reason) - before;
        let expected = u64::from(REPEAT) * ROUNDS as u64;
        ensure!(
            runs == expected,
            "{}: {runs} of {expected} runs counted as {}",
            case.name,
            case.reason.name()
        );
        Ok(time)
    }
}

fn count(counters: &[(Reason, u64)], reason: Reason) -> u64 {
    counters
        .iter()
        .find(|(other, _)| *other == reason)
        .map_or(0, |(_, count)| *count)
}

/// The cases; an outcome that is not the expected one is an error of the
/// delegation chosen.
fn cases(apex: &Name<Vec<u8>>, delegation: &Name<Vec<u8>>, policy: &Policy) -> Result<Vec<Case>> {
    let below = |labels: &str| -> Result<Name<Vec<u8>>> {
        let text = format!("{labels}.{}", delegation.fmt_with_dot());
        text.parse().with_context(|| text)
    };
    let absent: Name<Vec<u8>> = match apex.is_root() {
        true => "no-such-tld.".parse()?,
        false => format!("no-such-name.{}", apex.fmt_with_dot()).parse()?,
    };
    let frame = |name: &Name<Vec<u8>>, rtype, edns| -> Result<Vec<u8>> {
        let mut messages = Messages::new();
        messages.push(name.as_slice(), rtype, Some(edns));
        let message = messages.get(0).context("there is one query")?;
        Ok(host::frame_ipv6(MAC, policy.port, message))
    };
    let mut other_port = frame(delegation, Rtype::A, Edns::PLAIN)?;
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
            frame(delegation, Rtype::NS, Edns::PLAIN)?,
            Reason::Referral,
        ),
        case(
            "referral, www below it, EDNS",
            frame(&below("www")?, Rtype::A, Edns::PLAIN)?,
            Reason::Referral,
        ),
        case(
            "referral, four labels below it, EDNS",
            frame(&below("some.longer.name.here")?, Rtype::A, Edns::PLAIN)?,
            Reason::Referral,
        ),
        case(
            "referral, www below it, DO",
            frame(&below("www")?, Rtype::A, Edns::DNSSEC)?,
            Reason::Referral,
        ),
        case(
            "miss: a name that no delegation has",
            frame(&absent, Rtype::A, Edns::PLAIN)?,
            Reason::NoCut,
        ),
        case(
            "miss: DS at the cut",
            frame(delegation, Rtype::DS, Edns::PLAIN)?,
            Reason::TypeDs,
        ),
        case("not a query: another port", other_port, Reason::OtherPort),
    ])
}

/// The programs beside the one that is measured.
struct Bench {
    ebpf: Ebpf,
}

impl Bench {
    fn load() -> Result<Self> {
        let mut ebpf = programs::open_reflectors(&Reading::NONE)?;
        for name in [EMPTY, "reflect", "reflect_longer", "pass", "again"] {
            programs::load_program(&mut ebpf, name)?;
        }
        Ok(Self { ebpf })
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
    /// Each round measures the program and, right after it, one that does
    /// nothing, both with the query put back before each run: they differ by
    /// what the program itself takes. The median round counts.
    fn measure(&mut self, program: &ProgramFd, frame: &[u8], action: u32) -> Result<f64> {
        self.set_query(frame)?;
        let empty = self.program(EMPTY)?;
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let with = self.again(program, frame, action)?;
            let around = self.again(&empty, frame, XDP_PASS)?;
            times.push(with - around);
        }
        let spread = Spread::of(&mut times).context("there are rounds")?;
        Ok(spread.median)
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
        let program = self.ebpf.program("again").context("no such program")?;
        let program: &Xdp = program.try_into()?;
        // The kernel tells whole nanoseconds of a run, which is as much as some
        // programs take.
        let before = threads::own_processor_time()?;
        let result = program.test_run(TestRunOptions {
            data_in: Some(frame),
            repeat: REPEAT,
            ..TestRunOptions::default()
        })?;
        let time = threads::own_processor_time()?.saturating_sub(before);
        let returned = result.return_value;
        ensure!(
            returned == action,
            "the program returned {returned} and not {action}"
        );
        Ok(time.as_nanos() as f64 / f64::from(REPEAT))
    }
}
