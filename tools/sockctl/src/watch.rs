//! `sockctl watch`.

use anyhow::Result;
use socketio_client::{Error, Options};

use crate::{backoff::Backoff, counter::Counter, output::Output, reconnect::reconnect};

/// Prints every count, up to `lines` of them. The first connection must succeed, since a wrong URL should be told at
/// once; one that is lost later is made again.
pub(crate) async fn watch(options: &Options, lines: Option<u64>, output: &Output) -> Result<()> {
    let mut counter = Counter::connect(options).await?;
    let mut backoff = Backoff::default();
    let (mut printed, mut newest) = (0, None);
    loop {
        match counter.count().await {
            // After a reconnection the server begins with its current count, which may be the one printed last.
            Ok(count) if Some(count) == newest => backoff.reset(),
            Ok(count) => {
                backoff.reset();
                output.print(count)?;
                (printed, newest) = (printed + 1, Some(count));
                if Some(printed) == lines {
                    counter.leave().await;
                    return Ok(());
                }
            }
            Err(lost) if lost.is::<Error>() => {
                counter = reconnect(options, lost, &mut backoff, None).await?;
            }
            Err(other) => return Err(other),
        }
    }
}
