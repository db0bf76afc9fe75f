//! What the present phase expects, and what it measures of it.
//!
//! The load is an open schedule: instants that are fixed before it begins. The k-th increment makes the count `base + k`,
//! so each count has the instant at which its increment was due, and latency counts from there, however late it was sent.
//! A burst is a schedule whose instants are all the same.

use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

use super::phase::Rate;
use super::report::Latency;
use super::tally::Arrival;

/// The expectations and measurements of one phase.
pub(crate) struct Watch {
    base: u64,
    planned: Vec<Instant>,
    sent: usize,
    microseconds: Histogram<u64>,
    /// How long after its instant the latest increment was sent.
    pub(crate) late_at_most: Duration,
    /// Counts that came for the first time.
    pub(crate) delivered: u64,
    /// Connections that have the last count of the schedule.
    pub(crate) at_newest: usize,
    /// Connections that have their first count.
    pub(crate) ready: usize,
    /// When the last count came.
    pub(crate) last_arrival: Instant,
}

impl Watch {
    /// Expects nothing: the newest count stays what it is.
    pub(crate) fn idle(base: u64) -> Result<Self> {
        Self::new(base, Vec::new())
    }

    /// Expects a steady load from `start` on.
    pub(crate) fn steady(base: u64, rate: Rate, start: Instant) -> Result<Self> {
        let increments = (rate.per_second * rate.duration.as_secs_f64()).round() as u64;
        let due = |k: u64| start + Duration::from_secs_f64(k as f64 / rate.per_second);
        Self::new(base, (0..increments).map(due).collect())
    }

    /// Expects a burst at `start`.
    pub(crate) fn burst(base: u64, size: usize, start: Instant) -> Result<Self> {
        Self::new(base, vec![start; size])
    }

    fn new(base: u64, planned: Vec<Instant>) -> Result<Self> {
        Ok(Self {
            base,
            planned,
            sent: 0,
            // From 1 µs to 10 minutes.
            microseconds: Histogram::new_with_bounds(1, 600_000_000, 3)?,
            late_at_most: Duration::ZERO,
            delivered: 0,
            at_newest: 0,
            ready: 0,
            last_arrival: Instant::now(),
        })
    }

    /// The count that every client has to end on.
    pub(crate) fn newest(&self) -> u64 {
        self.base + self.planned.len() as u64
    }

    /// Increments of the whole schedule.
    pub(crate) fn increments(&self) -> usize {
        self.planned.len()
    }

    /// When the next increment is due; nothing when all are sent.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.planned.get(self.sent).copied()
    }

    /// When the last increment is due.
    pub(crate) fn last_due(&self) -> Option<Instant> {
        self.planned.last().copied()
    }

    /// Takes the increments that are due, and answers how many.
    pub(crate) fn take_due(&mut self, now: Instant) -> usize {
        let due = self.planned[self.sent..]
            .iter()
            .take_while(|planned| **planned <= now)
            .count();
        if let Some(first) = self.planned.get(self.sent).filter(|_| due > 0) {
            self.late_at_most = self.late_at_most.max(now.duration_since(*first));
        }
        self.sent += due;
        due
    }

    /// Takes the arrival of one count at one client.
    #[inline]
    pub(crate) fn arrived(&mut self, count: u64, arrival: Arrival, now: Instant) {
        match arrival {
            Arrival::First => self.ready += 1,
            Arrival::Repeated => return,
            Arrival::Next | Arrival::Ahead | Arrival::Late => {
                self.delivered += 1;
                if count == self.newest() {
                    self.at_newest += 1;
                }
                if let Some(planned) = count
                    .checked_sub(self.base + 1)
                    .and_then(|k| self.planned.get(k as usize))
                {
                    self.microseconds.saturating_record(
                        now.saturating_duration_since(*planned).as_micros() as u64,
                    );
                }
            }
        }
        self.last_arrival = now;
    }

    /// Takes over the latencies that an earlier one measured: several bursts are one distribution.
    pub(crate) fn add_latency_of(&mut self, earlier: &Self) -> Result<()> {
        self.late_at_most = self.late_at_most.max(earlier.late_at_most);
        Ok(self.microseconds.add(&earlier.microseconds)?)
    }

    /// The distribution of latency, when anything came.
    pub(crate) fn latency(&self) -> Option<Latency> {
        let ms = |quantile| self.microseconds.value_at_quantile(quantile) as f64 / 1000.0;
        (!self.microseconds.is_empty()).then(|| Latency {
            p50_ms: ms(0.5),
            p90_ms: ms(0.9),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: self.microseconds.max() as f64 / 1000.0,
            sent_late_at_most_ms: self.late_at_most.as_secs_f64() * 1e3,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_the_planned_instant_however_late_the_increment_was_sent() {
        let start = Instant::now();
        let rate = Rate {
            per_second: 100.0,
            duration: Duration::from_millis(50),
        };
        let mut watch = Watch::steady(40, rate, start).unwrap();
        let late = start + Duration::from_millis(100);
        assert_eq!((watch.newest(), watch.take_due(late)), (45, 5));
        for count in 41..=45 {
            watch.arrived(count, Arrival::Next, late);
        }
        let latency = watch.latency().unwrap();
        assert!((latency.max_ms - 100.0).abs() < 0.2, "{latency:?}");
        assert!((latency.p50_ms - 80.0).abs() < 0.2, "{latency:?}");
        assert!(
            (latency.sent_late_at_most_ms - 100.0).abs() < 0.2,
            "{latency:?}"
        );
        assert_eq!((watch.delivered, watch.at_newest), (5, 1));
    }

    #[test]
    fn increments_are_due_at_their_instants_and_a_burst_all_at_once() {
        let start = Instant::now();
        let rate = Rate {
            per_second: 10.0,
            duration: Duration::from_secs(1),
        };
        let mut steady = Watch::steady(0, rate, start).unwrap();
        let due: Vec<usize> = [0, 99, 100, 350, 2000]
            .map(|ms| steady.take_due(start + Duration::from_millis(ms)))
            .into();
        assert_eq!((due, steady.next_due()), (vec![1, 0, 1, 2, 6], None));
        let mut burst = Watch::burst(0, 200, start).unwrap();
        assert_eq!(burst.take_due(start), 200);
    }
}
