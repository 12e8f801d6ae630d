//! The programs of the client, and the reflectors, loaded and attached.

use std::io;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aya::maps::{Array, PerCpuArray};
use aya::programs::{ProgramError, TestRun as _, TestRunAttrs, TestRunOptions, Xdp, XdpMode};
use aya::sys::SyscallError;
use aya::{Ebpf, EbpfLoader};
use bytemuck::Zeroable as _;
use dns_glue_common::traffic::{
    COUNT_REPLY, COURSE, Course, LATENCIES, LATENCY_CLASSES, LINE_OCTETS, LINES, MESSAGES,
    PROGRESS, Progress, READING, RETURNED, Reading, Returned, SEND_QUERY,
};

use super::interruption::end_after;
use super::queries::{Ends, PreparedQueries};
use crate::bench::threads::{self, Schedule};
use crate::kernel::test_run;
use crate::kernel::value::Value;

/// The objects that the build script made.
static CLIENT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/dns-glue-load"));
static REFLECTORS: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/dns-glue-bench"));

/// Frames that the kernel makes before it sends them together, and also as many
/// pages as it keeps to make more of. With fewer, pages that come back find no
/// place there and are replaced by others, which are in nobody's cache.
const BATCH: u32 = 256;
/// Frames of one system call: more than there is time for. There is one call
/// only, because each begins with a pause of 20 milliseconds, in which the
/// kernel changes its XDP dispatcher.
const FRAMES: u32 = i32::MAX as u32;
/// What that pause takes about.
const STARTING: Duration = Duration::from_millis(20);
/// Octets of the empty frame that queries are made of: long enough that most
/// queries shrink it.
const FRAME_OCTETS: usize = 96;

/// How the thread that ends the sending is scheduled.
const WATCH: Schedule = Schedule::First(20);
/// How the thread that sends is scheduled.
const SENDER: Schedule = Schedule::First(1);

/// The client in the kernel: it sends to, and counts what comes back from, any
/// number of interfaces, one at a time.
pub struct Client {
    ebpf: Ebpf,
    slabs: u32,
    /// The slab with which sending begins.
    first_slab: u32,
}

/// How fast to send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As fast as can be.
    Unlimited,
    /// So many queries a second.
    Paced(f64),
    /// So many queries a second, each of which is timed.
    Timed(f64),
}

impl Rate {
    /// Time from a query to the next, in 1/256 ns; 0: none.
    fn interval(self) -> u64 {
        match self {
            Self::Unlimited => 0,
            Self::Paced(rate) | Self::Timed(rate) => (256e9 / rate) as u64,
        }
    }

    /// One query in two to the power of this is timed.
    fn timed_shift(self) -> u32 {
        match self {
            // To read the clock takes time of the client.
            Self::Unlimited | Self::Paced(_) => 8,
            Self::Timed(_) => 0,
        }
    }
}

impl Client {
    /// Loads the programs with the queries that are to be sent.
    ///
    /// # Errors
    ///
    /// The kernel refuses them.
    pub fn load(queries: &PreparedQueries) -> Result<Self> {
        ensure_built(CLIENT)?;
        let slabs = u32::try_from(queries.slabs().len()).context("too many queries")?;
        let mut ebpf = EbpfLoader::new()
            .map_max_entries(MESSAGES, slabs)
            .load(CLIENT)
            .context("load the client's programs")?;
        let map = ebpf.map_mut(MESSAGES).context(MESSAGES)?;
        let mut messages: Array<_, Value<_>> = map.try_into()?;
        for (index, slab) in (0..).zip(queries.slabs()) {
            messages.set(index, Value(*slab), 0).context("a slab")?;
        }
        for name in [SEND_QUERY, COUNT_REPLY] {
            load_program(&mut ebpf, name)?;
        }
        let mut client = Self {
            ebpf,
            slabs,
            first_slab: 0,
        };
        client.set_progress(&Progress {
            random: 0x9e37_79b9_7f4a_7c15,
            ..Progress::zeroed()
        })?;
        Ok(client)
    }

    /// Lets sending begin with another part of the queries in each of so many
    /// rounds, numbered from 0, and with the same for whoever is asked in one.
    pub fn begin_round(&mut self, round: usize, rounds: usize) {
        let place = self.slabs as usize * round / rounds.max(1);
        // Below the number of slabs, whatever the round.
        self.first_slab = (place % self.slabs.max(1) as usize) as u32;
    }

    /// Counts replies on an interface of this thread's network namespace, as
    /// long as this lives.
    ///
    /// # Errors
    ///
    /// The kernel does not attach the program.
    pub fn listen(&mut self, interface: &str) -> Result<()> {
        attach(&mut self.ebpf, COUNT_REPLY, interface)
    }

    /// Sends for a while, from the beginning of the round
    /// ([`begin_round`](Self::begin_round)), by one processor, on the interface of that index, which
    /// must be in this thread's network namespace; returns how many queries that
    /// were, and the time that it took.
    ///
    /// # Errors
    ///
    /// The kernel does not run the program, or it failed on a frame.
    pub fn send(
        &mut self,
        interface: u32,
        processor: usize,
        ends: &Ends,
        rate: Rate,
        duration: Duration,
    ) -> Result<(u64, Duration)> {
        self.set_course(&Course {
            fronts: ends.fronts(),
            interval: rate.interval(),
            slabs: self.slabs,
            timed_shift: rate.timed_shift(),
            interface,
            padding: 0,
        })?;
        // Both processors may be busy with threads that run before all others.
        threads::set_schedule(threads::own(), WATCH).context("schedule the watch")?;
        let before = self.progress()?;
        self.set_progress(&Progress {
            started: 0,
            slab: self.first_slab,
            offset: 0,
            ..before
        })?;
        let program: &Xdp = self
            .ebpf
            .program(SEND_QUERY)
            .context(SEND_QUERY)?
            .try_into()?;
        let sending = end_after(STARTING + duration, || {
            threads::pin(threads::own(), processor).context("pin the sender")?;
            threads::set_schedule(threads::own(), SENDER).context("schedule the sender")?;
            send_frames(program, interface).context("send queries")
        });
        sending.context("run a thread")??;
        let after = self.progress()?;
        ensure!(after.latest > after.started, "nothing was sent");
        let elapsed = Duration::from_nanos(after.latest - after.started);
        Ok((after.sent - before.sent, elapsed))
    }

    /// What has come back so far, from all interfaces.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn returned(&self) -> Result<Returned> {
        let map = self.ebpf.map(RETURNED).context(RETURNED)?;
        let map: PerCpuArray<_, Value<Returned>> = map.try_into()?;
        let mut sum = Returned::zeroed();
        for Value(returned) in map.get(&0, 0)?.iter() {
            let from: &[u64] = bytemuck::cast_slice(std::slice::from_ref(returned));
            let to: &mut [u64] = bytemuck::cast_slice_mut(std::slice::from_mut(&mut sum));
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
        Ok(sum)
    }

    /// Timed replies so far, by class of their latency.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn latencies(&self) -> Result<Vec<u64>> {
        let map = self.ebpf.map(LATENCIES).context(LATENCIES)?;
        let map: PerCpuArray<_, u64> = map.try_into()?;
        let mut sums = Vec::with_capacity(LATENCY_CLASSES as usize);
        for counters in map.iter() {
            sums.push(counters?.iter().sum());
        }
        Ok(sums)
    }

    fn set_course(&mut self, course: &Course) -> Result<()> {
        let map = self.ebpf.map_mut(COURSE).context(COURSE)?;
        let mut map: Array<_, Value<Course>> = map.try_into()?;
        Ok(map.set(0, Value(*course), 0)?)
    }

    fn set_progress(&mut self, progress: &Progress) -> Result<()> {
        let map = self.ebpf.map_mut(PROGRESS).context(PROGRESS)?;
        let mut map: Array<_, Value<Progress>> = map.try_into()?;
        Ok(map.set(0, Value(*progress), 0)?)
    }

    fn progress(&self) -> Result<Progress> {
        let map = self.ebpf.map(PROGRESS).context(PROGRESS)?;
        let map: Array<_, Value<Progress>> = map.try_into()?;
        Ok(map.get(&0, 0)?.0)
    }
}

/// What no responder can be faster than: a program that sends every frame back,
/// or passes it, on an interface as long as this lives.
pub struct Attached(#[expect(dead_code, reason = "dropped, it takes the program off")] Ebpf);

/// A program that sends every frame back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reflector {
    /// Swaps the MAC addresses.
    Bare,
    /// Grows the tail by 64 octets before.
    Growing,
    /// It grows as much as a referral does, and fills that by one call.
    Writing,
    /// Reads so many cache lines before, the first where QNAME leads to, each of
    /// the others where the one before does, and grows by the last of them. Valid
    /// values: `1..=MAX_READS`.
    Reading(u32),
}

/// The program that passes every frame.
const PASSING: &str = "pass";

impl Attached {
    /// A reflector on an interface of this thread's network namespace. What it
    /// reads, if it does, is spread over so many octets.
    ///
    /// # Errors
    ///
    /// The kernel refuses it, or its array.
    pub fn reflector(reflector: Reflector, octets: u64, interface: &str) -> Result<Self> {
        let reads = match reflector {
            Reflector::Reading(reads) => reads,
            _ => 0,
        };
        // An array has an entry at least.
        let lines = (octets / LINE_OCTETS as u64).max(1);
        let lines = u32::try_from(lines).context("more lines than an array can have")?;
        let reading = Reading { lines, reads };
        let mut ebpf = open_reflectors(&reading)?;
        load_program(&mut ebpf, reflector.program())?;
        attach(&mut ebpf, reflector.program(), interface)?;
        Ok(Self(ebpf))
    }

    /// The program that passes every frame.
    ///
    /// # Errors
    ///
    /// As [`reflector`](Self::reflector).
    pub fn passing(interface: &str) -> Result<Self> {
        let mut ebpf = open_reflectors(&Reading::NONE)?;
        load_program(&mut ebpf, PASSING)?;
        attach(&mut ebpf, PASSING, interface)?;
        Ok(Self(ebpf))
    }
}

impl Reflector {
    fn program(self) -> &'static str {
        match self {
            Self::Bare => "reflect",
            Self::Growing => "reflect_longer",
            Self::Writing => "reflect_written",
            Self::Reading(_) => "reflect_reading",
        }
    }
}

/// The object of the reflectors with its maps, as large as `reading` says, and
/// none of its programs in the kernel so far.
///
/// # Errors
///
/// The build left it out, or the kernel does not make its maps.
pub(in crate::bench) fn open_reflectors(reading: &Reading) -> Result<Ebpf> {
    ensure_built(REFLECTORS)?;
    EbpfLoader::new()
        .map_max_entries(LINES, reading.lines)
        .override_global(READING, bytemuck::bytes_of(reading), true)
        .load(REFLECTORS)
        .context("load the object")
}

fn ensure_built(object: &[u8]) -> Result<()> {
    ensure!(
        !object.is_empty(),
        "built with AYA_BUILD_SKIP: there is no program inside"
    );
    Ok(())
}

/// Loads a program of an object.
///
/// # Errors
///
/// It is not in the object, or the kernel refuses it.
pub(in crate::bench) fn load_program(ebpf: &mut Ebpf, name: &str) -> Result<()> {
    let program: &mut Xdp = ebpf
        .program_mut(name)
        .context("it is not in the object")?
        .try_into()?;
    program.load().with_context(|| format!("load {name}"))
}

fn attach(ebpf: &mut Ebpf, name: &str, interface: &str) -> Result<()> {
    let program: &mut Xdp = ebpf
        .program_mut(name)
        .context("it is not there")?
        .try_into()?;
    program
        .attach(interface, XdpMode::Driver)
        .with_context(|| format!("attach {name} to {interface}"))?;
    Ok(())
}

/// Sends frames out of an interface until a signal comes.
fn send_frames(program: &Xdp, interface: u32) -> Result<(), ProgramError> {
    let frame = [0; FRAME_OCTETS];
    // What a live frame sends back by XDP_TX leaves by the interface that it is
    // said to come from.
    let context = test_run::context(FRAME_OCTETS, interface);
    let result = program.test_run(TestRunOptions {
        data_in: Some(&frame),
        ctx_in: Some(&context),
        repeat: FRAMES,
        attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
        ..TestRunOptions::default()
    });
    match result {
        Err(ProgramError::SyscallError(SyscallError { io_error, .. }))
            if io_error.kind() == io::ErrorKind::Interrupted =>
        {
            Ok(())
        }
        other => other.map(|_| ()),
    }
}
