//! What the program writes to its log, brought to ours.

use std::io;

use aya_log::EbpfLogger;
use log::Log;
use tokio::io::{Interest, unix::AsyncFd};

use super::Loaded;

/// Writes the program's records to the log of this process until the task is
/// aborted.
///
/// # Errors
///
/// The program writes no log (as when its levels were compiled out), or its
/// ring buffer cannot be polled. Both leave it working.
pub fn follow(loaded: &mut Loaded) -> io::Result<impl Future<Output = ()> + Send + use<>> {
    let logger = EbpfLogger::init(&mut loaded.ebpf).map_err(io::Error::other)?;
    // SAFETY: the logger owns its ring buffer, and with it the descriptor that
    // it returns, always the same, until it is dropped.
    let logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE)? };
    Ok(forward(logger))
}

async fn forward(mut logger: AsyncFd<EbpfLogger<&'static dyn Log>>) {
    loop {
        match logger.readable_mut().await {
            Ok(mut guard) => {
                guard.get_inner_mut().flush();
                guard.clear_ready();
            }
            Err(error) => {
                log::warn!("the program's log ends here: {error}");
                return;
            }
        }
    }
}
