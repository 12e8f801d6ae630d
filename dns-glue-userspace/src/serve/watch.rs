//! When the files of the zones change (`run --watch`).
//!
//! The folders are watched, not the files: editors and transfers write another
//! file and rename it, a link may come to lead elsewhere, and a folder may be
//! moved away and made anew. So every folder is watched in which a name on the
//! way to a file is looked up (`way`), the root too; and because the kernel
//! watches what a folder was, not its name, all are watched anew at each look.
//!
//! What a folder tells of one of those names is only a reason to look whether a
//! file is another or has changed; now and then it is looked without a reason,
//! for file systems that tell nothing.

pub mod pipes;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::compiled::ZoneChoice;
use way::names_on_the_way;

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

/// What is heard of the files.
#[derive(Debug, Default)]
struct Heard {
    /// The names of which something is to be heard.
    names: BTreeSet<PathBuf>,
    /// Those of them that were written to and not closed since.
    unfinished: BTreeSet<PathBuf>,
}

/// What tells a file from what it was: device, number, octets, and when it was
/// last changed, in seconds and nanoseconds. Not when it was last written to:
/// that can be set, and one that takes its place may be older.
///
/// What is no regular file has none, as if it were not there: a pipe changes
/// when somebody reads it.
type Mark = (u64, u64, u64, i64, i64);

/// Watches files.
pub struct Watch {
    watcher: RecommendedWatcher,
    /// Holds one `()` when something has happened since the last was taken.
    events: mpsc::Receiver<()>,
    /// What is to be heard, and is.
    heard: Arc<Mutex<Heard>>,
    /// The folders that are watched.
    folders: BTreeSet<PathBuf>,
    /// Folders that cannot be, of which the log knows.
    unwatched: BTreeSet<PathBuf>,
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
    /// The system watches no more folders, or not one with a file in it.
    pub fn of(zones: &ZoneChoice) -> Result<Self, WatchError> {
        let (sender, events) = mpsc::channel(1);
        let heard = Arc::<Mutex<Heard>>::default();
        let told = Arc::clone(&heard);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let mut heard = told.lock().unwrap_or_else(PoisonError::into_inner);
            if event.is_ok_and(|event| !heard.concerns(&event)) {
                return;
            }
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
            heard,
            folders: BTreeSet::new(),
            unwatched: BTreeSet::new(),
            files: BTreeMap::new(),
            told: None,
            next_look: Instant::now() + WITHOUT_REASON,
            began: SystemTime::now(),
        };
        for source in &zones.sources {
            watch.files.insert(source.path.clone(), mark(&source.path));
        }
        let refused = watch.watch_folders();
        let of_a_file = |error: &WatchError| {
            let mut files = watch
                .files
                .keys()
                .filter_map(|file| file.canonicalize().ok());
            files.any(|file| file.parent() == Some(&error.folder))
        };
        match refused.into_iter().find(of_a_file) {
            Some(error) => Err(error),
            None => Ok(watch),
        }
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
            let is_as_read = |mark: &Mark| changed(mark) + TICK < since;
            self.files
                .insert(path.clone(), mark(path).filter(is_as_read));
            self.told.get_or_insert_with(Instant::now);
        }
        // They may be in other folders.
        self.watch_folders();
    }

    /// Takes all files for changed when they are looked at without a reason next:
    /// what has failed may pass by itself.
    pub fn look_again(&mut self) {
        self.files.values_mut().for_each(|seen| *seen = None);
    }

    /// Watches the folders on the ways to the files, as they are now; which of
    /// them cannot be watched, if that is new.
    fn watch_folders(&mut self) -> Vec<WatchError> {
        let files = self.files.keys();
        let names: BTreeSet<PathBuf> = files.flat_map(|file| names_on_the_way(file)).collect();
        let wanted: BTreeSet<PathBuf> = names
            .iter()
            .filter_map(|name| name.parent().map(Path::to_path_buf))
            .collect();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.unfinished.retain(|name| names.contains(name));
        heard.names = names;
        drop(heard);
        // Of one that is gone the watch is, too; of one that was moved it went
        // along; and what is there now may be another of the same name.
        for folder in std::mem::take(&mut self.folders) {
            let _gone = self.watcher.unwatch(&folder);
        }
        let mut refused = Vec::new();
        self.unwatched.retain(|folder| wanted.contains(folder));
        for folder in wanted {
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.unwatched.remove(&folder);
                    self.folders.insert(folder);
                }
                Err(cause) => {
                    if self.unwatched.insert(folder.clone()) {
                        let error = WatchError { folder, cause };
                        log::warn!("{error}; it is looked at once a minute");
                        refused.push(error);
                    }
                }
            }
        }
        refused
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
        loop {
            let at_most = match self.is_unfinished() {
                true => told + WITHOUT_REASON,
                false => told + AT_MOST,
            };
            let quiet = at_most.min(Instant::now() + QUIET);
            let has_happened = timeout_at(quiet, self.events.recv()).await.is_ok();
            if Instant::now() >= at_most || !has_happened && !self.is_unfinished() {
                return;
            }
        }
    }

    /// Whether somebody is in the middle of writing to one of the files.
    fn is_unfinished(&self) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        !heard.unfinished.is_empty()
    }

    /// Whether a file is another than it was when it was last looked at.
    fn look(&mut self) -> bool {
        // First: what changes after the files were looked at is told.
        self.watch_folders();
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

impl Heard {
    /// Takes note of an event; whether it is a reason to look: something has
    /// happened to one of the names, or nobody knows what has happened. Reading
    /// is nothing.
    fn concerns(&mut self, event: &Event) -> bool {
        let is_read = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => true,
            _ => false,
        };
        if is_read {
            return false;
        }
        let ours = event.paths.iter().filter(|path| self.names.contains(*path));
        let mut is_ours = false;
        for path in ours {
            is_ours = true;
            match event.kind {
                EventKind::Modify(ModifyKind::Data(_)) => {
                    self.unfinished.insert(path.clone());
                }
                EventKind::Modify(ModifyKind::Metadata(_)) => {}
                // It is closed, or it is another file now, or none.
                _ => {
                    self.unfinished.remove(path);
                }
            }
        }
        is_ours || event.need_rescan() || event.paths.is_empty()
    }
}

/// When a file was last changed.
fn changed((.., seconds, nanoseconds): &Mark) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(*seconds).unwrap_or(0));
    let nanoseconds = Duration::from_nanos(u64::try_from(*nanoseconds).unwrap_or(0));
    SystemTime::UNIX_EPOCH + seconds + nanoseconds
}

fn mark(path: &Path) -> Option<Mark> {
    let facts = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some((
        facts.dev(),
        facts.ino(),
        facts.size(),
        facts.ctime(),
        facts.ctime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::symlink;
    use std::process::Command;
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

    /// Somebody writes in place, and takes his time.
    #[tokio::test]
    async fn a_file_is_not_looked_at_in_the_middle_of_writing() {
        let (folder, mut watch) = site("unfinished");
        let mut zone = fs::File::create(folder.join("test.zone")).expect("a file");
        zone.write_all(b"half").expect("written");
        let told = timeout(4 * QUIET, watch.changed()).await;
        assert!(told.is_err(), "it is not closed");
        zone.write_all(b" and half").expect("written");
        drop(zone);
        assert!(tells(&mut watch).await, "closed");
        fs::remove_dir_all(&folder).expect("the folder");
    }

    #[tokio::test]
    async fn what_failed_is_tried_again_without_another_change() {
        let (folder, mut watch) = site("again");
        assert!(!watch.look(), "nothing has happened");
        watch.look_again();
        assert!(watch.look());
        assert!(!watch.look(), "once");
        fs::remove_dir_all(&folder).expect("the folder");
    }

    /// Somebody writes to it and somebody reads it, and it is what it was.
    #[tokio::test]
    async fn a_pipe_is_not_there() {
        let (folder, mut watch) = site("pipe");
        let zone = folder.join("test.zone");
        fs::remove_file(&zone).expect("removed");
        let made = Command::new("mkfifo").arg(&zone).status().expect("mkfifo");
        assert!(made.success());
        assert!(!watch.look(), "made");
        // Opened for both, it does not wait for the other side.
        let mut options = fs::OpenOptions::new();
        let mut pipe = options.read(true).write(true).open(&zone).expect("a pipe");
        pipe.write_all(b"text").expect("there is room");
        assert_eq!(pipe.read(&mut [0; 4]).expect("text"), 4);
        assert!(!watch.look(), "written and read");
        watch.follow(&BTreeSet::from([zone.clone()]), SystemTime::UNIX_EPOCH);
        assert!(!watch.look(), "followed");
        fs::write(folder.join("other"), "text").expect("written");
        fs::rename(folder.join("other"), &zone).expect("renamed");
        assert!(watch.look(), "a file in its place");
        fs::remove_dir_all(&folder).expect("the folder");
    }

    /// One that was written earlier takes the place of one that was read.
    #[tokio::test]
    async fn an_older_file_is_another() {
        let (folder, mut watch) = site("older");
        let (zone, other) = (folder.join("test.zone"), folder.join("other"));
        fs::write(&other, "new").expect("written");
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let file = fs::File::open(&other).expect("a file");
        file.set_modified(long_ago).expect("a time");
        let included = folder.join("included");
        fs::rename(&other, &included).expect("renamed");
        // It was read before that.
        let since = SystemTime::now() - Duration::from_secs(1);
        watch.follow(&BTreeSet::from([zone, included]), since);
        assert!(tells(&mut watch).await);
        fs::remove_dir_all(&folder).expect("the folder");
    }

    #[tokio::test]
    async fn a_folder_that_is_made_anew_is_watched_as_the_first() {
        let (folder, mut watch) = site("anew");
        let zones = folder.join("zones");
        let zone = zones.join("test.zone");
        let put = |text: &str| {
            fs::create_dir_all(&zones).expect("a folder");
            fs::write(&zone, text).expect("written");
        };
        put("old");
        let later = SystemTime::now() + Duration::from_secs(1);
        watch.follow(&BTreeSet::from([zone.clone()]), later);
        // The first look is at what was there.
        let _settled = timeout(3 * QUIET, watch.changed()).await;

        fs::remove_dir_all(&zones).expect("removed");
        let nothing = timeout(3 * QUIET, watch.changed()).await;
        assert!(nothing.is_err(), "what is gone may come back");
        put("newer");
        assert!(tells(&mut watch).await, "removed and made anew");
        put("newest");
        assert!(tells(&mut watch).await, "written in the new folder");

        fs::rename(&zones, folder.join("moved")).expect("renamed");
        put("another");
        assert!(tells(&mut watch).await, "renamed and made anew");
        put("and another");
        assert!(tells(&mut watch).await, "written in the newest folder");
        // What was moved away is another's.
        fs::write(folder.join("moved/test.zone"), "moved").expect("written");
        let nothing = timeout(3 * QUIET, watch.changed()).await;
        assert!(nothing.is_err(), "of a file elsewhere");
        fs::remove_dir_all(&folder).expect("the folder");
    }

    #[tokio::test]
    async fn a_link_to_a_folder_is_followed() {
        let (folder, mut watch) = site("current");
        let release = |number: u8| {
            let path = folder.join(format!("releases/{number}"));
            fs::create_dir_all(&path).expect("a folder");
            fs::write(path.join("test.zone"), format!("release {number}")).expect("written");
        };
        // As whoever deploys does it: in one step.
        let lead_to = |number: u8| {
            let new = folder.join("new");
            symlink(format!("releases/{number}"), &new).expect("a link");
            fs::rename(&new, folder.join("current")).expect("renamed");
        };
        release(7);
        lead_to(7);
        let zone = folder.join("current/test.zone");
        let later = SystemTime::now() + Duration::from_secs(1);
        watch.follow(&BTreeSet::from([zone.clone()]), later);
        let _settled = timeout(3 * QUIET, watch.changed()).await;

        release(8);
        lead_to(8);
        assert!(tells(&mut watch).await, "it leads elsewhere");
        fs::write(&zone, "by the link").expect("written");
        assert!(tells(&mut watch).await, "written where it leads");

        // The folder that it leads to is made anew under its name.
        fs::rename(folder.join("releases/8"), folder.join("releases/old")).expect("renamed");
        release(8);
        assert!(tells(&mut watch).await, "made anew");
        fs::write(&zone, "by the link again").expect("written");
        assert!(tells(&mut watch).await, "written in the new one");
        fs::remove_dir_all(&folder).expect("the folder");
    }

    #[test]
    fn what_is_read_and_what_others_do_is_no_reason() {
        use notify::event::{CreateKind, ModifyKind};
        let mut heard = Heard {
            names: BTreeSet::from([PathBuf::from("/srv/test.zone")]),
            ..Heard::default()
        };
        let mut event = |kind, path: &str| heard.concerns(&Event::new(kind).add_path(path.into()));
        let modified = EventKind::Modify(ModifyKind::Any);
        assert!(event(modified, "/srv/test.zone"));
        assert!(!event(modified, "/srv/other.zone"));
        assert!(event(EventKind::Create(CreateKind::Any), "/srv/test.zone"));
        let closed = |mode| EventKind::Access(AccessKind::Close(mode));
        assert!(event(closed(AccessMode::Write), "/srv/test.zone"));
        assert!(!event(closed(AccessMode::Read), "/srv/test.zone"));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert!(!event(opened, "/srv/test.zone"));
        let overflow = Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert!(heard.concerns(&overflow));
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
