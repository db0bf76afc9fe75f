//! The newest committed count: a maximum that only grows, raised by every commit and, with a shared
//! store, by what other nodes have committed.

use tokio::sync::watch;

/// The newest committed count, and news of it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Newest(watch::Sender<u64>);

impl Newest {
    /// Wakes whoever waits for news, if `count` is news.
    pub(crate) fn raise(&self, count: u64) {
        self.0.send_if_modified(|newest| {
            let is_news = count > *newest;
            *newest = count.max(*newest);
            is_news
        });
    }

    pub(crate) fn count(&self) -> u64 {
        *self.0.borrow()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_count_never_goes_down() {
        let newest = Newest::default();
        let mut news = newest.subscribe();
        newest.raise(5);
        assert!(news.has_changed().is_ok_and(|changed| changed));
        assert_eq!(*news.borrow_and_update(), 5);
        newest.raise(3);
        newest.raise(5);
        assert!(news.has_changed().is_ok_and(|changed| !changed));
        assert_eq!(newest.count(), 5);
    }
}
