//! Many senders, one receiver that takes all that waits at once.
//!
//! A mutex around a vector rather than a channel: the receiver swaps the whole batch out, and a
//! sender never waits. What bounds it is said where each inbox is made.

use std::mem;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// The inbox of one task.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    waiting: Mutex<Vec<T>>,
    arrived: Notify,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Notify::new(),
        }
    }
}

impl<T> Inbox<T> {
    /// Adds one item; never waits.
    pub(crate) fn push(&self, item: T) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(item);
        let first = waiting.len() == 1;
        drop(waiting);
        if first {
            self.arrived.notify_one();
        }
    }

    /// Waits until something is there, or was pushed since the last wait. Cancel-safe.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Exchanges all that waits for `batch`, which the caller has emptied.
    pub(crate) fn take(&self, batch: &mut Vec<T>) {
        mem::swap(
            &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner),
            batch,
        );
    }
}
