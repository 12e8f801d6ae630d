//! The control socket: how `dns-glue status`, `reload` and `stop` speak to the
//! daemon.
//!
//! A Unix socket that only its owner may open. A client sends one line of JSON,
//! a [`Request`], and gets one line back, a [`Reply`]. After `stop` the
//! connection stays open until the daemon has gone, so that the client sees
//! its end.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::{
    fs::{FileTypeExt as _, OpenOptionsExt as _},
    net::UnixStream,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::changes::ZoneChanges;
use super::status::Status;

/// Where the socket is when `--control` does not say.
pub const DEFAULT_PATH: &str = "/run/dns-glue/control.sock";

/// Octets of the longest request.
const MAX_REQUEST_OCTETS: u64 = 4096;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Request {
    /// Tell your state.
    Status,
    /// Compile the zones' files again, and answer from them.
    Reload(ReloadOptions),
    /// Attach the program to one more interface.
    AddInterface {
        /// Its name.
        name: String,
    },
    /// Take the program off an interface.
    RemoveInterface {
        /// Its name.
        name: String,
    },
    /// Detach and exit.
    Stop,
}

/// How to reload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadOptions {
    /// Even if a serial goes backwards, or nothing seems to have changed.
    pub force: bool,
    /// Tell the names of the delegations that change.
    pub diff: bool,
    /// Tell what would change, and change nothing.
    pub dry_run: bool,
}

/// What a reload did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reloaded {
    /// The zones of the files answer now.
    Done,
    /// Nothing: the files hold what answers already.
    Unchanged,
    /// Nothing: it was a dry run.
    DryRun,
}

/// What the daemon replies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "lowercase")]
pub enum Reply {
    /// Its state.
    Status(Box<Status>),
    /// It has reloaded, or would.
    Reload {
        /// What it did.
        outcome: Reloaded,
        /// The number of the generation that answers now.
        generation: u64,
        /// What is to be known of the zones, a line each.
        warnings: Vec<String>,
        /// What changes, zone by zone.
        zones: Vec<ZoneChanges>,
    },
    /// The interfaces are others now.
    Interfaces {
        /// The names of all that are served.
        names: Vec<String>,
    },
    /// It will exit.
    Stopping {
        /// The process.
        pid: u32,
    },
    /// It does not.
    Error {
        /// Why.
        message: String,
    },
}

/// A request on its way to the daemon's loop, and where the reply goes.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    reply: oneshot::Sender<Reply>,
    /// Ends when the reply is written.
    written: oneshot::Receiver<()>,
}

impl Call {
    /// Sends the reply. The client may have gone away.
    pub fn answer(self, reply: Reply) {
        let _gone = self.reply.send(reply);
    }

    /// Sends the reply and waits until it is written: for the last one, before
    /// the process ends.
    pub async fn answer_and_wait(self, reply: Reply) {
        let _gone = self.reply.send(reply);
        let _written = tokio::time::timeout(PATIENCE, self.written).await;
    }
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another daemon has it.
    #[error(
        "another dns-glue{} runs with the control socket {}: stop it, or give this one another \
         with --control",
        .pid.as_ref().map_or(String::new(), |pid| format!(" (process {pid})")), .path.display()
    )]
    Taken {
        /// The path.
        path: PathBuf,
        /// The process that has it.
        pid: Option<String>,
    },
    /// The path is something else.
    #[error("--control {}: there is a file of another kind", .0.display())]
    NotASocket(PathBuf),
    /// The system says no.
    #[error("--control {}: cannot {what}: {cause}", .path.display())]
    System {
        /// The path.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        cause: io::Error,
    },
}

/// The daemon's end; its drop removes the socket.
pub struct ControlSocket {
    listener: std::os::unix::net::UnixListener,
    path: PathBuf,
    /// Locked as long as this process lives, however it ends: a socket whose
    /// lock is free is stale. A file of its own, because a socket cannot be
    /// opened to be locked.
    _lock: File,
}

impl ControlSocket {
    /// Makes the socket; a stale one is replaced.
    ///
    /// # Errors
    ///
    /// See [`ControlError`].
    pub fn claim(path: &Path) -> Result<Self, ControlError> {
        let system = |what| {
            move |cause| ControlError::System {
                path: path.to_owned(),
                what,
                cause,
            }
        };
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            fs::create_dir_all(folder).map_err(system("make its folder"))?;
        }
        let lock = lock(path)?;
        match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.file_type().is_socket() => {
                return Err(ControlError::NotASocket(path.to_owned()));
            }
            Ok(_) => fs::remove_file(path).map_err(system("remove the stale socket"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(system("look at it")(error)),
        }
        let listener = bind_private(path).map_err(system("make the socket"))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Accepts clients until the task is aborted; each request goes to
    /// `calls`.
    ///
    /// # Errors
    ///
    /// The socket cannot be polled.
    pub fn serve(
        &self,
        calls: mpsc::Sender<Call>,
    ) -> Result<impl Future<Output = ()> + Send + use<>, io::Error> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        tokio::spawn(serve_client(stream, calls.clone()));
                    }
                    Err(error) => {
                        log::warn!("control socket: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::debug!("{}: {error}", self.path.display());
        }
    }
}

/// Takes the lock of a socket's path, and leaves the process's number in it.
fn lock(path: &Path) -> Result<File, ControlError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let system = |what| {
        move |cause| ControlError::System {
            path: path.to_owned(),
            what,
            cause,
        }
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)
        .map_err(system("open its lock"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let read = (&mut file).take(20).read_to_string(&mut pid);
            let pid = pid.trim().to_owned();
            return Err(ControlError::Taken {
                path: path.to_owned(),
                pid: (read.is_ok() && !pid.is_empty()).then_some(pid),
            });
        }
        Err(TryLockError::Error(cause)) => return Err(system("lock it")(cause)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(system("write its lock"))?;
    Ok(file)
}

/// Binds a socket that is never open to others, not even for a moment.
fn bind_private(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    // SAFETY: umask only exchanges a number. It is the whole process's; what
    // another thread creates meanwhile gets fewer permissions, not more.
    let before = unsafe { libc::umask(0o177) };
    let listener = std::os::unix::net::UnixListener::bind(path);
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    listener
}

async fn serve_client(stream: tokio::net::UnixStream, calls: mpsc::Sender<Call>) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = tokio::io::BufReader::new(reader).take(MAX_REQUEST_OCTETS);
    let mut line = String::new();
    let read = tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await;
    let Ok(Ok(1..)) = read else { return };
    // Dropped when the reply is written, or nobody wants it.
    let (writing, written) = oneshot::channel::<()>();
    let reply = match serde_json::from_str(&line) {
        Ok(request) => ask(request, written, &calls).await,
        Err(error) => Reply::Error {
            message: format!("not a request: {error}"),
        },
    };
    let mut text = serde_json::to_string(&reply).expect("a reply has no map with odd keys");
    text.push('\n');
    if let Err(error) = writer.write_all(text.as_bytes()).await {
        log::debug!("control socket: {error}");
        return;
    }
    drop(writing);
    if matches!(reply, Reply::Stopping { .. }) {
        // Until the process is gone: the client waits for the end.
        std::future::pending::<()>().await;
    }
}

async fn ask(
    request: Request,
    written: oneshot::Receiver<()>,
    calls: &mpsc::Sender<Call>,
) -> Reply {
    let (reply, answer) = oneshot::channel();
    let busy = || Reply::Error {
        message: String::from("the daemon is starting or stopping"),
    };
    let call = Call {
        request,
        reply,
        written,
    };
    if calls.send(call).await.is_err() {
        return busy();
    }
    answer.await.unwrap_or_else(|_| busy())
}

/// Why a client got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no dns-glue runs with the control socket {}: {cause}", .path.display())]
    NotRunning {
        /// The path.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// It is not ours to open.
    #[error(
        "control socket {}: permission denied: it opens to the user of the daemon and to root",
        .0.display()
    )]
    Denied(PathBuf),
    /// The connection broke.
    #[error("the daemon's answer did not come")]
    Broken(#[from] io::Error),
    /// It ended before it answered.
    #[error(
        "the daemon ended before it answered: its log says why, and `dns-glue status` what answers \
         now"
    )]
    Ended,
    /// The answer is of another version.
    #[error("the daemon's answer is not understood (is it of another version?)")]
    Strange(#[from] serde_json::Error),
    /// The daemon says no.
    #[error("the daemon says: {0}")]
    Refused(String),
}

/// A client's connection after its reply came.
pub struct Client {
    reader: BufReader<UnixStream>,
}

impl Client {
    /// Sends a request to the daemon and waits for its reply: for that of a
    /// reload as long as it takes, or until the daemon is gone.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; [`Reply::Error`] becomes `Refused`.
    pub fn call(path: &Path, request: Request) -> Result<(Reply, Self), ClientError> {
        let mut stream = UnixStream::connect(path).map_err(|cause| {
            let path = path.to_owned();
            match cause.kind() {
                io::ErrorKind::PermissionDenied => ClientError::Denied(path),
                _ => ClientError::NotRunning { path, cause },
            }
        })?;
        let patience = match request {
            Request::Reload(_) => None,
            Request::Status
            | Request::Stop
            | Request::AddInterface { .. }
            | Request::RemoveInterface { .. } => Some(PATIENCE),
        };
        stream.set_read_timeout(patience)?;
        let mut line = serde_json::to_string(&request)?;
        line.push('\n');
        stream.write_all(line.as_bytes())?;
        let mut client = Self {
            reader: BufReader::new(stream),
        };
        let mut answer = String::new();
        if client.reader.read_line(&mut answer)? == 0 {
            return Err(ClientError::Ended);
        }
        match serde_json::from_str(&answer)? {
            Reply::Error { message } => Err(ClientError::Refused(message)),
            reply => Ok((reply, client)),
        }
    }

    /// Waits until the daemon has closed the connection: after
    /// [`Reply::Stopping`], until its process is gone.
    ///
    /// # Errors
    ///
    /// It did not within ten seconds.
    pub fn wait_for_end(mut self) -> io::Result<()> {
        let mut rest = [0; 64];
        while self.reader.read(&mut rest)? != 0 {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// A folder of its own for each test.
    fn folder(name: &str) -> PathBuf {
        let folder = format!("dns-glue-control-{name}-{}", std::process::id());
        std::env::temp_dir().join(folder)
    }

    #[test]
    fn requests_and_replies_are_lines_of_json() {
        let request = serde_json::to_string(&Request::Status).expect("JSON");
        assert_eq!(request, r#"{"command":"status"}"#);
        let reply = serde_json::to_string(&Reply::Stopping { pid: 7 }).expect("JSON");
        assert_eq!(reply, r#"{"reply":"stopping","pid":7}"#);
    }

    #[test]
    fn a_second_daemon_is_refused_and_a_stale_socket_replaced() {
        let folder = folder("claim");
        let path = folder.join("deeper").join("control.sock");
        let first = ControlSocket::claim(&path).expect("the first");
        let mode = fs::metadata(&path)
            .expect("the socket")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = ControlSocket::claim(&path).err().expect("the second");
        let pid = std::process::id().to_string();
        assert!(matches!(&error, ControlError::Taken { pid: Some(found), .. } if *found == pid));
        assert!(error.to_string().contains("--control"), "{error}");

        drop(first);
        assert!(!path.exists(), "removed with its owner");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a stale socket"));
        assert!(path.exists());
        drop(ControlSocket::claim(&path).expect("in place of the stale one"));
        fs::remove_dir_all(&folder).expect("the folder");
    }

    #[test]
    fn other_files_are_not_replaced() {
        let folder = folder("file");
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("precious");
        fs::write(&path, "text").expect("a file");
        let error = ControlSocket::claim(&path).err().expect("refused");
        assert!(matches!(error, ControlError::NotASocket(_)), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("still there"), "text");
        fs::remove_dir_all(&folder).expect("the folder");
    }

    #[tokio::test]
    async fn a_request_reaches_the_daemon_and_nonsense_does_not() {
        let folder = folder("serve");
        let path = folder.join("control.sock");
        let socket = ControlSocket::claim(&path).expect("a socket");
        let (calls, mut queue) = mpsc::channel(1);
        let server = tokio::spawn(socket.serve(calls).expect("served"));
        let daemon = tokio::spawn(async move {
            let call: Call = queue.recv().await.expect("a call");
            let request = call.request.clone();
            call.answer_and_wait(Reply::Stopping { pid: 42 }).await;
            request
        });

        let nonsense_path = path.clone();
        let nonsense = tokio::task::spawn_blocking(move || {
            let mut stream = UnixStream::connect(nonsense_path).expect("connected");
            stream.write_all(b"reboot\n").expect("written");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            answer
        });
        let nonsense = nonsense.await.expect("a client");
        assert!(nonsense.starts_with(r#"{"reply":"error""#), "{nonsense}");

        let client_path = path.clone();
        let client = tokio::task::spawn_blocking(move || {
            let (reply, _client) = Client::call(&client_path, Request::Stop).expect("an answer");
            reply
        });
        assert_eq!(client.await.expect("a client"), Reply::Stopping { pid: 42 });
        assert_eq!(daemon.await.expect("the daemon"), Request::Stop);
        server.abort();
        drop(socket);
        fs::remove_dir_all(&folder).expect("the folder");
    }
}
