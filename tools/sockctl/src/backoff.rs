//! How long to wait before connecting again.

use std::time::Duration;

/// The longest pause before the second attempt; it doubles from attempt to attempt.
const FIRST: Duration = Duration::from_millis(500);
/// The longest pause of all.
const LONGEST: Duration = Duration::from_secs(10);

/// Pauses that grow, each shortened by chance: thousands of clients that lose a server together must not come back
/// together.
#[derive(Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The pause before the next attempt: between half and all of what the number of attempts calls for.
    pub(crate) fn pause(&mut self) -> Duration {
        let longest = FIRST
            .saturating_mul(2_u32.saturating_pow(self.attempts))
            .min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        longest.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// To be called when the server has shown that it works.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        for longest in [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000].map(Duration::from_millis)
        {
            let pause = backoff.pause();
            assert!(
                longest / 2 <= pause && pause <= longest,
                "{pause:?} of {longest:?}"
            );
        }
        backoff.reset();
        assert!(backoff.pause() <= FIRST);
        backoff.attempts = u32::MAX;
        assert!(backoff.pause() <= LONGEST);
    }

    #[test]
    fn two_clients_do_not_come_back_together() {
        let pauses: Vec<_> = (0..10).map(|_| Backoff::default().pause()).collect();
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }
}
