//! When the connections of a thread were looked at, and what that says about an arrival: whoever comes late may find
//! events of different arrivals in one read.

use super::link::Received;
use crate::{
    measure::{Arrival, TURN},
    time::{MILLISECOND, Nanos, WallClock, now},
};

/// A read this long after the last look at the connection may have gathered events of different arrivals.
const LATE: Nanos = 2 * TURN + 2 * MILLISECOND;

/// When the poller last told of everybody, and the time before: who was not read since then had nothing.
pub(super) struct Rounds([Nanos; 2]);

impl Rounds {
    pub(super) fn new() -> Self {
        Self([now(); 2])
    }

    /// The poller came back at `now`, and told of `everybody` who is ready or only of some.
    pub(super) fn told(&mut self, now: Nanos, everybody: bool) {
        self.0[0] = self.0[1];
        if everybody {
            self.0[1] = now;
        }
    }

    /// Whether a read now comes late.
    pub(super) fn is_late(&self, now: Nanos) -> bool {
        now - self.0[0] > LATE
    }

    /// What a read at `now` tells of the arrival of its events, and how long the newest bytes had been waiting for it, if
    /// the kernel says so.
    pub(super) fn arrival(
        &self,
        received: &Received,
        late: bool,
        now: Nanos,
        wall: &WallClock,
    ) -> (Arrival, Option<Nanos>) {
        let monotonic = |stamp| wall.monotonic(stamp).min(now);
        let stamp = received.last.map(monotonic);
        let at = stamp.unwrap_or(now);
        let since = received.first.map_or(at, monotonic).min(at);
        let empty = if late { self.0[0].min(since) } else { at };
        let arrival = Arrival { at, since, empty };
        (arrival, stamp.map(|stamp| now.saturating_sub(stamp)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poller_that_told_only_of_some_says_nothing_about_the_others() {
        let mut rounds = Rounds([100 * LATE; 2]);
        let begin = 100 * LATE;
        rounds.told(begin + LATE, true);
        assert!(!rounds.is_late(begin + LATE));
        assert!(
            rounds.is_late(begin + LATE + 1),
            "empty at the beginning, and not looked at since"
        );
        rounds.told(begin + LATE + 2, false);
        assert!(!rounds.is_late(begin + 2 * LATE), "empty one look before");
        rounds.told(begin + 2 * LATE, true);
        assert!(
            rounds.is_late(begin + 2 * LATE + 1),
            "the last look was not at everybody"
        );
    }
}
