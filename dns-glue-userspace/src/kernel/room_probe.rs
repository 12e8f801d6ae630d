//! A program that is on an interface for a moment, to see whether its driver
//! takes one, and how far its frames can grow.

use std::os::fd::AsFd as _;
use std::{thread, time::Duration};

use aya::maps::{MapError, PerCpuArray};
use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader};
use dns_glue_common::room::{FrameRoom, MEASURE_ROOM, ROOM};

use super::attach::{self, AttachError, AttachMode, ModeChoice, Target};
use super::value::Value;
use super::{LoadError, requirements};

/// The program as the build script made it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/dns-glue-room"));

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// How it was attached.
    pub mode: AttachMode,
    /// Why not natively, if it was to be.
    pub fallback_cause: Option<String>,
    /// Whether the kernel compiled it to machine code.
    pub is_jited: bool,
    /// How far the frames could grow that came in meanwhile, and were no longer
    /// than a query.
    pub room: FrameRoom,
}

/// Why a probe found nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It may not, or the kernel is too old.
    #[error(transparent)]
    Requirement(#[from] requirements::RequirementError),
    /// It was not loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It was not attached.
    #[error(transparent)]
    Attach(#[from] AttachError),
}

/// Attaches the program, waits, and detaches it; every frame passes as it came.
///
/// The kernel detaches it too if this process ends meanwhile. A driver may
/// take its link down for a moment each time.
///
/// # Errors
///
/// The interface is as it was then.
pub fn probe(
    target: &Target,
    choice: ModeChoice,
    duration: Duration,
) -> Result<Probed, ProbeError> {
    requirements::check()?;
    if OBJECT.is_empty() {
        return Err(LoadError::NoProgram.into());
    }
    let mut ebpf = EbpfLoader::new()
        .btf(None)
        .load(OBJECT)
        .map_err(LoadError::Object)?;
    let program: &mut Xdp = ebpf
        .program_mut(MEASURE_ROOM)
        .ok_or(LoadError::Missing(MEASURE_ROOM))?
        .try_into()
        .map_err(LoadError::Program)?;
    program.load().map_err(LoadError::Program)?;
    let info = program.info().map_err(LoadError::Program)?;
    let is_jited = info.size_jitted() != 0;
    let program = program.fd().map_err(LoadError::Program)?.as_fd();
    let attachment = attach::attach_program(program, target, choice)?;
    thread::sleep(duration);
    let (mode, fallback_cause) = (attachment.mode, attachment.fallback_cause.clone());
    drop(attachment);
    Ok(Probed {
        mode,
        fallback_cause,
        is_jited,
        room: read_room(&ebpf).map_err(LoadError::HostMap)?,
    })
}

fn read_room(ebpf: &Ebpf) -> Result<FrameRoom, MapError> {
    let map = ebpf.map(ROOM).ok_or_else(|| MapError::InvalidName {
        name: ROOM.to_owned(),
    })?;
    let rooms: PerCpuArray<_, Value<FrameRoom>> = map.try_into()?;
    let rooms = rooms.get(&0, 0)?;
    Ok(rooms
        .iter()
        .fold(FrameRoom::default(), |all, room| all.and(room.0)))
}
