//! The order of increments: one task takes all that waits, commits it as one batch, raises the newest
//! committed count, and answers.
//!
//! What arrives during a commit is the next batch: the dearer a commit, the more increments share it.
//! Knows nothing of sockets: who waits for an answer hands in a closure.

mod retention;
#[cfg(test)]
mod tests;

use std::future;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::error;

use self::retention::Retention;
use crate::failpoint;
use crate::metrics::Metrics;
use crate::newest::Newest;
use crate::store::{self, Batch, Committed, Health, Key, Store};

/// Increments per commit, so that one commit cannot take long however many wait.
const MAX_BATCH: usize = 10_000;

/// After a failure that took longer than this, what has come meanwhile fails too: it has waited as
/// long, and would perhaps wait as long again.
const LONG_FAILURE: Duration = Duration::from_millis(250);

/// Called once with the count of this increment, or with why it was not counted.
pub(crate) type Reply = Box<dyn FnOnce(Result<u64, Arc<store::Error>>) + Send>;

/// One `increment` that waits for its count.
pub(crate) struct Increment {
    /// Counted once, however often it comes.
    pub(crate) key: Option<Key>,
    /// Whoever waits for the answer.
    pub(crate) reply: Option<Reply>,
}

/// Where increments enter. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Counter {
    waiting: Arc<Waiting>,
    newest: Newest,
}

#[derive(Default)]
struct Waiting {
    increments: Mutex<Vec<Increment>>,
    arrived: Notify,
}

impl Waiting {
    fn increments(&self) -> MutexGuard<'_, Vec<Increment>> {
        self.increments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// At most a batch; what is left is announced again.
    fn take(&self) -> Vec<Increment> {
        let mut increments = self.increments();
        if increments.len() <= MAX_BATCH {
            return mem::take(&mut *increments);
        }
        self.arrived.notify_one();
        let left = increments.split_off(MAX_BATCH);
        mem::replace(&mut *increments, left)
    }
}

impl Counter {
    /// Queues one increment; never waits. What bounds the queue is that a connection whose
    /// increments wait for their answers is not read.
    pub(crate) fn increment(&self, increment: Increment) {
        let mut increments = self.waiting.increments();
        increments.push(increment);
        if increments.len() == 1 {
            self.waiting.arrived.notify_one();
        }
    }

    /// The newest committed count, and news of it.
    pub(crate) fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

/// What the counter's task works with.
pub(crate) struct Parts {
    pub(crate) store: Box<dyn Store>,
    pub(crate) newest: Newest,
    /// How long keys are remembered.
    pub(crate) keys_for: Duration,
    pub(crate) health: Health,
    pub(crate) metrics: Arc<Metrics>,
}

/// The handle, and the task to spawn behind it; the task ends with `stop`, after it has committed
/// what was waiting then.
pub(crate) fn counter(
    parts: Parts,
    stop: CancellationToken,
) -> (Counter, impl Future<Output = ()>) {
    let waiting = Arc::new(Waiting::default());
    let counter = Counter {
        waiting: waiting.clone(),
        newest: parts.newest.clone(),
    };
    let mut committer = Committer {
        retention: Retention::new(parts.keys_for),
        parts,
    };
    let task = async move {
        loop {
            let wake = tokio::select! {
                () = waiting.arrived.notified() => Wake::Arrived,
                () = committer.idle() => Wake::Idle,
                () = stop.cancelled() => Wake::Stop,
            };
            let batch = waiting.take();
            match wake {
                Wake::Stop if batch.is_empty() => break,
                // What arrived has been taken already.
                Wake::Arrived if batch.is_empty() => continue,
                _ => {}
            }
            let started = Instant::now();
            if let Err(error) = committer.commit(batch).await
                && started.elapsed() > LONG_FAILURE
            {
                let behind = mem::take(&mut *waiting.increments());
                let error = store::Error::Unavailable(error.into());
                committer.refuse(behind.into_iter().map(|it| it.reply), &Arc::new(error));
            }
        }
        // Closing a file blocks. A panic there has been printed, and nothing is lost by it.
        let _ = tokio::task::spawn_blocking(move || drop(committer)).await;
    };
    (counter, task)
}

/// Why the task goes on.
enum Wake {
    Arrived,
    Idle,
    Stop,
}

struct Committer {
    parts: Parts,
    retention: Retention,
}

impl Committer {
    /// Until the store wants an empty batch.
    fn idle(&self) -> impl Future<Output = ()> + use<> {
        let idle = self.parts.store.idle(self.parts.health.is_up());
        async move {
            match idle {
                Some(idle) => tokio::time::sleep(idle).await,
                None => future::pending().await,
            }
        }
    }

    /// Commits, raises the newest count, and answers.
    async fn commit(&mut self, batch: Vec<Increment>) -> Result<(), Arc<store::Error>> {
        let started = Instant::now();
        let (keys, replies): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|it| (it.key, it.reply)).unzip();
        let at_least = self.parts.newest.count();
        let batch = Batch {
            keys,
            forget_until: self.retention.forget_until(started.into_std()),
            at_least,
        };
        match self.parts.store.commit(batch).await {
            Ok(committed) => {
                self.parts.health.succeeded();
                self.record(&committed, at_least, started);
                failpoint::reach("counter-before-broadcast");
                self.parts.newest.raise(committed.newest);
                failpoint::reach("counter-before-acknowledgement");
                for (reply, count) in replies.into_iter().zip(committed.counts) {
                    if let Some(reply) = reply {
                        reply(Ok(count));
                    }
                }
                Ok(())
            }
            Err(error) => {
                let error = Arc::new(error);
                self.parts.health.failed(&error);
                self.refuse(replies.into_iter(), &error);
                Err(error)
            }
        }
    }

    fn record(&mut self, committed: &Committed, at_least: u64, started: Instant) {
        let now = Instant::now();
        self.retention.note(now.into_std(), committed.newest);
        let metrics = &self.parts.metrics;
        if committed.stored < at_least {
            metrics.store_incidents.inc();
            error!(
                stored = committed.stored,
                shown = at_least,
                "the store had lost counts that clients have seen; it was raised to what they saw"
            );
        }
        let increments = committed.counts.len() as u64;
        if increments > 0 {
            let counted = committed.newest - committed.stored.max(at_least);
            let took = now.duration_since(started);
            metrics.committed(increments, counted, took.as_secs_f64());
        }
    }

    fn refuse(
        &self,
        replies: impl ExactSizeIterator<Item = Option<Reply>>,
        error: &Arc<store::Error>,
    ) {
        self.parts.metrics.not_committed(replies.len());
        for reply in replies.flatten() {
            reply(Err(error.clone()));
        }
    }
}
