//! What is done, and in which order.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use super::ends::{self, End};
use super::report::Row;
use super::site::Plan;
use super::stage::{Extent, Stage};
use super::{broken, descriptors, host, marked, memory, mount, real, reloads};
use crate::testbed::folder::Folder;
use crate::testbed::needs;

/// Delegations of the marked zone.
const DELEGATIONS: usize = 300;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Reloads between two versions of a zone whose every answer tells its own
    Reload,
    /// kill -9 at any moment
    Kill,
    /// kill -9 in the middle of a reload
    KillInReload,
    /// SIGUSR2, after which the pins answer on
    Leave,
    /// Files that are no zones, or not yet
    Broken,
    /// A zone for which there is no memory
    Memory,
    /// Reloads for which there are no descriptors
    Descriptors,
    /// A service address that comes and goes
    Address,
    /// An interface that goes down and up
    LinkDown,
    /// An interface that changes its MTU
    Mtu,
    /// An interface that is deleted and made again
    Veth,
    /// A server behind that is gone for a while
    Behind,
    /// Reloads between the root zones of two days
    ReloadRoot,
}

/// What to do.
#[derive(Clone, Debug, Args)]
pub struct Choices {
    /// Faults to make, of all that there are
    #[arg(long, value_enum, num_args = 1.., value_name = "NAME")]
    only: Vec<Fault>,
    /// How often to make each of them, in place of what CI does
    #[arg(long, value_name = "NUMBER")]
    rounds: Option<u64>,
    /// Begin no further round of a fault after so many seconds
    #[arg(long, value_name = "NUMBER")]
    seconds: Option<u64>,
    /// Queries in a second, of all clients together
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000)]
    rate: u32,
    /// Where to write the results as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where the real zones are
    #[arg(long, value_name = "FOLDER", default_value = "../shared/data")]
    data: PathBuf,
    /// Where `dns-glue` and `dns-glue-lab` are
    #[arg(long, value_name = "FOLDER", hide = true)]
    binaries: PathBuf,
}

impl Fault {
    /// As it is called on the command line.
    fn name(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Kill => "kill",
            Self::KillInReload => "kill-in-reload",
            Self::Leave => "leave",
            Self::Broken => "broken",
            Self::Memory => "memory",
            Self::Descriptors => "descriptors",
            Self::Address => "address",
            Self::LinkDown => "link-down",
            Self::Mtu => "mtu",
            Self::Veth => "veth",
            Self::Behind => "behind",
            Self::ReloadRoot => "reload-root",
        }
    }

    /// Rounds unless `--rounds` says otherwise: all of them together take less
    /// than a minute.
    fn rounds(self) -> u64 {
        match self {
            Self::Reload => 20,
            Self::ReloadRoot => 8,
            Self::Kill | Self::KillInReload | Self::Leave => 3,
            Self::Address | Self::LinkDown => 2,
            Self::Broken | Self::Memory | Self::Descriptors => 1,
            Self::Mtu | Self::Veth | Self::Behind => 1,
        }
    }

    /// Makes it; `None` where the machine cannot.
    fn make(self, stage: &mut Stage, extent: Extent) -> Result<Option<Row>> {
        let name = self.name();
        match self {
            Self::Reload | Self::ReloadRoot => reloads::run(stage, name, extent),
            Self::Kill => ends::run(stage, name, End::Kill, extent),
            Self::KillInReload => ends::run(stage, name, End::KillInReload, extent),
            Self::Leave => ends::run(stage, name, End::Leave, extent),
            Self::Broken => broken::run(stage, name, extent),
            Self::Memory => return memory::run(stage, name, extent),
            Self::Descriptors => descriptors::run(stage, name, extent),
            Self::Address => host::address(stage, name, extent),
            Self::LinkDown => host::link_down(stage, name, extent),
            Self::Mtu => host::mtu(stage, name, extent),
            Self::Veth => host::veth(stage, name, extent),
            Self::Behind => host::behind(stage, name, extent),
        }
        .map(Some)
    }
}

impl Choices {
    fn extent(&self, fault: Fault) -> Extent {
        Extent {
            rounds: self.rounds.unwrap_or(fault.rounds()),
            time: self.seconds.map(Duration::from_secs),
        }
    }

    fn wants(&self, fault: Fault) -> bool {
        self.only.is_empty() || self.only.contains(&fault)
    }
}

/// What became of the faults.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// Those that were made.
    pub rows: Vec<Row>,
    /// Those that could not be made, and why.
    pub left_out: Vec<String>,
}

/// Makes the faults, and adds what became of each to `results`. To be called
/// before there are other threads.
///
/// # Errors
///
/// Something does not start, or a fault cannot be made.
pub fn run(choices: &Choices, results: &mut Results) -> Result<()> {
    ensure!(needs::is_root(), "namespaces and XDP programs need root");
    let pins = mount::bpf_file_system()?;
    let folder = Folder::new("faults")?;
    let plan = |zone, apex: &str, versions| Plan {
        zone,
        apex: apex.to_owned(),
        versions,
        folder: folder.path().join(zone),
        binaries: choices.binaries.clone(),
        pins: pins.clone(),
    };
    let (root, marked): (Vec<Fault>, Vec<Fault>) = Fault::value_variants()
        .iter()
        .filter(|fault| choices.wants(**fault))
        .partition(|fault| **fault == Fault::ReloadRoot);
    if !marked.is_empty() {
        let plan = plan("marked", marked::APEX, marked_versions(folder.path())?);
        make_all(choices, plan, &marked, results)?;
    }
    if !root.is_empty() {
        match real::versions(&choices.data, folder.path())? {
            Some(versions) => {
                let plan = plan("root", ".", versions);
                make_all(choices, plan, &root, results)?;
            }
            None => {
                let data = choices.data.display();
                results
                    .left_out
                    .push(format!("reload-root: the root zones are not in {data}"));
            }
        }
    }
    if let Some(out) = &choices.out {
        let json = serde_json::to_string_pretty(&results.rows).context("write JSON")? + "\n";
        fs::write(out, json).with_context(|| format!("write {}", out.display()))?;
    }
    Ok(())
}

fn make_all(choices: &Choices, plan: Plan, faults: &[Fault], results: &mut Results) -> Result<()> {
    let mut stage = Stage::start(plan, choices.rate)?;
    for fault in faults {
        let name = fault.name();
        let begin = Instant::now();
        let made = fault.make(&mut stage, choices.extent(*fault));
        match made.with_context(|| name)? {
            Some(row) => results.rows.push(row),
            None => {
                let why = format!("{name}: this machine has no cgroups of memory");
                results.left_out.push(why);
            }
        }
        eprintln!("{name}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Writes the versions of the marked zone.
fn marked_versions(folder: &Path) -> Result<[PathBuf; 3]> {
    let paths = [1, 2, 3].map(|version| folder.join(format!("marked-{version}.zone")));
    for (version, path) in (1..).zip(&paths) {
        let text = marked::zone(version, DELEGATIONS);
        fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(paths)
}
