//! Signals to a token. The only place where signals are touched.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// The exit code of a process that a second signal ended.
const FORCED: i32 = 130;

/// Cancels `stop` at the first SIGTERM or SIGINT; the second ends the process at once.
pub(crate) fn on_signal(stop: CancellationToken) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if stop.is_cancelled() {
                info!(signal = name, "stopping at once");
                #[expect(clippy::exit, reason = "a second signal asks for exactly this")]
                std::process::exit(FORCED);
            }
            info!(signal = name, "stopping; again to stop at once");
            stop.cancel();
        }
    })
}
