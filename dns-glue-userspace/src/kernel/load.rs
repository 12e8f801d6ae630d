//! Loading the program of a generation.

use std::{
    fs, io,
    os::fd::{AsFd as _, BorrowedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{Map, MapError},
    programs::{ProgramError, ProgramFd, Xdp},
};
use dns_glue_common::maps;
use dns_glue_common::policy::Policy;

use super::fill::fill_array;
use super::freeze::freeze;
use super::memory::{self, MapMemory};
use super::pins::PinsError;
use super::requirements::{self, MIN_KERNEL, Octets};
use super::shared::SharedMaps;
use super::tables::Shape;
use super::value::Value;
use super::{Counters, Deadlines, HostMaps};
use crate::compile::Generation;
use crate::shortage::{self, Shortage};

/// The program as the build script made it.
#[cfg(not(dns_glue_no_program))]
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/dns-glue-ebpf"));
#[cfg(dns_glue_no_program)]
static OBJECT: &[u8] = &[];

/// Lines of the verifier's log that an error shows: its end says why.
const LOG_TAIL_LINES: usize = 20;

/// How often the verifier begins anew when a signal has interrupted it: a
/// daemon gets signals that are no reason to give up, as for another reload.
const VERIFIER_TRIES: usize = 16;

/// What loading depends on beside the generation.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The operator's choices; the generation adds flags of its own.
    pub policy: Policy,
    /// Which messages of the program are written.
    pub log_level: log::LevelFilter,
    /// Where the whole log of the verifier goes if it refuses the program.
    pub verifier_log: Option<PathBuf>,
}

/// Why the program was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Built with `AYA_BUILD_SKIP=1`.
    #[error("this dns-glue was built without the XDP program (AYA_BUILD_SKIP=1)")]
    NoProgram,
    /// More memory than there is.
    #[error(
        "the maps need {} (index {}, pieces {}), but only {} of memory are available",
        Octets(.needed.total()), Octets(.needed.index), Octets(.needed.pieces), Octets(*.available)
    )]
    Memory {
        /// What the maps need.
        needed: MapMemory,
        /// Octets that are available.
        available: u64,
    },
    /// The kernel made no map of that size.
    #[error(
        "the kernel refuses map {map}, {} in all: {cause}{}",
        Octets(needed.total()), map_hint(cause)
    )]
    Map {
        /// Its name.
        map: String,
        /// What all maps need.
        needed: MapMemory,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A map could not be filled.
    #[error("cannot fill map {map}: {cause}{}", map_hint(cause))]
    Fill {
        /// Its name.
        map: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A map could not be made one that nobody writes to.
    #[error("cannot freeze map {map}: {cause}{}", busy_hint(cause))]
    Freeze {
        /// Its name.
        map: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A map could not be read.
    #[error("cannot read map {map}: {cause}")]
    Read {
        /// Its name.
        map: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
    /// A helper function that the program calls is not there.
    #[error(
        "kernel {release} is too old ({helper}): dns-glue needs Linux {}.{} or later",
        MIN_KERNEL.0, MIN_KERNEL.1
    )]
    KernelTooOld {
        /// The running kernel.
        release: String,
        /// The verifier's words.
        helper: String,
    },
    /// Something is missing that has nothing to do with the program.
    #[error("cannot {what}: {cause} ({shortage})")]
    Short {
        /// What was tried.
        what: &'static str,
        /// What is missing.
        shortage: Shortage,
        /// What the system call returned.
        cause: io::Error,
    },
    /// This process may load no program, whatever it does.
    #[error(
        "the kernel lets this process load no program: {0} (the capabilities do not count inside \
         a user namespace, or a security module forbids it)"
    )]
    NotPermitted(io::Error),
    /// The program was loaded with another map than the one that the
    /// generations share.
    #[error(
        "map {0}: its pin was removed or replaced while the program was loaded; it is pinned \
         again: try again"
    )]
    OtherMap(&'static str),
    /// The pins of the maps that the generations share.
    #[error(transparent)]
    Pins(Box<PinsError>),
    /// A signal came while the verifier was at work.
    #[error("interrupted while the kernel verified the program")]
    Interrupted,
    /// The verifier refused the program.
    #[error(
        "the verifier of kernel {release} refuses the program: {cause}\n{}", .log.describe()
    )]
    Refused {
        /// The running kernel.
        release: String,
        /// What the system call returned.
        cause: io::Error,
        /// What the verifier said.
        log: RefusalLog,
    },
    /// The object is not what this loader expects.
    #[error("the XDP program has no {0}")]
    Missing(&'static str),
    /// Anything else.
    #[error(transparent)]
    Object(#[from] EbpfError),
    /// Anything else about a map.
    #[error(transparent)]
    HostMap(#[from] MapError),
    /// Anything else about the program.
    #[error(transparent)]
    Program(ProgramError),
}

impl From<PinsError> for LoadError {
    fn from(error: PinsError) -> Self {
        Self::Pins(Box::new(error))
    }
}

/// The log of a refusal.
#[derive(Debug)]
pub struct RefusalLog {
    /// All of it.
    pub text: String,
    /// The file that holds it, or why it could not be written.
    pub file: Option<Result<PathBuf, io::Error>>,
}

impl RefusalLog {
    fn describe(&self) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(LOG_TAIL_LINES)..);
        let tail = tail.unwrap_or_default().join("\n");
        let place = match &self.file {
            Some(Ok(path)) => format!("the whole log is in {}", path.display()),
            Some(Err(error)) => format!("the whole log could not be written: {error}"),
            None => String::from("--verifier-log FILE keeps the whole log"),
        };
        format!("{tail}\n({} lines; {place})", lines.len())
    }
}

/// What is behind a refusal of a map, in parentheses, if it is known.
fn map_hint(cause: &io::Error) -> String {
    String::from(match cause.raw_os_error() {
        Some(libc::E2BIG) => " (more than the kernel allows one map)",
        Some(libc::EPERM) => {
            " (the capabilities do not count inside a user namespace, or a security module forbids it)"
        }
        _ => return shortage::hint(cause),
    })
}

fn busy_hint(cause: &io::Error) -> &'static str {
    match cause.raw_os_error() {
        Some(libc::EBUSY) => " (another process writes to it)",
        _ => "",
    }
}

/// The program of one generation, in the kernel, with the maps that only it
/// uses.
pub struct Loaded {
    pub(super) ebpf: Ebpf,
    /// For a later generation that takes zones over.
    pub(super) shape: Arc<Shape>,
    /// Until when each zone is answered for: for ever, at first.
    pub deadlines: Deadlines,
    /// What the maps take.
    pub memory: MapMemory,
    /// What the kernel tells of the program.
    pub program: ProgramFacts,
}

impl Loaded {
    /// The program's file descriptor, for one that runs it by a tail call.
    ///
    /// # Errors
    ///
    /// The object has no such program, or it is not loaded.
    pub fn program_fd(&self) -> Result<&ProgramFd, LoadError> {
        let program = self
            .ebpf
            .program(maps::PROGRAM)
            .ok_or(LoadError::Missing(maps::PROGRAM))?;
        let program: &Xdp = program.try_into().map_err(LoadError::Program)?;
        program.fd().map_err(LoadError::Program)
    }
}

/// What the kernel tells of a loaded program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramFacts {
    /// Its number, as bpftool shows it.
    pub id: u32,
    /// Instructions that the verifier walked through (Linux 5.16).
    pub verified_instructions: Option<u32>,
    /// Octets of machine code; 0 without JIT.
    pub jited_octets: u32,
}

/// Makes the maps of `generation`, fills them, and has the program verified: a
/// program of its own, that shares no map with another.
///
/// # Errors
///
/// See [`LoadError`]; nothing is left in the kernel then.
pub fn load(
    generation: &Generation,
    options: &LoadOptions,
) -> Result<(Loaded, HostMaps, Counters), LoadError> {
    let mut loaded = load_with(generation, options, None)?;
    let host_maps = HostMaps::take(&mut loaded.ebpf)?;
    let counters = Counters::take(&mut loaded.ebpf)?;
    Ok((loaded, host_maps, counters))
}

/// As [`load`], beside other generations with which it shares the maps of the
/// host: those of [`HostMaps::open`] and [`Counters::open`].
///
/// # Errors
///
/// See [`LoadError`]; nothing is left in the kernel then.
pub fn load_beside(
    generation: &Generation,
    options: &LoadOptions,
    maps: &SharedMaps,
) -> Result<Loaded, LoadError> {
    // The loader finds the maps by their pins, and makes empty ones where there
    // are none: a program with those would pass everything.
    maps.pin_again()?;
    let loaded = load_with(generation, options, Some(maps))?;
    match maps.find_other(&loaded.ebpf)? {
        None => Ok(loaded),
        Some(map) => {
            maps.pin_again()?;
            Err(LoadError::OtherMap(map))
        }
    }
}

fn load_with(
    generation: &Generation,
    options: &LoadOptions,
    shared: Option<&SharedMaps>,
) -> Result<Loaded, LoadError> {
    if OBJECT.is_empty() {
        return Err(LoadError::NoProgram);
    }
    let memory = check_memory(generation)?;
    let mut ebpf = make_maps(generation, options, memory, shared)?;
    fill(&ebpf, maps::INDEX, &generation.buckets)?;
    fill(&ebpf, maps::PIECES, &generation.slabs)?;
    // What answers, and what a later generation takes zones over from, is what
    // was compiled: so too for what the program alone writes to.
    for name in [
        maps::INDEX,
        maps::PIECES,
        maps::KEPT,
        maps::SCRATCH,
        maps::CLOCK,
    ] {
        let frozen = freeze(array_fd(&ebpf, name)?);
        frozen.map_err(|cause| LoadError::Freeze { map: name, cause })?;
    }
    let deadlines = begin_deadlines(&ebpf)?;
    let program = verify(&mut ebpf, options)?;
    Ok(Loaded {
        ebpf,
        shape: Arc::new(Shape::of(generation)),
        deadlines,
        memory,
        program,
    })
}

fn check_memory(generation: &Generation) -> Result<MapMemory, LoadError> {
    let needed = MapMemory::of(generation, memory::possible_cpus());
    match memory::available() {
        Some(available) if needed.total() > available => {
            Err(LoadError::Memory { needed, available })
        }
        _ => Ok(needed),
    }
}

fn make_maps(
    generation: &Generation,
    options: &LoadOptions,
    needed: MapMemory,
    shared: Option<&SharedMaps>,
) -> Result<Ebpf, LoadError> {
    let (buckets, slabs) = memory::entries(generation);
    let settings = Value(maps::Settings {
        policy: Policy {
            flags: options.policy.flags | generation.policy_flags,
            ..options.policy
        },
        buckets,
    });
    let secret = Value(*generation.secret);
    let depths = Value(generation.depths);
    // Levels of `log` and of aya-log are the same numbers, from 1 for errors.
    let log_level = options.log_level as u8;
    let mut loader = EbpfLoader::new();
    for (name, path) in shared.iter().flat_map(|maps| maps.pins()) {
        loader.map_pin_path(name, path);
    }
    loader
        // The program reads no kernel structures: parsing the kernel's BTF
        // would cost a tenth of a second for nothing.
        .btf(None)
        .map_max_entries(maps::INDEX, buckets)
        .map_max_entries(maps::PIECES, slabs)
        .override_global(maps::SETTINGS, &settings, true)
        .override_global(maps::SECRET, &secret, true)
        .override_global(maps::DEPTHS, &depths, true)
        .override_global(aya_log::LEVEL, &log_level, false)
        .load(OBJECT)
        .map_err(|error| not_made(error, needed))
}

/// Why there are no maps.
fn not_made(error: EbpfError, needed: MapMemory) -> LoadError {
    let found = Shortage::behind(&error);
    let descriptors = found.filter(|(shortage, _)| *shortage != Shortage::Memory);
    if let Some((shortage, cause)) = descriptors {
        return LoadError::Short {
            what: "make the maps",
            shortage,
            cause: same(cause),
        };
    }
    match error {
        EbpfError::MapError(MapError::CreateError { name, io_error }) => LoadError::Map {
            map: name,
            needed,
            cause: io_error,
        },
        other => LoadError::Object(other),
    }
}

/// What a system call said, once more.
fn same(cause: &io::Error) -> io::Error {
    match cause.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => cause.kind().into(),
    }
}

fn fill<T: bytemuck::Pod>(ebpf: &Ebpf, name: &'static str, values: &[T]) -> Result<(), LoadError> {
    fill_array(array_fd(ebpf, name)?, values).map_err(|cause| LoadError::Fill { map: name, cause })
}

fn begin_deadlines(ebpf: &Ebpf) -> Result<Deadlines, LoadError> {
    let map = maps::DEADLINES;
    Deadlines::begin(array_fd(ebpf, map)?).map_err(|cause| LoadError::Fill { map, cause })
}

pub(super) fn array_fd<'e>(
    ebpf: &'e Ebpf,
    name: &'static str,
) -> Result<BorrowedFd<'e>, LoadError> {
    let map = ebpf.map(name).ok_or(LoadError::Missing(name))?;
    match map {
        Map::Array(data) | Map::PerCpuArray(data) => Ok(data.fd().as_fd()),
        _ => Err(LoadError::Missing(name)),
    }
}

fn verify(ebpf: &mut Ebpf, options: &LoadOptions) -> Result<ProgramFacts, LoadError> {
    let program = program_of(ebpf)?;
    let mut tries = 1..=VERIFIER_TRIES;
    loop {
        match program.load() {
            Err(ProgramError::LoadError { io_error, .. })
                if was_interrupted(&io_error) && tries.next().is_some() => {}
            result => break result.map_err(|error| explain_refusal(error, options))?,
        }
    }
    let info = program.info().map_err(LoadError::Program)?;
    Ok(ProgramFacts {
        id: info.id(),
        verified_instructions: info.verified_instruction_count(),
        jited_octets: info.size_jitted(),
    })
}

/// The XDP program of the object.
pub(super) fn program_of(ebpf: &mut Ebpf) -> Result<&mut Xdp, LoadError> {
    let program = ebpf
        .program_mut(maps::PROGRAM)
        .ok_or(LoadError::Missing(maps::PROGRAM))?;
    program.try_into().map_err(LoadError::Program)
}

fn explain_refusal(error: ProgramError, options: &LoadOptions) -> LoadError {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => refusal(
            io_error,
            verifier_log.to_string(),
            options.verifier_log.as_deref(),
        ),
        other => LoadError::Program(other),
    }
}

/// Whether the verifier gave up because a signal waited, at any instruction.
fn was_interrupted(cause: &io::Error) -> bool {
    matches!(cause.raw_os_error(), Some(libc::EAGAIN | libc::EINTR))
}

/// What a refusal with this log means.
fn refusal(cause: io::Error, text: String, keep_in: Option<&Path>) -> LoadError {
    if was_interrupted(&cause) {
        return LoadError::Interrupted;
    }
    // The verifier gives other reasons than these: it writes to its log too
    // when the program is in order and there is no descriptor for it.
    if let Some(shortage) = Shortage::of(&cause) {
        return LoadError::Short {
            what: "load the program",
            shortage,
            cause,
        };
    }
    if cause.raw_os_error() == Some(libc::EPERM) && text.trim().is_empty() {
        return LoadError::NotPermitted(cause);
    }
    let release = requirements::kernel_release();
    if let Some(helper) = requirements::unknown_helper(&text) {
        return LoadError::KernelTooOld {
            release,
            helper: helper.trim().to_owned(),
        };
    }
    let file = keep_in.map(|path| fs::write(path, &text).map(|()| path.to_owned()));
    LoadError::Refused {
        release,
        cause,
        log: RefusalLog { text, file },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> io::Error {
        io::Error::from_raw_os_error(libc::EACCES)
    }

    #[test]
    fn a_refusal_shows_the_end_of_the_log() {
        let text: String = (0..100).map(|line| format!("line {line}\n")).collect();
        let error = refusal(refused(), text, None).to_string();
        assert!(
            error.contains("line 99\n") && error.contains("line 80\n"),
            "{error}"
        );
        assert!(!error.contains("line 79\n"), "{error}");
        assert!(error.contains("100 lines; --verifier-log"), "{error}");
    }

    #[test]
    fn a_refusal_keeps_the_whole_log_in_a_file() {
        let path = std::env::temp_dir().join(format!("dns-glue-log-{}", std::process::id()));
        let text = "line\n".repeat(1000);
        let error = refusal(refused(), text.clone(), Some(&path)).to_string();
        let kept = fs::read_to_string(&path).expect("the file was written");
        fs::remove_file(&path).expect("the file is there");
        assert_eq!(kept, text);
        assert!(error.contains(&path.display().to_string()), "{error}");
    }

    #[test]
    fn a_signal_is_no_refusal() {
        let cause = io::Error::from_raw_os_error(libc::EAGAIN);
        let error = refusal(cause, String::from("12: (b7) r0 = 0\n"), None);
        assert!(matches!(error, LoadError::Interrupted), "{error}");
    }

    #[test]
    fn what_is_missing_is_no_refusal() {
        let log = String::from("processed 120000 insns (limit 1000000)\n");
        for (errno, remedy) in [
            (libc::EMFILE, "LimitNOFILE="),
            (libc::ENFILE, "fs.file-max"),
            (libc::ENOMEM, "MemoryMax="),
        ] {
            let cause = io::Error::from_raw_os_error(errno);
            let error = refusal(cause, log.clone(), None).to_string();
            assert!(error.contains("cannot load the program: "), "{error}");
            assert!(error.contains(remedy), "{error}");
            assert!(!error.contains("verifier"), "{error}");
        }
        let cause = || io::Error::from_raw_os_error(libc::EPERM);
        let error = refusal(cause(), String::new(), None);
        assert!(matches!(error, LoadError::NotPermitted(_)), "{error}");
        let error = refusal(cause(), String::from("R1 leaks addr\n"), None);
        assert!(matches!(error, LoadError::Refused { .. }), "{error}");
    }

    #[test]
    fn maps_for_which_there_is_no_descriptor_are_not_too_large() {
        let needed = MapMemory {
            index: 1,
            pieces: 1,
            fixed: 1,
        };
        let made = |errno| {
            let error = MapError::CreateError {
                name: String::from("PIECES"),
                io_error: io::Error::from_raw_os_error(errno),
            };
            not_made(error.into(), needed)
        };
        let error = made(libc::EMFILE).to_string();
        assert!(error.contains("LimitNOFILE="), "{error}");
        assert!(matches!(made(libc::ENOMEM), LoadError::Map { .. }));
        assert!(matches!(made(libc::E2BIG), LoadError::Map { .. }));
    }

    #[test]
    fn a_missing_helper_means_an_old_kernel() {
        let text = String::from("0: (85) call unknown#189\ninvalid func unknown#189\n");
        let error = refusal(refused(), text, None);
        assert!(matches!(error, LoadError::KernelTooOld { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("#189") && error.contains("5.18"), "{error}");
    }

    #[test]
    fn too_large_maps_are_explained() {
        let needed = MapMemory {
            index: 3 << 30,
            pieces: 1 << 30,
            fixed: 0,
        };
        let error = LoadError::Memory {
            needed,
            available: 1 << 30,
        };
        let error = error.to_string();
        assert!(
            error.contains("4.0 GiB") && error.contains("1.0 GiB of memory"),
            "{error}"
        );
        for (errno, hint) in [(libc::ENOMEM, "MemoryMax="), (libc::E2BIG, "one map")] {
            let error = LoadError::Map {
                map: String::from("PIECES"),
                needed,
                cause: io::Error::from_raw_os_error(errno),
            };
            let error = error.to_string();
            assert!(error.contains(hint) && error.contains("PIECES"), "{error}");
        }
    }
}
