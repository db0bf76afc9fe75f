//! Connecting again after a connection was lost.

use anyhow::Result;
use socketio_client::Options;
use tokio::time::{Instant, sleep};

use crate::{backoff::Backoff, counter::Counter};

/// Connects again, with a note on stderr for each attempt, as often as it takes or until `deadline`: then the error is
/// why the last attempt failed, which to begin with is why the connection was `lost`.
pub(crate) async fn reconnect(
    options: &Options,
    lost: anyhow::Error,
    backoff: &mut Backoff,
    deadline: Option<Instant>,
) -> Result<Counter> {
    let mut reason = lost;
    loop {
        let mut pause = backoff.pause();
        if let Some(deadline) = deadline {
            pause = pause.min(deadline.saturating_duration_since(Instant::now()));
            if pause.is_zero() {
                return Err(reason);
            }
        }
        eprintln!(
            "note: {reason:#}; connecting again in {:.1} s",
            pause.as_secs_f64()
        );
        sleep(pause).await;
        match Counter::connect(options).await {
            Ok(counter) => {
                eprintln!("note: connected again");
                return Ok(counter);
            }
            Err(error) => reason = error,
        }
    }
}
