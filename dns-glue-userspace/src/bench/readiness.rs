//! What must be there before a run begins, so that nothing is found out at its
//! end: root, programs, a folder that can be written to, and no other run.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::choices::Choices;
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
/// cannot be started here, the queries cannot be read, or the folder for the
/// results cannot be written to.
pub fn ensure_ready(choices: &Choices) -> Result<File> {
    ensure!(
        is_root(),
        "it makes network namespaces and loads programs into the kernel: only root may"
    );
    for contender in &choices.contenders {
        ensure_installed(*contender)?;
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
    use super::*;

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
