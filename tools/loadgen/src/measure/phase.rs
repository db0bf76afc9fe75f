//! What a [`Recorder`](super::Recorder) gathers in the present phase.

use super::{Counts, Histogram, PhaseRecord, cpu::Usage, ties::Tie};
use crate::time::Nanos;

/// What of the expected events matters in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    /// loadgen emits nothing: whatever comes is somebody else's.
    Nothing,
    /// Which arrive, but not when: clients that had stopped reading catch up.
    Numbers,
    Latencies,
}

/// The present phase.
pub(super) struct Phase {
    pub(super) record: PhaseRecord,
    pub(super) counting: Counting,
    pub(super) start: Nanos,
    /// The second that `window` gathers, counted from the start.
    pub(super) second: u64,
    pub(super) window: Histogram,
    /// The counts when the second began.
    pub(super) before: Counts,
    pub(super) server: Histogram,
    pub(super) delay: Histogram,
    pub(super) doubt: Histogram,
    /// Deliveries by the clients' final state.
    pub(super) accounted: u64,
    pub(super) usage: Usage,
}

impl Phase {
    pub(super) fn new(counting: Counting, start: Nanos) -> Self {
        Self {
            record: PhaseRecord::default(),
            counting,
            start,
            second: 0,
            window: Histogram::default(),
            before: Counts::default(),
            server: Histogram::default(),
            delay: Histogram::default(),
            doubt: Histogram::default(),
            accounted: 0,
            usage: Usage::now(),
        }
    }

    #[inline]
    pub(super) fn tied(&mut self, tie: Tie) {
        self.window
            .record(tie.arrived.saturating_sub(tie.emit.planned));
        self.server
            .record(tie.arrived.saturating_sub(tie.emit.sent));
        let doubt = tie.doubt();
        if doubt > 0 {
            self.doubt.record(doubt);
            let since_sent = |at: Nanos| at.saturating_sub(tie.emit.sent);
            let (earliest, latest) = tie.bounds;
            self.record.bracket.record(
                since_sent(tie.arrived),
                since_sent(earliest),
                since_sent(latest),
            );
        }
    }
}
