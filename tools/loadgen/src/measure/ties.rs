//! Ties arrivals to the emits that caused them. An emit may become known only by its acknowledgement, after its events:
//! those arrivals wait.
//!
//! The kernel stamps a read with the arrival of its newest bytes. As long as we read promptly that is everybody's
//! arrival. After a late wake-up it is an upper bound for all events but the last, and the last look at the connection
//! a lower one; in between, a server that was as fast for them as for the last is believed. That is exact if only we
//! were late, and at most the late wake-up off if the server itself sent them together.

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
    /// At the latest: in the kernel if it stamps, else when it was read; monotonic.
    pub(crate) at: Nanos,
    /// At the earliest; the same if nothing else was read after it, or the reader was not late.
    pub(crate) since: Nanos,
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
    /// How much later it may have been.
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
    waiting: HashMap<u64, Vec<(Arrival, u64)>>,
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

    /// `last` is the last number of the same read.
    #[inline]
    pub(crate) fn tie(&mut self, number: u64, last: u64, arrival: Arrival) -> Fate {
        if let Some(tie) = self.known(number, last, arrival) {
            return Fate::Tied(tie);
        }
        if !self.may_wait || self.length >= MOST_WAITING {
            return Fate::Unknown;
        }
        self.waiting
            .entry(number)
            .or_default()
            .push((arrival, last));
        self.length += 1;
        Fate::Waits
    }

    #[inline]
    fn known(&self, number: u64, last: u64, arrival: Arrival) -> Option<Tie> {
        let emit = self.ledger.read(number)?;
        if arrival.is_exact() {
            return Some(Tie {
                emit,
                arrived: arrival.at,
                doubt: 0,
            });
        }
        let after = self.ledger.read(last)?.sent.saturating_sub(emit.sent);
        let arrived = arrival.at.saturating_sub(after).max(arrival.since);
        Some(Tie {
            emit,
            arrived,
            doubt: arrival.at - arrived,
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
            arrivals.retain(|(arrival, last)| {
                let known = this.known(*number, *last, *arrival);
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
    fn a_late_reader_believes_the_server_as_far_as_it_can() {
        let words = words();
        let ledger = Ledger::new(&words);
        sent_every_10(ledger, 1..=9);
        let mut ties = Ties::new(ledger, false);
        // The last one was sent at 90 and arrived at 95; before that, nobody had looked since 70.
        let late = Arrival { at: 95, since: 70 };
        assert_eq!(
            arrived(ties.tie(9, 9, Arrival { at: 95, since: 95 })),
            Some((95, 0))
        );
        assert_eq!(
            arrived(ties.tie(8, 9, late)),
            Some((85, 10)),
            "it took 5, too"
        );
        assert_eq!(arrived(ties.tie(7, 9, late)), Some((75, 20)));
        assert_eq!(
            arrived(ties.tie(6, 9, late)),
            Some((70, 25)),
            "at 65 it was not there yet"
        );
    }

    #[test]
    fn arrivals_wait_for_their_emit_and_for_that_of_the_last_in_their_read() {
        let words = words();
        let ledger = Ledger::new(&words);
        let mut ties = Ties::new(ledger, true);
        assert_eq!(ties.tie(1, 2, Arrival { at: 30, since: 5 }), Fate::Waits);
        let mut settled = Vec::new();
        sent_every_10(ledger, 1..=1);
        ties.settle(|tie| settled.push(tie.arrived));
        assert!(settled.is_empty() && ties.is_waiting());
        sent_every_10(ledger, 2..=2);
        ties.settle(|tie| settled.push(tie.arrived));
        assert_eq!(settled, [20]);
        assert!(!ties.is_waiting());
        ties.tie(50, 50, Arrival { at: 30, since: 30 });
        assert_eq!(ties.give_up(), 1);
    }
}
