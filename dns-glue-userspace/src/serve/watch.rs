//! When the files of the zones change (`run --watch`).
//!
//! The folders are watched, not the files: editors and transfers write another
//! file and rename it, and a link may come to lead elsewhere. What a folder tells
//! is only a reason to look whether a file is another or has changed; now and
//! then it is looked without a reason, for file systems that tell nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::compiled::ZoneChoice;

/// This long nothing may happen in the folders before the files are looked at:
/// whoever writes a file should be done.
const QUIET: Duration = Duration::from_millis(500);
/// However much happens, the files are looked at after this long.
const AT_MOST: Duration = Duration::from_secs(10);
/// How often they are looked at when nothing is told.
const WITHOUT_REASON: Duration = Duration::from_secs(60);

/// By how much times of files are behind the clock, and more.
const TICK: Duration = Duration::from_millis(20);

/// Why the files cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("--watch: cannot watch the folder {}: {cause}", .folder.display())]
pub struct WatchError {
    folder: PathBuf,
    cause: notify::Error,
}

/// What tells a file from what it was.
type Mark = (u64, u64, u64, i64, i64);

/// Watches files.
pub struct Watch {
    watcher: RecommendedWatcher,
    /// Holds one `()` when something has happened since the last was taken.
    events: mpsc::Receiver<()>,
    folders: BTreeSet<PathBuf>,
    /// The files as they were last seen; no mark if they were not there.
    files: BTreeMap<PathBuf, Option<Mark>>,
    /// When something was told that has not led to a look yet.
    told: Option<Instant>,
    next_look: Instant,
    began: SystemTime,
}

impl Watch {
    /// Watches the files that the operator named. [`Self::follow`] adds those
    /// that they include.
    ///
    /// Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// The system watches no more folders, or one is not there.
    pub fn of(zones: &ZoneChoice) -> Result<Self, WatchError> {
        let (sender, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |_event| {
            // Full: there is a reason to look already. Errors are one too.
            let _told = sender.try_send(());
        });
        let watcher = watcher.map_err(|cause| WatchError {
            folder: PathBuf::from("/"),
            cause,
        })?;
        let mut watch = Self {
            watcher,
            events,
            folders: BTreeSet::new(),
            files: BTreeMap::new(),
            told: None,
            next_look: Instant::now() + WITHOUT_REASON,
            began: SystemTime::now(),
        };
        for source in &zones.sources {
            watch.files.insert(source.path.clone(), mark(&source.path));
        }
        for folder in folders(watch.files.keys()) {
            watch.add_folder(folder)?;
        }
        Ok(watch)
    }

    /// When it began to watch.
    pub fn began(&self) -> SystemTime {
        self.began
    }

    /// Watches these files from now on. Those that it had not watched before
    /// were read after `since`: one that has changed since then has changed.
    pub fn follow(&mut self, files: &BTreeSet<PathBuf>, since: SystemTime) {
        self.files.retain(|path, _| files.contains(path));
        for path in files {
            if self.files.contains_key(path) {
                continue;
            }
            let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
            let is_as_read = changed.is_ok_and(|changed| changed + TICK < since);
            let mark = is_as_read.then(|| mark(path)).flatten();
            self.files.insert(path.clone(), mark);
            self.told.get_or_insert_with(Instant::now);
        }
        // Links may lead to other folders now.
        let wanted = folders(self.files.keys());
        for folder in self.folders.difference(&wanted) {
            // It may be gone, and with it the watch.
            let _gone = self.watcher.unwatch(folder);
        }
        self.folders.retain(|folder| wanted.contains(folder));
        for folder in wanted {
            if let Err(error) = self.add_folder(folder) {
                log::warn!("{error}; it is looked at once a minute");
            }
        }
    }

    fn add_folder(&mut self, folder: PathBuf) -> Result<(), WatchError> {
        if self.folders.contains(&folder) {
            return Ok(());
        }
        match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.folders.insert(folder);
                Ok(())
            }
            Err(cause) => Err(WatchError { folder, cause }),
        }
    }

    /// Waits until a file has changed, and has settled. Cancelled and called
    /// again, it misses nothing.
    pub async fn changed(&mut self) {
        loop {
            self.reason().await;
            self.told = None;
            self.next_look = Instant::now() + WITHOUT_REASON;
            if self.look() {
                return;
            }
        }
    }

    /// Waits for a reason to look.
    async fn reason(&mut self) {
        let told = match self.told {
            Some(told) => told,
            None => match timeout_at(self.next_look, self.events.recv()).await {
                Ok(_) => *self.told.insert(Instant::now()),
                Err(_) => return,
            },
        };
        let at_most = told + AT_MOST;
        loop {
            let quiet = at_most.min(Instant::now() + QUIET);
            match timeout_at(quiet, self.events.recv()).await {
                Ok(Some(())) if Instant::now() < at_most => {}
                _ => return,
            }
        }
    }

    /// Whether a file is another than it was when it was last looked at.
    fn look(&mut self) -> bool {
        let mut has_changed = false;
        for (path, seen) in &mut self.files {
            let now = mark(path);
            // One that is gone comes back: renaming may take two steps.
            if now.is_some() && now != *seen {
                *seen = now;
                has_changed = true;
            }
        }
        has_changed
    }
}

/// The folders of files, and those of the files that they lead to.
fn folders<'a>(files: impl Iterator<Item = &'a PathBuf>) -> BTreeSet<PathBuf> {
    let folder = |path: &Path| match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    files
        .flat_map(|path| {
            let real = path.canonicalize().ok();
            [Some(folder(path)), real.map(|real| folder(&real))]
        })
        .flatten()
        .collect()
}

fn mark(path: &Path) -> Option<Mark> {
    let facts = fs::metadata(path).ok()?;
    Some((
        facts.dev(),
        facts.ino(),
        facts.size(),
        facts.mtime(),
        facts.mtime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tokio::time::timeout;

    /// A folder with a zone in it, and a watch of that.
    fn site(name: &str) -> (PathBuf, Watch) {
        let folder = format!("dns-glue-watch-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("test.zone");
        fs::write(&path, "old").expect("a file");
        let source = format!("test={}", path.display());
        let watch = Watch::of(&ZoneChoice {
            sources: vec![source.parse().expect("a source")],
            also_served: Vec::new(),
            strict: false,
        });
        (folder, watch.expect("a watch"))
    }

    /// Whether a change is told before long.
    async fn tells(watch: &mut Watch) -> bool {
        // Impatiently, as the daemon's loop is.
        for _ in 0..200 {
            if timeout(QUIET / 5, watch.changed()).await.is_ok() {
                return true;
            }
        }
        false
    }

    #[tokio::test]
    async fn files_that_are_written_renamed_or_included_are_told() {
        let (folder, mut watch) = site("told");
        let zone = folder.join("test.zone");
        fs::write(&zone, "newer").expect("written");
        assert!(tells(&mut watch).await, "written");

        fs::write(folder.join("other"), "newest").expect("written");
        fs::rename(folder.join("other"), &zone).expect("renamed");
        assert!(tells(&mut watch).await, "renamed");

        let deeper = folder.join("deeper");
        fs::create_dir_all(&deeper).expect("a folder");
        let included = deeper.join("included.zone");
        fs::write(&included, "a").expect("written");
        let later = SystemTime::now() + Duration::from_secs(1);
        let both = BTreeSet::from([zone.clone(), included.clone()]);
        watch.follow(&both, later);
        fs::write(&included, "bb").expect("written");
        assert!(tells(&mut watch).await, "included");
        // Of a file that was written after the reading began nobody knows what
        // was read.
        let late = deeper.join("late.zone");
        fs::write(&late, "c").expect("written");
        watch.follow(&BTreeSet::from([zone, late]), SystemTime::UNIX_EPOCH);
        assert!(tells(&mut watch).await, "late");
        fs::remove_dir_all(&folder).expect("the folder");
    }

    #[tokio::test]
    async fn links_are_followed_and_other_files_are_nothing() {
        let (folder, mut watch) = site("links");
        let zone = folder.join("test.zone");
        let elsewhere = folder.join("elsewhere");
        fs::create_dir_all(&elsewhere).expect("a folder");
        let real = elsewhere.join("real.zone");
        fs::write(&real, "real").expect("written");
        fs::remove_file(&zone).expect("removed");
        symlink(&real, &zone).expect("a link");
        assert!(tells(&mut watch).await, "it leads elsewhere");
        watch.follow(&BTreeSet::from([zone]), SystemTime::now());
        fs::write(&real, "really").expect("written");
        assert!(tells(&mut watch).await, "what it leads to has changed");

        fs::write(folder.join("other.zone"), "other").expect("written");
        let nothing = timeout(3 * QUIET, watch.changed()).await;
        assert!(nothing.is_err(), "of another file");
        fs::remove_dir_all(&folder).expect("the folder");
    }
}
