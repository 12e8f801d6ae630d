//! The first process of the machines of `cargo xtask kernels`: loads the
//! program, says what the kernel's verifier made of it, and switches the
//! machine off.
//!
//! It is linked statically, and nothing else is in the machine: no shell, no
//! modules, no network but `lo`. Its lines on the console begin with
//! `kernel-probe: `, which is what xtask looks for.

use std::{env, ffi::CStr, fs, io, process};

use anyhow::{Context as _, Result, bail};
use aya::{
    EbpfLoader,
    programs::{Xdp, XdpMode},
};

/// The object that the build script made.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/dns-glue-ebpf"));

const PROGRAM: &str = "dns_glue";

/// The file systems that aya reads, and where: types and targets of mount(2).
const FILE_SYSTEMS: [(&CStr, &CStr); 3] = [
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
    if OBJECT.is_empty() {
        bail!("built with AYA_BUILD_SKIP: there is no program inside");
    }

    let mut ebpf = EbpfLoader::new().load(OBJECT).context("load the maps")?;
    let program: &mut Xdp = ebpf
        .program_mut(PROGRAM)
        .with_context(|| format!("no program {PROGRAM} in the object"))?
        .try_into()
        .with_context(|| format!("{PROGRAM} is no XDP program"))?;
    let loaded = program.load();
    println!("kernel-probe: loaded {}", yes_or_no(loaded.is_ok()));
    loaded.context("load the program")?;
    let info = program.info().context("ask for the program's numbers")?;
    if let Some(count) = info.verified_instruction_count() {
        println!("kernel-probe: instructions {count}");
    }
    if load_only {
        return Ok(());
    }
    // The loopback interface has no native mode.
    let attached = program.attach("lo", XdpMode::Skb);
    println!("kernel-probe: attached {}", yes_or_no(attached.is_ok()));
    attached.context("attach the program")?;
    Ok(())
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
