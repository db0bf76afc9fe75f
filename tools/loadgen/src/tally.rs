//! A histogram in shared memory with the few buckets that Prometheus gets: 50 µs to 10 s, about a doubling each. The
//! report itself is made from the exact histograms.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::time::{MICROSECOND, MILLISECOND, Nanos, SECOND};

/// The upper bounds of all buckets but the last, which has none.
pub(crate) const BOUNDS: [Nanos; 17] = [
    50 * MICROSECOND,
    100 * MICROSECOND,
    200 * MICROSECOND,
    500 * MICROSECOND,
    MILLISECOND,
    2 * MILLISECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    20 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    200 * MILLISECOND,
    500 * MILLISECOND,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
];

#[derive(Clone, Copy)]
pub(crate) struct Tally<'a>(&'a [AtomicU64]);

impl<'a> Tally<'a> {
    /// One word per bucket, and the sum in microseconds.
    pub(crate) const WORDS: usize = BOUNDS.len() + 2;

    pub(crate) fn new(words: &'a [AtomicU64]) -> Self {
        Self(words)
    }

    /// One writer only.
    #[inline]
    pub(crate) fn add(&self, duration: Nanos, times: u64) {
        let bucket = BOUNDS.partition_point(|bound| *bound < duration);
        let sum = duration / MICROSECOND * times;
        for (word, more) in [(bucket, times), (Self::WORDS - 1, sum)] {
            let word = &self.0[word];
            word.store(word.load(Relaxed) + more, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_longer_to_the_next() {
        let words: Vec<AtomicU64> = (0..Tally::WORDS).map(|_| AtomicU64::default()).collect();
        let tally = Tally::new(&words);
        tally.add(0, 1);
        tally.add(50 * MICROSECOND, 2);
        tally.add(50 * MICROSECOND + 1, 4);
        tally.add(11 * SECOND, 8);
        let seen: Vec<u64> = words.iter().map(|word| word.load(Relaxed)).collect();
        assert_eq!((seen[0], seen[1], seen[17]), (3, 4, 8));
        assert_eq!(seen[18], 2 * 50 + 4 * 50 + 8 * 11_000_000);
    }
}
