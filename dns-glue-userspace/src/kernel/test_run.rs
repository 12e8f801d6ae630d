//! One run of a loaded program on a frame that no interface has seen
//! (`BPF_PROG_TEST_RUN`).

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use aya::programs::{ProgramError, ProgramInfo, TestRun as _, TestRunOptions, Xdp};
use aya_obj::programs::XdpAttachType;
use dns_glue_common::maps::PROGRAM;

use super::requirements::{MIN_KERNEL_FOR_TEST_RUNS, is_kernel_before, kernel_release};
use super::{LoadError, Loaded};

/// The loopback interface of any network namespace, which a run comes in on
/// unless another one is named.
pub const LOOPBACK: u32 = 1;
/// Octets by which a run can make a frame longer: more than the longest reply.
const GROWTH_OCTETS: usize = 4096;
/// Octets of `struct xdp_md`: six numbers of 32 bits.
const CONTEXT_OCTETS: usize = 24;

/// What the program did with a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRun {
    /// What it returned: a number of `enum xdp_action`.
    pub action: u32,
    /// The frame as it left it.
    pub octets: Vec<u8>,
    /// How long it took, as the kernel measured it; nanoseconds are its unit.
    pub duration: Duration,
}

impl Loaded {
    /// Runs the program once on `frame`, as if it came in on the loopback
    /// interface ([`LOOPBACK`]) of this thread's network namespace.
    ///
    /// The frame has the tail room of a page. It must have at least 14 octets;
    /// one that is longer than about 3,500 lies in several buffers.
    ///
    /// # Errors
    ///
    /// The kernel refuses the frame, or the caller may not run programs.
    pub fn test_run(&self, frame: &[u8]) -> Result<TestRun, LoadError> {
        run(self.xdp()?, frame, None).map_err(LoadError::Program)
    }

    /// The same as if the frame came in on the interface of that index, which
    /// must be up and have an XDP program.
    ///
    /// # Errors
    ///
    /// As [`Self::test_run`], or the interface is not like that.
    pub fn test_run_on(&self, interface: u32, frame: &[u8]) -> Result<TestRun, LoadError> {
        run(self.xdp()?, frame, Some(interface)).map_err(LoadError::Program)
    }

    fn xdp(&self) -> Result<&Xdp, LoadError> {
        let program = self
            .ebpf
            .program(PROGRAM)
            .ok_or(LoadError::Missing(PROGRAM))?;
        program.try_into().map_err(LoadError::Program)
    }
}

/// A program that another process has loaded.
pub struct RunningProgram {
    program: Xdp,
    /// The interface that frames are said to come from.
    interface: u32,
}

/// Why a running program cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum RunningError {
    /// The kernel would let packets in between.
    #[error(
        "kernel {release}: before Linux {}.{} a run of the program on a frame can meet a packet \
         on the way, and both would be wrong",
        MIN_KERNEL_FOR_TEST_RUNS.0, MIN_KERNEL_FOR_TEST_RUNS.1
    )]
    KernelTooOld {
        /// The running kernel.
        release: String,
    },
    /// It is gone, or this process may not see it.
    #[error("program {id}: {cause}; reaching a running program takes root or CAP_SYS_ADMIN")]
    Open {
        /// Its number.
        id: u32,
        /// What the kernel said.
        cause: ProgramError,
    },
    /// The kernel does not run it on a frame.
    #[error(
        "interface {interface}: {cause}; the frames of a run come from an interface of this \
         network namespace that is up"
    )]
    Run {
        /// The interface's number.
        interface: u32,
        /// What the kernel said.
        cause: ProgramError,
    },
}

impl RunningProgram {
    /// The program of that number, asked as if over the interface of that
    /// index, which must be in this thread's network namespace.
    ///
    /// # Errors
    ///
    /// [`RunningError::KernelTooOld`], [`RunningError::Open`].
    pub fn open(id: u32, interface: u32) -> Result<Self, RunningError> {
        if is_kernel_before(MIN_KERNEL_FOR_TEST_RUNS) {
            let release = kernel_release();
            return Err(RunningError::KernelTooOld { release });
        }
        let open = || {
            let info = find(id)?;
            Xdp::from_program_info(info, Cow::Borrowed(PROGRAM), XdpAttachType::Interface)
        };
        let program = open().map_err(|cause| RunningError::Open { id, cause })?;
        Ok(Self { program, interface })
    }

    /// Runs it once on `frame`, as [`Loaded::test_run`] does. It counts the
    /// outcome as that of any frame.
    ///
    /// # Errors
    ///
    /// [`RunningError::Run`].
    pub fn test_run(&self, frame: &[u8]) -> Result<TestRun, RunningError> {
        let interface = self.interface;
        run(&self.program, frame, Some(interface))
            .map_err(|cause| RunningError::Run { interface, cause })
    }
}

fn find(id: u32) -> Result<ProgramInfo, ProgramError> {
    for info in aya::programs::loaded_programs() {
        let info = info?;
        if info.id() == id {
            return Ok(info);
        }
    }
    Err(io::Error::from(io::ErrorKind::NotFound).into())
}

fn run(program: &Xdp, frame: &[u8], interface: Option<u32>) -> Result<TestRun, ProgramError> {
    let context = interface.map(|index| context(frame.len(), index));
    let mut octets = vec![0; frame.len() + GROWTH_OCTETS];
    let result = program.test_run(TestRunOptions {
        data_in: Some(frame),
        data_out: Some(&mut octets),
        ctx_in: context.as_ref().map(<[u8; CONTEXT_OCTETS]>::as_slice),
        // Once: the packet is not restored between repetitions.
        repeat: 1,
        ..TestRunOptions::default()
    })?;
    // The kernel fails with ENOSPC rather than tell of more than it wrote.
    octets.truncate(result.data_size_out as usize);
    Ok(TestRun {
        action: result.return_value,
        octets,
        duration: result.duration,
    })
}

/// A `struct xdp_md` (linux/bpf.h) of a frame of `octets` from queue 0 of an
/// interface.
///
/// # Panics
///
/// If the frame has 4 GiB or more.
pub(crate) fn context(octets: usize, interface: u32) -> [u8; CONTEXT_OCTETS] {
    let data_end = u32::try_from(octets).expect("a frame is shorter than 4 GiB");
    // data, data_end, data_meta, ingress_ifindex, rx_queue_index,
    // egress_ifindex.
    let fields = [0, data_end, 0, interface, 0, 0];
    let mut context = [0; CONTEXT_OCTETS];
    for (place, field) in context.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_ne_bytes());
    }
    context
}
