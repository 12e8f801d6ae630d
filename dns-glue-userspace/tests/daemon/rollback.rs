//! Takeovers that fail when the program was already replaced: it is put back.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use aya::maps::MapData;

use super::daemon_support::{Host, SERVER, is_root};
use super::load::{under_load, version};
use super::maps::host_tables;
use super::pins::{arguments_of, kill, start};

/// Commands of bpf(2), from linux/bpf.h.
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_MAP_FREEZE: libc::c_int = 22;
const BPF_LINK_CREATE: libc::c_int = 28;

/// One call of bpf(2), which must not fail.
///
/// # Safety
///
/// The attributes are a head of those of the command, and their pointers are
/// valid for what it reads.
#[track_caller]
unsafe fn bpf<T>(command: libc::c_int, mut attributes: T) -> libc::c_int {
    let octets = size_of::<T>();
    // SAFETY: the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut attributes, octets) };
    let error = io::Error::last_os_error();
    assert!(result >= 0, "bpf(2), command {command}: {error}");
    libc::c_int::try_from(result).expect("a descriptor or 0")
}

/// The descriptor that a call has returned.
fn owned(descriptor: libc::c_int) -> OwnedFd {
    // SAFETY: fresh from the kernel, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

/// Lets nobody write to a pinned map any more.
fn freeze(path: &Path) {
    let map = MapData::from_pin(path).expect("a map");
    // SAFETY: no pointer.
    unsafe { bpf(BPF_MAP_FREEZE, map.fd().as_fd().as_raw_fd()) };
}

/// An XDP program that passes everything. It is loaded without saying that it is
/// for an interface, as programs could be before there were links: so its link
/// never takes one that says so.
fn passing_program() -> OwnedFd {
    /// The head of the attributes of `BPF_PROG_LOAD`.
    #[repr(C)]
    struct Attributes {
        kind: u32,
        instructions: u32,
        code: u64,
        license: u64,
    }
    const BPF_PROG_TYPE_XDP: u32 = 6;
    // r0 = XDP_PASS; exit.
    let code: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 2, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
    let attributes = Attributes {
        kind: BPF_PROG_TYPE_XDP,
        instructions: 2,
        code: code.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
    };
    // SAFETY: two instructions, and a text that ends with NUL.
    owned(unsafe { bpf(BPF_PROG_LOAD, attributes) })
}

/// Attaches a program to the interface of that number, and pins the link.
fn attach_pinned(program: &OwnedFd, interface: u32, pin: &Path) {
    /// The head of the attributes of `BPF_LINK_CREATE`.
    #[repr(C)]
    struct Attributes {
        program: i32,
        interface: u32,
        attach_type: u32,
        flags: u32,
    }
    /// The head of the attributes of `BPF_OBJ_PIN`.
    #[repr(C)]
    struct PinAttributes {
        path: u64,
        link: i32,
        flags: u32,
    }
    const BPF_XDP: u32 = 37;
    const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
    let attributes = Attributes {
        program: program.as_raw_fd(),
        interface,
        attach_type: BPF_XDP,
        flags: XDP_FLAGS_SKB_MODE,
    };
    // SAFETY: no pointer.
    let link = owned(unsafe { bpf(BPF_LINK_CREATE, attributes) });
    let path = CString::new(pin.as_os_str().as_bytes()).expect("no NUL");
    let attributes = PinAttributes {
        path: path.as_ptr() as u64,
        link: link.as_raw_fd(),
        flags: 0,
    };
    // SAFETY: the path outlives the call.
    unsafe { bpf(BPF_OBJ_PIN, attributes) };
}

/// The last that can fail is to let the program see the next table.
#[test]
fn a_table_that_cannot_be_shown_gives_every_link_its_program_back() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "lo");
    kill(&mut daemon);
    let programs = || [SERVER, "lo"].map(|name| host.program_on(name));
    let (before, in_sight) = (programs(), host_tables(&host).1);
    assert!(before.iter().all(Option::is_some), "{before:?}");
    freeze(&host.pins().join("layout-1/HOST_SELECTOR"));
    let ((), _) = under_load(&host, || {
        let error = host.refusal(&arguments_of(&host, 2, "lo"));
        assert!(error.contains("bpf_map_update_elem"), "{error}");
        assert!(!error.contains("does not get its program back"), "{error}");
    });
    assert_eq!(programs(), before);
    assert_eq!(host_tables(&host).1, in_sight);
    assert_eq!(host.on_client(version), Ok(1));
    // Without the map that can only be read a daemon has one of its own.
    let output = daemon.command("stop");
    assert!(output.status.success(), "{output:?}");
    let daemon = start(&host, 3, "lo");
    assert_eq!(host.on_client(version), Ok(3));
    drop(daemon);
}

#[test]
fn a_link_that_refuses_gives_those_before_it_their_programs_back() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "");
    kill(&mut daemon);
    let pin = host.pins().join("layout-1/link-1");
    host.enter(|| attach_pinned(&passing_program(), 1, &pin));
    let programs = || [SERVER, "lo"].map(|name| host.program_on(name));
    let (before, in_sight) = (programs(), host_tables(&host).1);
    assert!(before.iter().all(Option::is_some), "{before:?}");
    let ((), _) = under_load(&host, || {
        let error = host.refusal(&arguments_of(&host, 2, "lo"));
        assert!(
            error.contains("cannot replace the program on lo"),
            "{error}"
        );
        assert!(!error.contains("does not get its program back"), "{error}");
    });
    assert_eq!(programs(), before);
    assert_eq!(host_tables(&host).1, in_sight);
    assert_eq!(host.on_client(version), Ok(1));
    assert!(pin.exists());
    // One that does not serve lo takes it off there.
    let daemon = start(&host, 3, "");
    assert_eq!(host.program_on("lo"), None);
    assert_eq!(host.on_client(version), Ok(3));
    drop(daemon);
}
