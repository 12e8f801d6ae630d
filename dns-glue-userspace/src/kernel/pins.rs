//! The pin folder: what must be found again by another generation of the
//! program, or by the next daemon, on a BPF file system.
//!
//! ```text
//! DIR/layout-1/COUNTERS, HOST, HOST_SELECTOR   maps of the host, shared by all generations
//!              ABOUT                           what the daemon last told of itself
//!              link-7                          the program on the interface of that number
//! ```
//!
//! Links are named by number, because names on a BPF file system have no dots,
//! and those of interfaces may. Folders of other layouts are those of other
//! versions of dns-glue: their links can be taken over, their maps cannot.
//!
//! A number means an interface of one network namespace: a folder is used in
//! one at a time, and the daemon's word tells which. What a start makes is in
//! sight when it is sure to succeed ([`super::beginning`]).
//!
//! *Invariant:* only a pin is removed that this process has made or has looked
//! at: another may have come to its path ([`PinnedLink`]). Whoever changes
//! a folder holds its lock ([`PinFolder`]); whoever only reads does not
//! ([`super::unattended`]).

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::about;
use super::beginning::Changes;
use super::link::XdpLink;
use super::pinned_link::{self, PinnedLink};
use super::shared::SharedMap;
use crate::shortage::{Shortage, hint, in_full};

/// Where the folder is when `--pins` does not say.
pub const DEFAULT_PATH: &str = "/sys/fs/bpf/dns-glue";

/// What all layouts' folders are called, before the number.
const LAYOUT_PREFIX: &str = "layout-";
/// The number of this version's layout. It changes with the meaning of a pin;
/// another size alone is seen.
const LAYOUT: u32 = 1;
/// What links are called, before the number of the interface.
pub(super) const LINK_PREFIX: &str = "link-";

/// How often, and with which pauses, a lock is tried: one who only looks
/// whether a daemon holds it has it for a moment.
const LOCK_TRIES: usize = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Why there is no pin folder.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// It is not on a BPF file system.
    #[error(
        "--pins {}: {} is on no BPF file system: `mount -t bpf bpf /sys/fs/bpf` mounts one there, \
         or name a folder on one that is mounted (`ip netns exec` hides it: use nsenter)",
        .path.display(), .place.display()
    )]
    NotBpf {
        /// The folder.
        path: PathBuf,
        /// The nearest folder that exists.
        place: PathBuf,
    },
    /// Another daemon has it.
    #[error(
        "--pins {}: another dns-glue uses this folder: stop it, or give this one another folder",
        .0.display()
    )]
    Taken(PathBuf),
    /// What is pinned there answers in another network namespace.
    #[error(
        "--pins {}: what is pinned there answers in another network namespace (on its {}): give \
         this dns-glue a folder of its own with --pins DIR, or run it in that network namespace; \
         `dns-glue stop --pins {}` ends those answers",
        .path.display(), numbers(.interfaces), .path.display()
    )]
    OtherNamespace {
        /// The folder.
        path: PathBuf,
        /// Numbers of interfaces of that network namespace.
        interfaces: Vec<u32>,
    },
    /// The system says no.
    #[error("--pins {}: cannot {what}: {cause}{}", .path.display(), hint(.cause))]
    System {
        /// The path in question.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// No BPF file system of our own.
    #[error(
        "cannot {what} a BPF file system for this process alone: {cause}{}; it takes \
         CAP_SYS_ADMIN and /proc, or name a folder on a mounted one with --pins",
        hint(.cause)
    )]
    Private {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// A map there cannot be made or opened.
    #[error("--pins {}: map {map}: {}", .path.display(), in_full(.cause))]
    Map {
        /// The folder.
        path: PathBuf,
        /// The map.
        map: &'static str,
        /// What the kernel said.
        cause: aya::maps::MapError,
    },
}

impl PinsError {
    /// What there was too little of, if that is why.
    pub(super) fn shortage(&self) -> Option<Shortage> {
        match self {
            Self::System { cause, .. } | Self::Private { cause, .. } => Shortage::of(cause),
            Self::Map { cause, .. } => Shortage::behind(cause).map(|(shortage, _)| shortage),
            Self::NotBpf { .. } | Self::Taken(_) | Self::OtherNamespace { .. } => None,
        }
    }
}

/// What makes the folder ours.
#[derive(Debug)]
enum Hold {
    /// The folder itself, locked.
    Locked(Mutex<File>),
    /// A file system that nobody else sees, and that goes with this.
    Private(#[expect(dead_code, reason = "held for its end")] PrivateFileSystem),
}

/// A pin folder that nobody else changes.
#[derive(Debug)]
pub struct PinFolder {
    root: PathBuf,
    hold: Hold,
    /// Whether the folder was there before.
    was_there: bool,
    /// What a start has made that may yet fail.
    pub(super) changes: Mutex<Changes>,
}

impl PinFolder {
    /// Makes the folder if it is not there, and locks it. What is in it stays
    /// as it is.
    ///
    /// # Errors
    ///
    /// See [`PinsError`].
    pub fn claim(root: &Path) -> Result<Self, PinsError> {
        check_file_system(root)?;
        Ok(Self {
            root: root.to_owned(),
            was_there: is_there(root)?,
            hold: Hold::Locked(Mutex::new(lock(root)?)),
            changes: Mutex::default(),
        })
    }

    /// A folder that goes with this process, however it ends.
    ///
    /// # Errors
    ///
    /// [`PinsError::Private`].
    pub fn private() -> Result<Self, PinsError> {
        let file_system = PrivateFileSystem::new()?;
        Ok(Self {
            root: file_system.path(),
            was_there: false,
            hold: Hold::Private(file_system),
            changes: Mutex::default(),
        })
    }

    /// Where it is; `None` if it goes with this process.
    pub fn path(&self) -> Option<&Path> {
        match self.hold {
            Hold::Locked(_) => Some(&self.root),
            Hold::Private(_) => None,
        }
    }

    /// Whether it is there.
    ///
    /// # Errors
    ///
    /// The file system does not tell.
    pub fn is_there(&self) -> Result<bool, PinsError> {
        is_there(&self.root)
    }

    /// Whether it was there before it was claimed.
    pub fn was_there(&self) -> bool {
        self.was_there
    }

    /// Where everything of this version's layout is when a start is done.
    pub(super) fn final_layout(&self) -> PathBuf {
        layout(&self.root)
    }

    /// The links that are pinned there, in folders of any layout.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn links(&self) -> Result<Vec<PinnedLink>, PinsError> {
        pinned_link::find(&self.root)
    }

    /// What daemons have left word of there, in folders of any layout.
    ///
    /// # Errors
    ///
    /// The folder or a map cannot be read.
    pub fn words(&self) -> Result<Vec<String>, PinsError> {
        about::words(&self.root)
    }

    /// Makes the folder again, and its lock, if somebody has removed it.
    ///
    /// # Errors
    ///
    /// The file system says no, or another daemon has made it meanwhile.
    pub(super) fn make_again(&self) -> Result<(), PinsError> {
        if let Hold::Locked(held) = &self.hold {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            if !is_same(&held, &self.root) {
                *held = lock(&self.root)?;
            }
        }
        make_folder(&self.layout())
    }

    /// Pins a link: the program stays on the interface of that number when
    /// this process ends.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn pin(&self, link: &XdpLink, interface: u32) -> Result<(), PinsError> {
        self.make_again()?;
        let path = self.link_path(interface);
        // Of an interface that is gone, whose number was given again.
        remove_if_there(&path).map_err(system(&path, "remove it"))?;
        link.pin(&path).map_err(system(&path, "pin a link there"))
    }

    /// Whether the link of an interface is pinned.
    pub fn is_pinned(&self, interface: u32) -> bool {
        self.link_path(interface).exists()
    }

    /// Removes the pin of an interface's link, if there is one.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn unpin(&self, interface: u32) -> Result<(), PinsError> {
        let path = self.link_path(interface);
        remove_if_there(&path).map_err(system(&path, "remove it"))
    }

    /// Pins a found link as [`PinFolder::pin`] does, beside the pin that it
    /// has; whether that was another one.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn pin_too(&self, pinned: &PinnedLink, interface: u32) -> Result<bool, PinsError> {
        let is_elsewhere = !pinned.is_at(&self.link_path(interface));
        if is_elsewhere {
            self.pin(&pinned.link, interface)?;
        }
        Ok(is_elsewhere)
    }

    /// Removes what other layouts left, their links too: those that were taken
    /// over are pinned under ours before.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn remove_other_layouts(&self) -> Result<(), PinsError> {
        let ours = self.layout();
        for other in layouts(&self.root)? {
            if other != ours {
                fs::remove_dir_all(&other).map_err(system(&other, "remove it"))?;
            }
        }
        Ok(())
    }

    /// Removes everything, and with it whatever only its pins held.
    ///
    /// # Errors
    ///
    /// The file system says no.
    pub fn remove(&self) -> Result<(), PinsError> {
        let Hold::Locked(_) = self.hold else {
            return Ok(());
        };
        for pinned in self.links()? {
            pinned.discard()?;
        }
        for layout in layouts(&self.root)? {
            fs::remove_dir_all(&layout).map_err(system(&layout, "remove it"))?;
        }
        match fs::remove_dir(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(system(&self.root, "remove it")(error))
            }
            // What somebody else put there is not ours to remove.
            _ => Ok(()),
        }
    }

    fn link_path(&self, interface: u32) -> PathBuf {
        self.layout().join(format!("{LINK_PREFIX}{interface}"))
    }
}

/// Where this version's layout is in a pin folder.
pub(super) fn layout(root: &Path) -> PathBuf {
    root.join(format!("{LAYOUT_PREFIX}{LAYOUT}"))
}

/// The path of a map in the folder of a layout.
pub(super) fn map_path(layout: &Path, map: &SharedMap) -> PathBuf {
    layout.join(map.name)
}

/// Whether anything is there.
pub(super) fn is_there(path: &Path) -> Result<bool, PinsError> {
    path.try_exists().map_err(system(path, "look at it"))
}

fn numbers(interfaces: &[u32]) -> String {
    let numbers: Vec<String> = interfaces.iter().map(u32::to_string).collect();
    let several = if numbers.len() == 1 { "" } else { "s" };
    format!("interface{several} {}", numbers.join(", "))
}

/// Whether a daemon holds the folder's lock.
pub(super) fn is_attended(root: &Path) -> Result<bool, PinsError> {
    let file = File::open(root).map_err(system(root, "open it"))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(cause)) => Err(system(root, "lock it")(cause)),
    }
}

/// The folders of all layouts.
pub(super) fn layouts(root: &Path) -> Result<Vec<PathBuf>, PinsError> {
    let mut folders = children(root)?;
    folders.retain(|path| has_prefix(path, LAYOUT_PREFIX));
    Ok(folders)
}

/// What is in a folder, by name.
pub(super) fn children(folder: &Path) -> Result<Vec<PathBuf>, PinsError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?;
        entries.map(|entry| Ok(entry?.path())).collect()
    };
    let mut paths = read().map_err(system(folder, "read it"))?;
    paths.sort();
    Ok(paths)
}

pub(super) fn has_prefix(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_bytes().starts_with(prefix.as_bytes())
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn system<'a>(
    path: &'a Path,
    what: &'static str,
) -> impl Fn(io::Error) -> PinsError + use<'a> {
    move |cause| PinsError::System {
        path: path.to_owned(),
        what,
        cause,
    }
}

pub(super) fn make_folder(path: &Path) -> Result<(), PinsError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(path)
        .map_err(system(path, "make the folder (its name may have no dots)"))
}

/// Makes and locks the folder.
fn lock(root: &Path) -> Result<File, PinsError> {
    for _ in 0..LOCK_TRIES {
        make_folder(root)?;
        let folder = match File::open(root) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(system(root, "open it")(error)),
        };
        match folder.try_lock() {
            Ok(()) if is_same(&folder, root) => {
                let made_private = folder.set_permissions(Permissions::from_mode(0o700));
                made_private.map_err(system(root, "change its mode"))?;
                return Ok(folder);
            }
            // Removed by its daemon as it ended: another is to be made.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(cause)) => return Err(system(root, "lock it")(cause)),
        }
    }
    Err(PinsError::Taken(root.to_owned()))
}

/// Whether the open folder is the one that is there.
fn is_same(folder: &File, path: &Path) -> bool {
    match (folder.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => open.ino() == there.ino() && open.dev() == there.dev(),
        _ => false,
    }
}

/// Checks that the folder is, or would be, on a BPF file system.
fn check_file_system(root: &Path) -> Result<(), PinsError> {
    let mut ancestors = root.ancestors();
    let place = ancestors.find(|folder| folder.exists());
    // Of a relative path of one name the last ancestor is empty.
    let place = place.unwrap_or(Path::new("."));
    let folder = File::open(place).map_err(system(place, "open it"))?;
    let mut facts = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: fstatfs writes a statfs, to which the pointer leads.
    let result = unsafe { libc::fstatfs(folder.as_raw_fd(), facts.as_mut_ptr()) };
    if result != 0 {
        return Err(system(place, "ask for its file system")(
            io::Error::last_os_error(),
        ));
    }
    // SAFETY: initialised by fstatfs, and all zero octets are a valid statfs.
    let facts = unsafe { facts.assume_init() };
    if facts.f_type == libc::BPF_FS_MAGIC {
        Ok(())
    } else {
        Err(PinsError::NotBpf {
            path: root.to_owned(),
            place: place.to_owned(),
        })
    }
}

/// A BPF file system that is mounted nowhere: it is reached through this
/// process alone, and ends with it.
#[derive(Debug)]
pub struct PrivateFileSystem(OwnedFd);

impl PrivateFileSystem {
    /// An empty one.
    ///
    /// # Errors
    ///
    /// [`PinsError::Private`].
    pub fn new() -> Result<Self, PinsError> {
        let failed = |what| move |cause| PinsError::Private { what, cause };
        // SAFETY: the name ends with NUL; the call has no other pointer.
        let context = unsafe { libc::syscall(libc::SYS_fsopen, c"bpf".as_ptr(), FSOPEN_CLOEXEC) };
        let context = owned(context).map_err(failed("open"))?;
        // SAFETY: the command takes neither key nor value: null pointers.
        let made = unsafe {
            libc::syscall(
                libc::SYS_fsconfig,
                context.as_raw_fd(),
                FSCONFIG_CMD_CREATE,
                std::ptr::null::<libc::c_char>(),
                std::ptr::null::<libc::c_void>(),
                0,
            )
        };
        if made != 0 {
            return Err(failed("make")(io::Error::last_os_error()));
        }
        // SAFETY: a call without pointers.
        let mount =
            unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, 0) };
        owned(mount).map(Self).map_err(failed("mount"))
    }

    /// Where this process, and another that may look into it, finds it.
    pub fn path(&self) -> PathBuf {
        let Self(mount) = self;
        let (pid, descriptor) = (std::process::id(), mount.as_raw_fd());
        PathBuf::from(format!("/proc/{pid}/fd/{descriptor}"))
    }
}

/// From linux/mount.h.
const FSOPEN_CLOEXEC: libc::c_int = 1;
const FSCONFIG_CMD_CREATE: libc::c_int = 6;
const FSMOUNT_CLOEXEC: libc::c_int = 1;

/// The descriptor that a call has returned, if it has.
fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    match libc::c_int::try_from(result) {
        // SAFETY: fresh from the kernel, and nobody else's.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}
