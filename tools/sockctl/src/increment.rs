//! `sockctl increment`: each increment has a key, so that it can be sent again, and still counts once, when the
//! connection is lost before the server has answered.

use std::time::Duration;

use anyhow::{Context as _, Result};
use socketio_client::{Error, Options};
use tokio::time::Instant;

use crate::{
    backoff::Backoff, cli::Increment, counter::Counter, output::Output, reconnect::reconnect,
};

/// Increments as often as asked, one after the other, and prints each count.
pub(crate) async fn increment(
    options: &Options,
    command: &Increment,
    output: &Output,
) -> Result<()> {
    let counter = Counter::connect(options).await?;
    if command.no_ack {
        return unacknowledged(counter, command.times, output).await;
    }
    let mut increments = Increments {
        options,
        counter,
        retry_for: command.retry_for,
        acknowledges: false,
    };
    for done in 0..command.times {
        let count = match (&command.key, command.retry_for) {
            (Some(key), _) => increments.increment(Some(key)).await,
            // Whoever wants nothing sent twice needs no key, and his server may not know what to do with one.
            (None, Duration::ZERO) => increments.increment(None).await,
            (None, _) => {
                let key = own_key();
                let count = increments.increment(Some(&key)).await;
                count.map_err(|error| Unanswered { key, error }.into())
            }
        };
        output.print(progress(count, done, command.times)?)?;
    }
    increments.counter.leave().await;
    Ok(())
}

async fn unacknowledged(mut counter: Counter, times: u64, output: &Output) -> Result<()> {
    let mut last = counter.first_count().await?;
    for done in 0..times {
        last = progress(counter.increment_above(last).await, done, times)?;
        output.print(last)?;
    }
    // The counts seen may have been somebody else's.
    counter.close().await
}

/// Says how far it came, if it came anywhere.
fn progress(count: Result<u64>, done: u64, times: u64) -> Result<u64> {
    if done == 0 {
        return count;
    }
    count.with_context(|| format!("failed after {done} of {times} increments"))
}

/// One increment's name. 128 random bits: no two of anybody's are the same.
fn own_key() -> String {
    format!("sockctl-{:032x}", fastrand::u128(..))
}

/// An increment whose count is not known, and the key that can bring it.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}; --key {key} asks again, if the server knows keys")]
struct Unanswered {
    key: String,
    error: anyhow::Error,
}

/// Increments over one connection after another.
struct Increments<'a> {
    options: &'a Options,
    counter: Counter,
    retry_for: Duration,
    /// Whether this server has acknowledged before.
    acknowledges: bool,
}

impl Increments<'_> {
    /// Increments, with a key as often as it has to be sent: the count that the server acknowledges.
    async fn increment(&mut self, key: Option<&str>) -> Result<u64> {
        let mut backoff = Backoff::default();
        let mut deadline = None;
        loop {
            let lost = match self.counter.increment(key).await {
                Err(error) if error.is::<Error>() => error,
                answered => {
                    self.acknowledges |= answered.is_ok();
                    return answered;
                }
            };
            let unknown = "the increment may or may not have been counted";
            if key.is_none() {
                return Err(lost.context(unknown));
            }
            if !self.acknowledges && self.counter.counts_without_answering() {
                return Err(lost.context(
                    "the server counted and did not answer, so nothing was sent again (if it never acknowledges, use \
                     --no-ack)",
                ));
            }
            let until = *deadline.get_or_insert_with(|| Instant::now() + self.retry_for);
            self.counter = reconnect(self.options, lost, &mut backoff, Some(until))
                .await
                .context(unknown)?;
        }
    }
}
