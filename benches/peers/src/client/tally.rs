//! What one connection received, judged against consecutive counts.
//!
//! The highest count so far and the holes below it say everything: a count above jumps over a hole, a count in a hole is
//! late (out of order), any other count at or below the highest is a repetition. A page shows the last count, so `last`
//! is kept apart from the highest.

/// How a count stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The first count of the connection.
    First,
    /// The one that had to come.
    Next,
    /// Above the one that had to come.
    Ahead,
    /// Lower than one before it, and never received until now.
    Late,
    /// Received before.
    Repeated,
}

/// What a jump over counts means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Jumps {
    /// Counts are missing: they are lost unless they come late.
    #[default]
    Lose,
    /// Allowed once more, then missing: the first count after an upgrade from polling.
    LoseAfterNext,
    /// Allowed: between two polls.
    Allowed,
}

/// The record of one connection.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    highest: Option<u64>,
    last: u64,
    /// Ranges below `highest`, both ends included, that never came; ascending.
    holes: Vec<(u64, u64)>,
    /// See [`Jumps`].
    pub(crate) jumps: Jumps,
    /// Counts received for the first time, without the first of the connection.
    pub(crate) delivered: u64,
    /// Counts jumped over when a higher one came; some may have come late.
    pub(crate) skipped: u64,
    /// Counts jumped over where that was allowed.
    pub(crate) passed: u64,
    /// Counts received more than once.
    pub(crate) repeated: u64,
    /// Counts that came after a higher one.
    pub(crate) out_of_order: u64,
}

impl Tally {
    /// A record that has its own view of jumps.
    pub(crate) fn with_jumps(jumps: Jumps) -> Self {
        Self {
            jumps,
            ..Self::default()
        }
    }

    /// Takes one count in.
    #[inline]
    pub(crate) fn receive(&mut self, count: u64) -> Arrival {
        self.last = count;
        let Some(highest) = self.highest else {
            self.highest = Some(count);
            return Arrival::First;
        };
        if count <= highest {
            return self.receive_again(count);
        }
        self.highest = Some(count);
        self.delivered += 1;
        let gap = count - highest - 1;
        let jumps = self.jumps;
        if jumps == Jumps::LoseAfterNext {
            self.jumps = Jumps::Lose;
        }
        if gap == 0 {
            return Arrival::Next;
        }
        if jumps == Jumps::Lose {
            self.skipped += gap;
            self.holes.push((highest + 1, count - 1));
        } else {
            self.passed += gap;
        }
        Arrival::Ahead
    }

    #[cold]
    fn receive_again(&mut self, count: u64) -> Arrival {
        let Some(at) = self
            .holes
            .iter()
            .rposition(|(from, to)| (*from..=*to).contains(&count))
        else {
            self.repeated += 1;
            return Arrival::Repeated;
        };
        let (from, to) = self.holes[at];
        // A hole lies above a count, so it never holds 0.
        let left = [(from, count - 1), (count + 1, to)]
            .into_iter()
            .filter(|(from, to)| from <= to);
        self.holes.splice(at..=at, left);
        self.delivered += 1;
        self.out_of_order += 1;
        Arrival::Late
    }

    /// The highest count so far.
    pub(crate) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Counts that never came, of those up to `newest`.
    pub(crate) fn lost(&self, newest: u64) -> u64 {
        let tail = self
            .highest
            .map_or(0, |highest| newest.saturating_sub(highest));
        self.missing() + tail
    }

    /// Counts below the highest that never came.
    pub(crate) fn missing(&self) -> u64 {
        self.holes.iter().map(|(from, to)| to - from + 1).sum()
    }

    /// Whether the count that the client shows is another than `newest`.
    pub(crate) fn stale(&self, newest: u64) -> bool {
        self.last != newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(counts: &[u64]) -> Tally {
        let mut tally = Tally::default();
        for count in counts {
            tally.receive(*count);
        }
        tally
    }

    /// Lost up to 9, skipped, repeated, out of order, stale.
    fn figures(counts: &[u64]) -> (u64, u64, u64, u64, bool) {
        let tally = after(counts);
        (
            tally.lost(9),
            tally.skipped,
            tally.repeated,
            tally.out_of_order,
            tally.stale(9),
        )
    }

    #[test]
    fn counts_in_order_are_all_delivered() {
        let tally = after(&[4, 5, 6, 7, 8, 9]);
        assert_eq!(tally.delivered, 5);
        assert_eq!(figures(&[4, 5, 6, 7, 8, 9]), (0, 0, 0, 0, false));
    }

    #[test]
    fn a_count_that_never_comes_is_skipped_and_lost() {
        assert_eq!(figures(&[4, 5, 8, 9]), (2, 2, 0, 0, false));
    }

    #[test]
    fn a_count_that_comes_late_is_out_of_order_and_not_lost() {
        assert_eq!(figures(&[4, 8, 6, 5, 7, 9]), (0, 3, 0, 3, false));
    }

    #[test]
    fn a_count_that_comes_twice_is_repeated_even_when_it_was_late_once() {
        assert_eq!(figures(&[4, 7, 5, 5, 7, 8, 9]), (1, 2, 2, 1, false));
    }

    #[test]
    fn who_ends_on_an_older_count_is_stale_even_when_the_newest_had_come() {
        assert_eq!(figures(&[4, 5, 6, 7, 9, 8]), (0, 1, 0, 1, true));
        assert_eq!(figures(&[4, 5, 6]), (3, 0, 0, 0, true));
    }

    #[test]
    fn a_jump_that_is_allowed_loses_nothing_and_the_one_after_the_next_does() {
        let mut tally = Tally::with_jumps(Jumps::Allowed);
        for count in [1, 5] {
            tally.receive(count);
        }
        tally.jumps = Jumps::LoseAfterNext;
        for count in [8, 10] {
            tally.receive(count);
        }
        assert_eq!((tally.passed, tally.lost(10)), (5, 1));
    }

    #[test]
    fn counts_from_zero_are_judged_like_others() {
        let mut tally = after(&[0, 3]);
        assert_eq!(tally.receive(1), Arrival::Late);
        assert_eq!(tally.receive(0), Arrival::Repeated);
        assert_eq!(tally.lost(3), 1);
    }
}
