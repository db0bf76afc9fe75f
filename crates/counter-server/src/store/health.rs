//! Whether the store works: for `/ready`, the metrics and one log line per outage.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tracing::{error, info};

use super::Error;
use crate::metrics::Metrics;

/// Whether the last commit succeeded. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    outage: Arc<Mutex<Option<Outage>>>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    /// The newest error with its causes.
    reason: String,
}

impl Health {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        metrics.store_up.set(1);
        Self {
            outage: Arc::default(),
            metrics,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.outage().is_none()
    }

    /// Why the store does not work, if so.
    pub(crate) fn problem(&self) -> Option<String> {
        self.outage().as_ref().map(|outage| outage.reason.clone())
    }

    pub(crate) fn succeeded(&self) {
        if let Some(outage) = self.outage().take() {
            self.metrics.store_up.set(1);
            info!(after = ?outage.since.elapsed(), "the store works again");
        }
    }

    pub(crate) fn failed(&self, error: &Arc<Error>) {
        self.metrics.store_failed(error.is_for_want_of_room());
        let reason = format!("{:#}", anyhow::Error::new(error.clone()));
        let mut outage = self.outage();
        if let Some(outage) = &mut *outage {
            outage.reason = reason;
            return;
        }
        self.metrics.store_up.set(0);
        error!(%reason, "the store failed; increments are refused until it works again");
        *outage = Some(Outage {
            since: Instant::now(),
            reason,
        });
    }

    fn outage(&self) -> MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
