//! What late reads can have done to a latency. Each doubtful arrival lies for sure between two moments; if all of them
//! had been at the first, or all at the second, every percentile of the latency would be one of two values. The true
//! one lies between.

use serde::{Deserialize, Serialize};

use super::Histogram;
use crate::time::Nanos;

/// The doubtful ones among the values of another histogram.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Bracket {
    /// As they stand in the other histogram.
    taken: Histogram,
    least: Histogram,
    most: Histogram,
}

impl Bracket {
    pub(crate) fn record(&mut self, taken: Nanos, least: Nanos, most: Nanos) {
        self.taken.record(taken);
        self.least.record(least);
        self.most.record(most);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.taken.merge(&other.taken);
        self.least.merge(&other.least);
        self.most.merge(&other.most);
    }

    /// Between which values this percentile of `all` lies.
    pub(crate) fn of(&self, all: &Histogram, percent: f64) -> (Nanos, Nanos) {
        let [least, most] = [&self.least, &self.most].map(|doubtful| {
            let mut values = all.clone();
            values.replace(&self.taken, doubtful);
            values.percentile(percent)
        });
        (least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MILLISECOND;

    /// A thousand latencies of 10 ms, of which so many may have been anything from 1 to 40 ms.
    fn bracket(doubtful: usize, percent: f64) -> [u64; 2] {
        let (mut all, mut bracket) = (Histogram::default(), Bracket::default());
        all.record_n(10 * MILLISECOND, 1_000);
        for _ in 0..doubtful {
            bracket.record(10 * MILLISECOND, MILLISECOND, 40 * MILLISECOND);
        }
        let mut twice = bracket.clone();
        twice.merge(&Bracket::default());
        let (least, most) = twice.of(&all, percent);
        [least, most].map(|value| (value + MILLISECOND / 2) / MILLISECOND)
    }

    #[test]
    fn few_doubtful_arrivals_leave_a_percentile_where_it_is() {
        assert_eq!(bracket(5, 99.0), [10, 10]);
        assert_eq!(bracket(5, 99.9), [10, 40]);
    }

    #[test]
    fn many_doubtful_arrivals_make_it_uncertain_both_ways() {
        assert_eq!(bracket(600, 50.0), [1, 40]);
        assert_eq!(bracket(1_000, 99.0), [1, 40]);
    }
}
