//! The sum of many tallies.

use std::ops::{AddAssign, Sub};

use serde::{Deserialize, Serialize};

use super::tally::Tally;

/// Counts over all clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Counts received for the first time.
    pub delivered: u64,
    /// Counts that never came.
    pub lost: u64,
    /// Counts jumped over when a higher one came; some may have come late.
    pub skipped: u64,
    /// Counts received more than once.
    pub repeated: u64,
    /// Counts that came after a higher one.
    pub out_of_order: u64,
    /// Clients whose last count is not the newest.
    pub stale: u64,
    /// Clients that the server cut off, or that ran into an error.
    pub disconnected: u64,
}

impl Totals {
    /// What one connection received; lost is what is missing below its highest count.
    pub(crate) fn of(tally: &Tally) -> Self {
        Self {
            delivered: tally.delivered,
            lost: tally.missing(),
            skipped: tally.skipped,
            repeated: tally.repeated,
            out_of_order: tally.out_of_order,
            stale: 0,
            disconnected: 0,
        }
    }

    fn combine(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            delivered: with(self.delivered, other.delivered),
            lost: with(self.lost, other.lost),
            skipped: with(self.skipped, other.skipped),
            repeated: with(self.repeated, other.repeated),
            out_of_order: with(self.out_of_order, other.out_of_order),
            stale: with(self.stale, other.stale),
            disconnected: with(self.disconnected, other.disconnected),
        }
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        *self = self.combine(other, |a, b| a + b);
    }
}

impl Sub for Totals {
    type Output = Self;

    /// What a phase added. A count that comes late makes `lost` smaller: that shows as 0, not as less.
    fn sub(self, earlier: Self) -> Self {
        self.combine(earlier, u64::saturating_sub)
    }
}
