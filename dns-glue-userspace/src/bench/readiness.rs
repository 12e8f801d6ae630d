//! What must be there before a run begins, so that nothing is found out at its
//! end: root, programs, a folder that can be written to, and no other run.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::choices::{Choices, Part};
use super::contender::Contender;
use super::leftovers;
use super::workload::query_file;
use super::zone_work::server::Program;
use crate::testbed::needs::is_root;

/// Locked by a run as long as it lasts. The file itself stays.
const LOCK: &str = "/run/dns-glue-bench.lock";

/// Makes sure that a run can begin, and that no other does before what is
/// returned is dropped; takes away what runs left that were killed.
///
/// # Errors
///
/// This is not root, another run is under way, a contender that was named
/// cannot be started here, a program of this project is not where it should be,
/// the queries cannot be read, or the folder for the results cannot be written
/// to.
pub fn ensure_ready(choices: &Choices) -> Result<File> {
    ensure!(
        is_root(),
        "it makes network namespaces and loads programs into the kernel: only root may"
    );
    for contender in &choices.contenders {
        ensure_installed(*contender)?;
    }
    for program in started(choices) {
        ensure_program(&choices.binaries, program)?;
    }
    if let Some(path) = &choices.queries {
        query_file::read(path, None)?;
    }
    ensure_writable(&choices.out)?;
    let lock = lock(Path::new(LOCK))?;
    leftovers::remove();
    Ok(lock)
}

fn ensure_installed(contender: Contender) -> Result<()> {
    if let Some(server) = contender.server() {
        ensure!(
            Program::Server(server).is_installed(),
            "--contender {contender}: {server} is not installed"
        );
    }
    Ok(())
}

/// The programs of this project that the chosen parts start.
fn started(choices: &Choices) -> &'static [&'static str] {
    let is_dns_glue =
        |one: &Contender| matches!(one, Contender::DnsGlue | Contender::DnsGlueBefore(_));
    let contenders = &choices.contenders;
    let has_dns_glue = contenders.is_empty() || contenders.iter().any(is_dns_glue);
    match (choices.wants(Part::Zone), choices.wants(Part::Load)) {
        (true, _) => &["dns-glue", "dns-glue-lab"],
        (false, true) if has_dns_glue => &["dns-glue"],
        (false, _) => &[],
    }
}

/// It must be a file that may be executed.
fn ensure_program(binaries: &Path, program: &str) -> Result<()> {
    let path = binaries.join(program);
    let facts = fs::metadata(&path).with_context(|| format!("--binaries: {}", path.display()))?;
    ensure!(
        facts.is_file() && facts.mode() & 0o111 != 0,
        "--binaries: {} is no program",
        path.display()
    );
    Ok(())
}

/// Makes the folder, and a file in it, which is removed.
fn ensure_writable(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let path = folder.join(".written");
    File::create(&path)
        .and_then(|_| fs::remove_file(&path))
        .with_context(|| format!("write to {}", folder.display()))
}

fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another run measures on this machine: both would be wrong")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("lock {}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::bench::choices::tests::choices;

    fn path(name: &str) -> std::path::PathBuf {
        let name = format!("dns-glue-ready-{name}-{}", std::process::id());
        std::env::temp_dir().join(name)
    }

    #[test]
    fn one_run_at_a_time() {
        let path = path("lock");
        let first = lock(&path).unwrap();
        let error = lock(&path).unwrap_err().to_string();
        assert!(error.starts_with("another run"), "{error}");
        drop(first);
        assert!(lock(&path).is_ok());
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn programs_are_needed_by_those_that_start_them() {
        let with = |only, contender: Option<&str>| {
            let mut choices = choices(Path::new("/nowhere"));
            choices.only = only;
            choices.contenders = contender
                .map(|one| one.parse().unwrap())
                .into_iter()
                .collect();
            started(&choices)
        };
        let (ours, both) = (["dns-glue"], ["dns-glue", "dns-glue-lab"]);
        assert_eq!(with(None, None), both);
        assert_eq!(with(None, Some("nsd")), both);
        assert_eq!(with(Some(Part::Zone), Some("nsd")), both);
        assert_eq!(with(Some(Part::Load), None), ours);
        assert_eq!(with(Some(Part::Load), Some("dns-glue")), ours);
        assert_eq!(with(Some(Part::Load), Some("dns-glue+knot")), ours);
        assert!(with(Some(Part::Load), Some("nsd")).is_empty());
        assert!(with(Some(Part::Cases), None).is_empty());
    }

    #[test]
    fn a_program_can_be_executed() {
        let folder = path("programs");
        fs::create_dir(&folder).unwrap();
        let ensured = || ensure_program(&folder, "dns-glue").map_err(|error| error.to_string());
        let told = format!("--binaries: {}/dns-glue", folder.display());
        assert_eq!(ensured(), Err(told.clone()));
        let file = folder.join("dns-glue");
        fs::write(&file, "").unwrap();
        assert_eq!(ensured(), Err(format!("{told} is no program")));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(ensured(), Ok(()));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_is_no_folder_for_results() {
        let path = path("file");
        fs::write(&path, "").unwrap();
        let error = ensure_writable(&path).unwrap_err().to_string();
        assert!(error.contains("dns-glue-ready-file"), "{error}");
        fs::remove_file(&path).unwrap();
        ensure_writable(&path).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        fs::remove_dir(&path).unwrap();
    }
}
