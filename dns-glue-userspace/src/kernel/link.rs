//! Links: what holds a program on an interface (`BPF_LINK_TYPE_XDP`).
//!
//! By the kernel's own calls (bpf(2)), not by aya's: aya falls back to netlink
//! where the kernel makes no link, and a program attached so would outlive its
//! process; it loses a link whose program it cannot replace; and it tells
//! neither a link's interface nor its descriptor.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::AttachMode;
use super::syscall::bpf;

/// Commands of bpf(2), from linux/bpf.h.
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_LINK_UPDATE: libc::c_int = 29;
const BPF_LINK_DETACH: libc::c_int = 34;

/// `enum bpf_attach_type`: what an XDP program for an interface is loaded as.
const BPF_XDP: u32 = 37;
/// `enum bpf_link_type`.
const BPF_LINK_TYPE_XDP: u32 = 6;
/// Update only if the program is the one that is expected.
const BPF_F_REPLACE: u32 = 1 << 2;
/// From linux/if_link.h.
const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;

/// What the kernel tells of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFacts {
    /// The kernel's number of the link.
    pub id: u32,
    /// The number of the program behind it.
    pub program: u32,
    /// The number of its interface, in that interface's own network namespace;
    /// `None` when the interface is gone.
    pub interface: Option<u32>,
}

/// A program on an interface, as long as this or a pin of it is there.
#[derive(Debug)]
pub struct XdpLink(OwnedFd);

impl XdpLink {
    /// Attaches a program to an interface that has none, in the network
    /// namespace of the calling thread.
    pub(super) fn create(
        program: BorrowedFd<'_>,
        interface: u32,
        mode: AttachMode,
    ) -> io::Result<Self> {
        /// The head of the attributes of `BPF_LINK_CREATE`.
        #[repr(C)]
        struct Attributes {
            program: i32,
            interface: u32,
            attach_type: u32,
            flags: u32,
        }
        let mut attributes = Attributes {
            program: program.as_raw_fd(),
            interface,
            attach_type: BPF_XDP,
            flags: match mode {
                AttachMode::Native => XDP_FLAGS_DRV_MODE,
                AttachMode::Generic => XDP_FLAGS_SKB_MODE,
            },
        };
        // SAFETY: the attributes of the command, with no pointer.
        let descriptor = unsafe { bpf(BPF_LINK_CREATE, &mut attributes)? };
        Ok(Self(owned(descriptor)))
    }

    /// The link that is pinned at `path`.
    ///
    /// # Errors
    ///
    /// There is none, or it is no link of an XDP program (`InvalidData`).
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let path = c_path(path)?;
        let mut attributes = PinAttributes {
            path: path.as_ptr() as u64,
            object: 0,
            flags: 0,
        };
        // SAFETY: the attributes of the command; the path ends with NUL and
        // outlives the call.
        let descriptor = unsafe { bpf(BPF_OBJ_GET, &mut attributes)? };
        let link = Self(owned(descriptor));
        link.facts()?;
        Ok(link)
    }

    /// Pins the link at `path`, where nothing is yet.
    pub(super) fn pin(&self, path: &Path) -> io::Result<()> {
        let path = c_path(path)?;
        let mut attributes = PinAttributes {
            path: path.as_ptr() as u64,
            object: self.0.as_raw_fd(),
            flags: 0,
        };
        // SAFETY: as in `open`.
        unsafe { bpf(BPF_OBJ_PIN, &mut attributes)? };
        Ok(())
    }

    /// Puts another program behind the link: from one packet to the next, and
    /// without an end of the interface's service.
    ///
    /// With `expected`, only if that is the program of now.
    ///
    /// # Errors
    ///
    /// What the kernel says; the program is as it was. `ENOLINK` when the
    /// interface is gone or somebody detached the link, `EPERM` when the
    /// program is not the expected one.
    pub(super) fn replace(
        &self,
        program: BorrowedFd<'_>,
        expected: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        /// The head of the attributes of `BPF_LINK_UPDATE`.
        #[repr(C)]
        struct Attributes {
            link: i32,
            program: i32,
            flags: u32,
            expected: i32,
        }
        let mut attributes = Attributes {
            link: self.0.as_raw_fd(),
            program: program.as_raw_fd(),
            flags: expected.map_or(0, |_| BPF_F_REPLACE),
            expected: expected.map_or(0, |program| program.as_raw_fd()),
        };
        // SAFETY: the attributes of the command, with no pointer.
        unsafe { bpf(BPF_LINK_UPDATE, &mut attributes)? };
        Ok(())
    }

    /// Takes the program off the interface, whoever else holds the link.
    pub(super) fn detach(&self) -> io::Result<()> {
        /// The attributes of `BPF_LINK_DETACH`.
        #[repr(C)]
        struct Attributes {
            link: i32,
        }
        let mut attributes = Attributes {
            link: self.0.as_raw_fd(),
        };
        // SAFETY: the attributes of the command, with no pointer.
        unsafe { bpf(BPF_LINK_DETACH, &mut attributes)? };
        Ok(())
    }

    /// What the kernel tells of it.
    ///
    /// # Errors
    ///
    /// It is no link of an XDP program (`InvalidData`).
    pub fn facts(&self) -> io::Result<LinkFacts> {
        /// The head of the attributes of `BPF_OBJ_GET_INFO_BY_FD`.
        #[repr(C)]
        struct Attributes {
            object: i32,
            octets: u32,
            info: u64,
        }
        /// The head of `struct bpf_link_info`, as it is for XDP.
        #[derive(Default)]
        #[repr(C)]
        struct Info {
            kind: u32,
            id: u32,
            program: u32,
            padding: u32,
            interface: u32,
            rest: u32,
        }
        let mut info = Info::default();
        let mut attributes = Attributes {
            object: self.0.as_raw_fd(),
            octets: size_of::<Info>() as u32,
            info: (&raw mut info) as u64,
        };
        // SAFETY: the attributes of the command; the kernel writes no more
        // octets than it is told that there are.
        unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attributes)? };
        if info.kind != BPF_LINK_TYPE_XDP {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(LinkFacts {
            id: info.id,
            program: info.program,
            interface: (info.interface != 0).then_some(info.interface),
        })
    }
}

/// The head of the attributes of `BPF_OBJ_PIN` and `BPF_OBJ_GET`.
#[repr(C)]
struct PinAttributes {
    path: u64,
    object: i32,
    flags: u32,
}

/// The loaded program of that number; asking takes CAP_SYS_ADMIN.
pub(super) fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    /// The head of the attributes of `BPF_PROG_GET_FD_BY_ID`.
    #[repr(C)]
    struct Attributes {
        id: u32,
        next: u32,
        flags: u32,
    }
    let mut attributes = Attributes {
        id,
        next: 0,
        flags: 0,
    };
    // SAFETY: the attributes of the command, with no pointer.
    let descriptor = unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut attributes)? };
    Ok(owned(descriptor))
}

impl AsFd for XdpLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The descriptor that a call has returned.
fn owned(descriptor: libc::c_int) -> OwnedFd {
    // SAFETY: fresh from the kernel, close-on-exec, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
