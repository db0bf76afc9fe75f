//! When something arrived, as far as the read that brought it tells.
//!
//! The kernel stamps a read with the arrival of its newest bytes. As long as we read promptly that is everybody's
//! arrival. A late read may hold events that arrived one after the other. After a very late one the first byte is read by
//! itself, so that the arrivals of the first and of the last event are known, and those between them are taken to have
//! arrived as they were sent. If there is only one stamp, either the server sent all of it together, or the kernel joined
//! what arrived apart: whatever this server does when we are prompt is the likely one. In any case it is known between
//! which moments an event arrived, and the verdict is about that.

use crate::time::Nanos;

/// When something arrived, as far as the read that brought it tells; monotonic, in the kernel if it stamps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// The newest bytes of the read.
    pub(crate) at: Nanos,
    /// The oldest bytes of the read; the same as `at` where they were not read by themselves.
    pub(crate) since: Nanos,
    /// When the connection was known to be empty; the same as `at` if that was a moment ago.
    pub(crate) empty: Nanos,
}

impl Arrival {
    /// Whether the reader was prompt: `at` is the arrival of everything in the read.
    pub(crate) fn is_prompt(self) -> bool {
        self.empty >= self.at
    }
}

/// How the events of one read arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// All of them with the newest bytes, for sure.
    Together,
    /// Apart, from the oldest bytes to the newest, in proportion to their sending.
    Between { first: u64, last: u64 },
    /// Apart, each as long after its sending as the last one, but not before the connection was empty.
    AsFastAs { last: u64 },
    /// Together, as this server usually sends, or joined by the kernel.
    Unclear { last: u64 },
}

impl Spread {
    /// For events of these numbers in one late read of a server that `joins` events or does not.
    pub(crate) fn of(first: u64, last: u64, arrival: Arrival, joins: bool) -> Self {
        if arrival.since < arrival.at {
            Self::Between { first, last }
        } else if first == last {
            Self::Together
        } else if joins {
            Self::Unclear { last }
        } else {
            Self::AsFastAs { last }
        }
    }
}

/// Whether the server sends several events together, as seen in prompt reads.
#[derive(Default)]
pub(super) struct Habit {
    reads: u64,
    joined: u64,
}

impl Habit {
    pub(super) fn saw(&mut self, events: u64) {
        self.reads += u64::from(events > 0);
        self.joined += u64::from(events > 1);
    }

    /// As long as nothing is known it does: then arrivals are rather too late than too early.
    pub(super) fn joins(&self) -> bool {
        self.reads == 0 || self.joined * 10 > self.reads
    }
}
