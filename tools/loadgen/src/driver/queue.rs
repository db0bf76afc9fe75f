//! Who is to connect, and when: seats wait for their time, or for others to be through.

use std::collections::VecDeque;

use crate::time::{Nanos, now};

/// The seats of a swarm that are not connected yet.
pub(super) struct Queue {
    /// In order; without a time: as soon as there is room.
    waiting: VecDeque<(usize, Option<Nanos>)>,
    /// How many are on their way.
    opening: usize,
    /// How many of those without a time may be on their way.
    concurrency: usize,
}

impl Queue {
    pub(super) fn new(concurrency: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            opening: 0,
            concurrency,
        }
    }

    pub(super) fn add(&mut self, seat: usize, at: Option<Nanos>) {
        let place = self.waiting.partition_point(|(_, other)| *other <= at);
        self.waiting.insert(place, (seat, at));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether somebody could begin this very moment.
    pub(super) fn is_due(&self) -> bool {
        let due = self
            .waiting
            .front()
            .is_some_and(|(_, at)| at.is_none_or(|at| at <= now()));
        due && self.opening < self.concurrency
    }

    /// The next one that is due, and when it was to begin; it is on its way now.
    pub(super) fn next(&mut self, now: Nanos) -> Option<(usize, Nanos)> {
        let (opening, concurrency) = (self.opening, self.concurrency);
        let (seat, at) = self
            .waiting
            .pop_front_if(|(_, at)| at.map_or(opening < concurrency, |at| at <= now))?;
        self.opening += 1;
        Some((seat, at.unwrap_or(now)))
    }

    /// One is no longer on its way: it is there, or will not come.
    pub(super) fn arrived(&mut self) {
        self.opening -= 1;
    }
}
