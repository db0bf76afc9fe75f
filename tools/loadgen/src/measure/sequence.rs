//! What one client has received of a numbered stream: how far it is, and which numbers it never got. Small, because
//! there is one per client: nothing is allocated as long as nothing is missing.

/// More gaps than these at one client, and the oldest is given up: memory stays bounded on a server that drops a third.
const MOST_GAPS: usize = 4_096;

/// A client's place in the stream of expected events.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sequence {
    /// Numbers up to this one are not expected: they were before the phase, or before the client came.
    origin: u64,
    /// The highest number that arrived.
    last: u64,
    /// What arrives up to this one can no longer be told apart: [`Step::Stale`].
    horizon: u64,
    /// How many numbers up to `horizon` were passed over.
    given_up: u64,
    /// Inclusive ranges between `horizon` and `last` that have not arrived, in order.
    gaps: Vec<(u64, u64)>,
}

/// What an arriving number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is the highest so far; `first` is the lowest number that it leaves behind or delivers.
    Ahead { first: u64 },
    /// It had been passed over, and is here now.
    Late,
    /// It was here before.
    Repeated,
    /// It belongs to the past of the sequence.
    Stale,
}

/// How the numbers of a phase ended at one client. Their sum is what was expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) delivered: u64,
    pub(crate) passed_over: u64,
    pub(crate) never_reached: u64,
    /// Arrived beyond the final number; not part of the sum.
    pub(crate) beyond: u64,
}

impl Sequence {
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Everything up to `number` is past, whether it arrived or not.
    pub(crate) fn begin_after(&mut self, number: u64) {
        *self = Self {
            origin: number,
            last: number,
            horizon: number,
            given_up: 0,
            gaps: Vec::new(),
        };
    }

    /// A client that was away begins anew at `number`: how many numbers it missed in between.
    pub(crate) fn rejoin_at(&mut self, number: u64) -> u64 {
        let missed = number.saturating_sub(self.last);
        self.origin += missed;
        self.last += missed;
        self.horizon = self.last;
        self.given_up += std::mem::take(&mut self.gaps)
            .into_iter()
            .map(length)
            .sum::<u64>();
        missed
    }

    pub(crate) fn accept(&mut self, number: u64) -> Step {
        if number > self.last {
            let first = self.last + 1;
            if number > first {
                self.gaps.push((first, number - 1));
                self.forget_oldest_gap();
            }
            self.last = number;
            return Step::Ahead { first };
        }
        if number <= self.horizon {
            return if number == self.last {
                Step::Repeated
            } else {
                Step::Stale
            };
        }
        let index = self.gaps.partition_point(|&(_, to)| to < number);
        match self.gaps.get(index) {
            Some(&(from, _)) if from <= number => {
                self.fill(index, number);
                Step::Late
            }
            _ => Step::Repeated,
        }
    }

    fn forget_oldest_gap(&mut self) {
        if self.gaps.len() > MOST_GAPS {
            let oldest = self.gaps.remove(0);
            self.horizon = oldest.1;
            self.given_up += length(oldest);
        }
    }

    fn fill(&mut self, index: usize, number: u64) {
        let (from, to) = self.gaps[index];
        let left = (from < number).then(|| (from, number - 1));
        let right = (number < to).then(|| (number + 1, to));
        self.gaps
            .splice(index..=index, left.into_iter().chain(right));
    }

    /// Accounts for the numbers after the origin up to `last`.
    pub(crate) fn outcome(&self, last: u64) -> Outcome {
        let missing = |to: u64| {
            let within = self
                .gaps
                .iter()
                .filter(|gap| gap.0 <= to)
                .map(|gap| length((gap.0, gap.1.min(to))));
            self.given_up + within.sum::<u64>()
        };
        let arrived = |to: u64| to.saturating_sub(self.origin).saturating_sub(missing(to));
        let delivered = arrived(self.last.min(last));
        Outcome {
            delivered,
            passed_over: missing(last),
            never_reached: last.saturating_sub(self.last.max(self.origin)),
            beyond: arrived(self.last) - delivered,
        }
    }

    /// Whether more than one number may be on its way, if `newest` is the last that was sent. If even that one is here,
    /// it was not: somebody else sends, too.
    #[inline]
    pub(crate) fn may_lack_several(&self, newest: u64) -> bool {
        newest != self.last + 1 || !self.gaps.is_empty()
    }

    pub(crate) fn is_complete(&self, last: u64) -> bool {
        self.last >= last && self.gaps.is_empty()
    }
}

fn length((from, to): (u64, u64)) -> u64 {
    to - from + 1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{
        Step::{Ahead, Late, Repeated, Stale},
        *,
    };

    fn fed(numbers: &[u64]) -> (Sequence, Vec<Step>) {
        let mut sequence = Sequence::default();
        sequence.begin_after(10);
        let steps = numbers
            .iter()
            .map(|&number| sequence.accept(number))
            .collect();
        (sequence, steps)
    }

    #[test]
    fn a_swap_is_out_of_order_and_skips_nothing() {
        let (sequence, steps) = fed(&[11, 13, 12, 14]);
        assert_eq!(steps[1..3], [Step::Ahead { first: 12 }, Step::Late]);
        assert_eq!(
            sequence.outcome(14),
            Outcome {
                delivered: 4,
                ..Outcome::default()
            }
        );
    }

    #[test]
    fn a_drop_is_passed_over_and_a_missing_end_is_never_reached() {
        let (sequence, _) = fed(&[11, 13]);
        let outcome = sequence.outcome(15);
        assert_eq!(
            outcome,
            Outcome {
                delivered: 2,
                passed_over: 1,
                never_reached: 2,
                beyond: 0
            }
        );
    }

    #[test]
    fn a_repeat_is_told_from_a_late_one_and_from_the_past() {
        let (_, steps) = fed(&[10, 11, 11, 13, 12, 12, 9]);
        assert_eq!(
            steps,
            [
                Repeated,
                Ahead { first: 11 },
                Repeated,
                Ahead { first: 12 },
                Late,
                Repeated,
                Stale
            ]
        );
    }

    #[test]
    fn only_the_next_number_is_lacking_or_several_are() {
        let (sequence, _) = fed(&[11, 12]);
        assert!(!sequence.may_lack_several(13));
        assert!(sequence.may_lack_several(14));
        assert!(sequence.may_lack_several(12), "somebody else sends, too");
        let (with_a_gap, _) = fed(&[11, 13]);
        assert!(with_a_gap.may_lack_several(14), "12 may come with 14");
    }

    #[test]
    fn a_client_without_end_of_gaps_stays_small_and_its_counts_exact() {
        let mut sequence = Sequence::default();
        let numbers = 3 * MOST_GAPS as u64;
        (1..=numbers).for_each(|number| assert_ne!(sequence.accept(2 * number), Step::Repeated));
        assert_eq!(sequence.gaps.len(), MOST_GAPS);
        let outcome = sequence.outcome(2 * numbers);
        assert_eq!((outcome.delivered, outcome.passed_over), (numbers, numbers));
        assert_eq!(sequence.accept(1), Step::Stale);
    }

    #[test]
    fn a_client_that_was_away_accounts_for_what_it_missed() {
        let (mut sequence, _) = fed(&[11, 13]);
        assert_eq!(sequence.rejoin_at(20), 7);
        sequence.accept(21);
        let outcome = sequence.outcome(21);
        assert_eq!(
            outcome.delivered + outcome.passed_over + outcome.never_reached + 7,
            21 - 10
        );
    }

    proptest! {
        #[test]
        fn every_expected_number_ends_in_exactly_one_place(
            numbers in prop::collection::vec(5_u64..60, 0..120),
            last in 10_u64..60,
        ) {
            let (sequence, steps) = fed(&numbers);
            let outcome = sequence.outcome(last);
            let arrived: BTreeSet<u64> = numbers.iter().copied().filter(|&number| number > 10).collect();
            let highest = arrived.last().copied().unwrap_or(10);
            prop_assert_eq!(outcome.delivered, arrived.iter().filter(|&&number| number <= last).count() as u64);
            prop_assert_eq!(outcome.never_reached, last.saturating_sub(highest));
            prop_assert_eq!(outcome.beyond, arrived.iter().filter(|&&number| number > last).count() as u64);
            prop_assert_eq!(outcome.delivered + outcome.passed_over + outcome.never_reached, last - 10);
            let repeated = steps.iter().filter(|&&step| step == Step::Repeated).count();
            let first_times = steps.iter().filter(|step| matches!(step, Step::Ahead { .. } | Step::Late)).count();
            prop_assert_eq!(first_times, arrived.len());
            let of_the_past = numbers.iter().filter(|&&number| number <= 10).count();
            prop_assert!(repeated + first_times + of_the_past >= numbers.len());
        }
    }
}
