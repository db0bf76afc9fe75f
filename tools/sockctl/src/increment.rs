//! `sockctl increment`.

use anyhow::{Context as _, Result};
use socketio_client::Options;

use crate::{cli::Increment, counter::Counter, output::Output};

/// Increments as often as asked, one after the other, and prints each count.
pub(crate) async fn increment(
    options: &Options,
    command: &Increment,
    output: &Output,
) -> Result<()> {
    let mut counter = Counter::connect(options).await?;
    let mut last = if command.no_ack {
        counter.first_count().await?
    } else {
        0
    };
    for done in 0..command.times {
        let count = if command.no_ack {
            counter.increment_above(last).await
        } else {
            counter.increment(command.key.as_deref()).await
        };
        last = match count {
            Err(error) if done > 0 => {
                return Err(error).with_context(|| {
                    format!("failed after {done} of {} increments", command.times)
                });
            }
            count => count?,
        };
        output.print(last)?;
    }
    if command.no_ack {
        // The counts seen may have been somebody else's.
        return counter.close().await;
    }
    counter.leave().await;
    Ok(())
}
