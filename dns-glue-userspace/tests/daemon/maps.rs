//! The maps of a running daemon: somebody removes the pins of those that all
//! generations share, and the daemon goes on with what it has; somebody writes to
//! those of a generation, and may not.

use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::thread;

use aya::maps::{Array, Map, MapData, MapError, MapInfo, PerCpuArray, PerCpuValues};
use aya::programs::loaded_programs;
use dns_glue_common::frame::Scratch;
use dns_glue_common::host::HostTable;
use dns_glue_common::index::Bucket;
use dns_glue_common::kept::KeptBody;
use dns_glue_common::maps::Reading;
use dns_glue_common::referral::Slab;

use super::daemon_support::{Daemon, Host, SERVER, is_root, wait_for};
use super::load::{marked_zone, under_load, version};
use super::pins::{kill, pinned, start};

/// Those that the program uses.
const SHARED: [&str; 3] = ["COUNTERS", "HOST", "HOST_SELECTOR"];

fn layout(host: &Host) -> PathBuf {
    host.pins().join("layout-1")
}

/// The kernel's numbers of the maps that are pinned.
fn numbers(layout: &Path) -> [u32; 3] {
    SHARED.map(|name| {
        let info = MapInfo::from_pin(layout.join(name));
        info.unwrap_or_else(|error| panic!("{name}: {error}")).id()
    })
}

/// What the program knows of the host: both tables, and which one it reads.
pub fn host_tables(host: &Host) -> (Vec<u8>, u32) {
    fn array<V: aya::Pod>(path: &Path) -> Array<MapData, V> {
        let data = MapData::from_pin(path).expect("a map is pinned");
        Array::try_from(Map::Array(data)).expect("an array")
    }
    let read = || {
        let tables: Array<_, [u8; size_of::<HostTable>()]> = array(&layout(host).join("HOST"));
        let selector: Array<_, u32> = array(&layout(host).join("HOST_SELECTOR"));
        let octets = (0..2).flat_map(|place| tables.get(&place, 0).expect("a table").to_vec());
        (octets.collect(), selector.get(&0, 0).expect("a number"))
    };
    // A table is larger than the stack of a test.
    thread::scope(|scope| {
        let reader = thread::Builder::new().stack_size(16 * size_of::<HostTable>());
        let reader = reader.spawn_scoped(scope, read).expect("a thread");
        reader.join().expect("it reads")
    })
}

fn reload(host: &Host, daemon: &Daemon, mark: u8) {
    host.file("test.zone", &marked_zone(mark));
    let output = daemon.command("reload");
    assert!(output.status.success(), "{output:?}; {}", daemon.log());
    assert_eq!(host.on_client(version), Ok(mark));
}

#[test]
fn a_reload_uses_the_maps_that_answer_whatever_was_done_to_their_pins() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let mut daemon = start(&host, 1, "");
    let layout = layout(&host);
    let before = numbers(&layout);
    let ((), served) = under_load(&host, || {
        for (mark, name) in (2..).zip(SHARED) {
            fs::remove_file(layout.join(name)).expect("removed");
            reload(&host, &daemon, mark);
            assert_eq!(numbers(&layout), before, "{name}");
            let warning = format!("map {name}: its pin was removed; pinned again");
            assert!(daemon.log().contains(&warning), "{}", daemon.log());
        }
        // Another map under the name of one.
        let (one, other) = (layout.join("HOST_SELECTOR"), layout.join("HOST"));
        fs::rename(&one, &other).expect("renamed");
        reload(&host, &daemon, 5);
        assert_eq!(numbers(&layout), before);
        assert!(
            daemon.log().contains("map HOST: another map was pinned"),
            "{}",
            daemon.log()
        );
        // Everything.
        fs::remove_dir_all(host.pins()).expect("removed");
        reload(&host, &daemon, 6);
        assert_eq!(numbers(&layout), before);
    });
    assert_eq!(daemon.counter("referral"), served.replies + 5);
    // The next daemon finds them, and nobody else may have the folder.
    let error = host.refusal(&format!(
        "--iface lo --control {}",
        host.path("other.sock").display()
    ));
    assert!(
        error.contains("another dns-glue uses this folder"),
        "{error}"
    );
    // Links are pinned again when it ends, at the latest.
    daemon.signal(libc::SIGUSR2);
    assert!(daemon.wait().success(), "{}", daemon.log());
    assert_eq!(host.on_client(version), Ok(6));
    let daemon = start(&host, 7, "");
    assert!(daemon.log().contains("taken over"), "{}", daemon.log());
    assert_eq!(host.on_client(version), Ok(7));
    assert_eq!(numbers(&layout), before);
    assert_eq!(daemon.counter("referral"), served.replies + 7);
}

#[test]
fn pins_that_were_removed_are_made_again_before_long() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    // It says that it is there three times in that time.
    let mut daemon = start(&host, 1, "--max-unattended 3s");
    let layout = layout(&host);
    let (before, names) = (numbers(&layout), pinned(&layout));
    assert_eq!(names.len(), 5, "{names:?}");
    fs::remove_dir_all(host.pins()).expect("removed");
    wait_for("everything is pinned again", || {
        layout.exists() && pinned(&layout) == names
    });
    assert_eq!(numbers(&layout), before);
    kill(&mut daemon);
    assert!(host.program_on(SERVER).is_some());
    assert_eq!(host.on_client(version), Ok(1));
}

/// The map of that name that the program on the server's end uses.
fn map_of_program(host: &Host, name: &str) -> MapData {
    let program = host.program_on(SERVER);
    let programs = loaded_programs().map(|one| one.expect("a program"));
    let mut answering = programs.filter(|one| Some(u64::from(one.id())) == program);
    let maps = answering.next().expect("one answers").map_ids();
    let ids = maps
        .expect("they are told")
        .expect("this kernel tells them");
    let mut infos = ids.iter().map(|id| MapInfo::from_id(*id).expect("a map"));
    let id = infos.find(|map| map.name_as_str() == Some(name));
    MapData::from_id(id.expect("it uses one").id()).expect("a map")
}

/// Tries to write zeros to the first entry of an array, by a system call.
fn write<const OCTETS: usize>(map: MapData) -> Result<(), MapError> {
    let mut array: Array<_, [u8; OCTETS]> = Array::try_from(Map::Array(map))?;
    array.set(0, [0; OCTETS], 0)
}

fn write_per_cpu<const OCTETS: usize>(map: MapData) -> Result<(), MapError> {
    let mut array: PerCpuArray<_, [u8; OCTETS]> = PerCpuArray::try_from(Map::PerCpuArray(map))?;
    let cpus = aya::util::nr_cpus().expect("processors");
    array.set(0, PerCpuValues::try_from(vec![[0; OCTETS]; cpus])?, 0)
}

/// Tries to have an array in memory, to write there.
fn map_to_write(map: &MapData) -> std::io::Result<()> {
    let descriptor = map.fd().as_fd().as_raw_fd();
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            access,
            libc::MAP_SHARED,
            descriptor,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the mapping of just now.
    unsafe { libc::munmap(start, 4096) };
    Ok(())
}

#[test]
fn nobody_writes_to_the_maps_of_a_generation() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let _wire = host.like_a_wire();
    let daemon = start(&host, 1, "");
    let is_forbidden = |written: Result<(), MapError>| match written {
        Err(MapError::SyscallError(error)) => error.io_error.raw_os_error() == Some(libc::EPERM),
        _ => false,
    };
    for mark in 2..=3 {
        for name in ["INDEX", "PIECES"] {
            let error = map_to_write(&map_of_program(&host, name)).expect_err("it is frozen");
            assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{name}");
        }
        let map = |name| map_of_program(&host, name);
        let written = [
            ("INDEX", write::<{ size_of::<Bucket>() }>(map("INDEX"))),
            ("PIECES", write::<{ size_of::<Slab>() }>(map("PIECES"))),
            (
                "KEPT",
                write_per_cpu::<{ size_of::<KeptBody>() }>(map("KEPT")),
            ),
            (
                "SCRATCH",
                write_per_cpu::<{ size_of::<Scratch>() }>(map("SCRATCH")),
            ),
            (
                "CLOCK",
                write_per_cpu::<{ size_of::<Reading>() }>(map("CLOCK")),
            ),
        ];
        for (name, written) in written {
            assert!(is_forbidden(written), "{name}");
        }
        // The next one reads them, to take the example over.
        reload(&host, &daemon, mark);
        let log = daemon.log();
        assert!(
            !log.contains("compiled anew") && log.contains(", unchanged"),
            "{log}"
        );
    }
    assert_eq!(daemon.counter("inconsistent"), 0);
}
