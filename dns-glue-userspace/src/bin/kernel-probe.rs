//! The first process of the machines of `cargo xtask kernels`: loads the
//! program, says what the kernel's verifier made of it, and switches the
//! machine off.
//!
//! It is linked statically, and nothing else is in the machine: no shell, no
//! modules, no network but `lo`. Its lines on the console begin with
//! `kernel-probe: `, which is what xtask looks for.

use std::path::Path;
use std::{env, ffi::CStr, fs, io, process};

use anyhow::{Context as _, Result};
use dns_glue::compile;
use dns_glue::host::{self, SERVER};
use dns_glue::kernel::{self, LoadOptions, Loaded};
use dns_glue::zone::cuts::find_cuts;
use dns_glue::zone::master_file;
use dns_glue_common::maps::Interface;
use dns_glue_common::policy::Policy;
use domain::base::iana::Rtype;
use domain::base::{MessageBuilder, Name};

/// A zone with everything in it, its apex, and one of its delegations.
static ZONE: &[u8] = include_bytes!("../../testdata/example-signed.zone");
const APEX: &str = "signed.example";
const DELEGATION: &str = "in-domain.signed.example";

const POLICY: Policy = Policy::DEFAULT;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Of `enum xdp_action`.
const XDP_TX: u32 = 3;

/// The file systems that aya reads, and where: types and targets of mount(2).
const FILE_SYSTEMS: [(&CStr, &CStr); 4] = [
    // For random numbers, which a static binary reads from a device.
    (c"devtmpfs", c"/dev"),
    (c"proc", c"/proc"),
    (c"sysfs", c"/sys"),
    (c"bpf", c"/sys/fs/bpf"),
];

fn main() {
    // On a developer's machine it would switch that off.
    if process::id() != 1 {
        eprintln!("kernel-probe is the init of a machine of `cargo xtask kernels`");
        process::exit(2);
    }
    let load_only = env::args().any(|argument| argument == "load-only");
    if let Err(error) = probe(load_only) {
        println!("{error:#}");
    }
    println!("kernel-probe: end");
    switch_off();
}

fn probe(load_only: bool) -> Result<()> {
    mount_file_systems()?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").context("read the release")?;
    println!("kernel-probe: release {}", release.trim_end());

    // The loader freezes the globals, so the verifier knows their values: only
    // with those of a real zone does it see the whole program.
    let apex: Name<Vec<u8>> = APEX.parse().context("the apex of the zone")?;
    let zones = [master_file::read_text(&apex, Path::new("example"), ZONE)?];
    let generation = compile::compile(&zones, &find_cuts(&zones, &[]), &())?.generation;
    let options = LoadOptions {
        policy: POLICY,
        log_level: log::LevelFilter::Info,
        verifier_log: None,
    };
    let loaded = kernel::load::load(&generation, &options);
    println!("kernel-probe: loaded {}", yes_or_no(loaded.is_ok()));
    let (loaded, mut host_maps, _) = loaded?;
    if let Some(count) = loaded.program.verified_instructions {
        println!("kernel-probe: instructions {count}");
    }
    if load_only {
        return Ok(());
    }
    let interface = Interface {
        mac: MAC,
        mtu: 1500,
    };
    host_maps.set_loopback(interface, [SERVER.into()])?;
    let answered = answers(&loaded);
    println!(
        "kernel-probe: answered {}",
        yes_or_no(matches!(answered, Ok(true)))
    );
    answered.map(|_| ())
}

/// Whether a query for the name of a delegation is sent back longer.
fn answers(loaded: &Loaded) -> Result<bool> {
    let mut question = MessageBuilder::new_vec().question();
    let name: Name<Vec<u8>> = DELEGATION.parse().context("the delegation of the zone")?;
    question.push((name, Rtype::A))?;
    let frame = host::frame_ipv6(MAC, POLICY.port, &question.finish());
    let run = loaded.test_run(&frame)?;
    Ok(run.action == XDP_TX && run.octets.len() > frame.len())
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

fn mount_file_systems() -> Result<()> {
    for (kind, target) in FILE_SYSTEMS {
        // SAFETY: the strings end in a zero and live through the call, and
        // these file systems take no data.
        let result = unsafe {
            libc::mount(
                kind.as_ptr(),
                target.as_ptr(),
                kind.as_ptr(),
                0,
                std::ptr::null(),
            )
        };
        if result != 0 {
            let target = target.to_string_lossy();
            return Err(io::Error::last_os_error()).with_context(|| format!("mount {target}"));
        }
    }
    Ok(())
}

/// Ends the machine, which has no file systems to lose.
fn switch_off() -> ! {
    for how in [libc::RB_POWER_OFF, libc::RB_AUTOBOOT] {
        // SAFETY: reboot(2) takes a number; it returns only when it fails.
        unsafe { libc::reboot(how) };
    }
    // The end of the first process stops the kernel, which ends the machine
    // too.
    process::exit(1)
}
