//! A coarse histogram in shared memory, for the live view and for ending a run early: 64 steps per doubling, so that a
//! percentile is at most 1.6 % off. The report itself is made from the exact histograms.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::time::Nanos;

const STEPS: u64 = 64;
/// 2^10 ns is about a microsecond, 2^42 ns more than an hour.
const SMALLEST_POWER: u32 = 10;
const POWERS: usize = 32;

#[derive(Clone, Copy)]
pub(crate) struct Buckets<'a>(&'a [AtomicU64]);

impl<'a> Buckets<'a> {
    pub(crate) const LEN: usize = POWERS * STEPS as usize;

    pub(crate) fn new(words: &'a [AtomicU64]) -> Self {
        Self(words)
    }

    /// One writer only.
    pub(crate) fn add(&self, duration: Nanos, times: u64) {
        let word = &self.0[index(duration)];
        word.store(word.load(Relaxed) + times, Relaxed);
    }
}

fn index(duration: Nanos) -> usize {
    let duration = duration.max(1 << SMALLEST_POWER);
    let power = duration.ilog2();
    let step = (duration >> (power - 6)) & (STEPS - 1);
    let index = u64::from(power - SMALLEST_POWER) * STEPS + step;
    (index as usize).min(Buckets::LEN - 1)
}

fn middle(index: usize) -> Nanos {
    let (power, step) = (
        index as u64 / STEPS + u64::from(SMALLEST_POWER),
        index as u64 % STEPS,
    );
    (1 << power) + (2 * step + 1) * (1 << power) / (2 * STEPS)
}

/// The sum of several lanes' buckets at one moment.
#[derive(Clone)]
pub(crate) struct Snapshot(Vec<u64>);

impl Default for Snapshot {
    fn default() -> Self {
        Self(vec![0; Buckets::LEN])
    }
}

impl Snapshot {
    pub(crate) fn add(&mut self, buckets: Buckets<'_>) {
        for (sum, word) in self.0.iter_mut().zip(buckets.0) {
            *sum += word.load(Relaxed);
        }
    }

    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self(
            self.0
                .iter()
                .zip(&earlier.0)
                .map(|(now, before)| now.saturating_sub(*before))
                .collect(),
        )
    }

    /// `None` as long as there is nothing.
    pub(crate) fn percentile(&self, percent: f64) -> Option<Nanos> {
        let total: u64 = self.0.iter().sum();
        let rank = ((total as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut seen = 0;
        let index = self.0.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(middle(index))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_duration_comes_back_within_one_and_a_half_percent(duration in 1_024_u64..3_000_000_000_000) {
            let back = middle(index(duration));
            prop_assert!((back as f64 / duration as f64 - 1.0).abs() < 0.016, "{} for {}", back, duration);
        }
    }

    #[test]
    fn percentiles_of_a_second_leave_out_what_was_before() {
        let words: Vec<AtomicU64> = (0..Buckets::LEN).map(|_| AtomicU64::default()).collect();
        let buckets = Buckets::new(&words);
        let snapshot = || {
            let mut snapshot = Snapshot::default();
            snapshot.add(buckets);
            snapshot
        };
        buckets.add(90_000_000, 100);
        let before = snapshot();
        assert_eq!(snapshot().since(&before).percentile(50.0), None);
        buckets.add(5_000_000, 99);
        buckets.add(70_000_000, 1);
        let second = snapshot().since(&before);
        assert!(
            second
                .percentile(99.0)
                .is_some_and(|value| value.abs_diff(5_000_000) < 100_000)
        );
        assert!(
            second
                .percentile(99.9)
                .is_some_and(|value| value.abs_diff(70_000_000) < 1_200_000)
        );
    }
}
