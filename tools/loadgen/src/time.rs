//! Two clocks: the monotonic one, on which everything is planned and measured, and the wall clock, in which the
//! kernel stamps what it receives (`SO_TIMESTAMPNS`). Their offset is sampled about once a second; a jump of it makes
//! the stamps around it wrong, and the run SUSPECT.

use rustix::time::{ClockId, clock_gettime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nanoseconds of `CLOCK_MONOTONIC`: the same in every process of one machine.
pub(crate) type Nanos = u64;

pub(crate) const MICROSECOND: Nanos = 1_000;
pub(crate) const MILLISECOND: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1_000_000_000;

/// Both clocks are disciplined alike, so their offset moves only when somebody sets the time: more is a step.
pub(crate) const STEP: Nanos = MILLISECOND;

pub(crate) fn now() -> Nanos {
    read(ClockId::Monotonic)
}

pub(crate) fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / SECOND as f64
}

/// Longer than the clock reaches (584 years) is as good as never.
pub(crate) fn nanos(duration: std::time::Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn read(id: ClockId) -> Nanos {
    let time = clock_gettime(id);
    time.tv_sec.unsigned_abs() * SECOND + time.tv_nsec.unsigned_abs()
}

/// What the samples of the offset showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClockReport {
    /// How often the offset between wall clock and monotonic clock was sampled.
    pub samples: u64,
    /// The largest jump between two samples, in nanoseconds.
    pub worst_step_ns: u64,
}

impl ClockReport {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.samples += other.samples;
        self.worst_step_ns = self.worst_step_ns.max(other.worst_step_ns);
    }
}

/// Turns kernel stamps into monotonic time.
pub(crate) struct WallClock {
    /// Wall minus monotonic.
    offset: i64,
    sampled: Nanos,
    pub(crate) report: ClockReport,
}

impl WallClock {
    pub(crate) fn new() -> Self {
        Self {
            offset: sample(),
            sampled: now(),
            report: ClockReport {
                samples: 1,
                worst_step_ns: 0,
            },
        }
    }

    pub(crate) fn tick(&mut self, now: Nanos) {
        if now < self.sampled + SECOND {
            return;
        }
        let offset = sample();
        self.report.samples += 1;
        self.report.worst_step_ns = self.report.worst_step_ns.max(offset.abs_diff(self.offset));
        (self.offset, self.sampled) = (offset, now);
    }

    pub(crate) fn monotonic(&self, wall: Nanos) -> Nanos {
        wall.wrapping_add_signed(-self.offset)
    }
}

/// The offset, from the tightest of a few readings: whoever is interrupted between two clocks reads nonsense.
fn sample() -> i64 {
    let reading = || {
        let before = now();
        let wall = read(ClockId::Realtime);
        let after = now();
        (
            after - before,
            wall.cast_signed() - (before + (after - before) / 2).cast_signed(),
        )
    };
    (0..5)
        .map(|_| reading())
        .min()
        .map_or(0, |(_, offset)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_stamp_taken_now_is_now_in_monotonic_time() {
        let clock = WallClock::new();
        let before = now();
        let stamp = clock.monotonic(read(ClockId::Realtime));
        assert!(
            stamp.abs_diff(before) < 5 * MILLISECOND,
            "{stamp} against {before}"
        );
    }

    #[test]
    fn a_jump_of_the_offset_is_reported() {
        let mut clock = WallClock::new();
        clock.offset += 40 * MILLISECOND.cast_signed();
        clock.tick(now() + 2 * SECOND);
        assert!(clock.report.worst_step_ns > 30 * MILLISECOND);
        assert_eq!(clock.report.samples, 2);
    }
}
