//! When to emit: an open schedule, fixed before the run and never slowed by answers, so that a stalled server does not
//! hide its own stall (coordinated omission).

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::{Nanos, SECOND};

/// How emits follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Spacing {
    /// At equal distances.
    Even,
    /// At random, as independent people would (exponential distances, seeded).
    Poisson,
}

/// The planned instants of a phase, in order.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    start: Nanos,
    rate: f64,
    length: Nanos,
    given: u64,
    random: Option<(fastrand::Rng, f64)>,
}

impl Schedule {
    /// `rate` emits per second for `length`, from `start`.
    pub(crate) fn new(spacing: Spacing, rate: f64, length: Nanos, start: Nanos, seed: u64) -> Self {
        let random = (spacing == Spacing::Poisson).then(|| (fastrand::Rng::with_seed(seed), 0.0));
        Self {
            start,
            rate,
            length,
            given: 0,
            random,
        }
    }
}

impl Iterator for Schedule {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        let offset = match &mut self.random {
            // Multiplied, not summed up: no error grows with the run.
            None => self.given as f64 * SECOND as f64 / self.rate,
            Some((random, at)) => {
                *at += -(1.0 - random.f64()).ln() * SECOND as f64 / self.rate;
                *at
            }
        };
        // Half a nanosecond short of the end is the end: 10 s at 3/s are 30, whatever the rounding.
        if offset + 0.5 >= self.length as f64 {
            return None;
        }
        self.given += 1;
        Some(self.start + offset as Nanos)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_even_schedule_gives_rate_times_duration(rate in 1_u32..2_000, seconds in 1_u64..20) {
            let schedule = Schedule::new(Spacing::Even, f64::from(rate), seconds * SECOND, 77, 0);
            let instants: Vec<Nanos> = schedule.collect();
            prop_assert_eq!(instants.len() as u64, u64::from(rate) * seconds);
            prop_assert_eq!(instants[0], 77);
            prop_assert!(instants.is_sorted());
            let ideal = 77.0 + (instants.len() - 1) as f64 / f64::from(rate) * 1e9;
            prop_assert!((instants[instants.len() - 1] as f64 - ideal).abs() < 2.0);
        }
    }

    #[test]
    fn a_poisson_schedule_repeats_with_its_seed_and_keeps_the_rate() {
        let of =
            |seed| Schedule::new(Spacing::Poisson, 500.0, 20 * SECOND, 0, seed).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(of(1).is_sorted());
        assert!(
            (of(1).len() as f64 - 10_000.0).abs() < 400.0,
            "{}",
            of(1).len()
        );
    }
}
