//! What happened in each second of a phase. Kept whole for an hour; of longer phases two neighbours become one, again
//! and again, so that memory stays the same however long it runs.

use serde::{Deserialize, Serialize};

use super::{Counts, Histogram};

const MOST: usize = 4_096;

/// One second, or as many as the series has grown to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) delivered: u64,
    pub(crate) sent: u64,
    /// Joined connections at the end of the point.
    pub(crate) held: u64,
    /// Repeated, out of order, disconnected, failed.
    pub(crate) faults: u64,
    /// Broadcast latency, in the wire form: a few hundred bytes.
    latency: Vec<u8>,
}

impl Point {
    pub(crate) fn new(counts: &Counts, before: &Counts, held: u64, latency: &Histogram) -> Self {
        let faults = |counts: &Counts| {
            counts.repeated + counts.out_of_order + counts.disconnected + counts.failed
        };
        Self {
            delivered: counts.delivered - before.delivered,
            sent: counts.sent - before.sent,
            held,
            faults: faults(counts) - faults(before),
            latency: if latency.is_empty() {
                Vec::new()
            } else {
                latency.to_bytes()
            },
        }
    }

    pub(crate) fn latency(&self) -> Histogram {
        Histogram::from_bytes(&self.latency).unwrap_or_default()
    }

    /// Adds what happened in `other`; `held` is the caller's business.
    fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.sent += other.sent;
        self.faults += other.faults;
        if self.latency.is_empty() {
            self.latency.clone_from(&other.latency);
        } else if !other.latency.is_empty() {
            let mut sum = self.latency();
            sum.merge(&other.latency());
            self.latency = sum.to_bytes();
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Seconds per point: a power of two.
    pub(crate) seconds: u64,
    pub(crate) points: Vec<Point>,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            seconds: 1,
            points: Vec::new(),
        }
    }
}

impl Series {
    /// Adds what happened in the second that began `second` seconds after the phase.
    pub(crate) fn add(&mut self, second: u64, point: &Point) {
        while second / self.seconds >= MOST as u64 {
            self.coarsen();
        }
        let index = (second / self.seconds) as usize;
        let held = self.points.last().map_or(0, |last| last.held);
        while self.points.len() <= index {
            self.points.push(Point {
                held,
                ..Point::default()
            });
        }
        self.points[index].add(point);
        self.points[index].held = point.held;
    }

    /// Of two threads' series, one.
    pub(crate) fn merge(&mut self, mut other: Self) {
        while self.seconds < other.seconds {
            self.coarsen();
        }
        while other.seconds < self.seconds {
            other.coarsen();
        }
        // A lane that ended earlier still holds what it held.
        let held = |points: &[Point]| points.last().map_or(0, |point| point.held);
        let (mine, others) = (held(&self.points), held(&other.points));
        let longest = self.points.len().max(other.points.len());
        self.points.resize_with(longest, || Point {
            held: mine,
            ..Point::default()
        });
        for (index, point) in self.points.iter_mut().enumerate() {
            match other.points.get(index) {
                Some(other) => {
                    point.add(other);
                    point.held += other.held;
                }
                None => point.held += others,
            }
        }
    }

    fn coarsen(&mut self) {
        self.seconds *= 2;
        self.points = self
            .points
            .chunks(2)
            .map(|pair| {
                let mut sum = pair[0].clone();
                if let Some(second) = pair.get(1) {
                    sum.add(second);
                    sum.held = second.held;
                }
                sum
            })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(delivered: u64, held: u64) -> Point {
        let mut latency = Histogram::default();
        latency.record_n(1_000_000 * delivered.max(1), delivered);
        Point::new(
            &Counts {
                delivered,
                ..Counts::default()
            },
            &Counts::default(),
            held,
            &latency,
        )
    }

    #[test]
    fn a_long_series_keeps_its_sums_and_its_size() {
        let mut series = Series::default();
        let (busy, quiet) = (point(64, 7), point(0, 7));
        let seconds = 3 * MOST as u64;
        for second in 0..seconds {
            let point = if second.is_multiple_of(64) {
                &busy
            } else {
                &quiet
            };
            series.add(second, point);
        }
        assert!(series.points.len() <= MOST, "{}", series.points.len());
        assert_eq!(series.seconds, 4);
        let sum = |of: fn(&Point) -> u64| series.points.iter().map(of).sum::<u64>();
        assert_eq!(sum(|point| point.delivered), seconds);
        assert_eq!(sum(|point| point.latency().len()), seconds);
        assert_eq!(series.points[0].held, 7);
    }

    #[test]
    fn merged_series_add_up_second_by_second() {
        let (mut one, mut two) = (Series::default(), Series::default());
        one.add(0, &point(1, 10));
        two.add(0, &point(2, 20));
        two.add(1, &point(3, 21));
        one.merge(two);
        let seen: Vec<_> = one
            .points
            .iter()
            .map(|point| (point.delivered, point.held, point.latency().len()))
            .collect();
        assert_eq!(seen, [(3, 30, 3), (3, 31, 3)]);
        let mut none = Series::default();
        none.merge(one);
        let held: Vec<_> = none.points.iter().map(|point| point.held).collect();
        assert_eq!(held, [30, 31]);
    }
}
