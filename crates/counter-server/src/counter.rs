//! The order of increments: one task takes all that waits, commits it as one batch, answers, and
//! raises the newest committed count.
//!
//! Knows nothing of sockets: who waits for an answer hands in a closure.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::store::{self, Key, Memory};

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
    newest: watch::Receiver<u64>,
}

#[derive(Default)]
struct Waiting {
    increments: Mutex<Vec<Increment>>,
    arrived: Notify,
}

impl Waiting {
    fn take(&self, batch: &mut Vec<Increment>) {
        mem::swap(
            &mut *self
                .increments
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
            batch,
        );
    }
}

impl Counter {
    /// Queues one increment; never waits. What bounds the queue is that a connection whose
    /// increments wait for their answers is not read.
    pub(crate) fn increment(&self, increment: Increment) {
        let mut increments = self
            .waiting
            .increments
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        increments.push(increment);
        if increments.len() == 1 {
            self.waiting.arrived.notify_one();
        }
    }

    /// The newest committed count, and news of it.
    pub(crate) fn newest(&self) -> watch::Receiver<u64> {
        self.newest.clone()
    }
}

/// The handle, and the task to spawn behind it; the task ends with `stop`, after it has committed
/// what was waiting then.
pub(crate) fn counter(
    mut store: Memory,
    stop: CancellationToken,
) -> (Counter, impl Future<Output = ()>) {
    let waiting = Arc::new(Waiting::default());
    let (raise, newest) = watch::channel(store.count());
    let counter = Counter {
        waiting: waiting.clone(),
        newest,
    };
    let task = async move {
        let mut batch = Vec::new();
        loop {
            let stopping = tokio::select! {
                () = waiting.arrived.notified() => false,
                () = stop.cancelled() => true,
            };
            waiting.take(&mut batch);
            commit(&mut store, &mut batch, &raise);
            if stopping {
                return;
            }
        }
    };
    (counter, task)
}

fn commit(store: &mut Memory, batch: &mut Vec<Increment>, newest: &watch::Sender<u64>) {
    if batch.is_empty() {
        return;
    }
    let committed = store.commit(batch.iter().map(|increment| increment.key.as_ref()));
    newest.send_if_modified(|count| {
        let raised = committed.newest > *count;
        *count = committed.newest.max(*count);
        raised
    });
    for (increment, count) in batch.drain(..).zip(committed.counts) {
        if let Some(reply) = increment.reply {
            reply(Ok(count));
        }
    }
}
