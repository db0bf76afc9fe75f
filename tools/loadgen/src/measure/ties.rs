//! Ties arrivals to the emits that caused them. An emit may become known only by its acknowledgement, after its events:
//! those arrivals wait.

use std::collections::HashMap;

use super::arrival::{Arrival, Spread};
use crate::{
    ledger::{Emit, Ledger},
    time::Nanos,
};

/// Arrivals that may wait for the acknowledgement of their emit (48 bytes each); more are counted, but in no latency.
const MOST_WAITING: usize = 1 << 19;

/// What an arrival tells of its emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tie {
    pub(crate) emit: Emit,
    pub(crate) arrived: Nanos,
    /// Between which moments it arrived for sure.
    pub(crate) bounds: (Nanos, Nanos),
}

impl Tie {
    /// How far off `arrived` may be.
    pub(crate) fn doubt(&self) -> Nanos {
        (self.arrived - self.bounds.0).max(self.bounds.1 - self.arrived)
    }
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
    waiting: HashMap<u64, Vec<(Arrival, Spread)>>,
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
    pub(crate) fn tie(&mut self, number: u64, spread: Spread, arrival: Arrival) -> Fate {
        if let Some(tie) = self.known(number, spread, arrival) {
            return Fate::Tied(tie);
        }
        if !self.may_wait || self.length >= MOST_WAITING {
            return Fate::Unknown;
        }
        self.waiting
            .entry(number)
            .or_default()
            .push((arrival, spread));
        self.length += 1;
        Fate::Waits
    }

    #[inline]
    fn known(&self, number: u64, spread: Spread, arrival: Arrival) -> Option<Tie> {
        let emit = self.ledger.read(number)?;
        let sent = |number: u64| self.ledger.read(number).map(|emit| emit.sent);
        let Arrival { at, since, empty } = arrival;
        let (arrived, bounds) = match spread {
            Spread::Together => (at, (at, at)),
            Spread::Between { first, last } => {
                let (from, to) = (sent(first)?, sent(last)?);
                let share =
                    emit.sent.saturating_sub(from) as f64 / to.saturating_sub(from).max(1) as f64;
                let arrived = since + ((at - since) as f64 * share.min(1.0)) as Nanos;
                // Who was passed over by the first was told of by it.
                let is_end = number <= first || number == last;
                (
                    arrived,
                    if is_end {
                        (arrived, arrived)
                    } else {
                        (since, at)
                    },
                )
            }
            Spread::AsFastAs { last } => {
                let arrived = at
                    .saturating_sub(sent(last)?.saturating_sub(emit.sent))
                    .max(empty);
                (arrived, (if number < last { empty } else { at }, at))
            }
            Spread::Unclear { last } => (at, (if number < last { empty } else { at }, at)),
        };
        // Nothing arrives before it is sent.
        let earliest = bounds.0.max(emit.sent).min(arrived);
        Some(Tie {
            emit,
            arrived,
            bounds: (earliest, bounds.1),
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
            arrivals.retain(|(arrival, spread)| {
                let known = this.known(*number, *spread, *arrival);
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
            Some((tie.arrived, tie.doubt()))
        } else {
            None
        }
    }

    /// A late read: its newest bytes arrived at 95, its oldest at `since`, and at 70 there was nothing.
    fn late(since: Nanos) -> Arrival {
        Arrival {
            at: 95,
            since,
            empty: 70,
        }
    }

    #[test]
    fn between_the_first_and_the_last_of_a_late_read_events_arrive_as_they_were_sent() {
        let words = words();
        let ledger = Ledger::new(&words);
        sent_every_10(ledger, 1..=9);
        let mut ties = Ties::new(ledger, false);
        let spread = Spread::of(7, 9, late(75), true);
        assert_eq!(arrived(ties.tie(7, spread, late(75))), Some((75, 0)));
        assert_eq!(arrived(ties.tie(8, spread, late(75))), Some((85, 10)));
        assert_eq!(arrived(ties.tie(9, spread, late(75))), Some((95, 0)));
        // Passed over by the first one, which told of it.
        assert_eq!(
            arrived(ties.tie(2, spread, late(75))).map(|(at, _)| at),
            Some(75)
        );
    }

    #[test]
    fn what_has_one_stamp_arrived_together_if_the_server_is_like_that() {
        let words = words();
        let ledger = Ledger::new(&words);
        sent_every_10(ledger, 1..=9);
        let mut ties = Ties::new(ledger, false);
        let joined = Spread::of(6, 9, late(95), true);
        assert_eq!(
            arrived(ties.tie(6, joined, late(95))),
            Some((95, 25)),
            "unless the kernel joined them"
        );
        assert_eq!(arrived(ties.tie(9, joined, late(95))), Some((95, 0)));
        let apart = Spread::of(6, 9, late(95), false);
        assert_eq!(arrived(ties.tie(9, apart, late(95))), Some((95, 0)));
        assert_eq!(
            arrived(ties.tie(8, apart, late(95))),
            Some((85, 10)),
            "it took 5, too"
        );
        assert_eq!(
            arrived(ties.tie(6, apart, late(95))),
            Some((70, 25)),
            "at 65 it was not there yet"
        );
    }

    #[test]
    fn arrivals_wait_for_their_emit_and_for_those_that_they_are_measured_by() {
        let words = words();
        let ledger = Ledger::new(&words);
        let mut ties = Ties::new(ledger, true);
        let spread = Spread::Between { first: 1, last: 3 };
        assert_eq!(
            ties.tie(
                2,
                spread,
                Arrival {
                    at: 40,
                    since: 20,
                    empty: 0
                }
            ),
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
            Spread::Together,
            Arrival {
                at: 30,
                since: 30,
                empty: 30,
            },
        );
        assert_eq!(ties.give_up(), 1);
    }
}
