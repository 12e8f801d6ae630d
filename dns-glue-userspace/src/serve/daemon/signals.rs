//! The signals that the daemon listens to.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{DaemonError, system};

/// SIGINT, SIGTERM, SIGUSR2 and SIGHUP.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    leave: Signal,
    hangup: Signal,
}

/// What a signal tells the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// To detach and end; the name of the signal.
    End(&'static str),
    /// To end, and to let the program answer on.
    Leave,
    /// To reload the zones, as name servers do at SIGHUP.
    Reload,
}

impl Signals {
    /// From now on they do not kill.
    pub(super) fn new() -> Result<Self, DaemonError> {
        let of_kind = |kind| signal(kind).map_err(system("listen to signals"));
        Ok(Self {
            interrupt: of_kind(SignalKind::interrupt())?,
            terminate: of_kind(SignalKind::terminate())?,
            leave: of_kind(SignalKind::user_defined2())?,
            hangup: of_kind(SignalKind::hangup())?,
        })
    }

    /// The next one. Cancelled and called again, it misses nothing.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::End("SIGINT"),
            _ = self.terminate.recv() => Told::End("SIGTERM"),
            _ = self.leave.recv() => Told::Leave,
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}
