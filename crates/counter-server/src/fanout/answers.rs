//! Increments that were read and whose answers have not left, over all connections: what a server
//! that stops still owes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Answers {
    owed: AtomicUsize,
    settling: AtomicBool,
    settled: Notify,
}

impl Answers {
    /// One more increment was read.
    pub(crate) fn begin(&self) {
        self.owed.fetch_add(1, Ordering::SeqCst);
    }

    /// So many were answered, or their connection is gone.
    pub(crate) fn end(&self, answered: u32) {
        let before = self.owed.fetch_sub(answered as usize, Ordering::SeqCst);
        if before == answered as usize && self.is_settling() {
            self.settled.notify_one();
        }
    }

    /// Whether connections are read no more.
    pub(crate) fn is_settling(&self) -> bool {
        self.settling.load(Ordering::SeqCst)
    }

    pub(crate) async fn settle(&self) {
        self.settling.store(true, Ordering::SeqCst);
        while self.owed.load(Ordering::SeqCst) > 0 {
            self.settled.notified().await;
        }
    }
}
