//! When the connections of a thread were looked at, and what that says about an arrival: whoever comes late may find
//! events of different arrivals in one read.

use super::link::Received;
use crate::{
    measure::{Arrival, RunDelay},
    time::{MILLISECOND, Nanos, WallClock, now},
};

/// So much does not matter: what was read this long after the connection was empty arrived when its newest byte did.
const LATE: Nanos = MILLISECOND;

/// A read as late as this is worth a second one, for the arrival of its first byte.
const VERY_LATE: Nanos = 10 * MILLISECOND;

/// A wait that was longer than this by itself, and not for want of a core, found nobody ready when it began: to hand over
/// events and to serve interrupts takes less.
const SLEEP: Nanos = 2 * MILLISECOND;

pub(super) struct Rounds {
    /// When the poller last told of everybody, and the time before: who was not read since then had nothing.
    told: [Nanos; 2],
    /// When the last wait began.
    begun: Nanos,
    /// When the last wait was woken at the earliest. Looked up when it matters.
    woken: Option<Nanos>,
    delay: RunDelay,
}

/// When a connection had nothing to be read for sure.
#[derive(Debug, Clone, Copy)]
pub(super) enum Drained {
    /// A read took everything.
    At(Nanos),
    /// The last read left something behind, and it had nothing at that time before.
    Before(Nanos),
}

/// A look at a connection that is about to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) at: Nanos,
    /// When it had nothing to be read for sure.
    pub(super) empty: Nanos,
}

impl Rounds {
    /// For the calling thread.
    pub(super) fn new() -> Self {
        let now = now();
        Self {
            told: [now; 2],
            begun: now,
            woken: None,
            delay: RunDelay::of_this_thread(),
        }
    }

    /// The poller is asked.
    pub(super) fn begin(&mut self, now: Nanos) {
        self.begun = now;
    }

    /// The poller came back at `now`, and told of `everybody` who is ready or only of some.
    pub(super) fn told(&mut self, now: Nanos, everybody: bool) {
        self.told[0] = self.told[1];
        if everybody {
            self.told[1] = now;
        }
        self.woken = None;
    }

    #[inline]
    pub(super) fn look(&self, at: Nanos, drained: Drained) -> Look {
        let empty = match drained {
            Drained::At(drained) => drained.max(self.told[0]),
            Drained::Before(empty) => empty,
        };
        Look { at, empty }
    }

    /// If everybody was empty until something woke us, that is when the first bytes came. Costs a system call a turn.
    pub(super) fn look_closer(&mut self, look: Look, drained: Drained) -> Look {
        let Drained::At(_) = drained else {
            return look;
        };
        let waited = self.told[1].saturating_sub(self.begun);
        let woken = *self.woken.get_or_insert_with(|| {
            let delay = (waited > SLEEP).then(|| self.delay.since_last()).flatten();
            delay
                .filter(|delay| waited > SLEEP + delay)
                .map_or(0, |delay| self.told[1] - delay)
        });
        Look {
            empty: look.empty.max(woken),
            ..look
        }
    }
}

impl Look {
    /// Whether what is read may have come in parts, one well after the other.
    #[inline]
    pub(super) fn is_late(self) -> bool {
        self.at - self.empty > LATE
    }

    #[inline]
    pub(super) fn is_very_late(self) -> bool {
        self.at - self.empty > VERY_LATE
    }

    /// What the read tells of the arrival of its events, and how long the newest bytes had been waiting for it, if the
    /// kernel says so.
    #[inline]
    pub(super) fn arrival(self, received: &Received, wall: &WallClock) -> (Arrival, Option<Nanos>) {
        let monotonic = |stamp| wall.monotonic(stamp).min(self.at);
        let stamp = received.last.map(monotonic);
        let at = stamp.unwrap_or(self.at);
        let since = received.first.map_or(at, monotonic).min(at);
        let empty = if self.is_late() {
            self.empty.min(since)
        } else {
            at
        };
        let arrival = Arrival { at, since, empty };
        (arrival, stamp.map(|stamp| self.at - stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Nanos = 100 * LATE;

    fn rounds() -> Rounds {
        Rounds {
            told: [BEGIN; 2],
            ..Rounds::new()
        }
    }

    #[test]
    fn a_poller_that_told_only_of_some_says_nothing_about_the_others() {
        let mut rounds = rounds();
        let is_late = |rounds: &Rounds, at| rounds.look(at, Drained::At(0)).is_late();
        rounds.told(BEGIN + LATE, true);
        assert!(!is_late(&rounds, BEGIN + LATE));
        assert!(
            is_late(&rounds, BEGIN + LATE + 1),
            "empty at the beginning, and not looked at since"
        );
        rounds.told(BEGIN + LATE + 2, false);
        assert!(!is_late(&rounds, BEGIN + 2 * LATE), "empty one look before");
        rounds.told(BEGIN + 2 * LATE, true);
        assert!(
            is_late(&rounds, BEGIN + 2 * LATE + 1),
            "the last look was not at everybody"
        );
    }

    #[test]
    fn whoever_was_read_to_the_end_had_nothing_then() {
        let rounds = rounds();
        let at = BEGIN + LATE + 1;
        assert!(!rounds.look(at, Drained::At(BEGIN + 1)).is_late());
        assert!(rounds.look(at, Drained::At(BEGIN)).is_late());
        let rest = Drained::Before(BEGIN - LATE);
        assert!(
            rounds.look(BEGIN + 1, rest).is_late(),
            "something was left, for longer than anybody was looked at"
        );
    }

    #[test]
    fn what_woke_us_came_then_and_not_before() {
        let mut rounds = rounds();
        let drained = Drained::At(0);
        let woken = BEGIN + SLEEP + SLEEP;
        rounds.begin(BEGIN);
        rounds.told(woken, true);
        let look = rounds.look(woken, drained);
        assert!(look.is_late());
        rounds.woken = Some(woken);
        assert!(!rounds.look_closer(look, drained).is_late());
        let rest = Drained::Before(BEGIN);
        let look = rounds.look(woken, rest);
        assert!(rounds.look_closer(look, rest).is_late(), "some was here");
        rounds.told(woken + 1, true);
        rounds.begin(BEGIN + SLEEP + SLEEP);
        let look = rounds.look(woken + 1 + SLEEP, drained);
        assert!(
            rounds.look_closer(look, drained).is_late(),
            "it did not wait"
        );
    }
}
