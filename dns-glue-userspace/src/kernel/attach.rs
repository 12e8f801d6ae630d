//! Attaching the program to interfaces.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::{fmt, io, str::FromStr};

use aya::programs::loaded_programs;

use dns_glue_common::maps::PROGRAM;

use super::link::{XdpLink, program_by_id};
use super::{LoadError, Loaded};
use crate::shortage::{self, Shortage};

/// Up to this MTU every driver takes a program that does not know fragments:
/// a frame fits a page with the room in front of it and the kernel's
/// bookkeeping behind.
pub const LINEAR_MTU: u32 = 3498;

/// How the program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMode {
    /// By the driver, before a socket buffer is made.
    Native,
    /// By the network stack: any interface, slower.
    Generic,
}

impl fmt::Display for AttachMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// Which ways of attaching may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeChoice {
    /// Native, and generic where the driver cannot.
    Auto,
    /// This one only.
    Only(AttachMode),
}

impl FromStr for ModeChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "native" => Ok(Self::Only(AttachMode::Native)),
            "generic" => Ok(Self::Only(AttachMode::Generic)),
            _ => Err(String::from("one of auto, native, generic")),
        }
    }
}

impl fmt::Display for ModeChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Only(mode) => mode.fmt(f),
        }
    }
}

/// An interface to attach to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name, for messages.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// Its MTU, octets.
    pub mtu: u32,
    /// The number of the XDP program that it has already.
    pub occupied_by: Option<u32>,
}

/// Why the program was not attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Somebody else's program is there.
    #[error(
        "{interface} has an XDP program already: number {id}{}; dns-glue never replaces it {}",
        .name.as_ref().map_or(String::new(), |name| format!(" ({name})")),
        if .name.as_deref() == Some(PROGRAM) {
            String::from("(it is of a dns-glue with other pins: `dns-glue stop --pins DIR` detaches it)")
        } else {
            format!("(`ip link set dev {interface} xdp off`, or its owner, takes it off)")
        }
    )]
    Foreign {
        /// The interface.
        interface: String,
        /// The number of the program.
        id: u32,
        /// Its name, if it may be asked for.
        name: Option<String>,
    },
    /// The kernel refused.
    #[error("cannot attach to {interface} in {mode} mode: {cause}{hint}")]
    Refused {
        /// The interface.
        interface: String,
        /// The mode that was tried.
        mode: AttachMode,
        /// What the kernel said.
        cause: io::Error,
        /// What could be done about it.
        hint: String,
    },
    /// An interface does not take the next generation's program.
    #[error(
        "cannot replace the program on {interface}: {cause}{}; all interfaces keep theirs",
        shortage::hint(.cause)
    )]
    NotReplaced {
        /// The interface.
        interface: String,
        /// What the kernel said.
        cause: io::Error,
    },
    /// Native mode failed, and so did generic mode.
    #[error("{native}; and {generic}")]
    Neither {
        /// Why not native.
        native: Box<AttachError>,
        /// Why not generic.
        generic: Box<AttachError>,
    },
    /// The program is not loaded as it should be.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// The program on one interface; dropping it detaches, if it is not pinned.
#[derive(Debug)]
pub struct Attachment {
    /// The number of the interface.
    pub index: u32,
    /// How it is attached.
    pub mode: AttachMode,
    /// Why it is not native, after `auto` fell back.
    pub fallback_cause: Option<String>,
    /// Holds the program on the interface; the next generation replaces the
    /// program behind it.
    pub link: XdpLink,
}

impl Attachment {
    /// Whether the interface that the program was attached to is gone, although
    /// another may have its number, or somebody has detached the program.
    pub fn is_orphaned(&self) -> bool {
        self.link
            .facts()
            .is_ok_and(|facts| facts.interface.is_none())
    }

    /// Takes the program off the interface, pinned or not.
    ///
    /// # Errors
    ///
    /// What the kernel says: as when the interface is gone.
    pub fn detach(self) -> io::Result<()> {
        self.link.detach()
    }
}

/// A link that is to get another program.
pub struct Move<'a> {
    /// The name of its interface, for messages.
    pub interface: &'a str,
    /// The link.
    pub link: &'a XdpLink,
    /// The program behind it; `None` if this process may not have it, and
    /// then there is no way back.
    pub from: Option<BorrowedFd<'a>>,
}

/// Puts another program behind all of the links. If one refuses, those before
/// it get theirs back. A link that is detached, because its interface is gone or
/// by somebody, counts as done.
///
/// # Errors
///
/// [`AttachError::NotReplaced`].
pub fn replace(moves: &[Move<'_>], to: &Loaded) -> Result<(), AttachError> {
    let to = to.program_fd()?.as_fd();
    for (
        done,
        Move {
            interface,
            link,
            from,
        },
    ) in moves.iter().enumerate()
    {
        let Err(cause) = link.replace(to, *from) else {
            continue;
        };
        if cause.raw_os_error() == Some(libc::ENOLINK) {
            log::debug!("{interface}: its link is detached");
            continue;
        }
        for moved in moves.iter().take(done) {
            move_back(moved, to);
        }
        return Err(AttachError::NotReplaced {
            interface: (*interface).to_owned(),
            cause,
        });
    }
    Ok(())
}

/// Puts the programs of before behind the links again, as far as they are there.
///
/// # Errors
///
/// The program is not loaded as it should be; a link that does not get its
/// program back is logged.
pub fn replace_back(moves: &[Move<'_>], now: &Loaded) -> Result<(), AttachError> {
    let now = now.program_fd()?.as_fd();
    for moved in moves {
        move_back(moved, now);
    }
    Ok(())
}

fn move_back(moved: &Move<'_>, now: BorrowedFd<'_>) {
    let Move {
        interface,
        link,
        from,
    } = moved;
    let back = match from {
        Some(from) => link.replace(*from, Some(now)),
        None => Err(io::ErrorKind::PermissionDenied.into()),
    };
    match back.as_ref().map_err(io::Error::raw_os_error) {
        Ok(()) | Err(Some(libc::ENOLINK)) => {}
        Err(_) => log::error!("{interface} does not get its program back: {back:?}"),
    }
}

/// The program of that number; `None` if this process may not have it
/// (CAP_SYS_ADMIN).
///
/// # Errors
///
/// The kernel does not give it for another reason, as when there is no
/// descriptor for it.
pub fn running_program(id: u32) -> io::Result<Option<OwnedFd>> {
    match program_by_id(id) {
        Ok(program) => Ok(Some(program)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(error),
    }
}

/// Checks that no XDP program is on an interface.
///
/// # Errors
///
/// One is: `Foreign`.
pub fn check_free(target: &Target) -> Result<(), AttachError> {
    match target.occupied_by {
        None => Ok(()),
        Some(id) => Err(AttachError::Foreign {
            interface: target.name.clone(),
            id,
            name: program_name(id),
        }),
    }
}

/// Attaches the program to an interface.
///
/// # Errors
///
/// See [`AttachError`]; the interface is as it was then.
pub fn attach(
    loaded: &Loaded,
    target: &Target,
    choice: ModeChoice,
) -> Result<Attachment, AttachError> {
    attach_program(loaded.program_fd()?.as_fd(), target, choice)
}

/// Attaches a program to an interface, as [`attach`] does.
pub(super) fn attach_program(
    program: BorrowedFd<'_>,
    target: &Target,
    choice: ModeChoice,
) -> Result<Attachment, AttachError> {
    check_free(target)?;
    match choice {
        ModeChoice::Only(mode) => attach_in_mode(program, target, mode, None),
        ModeChoice::Auto => {
            let native = match attach_in_mode(program, target, AttachMode::Native, None) {
                Ok(attachment) => return Ok(attachment),
                // Not of the driver: the other way is no remedy.
                Err(native) if lacks_descriptors(&native) => return Err(native),
                Err(native) => native,
            };
            attach_in_mode(
                program,
                target,
                AttachMode::Generic,
                Some(native.to_string()),
            )
            .map_err(|generic| AttachError::Neither {
                native: Box::new(native),
                generic: Box::new(generic),
            })
        }
    }
}

fn lacks_descriptors(error: &AttachError) -> bool {
    let AttachError::Refused { cause, .. } = error else {
        return false;
    };
    let shortage = Shortage::of(cause);
    shortage.is_some_and(|shortage| shortage != Shortage::Memory)
}

fn attach_in_mode(
    program: BorrowedFd<'_>,
    target: &Target,
    mode: AttachMode,
    fallback_cause: Option<String>,
) -> Result<Attachment, AttachError> {
    let link = XdpLink::create(program, target.index, mode)
        .map_err(|cause| refused(cause, target, mode))?;
    Ok(Attachment {
        index: target.index,
        mode,
        fallback_cause,
        link,
    })
}

fn refused(cause: io::Error, target: &Target, mode: AttachMode) -> AttachError {
    let hint = hint(&cause, target, mode);
    AttachError::Refused {
        interface: target.name.clone(),
        mode,
        cause,
        hint,
    }
}

/// What an operator can do about it; the kernel tells its reasons as numbers
/// only.
fn hint(cause: &io::Error, target: &Target, mode: AttachMode) -> String {
    let name = &target.name;
    let native = mode == AttachMode::Native;
    match cause.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => {
            String::from(" (another XDP program is on the interface; it is never replaced)")
        }
        Some(libc::EOPNOTSUPP) if native => {
            String::from(" (the driver has no native XDP; --mode generic works on any interface)")
        }
        Some(libc::ERANGE | libc::EINVAL | libc::EOPNOTSUPP) if target.mtu > LINEAR_MTU => {
            format!(
                " (the MTU of {} is too large for the driver: `ip link set dev {name} mtu \
                 {LINEAR_MTU}` works with every driver, --mode generic with any MTU)",
                target.mtu
            )
        }
        Some(libc::ERANGE) if native => format!(
            " (an MTU is too large for the driver: that of {name} or, for veth, of its peer)"
        ),
        Some(libc::ENOMEM | libc::ENOSPC | libc::EINVAL) if native => format!(
            " (drivers refuse when too few queues are free, rings are too large, or an offload \
             such as LRO is on; `dns-glue check-nic {name}` or the kernel's log may say which; \
             --mode generic works meanwhile)",
        ),
        Some(libc::ENODEV) => String::from(" (the interface is gone)"),
        _ => shortage::hint(cause),
    }
}

/// The name of a loaded program; asking takes CAP_SYS_ADMIN.
pub fn program_name(id: u32) -> Option<String> {
    let info = loaded_programs()
        .filter_map(Result::ok)
        .find(|info| info.id() == id)?;
    let name = info.name_as_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(errno: i32, mtu: u32, mode: AttachMode) -> String {
        let target = Target {
            name: String::from("eth7"),
            index: 7,
            mtu,
            occupied_by: None,
        };
        let cause = io::Error::from_raw_os_error(errno);
        hint(&cause, &target, mode)
    }

    #[test]
    fn a_large_mtu_is_named_with_one_that_works() {
        for errno in [libc::ERANGE, libc::EINVAL, libc::EOPNOTSUPP] {
            let hint = message(errno, 9000, AttachMode::Generic);
            assert!(hint.contains("9000") && hint.contains("mtu 3498"), "{hint}");
        }
        let hint = message(libc::EINVAL, 9000, AttachMode::Native);
        assert!(hint.contains("`ip link set dev eth7 mtu 3498`"), "{hint}");
    }

    #[test]
    fn a_driver_without_xdp_is_named() {
        let hint = message(libc::EOPNOTSUPP, 1500, AttachMode::Native);
        assert!(hint.contains("--mode generic"), "{hint}");
    }

    #[test]
    fn modes_round_trip() {
        for text in ["auto", "native", "generic"] {
            let mode: ModeChoice = text.parse().expect(text);
            assert_eq!(mode.to_string(), text);
        }
        assert!("Native".parse::<ModeChoice>().is_err());
    }
}
