//! `cargo xtask fuzz`: the fuzz targets, for as long as is asked.

mod corpus;
mod stats;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    command::{self, output, say},
    packages, setup, workspace,
};

/// The version of cargo-fuzz, which builds the targets for libFuzzer.
const VERSION: &str = "0.13.2";
const NAME: &str = "cargo-fuzz";
/// The crate of the targets, below the root of the workspace.
const CRATE: &str = "dns-glue-userspace/fuzz";

/// A fuzz target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Target {
    /// Any octets as a frame, on the host
    Packet,
    /// Any text as a zone
    Zone,
    /// Any octets as a frame, in the kernel and on the host; needs root
    Kernel,
    /// Any octets as a request to the built-in server
    Fallback,
}

impl Target {
    const ALL: [Self; 4] = [Self::Packet, Self::Zone, Self::Kernel, Self::Fallback];

    const fn name(self) -> &'static str {
        match self {
            Self::Packet => "packet",
            Self::Zone => "zone",
            Self::Kernel => "kernel",
            Self::Fallback => "fallback",
        }
    }

    /// Octets of the longest input.
    const fn longest(self) -> usize {
        match self {
            Self::Zone => 1500,
            _ => 700,
        }
    }
}

/// What to fuzz, and for how long.
#[derive(clap::Args)]
pub struct Arguments {
    /// The target; all, one after the other, if none is given
    target: Option<Target>,
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// End a target after so many executions, if that is earlier
    #[arg(long)]
    executions: Option<u64>,
    /// Processes that work on a target at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    jobs: u64,
    /// Replace the corpora that are kept by the least that covers as much as
    /// what was found (400 inputs at most)
    #[arg(long)]
    keep: bool,
}

/// Builds the targets and runs them on what is kept of earlier runs.
///
/// # Errors
/// When a target cannot be built, or has found something.
pub fn run(arguments: &Arguments) -> Result<()> {
    setup::run()?;
    ensure_cargo_fuzz()?;
    let targets = match arguments.target {
        Some(target) => vec![target],
        None => Target::ALL.to_vec(),
    };
    let mut table = Vec::new();
    for target in targets {
        if target == Target::Kernel && !packages::is_root()? {
            say("kernel: left out, it needs root");
            continue;
        }
        let run = Run::build(target)?;
        let stats = run.fuzz(arguments)?;
        if arguments.keep {
            run.keep()?;
        }
        table.push((target, stats));
    }
    println!("target    executions  a second  corpus  findings");
    for (target, stats) in &table {
        println!("{:8} {stats}", target.name());
    }
    let findings: usize = table.iter().map(|(_, stats)| stats.findings).sum();
    if findings != 0 {
        let folder = workspace::below_target("fuzz").join("findings");
        bail!("{findings} findings: see {}", folder.display());
    }
    Ok(())
}

/// A target that is built.
struct Run {
    target: Target,
    binary: PathBuf,
    /// What is new is written here.
    corpus: PathBuf,
    /// Inputs that break a law are written here.
    findings: PathBuf,
}

impl Run {
    /// Builds a target, and lays out what is kept of its corpus.
    fn build(target: Target) -> Result<Self> {
        let folder = workspace::below_target("fuzz");
        let triple = host_triple()?;
        let mut build = Command::new(cargo_fuzz());
        // Without a sanitizer the pinned, stable toolchain does. There is next
        // to no unsafe code to watch, and it is three times as fast.
        build
            .current_dir(workspace::root())
            .args(["fuzz", "build", "--fuzz-dir", CRATE])
            .args(["--sanitizer", "none", "--no-trace-compares"])
            .args(["--features", "libfuzzer", "--target", &triple])
            .arg("--target-dir")
            .arg(&folder)
            .arg(target.name());
        command::run(&mut build)?;
        let run = Self {
            target,
            binary: folder.join(triple).join("release").join(target.name()),
            corpus: folder.join("corpora").join(target.name()),
            findings: folder.join("findings").join(target.name()),
        };
        for place in [&run.corpus, &run.findings] {
            fs::create_dir_all(place).with_context(|| format!("make {}", place.display()))?;
        }
        corpus::unpack(&run.kept(), &run.corpus)?;
        Ok(run)
    }

    /// The file that keeps the corpus.
    fn kept(&self) -> PathBuf {
        let name = format!("{}.corpus", self.target.name());
        workspace::root().join(CRATE).join("corpora").join(name)
    }

    /// Fuzzes; the processes share the corpus.
    fn fuzz(&self, arguments: &Arguments) -> Result<stats::Stats> {
        let before = files(&self.findings)?;
        let mut processes = Vec::new();
        for job in 0..arguments.jobs {
            let log = self.findings.with_extension(format!("{job}.log"));
            let file = fs::File::create(&log).with_context(|| format!("make {}", log.display()))?;
            let mut fuzz = Command::new(&self.binary);
            fuzz.arg(format!("-max_len={}", self.target.longest()))
                .arg(format!("-max_total_time={}", arguments.seconds))
                .arg(format!("-artifact_prefix={}/", self.findings.display()))
                .arg("-print_final_stats=1");
            if let Some(executions) = arguments.executions {
                fuzz.arg(format!("-runs={}", executions.div_ceil(arguments.jobs)));
            }
            fuzz.arg(&self.corpus)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(file);
            let process = fuzz.spawn().context("start the target")?;
            processes.push((process, log));
        }
        say(&format!(
            "{}: {} for at most {} s, watch {}",
            self.target.name(),
            if arguments.jobs == 1 {
                "fuzzing"
            } else {
                "processes fuzzing"
            },
            arguments.seconds,
            self.findings.with_extension("0.log").display(),
        ));
        let mut stats = stats::Stats::default();
        for (mut process, log) in processes {
            let status = process.wait().context("wait for the target")?;
            let text = fs::read(&log).with_context(|| format!("read {}", log.display()))?;
            // A finding ends the process, and it still tells its totals.
            match stats::Stats::of(&String::from_utf8_lossy(&text)) {
                Some(one) => stats.add(one),
                None => bail!(
                    "{} ended with {status}: see {}",
                    self.target.name(),
                    log.display()
                ),
            }
        }
        stats.corpus = files(&self.corpus)?;
        stats.findings = files(&self.findings)? - before;
        Ok(stats)
    }

    /// Keeps the least of the corpus that covers as much.
    fn keep(&self) -> Result<()> {
        let least = self.corpus.with_extension("least");
        if least.exists() {
            fs::remove_dir_all(&least).with_context(|| format!("remove {}", least.display()))?;
        }
        fs::create_dir_all(&least).with_context(|| format!("make {}", least.display()))?;
        let mut merge = Command::new(&self.binary);
        merge
            .arg("-set_cover_merge=1")
            .arg(&least)
            .arg(&self.corpus)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = merge.status().context("start the target")?;
        if !status.success() {
            bail!(
                "the corpus of {} does not merge: {status}",
                self.target.name()
            );
        }
        let kept = corpus::pack(&least, &self.kept())?;
        say(&format!("kept {kept} inputs in {}", self.kept().display()));
        Ok(())
    }
}

/// How many files a folder holds.
fn files(folder: &Path) -> Result<usize> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    Ok(entries.count())
}

fn cargo_fuzz() -> PathBuf {
    workspace::tools().join("bin").join(NAME)
}

/// Installs cargo-fuzz into `target/tools`, unless it is there.
fn ensure_cargo_fuzz() -> Result<()> {
    let is_there = output(Command::new(cargo_fuzz()).args(["fuzz", "--version"]))
        .is_ok_and(|text| text.trim().ends_with(VERSION));
    if is_there {
        say(&format!("{NAME} {VERSION}: in target/tools"));
        return Ok(());
    }
    say(&format!(
        "{NAME} {VERSION}: building it into target/tools (once)"
    ));
    let mut install = workspace::cargo();
    install
        .args([
            "install",
            NAME,
            "--version",
            VERSION,
            "--locked",
            "--force",
            "--root",
        ])
        .arg(workspace::tools());
    command::run(&mut install).with_context(|| format!("build {NAME} {VERSION}"))
}

/// The target triple that the toolchain builds for.
fn host_triple() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsStr::new("rustc").to_owned());
    let text = output(Command::new(rustc).arg("--version").arg("--verbose"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc tells no host")
}
