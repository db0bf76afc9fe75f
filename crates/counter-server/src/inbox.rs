//! Many senders, one receiver that takes all that waits at once.
//!
//! A mutex around a vector rather than a channel: the receiver swaps the whole batch out, and a
//! sender never waits. What bounds it is said where each inbox is made.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The inbox of one task.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    waiting: Mutex<Waiting<T>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting<T> {
    items: Vec<T>,
    announced: bool,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                items: Vec::new(),
                announced: false,
            }),
            arrived: Notify::new(),
        }
    }
}

impl<T> Inbox<T> {
    /// Adds one item; never waits.
    pub(crate) fn push(&self, item: T) {
        self.leave(item);
        self.wake();
    }

    /// Adds one item, and wakes nobody.
    pub(crate) fn leave(&self, item: T) {
        self.waiting().items.push(item);
    }

    /// Wakes the receiver, unless it is about to take everything anyway.
    pub(crate) fn wake(&self) {
        if !mem::replace(&mut self.waiting().announced, true) {
            self.arrived.notify_one();
        }
    }

    /// Waits until something is there, or was pushed since the last wait. Cancel-safe.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Exchanges all that waits for `batch`, which the caller has emptied.
    pub(crate) fn take(&self, batch: &mut Vec<T>) {
        let mut waiting = self.waiting();
        waiting.announced = false;
        mem::swap(&mut waiting.items, batch);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
