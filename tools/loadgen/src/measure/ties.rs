//! Ties arrivals to the emits that caused them. An emit may become known only by its acknowledgement, after its events:
//! those arrivals wait.
//!
//! The kernel stamps a read with the arrival of its newest bytes. As long as we read promptly that is everybody's
//! arrival. After a late wake-up a read may hold events that arrived one after the other; then its first byte is read
//! by itself, so that the arrivals of the first and of the last event are known, and those between them are taken to
//! have arrived as they were sent: evenly if only we were late, all at once if the server sent them together.

use std::collections::HashMap;

use crate::{
    ledger::{Emit, Ledger},
    time::Nanos,
};

/// Arrivals that may wait for the acknowledgement of their emit (32 bytes each); more are counted, but in no latency.
const MOST_WAITING: usize = 1 << 20;

/// When something arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// The last event of the same read: in the kernel if it stamps, else when it was read; monotonic.
    pub(crate) at: Nanos,
    /// The first event of the same read; the same as `at` if the reader was not late.
    pub(crate) since: Nanos,
}

/// The numbers of the first and the last event of a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Arrival {
    pub(crate) fn is_exact(self) -> bool {
        self.since >= self.at
    }
}

/// What an arrival tells of its emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tie {
    pub(crate) emit: Emit,
    pub(crate) arrived: Nanos,
    /// How far off `arrived` may be.
    pub(crate) doubt: Nanos,
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Tied(Tie),
    Waits,
    /// Its emit is not known, and never will be.
    Unknown,
}

pub(crate) struct Ties<'a> {
    ledger: Ledger<'a>,
    /// Whether emits become known only by their acknowledgement.
    may_wait: bool,
    waiting: HashMap<u64, Vec<(Arrival, Ends)>>,
    length: usize,
}

impl<'a> Ties<'a> {
    pub(crate) fn new(ledger: Ledger<'a>, may_wait: bool) -> Self {
        Self {
            ledger,
            may_wait,
            waiting: HashMap::new(),
            length: 0,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.length > 0
    }

    #[inline]
    pub(crate) fn tie(&mut self, number: u64, ends: Ends, arrival: Arrival) -> Fate {
        if let Some(tie) = self.known(number, ends, arrival) {
            return Fate::Tied(tie);
        }
        if !self.may_wait || self.length >= MOST_WAITING {
            return Fate::Unknown;
        }
        self.waiting
            .entry(number)
            .or_default()
            .push((arrival, ends));
        self.length += 1;
        Fate::Waits
    }

    #[inline]
    fn known(&self, number: u64, ends: Ends, arrival: Arrival) -> Option<Tie> {
        let emit = self.ledger.read(number)?;
        if arrival.is_exact() {
            return Some(Tie {
                emit,
                arrived: arrival.at,
                doubt: 0,
            });
        }
        let (first, last) = (
            self.ledger.read(ends.first)?.sent,
            self.ledger.read(ends.last)?.sent,
        );
        let share =
            emit.sent.saturating_sub(first) as f64 / last.saturating_sub(first).max(1) as f64;
        let between = arrival.at - arrival.since;
        let arrived = arrival.since + (between as f64 * share.min(1.0)) as Nanos;
        let is_end = number == ends.first || number == ends.last;
        let doubt = if is_end {
            0
        } else {
            (arrived - arrival.since).max(arrival.at - arrived)
        };
        Some(Tie {
            emit,
            arrived,
            doubt,
        })
    }

    /// Gives all arrivals whose emits have become known.
    pub(crate) fn settle(&mut self, mut tied: impl FnMut(Tie)) {
        let mut settled = 0;
        let ledger = self.ledger;
        let this = Ties {
            ledger,
            may_wait: false,
            waiting: HashMap::new(),
            length: 0,
        };
        self.waiting.retain(|number, arrivals| {
            arrivals.retain(|(arrival, ends)| {
                let known = this.known(*number, *ends, *arrival);
                settled += usize::from(known.is_some());
                known.map(&mut tied).is_none()
            });
            !arrivals.is_empty()
        });
        self.length -= settled;
    }

    /// Forgets those that still wait: how many they were.
    pub(crate) fn give_up(&mut self) -> u64 {
        self.waiting.clear();
        std::mem::take(&mut self.length) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    fn words() -> Vec<AtomicU64> {
        (0..64 * Ledger::WORDS)
            .map(|_| AtomicU64::default())
            .collect()
    }

    fn sent_every_10(ledger: Ledger<'_>, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            let at = 10 * number;
            ledger.write(
                number,
                Emit {
                    planned: at,
                    sent: at,
                },
            );
        }
    }

    fn arrived(fate: Fate) -> Option<(Nanos, Nanos)> {
        if let Fate::Tied(tie) = fate {
            Some((tie.arrived, tie.doubt))
        } else {
            None
        }
    }

    #[test]
    fn between_the_first_and_the_last_of_a_late_read_events_arrive_as_they_were_sent() {
        let words = words();
        let ledger = Ledger::new(&words);
        sent_every_10(ledger, 1..=9);
        let mut ties = Ties::new(ledger, false);
        let ends = Ends { first: 5, last: 9 };
        // Only we were late: each took 5.
        let late = Arrival { at: 95, since: 55 };
        assert_eq!(arrived(ties.tie(5, ends, late)), Some((55, 0)));
        assert_eq!(arrived(ties.tie(7, ends, late)), Some((75, 20)));
        assert_eq!(arrived(ties.tie(9, ends, late)), Some((95, 0)));
        // The server sent them together.
        let together = Arrival { at: 95, since: 95 };
        assert_eq!(arrived(ties.tie(7, ends, together)), Some((95, 0)));
        // Passed over by the first one: it told of them.
        assert_eq!(arrived(ties.tie(2, ends, late)).map(|(at, _)| at), Some(55));
    }

    #[test]
    fn arrivals_wait_for_their_emit_and_for_those_of_the_ends_of_their_read() {
        let words = words();
        let ledger = Ledger::new(&words);
        let mut ties = Ties::new(ledger, true);
        let ends = Ends { first: 1, last: 3 };
        assert_eq!(
            ties.tie(2, ends, Arrival { at: 40, since: 20 }),
            Fate::Waits
        );
        let mut settled = Vec::new();
        sent_every_10(ledger, 1..=2);
        ties.settle(|tie| settled.push(tie.arrived));
        assert!(settled.is_empty() && ties.is_waiting());
        sent_every_10(ledger, 3..=3);
        ties.settle(|tie| settled.push(tie.arrived));
        assert_eq!(settled, [30]);
        assert!(!ties.is_waiting());
        ties.tie(
            50,
            Ends {
                first: 50,
                last: 50,
            },
            Arrival { at: 30, since: 30 },
        );
        assert_eq!(ties.give_up(), 1);
    }
}
