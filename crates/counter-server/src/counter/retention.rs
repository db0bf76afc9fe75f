//! Which keys are old enough to be forgotten.
//!
//! Counts only grow, so a count that was the newest a while ago bounds every key of before: keys are
//! not timed one by one, and no store needs a clock. Time is this process's own monotonic clock; the
//! wall clock may jump as it likes. After a restart nothing counts as old until the time has passed
//! again, so a key is remembered for longer, never for less.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Marks per retention time: a key is remembered for at most this share of it too long.
const MARKS: u32 = 64;

/// What was the newest count when.
#[derive(Debug)]
pub(crate) struct Retention {
    keep: Duration,
    marks: VecDeque<(Instant, u64)>,
    until: u64,
}

impl Retention {
    /// Remembers for `keep`.
    pub(crate) fn new(keep: Duration) -> Self {
        Self {
            keep,
            marks: VecDeque::new(),
            until: 0,
        }
    }

    /// Notes that `newest` was the newest count at `now`.
    pub(crate) fn note(&mut self, now: Instant, newest: u64) {
        if self.marks.back().is_some_and(|&(_, count)| count >= newest) {
            return;
        }
        let step = self.keep / MARKS;
        let before_last = self.marks.len().checked_sub(2);
        if before_last.is_some_and(|i| now.duration_since(self.marks[i].0) < step) {
            self.marks.pop_back();
        }
        self.marks.push_back((now, newest));
    }

    /// Keys counted at this count or before may be forgotten.
    pub(crate) fn forget_until(&mut self, now: Instant) -> u64 {
        while let Some(&(then, count)) = self.marks.front()
            && now.duration_since(then) >= self.keep
        {
            self.until = count;
            self.marks.pop_front();
        }
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEEP: Duration = Duration::from_secs(64);

    proptest! {
        #[test]
        fn a_key_is_remembered_for_its_time_and_hardly_longer(
            pauses in prop::collection::vec(0u64..20_000, 1..400),
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut retention = Retention::new(KEEP);
            let mut counted_at = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                let until = usize::try_from(retention.forget_until(now)).unwrap();
                for (index, &at) in counted_at.iter().enumerate() {
                    let age = now.duration_since(at);
                    if index < until {
                        prop_assert!(age >= KEEP, "forgotten after {age:?}");
                    } else {
                        prop_assert!(age < KEEP + KEEP / MARKS, "remembered for {age:?}");
                    }
                }
                counted_at.push(now);
                retention.note(now, counted_at.len() as u64);
                prop_assert!(retention.marks.len() <= 2 * MARKS as usize + 2);
            }
        }
    }

    #[test]
    fn counts_of_before_the_start_are_not_old_yet() {
        let start = Instant::now();
        let mut retention = Retention::new(KEEP);
        retention.note(start, 1_000);
        assert_eq!(retention.forget_until(start + KEEP / 2), 0);
        assert_eq!(retention.forget_until(start + KEEP), 1_000);
    }
}
