//! `cargo xtask kernels`: the program before the verifiers of other kernels,
//! in qemu without KVM.

mod boot;
mod image;
mod initramfs;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{
    command::{run as run_command, say},
    packages, setup, workspace,
};

/// Which kernels.
#[derive(clap::Args)]
pub struct Arguments {
    /// Load the program but do not attach it
    #[arg(long)]
    load_only: bool,
    /// Debian's kernels by the start of their version, such as 6.1 or 6.12
    #[arg(required = true, value_name = "VERSION")]
    versions: Vec<String>,
}

/// Boots each kernel with our own init, which loads the program, and prints a
/// table of what the verifiers said.
///
/// # Errors
/// When a kernel cannot be had or refuses the program.
pub fn run(arguments: &Arguments) -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!("the kernels are x86-64 ones, and the probe is built for this machine");
    }
    setup::run()?;
    packages::ensure(&packages::FOR_KERNELS)?;
    let probe = build_probe()?;
    let probe = fs::read(&probe).with_context(|| format!("read {}", probe.display()))?;
    let initramfs = workspace::below_target("kernels").join("initramfs.cpio");
    fs::create_dir_all(workspace::below_target("kernels")).context("make target/kernels")?;
    fs::write(&initramfs, initramfs::archive(&probe)).context("write the initramfs")?;

    let mut rows = Vec::new();
    for version in &arguments.versions {
        let image = image::obtain(version)?;
        say(&format!("booting {}", image.display()));
        rows.push(boot::verdict(&image, &initramfs, arguments.load_only)?);
    }
    print!("{}", table(&rows));
    if rows.iter().all(boot::Verdict::is_good) {
        Ok(())
    } else {
        bail!("a kernel refused the program");
    }
}

/// Builds the init of the machine: a static binary, since nothing else is in
/// it.
fn build_probe() -> Result<PathBuf> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let mut build = workspace::cargo();
    build.args([
        "build",
        "--package",
        "dns-glue-userspace",
        "--bin",
        "kernel-probe",
    ]);
    build.args(["--target", TARGET, "--target-dir", "target"]);
    // Of the probe only: with a target given, build scripts do not see it.
    build.env(
        "RUSTFLAGS",
        "-Ctarget-feature=+crt-static -Cdebuginfo=0 -Cstrip=symbols",
    );
    run_command(&mut build).context("build the probe")?;
    Ok(workspace::below_target(TARGET)
        .join("debug")
        .join("kernel-probe"))
}

fn table(rows: &[boot::Verdict]) -> String {
    let mut table = format!(
        "{:<32} {:<7} {:<9} {}\n",
        "kernel", "loaded", "answered", "instructions"
    );
    for row in rows {
        let instructions = row
            .instructions
            .map_or("?".to_owned(), |count| count.to_string());
        let answered = match row.answered {
            Some(answered) => yes_or_no(answered),
            None => "-",
        };
        table += &format!(
            "{:<32} {:<7} {answered:<9} {instructions}\n",
            row.release,
            yes_or_no(row.loaded)
        );
    }
    table
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}
