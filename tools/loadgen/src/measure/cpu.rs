//! How busy a lane is: the CPU time of its thread, and how long it waited for a core (proc(5), `schedstat`).

use super::record::LaneUse;
use crate::time::Nanos;

/// CPU time of the calling thread, and its time in the run queue (`/proc/thread-self/schedstat`).
pub(super) struct Usage {
    at: Nanos,
    running: Nanos,
    waiting: Nanos,
}

impl Usage {
    pub(super) fn now() -> Self {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let mut words = text
            .split_whitespace()
            .map(|word| word.parse().unwrap_or(0));
        let (running, waiting) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
        Self {
            at: crate::time::now(),
            running,
            waiting,
        }
    }

    pub(super) fn since(&self, lane: &str, now: Nanos) -> LaneUse {
        let end = Self::now();
        let wall = now.saturating_sub(self.at).max(1) as f64;
        LaneUse {
            name: lane.to_owned(),
            cpu: (end.running - self.running) as f64 / wall,
            waiting: (end.waiting - self.waiting) as f64 / wall,
        }
    }
}
